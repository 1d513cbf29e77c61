"""What the structure of the canonical container must be, derived byte for byte and compared.

FORMAT.md section 2, from the reader's side: this shares no code with the writer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO

from evidence_kit.core.digests import read_chunks
from evidence_kit.core.findings import Finding
from evidence_kit.core.layout import MIMETYPE, MIMETYPE_CONTENT, first_bad_name, in_order
from evidence_kit.core.limits import MAX_ENTRIES, MAX_NAME

_SENTINEL = 0xFFFFFFFF
_END_SIZE = 22
_WIDE_END_SIZE = 56 + 20  # ZIP64 end record and its locator
_CENTRAL_FIXED = 46
_MAX_EXTRA = 4 + 3 * 8  # ZIP64 field with both sizes and the offset
_MAX_CENTRAL = MAX_ENTRIES * (_CENTRAL_FIXED + MAX_NAME + _MAX_EXTRA)
_TAIL = 66_000
"""Bytes looked through for a lost end record: its comment can hide at most 65,535 behind it."""

_SHOWN = 120
"""Characters of a hostile name that a finding repeats."""

_Field = tuple[str, bytes]


@dataclass(frozen=True)
class Claim:
    """An entry as the central directory states it; nothing of it is believed yet."""

    name: str
    size: int
    crc: int
    offset: int
    stamp: bytes = field(repr=False)

    @property
    def data_offset(self) -> int:
        """Where the content begins: behind the local header as it must be."""
        wide = 20 if self.size >= _SENTINEL else 0
        return self.offset + 30 + len(self.name) + wide


class BrokenContainerError(Exception):
    """The first violation; carries the finding."""

    def __init__(self, code: str, subject: str = "", **params: str) -> None:
        super().__init__(code)
        self.finding = Finding(code, subject, params)


def check_structure(stream: BinaryIO, size: int) -> list[Claim]:
    """Check everything but the contents, from the end of the file to its beginning.

    Time and memory are bounded by ``MAX_ENTRIES`` and ``MAX_NAME``, not by what the file claims.

    Args:
        stream: seekable, at least ``size`` bytes.
        size: of the file, in bytes.

    Returns:
        One claim per entry, in the order of the file; structure and contents agree but for the
        CRC of each content, which only reading it can tell.

    Raises:
        BrokenContainerError: the first violation.
        OSError: the stream cannot be read.
    """
    count, directory_at, directory_size = _read_end(stream, size)
    directory = _read_at(stream, directory_at, directory_size)
    claims = _read_directory(directory, count)
    _check_names(claims)
    stamp = claims[0].stamp
    at = 0
    for claim in claims:
        at = _compare(directory, at, _central_fields(claim, stamp), "central header", claim.name)
    if at != directory_size:
        raise BrokenContainerError(
            "container.not-canonical", part="central directory", field="length"
        )
    _check_tiling(claims, directory_at)
    for claim in claims:
        fields = _local_fields(claim, stamp)
        header = _read_at(stream, claim.offset, sum(len(value) for _, value in fields))
        _compare(header, 0, fields, "local header", claim.name)
    first = claims[0]
    if (
        first.size != len(MIMETYPE_CONTENT)
        or _read_at(stream, first.data_offset, first.size) != MIMETYPE_CONTENT
    ):
        raise BrokenContainerError("container.mimetype", MIMETYPE)
    return claims


def _read_end(stream: BinaryIO, size: int) -> tuple[int, int, int]:
    """Number of entries, start and size of the central directory; FORMAT.md section 2.6."""
    end = _read_at(stream, max(0, size - _END_SIZE), _END_SIZE)
    if len(end) < _END_SIZE or end[:4] != b"PK\5\6":
        raise _without_end(stream, size)
    count, directory_size, directory_at = _number(end, 10, 2), _number(end, 12), _number(end, 16)
    if count > MAX_ENTRIES:
        raise BrokenContainerError(
            "container.too-many-entries", found=str(count), limit=str(MAX_ENTRIES)
        )
    if count == 0:
        raise BrokenContainerError(
            "container.not-canonical", part="end record", field="number of entries"
        )
    directory_end = size - _END_SIZE
    wide = b""
    if directory_at == _SENTINEL:
        wide = _read_at(stream, max(0, directory_end - _WIDE_END_SIZE), _WIDE_END_SIZE)
        if len(wide) < _WIDE_END_SIZE:
            raise BrokenContainerError("container.truncated")
        directory_end -= _WIDE_END_SIZE
        directory_at = _number(wide, 48, 8)
    fields = _end_fields(count, directory_at, directory_size)
    _compare(wide + end, 0, fields, "end record", "")
    if directory_size > _MAX_CENTRAL:
        raise BrokenContainerError(
            "container.not-canonical", part="end record", field="directory size"
        )
    if directory_at + directory_size != directory_end:
        raise BrokenContainerError("container.gap", part="central directory")
    return count, directory_at, directory_size


def _without_end(stream: BinaryIO, size: int) -> BrokenContainerError:
    """Name the likeliest reason why the file does not close with an end record."""
    tail = _read_at(stream, max(0, size - _TAIL), _TAIL)
    if b"PK\5\6" in tail[: 4 - _END_SIZE]:  # a whole end record, with something behind it
        return BrokenContainerError("container.trailing-data")
    if size == 0 or b"PK\3\4".startswith(_read_at(stream, 0, 4)):
        return BrokenContainerError("container.truncated")
    return BrokenContainerError("container.not-canonical", part="file", field="signature of a ZIP")


def _read_directory(directory: bytes, count: int) -> list[Claim]:
    """The claims of the central directory, as far as they can be told apart at all."""
    claims, at = [], 0
    for _ in range(count):
        if at + _CENTRAL_FIXED > len(directory):
            raise BrokenContainerError("container.truncated", part="central directory")
        name_length, extra_length = _number(directory, at + 28, 2), _number(directory, at + 30, 2)
        size, offset = _number(directory, at + 24), _number(directory, at + 42)
        name_at = at + _CENTRAL_FIXED
        extra_at = name_at + name_length
        name = _shown(directory[name_at:extra_at])
        if name_length > MAX_NAME:
            raise BrokenContainerError("container.bad-name", name, reason=f"longer than {MAX_NAME}")
        wide_count = 2 * (size == _SENTINEL) + (offset == _SENTINEL)
        if extra_at + extra_length > len(directory):
            raise BrokenContainerError("container.truncated", part="central directory")
        if size == _SENTINEL:
            size = _number(directory, extra_at + 4, 8)
        if offset == _SENTINEL:
            offset = _number(directory, extra_at + 8 * wide_count - 4, 8)
        crc, stamp = _number(directory, at + 16), directory[at + 12 : at + 16]
        claims.append(Claim(name, size, crc, offset, stamp))
        at = extra_at + extra_length
    return claims


def _check_names(claims: Sequence[Claim]) -> None:
    names = [claim.name for claim in claims]
    bad = first_bad_name(names)
    if bad is not None:
        code = "container.duplicate-name" if bad.duplicate else "container.bad-name"
        raise BrokenContainerError(code, bad.name, reason=bad.reason)
    if names[0] != MIMETYPE:
        raise BrokenContainerError("container.mimetype", names[0])
    if names != in_order(names):
        late = next(
            name for name, right in zip(names, in_order(names), strict=True) if name != right
        )
        raise BrokenContainerError(
            "container.not-canonical", late, part="central directory", field="order"
        )


def _check_tiling(claims: Sequence[Claim], directory_at: int) -> None:
    """Entries lie end to end from the first byte to the directory: no gap, no overlap."""
    at = 0
    for claim in claims:
        if claim.offset != at:
            raise BrokenContainerError("container.gap", claim.name, part="entry")
        at = claim.data_offset + claim.size
    if at != directory_at:
        raise BrokenContainerError("container.gap", claims[-1].name, part="central directory")


def read_time(stamp: bytes) -> datetime:
    """The moment that a header's time and date fields state (APPNOTE 4.4.6), taken as UTC.

    Raises:
        BrokenContainerError: not a moment.
    """
    clock, date = _number(stamp, 0, 2), _number(stamp, 2, 2)
    try:
        return datetime(
            1980 + (date >> 9),
            date >> 5 & 15,
            date & 31,
            clock >> 11,
            clock >> 5 & 63,
            2 * (clock & 31),
            tzinfo=UTC,
        )
    except ValueError as error:
        raise BrokenContainerError("container.time", found=stamp.hex()) from error


def _central_fields(claim: Claim, stamp: bytes) -> list[_Field]:
    """FORMAT.md section 2.5."""
    large, far = claim.size >= _SENTINEL, claim.offset >= _SENTINEL
    values = [claim.size, claim.size] * large + [claim.offset] * far
    extra = b"".join(_le(value, 8) for value in values)
    if extra:
        extra = b"\1\0" + _le(len(extra), 2) + extra
    size = _le(min(claim.size, _SENTINEL), 4)
    return [
        ("signature", b"PK\1\2"),
        ("version made by", b"\x2d\3"),
        *_common_fields(claim, stamp, size),
        ("extra length", _le(len(extra), 2)),
        ("comment length", bytes(2)),
        ("disk number", bytes(2)),
        ("internal attributes", bytes(2)),
        ("external attributes", b"\0\0\xa4\x81"),
        ("offset", _le(min(claim.offset, _SENTINEL), 4)),
        ("name", claim.name.encode("ascii")),
        ("extra", extra),
    ]


def _local_fields(claim: Claim, stamp: bytes) -> list[_Field]:
    """FORMAT.md section 2.4."""
    extra = b""
    if claim.size >= _SENTINEL:
        extra = b"\1\0\x10\0" + 2 * _le(claim.size, 8)
    size = _le(min(claim.size, _SENTINEL), 4)
    return [
        ("signature", b"PK\3\4"),
        *_common_fields(claim, stamp, size),
        ("extra length", _le(len(extra), 2)),
        ("name", claim.name.encode("ascii")),
        ("extra", extra),
    ]


def _common_fields(claim: Claim, stamp: bytes, size: bytes) -> list[_Field]:
    zip64 = claim.size >= _SENTINEL or claim.offset >= _SENTINEL
    return [
        ("version needed", b"\x2d\0" if zip64 else b"\x14\0"),
        ("flags", bytes(2)),
        ("method", bytes(2)),
        ("time", stamp),
        ("crc", _le(claim.crc, 4)),
        ("compressed size", size),
        ("size", size),
        ("name length", _le(len(claim.name), 2)),
    ]


def _end_fields(count: int, at: int, size: int) -> list[_Field]:
    """FORMAT.md section 2.6."""
    wide: list[_Field] = []
    if at >= _SENTINEL:
        wide = [
            ("zip64 end", b"PK\6\6" + _le(44, 8) + b"\x2d\3\x2d\0" + bytes(8)),
            ("zip64 counts", 2 * _le(count, 8)),
            ("zip64 directory", _le(size, 8) + _le(at, 8)),
            ("zip64 locator", b"PK\6\7" + bytes(4) + _le(at + size, 8) + b"\1\0\0\0"),
        ]
    return [
        *wide,
        ("signature", b"PK\5\6"),
        ("disk numbers", bytes(4)),
        ("number of entries", 2 * _le(count, 2)),
        ("directory size", _le(size, 4)),
        ("directory offset", _le(min(at, _SENTINEL), 4)),
        ("comment length", bytes(2)),
    ]


def _compare(data: bytes, at: int, fields: Sequence[_Field], part: str, subject: str) -> int:
    """Demand that ``data`` continues with exactly these fields; where they end is returned."""
    for name, expected in fields:
        if data[at : at + len(expected)] != expected:
            code = "container.time" if name == "time" else "container.not-canonical"
            raise BrokenContainerError(code, subject, part=part, field=name)
        at += len(expected)
    return at


def _read_at(stream: BinaryIO, at: int, count: int) -> bytes:
    """At most ``count`` bytes, which the caller has bounded; fewer only at the file's end."""
    stream.seek(at)
    return b"".join(read_chunks(stream, count))


def _number(data: bytes, at: int, count: int = 4) -> int:
    return int.from_bytes(data[at : at + count], "little")


def _le(value: int, count: int) -> bytes:
    return (value & (1 << 8 * count) - 1).to_bytes(count, "little")


def _shown(name: bytes) -> str:
    """A name as text; one that is not plain ASCII becomes escapes, which no name may hold."""
    text = name[: MAX_NAME + 1].decode("latin-1").encode("unicode_escape").decode("ascii")
    return text if len(name) <= MAX_NAME else text[:_SHOWN] + "..."
