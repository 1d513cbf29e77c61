"""Strict reading of an uncompressed WARC/1.1 file (ISO 28500:2017), streamed: digests recomputed.

The file's own digests are worth something only when somebody computes them again; a well-known
validator does not, and accepts a forged archive.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from evidence_kit.core.limits import CHUNK
from evidence_kit.seal.window import window

MAX_HEAD = 1 << 20
"""Bytes of one record's or HTTP message's head: addresses may be long, but
not megabytes."""

MAX_RECORDS = 500_000
"""Records of one file that are kept in mind (some 100 MB); a page makes hundreds or thousands."""

_VERSION = b"WARC/1.1\r\n"
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*", re.DOTALL)
_TYPES = frozenset(
    {"warcinfo", "response", "request", "metadata", "resource", "revisit", "conversion"}
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


_REPEATABLE = ("warc-concurrent-to", "warc-protocol")
"""ISO 28500 section 5.7, and the IIPC's WARC-Protocol: one field for each protocol layer."""


class WarcError(ValueError):
    """Not a WARC file as this project reads it; the text says where and why."""


@dataclass(frozen=True)
class Record:
    """One record; ``offset`` and ``length`` in bytes span it whole, final line breaks included.

    ``good`` is False where a digest that the record states is not that of its bytes. ``exchange``
    is the number that the writer gave the exchange, empty where there is none; ``date`` is the
    WARC-Date as it stands there. ``payload`` is the SHA-256 of the payload where the record states
    one, ``content`` and ``notes`` are what the writer says of the block (docs/warc-profile.md).
    """

    number: int
    offset: int
    length: int
    kind: str
    id: str
    url: str
    good: bool
    exchange: str = ""
    date: str = ""
    payload: bytes = b""
    content: str = ""
    notes: str = ""


def read_records(
    stream: BinaryIO, *, seen: Callable[[bytes], None] | None = None
) -> Iterator[Record]:
    """Every record in order, each with its digests recomputed; memory stays at a few chunks.

    Each record must state ``WARC-Block-Digest`` as ``sha256:`` and hexadecimal digits;
    ``WARC-Payload-Digest`` is checked where it stands (ISO 28500, 5.8 and 5.9).

    Args:
        stream: from the file's first byte to its last.
        seen: given every byte read, in order, for a digest of the whole.

    Raises:
        WarcError: the first place where the form is broken; records before it were sound.
        OSError: the stream cannot be read.
    """
    source = _Source(stream, seen)
    ids: set[str] = set()
    while not source.at_end():
        if len(ids) >= MAX_RECORDS:
            raise WarcError(f"more than {MAX_RECORDS} records")
        offset = source.position
        fields = _read_head(source)
        kind, identity = fields["warc-type"], fields["warc-record-id"]
        if identity in ids:
            raise WarcError(f"record id twice at byte {offset}")
        ids.add(identity)
        good = _read_block(source, fields)
        if source.take(4) != b"\r\n\r\n":
            raise WarcError(f"record at byte {offset} does not end as it should")
        yield Record(
            number=len(ids),
            offset=offset,
            length=source.position - offset,
            kind=kind,
            id=identity,
            url=fields.get("warc-target-uri", ""),
            good=good,
            exchange=fields.get("x-evidence-exchange", ""),
            date=fields["warc-date"],
            payload=bytes.fromhex(fields.get("warc-payload-digest", "")[7:]),
            content=sys.intern(fields.get("x-evidence-content", "")),
            notes=sys.intern(fields.get("x-evidence-notes", "")),
        )
    if not ids:
        raise WarcError("no records")


def block_of(stream: BinaryIO, record: Record) -> BinaryIO:
    """The block of a record that :func:`read_records` found sound, as a file of its own."""
    stream.seek(record.offset)
    head = stream.read(MAX_HEAD).partition(b"\r\n\r\n")[0]
    return window(stream, record.offset + len(head) + 4, record.length - len(head) - 8)


class _Source:
    """Reads forward with a small buffer and knows where it is.

    What was taken stays in the buffer until the next chunk is needed: cutting it off at each of
    many small records would copy the rest of the chunk every time.
    """

    def __init__(self, stream: BinaryIO, seen: Callable[[bytes], None] | None) -> None:
        self._stream, self._seen = stream, seen
        self._buffer = b""
        self._at = 0
        self._read = 0

    @property
    def position(self) -> int:
        return self._read - self._left

    @property
    def _left(self) -> int:
        return len(self._buffer) - self._at

    def _more(self) -> bool:
        chunk = self._stream.read(CHUNK)
        if not chunk:
            return False
        if self._seen is not None:
            self._seen(chunk)
        self._read += len(chunk)
        self._buffer = self._buffer[self._at :] + chunk
        self._at = 0
        return True

    def at_end(self) -> bool:
        return not self._left and not self._more()

    def take(self, count: int) -> bytes:
        """At most ``count`` bytes, fewer only at the end; ``count`` is small."""
        while self._left < count and self._more():
            pass
        data = self._buffer[self._at : self._at + count]
        self._at += len(data)
        return data

    def head(self) -> bytes:
        """Up to and with the first empty line; what there is where that does not come."""
        searched = 0
        while True:
            found = self._buffer.find(b"\r\n\r\n", self._at + max(0, searched - 3))
            if found != -1:
                return self.take(found + 4 - self._at)
            searched = self._left
            if searched > MAX_HEAD or not self._more():
                return self.take(MAX_HEAD)

    def chunks(self, length: int) -> Iterator[bytes]:
        while length > 0:
            if not self._left and not self._more():
                raise WarcError("the file ends inside a record")
            data = self._buffer[self._at : self._at + length]
            self._at += len(data)
            length -= len(data)
            yield data


def _read_head(source: _Source) -> dict[str, str]:
    """Fields of one record's head, names in lower case, each once."""
    at = source.position
    head = source.head()
    if not head.startswith(_VERSION) or not head.endswith(b"\r\n\r\n") or len(head) > MAX_HEAD:
        raise WarcError(f"no WARC/1.1 record at byte {at}")
    fields: dict[str, str] = {}
    for line in head[len(_VERSION) : -4].split(b"\r\n"):
        match = _FIELD.fullmatch(line)
        if match is None or b"\n" in line or b"\r" in line:
            raise WarcError(f"a header line of the record at byte {at} is malformed")
        name = match[1].decode("ascii").lower()
        if name in fields and name not in _REPEATABLE:
            raise WarcError(f"header {name} twice in the record at byte {at}")
        try:
            fields[name] = match[2].decode("utf-8")
        except UnicodeDecodeError as error:
            raise WarcError(f"a header of the record at byte {at} is not UTF-8") from error
    _require(fields, at)
    return fields


def _require(fields: dict[str, str], at: int) -> None:
    for name in ("warc-type", "warc-record-id", "warc-date", "content-length", "warc-block-digest"):
        if not fields.get(name):
            raise WarcError(f"the record at byte {at} has no {name}")
    if fields["warc-type"] not in _TYPES:
        raise WarcError(f"the record at byte {at} is of an unknown type")
    if not re.fullmatch(r"0|[1-9][0-9]{0,17}", fields["content-length"]):
        raise WarcError(f"the length of the record at byte {at} is malformed")
    for name in ("warc-block-digest", "warc-payload-digest"):
        if name in fields and not _DIGEST.fullmatch(fields[name]):
            raise WarcError(f"a digest of the record at byte {at} is not sha256 in hexadecimal")


def _read_block(source: _Source, fields: dict[str, str]) -> bool:
    """Whether the record's digests are those of its bytes."""
    block, payload = hashlib.sha256(), hashlib.sha256()
    stated = fields.get("warc-payload-digest")
    # The payload of an HTTP message is what follows its head; of other blocks it is the whole.
    head: bytes | None = None
    if stated is not None and fields.get("content-type", "").startswith("application/http"):
        head = b""
    for chunk in source.chunks(int(fields["content-length"])):
        block.update(chunk)
        if stated is None:
            continue
        if head is None:
            payload.update(chunk)
            continue
        head += chunk
        end = head.find(b"\r\n\r\n")
        if end != -1:
            payload.update(head[end + 4 :])
            head = None
        elif len(head) > MAX_HEAD:
            return False
    good = fields["warc-block-digest"] == f"sha256:{block.hexdigest()}"
    return good and (stated is None or stated == f"sha256:{payload.hexdigest()}")
