"""``evidence-kit --help`` against the smallest click program: at most twice as long."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.timing import Pair, paired, process, python

LIMIT = 2.0
BARE = """\
import click


@click.command()
def hello() -> None:
    \"\"\"The smallest click program.\"\"\"


hello()
"""


def measure(runs: int = 15) -> Pair:
    """Both as whole processes."""
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE, "utf-8")
        return paired(
            lambda: process(python("-m", "evidence_kit", "--help")),
            lambda: process(python(str(bare), "--help")),
            runs=runs,
        )
