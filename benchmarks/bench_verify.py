"""``evidence-kit verify`` of one large bundle against the slower of two plain digests.

``python -m benchmarks.bench_verify [MEGABYTES] [FOLDER]`` prints seconds, the ratio and memory;
all of them whole processes, in turn.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.large_bundle import Large, make
from benchmarks.timing import paired, peak_memory, process, python

LIMIT = 1.3
"""Times the slower of ``openssl dgst -sha256`` and ``-sha512``."""

LIMIT_MEMORY = 150
"""MiB of memory at the peak, whatever the size of the bundle."""


@dataclass(frozen=True)
class Result:
    """Ratio to the slower digest, seconds of both, and memory at the peak in MiB."""

    ratio: float
    ours: float
    digest: float
    memory: int


def command(large: Large) -> list[str]:
    """The verification as a user runs it."""
    return python("-m", "evidence_kit", "verify", *large.trust, str(large.bundle))


def measure(megabytes: int = 1024, runs: int = 5, folder: Path | None = None) -> Result:
    """Seal a bundle of that size and verify it."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        large = make(Path(made), megabytes)
        pairs = [
            paired(
                lambda: process(command(large)),
                lambda name=name: process(["openssl", "dgst", name, str(large.bundle)]),  # type: ignore[misc]
                runs=runs,
            )
            for name in ("-sha256", "-sha512")
        ]
        slower = max(pairs, key=lambda pair: pair.other)
        return Result(slower.ratio, slower.ours, slower.other, peak_memory(command(large)))


def main() -> None:
    """Print one line per figure."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    result = measure(megabytes, folder=Path(sys.argv[2]) if len(sys.argv) > 2 else None)
    print(f"verify {megabytes} MiB    {result.ours:7.2f} s")
    print(f"slower digest    {result.digest:7.2f} s")
    print(f"ratio            {result.ratio:7.2f}   (limit {LIMIT})")
    print(f"memory           {result.memory:7} MiB (limit {LIMIT_MEMORY})")


if __name__ == "__main__":
    main()
