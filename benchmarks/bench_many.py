"""``evidence-kit verify`` of a thousand small bundles: one process against one per processor."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.large_bundle import make
from benchmarks.timing import paired, process, python

BUNDLES = 1000
LIMIT = 0.8
"""Of the time of one process, where there are at least two processors."""


@dataclass(frozen=True)
class Result:
    """Median seconds of both, and the median of the ratios."""

    workers: int
    shared: float
    alone: float
    ratio: float


def measure(bundles: int = BUNDLES, runs: int = 3, folder: Path | None = None) -> Result:
    """Seal one bundle, copy it, and verify all copies both ways."""
    workers = os.cpu_count() or 1
    with tempfile.TemporaryDirectory(dir=folder) as made:
        large = make(Path(made), megabytes=0)
        paths = [Path(made) / f"{number:04}.asice" for number in range(bundles)]
        for path in paths:
            shutil.copyfile(large.bundle, path)

        def verify(jobs: int) -> float:
            return process(
                python(
                    *("-m", "evidence_kit", "verify", *large.trust, "--jobs", str(jobs)),
                    *("--json", *map(str, paths)),
                )
            )

        pair = paired(lambda: verify(workers), lambda: verify(1), runs=runs)
    return Result(workers, pair.ours, pair.other, pair.ratio)
