"""``extract``: only what was sealed comes out, nothing is overwritten, warnings stay attached."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evidence_kit.cli.main import run
from evidence_kit.core.errors import InputError, StorageError, UnreadableFileError
from evidence_kit.core.findings import Status
from evidence_kit.core.schemas import schema_fault
from evidence_kit.jobs.extract import extract
from evidence_kit.seal.anchors import TrustAnchors
from tests.bundles import NAME, NOW, example, forged, trusted, unpack
from tests.stream_tools import HLS, add_stream, media_list, piece, stream_site
from tests.zip_forge import Forged, build, good_entries

STEM = NAME.removesuffix(".asice")


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def changed(folder: Path) -> Path:
    path = folder / NAME

    def change(files: dict[str, bytes]) -> None:
        files["data/web/text.txt"] = b"Fijne dag nog"

    path.write_bytes(forged(example().seal(), change))
    return path


def test_everything_comes_out_byte_for_byte(tmp_path: Path) -> None:
    path = example().write(tmp_path)
    done = extract(path, [], tmp_path / "out", anchors=trusted(), now=NOW)
    assert done.folder == tmp_path / "out" / STEM
    found = files_below(tmp_path / "out" / STEM)
    assert found.pop("mimetype") == b"application/vnd.etsi.asic-e+zip"
    assert found == unpack(path.read_bytes())
    assert set(done.files) == {*found, "mimetype"}


def test_single_files_and_folders(tmp_path: Path) -> None:
    path = example().write(tmp_path)
    names = ["data/post.json", "data/web/"]
    extract(path, names, tmp_path / "out", anchors=trusted(), now=NOW)
    assert set(files_below(tmp_path / "out" / STEM)) == {
        "data/post.json",
        "data/web/page.wacz",
        "data/web/screenshot.png",
        "data/web/text.txt",
    }


def test_an_unknown_signer_does_not_keep_files_back(tmp_path: Path) -> None:
    path = example().write(tmp_path)
    done = extract(path, ["README.txt"], tmp_path / "out", anchors=TrustAnchors(), now=NOW)
    assert done.verdict.status is Status.INDETERMINATE
    assert done.files == ("README.txt",)


def test_a_failed_bundle_gives_nothing(tmp_path: Path) -> None:
    done = extract(changed(tmp_path), [], tmp_path / "out", anchors=trusted(), now=NOW)
    assert done.folder is None
    assert done.files == ()
    assert not (tmp_path / "out").exists()


def test_what_is_taken_from_a_failed_bundle_says_so(tmp_path: Path) -> None:
    path = changed(tmp_path)
    done = extract(path, [], tmp_path / "out", anchors=trusted(), now=NOW, even_if_failed=True)
    assert done.folder == tmp_path / "out" / f"{STEM}-FAILED"
    assert files_below(done.folder)["data/web/text.txt"] == b"Fijne dag nog"


@pytest.mark.parametrize(
    "name", [b"../../evil", b"/evil", b"C:/evil", b"data/../../evil", b"data\\..\\evil", b"aux"]
)
def test_no_name_leads_out_of_the_folder(name: bytes, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(build(good_entries(Forged(name, b"evil"))))
    with pytest.raises(UnreadableFileError, match="structure"):
        extract(path, [], tmp_path / "out", anchors=trusted(), now=NOW, even_if_failed=True)
    assert [item.name for item in tmp_path.iterdir()] == [NAME]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = example().write(tmp_path)
    target = tmp_path / "out" / STEM / "README.txt"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"mine")
    with pytest.raises(StorageError):
        extract(path, ["README.txt"], tmp_path / "out", anchors=trusted(), now=NOW)
    assert target.read_bytes() == b"mine"
    with pytest.raises(StorageError) as caught:
        extract(path, [], tmp_path / "out", anchors=trusted(), now=NOW)
    assert caught.value.message == f"cannot write {target}: it exists"
    assert files_below(tmp_path / "out" / STEM) == {"README.txt": b"mine"}, "not half a bundle"


@pytest.mark.parametrize("name", ["nonsense", "data/web/text", "../README.txt", "data/w", ""])
def test_a_name_that_is_not_there(name: str, tmp_path: Path) -> None:
    path = example().write(tmp_path)
    with pytest.raises(InputError, match="holds no"):
        extract(path, [name], tmp_path / "out", anchors=trusted(), now=NOW)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    path = example().write(tmp_path)
    (tmp_path / "out").write_bytes(b"a file in the way")
    with pytest.raises(StorageError, match="cannot make"):
        extract(path, [], tmp_path / "out", anchors=trusted(), now=NOW)


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = example().write(tmp_path)
    out = str(tmp_path / "out")
    assert run(["extract", str(path), "README.txt", "--output", out, "--lang", "en"]) == 0
    assert str(tmp_path / "out" / STEM / "README.txt") in capsys.readouterr().out
    assert run(["extract", str(path), "README.txt", "--output", out]) == 25
    capsys.readouterr()
    bad = changed(tmp_path)
    assert run(["extract", str(bad), "--output", out, "--lang", "en"]) == 10
    captured = capsys.readouterr()
    assert captured.out.startswith("CHANGED: At least one file")
    assert "nothing was written" in captured.err
    assert run(["extract", str(bad), "--output", out, "--even-if-failed", "--json"]) == 10
    document = json.loads(capsys.readouterr().out)
    assert schema_fault(document, "extract-1") is None
    assert document["folder"].endswith("-FAILED")


def test_streams_are_joined_for_looking_at_and_named_as_derived(tmp_path: Path) -> None:
    case = example()
    add_stream(case)
    path = case.write(tmp_path)
    done = extract(path, [], tmp_path / "out", anchors=trusted(), now=NOW, streams=True)
    assert done.verdict.status is Status.PASSED
    found = files_below(tmp_path / "out" / STEM)
    assert set(found) == set(done.files)
    about = found.pop("derived-not-evidence/LEES-MIJ-README.txt").decode()
    ((name, joined),) = found.items()
    assert name == "derived-not-evidence/stream-01-01-track.bin"
    assert joined == piece("a") + piece("b")
    assert "GEEN BEWIJS" in about
    assert "2 of 2 parts, sha256" in about
    with pytest.raises(StorageError):
        extract(path, [], tmp_path / "out", anchors=trusted(), now=NOW, streams=True)


def test_ranges_are_joined_in_their_order_and_locked_tracks_are_not(tmp_path: Path) -> None:
    case = example()
    with stream_site() as site:
        site.hls()
        key = '#EXT-X-KEY:METHOD=AES-128,URI="/key"'
        site.put("/locked.m3u8", media_list("/hls/low-0.m4s", head=key), HLS)
        site.put("/key", b"0123456789abcdef")
        add_stream(case, urls=[site.url("/hls/master.m3u8"), site.url("/locked.m3u8")])
    done = extract(case.write(tmp_path), [], tmp_path, anchors=trusted(), now=NOW, streams=True)
    found = files_below(tmp_path / STEM)
    sound = found["derived-not-evidence/stream-01-02-audio.bin"]
    assert sound == piece("sound", 650)[50:]
    video = found["derived-not-evidence/stream-01-01-video.bin"]
    assert video == b"".join(
        piece(name) for name in ("high.mp4", *(f"high-{number}.m4s" for number in range(4)))
    )
    assert len(done.files) == 3
    assert b"encrypted (key-named), not joined" in found[done.files[-1]]


def test_a_bundle_without_streams_says_so(tmp_path: Path) -> None:
    path = example().write(tmp_path)
    with pytest.raises(InputError, match="no streams"):
        extract(path, [], tmp_path / "out", anchors=trusted(), now=NOW, streams=True)


def test_a_part_that_is_another_than_the_index_says_is_not_joined(tmp_path: Path) -> None:
    case = example()
    add_stream(case, forge=True)
    path = case.write(tmp_path)
    with pytest.raises(UnreadableFileError, match="not what its index says"):
        extract(
            *(path, [], tmp_path / "out"),
            anchors=trusted(),
            now=NOW,
            streams=True,
            even_if_failed=True,
        )
    left = files_below(tmp_path / "out")
    assert left == {}
