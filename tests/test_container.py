"""The canonical container: what the writer makes, what the reader takes, what others say of it."""

from __future__ import annotations

import io
import os
import subprocess
import zipfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_kit.core.digests import Digests, digest_bytes, digest_file
from evidence_kit.core.errors import StorageError, UnreadableFileError
from evidence_kit.core.layout import MIMETYPE_CONTENT, first_bad_name, in_order, name_fault
from evidence_kit.core.limits import CHUNK, MAX_ENTRIES, MAX_NAME
from evidence_kit.seal import container_structure, container_write
from evidence_kit.seal.container_read import (
    Walk,
    check_time,
    open_entry,
    read_entry,
    walk,
)
from evidence_kit.seal.container_write import Member, write_container
from tests.zip_forge import WHEN, build, good_entries

FILES = {
    "META-INF/ASiCManifest001.xml": b"<manifest/>",
    "bagit.txt": b"BagIt-Version: 1.0\n",
    "data/a.txt": b"the words of the post",
}


def members(files: dict[str, bytes]) -> list[Member]:
    return [Member(name, data, digest_bytes(data)) for name, data in files.items()]


def container(files: dict[str, bytes], when: datetime = WHEN) -> bytes:
    stream = io.BytesIO()
    write_container(stream, members(files), when)
    return stream.getvalue()


def saved(folder: Path, data: bytes) -> Path:
    path = folder / "x.asice"
    path.write_bytes(data)
    return path


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    big = os.urandom(3 * CHUNK + 17)
    files = FILES | {"data/media/film.mp4": big}
    walked = walk(saved(tmp_path, container(files)))
    assert [finding.code for finding in walked.findings] == ["container.ok"]
    assert walked.canonical
    assert walked.time == WHEN
    assert list(walked.entries) == in_order(["mimetype", *files])
    for name, data in files.items():
        assert walked.entries[name].digests == digest_bytes(data)
        assert read_entry(walked, name, limit=len(data)) == data
    assert read_entry(walked, "mimetype", limit=31) == MIMETYPE_CONTENT


def test_the_writer_says_the_digests_of_the_whole_file(tmp_path: Path) -> None:
    stream = io.BytesIO()
    digests = write_container(stream, members(FILES), WHEN)
    path = saved(tmp_path, stream.getvalue())
    assert digests == digest_file(path)
    assert walk(path, whole=True).file == digests
    assert walk(path).file is None


def test_same_input_same_bytes_whatever_the_order() -> None:
    shuffled = dict(reversed(FILES.items()))
    assert container(FILES) == container(shuffled)
    elsewhere = WHEN.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert container(FILES) == container(FILES, elsewhere)


def test_the_form_is_that_of_the_specification() -> None:
    """Against headers that the test itself packs field by field."""
    assert container(FILES) == build(good_entries())


def test_golden_bytes() -> None:
    """Format 1 for ever: any change of these bytes is another format."""
    assert digest_bytes(container(FILES)).sha256 == (
        "b8ccf92b7da49bb8efad42279b50f8f1494c3accd1e90d04c45234aac35813fc"
    )


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(1980, 1, 1, tzinfo=UTC), datetime(1980, 1, 1, tzinfo=UTC)),
        (
            datetime(2107, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
            datetime(2107, 12, 31, 23, 59, 58, tzinfo=UTC),
        ),
    ],
)
def test_times_at_the_ends(tmp_path: Path, moment: datetime, expected: datetime) -> None:
    walked = walk(saved(tmp_path, container(FILES, moment)))
    assert walked.time == expected
    assert list(check_time(walked, moment)) == []


def test_a_time_that_differs_from_the_signature_is_found(tmp_path: Path) -> None:
    walked = walk(saved(tmp_path, container(FILES)))
    found = list(check_time(walked, WHEN + timedelta(seconds=2)))
    assert [finding.code for finding in found] == ["container.time"]
    assert list(check_time(walked, WHEN + timedelta(seconds=1, microseconds=5))) == []


@pytest.mark.parametrize("year", [1979, 2108])
def test_a_clock_far_off_is_refused(year: int) -> None:
    with pytest.raises(StorageError, match=str(year)):
        container(FILES, datetime(year, 6, 1, tzinfo=UTC))


def test_a_time_without_zone_is_a_bug() -> None:
    with pytest.raises(ValueError, match="zone"):
        container(FILES, datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/data/a",
        "data/",
        "data//a",
        "data/./a",
        "data/../a",
        "../a",
        "data\\a",
        "C:/a",
        "c:a",
        "data/a:stream",
        "data/.hidden",
        "data/-rf",
        "data/a.",
        "data/a ",
        "data/a b",
        "data/é",
        "data/a\0b",
        "data/a\nb",
        "data/\u202egpj.exe",
        "data/CON",
        "data/con.txt",
        "nul/a",
        "data/Com1.tar.gz",
        "data/lpt9",
        "data/" + "a" * (MAX_NAME - 4),
    ],
)
def test_names_that_are_refused(name: str) -> None:
    assert name_fault(name) is not None
    with pytest.raises(StorageError, match="cannot stand in a bundle"):
        container(FILES | {name: b""})


@pytest.mark.parametrize(
    "name",
    ["a", "data/a-b_c.D9", "data/console.txt", "data/com", "data/com10", "d/" * 99 + "a1"],
)
def test_names_that_are_allowed(tmp_path: Path, name: str) -> None:
    assert name_fault(name) is None
    assert walk(saved(tmp_path, container({"b": b"", name: b"x"}))).canonical


@pytest.mark.parametrize(
    ("names", "duplicate"),
    [
        (["data/a", "data/A"], True),
        (["data/a", "data/a"], True),
        (["data/a", "data/a/b"], False),
        (["data/a/b", "data/A"], False),
        (["data/a/b", "data/A/c"], False),
    ],
)
def test_names_that_a_file_system_could_confuse(names: list[str], duplicate: bool) -> None:
    for order in (names, names[::-1]):
        bad = first_bad_name(order)
        assert bad is not None
        assert bad.duplicate is duplicate


def test_too_many_files_are_refused() -> None:
    files = {f"data/{number}": b"" for number in range(MAX_ENTRIES)}
    with pytest.raises(StorageError, match="at most"):
        container(files)


def test_as_many_files_as_allowed(tmp_path: Path) -> None:
    files = {f"data/{number}": b"" for number in range(MAX_ENTRIES - 1)}
    walked = walk(saved(tmp_path, container(files)))
    assert walked.canonical
    assert len(walked.entries) == MAX_ENTRIES


@pytest.mark.parametrize("later", [b"shorter", b"the words of the pest", b"the words of the post."])
def test_a_file_that_changed_since_its_digest_is_not_sealed(tmp_path: Path, later: bytes) -> None:
    source = tmp_path / "a.txt"
    source.write_bytes(later)
    with pytest.raises(StorageError, match="changed between its digest and the seal"):
        write_container(
            io.BytesIO(), [Member("data/a.txt", source, digest_bytes(FILES["data/a.txt"]))], WHEN
        )


def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    gone = Member("data/a.txt", tmp_path / "gone", digest_bytes(b""))
    with pytest.raises(StorageError, match=r"cannot read data/a\.txt"):
        write_container(io.BytesIO(), [gone], WHEN)


def test_progress_ends_at_the_total(tmp_path: Path) -> None:
    class Seen:
        def __init__(self) -> None:
            self.steps: list[tuple[int, int]] = []

        def step(self, text: str) -> None:
            raise AssertionError(text)

        def advance(self, done: int, total: int) -> None:
            self.steps.append((done, total))

    files = FILES | {"data/film": bytes(5 * CHUNK)}
    writing, reading = Seen(), Seen()
    stream = io.BytesIO()
    write_container(stream, members(files), WHEN, progress=writing)
    walk(saved(tmp_path, stream.getvalue()), progress=reading)
    total = sum(map(len, files.values())) + len(MIMETYPE_CONTENT)
    for seen in (writing, reading):
        assert seen.steps[-1] == (total, total)
        assert seen.steps == sorted(seen.steps)
        assert len(seen.steps) > 5


def test_reading_parts_of_an_entry(tmp_path: Path) -> None:
    data = FILES["data/a.txt"]
    walked = walk(saved(tmp_path, container(FILES | {"data/b.txt": b"not this"})))
    with open_entry(walked, "data/a.txt") as stream:
        assert stream.read(3) == data[:3]
        assert stream.seek(-4, os.SEEK_END) == len(data) - 4
        assert stream.read() == data[-4:]
        assert stream.read() == b""
        assert stream.seek(100) == 100
        assert stream.read() == b""
        stream.seek(0)
        assert b"".join(iter(lambda: stream.read(5), b"")) == data
        with pytest.raises(ValueError, match="before the beginning"):
            stream.seek(-1)


def test_read_entry_keeps_its_limit_and_notices_a_change(tmp_path: Path) -> None:
    path = saved(tmp_path, container(FILES))
    walked = walk(path)
    with pytest.raises(ValueError, match="more than 5"):
        read_entry(walked, "data/a.txt", limit=5)
    with pytest.raises(KeyError):
        read_entry(walked, "data/none", limit=5)
    path.write_bytes(path.read_bytes().replace(b"words", b"swords"[:5]))
    with pytest.raises(UnreadableFileError, match="changed while"):
        read_entry(walked, "data/a.txt", limit=100)


def test_what_is_no_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="not a regular file"):
        walk(tmp_path)
    with pytest.raises(UnreadableFileError, match=r"none\.asice: (no such|.*not f|.*cannot f)"):
        walk(tmp_path / "none.asice")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(UnreadableFileError, match="not a regular file"):
            walk(tmp_path / "pipe")


def _sized(name: str, size: int) -> Member:
    return Member(name, b"", Digests("", "", size, 0x12345678))


LIMIT = 0xFFFFFFFF


@pytest.mark.parametrize(
    "sizes",
    [
        [0],
        [LIMIT - 1],
        [LIMIT],
        [LIMIT + 1],
        [LIMIT - 200, 5, 5],
        [1 << 40, 7, 1 << 33, 0],
        [LIMIT - 1, LIMIT, 1],
    ],
)
def test_zip64_headers_of_writer_and_reader_agree(sizes: list[int]) -> None:
    """Two derivations of the same rule, with sizes that no test could write out."""
    stamp = container_write._dos_time(WHEN)
    placed = container_write._place(
        [_sized(f"data/{number}", size) for number, size in enumerate(sizes)]
    )
    directory = b""
    for place in placed:
        digests = place.member.digests
        claim = container_structure.Claim(
            place.member.name,
            digests.size,
            digests.crc32,
            place.offset,
            stamp.to_bytes(4, "little"),
        )
        local = container_write._local_header(place, stamp)
        assert local == _joined(container_structure._local_fields(claim, claim.stamp))
        assert claim.data_offset == place.offset + len(local)
        central = container_write._central_header(place, stamp)
        assert central == _joined(container_structure._central_fields(claim, claim.stamp))
        directory += central
        assert container_structure._read_directory(central, 1) == [claim]
    last = placed[-1]
    start = last.offset + len(container_write._local_header(last, stamp)) + last.member.digests.size
    end = container_write._end(len(placed), len(directory), start)
    assert end == _joined(container_structure._end_fields(len(placed), start, len(directory)))
    assert (len(end) > 22) is (start >= LIMIT)


def _joined(fields: list[tuple[str, bytes]]) -> bytes:
    return b"".join(value for _, value in fields)


class _Zeros(io.RawIOBase):
    """A target that keeps what is not zero, so 4 GiB of nothing cost nothing."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("wb", buffering=0)

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        if piece.count(0) == len(piece):
            self._file.seek(len(piece), os.SEEK_CUR)
        else:
            self._file.write(piece)
        return len(piece)

    def close(self) -> None:
        self._file.close()
        super().close()


@pytest.mark.slow
def test_zip64_container_for_real(tmp_path: Path) -> None:
    """A sparse file of more than 4 GiB, through writer, reader and Python's own reader."""
    source = tmp_path / "zeros"
    with source.open("wb") as stream:
        stream.truncate((1 << 32) + 5)
    path = tmp_path / "big.asice"
    with _Zeros(path) as target:
        write_container(
            target,  # type: ignore[arg-type]
            [Member("data/film.mp4", source, digest_file(source)), *members({"data/z": b"end"})],
            WHEN,
        )
    walked = walk(path)
    assert walked.canonical
    assert read_entry(walked, "data/z", limit=3) == b"end"
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("data/film.mp4").file_size == (1 << 32) + 5
        assert archive.read("data/z") == b"end"


def test_python_reads_it(tmp_path: Path) -> None:
    path = saved(tmp_path, container(FILES))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {info.filename: archive.read(info) for info in archive.infolist()} == {
            "mimetype": MIMETYPE_CONTENT,
            **FILES,
        }
        assert {info.date_time for info in archive.infolist()} == {(2026, 11, 23, 10, 20, 30)}
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o100644}


@pytest.mark.outside
def test_unzip_reads_it(tmp_path: Path) -> None:
    path = saved(tmp_path, container(FILES))
    done = subprocess.run(["unzip", "-t", path], capture_output=True, text=True, check=True)
    assert "No errors detected" in done.stdout


NAMES = st.from_regex(r"data/[A-Za-z0-9_]{1,12}", fullmatch=True)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(NAMES, st.binary(max_size=400), max_size=8),
    st.datetimes(datetime(1980, 1, 1), datetime(2107, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_any_files_make_a_canonical_container(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], when: datetime
) -> None:
    if first_bad_name(files) is not None:
        with pytest.raises(StorageError):
            container(files, when)
        return
    walked: Walk = walk(saved(tmp_path_factory.mktemp("any"), container(files, when)))
    assert walked.canonical
    assert list(check_time(walked, when)) == []
    assert {name: read_entry(walked, name, limit=400) for name in files} == files
