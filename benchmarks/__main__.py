"""``python -m benchmarks [MEGABYTES]``: every promised figure, measured in one run, as one table.

Ends with 1 where a limit is missed. ``docs/performance.md`` holds results with the machine.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from benchmarks import (
    bench_capture,
    bench_help,
    bench_large_body,
    bench_many,
    bench_recorder,
    bench_seal,
    bench_tls,
    bench_verify,
)
from benchmarks.timing import Pair

MEGABYTES = 1024


@dataclass(frozen=True)
class Row:
    """One figure and its limit, None where it is only shown; ``unit`` is ``x`` for ratios."""

    what: str
    against: str
    ours: float
    other: float
    value: float
    limit: float | None
    unit: str = "x"

    @property
    def good(self) -> bool:
        """Whether it is within its limit."""
        return self.limit is None or self.value <= self.limit


def _pair(what: str, against: str, limit: float, pair: Pair) -> Row:
    return Row(what, against, pair.ours, pair.other, pair.ratio, limit)


def _help() -> Iterator[Row]:
    yield _pair("--help", "bare click program", bench_help.LIMIT, bench_help.measure())


def _capture() -> Iterator[Row]:
    pair = bench_capture.measure()
    yield _pair("capture of the example post", "bare Playwright", bench_capture.LIMIT, pair)


def _recorder() -> Iterator[Row]:
    pair = bench_recorder.measure()
    yield _pair("53-request page, recorded", "not recorded", bench_recorder.LIMIT, pair)


def _large_body() -> Iterator[Row]:
    plain, tls = bench_large_body.measure(), bench_large_body.measure(tls=True)
    what = f"{bench_large_body.MEGABYTES} MiB body"
    for name, found in ((what, plain), (f"{what} over TLS", tls)):
        yield Row(
            f"{name}, recorded",
            "not recorded",
            found.recorded,
            found.not_recorded,
            found.ratio,
            bench_large_body.LIMIT,
        )
    limit = bench_large_body.LIMIT_MEMORY
    memory = max(plain.memory, tls.memory)
    yield Row(f"{what}, recorded", "memory", 0, 0, memory, limit, "MiB")
    if plain.by_log is not None and plain.by_log_ratio is not None:
        yield Row(
            f"{what}, in the browser's log",
            "not recorded",
            plain.by_log,
            plain.not_recorded,
            plain.by_log_ratio,
            None,
        )


def _tls() -> Iterator[Row]:
    what = f"{bench_tls.MEGABYTES} MiB of TLS opened"
    yield _pair(what, "AES-GCM alone", bench_tls.LIMIT, bench_tls.measure())


def _many() -> Iterator[Row]:
    found = bench_many.measure()
    yield Row(
        f"verify {bench_many.BUNDLES} bundles, {found.workers} processes",
        "one process",
        found.shared,
        found.alone,
        found.ratio,
        bench_many.LIMIT,
    )


def _verify(megabytes: int) -> Iterator[Row]:
    found = bench_verify.measure(megabytes, runs=3)
    yield Row(
        f"verify {megabytes} MiB",
        "slower openssl dgst",
        found.ours,
        found.digest,
        found.ratio,
        bench_verify.LIMIT,
    )
    limit = bench_verify.LIMIT_MEMORY
    yield Row(f"verify {megabytes} MiB", "memory", 0, 0, found.memory, limit, "MiB")


def _seal(megabytes: int) -> Iterator[Row]:
    found = bench_seal.measure(megabytes)
    yield Row(
        f"seal {megabytes} MiB",
        "cp + sync + slower digest",
        found.ours,
        found.other,
        found.ratio,
        bench_seal.LIMIT,
    )
    limit = bench_seal.LIMIT_MEMORY
    yield Row(f"seal {megabytes} MiB", "memory", 0, 0, found.memory, limit, "MiB")


def main() -> int:
    """Measure and print; 1 where a limit is missed."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else MEGABYTES
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print()
    print("| what | against | ours | other | measured | limit | |")
    print("|---|---|---:|---:|---:|---:|---|")
    measures: list[Callable[[], Iterator[Row]]] = [
        _help,
        _capture,
        _recorder,
        _large_body,
        _tls,
        _many,
        partial(_verify, megabytes),
        partial(_seal, megabytes),
    ]
    missed = 0
    for measure in measures:
        for row in measure():
            missed += not row.good
            seconds = f"{row.ours:.2f} s | {row.other:.2f} s" if row.other else " | "
            mark = "" if row.good else "**missed**"
            shown = f"{row.value:.2f} ×" if row.unit == "x" else f"{row.value:.0f} {row.unit}"
            unit = "×" if row.unit == "x" else row.unit
            limit = "" if row.limit is None else f"{row.limit:g} {unit}"
            print(
                f"| {row.what} | {row.against} | {seconds} | {shown} | {limit} | {mark} |",
                flush=True,
            )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
