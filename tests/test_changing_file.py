"""A bundle that changes while it is read, or is exchanged for another, gets no verdict at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evidence_kit.core.errors import UnreadableFileError
from evidence_kit.core.events import Silent
from evidence_kit.jobs.verify import verify
from evidence_kit.jobs.verify_content import check_content
from evidence_kit.seal.container_read import open_entry, walk
from tests.bundles import NOW, example, trusted


def test_a_bundle_that_changes_while_it_is_read_is_no_pass(tmp_path: Path) -> None:
    """The digests of the first reading are compared again with what is parsed later."""
    path = example().write(tmp_path)
    good = path.read_bytes()
    walked = walk(path)
    path.write_bytes(good.replace(b"evidence-kit/capture/1", b"evidence-kit/capture/9"))
    with pytest.raises(UnreadableFileError, match="changed while"):
        check_content(walked, "")


@pytest.mark.parametrize("how", ["longer", "in-place", "exchanged"])
def test_a_file_that_changes_while_it_is_judged_gets_no_verdict(tmp_path: Path, how: str) -> None:
    """A copy that is still being written, or exchanged meanwhile: neither good nor bad."""
    path = example().write(tmp_path)
    good = path.read_bytes()
    bad = good.replace(b"evidence-kit/capture/1", b"evidence-kit/capture/9")
    times = path.stat()

    class Exchange(Silent):
        def advance(self, done: int, total: int) -> None:
            if done < total:
                return
            target = path if how != "exchanged" else path.with_name("other")
            target.write_bytes(good + b"x" if how == "longer" else bad)
            os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))
            target.replace(path)

    with pytest.raises(UnreadableFileError, match="changed while"):
        verify(path, anchors=trusted(), now=NOW, progress=Exchange())


def test_a_file_that_is_exchanged_after_the_walk_is_not_read(tmp_path: Path) -> None:
    path = example().write(tmp_path)
    walked, times = walk(path), path.stat()
    other = tmp_path / "other"
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(path)
    with pytest.raises(UnreadableFileError, match="changed while"):
        open_entry(walked, "data/capture.json")
