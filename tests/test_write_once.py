"""Files appear whole under their name or not at all, and never replace one."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from evidence_kit.core import write_once as module
from evidence_kit.core.errors import StorageError
from evidence_kit.core.write_once import MAX_LEFTOVERS, write_bytes_once, write_once


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_name_appears_with_the_whole_content(tmp_path: Path) -> None:
    target = tmp_path / "x.asice"
    with write_once(target) as stream:
        stream.write(b"one ")
        stream.flush()
        assert names(tmp_path) == ["x.asice.partial"]
        stream.write(b"two")
    assert target.read_bytes() == b"one two"
    assert names(tmp_path) == ["x.asice"]


def test_an_existing_file_stays(tmp_path: Path) -> None:
    target = tmp_path / "x.asice"
    target.write_bytes(b"evidence")
    with pytest.raises(StorageError, match=r"cannot write x\.asice: it exists") as caught:
        write_bytes_once(target, b"other")
    assert "never overwritten" in caught.value.hint
    assert target.read_bytes() == b"evidence"
    assert names(tmp_path) == ["x.asice"]


def _no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_named: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        _no_links(monkeypatch)
    target = tmp_path / "x.asice"
    with pytest.raises(StorageError, match="exist"), write_once(target) as stream:
        stream.write(b"mine")
        target.write_bytes(b"theirs")
    assert target.read_bytes() == b"theirs"
    assert names(tmp_path) == ["x.asice"]


def test_a_dangling_link_is_a_name_too(tmp_path: Path) -> None:
    target = tmp_path / "x.asice"
    target.symlink_to(tmp_path / "nowhere")
    with pytest.raises(StorageError, match="it exists"):
        write_bytes_once(target, b"x")
    assert names(tmp_path) == ["x.asice"]


def test_file_systems_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _no_links(monkeypatch)
    write_bytes_once(tmp_path / "x.asice", b"whole")
    assert (tmp_path / "x.asice").read_bytes() == b"whole"
    assert names(tmp_path) == ["x.asice"]


def test_the_way_that_windows_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There rename refuses an existing name; here only that this way is taken can be seen."""
    renamed: list[tuple[Path, Path]] = []
    partial, target = tmp_path / "x.partial", tmp_path / "x"
    monkeypatch.setattr(Path, "rename", lambda old, new: renamed.append((old, new)))
    monkeypatch.setattr(os, "link", None)
    with monkeypatch.context() as patched:
        patched.setattr(os, "name", "nt")
        module._publish(partial, target)
    assert renamed == [(partial, target)]


def test_an_error_in_the_block_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), write_once(tmp_path / "x") as stream:
        stream.write(b"half")
        raise KeyError
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "hint"),
    [(errno.ENOSPC, "disk is full"), (errno.EFBIG, "file of this size"), (errno.EIO, "another")],
)
def test_a_disk_that_cannot_hold_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, hint: str
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="cannot write x: ") as caught:
        write_bytes_once(tmp_path / "x", b"data")
    assert hint in caught.value.hint
    assert names(tmp_path) == []


def test_a_file_that_is_too_large_for_real(tmp_path: Path) -> None:
    """The kernel's own refusal in the middle of the file, in a process with a low limit."""
    script = """
        import resource, sys
        from pathlib import Path
        from evidence_kit.core.errors import StorageError
        from evidence_kit.core.write_once import write_once
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            with write_once(Path(sys.argv[1])) as stream:
                stream.write(bytes(1_000_000))
        except StorageError as error:
            print(error.message, "/", error.hint)
    """
    run = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "x")]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("cannot write x: file too large / the file system cannot")
    assert names(tmp_path) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught:
        write_bytes_once(tmp_path / "none" / "x", b"")
    assert caught.value.hint == "the folder does not exist: make it first"


def test_content_and_name_are_synced_in_this_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, list[str]]] = []
    real = os.fsync

    def record(descriptor: int) -> None:
        kind = "folder" if os.path.isdir(f"/dev/fd/{descriptor}") else "file"  # noqa: PTH112
        seen.append((kind, names(tmp_path)))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    write_bytes_once(tmp_path / "x", b"data")
    assert seen == [("file", ["x.partial"]), ("folder", ["x"])]


@pytest.mark.parametrize("private", [True, False])
def test_private_means_the_owner_only(tmp_path: Path, private: bool) -> None:
    umask = os.umask(0o022)
    try:
        with write_once(tmp_path / "key", private=private):
            mode = (tmp_path / "key.partial").stat().st_mode & 0o777
    finally:
        os.umask(umask)
    assert mode == (0o600 if private else 0o644)
    assert (tmp_path / "key").stat().st_mode & 0o777 == mode


def test_leftovers_of_killed_runs_do_not_block(tmp_path: Path) -> None:
    (tmp_path / "x.partial").write_bytes(b"old")
    write_bytes_once(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"new"
    assert (tmp_path / "x.partial").read_bytes() == b"old"


def test_too_many_leftovers_are_said(tmp_path: Path) -> None:
    for number in range(1, MAX_LEFTOVERS + 1):
        (tmp_path / f"x{f'.{number}' if number > 1 else ''}.partial").touch()
    with pytest.raises(StorageError, match="unfinished files"):
        write_bytes_once(tmp_path / "x", b"")


def test_a_killed_process_leaves_no_final_name(tmp_path: Path) -> None:
    script = """
        import sys
        from pathlib import Path
        from evidence_kit.core.write_once import write_once
        with write_once(Path(sys.argv[1])) as stream:
            stream.write(b"half")
            stream.flush()
            print("written", flush=True)
            sys.stdin.read()
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "x")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    with process.stdout, process.stdin:
        assert process.stdout.readline().strip() == b"written"
        process.kill()
        process.wait(timeout=10)
    assert names(tmp_path) == ["x.partial"]
