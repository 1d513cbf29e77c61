"""Times in one form: aware UTC datetimes inside, RFC 3339 with ``Z`` outside."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""A source of aware UTC datetimes, handed in by the caller so that tests can fix it."""


def iso(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds where there are any, for example ``2026-11-23T10:00:00Z``.

    Raises:
        ValueError: the datetime carries no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a zone says nothing")
    text = moment.astimezone(UTC).isoformat()
    return text.replace("+00:00", "Z")


def parse_iso(text: str) -> datetime:
    """The inverse of :func:`iso`; accepts any RFC 3339 offset and returns UTC.

    Raises:
        ValueError: not such a time, or without a zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone says nothing")
    return moment.astimezone(UTC)


def compact(moment: datetime) -> str:
    """``20261123T100000Z``: the form used in file names (no characters that Windows refuses)."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
