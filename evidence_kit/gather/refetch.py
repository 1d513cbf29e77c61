"""Which media the player did not load completely, and what to ask for to have them whole.

A player asks for the parts it needs and stops where it likes (206, RFC 9110 section 14.4), so a
video may have been shown and yet not be on record. What is missing is worked out here from the
bytes that did arrive; who fetches it again labels that exchange :data:`NOTE`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from evidence_kit.core.exchange import Exchange
from evidence_kit.seal.http_message import BadMessageError, Message, measure, parse_head

NOTE = "refetched"
"""Stands in ``X-Evidence-Notes`` of an exchange that the page itself did not make."""

MEDIA = ("video", "audio")
_RANGE = re.compile(rb"bytes (\d{1,15})-(\d{1,15})/(\d{1,15}|\*)")
_REPEATED = ("user-agent", "referer", "accept")
"""Request fields that are sent again: servers of media look at them. Cookies are not."""


@dataclass(frozen=True)
class Incomplete:
    """One file of which parts are missing: how much arrived, of how much (0: not known)."""

    url: str
    had: int
    total: int
    headers: tuple[tuple[str, str], ...]


def incomplete_media(exchanges: Iterable[Exchange]) -> list[Incomplete]:
    """Files of sound or video that the recorded exchanges do not hold whole.

    Args:
        exchanges: of the browser, unredacted.

    Raises:
        OSError: a recorded message cannot be read.
    """
    by_url: dict[str, list[tuple[Exchange, Message]]] = {}
    for exchange in exchanges:
        message = _media(exchange)
        if message is not None:
            by_url.setdefault(exchange.url, []).append((exchange, message))
    found = []
    for url, parts in by_url.items():
        had, total, whole = _coverage(parts)
        if not whole:
            found.append(Incomplete(url, had, total, repeated_headers(parts[0][0].request)))
    return found


def _media(exchange: Exchange) -> Message | None:
    """The answer's measures where it is a (part of a) media file."""
    message = file_served(exchange)
    if message is None:
        return None
    kind = message.head.media_type
    return message if exchange.kind in MEDIA or kind.startswith(("video/", "audio/")) else None


def file_served(exchange: Exchange) -> Message | None:
    """The measures of an answer that brought a file or a range of it; None for any other."""
    if exchange.response is None or exchange.method != "GET":
        return None
    if exchange.status not in (200, 206):
        return None
    try:
        return measure(exchange.response, method=exchange.method)
    except BadMessageError:
        return None


def _coverage(parts: list[tuple[Exchange, Message]]) -> tuple[int, int, bool]:
    """Bytes that arrived, bytes in all, and whether that is everything."""
    spans, total = [], 0
    for exchange, message in parts:
        size = message.size - message.body
        if exchange.status == 200:
            if exchange.truncated is None and message.complete:
                return size, size, True
            total = max(total, message.head.length or 0)
            spans.append((0, size))
            continue
        found = _RANGE.fullmatch(message.head.first(b"content-range"))
        if found is None or message.framing == "chunked":
            continue
        first, last = int(found[1]), int(found[2])
        total = max(total, int(found[3]) if found[3] != b"*" else 0)
        spans.append((first, min(first + size, last + 1)))
    had = end = 0
    for start, stop in sorted(spans):
        had += max(stop - max(start, end), 0)
        end = max(end, stop)
    return had, total, bool(total) and had >= total


def repeated_headers(request: Path) -> tuple[tuple[str, str], ...]:
    """Fields of the page's own request that are sent again; none that tells who the visitor is."""
    head = parse_head(request.read_bytes())
    if head is None:
        return ()
    return tuple(
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in head.fields
        if name.decode("latin-1") in _REPEATED
    )
