"""Writes the canonical container: a ZIP without a free bit (FORMAT.md section 2)."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from evidence_kit.core.digests import Digests, digest_bytes, digest_chunks, read_chunks
from evidence_kit.core.errors import StorageError
from evidence_kit.core.events import Progress, Silent
from evidence_kit.core.layout import MIMETYPE, MIMETYPE_CONTENT, first_bad_name, in_order
from evidence_kit.core.limits import MAX_ENTRIES

_FULL = 0xFFFFFFFF  # "see the ZIP64 field" (APPNOTE 4.4.8), so not a value itself
_MADE_BY = 3 << 8 | 45  # Unix, version 4.5
_ATTRIBUTES = 0o100644 << 16  # a regular file, readable by all


@dataclass(frozen=True)
class Member:
    """One file to put into the container.

    Attributes:
        name: its path in the bundle.
        source: the bytes, or the file that holds them.
        digests: as taken when the file was written; size and CRC-32 are checked again.
    """

    name: str
    source: Path | bytes
    digests: Digests


@dataclass(frozen=True)
class _Placed:
    member: Member
    offset: int

    @property
    def big(self) -> bool:
        return self.member.digests.size >= _FULL

    @property
    def far(self) -> bool:
        return self.offset >= _FULL

    @property
    def version(self) -> int:
        return 45 if self.big or self.far else 20


def write_container(
    target: BinaryIO,
    members: Sequence[Member],
    when: datetime,
    *,
    progress: Progress | None = None,
) -> Digests:
    """Write the container to ``target`` and say what its digests are.

    ``mimetype`` is added, the order is fixed here, and the same arguments always give the same
    bytes. Memory stays at a few chunks whatever the size.

    Args:
        target: an empty stream; it need not be seekable.
        members: every file but ``mimetype``.
        when: the signing time, 1980 to 2107; kept in UTC in steps of two seconds.
        progress: told the bytes written.

    Returns:
        The digests of the whole container, as a receipt quotes them.

    Raises:
        StorageError: a name or number of files that the format does not allow, a time that ZIP
            cannot hold, or a file that is no longer what its digests say.
        OSError: ``target`` cannot be written.
        ValueError: ``when`` carries no time zone.
    """
    shown = progress or Silent()
    stamp = _dos_time(when)
    placed = _place(members)
    total = sum(place.member.digests.size for place in placed)

    def written() -> Iterator[bytes]:
        done = 0
        for piece in _pieces(placed, stamp):
            target.write(piece)
            done += len(piece)
            shown.advance(min(done, total), total)
            yield piece

    return digest_chunks(written())


def _place(members: Sequence[Member]) -> list[_Placed]:
    """Every member with the offset of its local header, in the order of the format."""
    mimetype = Member(MIMETYPE, MIMETYPE_CONTENT, digest_bytes(MIMETYPE_CONTENT))
    everything = [mimetype, *members]
    bad = first_bad_name(member.name for member in everything)
    if bad is not None:
        raise StorageError(f"{bad.name!r} cannot stand in a bundle: {bad.reason}")
    if len(everything) > MAX_ENTRIES:
        raise StorageError(
            f"{len(everything)} files; a bundle holds {MAX_ENTRIES} at most",
            hint="capture less in one go, for example without the replies",
        )
    by_name = {member.name: member for member in everything}
    placed, offset = [], 0
    for name in in_order(by_name):
        place = _Placed(by_name[name], offset)
        placed.append(place)
        offset += len(_local_header(place, 0)) + place.member.digests.size
    return placed


def _pieces(placed: Sequence[_Placed], stamp: int) -> Iterator[bytes]:
    for place in placed:
        yield _local_header(place, stamp)
        yield from _content(place.member)
    last = placed[-1]
    directory = b"".join(_central_header(place, stamp) for place in placed)
    start = last.offset + len(_local_header(last, stamp)) + last.member.digests.size
    yield directory + _end(len(placed), len(directory), start)


def _content(member: Member) -> Iterator[bytes]:
    """The member's bytes; an error instead of the last ones where they are not as stated."""
    crc, size = 0, 0
    try:
        with _open(member.source) as stream:
            for chunk in read_chunks(stream, member.digests.size + 1):
                crc = zlib.crc32(chunk, crc)
                size += len(chunk)
                if size > member.digests.size:
                    break
                yield chunk
    except OSError as error:
        raise StorageError(
            f"cannot read {member.name} to seal it: {(error.strerror or 'unknown error').lower()}",
            hint="the work folder must stay untouched until the bundle is sealed",
        ) from error
    if (size, crc) != (member.digests.size, member.digests.crc32):
        raise StorageError(
            f"{member.name} changed between its digest and the seal",
            hint="the work folder must stay untouched until the bundle is sealed",
        )


def _open(source: Path | bytes) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb", buffering=0)


def _dos_time(when: datetime) -> int:
    """Date and time as one number, two seconds a step (APPNOTE 4.4.6)."""
    if when.tzinfo is None:
        raise ValueError("a time without a zone says nothing")
    t = when.astimezone(UTC)
    if not 1980 <= t.year <= 2107:
        raise StorageError(
            f"the year {t.year} cannot stand in a container",
            hint="set the clock of this computer",
        )
    date = (t.year - 1980) << 9 | t.month << 5 | t.day
    return date << 16 | t.hour << 11 | t.minute << 5 | t.second // 2


def _local_header(place: _Placed, stamp: int) -> bytes:
    """FORMAT.md section 2.4."""
    member = place.member
    name, size = member.name.encode("ascii"), member.digests.size
    extra = struct.pack("<2H2Q", 1, 16, size, size) if place.big else b""
    stated = _FULL if place.big else size
    head = struct.pack(
        "<4s3H4L2H",
        b"PK\3\4",
        place.version,
        0,
        0,
        stamp,
        member.digests.crc32,
        stated,
        stated,
        len(name),
        len(extra),
    )
    return head + name + extra


def _central_header(place: _Placed, stamp: int) -> bytes:
    """FORMAT.md section 2.5."""
    member = place.member
    name, size = member.name.encode("ascii"), member.digests.size
    wide = [size, size] * place.big + [place.offset] * place.far
    extra = struct.pack(f"<2H{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    stated = _FULL if place.big else size
    head = struct.pack(
        "<4s4H4L5H2L",
        b"PK\1\2",
        _MADE_BY,
        place.version,
        0,
        0,
        stamp,
        member.digests.crc32,
        stated,
        stated,
        len(name),
        len(extra),
        0,
        0,
        0,
        _ATTRIBUTES,
        _FULL if place.far else place.offset,
    )
    return head + name + extra


def _end(count: int, size: int, start: int) -> bytes:
    """FORMAT.md section 2.6: end record, with the ZIP64 pair before it where it is needed."""
    wide = b""
    if start >= _FULL:
        wide = struct.pack(
            "<4sQ2H2L4Q", b"PK\6\6", 44, _MADE_BY, 45, 0, 0, count, count, size, start
        )
        wide += struct.pack("<4sLQL", b"PK\6\7", 0, start + size, 1)
    stated = min(start, _FULL)
    return wide + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, stated, 0)
