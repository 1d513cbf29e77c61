"""The work folder keeps what is needed to finish a capture."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evidence_kit.core.errors import InputError, StorageError
from evidence_kit.gather.netlog_pipe import NAME
from evidence_kit.jobs.workfolder import WorkFolder, new_id, unfinished_captures

NOW = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
ID = new_id(NOW, b"\x01\x02\x03\x04")


def clock() -> datetime:
    return NOW


def test_an_id_sorts_by_time_and_fits_any_file_system() -> None:
    assert ID == "20261123T100000Z-01020304"


def test_files_are_digested_when_they_are_written(tmp_path: Path) -> None:
    work = WorkFolder.create(tmp_path, ID)
    path = work.data / "post.json"
    path.write_bytes(b"{}\n")
    artefact = work.add("post", path, clock=clock)
    assert artefact.file == "data/post.json"
    assert artefact.size == 3
    assert artefact.written == "2026-11-23T10:00:00Z"
    work.add_failed("pdf", "data/web/page.pdf", "took longer than 30 s")
    assert [item.state for item in work.artefacts()] == ["made", "failed"]
    lines = list(work.journal())
    assert [line["event"] for line in lines] == ["artefact", "artefact"]
    assert lines[0]["sha256"] == artefact.sha256


def test_a_line_cut_off_by_a_crash_is_left_out(tmp_path: Path) -> None:
    work = WorkFolder.create(tmp_path, ID)
    work.note("asked", url="https://example.org/")
    with (work.root / "journal.jsonl").open("ab") as stream:
        stream.write(b'{"event":"artef')
    assert [line["event"] for line in work.journal()] == ["asked"]


def test_private_to_this_user(tmp_path: Path) -> None:
    work = WorkFolder.create(tmp_path, ID)
    expected = 0o777 if os.name == "nt" else 0o700  # Windows has no such modes
    assert work.root.stat().st_mode & 0o777 == expected


def test_never_used_twice_and_never_outside(tmp_path: Path) -> None:
    WorkFolder.create(tmp_path, ID)
    with pytest.raises(StorageError):
        WorkFolder.create(tmp_path, ID)
    with pytest.raises(InputError):
        WorkFolder.create(tmp_path, "../elsewhere")


def test_removed_whole(tmp_path: Path) -> None:
    work = WorkFolder.create(tmp_path, ID)
    (work.wire / "0001.request").write_bytes(b"GET / HTTP/1.1\r\nCookie: a=b\r\n\r\n")
    work.remove()
    assert not work.root.exists()


@pytest.mark.parametrize("way", ["listed", "opened"])
def test_a_browser_that_waits_for_a_dead_reader_is_let_go(tmp_path: Path, way: str) -> None:
    """Killed between making the pipe and the browser's opening it: that opening waits for ever."""
    make_fifo = getattr(os, "mkfifo", None)
    if make_fifo is None:
        return  # there the log is a file, and nobody waits
    work = WorkFolder.create(tmp_path, ID)
    work.release()
    pipe = work.root / NAME
    make_fifo(pipe)
    waiting = subprocess.Popen([sys.executable, "-c", f"open({str(pipe)!r}, 'w').close()"])
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(1)
        end = time.monotonic() + 30
        while waiting.poll() is None and time.monotonic() < end:  # it may only begin to wait now
            if way == "listed":
                assert unfinished_captures(tmp_path) == [ID]
            else:
                WorkFolder.open(tmp_path, ID).release()
            time.sleep(0.05)
        assert waiting.poll() == 0
    finally:
        waiting.kill()
        waiting.wait()
