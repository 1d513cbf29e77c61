"""Whole processes timed in turn, so that a machine whose speed drifts is fair to both."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

SHOWN = 6
"""Words of a command line that failed; some name a thousand files."""

_PEAK = """\
import os, subprocess, sys
quiet = subprocess.DEVNULL
child = subprocess.Popen(sys.argv[1:], stdout=quiet, stderr=quiet)
_, status, usage = os.wait4(child.pid, 0)
child.returncode = os.waitstatus_to_exitcode(status)
print(child.returncode, usage.ru_maxrss)
"""


@dataclass(frozen=True)
class Pair:
    """Ours against the other, run for run.

    Attributes:
        ours, other: median wall seconds.
        ratio: median of the ratios ours/other of each pair.
    """

    ours: float
    other: float
    ratio: float


def paired(ours: Callable[[], float], other: Callable[[], float], *, runs: int) -> Pair:
    """Run both in turn after one warm-up each; each call gives its own seconds."""
    ours()
    other()
    times = [(ours(), other()) for _ in range(runs)]
    return Pair(
        statistics.median(mine for mine, _ in times),
        statistics.median(theirs for _, theirs in times),
        statistics.median(mine / theirs for mine, theirs in times),
    )


def process(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    stdin: Path | None = None,
) -> float:
    """Wall seconds of one process from start to end; it must end with exit code 0."""
    source = (stdin or Path(os.devnull)).open("rb")
    started = time.perf_counter()
    with source:
        _run(command, environment, source)
    return time.perf_counter() - started


def _compiled() -> dict[str, str]:
    """The environment, with compiled modules kept as in any installation.

    Both sides profit alike; without, loading source text would be measured.
    """
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    kept["PYTHONPYCACHEPREFIX"] = str(Path(tempfile.gettempdir()) / "evidence-kit-bench-pycache")
    return kept


def _run(command: Sequence[str], environment: Mapping[str, str] | None, source: BinaryIO) -> None:
    done = subprocess.run(
        command,
        check=False,
        stdin=source,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**_compiled(), **(environment or {})},
        timeout=600,
    )
    if done.returncode != 0:
        raise SystemExit(f"ended with code {done.returncode}: {' '.join(command[:SHOWN])}")


def peak_memory(command: Sequence[str]) -> int:
    """MiB at the peak of one process, or of the largest that it started.

    A process begins with the peak of the one that starts it, so a small one does that here.
    """
    code, peak = map(int, said(python("-c", _PEAK, *command)).split())
    if code != 0:
        raise SystemExit(f"ended with code {code}: {' '.join(command[:SHOWN])}")
    return peak // (1 << 20 if sys.platform == "darwin" else 1 << 10)


def said(command: Sequence[str]) -> str:
    """What one process prints; it must end with exit code 0."""
    done = subprocess.run(
        command, check=True, capture_output=True, env=_compiled(), text=True, timeout=600
    )
    return done.stdout.strip()


def python(*arguments: str) -> list[str]:
    """A command line of the Python that runs this."""
    return [sys.executable, *arguments]
