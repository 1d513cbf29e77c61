"""A verdict for a person: headline and sentences first, then each section with its findings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evidence_kit.core.findings import Finding, Section, Status
from evidence_kit.core.terminal_text import harmless
from evidence_kit.core.verdict import Verdict
from evidence_kit.core.verdict_words import (
    finding_sentence,
    grouped,
    moment,
    told_first,
    verdict_lines,
)
from evidence_kit.core.words import Words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_COLOUR = {
    Status.PASSED: "green",
    Status.FAILED: "bold red",
    Status.INDETERMINATE: "yellow",
    Status.INFO: "dim",
}
_MARK = {Status.PASSED: "+", Status.FAILED: "!", Status.INDETERMINATE: "?", Status.INFO: "-"}

MAX_SHOWN = 30
"""Findings of one section that are printed; JSON has them all."""

TELLING = frozenset({"atproto.proof-ok", "atproto.absence-ok"})
"""Checks that went well and yet say something that a reader must not miss."""

FOR_DETAILS = frozenset({"answer.unnamed"})
"""What every bundle says and only an examiner looks for."""

_NARROW = 60
"""Columns below which wrapping helps nobody."""


def console() -> Console:
    """Results on stdout; colours only in a terminal, and no line breaks of our own in a pipe."""
    from rich.console import Console

    made = Console(highlight=False, markup=False, emoji=False)
    made.soft_wrap = not made.is_terminal or made.width < _NARROW
    return made


def hanging(out: Console, text: Text, indent: int, *, more: int = 0) -> None:
    """Print a paragraph, indented on every line that the terminal's width makes of it.

    Args:
        out: where to; in a pipe and in a very narrow terminal it stays one line.
        text: what; harmless already.
        indent: columns before it.
        more: columns before its second and later lines, on top of that.
    """
    from rich.text import Text as RichText

    lead = " " * indent
    if out.soft_wrap:
        out.print(RichText.assemble(lead, text))
        return
    first, *rest = text.wrap(out, out.width - indent - more)
    out.print(RichText.assemble(lead, first))
    for line in rest:
        out.print(RichText.assemble(lead + " " * more, line))


def print_verdict(verdict: Verdict, words: Words, out: Console, *, details: bool = False) -> None:
    """Print one verdict; with ``details`` also the checks that found nothing wrong.

    Everything captured has gone through ``harmless``.
    """
    from rich.text import Text

    out.print(Text(harmless(verdict.path), style="bold"))
    lines = list(verdict_lines(verdict, words))
    name, sentence = lines[0]
    colour = _COLOUR[verdict.status]
    out.print(Text.assemble("  ", (name, colour), f"  ({verdict.status.value})"))
    hanging(out, Text(sentence), 2)
    for name, sentence in lines[1:]:
        hanging(out, Text.assemble((name, "bold"), ": " if name else "", sentence), 2)
    _print_facts(verdict, words, out)
    for section in Section:
        _print_section(verdict, section, words, out, details=details)


def _print_facts(verdict: Verdict, words: Words, out: Console) -> None:
    from rich.text import Text

    facts: list[tuple[str, str]] = []
    if verdict.signer is not None:
        facts.append(("signer", harmless(verdict.signer.name)))
        facts.append(("fingerprint", grouped(verdict.signer.fingerprint)))
    time = verdict.time
    if time.signing_time is not None:
        facts.append(("signed-at", moment(time.signing_time)))
    if time.stamp_time is not None:
        facts.append(("stamped-at", moment(time.stamp_time)))
        facts.append(("stamped-by", harmless(time.stamp_by)))
    if time.renew_before is not None:
        facts.append(("renew-before", moment(time.renew_before)))
    if verdict.file is not None:
        facts.append(("sha512", verdict.file.sha512))
    for label, value in facts:
        hanging(out, Text(f"{words.say('label', label)}: {value}"), 2, more=2)


def _print_section(
    verdict: Verdict, section: Section, words: Words, out: Console, *, details: bool
) -> None:
    from rich.text import Text

    status = verdict.section(section)
    out.print(
        Text.assemble(
            "  ",
            (words.say("section", section), "bold"),
            ": ",
            (words.say("status", status), _COLOUR[status]),
        )
    )
    found = [
        finding
        for finding in verdict.findings
        if finding.rule.section is section and (details or _at_first_sight(finding))
    ]
    for finding in _weightiest(found):
        said = f"{_MARK[finding.rule.status]} {finding_sentence(finding, words)} [{finding.code}]"
        hanging(out, Text(said), 4, more=2)
    rest = len(found) - MAX_SHOWN
    if rest > 0:
        out.print(Text(f"    {words.say('label', 'and-more', {'count': str(rest)})}"))


def _at_first_sight(finding: Finding) -> bool:
    return finding.code in TELLING or (
        finding.rule.status is not Status.PASSED and finding.code not in FOR_DETAILS
    )


def _weightiest(found: Sequence[Finding]) -> list[Finding]:
    order = [Status.FAILED, Status.INDETERMINATE, Status.PASSED, Status.INFO]
    return sorted(found, key=lambda finding: order.index(finding.rule.status))[:MAX_SHOWN]


def print_summary(verdicts: Sequence[Verdict], words: Words, out: Console) -> None:
    """A table of several verdicts."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=words.say("label", "summary"), title_justify="left")
    table.add_column(words.say("label", "file"), overflow="fold")
    table.add_column(words.say("label", "result"))
    for verdict in verdicts:
        names = [words.say("state-name", verdict.states[0])]
        names += [words.say("content-name", one.code) for one in told_first(verdict)]
        table.add_row(
            Text(harmless(verdict.path)),
            Text(f"{verdict.status.value}: {', '.join(names)}", style=_COLOUR[verdict.status]),
        )
    out.print(table)
    out.print(words.say("label", "total", {"count": str(len(verdicts))}))
