"""Credentials in WebSocket frames (RFC 6455), also masked by the client or compressed (RFC 7692).

Where nothing is found the recorded bytes stay. A find in an uncompressed message is masked in its
place. A find in a compressed one forces that whole direction to be written again, as uncompressed
unmasked messages, because each message is compressed on the one before it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from evidence_kit.seal.redact_marks import Mark, fresh_path, items_of, where
from evidence_kit.seal.redact_types import Content, RedactionItem

MAX_FRAMES_FILE = 256 << 20
"""Bytes of one direction, which is held in memory; a captured page's sockets carry far less."""

MAX_MESSAGE = 64 << 20
"""Bytes that one compressed message may unpack to."""

_CONTROL = 8

Mask = Callable[[bytes, str], tuple[bytes, list[Mark]]]


@dataclass(frozen=True)
class _Frame:
    """One frame: ``start`` of its head, ``body`` of its payload, ``end``."""

    start: int
    body: int
    end: int
    final: bool
    packed: bool
    opcode: int
    key: bytes


def redact_frames(
    path: Path, subject: str, side: str, folder: Path, mask: Mask
) -> tuple[Path, Content, list[RedactionItem]]:
    """One direction of a WebSocket.

    Args:
        path: frames as recorded.
        subject: number of the handshake's exchange, for the items.
        side: ``ws-sent`` or ``ws-received``.
        folder: where a changed file goes.
        mask: masks random values in bytes, keeping the length.
    """
    data = path.read_bytes()
    if len(data) > MAX_FRAMES_FILE:
        masked, marks = mask(data, subject)
        return _done(path, folder, masked, Content.REDACTED, subject, side, marks)
    out = bytearray()
    plain = bytearray()
    marks_in_place: list[Mark] = []
    marks_plain: list[Mark] = []
    coded = False
    for message, text in _texts(data):
        first = message[0]
        coded = coded or (first.packed and first.opcode < _CONTROL)
        masked, marks = mask(text, subject)
        head = _head(first.opcode, len(masked))
        marks_plain += _shifted(marks, len(plain) + len(head))
        plain += head + masked
        if not first.packed:
            marks_in_place += _shifted(marks, len(out) + first.body - first.start)
            out += _rebuilt(data, message, masked)
        else:
            out += data[first.start : message[-1].end]
    end = _end(data)
    tail, marks = mask(data[end:], subject)
    if coded and marks_plain:
        return _done(path, folder, bytes(plain), Content.RECODED, subject, side, marks_plain)
    marks_in_place += _shifted(marks, len(out))
    out += tail
    return _done(path, folder, bytes(out), Content.REDACTED, subject, side, marks_in_place)


def frame_texts(path: Path) -> Iterator[bytes]:
    """The messages of one direction as the page saw them; none where there are too many bytes.

    Raises:
        OSError: the file cannot be read.
    """
    if path.stat().st_size <= MAX_FRAMES_FILE:
        for _, text in _texts(path.read_bytes()):
            yield text


def _texts(data: bytes) -> Iterator[tuple[list[_Frame], bytes]]:
    """Each message with its payload, unpacked where it is compressed and can be."""
    engine = zlib.decompressobj(-15)
    for message in _messages(data):
        first = message[0]
        text = b"".join(_unmasked(data, frame) for frame in message)
        if first.packed and first.opcode < _CONTROL:
            try:
                text = engine.decompress(text + b"\0\0\xff\xff", MAX_MESSAGE)
                if engine.unconsumed_tail:
                    engine = zlib.decompressobj(-15)
            except zlib.error:
                engine = zlib.decompressobj(-15)
        yield message, text


def _done(
    path: Path,
    folder: Path,
    data: bytes,
    content: Content,
    subject: str,
    side: str,
    marks: list[Mark],
) -> tuple[Path, Content, list[RedactionItem]]:
    if not marks:
        return path, Content.EXACT, []
    target = fresh_path(path, folder)
    target.write_bytes(data)
    return target, content, items_of(subject, side, where(marks))


def _frames(data: bytes) -> Iterator[_Frame]:
    place = 0
    while place + 2 <= len(data):
        first, second = data[place], data[place + 1]
        size, at = second & 0x7F, place + 2
        extra = {126: 2, 127: 8}.get(size, 0)
        if extra:
            size = int.from_bytes(data[at : at + extra], "big")
            at += extra
        key = data[at : at + 4] if second & 0x80 else b""
        at += len(key)
        if at + size > len(data):
            return
        yield _Frame(
            place, at, at + size, bool(first & 0x80), bool(first & 0x40), first & 0x0F, key
        )
        place = at + size


def _messages(data: bytes) -> Iterator[list[_Frame]]:
    """Frames by message; a control frame between two fragments is a message of its own."""
    open_message: list[_Frame] = []
    for frame in _frames(data):
        if frame.opcode >= _CONTROL:
            yield [frame]
        else:
            open_message.append(frame)
            if frame.final:
                yield open_message
                open_message = []
    if open_message:
        yield open_message


def _end(data: bytes) -> int:
    end = 0
    for frame in _frames(data):
        end = frame.end
    return end


def _unmasked(data: bytes, frame: _Frame) -> bytes:
    return _masked(data[frame.body : frame.end], frame.key)


def _masked(payload: bytes, key: bytes) -> bytes:
    """RFC 6455 section 5.3; applying it twice gives the input."""
    if not key or not payload:
        return payload
    stream = (key * (len(payload) // 4 + 1))[: len(payload)]
    number = int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")
    return number.to_bytes(len(payload), "big")


def _rebuilt(data: bytes, message: list[_Frame], payload: bytes) -> bytes:
    """The frames of a message with another payload of the same length."""
    out, place = b"", 0
    for frame in message:
        size = frame.end - frame.body
        out += data[frame.start : frame.body]
        out += _masked(payload[place : place + size], frame.key)
        place += size
    return out


def _head(opcode: int, size: int) -> bytes:
    first = bytes([0x80 | opcode])
    if size < 126:
        return first + bytes([size])
    if size < 1 << 16:
        return first + b"\x7e" + size.to_bytes(2, "big")
    return first + b"\x7f" + size.to_bytes(8, "big")


def _shifted(marks: list[Mark], by: int) -> list[Mark]:
    return [Mark(mark.start + by, mark.end + by, mark.number, mark.field) for mark in marks]
