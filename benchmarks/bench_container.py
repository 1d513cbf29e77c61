"""Sealing and verifying one large file against the raw cost of copying and hashing it.

``python benchmarks/bench_container.py [MEGABYTES] [FOLDER]`` prints seconds, ratios and memory.
Each figure is the best of three runs in a fresh process, the two sides in turn, so that a busy
machine hits both.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 3
BLOCK = 1 << 20

SEAL = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from evidence_kit.core.digests import digest_file
from evidence_kit.core.write_once import write_once
from evidence_kit.seal.container_write import Member, write_container
source, target = Path(sys.argv[1]), Path(sys.argv[2])
members = [Member("data/media/film.mp4", source, digest_file(source))]
with write_once(target) as stream:
    write_container(stream, members, datetime(2026, 11, 23, tzinfo=UTC))
"""

VERIFY = """
import sys
from pathlib import Path
from evidence_kit.seal.container_read import walk
walked = walk(Path(sys.argv[1]))
if not walked.canonical:
    raise SystemExit(str(walked.findings))
"""


def measure(command: list[str]) -> tuple[float, int]:
    """Wall seconds and peak memory in MiB of one process."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"failed: {command}")
    return seconds, usage.ru_maxrss // 1024


def main() -> None:
    """Make the data, run both sides in turn, print the table."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    parent = sys.argv[2] if len(sys.argv) > 2 else None
    folder = Path(tempfile.mkdtemp(dir=parent, prefix="bench-"))
    try:
        source, bundle, copy = folder / "film.mp4", folder / "x.asice", folder / "copy"
        with source.open("wb") as stream:
            block = os.urandom(BLOCK)
            for number in range(megabytes):
                stream.write(number.to_bytes(8, "big") + block[8:])
        best: dict[str, tuple[float, int]] = {}
        for _ in range(RUNS):
            for path in (bundle, copy):
                path.unlink(missing_ok=True)
            rows = {
                "cp + fsync": ["sh", "-c", 'cp "$1" "$2" && sync "$2"', "sh", source, copy],
                "seal": [sys.executable, "-c", SEAL, source, bundle],
                "openssl sha256": ["openssl", "dgst", "-sha256", bundle],
                "openssl sha512": ["openssl", "dgst", "-sha512", bundle],
                "verify": [sys.executable, "-c", VERIFY, bundle],
            }
            for name, command in rows.items():
                result = measure([str(part) for part in command])
                best[name] = min(best.get(name, result), result)
        for name, (seconds, memory) in best.items():
            print(f"{name:16} {seconds:7.2f} s  {memory:5} MiB")
        digest = max(best["openssl sha256"][0], best["openssl sha512"][0])
        copying = best["cp + fsync"][0]
        print(f"seal   / (cp + fsync + slower digest)  {best['seal'][0] / (copying + digest):.2f}")
        print(f"verify / slower digest                 {best['verify'][0] / digest:.2f}")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
