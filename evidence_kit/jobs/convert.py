"""From what was recorded to what is delivered: redacted, as WARC, WACZ and plain files."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from evidence_kit.core.canonical_json import dumps, loads
from evidence_kit.core.clock import Clock, iso
from evidence_kit.core.exchange import Exchange, TlsSeen
from evidence_kit.gather.contacts import Contact, of_port
from evidence_kit.gather.page_types import PageRecording
from evidence_kit.gather.public_roots import ends_in_public_root
from evidence_kit.jobs.record import TlsFile
from evidence_kit.jobs.workfolder import WorkFolder
from evidence_kit.seal.netlog import Recording
from evidence_kit.seal.netlog_build import WebSocketFrames
from evidence_kit.seal.redact import Redactor
from evidence_kit.seal.redact_types import RedactedExchange
from evidence_kit.seal.redact_websocket import redact_frames
from evidence_kit.seal.wacz import Page, write_wacz
from evidence_kit.seal.warc import WarcWriter, pem_chain

WARC_FORMAT = "WARC File Format 1.1"
WARC_CONFORMS = "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"
PAGE_TEXT = 100_000
"""Characters of visible text in the WACZ's page list, for its search; the whole is in text.txt."""


@dataclass(frozen=True)
class Delivered:
    """What the page gave, ready for the bundle.

    Attributes:
        tls: chains written to ``data/tls``.
        redactions: for the record, in its JSON form.
    """

    tls: tuple[TlsFile, ...]
    redactions: tuple[Mapping[str, Any], ...]


def with_addresses(
    exchanges: Iterable[Exchange], contacts: Sequence[Contact], *, own_proxy: bool = False
) -> tuple[Exchange, ...]:
    """The address that the guard connected to, where the browser only saw the guard itself.

    With a proxy in between, the guard's or the browser's own, nobody here knows the origin's.
    """
    found = []
    for exchange in exchanges:
        if exchange.local_port is not None:
            contact = None
            if not own_proxy:
                contact = of_port(contacts, exchange.local_port, exchange.started)
            address = contact.used if contact is not None else None
            exchange = replace(
                exchange,
                remote_address=address,
                remote_port=_parts(exchange.url).port or exchange.remote_port,
                address_source="guard" if address else "",
                notes=(*exchange.notes, *_way_notes(exchange, contact)),
            )
        found.append(exchange)
    return tuple(found)


def _parts(url: str) -> SplitResult:
    """The parts of a recorded address; of one that cannot be taken apart, empty ones."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return urlsplit("")
    return parts


def _way_notes(exchange: Exchange, contact: Contact | None) -> Iterator[str]:
    """How plain http went on behind the guard, where that is not what the browser wrote."""
    if contact is not None and contact.rewritten:
        yield "request-line-sent-with-path-only"
    elif contact is not None and contact.via and exchange.url.startswith("http:"):
        yield "request-sent-to-proxy"


class Converter:
    """Turns one capture's recordings into files of the bundle.

    Args:
        work: where they come from and go to.
        redactor: has learnt every credential value.
        clock: for the times of records and files.
        random: gives that many random bytes, for record ids.
        software: name and version, for the archives.
        start_token_sha256: digest of the start token, which stands in ``warcinfo``.
    """

    def __init__(
        self,
        work: WorkFolder,
        redactor: Redactor,
        *,
        clock: Clock,
        random: Callable[[int], bytes],
        software: str,
        start_token_sha256: str | None,
    ) -> None:
        self._work = work
        self._redactor = redactor
        self._clock = clock
        self._random = random
        self._software = software
        self._start_token = start_token_sha256
        self._earlier = {
            line["file"]: line["items"] for line in work.journal() if line["event"] == "redacted"
        }
        self._items: list[Mapping[str, Any]] = []
        self._delivered: dict[tuple[str, int], Exchange] = {}

    def delivered(self, part: str, number: int) -> Exchange | None:
        """An exchange of ``page`` or ``api`` as it went into the archive; None where none did."""
        return self._delivered.get((part, number))

    @property
    def redactions(self) -> tuple[Mapping[str, Any], ...]:
        """What was masked so far, in the record's form."""
        return tuple(self._items)

    def page(
        self, page: PageRecording[Any], exchanges: Sequence[Exchange], title: str, text: str
    ) -> tuple[TlsFile, ...]:
        """Write ``data/web/page.wacz`` and ``data/tls/…``.

        Args:
            page: the recording.
            exchanges: its exchanges, with and without response, addresses joined.
            title: of the page, unredacted.
            text: visible on the page, unredacted.
        """
        when = page.started
        warc = self._work.scratch / "data.warc"
        with warc.open("xb") as stream:
            writer = self._writer(stream, when, "data.warc")
            for exchange in sorted(exchanges, key=lambda item: (item.started, item.number)):
                writer.exchange(self._redacted(exchange, "page"))
            for frames in page.recording.websockets:
                self._frames(writer, frames)
        url = self._redactor.redact_url(page.final_url or page.requested_url)
        shown = Page(
            id=uuid.UUID(bytes=self._random(16), version=4).hex,
            url=url,
            when=when,
            title=self.text(title, "title"),
            text=self.text(text[:PAGE_TEXT], "text"),
        )
        target = self._work.data / "web" / "page.wacz"
        target.parent.mkdir(parents=True, exist_ok=True)
        write_wacz(
            target, warc, writer.records, [shown], software=self._software, created=self._clock()
        )
        warc.unlink()
        self._work.add("wacz", target, clock=self._clock)
        return self._chains(exchanges, page.recording)

    def api(self, exchanges: Sequence[Exchange], started: datetime) -> None:
        """Write ``data/api/exchanges.warc``: our own requests and the answers."""
        if not exchanges:
            return
        target = self._work.data / "api" / "exchanges.warc"
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as stream:
            writer = self._writer(stream, started, target.name)
            for exchange in exchanges:
                writer.exchange(self._redacted(exchange, "api"))
        self._work.add("warc", target, clock=self._clock)

    def file(self, kind: str, path: Path, original_name: str | None = None) -> None:
        """Redact a finished text file in place and register it.

        A file that an interrupted run already redacted keeps the list made then.
        """
        name = self._work.name_of(path)
        if name in self._earlier:
            self._items.extend(self._earlier[name])
        else:
            self._work.note("redacting", sync=False, file=name)
            items = [item.to_json() for item in self._redactor.redact_file(path, name)]
            self._work.note("redacted", sync=False, file=name, items=items)
            self._items.extend(items)
        self._work.add(kind, path, clock=self._clock, original_name=original_name)

    def text(self, text: str, subject: str) -> str:
        """Redact a short text; what was masked is listed."""
        data, items = self._redactor.redact_bytes(text.encode("utf-8", "replace"), subject)
        self._keep(items)
        return data.decode("utf-8", "replace")

    def document(self, value: Any, subject: str) -> bytes:
        """A JSON document without secrets: addresses in it, then any recurrence.

        What is masked in the capture record cannot be listed in itself; its fields repeat values
        that are listed for the exchange they came from.
        """
        data, _ = self._redactor.redact_bytes(dumps(self._urls(value)), subject)
        loads(data)  # a marker must not have broken the form
        return data

    def _urls(self, value: Any) -> Any:
        if isinstance(value, str):
            return re.sub(
                r"(?:https?|wss?)://[^\s\"<>]+",
                lambda match: self._redactor.redact_url(match[0]),
                value,
            )
        if isinstance(value, Mapping):
            return {key: self._urls(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._urls(item) for item in value]
        return value

    def _writer(self, stream: Any, when: datetime, name: str) -> WarcWriter:
        writer = WarcWriter(stream, lambda: str(uuid.UUID(bytes=self._random(16), version=4)))
        fields = [
            ("software", self._software),
            ("format", WARC_FORMAT),
            ("conformsTo", WARC_CONFORMS),
            ("isPartOf", self._work.id),
            ("captureStarted", iso(when)),
        ]
        if self._start_token:
            fields.append(("startTokenSHA256", self._start_token))
        writer.warcinfo(fields, when, name)
        return writer

    def _redacted(self, exchange: Exchange, part: str) -> RedactedExchange:
        folder = self._work.scratch / f"redacted-{part}"
        folder.mkdir(exist_ok=True)
        redacted = self._redactor.redact_exchange(exchange, folder)
        prefix = f"{part} exchange "
        self._keep(replace(item, record=prefix + item.record) for item in redacted.items)
        self._delivered[part, exchange.number] = redacted.exchange
        return redacted

    def _frames(self, writer: WarcWriter, frames: WebSocketFrames) -> None:
        folder = self._work.scratch / "redacted-page"
        folder.mkdir(exist_ok=True)
        paths, contents = [], []
        sides = (
            (frames.sent, "ws-sent", self._redactor.mask_message),
            (frames.received, "ws-received", self._redactor.mask),
        )
        for path, side, mask in sides:
            delivered, content, items = redact_frames(
                path, str(frames.exchange), side, folder, mask
            )
            self._keep(replace(item, record=f"page exchange {item.record}") for item in items)
            paths.append(delivered)
            contents.append(content)
        writer.websocket(
            self._redactor.redact_url(frames.url),
            frames.started,
            paths[0],
            paths[1],
            exchange=frames.exchange,
            contents=(contents[0], contents[1]),
        )

    def _chains(self, exchanges: Sequence[Exchange], recording: Recording) -> tuple[TlsFile, ...]:
        """One PEM file for each host and chain, named after the host."""
        found: dict[tuple[str, tuple[bytes, ...]], TlsFile] = {}
        used: set[str] = set()
        for host, tls in _connections(exchanges, recording):
            if not tls.chain or (host, tls.chain) in found:
                continue
            label = re.sub(r"[^a-z0-9.]+", "_", host.lower()).strip("._")[:80] or "host"
            name = label
            number = 2
            while name in used:
                name = f"{label}-{number}"
                number += 1
            used.add(name)
            path = self._work.data / "tls" / f"{name}.pem"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(pem_chain(tls.chain))
            self._work.add("tls", path, clock=self._clock)
            found[host, tls.chain] = TlsFile(
                host=host,
                file=self._work.name_of(path),
                version=tls.version,
                cipher=tls.cipher,
                verdict=tls.verdict,
                says="browser",
                public_root=ends_in_public_root(tls.chain),
            )
        return tuple(found.values())

    def _keep(self, items: Iterable[Any]) -> None:
        self._items.extend(item.to_json() for item in items)


def _connections(
    exchanges: Sequence[Exchange], recording: Recording
) -> Iterator[tuple[str, TlsSeen]]:
    """Host and TLS of each exchange, then the chains of connections that were given up.

    A certificate that the browser refuses leaves a chain, an error and no exchange.
    """
    hosts = set()
    for exchange in exchanges:
        host = _parts(exchange.url).netloc.rpartition("@")[2]
        if exchange.tls is not None:
            hosts.add(host.partition(":")[0] if host.endswith(":443") else host)
            yield host, exchange.tls
    errors = {
        f"{parts.hostname}:{parts.port or 443}": item.error or ""
        for item in recording.failed
        if (parts := _parts(item.url)).scheme in ("https", "wss")
    }
    for place, chain in recording.chains.items():
        host = place.removesuffix(":443")
        if host not in hosts and place in errors:
            yield host, TlsSeen(version="", cipher="", chain=chain, verdict=errors[place])
