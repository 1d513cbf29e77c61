"""What a user is told when a capture ends before its seal."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.cli.capture import NOT_THERE
from evidence_kit.core.errors import InterruptedByUserError
from evidence_kit.core.events import Silent
from evidence_kit.gather.content_check import ContentState
from evidence_kit.jobs import capture as job
from evidence_kit.jobs.capture_types import CaptureRequest
from evidence_kit.jobs.identity import create_identity, load_identity
from evidence_kit.jobs.trust import load_anchors
from evidence_kit.jobs.workfolder import WorkFolder

SECRET = b"a long passphrase"
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def _stopped_by(error: BaseException, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture whose gathering ends with ``error``."""

    class Gathering:
        def __init__(self, *_: Any, **__: Any) -> None: ...

        def run(self, *_: Any) -> None:
            raise error

    create_identity(home, "default", organisation="O", passphrase=SECRET, now=NOW)
    monkeypatch.setattr(job, "Gathering", Gathering)
    monkeypatch.setattr(job, "find_browser", lambda *_: None)
    job.capture(
        CaptureRequest(url="https://example.org/1", output=home / "out"),
        load_identity(home, "default", SECRET),
        anchors=load_anchors(home),
        home=home,
        progress=Silent(),
        clock=lambda: NOW,
    )


@pytest.fixture
def evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every work folder holds something."""
    monkeypatch.setattr(WorkFolder, "holds_evidence", True)


@pytest.mark.usefixtures("evidence")
def test_a_stop_by_the_keyboard_names_what_finishes_the_capture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InterruptedByUserError) as caught:
        _stopped_by(KeyboardInterrupt(), tmp_path, monkeypatch)
    (left,) = (tmp_path / "work").iterdir()
    assert f"evidence-kit recover {left.name}" in caught.value.hint
    assert caught.value.exit_code == 130


@pytest.mark.usefixtures("evidence")
def test_a_fault_of_ours_names_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError) as caught:
        _stopped_by(RuntimeError("boom"), tmp_path, monkeypatch)
    (left,) = (tmp_path / "work").iterdir()
    assert any(f"evidence-kit recover {left.name}" in note for note in caught.value.__notes__)


def test_nothing_is_promised_where_nothing_had_come_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InterruptedByUserError) as caught:
        _stopped_by(KeyboardInterrupt(), tmp_path, monkeypatch)
    assert caught.value.hint == ""
    assert not [*(tmp_path / "work").iterdir()]


def test_every_way_not_to_be_there_has_words() -> None:
    told = {state.value for state in ContentState} - {"present", "unknown"}
    assert set(NOT_THERE) == told
