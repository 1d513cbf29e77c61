"""Codes, statuses, states and exit codes: the rules, and the documents that state them."""

from __future__ import annotations

import re
import sys
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.core.errors import ExitCode
from evidence_kit.core.findings import RULES, Finding, Section, Status, worst
from evidence_kit.core.verdict import (
    ACCEPTABLE,
    JUDGED,
    State,
    Verdict,
    counts,
    exit_code_of,
    state_of,
)
from evidence_kit.core.words import Words

DOCS = Path(__file__).parent.parent / "docs"
PASSING = (
    Finding("container.ok"),
    Finding("signer.valid"),
    Finding("signer.trusted"),
    Finding("timestamp.ok"),
    Finding("capture.ok"),
)


def verdict(*codes: str, accept: frozenset[str] = frozenset()) -> Verdict:
    """A good verdict with further findings."""
    return Verdict("x.asice", (*PASSING, *(Finding(code, "f") for code in codes)), accept)


def test_worst_in_every_combination() -> None:
    for chosen in product(Status, repeat=3):
        found = set(chosen) - {Status.INFO}
        if Status.FAILED in found:
            assert worst(chosen) is Status.FAILED
        elif Status.INDETERMINATE in found or not found:
            assert worst(chosen) is Status.INDETERMINATE
        else:
            assert worst(chosen) is Status.PASSED


def test_nothing_found_is_no_pass() -> None:
    empty = Verdict("x.asice", ())
    assert empty.status is Status.INDETERMINATE
    assert empty.states == (State.NOT_CHECKABLE,)
    assert empty.exit_code is ExitCode.INDETERMINATE
    assert exit_code_of([]) is ExitCode.INDETERMINATE


@pytest.mark.parametrize("left_out", range(len(PASSING)))
def test_a_section_that_was_not_checked_is_no_pass(left_out: int) -> None:
    rest = PASSING[:left_out] + PASSING[left_out + 1 :]
    assert Verdict("x.asice", PASSING).status is Status.PASSED
    assert Verdict("x.asice", rest).status is Status.INDETERMINATE


def test_remarks_alone_do_not_pass_a_section() -> None:
    rest = [finding for finding in PASSING if finding.code != "capture.ok"]
    remarks = (*rest, Finding("content.complete"), Finding("capture.redacted"))
    assert Verdict("x.asice", remarks).status is Status.INDETERMINATE
    assert Verdict("x.asice", remarks).section(Section.CONTENT) is Status.INDETERMINATE


@pytest.mark.parametrize("code", sorted(RULES))
def test_what_each_code_does_to_a_good_bundle(code: str) -> None:
    rule = RULES[code]
    found = verdict(code)
    judged = counts(code) and rule.status in (Status.FAILED, Status.INDETERMINATE)
    assert found.status is (rule.status if judged else Status.PASSED)
    if rule.status is Status.FAILED and judged:
        assert State.UNCHANGED not in found.states
        assert found.exit_code is ExitCode.FAILED
    if judged:
        state = state_of(code)
        assert state is not None, "a verdict without a headline"
        assert state in found.states


@pytest.mark.parametrize("code", sorted(RULES))
def test_codes_have_one_form(code: str) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*", code)


def test_of_custody_only_the_verifiers_own_receipt_counts() -> None:
    assert {code for code in RULES if counts(code) and RULES[code].section not in JUDGED} == {
        "custody.behind-receipt"
    }
    found = verdict("custody.behind-receipt")
    assert (found.status, found.exit_code) == (Status.FAILED, ExitCode.FAILED)
    assert found.states == (State.BEHIND_RECEIPT,)
    assert found.section(Section.INTEGRITY) is Status.PASSED


def test_custody_does_not_spoil_the_bundle() -> None:
    found = verdict("custody.stamp-invalid")
    assert found.status is Status.PASSED
    assert found.section(Section.CUSTODY) is Status.FAILED
    assert found.states == (State.UNCHANGED,)


def test_with_an_unknown_signer_unchanged_is_never_said() -> None:
    unknown = [finding for finding in PASSING if finding.code != "signer.trusted"]
    found = Verdict("x.asice", (*unknown, Finding("signer.unknown")))
    assert found.states == (State.SIGNER_UNKNOWN,)
    assert found.status is Status.INDETERMINATE
    accepted = Verdict(found.path, found.findings, frozenset({"unknown-signer"}))
    assert accepted.status is Status.PASSED
    assert accepted.states == (State.SIGNER_UNKNOWN,)
    assert accepted.section(Section.TRUST) is Status.INDETERMINATE


@pytest.mark.parametrize("word", sorted(ACCEPTABLE))
@pytest.mark.parametrize("code", sorted(RULES))
def test_accept_relaxes_its_own_codes_and_no_other(word: str, code: str) -> None:
    relaxed = verdict(code, accept=frozenset({word})).status
    if code in ACCEPTABLE[word]:
        assert relaxed is Status.PASSED
    else:
        assert relaxed is verdict(code).status


def test_accepting_does_not_replace_what_was_never_checked() -> None:
    time = [finding for finding in PASSING if finding.rule.section is not Section.TIME]
    found = Verdict("x", (*time, Finding("start-token.none")), frozenset({"no-timestamp"}))
    assert found.status is Status.INDETERMINATE


def test_what_follows_from_a_fault_is_not_told_as_a_state_of_its_own() -> None:
    found = verdict("file.changed", "bag.disagrees", "content.not-checked", "signer.unknown")
    assert found.states == (State.CHANGED,)
    found = verdict("file.missing", "bag.disagrees", "content.not-checked")
    assert found.states == (State.INCOMPLETE,)


def test_a_remark_never_displaces_the_outcome() -> None:
    found = verdict("signer.expired-since", "timestamp.qualification-unknown")
    assert found.status is Status.PASSED
    assert found.states[0] is State.UNCHANGED
    assert State.CERTIFICATE_EXPIRED in found.states
    assert verdict("signer.expired").states[0] is State.CERTIFICATE_EXPIRED


def test_exit_code_of_several() -> None:
    good, failed = verdict(), verdict("file.changed")
    doubtful, unreadable = verdict("signer.unknown"), verdict("container.unreadable")
    assert exit_code_of([good, good]) is ExitCode.OK
    assert exit_code_of([good, doubtful]) is ExitCode.INDETERMINATE
    assert exit_code_of([doubtful, unreadable, good]) is ExitCode.UNREADABLE
    assert exit_code_of([unreadable, doubtful, failed, good]) is ExitCode.FAILED


@given(st.lists(st.sampled_from(sorted(RULES)), max_size=12))
def test_any_set_of_findings_has_a_verdict_that_no_finding_improves(codes: list[str]) -> None:
    order = [Status.PASSED, Status.INDETERMINATE, Status.FAILED]
    found = verdict(*codes)
    assert found.states
    assert order.index(found.status) == max(
        (
            order.index(RULES[code].status)
            for code in codes
            if counts(code) and RULES[code].status in order
        ),
        default=0,
    )


def states_table() -> str:
    """The table of states as it must stand in docs/verdict.md."""
    dutch, english = Words("nl"), Words("en")
    exits = {Status.FAILED: "10", Status.INDETERMINATE: "11"}
    lines = ["| state | Dutch | English | status | exit |", "|---|---|---|---|---|"]
    for state in State:
        statuses = {RULES[code].status for code in RULES if state_of(code) is state}
        shown = sorted(one.value for one in statuses - {Status.INFO}) or ["none of its own"]
        codes = sorted({exits[status] for status in statuses if status in exits}) or ["–"]
        if state is State.NOT_CHECKABLE:
            codes.append("20 where the file cannot be read")
        lines.append(
            f"| `{state.value}` | {dutch.say('state-name', state)} "
            f"| {english.say('state-name', state)} | {', '.join(shown)} | {', '.join(codes)} |"
        )
    return "\n".join(lines) + "\n"


def codes_table() -> str:
    """The table of finding codes as it must stand in docs/verdict.md."""
    english = Words("en")
    lines = ["| code | section | status | state | sentence |", "|---|---|---|---|---|"]
    for code in sorted(RULES, key=lambda one: (list(Section).index(RULES[one].section), one)):
        rule, state = RULES[code], state_of(code)
        said = english.say("finding", code)
        shown = f"`{state.value}`" if state else ""
        lines.append(f"| `{code}` | {rule.section} | {rule.status} | {shown} | {said} |")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("table", [states_table, codes_table])
def test_the_document_states_what_the_code_does(table: object) -> None:
    assert callable(table)
    assert table() in (DOCS / "verdict.md").read_text("utf-8")


def test_exit_codes_are_documented_and_no_others() -> None:
    text = (DOCS / "exit-codes.md").read_text("utf-8")
    documented = [int(number) for number in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)]
    assert documented == sorted(ExitCode)


if __name__ == "__main__":  # for pasting into docs/verdict.md
    sys.stdout.write(f"{states_table()}\n{codes_table()}")
