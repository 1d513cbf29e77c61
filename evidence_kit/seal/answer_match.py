"""Is a file the body of a recorded answer? Byte for byte, but for what was masked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from evidence_kit.seal.http_message import (
    BadMessageError,
    Message,
    can_decode,
    decode,
    stream_chunks,
)

MAX_FILE = 16 << 20
"""Bytes of one file that is compared in memory; answers of platforms have some 100 KiB."""

MAX_COMPARED = 64 << 20
"""Bytes of all answers together that are taken apart for it, as those in chunks or coded ones must
be; in the worst case this much takes some 10 s. Others are compared by their digests."""

_MARKER = re.compile(rb"REDACTED#[0-9]+-*")


def answer_matches(block: BinaryIO, message: Message, file: bytes, *, masked: bool) -> bool:
    """Whether ``file`` is the body of the answer, its transfer coding taken off.

    Content codings may be off or still on: a file whose coding was not known is kept with it.

    Args:
        block: the answer, seekable.
        message: where its parts lie.
        file: what is compared.
        masked: places with markers, on either side, are left out of the comparison.
    """
    if not message.complete:
        return False
    try:
        return any(_same(body, file, masked) for body in _bodies(block, message, len(file)))
    except BadMessageError:
        return False


def needs_taking_apart(message: Message) -> bool:
    """Whether the digest of the payload in a WARC record is not that of the body itself."""
    return message.framing == "chunked" or bool(message.surplus) or bool(message.head.codings)


def _bodies(block: BinaryIO, message: Message, size: int) -> Iterator[bytes]:
    yield b"".join(stream_chunks(block, message))
    codings = message.head.codings
    if codings and can_decode(codings):
        yield b"".join(decode(stream_chunks(block, message), codings, size))


def _same(body: bytes, file: bytes, masked: bool) -> bool:
    if len(body) != len(file) or not masked:
        return body == file
    one, other = bytearray(body), bytearray(file)
    for text in (body, file):
        for found in _MARKER.finditer(text):
            start, end = found.span()
            one[start:end] = other[start:end] = bytes(end - start)
    return one == other
