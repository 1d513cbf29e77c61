"""The first event of the chain of custody, inside the bundle, against what the record says.

Who captured, when, why and for which case stands in both. They are written by one program in one
go; where they differ, one of them was made by somebody else or later.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from evidence_kit.core.canonical_json import JsonError, loads
from evidence_kit.core.clock import parse_iso
from evidence_kit.core.findings import Finding
from evidence_kit.core.schemas import schema_fault
from evidence_kit.seal.container_read import Walk, read_entry
from evidence_kit.seal.custody import MAX_EVENT

FOLDER = "custody/"
FILE = FOLDER + "0001-{event}.json"

ROUNDING = 0.002
"""Seconds: the stated delay has three decimals."""

_MARKER = re.compile(r"REDACTED#[0-9]+-*")


def check_first_event(
    walked: Walk, record: Mapping[str, Any], *, event: str, signed: datetime | None
) -> Iterator[Finding]:
    """Compare everything that event and record both say; and the event's time with the seal's.

    Args:
        walked: a container whose files were found to be the signed ones.
        record: of a capture, or of what was handed in; conforming to its schema.
        event: ``captured`` or ``supplied``.
        signed: signing time as the signature states it, whole seconds.

    Raises:
        UnreadableFileError: the bundle cannot be read any more.
    """
    name = FILE.format(event=event)
    beside = [one for one in walked.entries if one.startswith(FOLDER) and one != name]
    try:
        if name not in walked.entries or beside:
            raise JsonError(f"{beside[0]} stands there" if beside else "it is not there")
        first = loads(read_entry(walked, name, limit=MAX_EVENT), max_bytes=MAX_EVENT)
        fault = schema_fault(first, "custody-1")
    except ValueError as error:
        fault = str(error)[:160]
    if fault is not None:
        yield Finding("first-event.malformed", name, {"detail": fault})
        return
    differing = list(_differing(first, record, event, signed))
    if differing:
        yield Finding("first-event.differs", name, {"fields": ", ".join(differing)})
    else:
        yield Finding("first-event.ok", name)


def _differing(
    first: Mapping[str, Any], record: Mapping[str, Any], event: str, signed: datetime | None
) -> Iterator[str]:
    operator, why = record["operator"], record.get("request", record)
    told = {
        "event": event,
        "capture": record["id"],
        "organisation": operator["organisation"],
        "staff_code": operator["staff_code"],
        "certificate_sha256": operator["certificate_sha256"],
        "reason": why["reason"],
        "case": why["case"],
    }
    for field, value in told.items():
        if not _same(first[field], value):
            yield field
    try:
        moment, until = parse_iso(first["time"]), parse_iso(first["captured_until"])
    except ValueError:  # of the right form, and on no calendar
        yield "time"
        return
    if signed is not None and moment.replace(microsecond=0) != signed:
        yield "time"
    delay = max((moment - until).total_seconds(), 0.0)
    if abs(first["seconds_until_sealing"] - delay) > ROUNDING:
        yield "seconds_until_sealing"


def _same(stated: str | None, recorded: str | None) -> bool:
    """Whether both say the same, but for what was masked in the record."""
    if stated is None or recorded is None or not _MARKER.search(recorded):
        return stated == recorded
    first, *others = _MARKER.split(recorded)
    if not stated.startswith(first) or not stated.endswith(others[-1]):
        return False
    at = len(first)
    for piece in others:
        found = stated.find(piece, at)
        if found == -1:
            return False
        at = found + len(piece)
    return True
