"""HTTP/1.1 messages as bytes: where the head ends, how the body is framed, what its codings hide.

Nothing here normalises: a head is kept as the lines that came, and whoever changes one line leaves
the others byte for byte alone (RFC 9112).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import brotli

from evidence_kit.core.limits import CHUNK

MAX_HEAD = 1 << 20
"""Bytes of one head; Chromium itself gives up at 256 KiB."""

MAX_INTERIM = 20
"""Interim (1xx) responses before the final one; servers send one or two."""

MAX_CHUNK_LINE = 4096
"""Bytes of one chunk-size line with its extensions; real ones are under 20."""

_STATUS = re.compile(rb"HTTP/\d(?:\.\d)?[ \t]+(\d{3})")
_CHUNK_SIZE = re.compile(rb"\s*([0-9a-fA-F]{1,16})\s*(?:;.*)?\r?\n\Z", re.DOTALL)


class BadMessageError(ValueError):
    """The bytes are not the HTTP message they should be; the text says why in a few words."""


@dataclass(frozen=True)
class Head:
    """The head of one message.

    Attributes:
        raw: every byte up to and including the empty line.
        start: the request or status line, without line end.
        fields: name in lower case and value without surrounding blanks, in order.
    """

    raw: bytes
    start: bytes
    fields: tuple[tuple[bytes, bytes], ...]

    def all(self, name: bytes) -> list[bytes]:
        """Every value of one field (``name`` in lower case)."""
        return [value for field, value in self.fields if field == name]

    def first(self, name: bytes) -> bytes:
        """The first value of a field, empty where there is none."""
        return next(iter(self.all(name)), b"")

    @property
    def status(self) -> int | None:
        """Status code of a response head, None for anything else."""
        found = _STATUS.match(self.start)
        return int(found[1]) if found else None

    @property
    def method(self) -> str:
        """Method of a request head."""
        return self.start.split(b" ", 1)[0].decode("latin-1")

    @property
    def chunked(self) -> bool:
        """Whether the last transfer coding is ``chunked`` (RFC 9112 section 6.3)."""
        codings = b",".join(self.all(b"transfer-encoding")).lower().split(b",")
        return codings[-1].strip() == b"chunked"

    @property
    def length(self) -> int | None:
        """Content-Length, None where there is none or it is not a number."""
        value = self.first(b"content-length")
        return int(value) if value.isdigit() and len(value) < 19 else None

    @property
    def media_type(self) -> str:
        """Content-Type without parameters, in lower case."""
        value = self.first(b"content-type").split(b";", 1)[0]
        return value.strip().lower().decode("latin-1")

    @property
    def codings(self) -> tuple[str, ...]:
        """Content codings in the order they were applied."""
        value = b",".join(self.all(b"content-encoding")).lower()
        names = (part.strip().decode("latin-1") for part in value.split(b","))
        return tuple(name for name in names if name not in ("", "identity"))


@dataclass(frozen=True)
class Message:
    """Where the parts of a stored message lie.

    Attributes:
        heads: interim heads and, last, the final one.
        body: offset of the first body byte, which is the length of all heads together.
        size: bytes of the whole message.
        framing: ``none``, ``length``, ``chunked`` or ``close``.
        complete: whether the body ends where its framing says; always True for ``close``.
        surplus: bytes behind the end of the message.
    """

    heads: tuple[Head, ...]
    body: int
    size: int
    framing: str
    complete: bool = True
    surplus: int = 0

    @property
    def head(self) -> Head:
        """The final head."""
        return self.heads[-1]


def parse_head(data: bytes, start: int = 0) -> Head | None:
    """The head that begins at ``start``; None where its empty line is not there."""
    end = data.find(b"\r\n\r\n", start)
    if end < 0:
        return None
    raw = data[start : end + 4]
    lines = raw[:-4].split(b"\r\n")
    fields = []
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        fields.append((name.strip().lower(), value.strip(b" \t")))
    return Head(raw, lines[0], tuple(fields))


def read_heads(stream: BinaryIO) -> tuple[Head, ...]:
    """Interim heads and the final one from a stream that stands at the message's start.

    101 is final: what follows it is another protocol (RFC 9110 section 15.2.2).

    Raises:
        BadMessageError: no complete head within the limits.
    """
    data = stream.read(MAX_HEAD)
    heads: list[Head] = []
    place = 0
    while len(heads) <= MAX_INTERIM:
        head = parse_head(data, place)
        if head is None:
            raise BadMessageError("no complete head")
        heads.append(head)
        place += len(head.raw)
        if head.status is None or head.status >= 200 or head.status == 101:
            return tuple(heads)
    raise BadMessageError(f"more than {MAX_INTERIM} interim responses")


def measure(path: Path, *, method: str = "") -> Message:
    """Find head and framing of the message in a file (RFC 9112 section 6.3).

    Args:
        path: the message; a response if it begins with a status line.
        method: of the request that a response answers.

    Raises:
        BadMessageError: the file holds no complete head.
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        return measure_stream(stream, path.stat().st_size, method=method)


def measure_stream(stream: BinaryIO, size: int, *, method: str = "") -> Message:
    """The same for a seekable stream of ``size`` bytes that stands at its beginning."""
    heads = read_heads(stream)
    head, start = heads[-1], sum(len(head.raw) for head in heads)
    have = size - start
    status = head.status
    if status is not None and (method == "HEAD" or status < 200 or status in (204, 304)):
        surplus = 0 if status == 101 else have
        return Message(heads, start, size, "none", surplus=surplus)
    if head.chunked:
        end = _chunked_end(stream, start)
        if end is None:
            return Message(heads, start, size, "chunked", complete=False)
        return Message(heads, start, size, "chunked", surplus=size - end)
    length = head.length
    if length is not None:
        return Message(heads, start, size, "length", have >= length, surplus=max(0, have - length))
    if status is None:
        return Message(heads, start, size, "none", surplus=have)
    return Message(heads, start, size, "close")


def _chunked_end(stream: BinaryIO, start: int) -> int | None:
    """Offset behind the last chunk and the trailer; None where it is cut off or malformed."""
    stream.seek(start)
    while True:
        line = stream.readline(MAX_CHUNK_LINE)
        found = _CHUNK_SIZE.match(line)
        if not found:
            return None
        size = int(found[1], 16)
        if size == 0:
            break
        stream.seek(size, 1)
        if stream.read(2) != b"\r\n":
            return None
    while True:
        line = stream.readline(MAX_HEAD)
        if not line.endswith(b"\n"):
            return None
        if line in (b"\r\n", b"\n"):
            return stream.tell()


def body_segments(path: Path, message: Message) -> Iterator[tuple[int, int]]:
    """Where the body's own bytes lie in the file: (offset, length), without chunk framing."""
    with path.open("rb") as stream:
        yield from _segments(stream, message)


def _segments(stream: BinaryIO, message: Message) -> Iterator[tuple[int, int]]:
    if message.framing != "chunked":
        yield message.body, message.size - message.body - message.surplus
        return
    stream.seek(message.body)
    while True:
        found = _CHUNK_SIZE.match(stream.readline(MAX_CHUNK_LINE))
        size = int(found[1], 16) if found else 0
        if size == 0:
            return
        start = stream.tell()
        yield start, max(0, min(size, message.size - start))
        stream.seek(start + size + 2)


def body_chunks(path: Path, message: Message) -> Iterator[bytes]:
    """The body without its transfer coding, in pieces; a cut-off body ends where it was cut."""
    with path.open("rb") as stream:
        yield from stream_chunks(stream, message)


def stream_chunks(stream: BinaryIO, message: Message) -> Iterator[bytes]:
    """The same for a seekable stream."""
    for start, length in _segments(stream, message):
        stream.seek(start)
        left = length
        while left > 0:
            piece = stream.read(min(CHUNK, left))
            if not piece:
                return
            left -= len(piece)
            yield piece


def can_decode(codings: tuple[str, ...]) -> bool:
    """Whether :func:`decode` and :func:`encode` know every one of the content codings."""
    return all(name in ("gzip", "x-gzip", "deflate", "br") for name in codings)


def decode(chunks: Iterable[bytes], codings: tuple[str, ...], limit: int) -> Iterator[bytes]:
    """Undo content codings, last applied first, in pieces of bounded size.

    Args:
        chunks: the coded body.
        codings: names as in Content-Encoding order.
        limit: bytes at most, so that a small body cannot unpack without end.

    Raises:
        BadMessageError: not such data, cut off, or larger than ``limit``.
    """
    for name in reversed(codings):
        chunks = _brotli(chunks) if name == "br" else _inflate(chunks, raw=name == "deflate")
    total = 0
    for piece in chunks:
        total += len(piece)
        if total > limit:
            raise BadMessageError(f"unpacks to more than {limit} bytes")
        yield piece


def _inflate(chunks: Iterable[bytes], *, raw: bool) -> Iterator[bytes]:
    """Gzip, or with ``raw`` what servers send as ``deflate``: zlib or bare deflate data."""
    engine = None
    try:
        for chunk in chunks:
            data = chunk
            if engine is None and data:
                bare = raw and not (data[0] & 0x0F == 8 and data[0] >> 4 <= 7)
                engine = zlib.decompressobj(-15 if bare else 15 if raw else 31)
            while data and engine is not None:
                if engine.eof:
                    if raw:
                        raise BadMessageError("bytes behind the compressed data")
                    engine = zlib.decompressobj(31)
                yield engine.decompress(data, CHUNK)
                data = engine.unconsumed_tail or engine.unused_data
        if engine is not None:
            yield engine.flush()
            if not engine.eof:
                raise BadMessageError("compressed data is cut off")
    except zlib.error as error:
        raise BadMessageError("not the compressed data it claims to be") from error


def _brotli(chunks: Iterable[bytes]) -> Iterator[bytes]:
    engine = brotli.Decompressor()
    seen = False
    try:
        for chunk in chunks:
            seen = seen or bool(chunk)
            # Small pieces in bound what comes out at once: brotli has no output limit everywhere.
            for start in range(0, len(chunk), 4096):
                yield engine.process(chunk[start : start + 4096])
    except brotli.error as error:
        raise BadMessageError("not the compressed data it claims to be") from error
    if seen and not engine.is_finished():
        raise BadMessageError("compressed data is cut off")


def encode(chunks: Iterable[bytes], codings: tuple[str, ...]) -> Iterator[bytes]:
    """Apply content codings again, in their order; the same input gives the same bytes."""
    for name in codings:
        chunks = _pack_brotli(chunks) if name == "br" else _deflate(chunks, gzip=name != "deflate")
    yield from chunks


def _deflate(chunks: Iterable[bytes], *, gzip: bool) -> Iterator[bytes]:
    engine = zlib.compressobj(6, zlib.DEFLATED, 31 if gzip else 15)
    for chunk in chunks:
        yield engine.compress(chunk)
    yield engine.flush()


def _pack_brotli(chunks: Iterable[bytes]) -> Iterator[bytes]:
    engine = brotli.Compressor(quality=5)
    for chunk in chunks:
        yield engine.process(chunk)
    yield engine.finish()


def chunk_coded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunked transfer coding of a body (RFC 9112 section 7.1)."""
    for chunk in chunks:
        if chunk:
            yield b"%x\r\n" % len(chunk) + chunk + b"\r\n"
    yield b"0\r\n\r\n"
