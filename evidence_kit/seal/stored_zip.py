"""A ZIP of stored files inside a bundle (a WACZ), read strictly: every byte accounted for."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

MAX_MEMBERS = 1000
"""Files in one WACZ; the form written here has five."""

MAX_DIRECTORY = 1 << 20
"""Bytes of the central directory: 1,000 entries with names of some 100 characters."""

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_WIDE = 0xFFFFFFFF


class StoredZipError(ValueError):
    """Not such a ZIP; the text says why."""


@dataclass(frozen=True)
class Part:
    """One file: where its bytes are, in bytes from the beginning of the ZIP."""

    offset: int
    size: int


def read_directory(stream: BinaryIO, size: int) -> Mapping[str, Part]:
    """Where each file of the ZIP lies; nothing else may be in it.

    Local headers must say what the central directory says, entries must lie end to end from the
    first byte on, all stored, without encryption, data descriptors or comments. What each ZIP
    program would make of it is then the same.

    Args:
        stream: seekable, positioned anywhere.
        size: bytes of the ZIP.

    Raises:
        StoredZipError: anything else.
        OSError: the stream cannot be read.
    """
    count, length, start = _read_end(stream, size)
    stream.seek(start)
    directory = stream.read(length)
    parts: dict[str, Part] = {}
    at = expected = 0
    for _ in range(count):
        name, offset, part_size, crc, at = _central(directory, at)
        if name in parts:
            raise StoredZipError("a name occurs twice")
        if offset != expected:
            raise StoredZipError("entries do not lie end to end")
        data_at = _local(stream, offset, name, part_size, crc)
        expected = data_at + part_size
        if expected > start:
            raise StoredZipError("an entry runs into the directory")
        parts[name] = Part(data_at, part_size)
    if at != length or expected != start:
        raise StoredZipError("bytes that belong to no entry")
    return parts


def _read_end(stream: BinaryIO, size: int) -> tuple[int, int, int]:
    if size < _END.size:
        raise StoredZipError("too short")
    stream.seek(size - _END.size)
    mark, disk, first, here, count, length, start, comment = _END.unpack(stream.read(_END.size))
    if mark != b"PK\5\6" or disk or first or here != count or comment:
        raise StoredZipError("no end record at its end")
    stop = size - _END.size
    if start == _WIDE or length == _WIDE or count == 0xFFFF:
        count, length, start, stop = _read_wide_end(stream, stop)
    if not 0 < count <= MAX_MEMBERS or length > MAX_DIRECTORY:
        raise StoredZipError("more files than allowed")
    if start + length != stop:
        raise StoredZipError("bytes between directory and end")
    return count, length, start


def _read_wide_end(stream: BinaryIO, stop: int) -> tuple[int, int, int, int]:
    at = stop - _LOCATOR.size - _END64.size
    if at < 0:
        raise StoredZipError("too short")
    stream.seek(at)
    end = _END64.unpack(stream.read(_END64.size))
    locator = _LOCATOR.unpack(stream.read(_LOCATOR.size))
    mark, rest, _, _, disk, first, here, count, length, start = end
    if mark != b"PK\6\6" or rest != _END64.size - 12 or disk or first or here != count:
        raise StoredZipError("ZIP64 end record malformed")
    if locator != (b"PK\6\7", 0, at, 1):
        raise StoredZipError("ZIP64 locator malformed")
    return count, length, start, at


def _central(directory: bytes, at: int) -> tuple[str, int, int, int, int]:
    if at + _CENTRAL.size > len(directory):
        raise StoredZipError("directory cut off")
    fields = _CENTRAL.unpack_from(directory, at)
    mark, _, _, flags, method, _, _, crc, packed, size, named, extra, comment = fields[:13]
    offset = fields[16]
    at += _CENTRAL.size
    if mark != b"PK\1\2" or fields[13] or comment:
        raise StoredZipError("directory malformed")
    if method != 0 or flags & ~0x0800 or packed != size:
        raise StoredZipError("an entry is compressed or encrypted")
    stop = at + named + extra
    if stop > len(directory):
        raise StoredZipError("directory cut off")
    try:
        name = directory[at : at + named].decode("ascii")
    except UnicodeDecodeError as error:
        raise StoredZipError("a name is not ASCII") from error
    if not name or not name.isprintable():
        raise StoredZipError("a name is malformed")
    size, offset = _widen(directory[at + named : stop], size, packed, offset)
    return name, offset, size, crc, stop


def _widen(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int]:
    """Size and offset with the ZIP64 field applied (APPNOTE 4.5.3); no other field may stand."""
    wanted = 2 * (size == _WIDE) + (offset == _WIDE)
    if not wanted:
        if extra:
            raise StoredZipError("an extra field that is not needed")
        return size, offset
    if extra[:4] != struct.pack("<HH", 1, 8 * wanted) or len(extra) != 4 + 8 * wanted:
        raise StoredZipError("ZIP64 field malformed")
    values = list(struct.unpack(f"<{wanted}Q", extra[4:]))
    if size == _WIDE:
        size, packed = values.pop(0), values.pop(0)
        if size != packed:
            raise StoredZipError("an entry is compressed")
    return size, values.pop(0) if offset == _WIDE else offset


def _local(stream: BinaryIO, offset: int, name: str, size: int, crc: int) -> int:
    """Where the data begins; the local header must agree with the directory."""
    stream.seek(offset)
    raw = stream.read(_LOCAL.size)
    if len(raw) < _LOCAL.size:
        raise StoredZipError("an entry lies outside")
    mark, _, flags, method, _, _, own_crc, packed, own_size, named, extra = _LOCAL.unpack(raw)
    rest = stream.read(named + extra)
    if own_size == _WIDE:
        if rest[named:] != struct.pack("<HHQQ", 1, 16, size, size):
            raise StoredZipError("ZIP64 field malformed")
    elif extra or own_size != size:
        raise StoredZipError("local and central header differ")
    if (
        mark != b"PK\3\4"
        or method != 0
        or flags & ~0x0800
        or packed != own_size
        or own_crc != crc
        or rest[:named] != name.encode("ascii")
    ):
        raise StoredZipError("local and central header differ")
    return offset + _LOCAL.size + len(rest)
