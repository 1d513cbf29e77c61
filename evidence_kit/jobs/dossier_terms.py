"""Terms and articles: the last day for a complaint, and what may be of importance. No advice.

The articles are a data file with a reference date and a source; it is shown with every answer.
"""

from __future__ import annotations

import calendar
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files

from evidence_kit.jobs.dossier_file import DossierFile

OFFENCES = "offences-2026-07-01.toml"
COMPLAINT_MONTHS = 3
"""Art. 66 Sr: three months after the day on which the entitled person learned of the fact."""

WARN_DAYS = (3, 14, 30)
"""Days before the last one at which a warning is given, the most pressing first."""

STALE = timedelta(days=365)
"""Age of the data file at which the reader is told that the law may have changed."""


@dataclass(frozen=True)
class Offence:
    """One article. ``complaint`` is ``yes``, ``no`` or ``partly``; ``maximum`` may be empty."""

    article: str
    name: str
    elements: str
    complaint: str
    maximum: str
    note: str
    behaviours: tuple[str, ...]


@dataclass(frozen=True)
class OffenceList:
    """The data file: articles, the day they were looked up for, and where."""

    reference_date: date
    source: str
    offences: tuple[Offence, ...]


@dataclass(frozen=True)
class Term:
    """The term for a complaint.

    Attributes:
        known: day on which the entitled person learned of it; None where it is not known.
        last_day: last day of the term; None where it cannot be said.
        days_left: from the day of asking; negative once it is past.
        filed: day on which the complaint was made.
        state: ``unknown``, ``open``, ``warn-30``, ``warn-14``, ``warn-3``, ``past``,
            ``filed-in-time`` or ``filed-late``.
    """

    known: date | None
    last_day: date | None
    days_left: int | None
    filed: date | None
    state: str


@cache
def load_offences() -> OffenceList:
    """The articles that come with this version."""
    found = tomllib.loads((files("evidence_kit") / "text" / OFFENCES).read_text("utf-8"))
    offences = tuple(
        Offence(**{**entry, "behaviours": tuple(entry["behaviours"])}) for entry in found["offence"]
    )
    return OffenceList(found["reference_date"], found["source"], offences)


def last_day(known: date) -> date:
    """Three months later: the same day of the month, or the month's last day where it has none.

    No extension for weekends or holidays is counted: who keeps to this day is in time.
    """
    month = known.month - 1 + COMPLAINT_MONTHS
    year, month = known.year + month // 12, month % 12 + 1
    return date(year, month, min(known.day, calendar.monthrange(year, month)[1]))


def complaint_term(known: date | None, today: date, filed: date | None = None) -> Term:
    """How the term for a complaint stands on a day. An unknown day is said, never guessed."""
    if known is None:
        return Term(None, None, None, filed, "unknown")
    last = last_day(known)
    left = (last - today).days
    if filed is not None:
        return Term(known, last, left, filed, "filed-in-time" if filed <= last else "filed-late")
    if left < 0:
        return Term(known, last, left, None, "past")
    for days in WARN_DAYS:
        if left <= days:
            return Term(known, last, left, None, f"warn-{days}")
    return Term(known, last, left, None, "open")


def possible_offences(behaviours: Iterable[str], named: Sequence[str] = ()) -> tuple[Offence, ...]:
    """Articles that may be of importance: for these types of behaviour, or named by a person."""
    wanted, articles = set(behaviours), set(named)
    return tuple(
        offence
        for offence in load_offences().offences
        if wanted & set(offence.behaviours) or offence.article in articles
    )


def offences_of(dossier: DossierFile) -> tuple[Offence, ...]:
    """:func:`possible_offences` for everything that the dossier's items name."""
    items = dossier.lists["item"]
    behaviours = {one for item in items for one in item.get("behaviours", [])}
    named = [one for item in items for one in item.get("offences", [])]
    return possible_offences(behaviours, named)
