"""A copy of the project in which checks are taken out and tests are run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.takeouts import ROOT, Edit, TakeOut, without

COPIED = ("evidence_kit", "tests", "pyproject.toml")

SECONDS = 600
"""For the tests of one check; those of most take a second or two."""

RED = frozenset({"AssertionError", "Failed"})
"""How a test says that it does not find what it should; ``Failed`` is that of ``pytest.raises``."""


class Copy:
    """A copy of the project in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in COPIED:
            source, target = ROOT / name, folder / name
            if source.is_dir():
                # With the compiled files: their times fit, so that a run starts at once.
                shutil.copytree(source, target)
            else:
                shutil.copy2(source, target)

    def outcomes(self, nodes: Sequence[str]) -> dict[str, str]:
        """How each test ended: ``passed``, or the name of what it raised.

        A test that could not be collected is not among them.
        """
        out = self._folder / "outcomes.json"
        out.unlink(missing_ok=True)
        environment = {
            **os.environ,
            "PYTHONPATH": str(self._folder),
            # Two edits within a second would look the same to the cache of compiled files.
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [sys.executable, "-m", "tests.takeouts.observe", str(out), *nodes]
        ended = subprocess.run(
            command,
            cwd=self._folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        if not out.exists():
            raise RuntimeError(f"the tests could not be run: {ended.stderr[-2000:]}")
        outcomes: dict[str, str] = json.loads(out.read_text("utf-8"))
        return outcomes

    @contextmanager
    def taken_out(self, edits: Sequence[Edit]) -> Iterator[None]:
        """The copy without a check, as long as this lasts."""
        kept: dict[Path, bytes] = {}
        times: dict[Path, tuple[int, int]] = {}
        try:
            for edit in edits:
                path = self._folder / edit.file
                if path not in kept:
                    kept[path] = path.read_bytes()
                    times[path] = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
                path.write_text(without(path.read_text("utf-8"), edit), "utf-8", newline="")
            yield
        finally:
            for path, data in kept.items():
                path.write_bytes(data)
                os.utime(path, ns=times[path])

    def fault(self, check: TakeOut) -> str:
        """Why a check does not count as seen to fail; empty where every test turned red."""
        with self.taken_out(check.edits):
            ended = self.outcomes(check.red)
        wanted = {check.error} if check.error else RED
        return "; ".join(
            f"{node}: {ended.get(node, 'not run')}"
            for node in check.red
            if ended.get(node) not in wanted
        )
