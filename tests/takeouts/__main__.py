"""Take checks out and demand red: ``python -m tests.takeouts [NAME...]``; all without a name."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.takeouts import TakeOut, takeouts
from tests.takeouts.runner import Copy


def main(names: list[str]) -> int:
    """Try the checks of these names; 1 where one is not missed by its tests."""
    table = takeouts()
    unknown = [name for name in names if name not in table]
    if unknown:
        sys.stderr.write(f"error: no check is called '{unknown[0]}'\n")
        return 2
    checks = [table[name] for name in names or table]
    with tempfile.TemporaryDirectory() as folder:
        return 1 if _try(Copy(Path(folder)), checks) else 0


def _try(copy: Copy, checks: list[TakeOut]) -> int:
    """Number of faults. First everything must be green with all checks in their places."""
    nodes = sorted({node for check in checks for node in check.red})
    ended = copy.outcomes(nodes)
    faults = [
        f"{node}: {ended.get(node, 'not run')}" for node in nodes if ended.get(node) != "passed"
    ]
    sys.stdout.write(f"{len(nodes)} tests, {len(nodes) - len(faults)} green with every check\n")
    for check in checks:
        fault = copy.fault(check)
        sys.stdout.write(f"{'NOT RED' if fault else 'red'}  {check.name}  {fault}\n")
        sys.stdout.flush()
        if fault:
            faults.append(f"{check.name}: {fault}")
    sys.stdout.write("\n".join(["", *faults, f"{len(checks)} checks, {len(faults)} faults"]) + "\n")
    return len(faults)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
