"""Speed that is promised to users, measured against the thing it is compared with."""

from __future__ import annotations

import pytest

from benchmarks import bench_help


@pytest.mark.slow
@pytest.mark.xdist_group("speed")
def test_help_starts_within_twice_a_bare_click_program() -> None:
    assert bench_help.measure(runs=7).ratio <= bench_help.LIMIT
