"""The chain of custody after sealing: the form of one event, and what a set of them adds up to.

Each event is a small file signed by whoever caused it; it names the sealed file and everything
that was newest before it by digest (FORMAT.md section 7.1). Pure: files are read elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evidence_kit.core.canonical_json import JsonError, dumps, loads
from evidence_kit.core.clock import iso, parse_iso
from evidence_kit.core.schemas import schema_fault

SCHEMA = "evidence-kit/custody-event/1"

EVENTS = (
    "viewed",
    "copied",
    "exported",
    "handed-over",
    "received",
    "verified",
    "note",
    "destroyed",
)
"""What can be recorded. ``captured`` and ``sealed`` stand inside and beside every bundle."""

MAX_EVENT = 64 << 10
"""Bytes of one event; its longest text has 2,000 characters."""

FIRST_NUMBER = 2
"""Number 1 is the capture itself, ``custody/0001-captured.json``, or the stamp made with it."""

LAST_NUMBER = 9999
"""Four digits stand in a file name."""


@dataclass(frozen=True)
class EventDetails:
    """What a person adds to an event; every field may be empty.

    Attributes:
        reason: why, or what is noted.
        recipient: organisation or office that gets the material or gave it.
        service_number: of the person who receives it.
        pv_number: number of the police report.
        medium: how it went, for example a USB stick by hand.
    """

    reason: str = ""
    recipient: str = ""
    service_number: str = ""
    pv_number: str = ""
    medium: str = ""


@dataclass(frozen=True)
class Event:
    """One event as it is signed.

    Attributes:
        number: one more than the highest that was there.
        event: one of :data:`EVENTS`.
        time: UTC, by the clock of whoever signs.
        bundle, sha256, sha512, size: of the sealed file: name, hexadecimal digests, bytes.
        integrity: what the check of integrity gave then: PASSED, FAILED or INDETERMINATE.
        predecessors: SHA-512 of the files that nothing came after yet.
        organisation, staff_code, certificate_sha256: who.
        details: what a person added.
        made_by: program and version.
    """

    number: int
    event: str
    time: datetime
    bundle: str
    sha256: str
    sha512: str
    size: int
    integrity: str
    predecessors: tuple[str, ...]
    organisation: str
    staff_code: str | None
    certificate_sha256: str
    details: EventDetails
    made_by: str


def write_event(event: Event) -> bytes:
    """The event in its one form (``custody-event-1.schema.json``): these bytes are signed.

    Raises:
        ValueError: it would not conform to its own schema.
    """
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "number": event.number,
        "event": event.event,
        "time": iso(event.time),
        "bundle": {
            "name": event.bundle,
            "sha256": event.sha256,
            "sha512": event.sha512,
            "size": event.size,
            "integrity": event.integrity,
        },
        "predecessors": sorted(event.predecessors),
        "by": {
            "organisation": event.organisation,
            "staff_code": event.staff_code,
            "certificate_sha256": event.certificate_sha256,
        },
        **vars(event.details),
        "made_by": event.made_by,
    }
    fault = schema_fault(document, "custody-event-1")
    if fault is not None:
        raise ValueError(f"the event does not conform: {fault}")
    return dumps(document)


def read_event(data: bytes) -> Event:
    """The inverse of :func:`write_event`, for bytes of unknown origin.

    Raises:
        ValueError: not an event of this form.
    """
    document = loads(data, max_bytes=MAX_EVENT)
    fault = schema_fault(document, "custody-event-1")
    if fault is not None:
        raise JsonError(fault)
    if dumps(document) != data:
        raise JsonError("written in another form")
    bundle, by = document["bundle"], document["by"]
    return Event(
        number=document["number"],
        event=document["event"],
        time=parse_iso(document["time"]),
        bundle=bundle["name"],
        sha256=bundle["sha256"],
        sha512=bundle["sha512"],
        size=bundle["size"],
        integrity=bundle["integrity"],
        predecessors=tuple(document["predecessors"]),
        organisation=by["organisation"],
        staff_code=by["staff_code"],
        certificate_sha256=by["certificate_sha256"],
        details=EventDetails(**{name: document[name] for name in vars(EventDetails())}),
        made_by=document["made_by"],
    )


@dataclass(frozen=True)
class Link:
    """One file of the chain.

    Attributes:
        file: the ``.p7s`` or ``.tsr``.
        number: as its name says.
        sha512: of that file.
        event: what it signs, None for a stamp and for an event that does not hold.
    """

    file: str
    number: int
    sha512: str
    event: Event | None = None

    @property
    def sound(self) -> bool:
        """Whether something new may follow it: not an event that was edited."""
        return self.event is not None or self.file.endswith(".tsr")


@dataclass(frozen=True)
class Chain:
    """What the files beside a bundle add up to.

    Attributes:
        links: in order of number and name.
        parents: for each file, the files that it names and that are there.
        forks: what two or more events follow directly, with these events; the empty name stands
            for the sealed file itself.
        gaps: events, with what is missing before them: a digest, or a number.
        heads: what nothing came after yet.
    """

    links: tuple[Link, ...]
    parents: dict[str, tuple[str, ...]]
    forks: tuple[tuple[str, tuple[str, ...]], ...]
    gaps: tuple[tuple[str, str], ...]
    heads: tuple[Link, ...]

    @property
    def next_number(self) -> int:
        """The number of the next event."""
        return max((link.number for link in self.links if link.sound), default=FIRST_NUMBER - 1) + 1


def build_chain(links: Iterable[Link]) -> Chain:
    """Join events by the digests that they name. Only events whose signature holds are given.

    A fork is two events after the same one: both ways are shown, neither is called the right
    one. A gap is an event that names something which is not there, or that skips a number.
    """
    ordered = tuple(sorted(links, key=lambda link: (link.number, link.file)))
    by_digest = {link.sha512: link for link in ordered}
    parents: dict[str, tuple[str, ...]] = {}
    followers: dict[str, list[str]] = {"": []}
    gaps: list[tuple[str, str]] = []
    named: set[str] = set()
    for link in ordered:
        if link.event is None:
            parents[link.file] = ()
            continue
        before = dict.fromkeys(link.event.predecessors)
        known = [one for one in ordered if one.sha512 in before]
        named |= {one.sha512 for one in known}
        parents[link.file] = tuple(one.file for one in known)
        missing = [one for one in link.event.predecessors if one not in by_digest]
        gaps += [(link.file, one) for one in missing]
        if not missing:
            gaps += _skipped(link, link.event, known)
        events = [one.file for one in known if one.event is not None]
        for file in events or ([] if missing else [""]):
            followers.setdefault(file, []).append(link.file)
    forks = tuple((file, tuple(after)) for file, after in followers.items() if len(after) > 1)
    heads = tuple(link for link in ordered if link.sound and link.sha512 not in named)
    return Chain(ordered, parents, forks, tuple(gaps), heads)


def _skipped(link: Link, event: Event, known: Sequence[Link]) -> list[tuple[str, str]]:
    expected = max([FIRST_NUMBER, *(one.number + 1 for one in known)])
    if event.number <= expected:
        return []
    return [(link.file, f"{number:04}") for number in range(expected, min(event.number, 9999))][:10]
