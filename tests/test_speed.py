"""Speed that is promised to users, measured against the thing it is compared with."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks import bench_help, bench_tls


@pytest.mark.slow
@pytest.mark.xdist_group("speed")
def test_help_starts_within_twice_a_bare_click_program() -> None:
    assert bench_help.measure(runs=7).ratio <= bench_help.LIMIT


@pytest.mark.slow
@pytest.mark.xdist_group("speed")
def test_tls_is_opened_at_the_speed_of_its_cipher() -> None:
    assert bench_tls.measure(megabytes=64, runs=15).ratio <= bench_tls.LIMIT


LOADED_AHEAD = """\
import importlib, sys
import evidence_kit.jobs.capture
from evidence_kit.jobs.gathering import NEEDED_LATER
for name in NEEDED_LATER:
    importlib.import_module(name)
before = set(sys.modules)
from evidence_kit.core.schemas import schema_fault
from evidence_kit.seal.cades import sign
from tests.bundles import NOW, make_signer
signer = make_signer()
before |= {name for name in sys.modules if name.startswith(("tests.", "evidence_kit."))}
sign(b"manifest", signer, signing_time=NOW)
schema_fault({}, "receipt-1")
libraries = ("pyhanko", "asn1crypto", "jsonschema", "referencing")
print(sorted(name for name in set(sys.modules) - before if name.startswith(libraries)))
"""


def test_a_seal_loads_nothing_that_could_have_been_loaded_while_the_page_was_waited_for() -> None:
    command = [sys.executable, "-c", LOADED_AHEAD]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert found.stdout.strip() == "[]"
