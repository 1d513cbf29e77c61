"""Malformed containers: named vectors with the finding that catches each, and mutations."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_kit.core.findings import Status
from evidence_kit.core.limits import MAX_ENTRIES
from evidence_kit.seal.container_read import walk
from tests.zip_forge import Forged, build, good_entries, with_last

GOOD = build(good_entries())
DIRECTORY_AT = GOOD.index(b"PK\1\2")
END_AT = GOOD.index(b"PK\5\6")


def found(folder: Path, data: bytes) -> tuple[str, ...]:
    path = folder / "x.asice"
    path.write_bytes(data)
    return tuple(finding.code for finding in walk(path).findings)


def renamed(name: bytes) -> bytes:
    return build(good_entries(Forged(name, b"x")))


def only_central(**fields: int | bytes) -> bytes:
    return build(good_entries(Forged(b"data/b", b"x", central=fields)))


def only_local(**fields: int | bytes) -> bytes:
    return build(good_entries(Forged(b"data/b", b"x", local=fields)))


def zip64_lie(size: int) -> bytes:
    """ZIP64 sizes in a file that needs none, or that claim what is not there."""
    extra = struct.pack("<2H2Q", 1, 16, size, size)
    return with_last(version=45, size=0xFFFFFFFF, csize=0xFFFFFFFF, extra=extra)


def zip64_end_lie(at: int) -> bytes:
    """A ZIP64 end record before the plain one, which points to it."""
    entries = good_entries()
    plain = build(entries)
    size = plain.index(b"PK\5\6") - plain.index(b"PK\1\2")
    wide = b"PK\6\6" + struct.pack("<Q2H2L4Q", 44, 0x032D, 45, 0, 0, 4, 4, size, at)
    wide += b"PK\6\7" + struct.pack("<LQL", 0, (at + size) % (1 << 64), 1)
    return build(entries, before_end=wide, end={"offset": 0xFFFFFFFF})


def swapped() -> bytes:
    entries = good_entries()
    entries[1], entries[2] = entries[2], entries[1]
    return build(entries)


def overlapping() -> bytes:
    """Two directory entries share one local entry."""
    shared = GOOD.index(b"PK\3\4", GOOD.index(b"bagit.txt"))
    alias = Forged(b"data/b", b"the words of the post", central={"offset": shared})
    return build(good_entries(alias))


def reordered_directory() -> bytes:
    """Local entries in order, the directory not."""
    head, rest = GOOD[:DIRECTORY_AT], GOOD[DIRECTORY_AT:END_AT]
    cut = rest.index(b"PK\1\2", 4)
    return head + rest[cut:] + rest[:cut] + GOOD[END_AT:]


CANONICAL = ("container.ok",)
VECTORS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "empty file": ("container.truncated", lambda: b""),
    "no ZIP at all": ("container.not-canonical", lambda: b"<html>" * 100),
    "empty ZIP": ("container.not-canonical", lambda: build([])),
    "prepended, offsets kept": ("container.gap", lambda: b"MZ junk" + GOOD),
    "prepended, offsets moved": (
        "container.gap",
        lambda: build(good_entries(), prefix=b"#!/bin/sh"),
    ),
    "appended byte": ("container.trailing-data", lambda: GOOD + b"\0"),
    "appended much": ("container.trailing-data", lambda: GOOD + bytes(60_000)),
    "second ZIP appended": ("container.gap", lambda: GOOD + GOOD),
    "second ZIP appended, offsets moved": (
        "container.gap",
        lambda: build(good_entries(), prefix=GOOD),
    ),
    "archive comment": (
        "container.trailing-data",
        lambda: build(good_entries(), suffix=b"comment", end={"comment_length": 7}),
    ),
    "comment that hides an end record": (
        "container.gap",
        lambda: build(good_entries(), suffix=GOOD[END_AT:], end={"comment_length": 22}),
    ),
    "comment length lies": (
        "container.not-canonical",
        lambda: build(good_entries(), end={"comment_length": 1}),
    ),
    "hidden local entry in the middle": (
        "container.gap",
        lambda: build([*good_entries()[:2], Forged(b"bad", hidden=True), *good_entries()[2:]]),
    ),
    "hidden local entry at the end": (
        "container.gap",
        lambda: build(good_entries(Forged(b"data/z", b"x", hidden=True))),
    ),
    "junk between entries": (
        "container.gap",
        lambda: build([*good_entries(), Forged(b"data/b", after=b"junk"), Forged(b"data/c")]),
    ),
    "junk before the directory": (
        "container.gap",
        lambda: build(good_entries(), before_directory=b"junk"),
    ),
    "junk after the directory": (
        "container.gap",
        lambda: build(good_entries(), before_end=b"junk"),
    ),
    "signing block of another format": (
        "container.gap",
        lambda: build(good_entries(), before_directory=b"APK Sig Block 42"),
    ),
    "data descriptor": (
        "container.not-canonical",
        lambda: build(
            good_entries(
                Forged(
                    b"data/b",
                    b"x",
                    local={"flags": 8, "crc": 0, "csize": 0, "size": 0},
                    central={"flags": 8},
                    after=struct.pack("<4s3L", b"PK\7\x08", zlib.crc32(b"x"), 1, 1),
                )
            )
        ),
    ),
    "overlapping entries": ("container.gap", overlapping),
    "entries swapped": ("container.not-canonical", swapped),
    "directory in another order": ("container.mimetype", reordered_directory),
    "mimetype not first": ("container.mimetype", lambda: build(good_entries()[::-1])),
    "mimetype missing": ("container.mimetype", lambda: build(good_entries()[1:])),
    "mimetype of another kind": (
        "container.mimetype",
        lambda: build(
            [Forged(b"mimetype", b"application/vnd.etsi.asic-s+zip"), *good_entries()[1:]]
        ),
    ),
    "mimetype with a newline": (
        "container.mimetype",
        lambda: build(
            [Forged(b"mimetype", b"application/vnd.etsi.asic-e+zip\n"), *good_entries()[1:]]
        ),
    ),
    "name twice": ("container.duplicate-name", lambda: renamed(b"data/a.txt")),
    "name twice but for case": ("container.duplicate-name", lambda: renamed(b"data/A.TXT")),
    "folder twice but for case": ("container.bad-name", lambda: renamed(b"DATA/b.txt")),
    "file and folder at once": ("container.bad-name", lambda: renamed(b"data/a.txt/b")),
    "look-alike letters": ("container.bad-name", lambda: renamed("data/а.txt".encode())),
    "full-width letters": ("container.bad-name", lambda: renamed("data/ａ.txt".encode())),
    "bidi override": ("container.bad-name", lambda: renamed("data/\u202egpj.exe".encode())),
    "UTF-8 flag": ("container.not-canonical", lambda: with_last(flags=0x800)),
    "trailing dot": ("container.bad-name", lambda: renamed(b"data/b.")),
    "trailing space": ("container.bad-name", lambda: renamed(b"data/b ")),
    "device name": ("container.bad-name", lambda: renamed(b"data/aux.txt")),
    "traversal": ("container.bad-name", lambda: renamed(b"data/../../etc/passwd")),
    "absolute path": ("container.bad-name", lambda: renamed(b"/etc/passwd")),
    "drive letter": ("container.bad-name", lambda: renamed(b"C:/x")),
    "drive without slash": ("container.bad-name", lambda: renamed(b"C:x")),
    "backslash": ("container.bad-name", lambda: renamed(b"data\\x")),
    "alternate stream": ("container.bad-name", lambda: renamed(b"data/a:b")),
    "NUL in a name": ("container.bad-name", lambda: renamed(b"data/b\0.txt")),
    "newline in a name": ("container.bad-name", lambda: renamed(b"data/b\n.txt")),
    "escape in a name": ("container.bad-name", lambda: renamed(b"data/\x1b[2J")),
    "empty name": ("container.bad-name", lambda: renamed(b"")),
    "endless name": ("container.bad-name", lambda: renamed(b"d" * 65_535)),
    "folder entry": ("container.bad-name", lambda: renamed(b"data/sub/")),
    "symbolic link": ("container.not-canonical", lambda: only_central(external=0o120777 << 16)),
    "set-uid file": ("container.not-canonical", lambda: only_central(external=0o104755 << 16)),
    "device node": ("container.not-canonical", lambda: only_central(external=0o060644 << 16)),
    "DOS attributes": ("container.not-canonical", lambda: only_central(external=0x81A40001)),
    "encrypted": ("container.not-canonical", lambda: with_last(flags=1)),
    "strongly encrypted": ("container.not-canonical", lambda: with_last(flags=0x41)),
    "compressed": (
        "container.not-canonical",
        lambda: with_last(zlib.compress(b"x" * 50)[2:-4], method=8, size=50),
    ),
    "bomb": (
        "container.not-canonical",
        lambda: with_last(zlib.compress(bytes(1 << 20))[2:-4], method=8, size=1 << 30),
    ),
    "unknown method": ("container.not-canonical", lambda: with_last(method=99)),
    "split: disk of the end": (
        "container.not-canonical",
        lambda: build(good_entries(), end={"disk": 1}),
    ),
    "split: disk of the directory": (
        "container.not-canonical",
        lambda: build(good_entries(), end={"directory_disk": 1}),
    ),
    "split: disk of an entry": ("container.not-canonical", lambda: only_central(disk=1)),
    "two counts": ("container.not-canonical", lambda: build(good_entries(), end={"here": 3})),
    "count too low": (
        "container.not-canonical",
        lambda: build(good_entries(), end={"here": 3, "count": 3}),
    ),
    "count too high": (
        "container.truncated",
        lambda: build(good_entries(), end={"here": 5, "count": 5}),
    ),
    "count of zero": (
        "container.not-canonical",
        lambda: build(good_entries(), end={"here": 0, "count": 0}),
    ),
    "directory beyond the end": (
        "container.gap",
        lambda: build(good_entries(), end={"offset": 0xFFFFFFF0}),
    ),
    "directory size lies": (
        "container.gap",
        lambda: build(good_entries(), end={"size": 0x10000}),
    ),
    "directory size absurd": (
        "container.not-canonical",
        lambda: build(good_entries(), end={"size": 0xFFFFFFFF}),
    ),
    "size beyond the end": ("container.gap", lambda: with_last(size=1 << 31, csize=1 << 31)),
    "two sizes": ("container.not-canonical", lambda: with_last(csize=7)),
    "ZIP64 where none is needed": ("container.not-canonical", lambda: zip64_lie(1)),
    "ZIP64 size of 16 EiB": ("container.gap", lambda: zip64_lie((1 << 64) - 1)),
    "ZIP64 size of 4 GiB": ("container.gap", lambda: zip64_lie(1 << 32)),
    "ZIP64 field missing": (
        "container.not-canonical",
        lambda: with_last(size=0xFFFFFFFF, csize=0xFFFFFFFF),
    ),
    "ZIP64 offset": (
        "container.not-canonical",
        lambda: only_central(offset=0xFFFFFFFF, version=45, extra=struct.pack("<2HQ", 1, 8, 0)),
    ),
    "ZIP64 end record where none is needed": (
        "container.not-canonical",
        lambda: zip64_end_lie(DIRECTORY_AT),
    ),
    "ZIP64 directory beyond the end": ("container.gap", lambda: zip64_end_lie(1 << 40)),
    "ZIP64 directory at 16 EiB": (
        "container.gap",
        lambda: zip64_end_lie((1 << 64) - 1),
    ),
    "ZIP64 end record missing": (
        "container.not-canonical",
        lambda: build(good_entries(), end={"offset": 0xFFFFFFFF}),
    ),
    "extra field": (
        "container.not-canonical",
        lambda: with_last(extra=struct.pack("<2HL", 0x5455, 4, 0)),
    ),
    "extra field, local only": (
        "container.gap",
        lambda: only_local(extra=struct.pack("<2HL", 0x5455, 4, 0)),
    ),
    "entry comment": ("container.not-canonical", lambda: only_central(comment=b"look")),
    "time of one entry": ("container.time", lambda: with_last(time=0)),
    "month 13": (
        "container.time",
        lambda: build([entry.both(date=46 << 9 | 13 << 5 | 1) for entry in good_entries()]),
    ),
    "62 seconds": (
        "container.time",
        lambda: build([entry.both(time=31) for entry in good_entries()]),
    ),
    "CRC of both headers": ("container.crc", lambda: with_last(crc=1)),
    "content changed": ("container.crc", lambda: GOOD.replace(b"words", b"lords")),
}
for _field, _code in {
    "signature": "container.not-canonical",
    "version": "container.not-canonical",
    "flags": "container.not-canonical",
    "method": "container.not-canonical",
    "time": "container.time",
    "date": "container.time",
    "crc": "container.not-canonical",
    "csize": "container.not-canonical",
    "size": "container.not-canonical",
    "name": "container.not-canonical",
    "name_length": "container.not-canonical",
    "extra_length": "container.not-canonical",
}.items():
    _lie: int | bytes = {"signature": b"PK\1\1", "name": b"data/c"}.get(_field, 2)
    VECTORS[f"local header differs: {_field}"] = (
        _code,
        lambda field=_field, lie=_lie: only_local(**{field: lie}),  # type: ignore[misc]
    )
for _field in ("made_by", "internal"):
    VECTORS[f"central header: {_field}"] = (
        "container.not-canonical",
        lambda field=_field: only_central(**{field: 1}),  # type: ignore[misc]
    )


def test_the_base_of_all_vectors_is_good(tmp_path: Path) -> None:
    assert found(tmp_path, GOOD) == CANONICAL
    assert found(tmp_path, with_last()) == CANONICAL


@pytest.mark.parametrize("name", VECTORS)
def test_vector(tmp_path: Path, name: str) -> None:
    code, make = VECTORS[name]
    assert found(tmp_path, make()) == (code,)


def test_100_000_entries_are_refused_at_once(tmp_path: Path) -> None:
    data = build([Forged(b"data/%d" % number) for number in range(60_000)])
    begin = time.perf_counter()
    assert found(tmp_path, data) == ("container.too-many-entries",)
    assert time.perf_counter() - begin < 0.5
    many = build(good_entries(), end={"here": 0xFFFF, "count": 0xFFFF})
    assert found(tmp_path, many) == ("container.too-many-entries",)
    one_more = [*good_entries(), *(Forged(b"data/x%04d" % n) for n in range(MAX_ENTRIES - 3))]
    assert found(tmp_path, build(one_more)) == ("container.too-many-entries",)


def test_truncation_at_every_byte(tmp_path: Path) -> None:
    for length in range(len(GOOD)):
        (code,) = found(tmp_path, GOOD[:length])
        assert code == "container.truncated", length


def test_every_bit_of_a_small_container(tmp_path: Path) -> None:
    """With the CRC as it was: structure or CRC notices each."""
    for at in range(len(GOOD)):
        for bit in range(8):
            data = bytearray(GOOD)
            data[at] ^= 1 << bit
            codes = found(tmp_path, bytes(data))
            assert codes != CANONICAL, (at, bit)


def test_a_broken_structure_lists_no_entries_and_no_time(tmp_path: Path) -> None:
    path = tmp_path / "x.asice"
    path.write_bytes(GOOD + b"\0")
    walked = walk(path)
    assert walked.entries == {}
    assert walked.time is None
    assert not walked.canonical


def test_a_wrong_crc_still_lists_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "x.asice"
    path.write_bytes(GOOD.replace(b"words", b"lords"))
    walked = walk(path)
    assert len(walked.entries) == 4
    assert [finding.subject for finding in walked.findings] == ["data/a.txt"]


def test_a_file_that_shrinks_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.asice"
    path.write_bytes(GOOD)
    monkeypatch.setattr(
        "evidence_kit.seal.container_read.read_chunks", lambda _stream, _length: iter([b"less"])
    )
    codes = {finding.code for finding in walk(path).findings}
    assert codes == {"container.truncated"}


CUTS = st.integers(0, len(GOOD))


@settings(max_examples=400, deadline=None)
@given(CUTS, CUTS, st.binary(max_size=40))
def test_any_replacement_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, start: int, stop: int, new: bytes
) -> None:
    data = GOOD[:start] + new + GOOD[max(start, stop) :]
    codes = found(tmp_path_factory.mktemp("m"), data)
    assert (codes == CANONICAL) is (data == GOOD)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_judged(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("b")
    for junk in (data, b"PK\3\4" + data, data + GOOD[END_AT:], GOOD[:DIRECTORY_AT] + data):
        path = folder / "x.asice"
        path.write_bytes(junk)
        assert {finding.rule.status for finding in walk(path).findings} == {Status.FAILED}
