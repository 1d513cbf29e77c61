"""What redaction gives back: the exchange as it may be delivered, and what was taken out of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from evidence_kit.core.exchange import Exchange


class Content(StrEnum):
    """How true a delivered message is to what was recorded; stands in every WARC record."""

    EXACT = "exact"
    """Not one byte was changed."""

    REDACTED = "redacted"
    """Only the listed ranges were replaced by markers."""

    RECODED = "redacted-recoded"
    """A coded body was decoded, redacted and coded again: its coded bytes are ours."""


@dataclass(frozen=True)
class RedactionItem:
    """One value that was masked.

    Attributes:
        record: number of the exchange, or the name of the file.
        side: ``request``, ``response``, ``url``, ``file``, ``ws-sent`` or ``ws-received``.
        field: where it stood: ``header cookie: sid``, ``query token``, ``body``, ``body base64``…
        marker: ``REDACTED#n``; the same secret has the same n throughout a capture.
        length: of the removed value in bytes, as it stood there.
        ranges: (start, end) of the markers: in the delivered bytes, or within a coded body in the
            decoded body (then ``field`` says ``decoded``).
    """

    record: str
    side: str
    field: str
    marker: str
    length: int
    ranges: tuple[tuple[int, int], ...]

    def to_json(self) -> dict[str, object]:
        """The form in ``capture.json``."""
        return {
            "record": self.record,
            "side": self.side,
            "field": self.field,
            "marker": self.marker,
            "length": self.length,
            "ranges": [list(pair) for pair in self.ranges],
        }


@dataclass(frozen=True)
class RedactedExchange:
    """An exchange with its paths and URLs replaced by what may be delivered."""

    exchange: Exchange
    request_content: Content = Content.EXACT
    response_content: Content = Content.EXACT
    items: tuple[RedactionItem, ...] = ()
