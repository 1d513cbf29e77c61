"""Many bundles at once: the same verdicts in the same order, however many processes share them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evidence_kit.cli import verify as cli
from evidence_kit.cli.main import run
from evidence_kit.core.findings import Status
from evidence_kit.jobs.verify import verify_many
from tests.bundles import NOW, example, trusted


class Told:
    def __init__(self) -> None:
        self.steps: list[str] = []
        self.counts: list[tuple[int, int]] = []

    def step(self, text: str) -> None:
        self.steps.append(text)

    def advance(self, done: int, total: int) -> None:
        self.counts.append((done, total))


def several(folder: Path) -> list[Path]:
    good = example().seal()
    files = {"a": good, "b": good[:-1], "c": good, "d": good.replace(b"Lees mij", b"Lees hem")}
    for name, data in files.items():
        (folder / f"{name}.asice").write_bytes(data)
    return [folder / f"{name}.asice" for name in (*files, "gone")]


def test_workers_change_nothing_but_the_time(tmp_path: Path) -> None:
    paths, told = several(tmp_path), Told()
    options = {"anchors": trusted(), "now": NOW}
    alone = list(verify_many(paths, **options))  # type: ignore[arg-type]
    shared = list(verify_many(paths, **options, workers=2, progress=told))  # type: ignore[arg-type]
    assert shared == alone
    assert [one.status for one in shared] == [
        Status.PASSED,
        Status.FAILED,
        Status.PASSED,
        Status.FAILED,
        Status.INDETERMINATE,
    ]
    assert told.counts == [(number, 5) for number in range(1, 6)]


def test_stopping_early_leaves_no_process_behind(tmp_path: Path) -> None:
    import multiprocessing

    found = verify_many(several(tmp_path), anchors=trusted(), now=NOW, workers=2)
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert multiprocessing.active_children() == []


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(path) for path in several(tmp_path)]
    assert run(["verify", *paths, "--jobs", "2", "--json"]) == 10
    assert [one["path"] for one in json.loads(capsys.readouterr().out)["bundles"]] == paths


def test_few_bundles_start_no_further_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 200)
    assert cli._workers(cli.MIN_SHARED - 1, None) == 1
    assert cli._workers(cli.MIN_SHARED, None) == cli.MAX_JOBS
    assert cli._workers(2, 7) == 7
