"""``data/media/streams.json``: which streams there were, and where each of their parts stands.

Made from the exchanges alone, after they were redacted, so that it tells of the bytes that are
delivered; a capture that was killed and finished later gets the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from evidence_kit.core.exchange import Exchange
from evidence_kit.core.streams import SCHEMA, is_whole
from evidence_kit.gather.refetch import NOTE
from evidence_kit.gather.streams import (
    MAX_STREAMS,
    OWN,
    PAGE,
    Kept,
    Record,
    Stream,
    chunks_of,
    find_streams,
)
from evidence_kit.seal.http_message import BadMessageError
from evidence_kit.seal.stream_bytes import MAX_HASHED, WHOLE, Span, digest_spans
from evidence_kit.seal.stream_parts import Part, Track

MAX_LISTED = 20_000
"""Parts in the index; two hours in parts of two seconds are 3600 of each kind."""
ARCHIVES = {PAGE: "data/web/page.wacz", OWN: "data/api/exchanges.warc"}

Delivered = Callable[[str, int], Exchange | None]
"""Side and number to the exchange as it is delivered."""


def stream_index(
    page: Iterable[Exchange], own: Iterable[Exchange], delivered: Delivered
) -> dict[str, Any] | None:
    """The index; None where there is no stream.

    Args:
        page: exchanges of the browser, unredacted.
        own: those of our own session.
        delivered: gives the redacted exchange of a recorded one.

    Raises:
        OSError: a message cannot be read.
    """
    record = Record()
    record.add(PAGE, page)
    record.add(OWN, own)
    streams = find_streams(record)[:MAX_STREAMS]
    if not streams:
        return None
    index = _Index(record, delivered)
    drafts = [_stream(stream, index) for stream in streams]
    index.digest()
    for draft in drafts:
        for track in draft["tracks"]:
            track["complete"] = is_whole(track)
    return {"schema": SCHEMA, "streams": drafts}


class _Index:
    """Entries whose digests are filled in once every answer has been read once."""

    def __init__(self, record: Record, delivered: Delivered) -> None:
        self.record = record
        self._delivered = delivered
        self._wanted: dict[tuple[str, int], tuple[Kept, dict[Span, list[dict[str, Any]]]]] = {}
        self._entries = 0
        self._hashed = 0

    def entry(self, part: Part, kept: Kept | None) -> dict[str, Any]:
        """A part and where it stands; size and digest come with :meth:`digest`."""
        self._entries += 1
        entry: dict[str, Any] = {
            "url": part.url,
            "role": part.role,
            "number": part.number,
            "range": [part.first, part.last] if part.ranged else None,
            "seconds": part.seconds,
            "archive": None,
            "exchange": None,
            "offset": None,
            "size": None,
            "sha256": None,
            "refetched": False,
            "why": "" if kept else self.record.why_not(part.url) or "not asked for",
        }
        if kept is None:
            return entry
        key, span = (kept.side, kept.exchange.number), kept.span(part)
        spans = self._wanted.setdefault(key, (kept, {}))[1]
        if span not in spans:
            self._hashed += kept.message.size if span == WHOLE else span[1]
        if self._hashed > MAX_HASHED:
            return {**entry, "why": f"more than {MAX_HASHED} bytes in all parts together"}
        spans.setdefault(span, []).append(entry)
        return entry

    @property
    def full(self) -> bool:
        """Whether no more is listed."""
        return self._entries >= MAX_LISTED

    def digest(self) -> None:
        """Read each answer once, as it is delivered."""
        for (side, number), (kept, spans) in self._wanted.items():
            exchange = self._delivered(side, number)
            if exchange is None or exchange.response is None:
                continue
            try:
                found = digest_spans(chunks_of(kept, exchange.response), spans.keys())
            except BadMessageError as error:
                for entry in (entry for entries in spans.values() for entry in entries):
                    entry["why"] = str(error)
                continue
            for span, entries in spans.items():
                taken = found[span]
                if span != WHOLE and taken.size != span[1]:
                    place: dict[str, Any] = {"why": "the answer is shorter than it says"}
                else:
                    place = {
                        "archive": ARCHIVES[side],
                        "exchange": number,
                        "offset": None if span == WHOLE else span[0],
                        "size": taken.size,
                        "sha256": taken.sha256,
                        "refetched": NOTE in kept.exchange.notes,
                    }
                for entry in entries:
                    entry.update(place)


def _stream(stream: Stream, index: _Index) -> dict[str, Any]:
    return {
        "kind": stream.kind,
        "list": index.entry(Part(stream.url), stream.kept),
        "problem": stream.problem,
        "tracks": [_track(track, index) for track in stream.tracks],
    }


def _track(track: Track, index: _Index) -> dict[str, Any]:
    """Of a track that is not the best only the parts that the player loaded are listed."""
    listed = []
    problem = track.problem
    for part in track.parts:
        if index.full:
            problem = f"only the first {MAX_LISTED} parts of all streams are listed"
            break
        kept = index.record.find(part)
        if kept is not None or track.chosen:
            listed.append(index.entry(part, kept))
    lists = [one for one in index.record.all(track.playlist) if one.whole]
    return {
        "name": track.name,
        "kind": track.kind,
        "bandwidth": track.bandwidth,
        "width": track.width,
        "height": track.height,
        "codecs": track.codecs,
        "language": track.language,
        "chosen": track.chosen,
        "encryption": track.encryption,
        "live": track.live,
        "problem": problem,
        "list": index.entry(Part(track.playlist), lists[-1]) if lists else None,
        "parts_named": len(track.parts),
        "parts": listed,
        "complete": False,
    }
