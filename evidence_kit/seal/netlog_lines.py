"""Lines of a Chromium network log: names from the file's own constants, values only when needed.

A log of a large page is mostly base64. So a line is first read from its end, where Chromium (its
dictionaries are sorted by key) writes ``phase``, ``source``, ``time`` and ``type``; the rest is
parsed only for the few event types that matter, and bytes are cut out without a JSON parser.
"""

from __future__ import annotations

import binascii
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

MAX_CONSTANTS = 4 << 20
"""Bytes of the first line; Chromium's is about 50 KiB."""

MAX_PARSED = 32 << 20
"""Bytes of a line that is parsed as JSON; header and certificate events stay under 1 MiB."""

_TAIL_LENGTH = 240
_TAIL = re.compile(
    rb'"phase":(\d),"source":\{"id":(\d{1,15}),(?:"start_time":"\d{1,20}",)?"type":(\d{1,6})\},'
    rb'"time":"(\d{1,20})","type":(\d{1,6})\}\Z'
)
_BYTES = b'"bytes":"'
_COUNT = re.compile(rb'"byte_count":(\d{1,12})')

BEGIN, END = "PHASE_BEGIN", "PHASE_END"


class LineError(ValueError):
    """A line that is not what the log's own form says; the text says why in a few words."""


@dataclass(frozen=True)
class Tail:
    """What stands at the end of each event line, as numbers of this file."""

    phase: int
    source: int
    source_type: int
    ticks: int
    type: int


@dataclass(frozen=True)
class Names:
    """The file's own dictionary: numbers to names (they differ between versions)."""

    events: dict[int, str]
    sources: dict[int, str]
    errors: dict[int, str]
    begin: int
    end: int
    tick_offset: int

    def when(self, ticks: int) -> datetime:
        """Wall-clock time (UTC) of an event's tick count, in milliseconds as Chromium gives it."""
        try:
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
                milliseconds=self.tick_offset + ticks
            )
        except OverflowError as error:
            raise LineError("a time outside the calendar") from error

    def error(self, code: int) -> str:
        """``ERR_…`` name of a network error number."""
        name = self.errors.get(code)
        return f"ERR_{name.removeprefix('ERR_')}" if name else f"ERR_{-code}"


def read_constants(line: bytes) -> Names:
    """Names from the first line, ``{"constants": {…},``.

    Raises:
        LineError: not such a line, or something needed is missing from it.
    """
    if len(line) > MAX_CONSTANTS:
        raise LineError("the constants are too large")
    try:
        found = json.loads(line.strip().rstrip(b",") + b"}")["constants"]
        return Names(
            {int(number): str(name) for name, number in found["logEventTypes"].items()},
            {int(number): str(name) for name, number in found["logSourceType"].items()},
            {int(number): str(name) for name, number in found["netError"].items()},
            int(found["logEventPhase"][BEGIN]),
            int(found["logEventPhase"][END]),
            int(found["timeTickOffset"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LineError("the constants cannot be read") from error


def strip_line(line: bytes) -> bytes:
    """The JSON object of an event line: without line end, comma and the closing of the list."""
    text = line.rstrip(b" \t\r\n,")
    return text[:-1] if text.endswith(b"}]") else text


def read_tail(text: bytes) -> Tail:
    """Phase, source, time and type of a stripped event line.

    Raises:
        LineError: the line is not a whole event.
    """
    found = _TAIL.search(text[-_TAIL_LENGTH:])
    if found:
        phase, source, source_type, ticks, kind = (int(part) for part in found.groups())
        return Tail(phase, source, source_type, ticks, kind)
    # Another key order than today's: slower, but not lost.
    value = _object(text)
    try:
        return Tail(
            int(value["phase"]),
            int(value["source"]["id"]),
            int(value["source"]["type"]),
            int(value["time"]),
            int(value["type"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise LineError("not an event") from error


def read_params(text: bytes) -> dict[str, Any]:
    """The ``params`` of a stripped event line; empty where it has none.

    Raises:
        LineError: not JSON, or too large to parse.
    """
    params = _object(text).get("params", {})
    if not isinstance(params, dict):
        raise LineError("params are not an object")
    return params


def read_bytes(text: bytes) -> tuple[int, bytes | None]:
    """How many bytes a stripped event line tells of, and these; None where it only counts them.

    Raises:
        LineError: no base64, or not as many bytes as the line says.
    """
    found = _COUNT.search(text, 0, 60)
    count = int(found[1]) if found else 0
    start = text.find(_BYTES, 0, 200)
    if start < 0:
        return count, None
    end = text.find(b'"', start + len(_BYTES))
    try:
        data = binascii.a2b_base64(memoryview(text)[start + len(_BYTES) : end])
    except binascii.Error as error:
        raise LineError("bytes are not base64") from error
    if found and count != len(data):
        raise LineError("fewer bytes than the line says")
    return len(data), data


def _object(text: bytes) -> dict[str, Any]:
    if len(text) > MAX_PARSED:
        raise LineError("a line too large to parse")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LineError("not JSON") from error
    if not isinstance(value, dict):
        raise LineError("not an object")
    return value
