"""What a bundle holds twice: vectors of its finding codes, and the attacks by its signer's hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from evidence_kit.core.canonical_json import dumps, loads
from evidence_kit.core.clock import iso
from evidence_kit.core.streams import FILE, summary
from tests.bundles import WHEN, Case, example
from tests.stream_tools import add_stream
from tests.vector_tools import Vector, of_bytes, of_case

_GOOD: Vector = of_bytes(lambda: example().seal())


def first(**values: Any) -> Vector:
    """The good bundle whose first event says something else than its record."""

    def change(case: Case) -> None:
        case.edit_first = lambda event: {**event, **values}

    return of_case(change)


def stream_claims(change: Callable[[dict[str, Any]], object]) -> Case:
    """The good bundle with a stream of two parts; its one track is changed in the index."""
    case = example()
    add_stream(case)
    index = loads(case.files[FILE])
    change(index["streams"][0]["tracks"][0])
    case.files[FILE] = dumps(index)
    case.record["streams"] = summary(index)
    return case


def _stream(change: Callable[[dict[str, Any]], object]) -> Vector:
    return of_bytes(lambda: stream_claims(change).seal())


def _lost(case: Case) -> None:
    """The way from one part's address to another goes over what the browser still knew."""
    add_stream(case)
    index = loads(case.files[FILE])
    part = index["streams"][0]["tracks"][0]["parts"][0]
    part["url"] = "http://old.example/a.ts"
    case.files[FILE] = dumps(index)
    case.record["recording"]["cached"] = [{"url": part["url"], "reason": "cache"}]


TWICE: dict[str, Vector] = {
    "first-event.ok": _GOOD,
    "first-event.malformed": first(number=2),
    "first-event.differs": first(case="2026-999"),
    "stream.address-open": of_case(_lost),
}
"""By finding code."""

LATE = WHEN + timedelta(hours=1)

TWICE_ATTACKS: dict[str, tuple[Vector, str]] = {
    "part of a film under the address of another one": (
        _stream(lambda track: track["parts"][0].update(url=track["parts"][1]["url"])),
        "stream.differs",
    ),
    "part of a film that is another range": (
        _stream(lambda track: track["parts"][0].update(range=[3000, 5999])),
        "stream.differs",
    ),
    "part of a film as if the page had asked for it": (
        _stream(lambda track: track["parts"][0].update(refetched=False)),
        "stream.differs",
    ),
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
