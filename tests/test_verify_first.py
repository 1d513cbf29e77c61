"""The first event of the chain of custody against the record and the seal."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.core.clock import iso
from evidence_kit.core.findings import Finding, Status
from tests.bundles import WHEN, Case, example
from tests.supplied_tools import supplied_case
from tests.vector_tools import judged

OTHER: dict[str, Any] = {
    "capture": "20261123T100000Z-ffffffff",
    "organisation": "Ander Ziekenhuis",
    "staff_code": None,
    "certificate_sha256": "0" * 64,
    "reason": "een andere reden",
    "case": "",
    "event": "supplied",
}


def told(case: Case, folder: Path) -> list[Finding]:
    found = judged(case.write(folder)).findings
    return [one for one in found if one.code.startswith("first-event.")]


def differing(case: Case, folder: Path) -> str:
    (found,) = told(case, folder)
    return found.params.get("fields", "")


@pytest.mark.parametrize("field", OTHER)
def test_each_field_is_compared(field: str, tmp_path: Path) -> None:
    case = example()
    case.edit_first = lambda event: {**event, field: OTHER[field]}
    assert differing(case, tmp_path) == field


def test_a_difference_is_failed_and_says_the_fields(tmp_path: Path) -> None:
    case = example()
    case.edit_first = lambda event: {**event, "case": "x", "staff_code": "M-18"}
    verdict = judged(case.write(tmp_path))
    assert verdict.status is Status.FAILED and verdict.exit_code == 10
    assert differing(case, tmp_path) == "staff_code, case"


def test_parts_of_a_second_make_no_difference(tmp_path: Path) -> None:
    """The signature states whole seconds; the event the moment itself."""
    case = example()
    moment = WHEN + timedelta(microseconds=999_999)
    times = {"time": iso(moment), "seconds_until_sealing": 6.0}
    case.edit_first = lambda event: {**event, **times}
    assert [one.code for one in told(case, tmp_path)] == ["first-event.ok"]
    case.edit_first = lambda event: {**event, **times, "time": iso(moment + timedelta(seconds=1))}
    assert differing(case, tmp_path) == "time, seconds_until_sealing"


def test_a_clock_that_was_set_back_makes_no_difference(tmp_path: Path) -> None:
    case = example()
    later = iso(WHEN + timedelta(hours=2))
    case.edit_first = lambda event: {**event, "captured_until": later, "seconds_until_sealing": 0}
    assert [one.code for one in told(case, tmp_path)] == ["first-event.ok"]


@pytest.mark.parametrize("time", ["2026-02-30T10:00:00Z", "2026-11-23T25:00:00Z"])
def test_a_time_that_does_not_exist_differs(time: str, tmp_path: Path) -> None:
    case = example()
    case.edit_first = lambda event: {**event, "time": time}
    assert differing(case, tmp_path) == "time"


@pytest.mark.parametrize(
    ("recorded", "stated", "same"),
    [
        (
            "zie https://a.example/?token=REDACTED#3 en bel",
            "zie https://a.example/?token=x en bel",
            True,
        ),
        ("REDACTED#1---------", "geheim", True),
        ("a REDACTED#1 b REDACTED#12-- c", "a x b y c", True),
        ("a REDACTED#1 b REDACTED#12-- c", "a x y c", False),
        ("a REDACTED#1", "b x", False),
        ("REDACTED#1 a", "x b", False),
        ("a REDACTED#1 a", "a a", False),
    ],
)
def test_what_was_masked_in_the_record_is_not_compared(
    recorded: str, stated: str, same: bool, tmp_path: Path
) -> None:
    case = example()
    case.record["request"]["reason"] = recorded
    case.edit_first = lambda event: {**event, "reason": stated}
    assert differing(case, tmp_path) == ("" if same else "reason")


@pytest.mark.parametrize("bad", [{"more": 1}, {"time": "yesterday"}, {"number": 2}])
def test_another_form_is_failed(bad: dict[str, Any], tmp_path: Path) -> None:
    case = example()
    case.edit_first = lambda event: {**event, **bad}
    assert [one.code for one in told(case, tmp_path)] == ["first-event.malformed"]


@pytest.mark.parametrize("data", [b"", b"[" * 100_000, b"{}", b" " * 70_000, b"\xff"])
def test_damaged_bytes_are_a_finding(data: bytes, tmp_path: Path) -> None:
    case = example()
    case.tags["custody/0001-captured.json"] = data
    assert [one.code for one in told(case, tmp_path)] == ["first-event.malformed"]


def test_what_was_handed_in_has_such_an_event_too(tmp_path: Path) -> None:
    assert [one.code for one in told(supplied_case(), tmp_path)] == ["first-event.ok"]
    case = supplied_case(edit=lambda record: record.update(case="2026-9"))
    assert [one.code for one in told(case, tmp_path)] == ["first-event.ok"]
    case.tags["custody/0001-captured.json"] = b"{}"
    assert [one.code for one in told(case, tmp_path)] == ["first-event.malformed"]
