"""Sealing one large file against copying it, writing it to the disk and hashing it once.

The digests of a file are taken when it is captured; the seal copies it, checks size and CRC on the
way, and takes the digests of the whole container. Both sides are whole processes, in turn.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.timing import paired, peak_memory, process, python
from evidence_kit.core.digests import digest_file

LIMIT = 2.0
LIMIT_MEMORY = 200
"""MiB at the peak, whatever the size."""

BLOCK = 1 << 20

SEAL = """\
import json, sys
from datetime import UTC, datetime
from pathlib import Path
from evidence_kit.core.digests import Digests
from evidence_kit.core.write_once import write_once
from evidence_kit.seal.container_write import Member, write_container
source, target = Path(sys.argv[1]), Path(sys.argv[2])
target.unlink(missing_ok=True)
members = [Member("data/media/film.mp4", source, Digests(**json.loads(sys.argv[3])))]
with write_once(target) as stream:
    write_container(stream, members, datetime(2026, 11, 23, tzinfo=UTC))
"""


@dataclass(frozen=True)
class Result:
    """Ratio to copying and hashing, seconds of both, and memory at the peak in MiB."""

    ratio: float
    ours: float
    other: float
    memory: int


def measure(megabytes: int = 1024, runs: int = 3, folder: Path | None = None) -> Result:
    """Seal a file of that size."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        source, target, copy = (Path(name) / part for part in ("film.mp4", "x.asice", "copy"))
        with source.open("wb") as stream:
            block = os.urandom(BLOCK)
            for number in range(megabytes):
                stream.write(number.to_bytes(8, "big") + block[8:])
        digests = json.dumps(asdict(digest_file(source)))
        command = python("-c", SEAL, str(source), str(target), digests)
        plain = 'cp "$1" "$2" && sync "$2" && openssl dgst "-$3" "$2" >/dev/null'
        pairs = [
            paired(
                lambda: process(command),
                lambda algorithm=algorithm: process(  # type: ignore[misc]
                    ["sh", "-c", plain, "sh", str(source), str(copy), algorithm]
                ),
                runs=runs,
            )
            for algorithm in ("sha256", "sha512")
        ]
        slower = max(pairs, key=lambda pair: pair.other)
        return Result(slower.ratio, slower.ours, slower.other, peak_memory(command))
