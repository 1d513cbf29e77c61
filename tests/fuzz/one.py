"""One target under atheris: ``python -m tests.fuzz.one TARGET [libFuzzer options]``."""

from __future__ import annotations

import sys

import atheris

# Only what is imported in here reports its coverage.
with atheris.instrument_imports(include=["evidence_kit"]):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
