"""HTTP/2 inside a network log: DATA cut from the plaintext frames (RFC 9113), exactly.

Header fields are not decoded here: the log gives them decoded, and HPACK is only needed by who
wants the original compressed bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_FRAME_HEAD = 9
_DATA, _HEADERS, _RST_STREAM = 0, 1, 3
_END_STREAM, _PADDED = 1, 8

MAX_PROBLEMS = 50
"""Notes on inconsistencies that are kept; beyond that the log is unusable anyway."""


class Sink(Protocol):
    """Where the body of one direction of one stream goes."""

    size: int

    def write(self, data: bytes) -> None:
        """Append."""

    def close(self) -> None:
        """Write out."""


@dataclass
class Direction:
    """One direction of a connection: bytes of an unfinished frame, bodies and ends per stream."""

    buffer: bytearray = field(default_factory=bytearray)
    bodies: dict[int, Sink] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    preface: bool = False


class Http2Session:
    """Takes the plaintext of one HTTP/2 connection.

    Args:
        spool: makes a new sink for a body.
        problems: notes on what was inconsistent are appended here.
    """

    def __init__(self, spool: Callable[[], Sink], problems: list[str]) -> None:
        self._spool = spool
        self._problems = problems
        self.sent = Direction(preface=True)
        self.received = Direction()

    def feed(self, data: bytes, *, sent: bool) -> None:
        """Further bytes of one direction."""
        side = self.sent if sent else self.received
        buffer = side.buffer
        buffer += data
        if side.preface:
            if len(buffer) < len(PREFACE):
                return
            if not buffer.startswith(PREFACE):
                note(self._problems, "an HTTP/2 connection without its preface")
            else:
                del buffer[: len(PREFACE)]
            side.preface = False
        place = 0
        while place + _FRAME_HEAD <= len(buffer):
            size = int.from_bytes(buffer[place : place + 3], "big")
            end = place + _FRAME_HEAD + size
            if end > len(buffer):
                break
            stream = int.from_bytes(buffer[place + 5 : place + 9], "big") & 0x7FFFFFFF
            payload = bytes(buffer[place + _FRAME_HEAD : end])
            self._frame(side, buffer[place + 3], buffer[place + 4], stream, payload)
            place = end
        del buffer[:place]

    def finish(self) -> None:
        """Close all bodies; bytes of an unfinished frame are lost and said so."""
        for side in (self.sent, self.received):
            for sink in side.bodies.values():
                sink.close()
            if side.buffer:
                note(self._problems, "an HTTP/2 connection ends inside a frame")

    def _frame(self, side: Direction, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _DATA:
            if flags & _PADDED:
                padding = payload[0] if payload else 0
                if not payload or padding >= len(payload):
                    note(self._problems, "an HTTP/2 frame with more padding than bytes")
                    return
                payload = payload[1 : len(payload) - padding]
            if stream in side.ended:
                note(self._problems, "HTTP/2 data behind the end of its stream")
                return
            if payload:
                if stream not in side.bodies:
                    side.bodies[stream] = self._spool()
                side.bodies[stream].write(payload)
        elif kind == _RST_STREAM:
            for other in (self.sent, self.received):
                sink = other.bodies.get(stream)
                if sink is not None:
                    sink.close()
        if flags & _END_STREAM and kind in (_DATA, _HEADERS):
            side.ended.add(stream)
            sink = side.bodies.get(stream)
            if sink is not None:
                sink.close()


def note(problems: list[str], text: str) -> None:
    """Keep a note, each once, and not without end."""
    if text not in problems and len(problems) < MAX_PROBLEMS:
        problems.append(text)
