"""WARC/1.1 (ISO 28500:2017), uncompressed, written byte for byte.

A block is the file it came from: it is digested, written, and digested again while written; a
difference is an error. The record forms and the extension fields are set out in
``docs/warc-profile.md``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from evidence_kit.core.errors import StorageError
from evidence_kit.core.exchange import Exchange
from evidence_kit.core.limits import CHUNK
from evidence_kit.seal.http_message import BadMessageError, Head, Message, measure
from evidence_kit.seal.redact_types import Content, RedactedExchange

REPRESENTATION = "X-Evidence-Representation"
SOURCE = "X-Evidence-Source"
CONTENT = "X-Evidence-Content"
NUMBER = "X-Evidence-Exchange"
ADDRESS_SOURCE = "X-Evidence-Address-Source"
TLS_CHAIN = "X-Evidence-TLS-Chain"
TLS_VERDICT = "X-Evidence-TLS-Verdict"
NOTES = "X-Evidence-Notes"

CHAIN_URI = "urn:x-evidence-kit:tls-chain:sha256:"
RESPONSE_TYPE = "application/http; msgtype=response"
REQUEST_TYPE = "application/http; msgtype=request"
FIELDS_TYPE = "application/warc-fields"
FRAMES_TYPE = "application/x-websocket-frames"
PEM_TYPE = "application/pem-certificate-chain"

Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class RecordInfo:
    """A record as it stands in the file.

    Attributes:
        offset: of its first byte. ``length``: with the two closing line ends, in bytes.
        digest: ``sha256:`` of the payload where that stands in the record, else of the block.
        status, mime: of the HTTP response; None and empty for other records.
        method, request: of the request that a response answers, for the index.
    """

    id: str
    kind: str
    url: str
    when: datetime
    offset: int
    length: int
    digest: str
    status: int | None = None
    mime: str = ""
    method: str = ""
    request: Path | None = None


def warc_date(moment: datetime) -> str:
    """``WARC-Date`` with microseconds (ISO 28500 section 5.4)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def warc_uri(url: str) -> str:
    """A URL fit for a header line: what no URI may hold is percent-encoded."""
    return "".join(
        char
        if "!" <= char <= "~" and char not in '<>"'
        else "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
        for char in url
    )


@dataclass(frozen=True)
class _Block:
    """Bytes of a file from ``start`` to ``end``, or bytes in memory."""

    path: Path | None
    data: bytes = b""
    start: int = 0
    end: int = 0

    @property
    def size(self) -> int:
        return len(self.data) if self.path is None else self.end - self.start

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        if self.path is None:
            yield self.data[start:]
            return
        with self.path.open("rb") as stream:
            stream.seek(self.start + start)
            left = self.size - start
            while left > 0:
                chunk = stream.read(min(CHUNK, left))
                if not chunk:
                    return
                left -= len(chunk)
                yield chunk

    def sha256(self, start: int = 0) -> str:
        digest = hashlib.sha256()
        for chunk in self.chunks(start):
            digest.update(chunk)
        return f"sha256:{digest.hexdigest()}"


class WarcWriter:
    """Appends records to a stream.

    Args:
        stream: binary, positioned where the first record goes.
        new_id: gives a fresh UUID text for each record (an argument, so that the same input can
            give the same bytes).
        offset: where the stream stands within its file.
    """

    def __init__(self, stream: BinaryIO, new_id: Callable[[], str], *, offset: int = 0) -> None:
        self._stream = stream
        self._new_id = new_id
        self._offset = offset
        self._chains: set[str] = set()
        self.records: list[RecordInfo] = []

    def warcinfo(self, fields: Fields, when: datetime, filename: str) -> RecordInfo:
        """The first record (section 6.2); the caller gives software, format, conformsTo."""
        extra = [("WARC-Filename", filename)]
        return self._write("warcinfo", "", when, extra, FIELDS_TYPE, _Block(None, _fields(fields)))

    def exchange(self, item: RedactedExchange) -> tuple[RecordInfo, ...]:
        """Write one exchange: TLS chain where new, responses, request, error.

        Raises:
            StorageError: a file changed while it was written.
            OSError: a file cannot be read or written.
        """
        exchange = item.exchange
        made: list[RecordInfo] = []
        common = self._common(exchange, made)
        request_fields = [*common, *_notes(exchange)]
        concurrent = []
        for info in self._responses(item, common):
            made.append(info)
            concurrent.append(("WARC-Concurrent-To", info.id))
        if "not-sent" not in exchange.notes:
            extra = [*concurrent, *request_fields, (CONTENT, str(item.request_content))]
            block = _whole(exchange.request)
            made.append(
                self._http("request", exchange, extra, REQUEST_TYPE, block, _safe(block, ""))
            )
            concurrent.append(("WARC-Concurrent-To", made[-1].id))
        if exchange.error:
            made.append(self._failure(exchange, concurrent))
        return tuple(made)

    def resource(
        self, url: str, when: datetime, content_type: str, block: Path | bytes, extra: Fields = ()
    ) -> RecordInfo:
        """A ``resource`` record (section 6.4): a file that is not an HTTP message."""
        body = _whole(block) if isinstance(block, Path) else _Block(None, block)
        return self._write("resource", url, when, extra, content_type, body)

    def metadata(self, url: str, when: datetime, fields: Fields, extra: Fields = ()) -> RecordInfo:
        """A ``metadata`` record (section 6.6) of ``application/warc-fields``."""
        block = _Block(None, _fields(fields))
        return self._write("metadata", url, when, extra, FIELDS_TYPE, block)

    def tls_chain(self, chain: Sequence[bytes], when: datetime) -> RecordInfo:
        """The certificates of a connection as PEM, once per chain."""
        self._chains.add(chain_id(chain))
        return self.resource(
            CHAIN_URI + chain_id(chain).removeprefix("sha256:"), when, PEM_TYPE, pem_chain(chain)
        )

    def websocket(
        self,
        url: str,
        when: datetime,
        sent: Path,
        received: Path,
        *,
        exchange: int,
        contents: tuple[Content, Content] = (Content.EXACT, Content.EXACT),
    ) -> tuple[RecordInfo, RecordInfo]:
        """Frames behind a handshake, one ``resource`` per direction (RFC 6455 section 5)."""
        made = []
        for path, direction, content in zip(
            (sent, received), ("sent", "received"), contents, strict=True
        ):
            extra = [
                ("X-Evidence-Direction", direction),
                (NUMBER, str(exchange)),
                (CONTENT, str(content)),
            ]
            made.append(self.resource(url, when, FRAMES_TYPE, path, extra))
        return made[0], made[1]

    def _common(self, exchange: Exchange, made: list[RecordInfo]) -> list[tuple[str, str]]:
        fields = [(NUMBER, str(exchange.number))]
        if exchange.remote_address:
            fields.append(("WARC-IP-Address", exchange.remote_address))
            if exchange.address_source:
                fields.append((ADDRESS_SOURCE, exchange.address_source))
        fields += [("WARC-Protocol", name) for name in exchange.protocols]
        tls = exchange.tls
        if tls is not None:
            if tls.cipher:
                fields.append(("WARC-Cipher-Suite", tls.cipher))
            if tls.chain:
                chain = chain_id(tls.chain)
                if chain not in self._chains:
                    made.append(self.tls_chain(tls.chain, exchange.started))
                fields.append((TLS_CHAIN, chain))
            if tls.verdict:
                fields.append((TLS_VERDICT, tls.verdict))
        fields.append((REPRESENTATION, str(exchange.representation)))
        fields.append((SOURCE, str(exchange.source)))
        return fields

    def _responses(self, item: RedactedExchange, common: Fields) -> Iterator[RecordInfo]:
        """One record per response: interim ones (1xx) are responses of their own (RFC 9110)."""
        exchange = item.exchange
        if exchange.response is None:
            return
        whole = _whole(exchange.response)
        message = _safe(whole, exchange.method)
        start = 0
        extra = [*common, *_notes(exchange), (CONTENT, str(item.response_content))]
        for head in message.heads[:-1] if message else ():
            end = start + len(head.raw)
            block = _Block(exchange.response, b"", start, end)
            yield self._http("response", exchange, extra, RESPONSE_TYPE, block, None, head)
            start = end
        if exchange.truncated:
            extra.insert(0, ("WARC-Truncated", exchange.truncated))
        block = _Block(exchange.response, b"", start, whole.end)
        final = message.head if message else None
        yield self._http("response", exchange, extra, RESPONSE_TYPE, block, message, final)

    def _http(
        self,
        kind: str,
        exchange: Exchange,
        extra: Fields,
        content_type: str,
        block: _Block,
        message: Message | None,
        head: Head | None = None,
    ) -> RecordInfo:
        start: int | None = None
        # Readers take the payload as what follows the first empty line: correct only unchunked.
        if message is not None and message.framing != "chunked" and not exchange.truncated:
            start = len(message.head.raw)
        return self._write(
            kind,
            exchange.url,
            exchange.started,
            extra,
            content_type,
            block,
            payload_at=start,
            status=head.status if head else None,
            mime=head.media_type if head else "",
            method=exchange.method,
            request=exchange.request,
        )

    def _failure(self, exchange: Exchange, concurrent: Fields) -> RecordInfo:
        fields = [
            ("error", exchange.error or ""),
            ("method", exchange.method),
            ("reported-by", str(exchange.source)),
        ]
        return self.metadata(
            exchange.url, exchange.started, fields, [*concurrent, (NUMBER, str(exchange.number))]
        )

    def _write(
        self,
        kind: str,
        url: str,
        when: datetime,
        extra: Fields,
        content_type: str,
        block: _Block,
        *,
        payload_at: int | None = None,
        status: int | None = None,
        mime: str = "",
        method: str = "",
        request: Path | None = None,
    ) -> RecordInfo:
        record, target = f"<urn:uuid:{self._new_id()}>", warc_uri(url)
        digest = block.sha256()
        payload = "" if payload_at is None else block.sha256(payload_at)
        lines = [("WARC-Type", kind), ("WARC-Record-ID", record), ("WARC-Date", warc_date(when))]
        if target:
            lines.append(("WARC-Target-URI", target))
        lines += [*extra, ("WARC-Block-Digest", digest)]
        if payload:
            lines.append(("WARC-Payload-Digest", payload))
        lines += [("Content-Type", content_type), ("Content-Length", str(block.size))]
        head = b"WARC/1.1\r\n" + _fields(lines) + b"\r\n"
        self._stream.write(head)
        written, again = 0, hashlib.sha256()
        for chunk in block.chunks():
            self._stream.write(chunk)
            again.update(chunk)
            written += len(chunk)
        self._stream.write(b"\r\n\r\n")
        if written != block.size or f"sha256:{again.hexdigest()}" != digest:
            raise StorageError(
                "a recorded file changed while it was written into the WARC",
                hint="look for another program that writes in the work folder",
            )
        length = len(head) + written + 4
        info = RecordInfo(
            record,
            kind,
            target,
            when,
            self._offset,
            length,
            payload or digest,
            status,
            mime,
            method,
            request,
        )
        self._offset += length
        self.records.append(info)
        return info


def chain_id(chain: Sequence[bytes]) -> str:
    """``sha256:`` of the chain's PEM text, by which records refer to it."""
    return f"sha256:{hashlib.sha256(pem_chain(chain)).hexdigest()}"


def pem_chain(chain: Sequence[bytes]) -> bytes:
    """PEM (RFC 7468) of bytes as they were received, whether or not they parse as certificates."""
    parts = []
    for der in chain:
        text = base64.b64encode(der)
        lines = [text[start : start + 64] for start in range(0, len(text), 64)]
        parts += [b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----"]
    return b"\n".join(parts) + b"\n"


def _fields(fields: Fields) -> bytes:
    """Header lines; a value can never begin a line of its own."""
    return b"".join(
        f"{name}: {' '.join(value.split())}\r\n".encode("utf-8", "backslashreplace")
        for name, value in fields
    )


def _notes(exchange: Exchange) -> Fields:
    return [(NOTES, ", ".join(exchange.notes))] if exchange.notes else []


def _whole(path: Path) -> _Block:
    return _Block(path, b"", 0, path.stat().st_size)


def _safe(block: _Block, method: str) -> Message | None:
    if block.path is None:
        return None
    try:
        return measure(block.path, method=method)
    except BadMessageError:
        return None
