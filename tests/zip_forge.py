"""Malformed containers on purpose: every header field can be set, also to a lie.

The defaults give the canonical form; tests check that against the real writer, so a vector
differs from a good container in nothing but what it names.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

WHEN = datetime(2026, 11, 23, 10, 20, 30, tzinfo=UTC)
TIME = 10 << 11 | 20 << 5 | 15
DATE = 46 << 9 | 11 << 5 | 23


@dataclass
class Forged:
    """One entry; ``local`` and ``central`` override header fields by name."""

    name: bytes
    data: bytes = b""
    local: dict[str, int | bytes] = field(default_factory=dict)
    central: dict[str, int | bytes] = field(default_factory=dict)
    after: bytes = b""
    hidden: bool = False

    def both(self, **fields: int | bytes) -> Forged:
        """Set the same fields in both headers."""
        self.local.update(fields)
        self.central.update(fields)
        return self


LOCAL = "signature version flags method time date crc csize size name_length extra_length"
CENTRAL = (
    "signature made_by version flags method time date crc csize size name_length extra_length "
    "comment_length disk internal external offset"
)


def _header(layout: str, order: str, values: dict[str, int | bytes]) -> bytes:
    return struct.pack(layout, *(values[name] for name in order.split()))


def build(
    entries: Sequence[Forged],
    *,
    prefix: bytes = b"",
    before_directory: bytes = b"",
    before_end: bytes = b"",
    suffix: bytes = b"",
    end: dict[str, int] | None = None,
) -> bytes:
    """The container's bytes, with junk and lies where they were asked for."""
    body = bytearray(prefix)
    directory = bytearray()
    count = 0
    for entry in entries:
        common: dict[str, int | bytes] = {
            "version": 20,
            "flags": 0,
            "method": 0,
            "time": TIME,
            "date": DATE,
            "crc": zlib.crc32(entry.data),
            "csize": len(entry.data),
            "size": len(entry.data),
            "extra": b"",
            "name": entry.name,
        }
        local = common | {"signature": b"PK\3\4"} | entry.local
        sized: dict[str, int | bytes] = {
            "name_length": len(_bytes(local["name"])),
            "extra_length": len(_bytes(local["extra"])),
        }
        local = sized | local
        offset = len(body)
        body += _header("<4s5H3L2H", LOCAL, local) + _bytes(local["name"]) + _bytes(local["extra"])
        body += entry.data + entry.after
        if entry.hidden:
            continue
        central = common | {
            "signature": b"PK\1\2",
            "made_by": 3 << 8 | 45,
            "comment": b"",
            "disk": 0,
            "internal": 0,
            "external": 0o100644 << 16,
            "offset": offset,
        }
        central |= entry.central
        lengths: dict[str, int | bytes] = {
            "name_length": len(_bytes(central["name"])),
            "extra_length": len(_bytes(central["extra"])),
            "comment_length": len(_bytes(central["comment"])),
        }
        central = lengths | central
        directory += _header("<4s6H3L5H2L", CENTRAL, central)
        directory += _bytes(central["name"]) + _bytes(central["extra"]) + _bytes(central["comment"])
        count += 1
    body += before_directory
    values: dict[str, int] = {
        "disk": 0,
        "directory_disk": 0,
        "here": count,
        "count": count,
        "size": len(directory),
        "offset": len(body),
        "comment_length": 0,
    } | (end or {})
    body += directory + before_end
    body += b"PK\5\6" + struct.pack("<4H2LH", *values.values())
    return bytes(body + suffix)


def _bytes(value: int | bytes) -> bytes:
    return value if isinstance(value, bytes) else bytes(value)


def good_entries(*more: Forged) -> list[Forged]:
    """A small bundle's entries in canonical order, with room for one more at the end."""
    return [
        Forged(b"mimetype", b"application/vnd.etsi.asic-e+zip"),
        Forged(b"META-INF/ASiCManifest001.xml", b"<manifest/>"),
        Forged(b"bagit.txt", b"BagIt-Version: 1.0\n"),
        Forged(b"data/a.txt", b"the words of the post"),
        *more,
    ]


def with_last(data: bytes = b"x", **fields: int | bytes) -> bytes:
    """A container whose last entry ``data/b.txt`` has these fields in both headers."""
    return build(good_entries(Forged(b"data/b.txt", data).both(**fields)))
