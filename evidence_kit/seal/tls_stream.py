"""TLS records out of a recorded stream, block by block (RFC 8446 section 5.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from evidence_kit.seal.tls_keys import TlsError

BLOCK = 1 << 18
"""Bytes read at once: a dozen records of full size, and still within a processor's cache."""

MAX_RECORD_12 = (1 << 14) + 2048
"""Bytes of a protected record (RFC 5246 section 6.2.3)."""

MAX_RECORD_13 = (1 << 14) + 256
"""Bytes of a protected record (RFC 8446 section 5.2)."""

CHANGE_CIPHER, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23

_HEADER = 5

Record = tuple[memoryview, memoryview]
"""Header and body."""


@dataclass(frozen=True)
class Side:
    """One direction of the connection as it was recorded; shared by all who read it."""

    stream: BinaryIO
    start: int

    def records(self, limit: int) -> Iterator[Record]:
        """Header and body of every whole record, from the first on.

        Raises:
            TlsError: a header that is none, or a body of more than ``limit`` bytes.
        """
        at = self.start
        while True:
            self.stream.seek(at)
            block = _read(self.stream)
            view = memoryview(block)
            place, size = 0, len(block)
            while size - place >= _HEADER:
                length = block[place + 3] << 8 | block[place + 4]
                if length > limit or block[place + 1] != 3:
                    raise TlsError("bytes that are no TLS record")
                end = place + _HEADER + length
                if end > size:
                    break
                yield view[place : place + _HEADER], view[place + _HEADER : end]
                place = end
            if not place:
                return  # cut off inside a record, or the end
            at += place


def _read(stream: BinaryIO) -> bytes:
    """A whole block, unless the stream ends; unbuffered streams may give less at once."""
    block = stream.read(BLOCK)
    if not block or len(block) == BLOCK:
        return block
    parts, missing = [block], BLOCK - len(block)
    while missing and (more := stream.read(missing)):
        parts.append(more)
        missing -= len(more)
    return b"".join(parts)
