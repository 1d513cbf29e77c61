"""What a bundle holds twice: vectors of its finding codes, and the attacks by its signer's hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from evidence_kit.core.clock import iso
from tests.bundles import WHEN, Case, example
from tests.vector_tools import Vector, of_bytes, of_case

_GOOD: Vector = of_bytes(lambda: example().seal())


def first(**values: Any) -> Vector:
    """The good bundle whose first event says something else than its record."""

    def change(case: Case) -> None:
        case.edit_first = lambda event: {**event, **values}

    return of_case(change)


TWICE: dict[str, Vector] = {
    "first-event.ok": _GOOD,
    "first-event.malformed": first(number=2),
    "first-event.differs": first(case="2026-999"),
}
"""By finding code."""

LATE = WHEN + timedelta(hours=1)

TWICE_ATTACKS: dict[str, tuple[Vector, str]] = {
    "first event of another capture": (
        first(capture="20261101T100000Z-0011aabb"),
        "first-event.differs",
    ),
    "first event of another organisation": (
        first(organisation="Ander Ziekenhuis"),
        "first-event.differs",
    ),
    "first event at another time than the seal": (
        first(time=iso(LATE), seconds_until_sealing=3605.0),
        "first-event.differs",
    ),
    "first event that hides how long the seal took": (
        first(captured_until=iso(WHEN - timedelta(days=3))),
        "first-event.differs",
    ),
    "second event inside the bundle": (
        of_case(lambda case: case.tags.update({"custody/0002-note.json": b"{}"})),
        "first-event.malformed",
    ),
    "first event left out": (
        of_case(lambda case: setattr(case, "edit_first", None)),
        "first-event.malformed",
    ),
}
"""Name, what makes the verdict, and the finding that must be in it."""
