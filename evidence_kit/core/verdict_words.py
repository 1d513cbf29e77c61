"""A verdict in the words of one language: the same sentences for terminal, report and library."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from evidence_kit.core.clock import parse_iso
from evidence_kit.core.findings import Finding, Section, Status
from evidence_kit.core.terminal_text import harmless
from evidence_kit.core.verdict import ACCEPTABLE, State, Verdict, state_of
from evidence_kit.core.words import Words

MAX_NAMED = 12
"""Files that one sentence names; the findings name them all."""

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")

TOLD_FIRST = ("content.not-there", "content.partial", "supplied.not-captured")
"""What the record says of its own content and a reader must not miss behind an unbroken seal."""

GROUP = 4
"""Characters in a group of a fingerprint: what people read to each other by telephone."""


def moment(when: datetime) -> str:
    """A time for people, always UTC and saying so: ``2026-11-23 10:00:02 UTC``."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def grouped(fingerprint: str) -> str:
    """A fingerprint in groups, for reading aloud."""
    return " ".join(fingerprint[at : at + GROUP] for at in range(0, len(fingerprint), GROUP))


def finding_sentence(finding: Finding, words: Words) -> str:
    """The sentence of one finding, harmless for a terminal."""
    params = {name: readable(value) for name, value in finding.params.items()}
    params["subject"] = finding.subject
    if finding.code == "content.not-there":
        params["detail"] = content_words(finding.params.get("detail", ""), words)
    elif finding.code == "capture.warning":
        params["subject"] = _warned_of(finding, words)
    return harmless(words.say("finding", finding.code, params))


def content_words(detail: str, words: Words) -> str:
    """What the content check found, its state in words: ``login wall (http:403, ...)``.

    Args:
        detail: the state's code, then a colon and its signals where there are any.
        words: the language. A state that this version does not know stays as it is.
    """
    state, _, signals = detail.partition(": ")
    known = words.say("content-state", state) if state in words.keys("content-state") else state
    return f"{known}; {signals}" if signals else known


def _warned_of(finding: Finding, words: Words) -> str:
    """What a capture warned of, in words where its code is known, before what it is about.

    The code stands before the detail, or in the place of a subject where there is none.
    """
    code = finding.params.get("detail", "").partition(": ")[0]
    known = words.keys("warning")
    if finding.subject in known:
        return words.say("warning", finding.subject)
    return f"{words.say('warning', code)}: {finding.subject}" if code in known else finding.subject


def state_sentence(verdict: Verdict, state: State, words: Words) -> str:
    """The sentence of one state, with the files, reasons and moments of this verdict."""
    params = {
        "files": _named(verdict.subjects(state), words),
        "reason": _reason(verdict, words),
        "validity": words.say("validity", _validity(verdict, state)),
    }
    said = harmless(words.say("state", state, params))
    if state is State.UNCHANGED:
        return f"{said} {sealing_time(verdict, words)}"
    if state in (State.TIMESTAMP_QUALIFIED, State.TIMESTAMP_NOT_QUALIFIED):
        return f"{said} {_by_list(verdict, words)}".rstrip()
    return said


def sealing_time(verdict: Verdict, words: Words) -> str:
    """When the bundle existed, and who says so; never when the post was placed."""
    time = verdict.time
    if time.stamp_trusted and time.stamp_time is not None:
        return words.say("sentence", "stamped", {"date": moment(time.stamp_time)})
    if time.signing_time is not None:
        return words.say("sentence", "own-clock", {"date": moment(time.signing_time)})
    return words.say("sentence", "no-time")


def _by_list(verdict: Verdict, words: Words) -> str:
    """Which trusted list says so, of when, and how old it was at the verification."""
    found = verdict.time.qualified_by
    if found is None:
        return ""
    issued = found.issued.date().isoformat()
    params = {"territory": found.territory, "issued": issued, "age": str(found.age)}
    return harmless(words.say("sentence", "by-list", params))


def verdict_lines(verdict: Verdict, words: Words) -> Iterator[tuple[str, str]]:
    """Name and sentence of each state, headline first, then what is always said.

    That the post was not there, or was handed in, follows the states: a seal that holds says
    nothing about it. Where a choice of the caller made the difference, that is said as well.
    """
    for state in verdict.states:
        yield words.say("state-name", state), state_sentence(verdict, state, words)
    for finding in told_first(verdict):
        yield words.say("content-name", finding.code), finding_sentence(finding, words)
    codes = {finding.code for finding in verdict.findings}
    for word in sorted(verdict.accepted):
        if ACCEPTABLE[word] & codes:
            yield "", words.say("sentence", "accepted", {"what": word})
    yield "", words.say("sentence", "always")


def told_first(verdict: Verdict) -> Iterator[Finding]:
    """The findings of :data:`TOLD_FIRST`, in their order."""
    return (finding for finding in verdict.findings if finding.code in TOLD_FIRST)


def readable(value: str) -> str:
    """A time of a bundle in the one form for people; everything else as it is."""
    if not _TIME.fullmatch(value):
        return value
    try:
        return moment(parse_iso(value))
    except ValueError:
        return value


def _validity(verdict: Verdict, state: State) -> str:
    """Whether the certificate was valid when it signed: yes, no, or unknown without a stamp."""
    found = [f for f in verdict.findings if f.rule.section in (Section.SIGNER, Section.TRUST)]
    about = [f for f in found if state_of(f.code) is state]
    if about and all(finding.rule.status is Status.INFO for finding in about):
        return "yes"
    return "no" if verdict.time.stamp_trusted else "unknown"


def _reason(verdict: Verdict, words: Words) -> str:
    for finding in verdict.findings:
        if finding.code == "container.unreadable":
            return words.say("reason", "container-unreadable")
    names = dict.fromkeys(
        words.say("section", finding.rule.section)
        for finding in verdict.findings
        if state_of(finding.code) is State.NOT_CHECKABLE
    )
    return words.say("reason", "not-checked", {"what": ", ".join(names) or "-"})


def _named(subjects: tuple[str, ...], words: Words) -> str:
    shown = ", ".join(subjects[:MAX_NAMED])
    rest = len(subjects) - MAX_NAMED
    return shown if rest <= 0 else f"{shown} {words.say('label', 'and-more', {'count': str(rest)})}"
