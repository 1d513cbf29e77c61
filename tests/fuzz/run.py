"""Coverage-guided fuzzing with atheris: ``python -m tests.fuzz.run [SECONDS] [TARGET...]``.

Each target runs in a process of its own from the kept corpus on. What is found stands under
``.cache/fuzz/TARGET``: a crash goes into ``tests/fuzz/corpus/TARGET`` with its correction, so that
the ordinary tests try it for ever.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
FOUND = Path(__file__).parent.parent.parent / ".cache" / "fuzz"

SECONDS = 30
"""For each target."""

MAX_BYTES = 16 << 10
"""Of one input: enough for a signature with its stamp."""

MAX_MEMORY = 1024
"""MiB, of the process with libraries and coverage."""


def main() -> int:
    """Run the targets one after the other; 1 where one of them found something."""
    arguments = sys.argv[1:]
    seconds = int(arguments.pop(0)) if arguments and arguments[0].isdigit() else SECONDS
    failed = []
    for name in arguments or TARGETS:
        found = FOUND / name
        found.mkdir(parents=True, exist_ok=True)
        limits = [
            f"-max_total_time={seconds}",
            f"-max_len={MAX_BYTES}",
            f"-rss_limit_mb={MAX_MEMORY}",
            "-timeout=10",
            f"-artifact_prefix={found}/",
        ]
        command = [
            sys.executable,
            "-m",
            "tests.fuzz.one",
            name,
            *limits,
            str(found),
            str(CORPUS / name),
        ]
        sys.stderr.write(f"== {name}\n")
        if subprocess.run(command, timeout=seconds * 4 + 120).returncode != 0:
            failed.append(name)
    sys.stderr.write("nothing found\n" if not failed else f"found: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
