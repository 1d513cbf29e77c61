"""Which streams the recorded exchanges hold, and which of their parts.

A player loads a list (HLS or DASH) and then the parts that it wants to show. Both stand among the
exchanges; here the lists are found and read, and for each part the answer that holds its bytes.
Nothing is asked of anybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from evidence_kit.core.exchange import Exchange
from evidence_kit.gather.refetch import file_served
from evidence_kit.seal.dash import looks_like_mpd, read_mpd
from evidence_kit.seal.hls import START, MediaList, is_master, read_master, read_media
from evidence_kit.seal.http_message import (
    BadMessageError,
    Message,
    body_chunks,
    can_decode,
    decode,
    measure,
)
from evidence_kit.seal.stream_bytes import WHOLE, Span
from evidence_kit.seal.stream_parts import (
    INIT,
    KEY,
    MAX_ALL_PARTS,
    MAX_MANIFEST,
    SEGMENT,
    Part,
    StreamError,
    Track,
)

PAGE = "page"
"""Exchanges of the browser."""
OWN = "api"
"""Exchanges of our own session."""

MAX_STREAMS = 20
"""Streams of one page that are looked into; a post has one, a page of clips some ten."""
MAX_LISTS = 64 << 20
"""Bytes of all lists together; those of ten films come to a few MiB."""
MAX_BODY = 4 << 30
"""Bytes that the body of one answer may unpack to; a whole film in one file is under that."""

_LIST_TYPES = frozenset(
    {"application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl", "audio/x-mpegurl"}
    | {"application/dash+xml"}
)
_SNIFF = 4096
"""Bytes after which a list must have shown what it is."""
_SNIFFED = re.compile(r"text/plain|(?:text|application)/xml|(?:application|binary)/octet-stream|")
"""Types under which servers send lists without naming them."""
_RANGE = re.compile(rb"bytes (\d{1,15})-(\d{1,15})/(?:\d{1,15}|\*)")


@dataclass(frozen=True)
class Kept:
    """An answer on record and which bytes of its file it holds.

    Attributes:
        side: :data:`PAGE` or :data:`OWN`.
        exchange: that brought the bytes; the last one where there were redirects.
        first: offset of its first byte in the file; ``last`` of its last, -1 where ``whole``.
        whole: it is the whole file.
    """

    side: str
    exchange: Exchange
    message: Message
    first: int
    last: int
    whole: bool

    def holds(self, part: Part) -> bool:
        """Whether every byte of a part is in here."""
        if not part.ranged:
            return self.whole
        return self.whole or (self.first <= part.first and part.last <= self.last)

    def span(self, part: Part) -> Span:
        """Where a part lies in the body of the answer."""
        if not part.ranged:
            return WHOLE
        return part.first - self.first, part.last - part.first + 1


class Record:
    """The answers on record, by the address that was asked for."""

    def __init__(self) -> None:
        self._kept: dict[str, list[Kept]] = {}
        self._failed: dict[str, str] = {}
        self._asked: dict[tuple[str, int], str] = {}
        self._listed: dict[tuple[str, int], bytes] = {}
        self._count = {PAGE: 0, OWN: 0}
        self._room = MAX_LISTS

    def add(self, side: str, exchanges: Iterable[Exchange]) -> None:
        """Take in the exchanges of one side; those that came in before are passed over."""
        listed = sorted(exchanges, key=lambda item: item.number)
        for exchange in listed[self._count[side] :]:
            before = exchange.redirected_from
            asked = self._asked.get((side, before), "") if before is not None else ""
            url = asked or exchange.url
            self._asked[side, exchange.number] = url
            kept = _kept(side, exchange)
            if kept is not None:
                self._kept.setdefault(url, []).append(kept)
                if url != exchange.url:
                    self._kept.setdefault(exchange.url, []).append(kept)
            elif exchange.response is None:
                self._failed[url] = exchange.error or "no answer"
            elif exchange.status is not None and exchange.status >= 400:
                self._failed[url] = f"HTTP {exchange.status}"
            elif exchange.truncated:
                self._failed[url] = f"cut off: {exchange.truncated}"
        self._count[side] = len(listed)

    def find(self, part: Part) -> Kept | None:
        """The first answer that holds a part."""
        return next((item for item in self._kept.get(part.url, ()) if item.holds(part)), None)

    def all(self, url: str) -> tuple[Kept, ...]:
        """Every answer to an address, in the order of their requests."""
        return tuple(self._kept.get(url, ()))

    def why_not(self, url: str) -> str:
        """What came instead of the file, empty where it was not asked for."""
        return self._failed.get(url, "")

    def lists(self) -> Iterator[tuple[str, Kept, bytes]]:
        """Address, answer and text of each list of a stream (HLS or DASH) on record."""
        for url, answers in list(self._kept.items()):
            for kept in answers:
                key = (kept.side, kept.exchange.number)
                if self._asked[key] != url:
                    continue
                if key not in self._listed:
                    self._listed[key] = _list_in(kept, min(self._room, MAX_MANIFEST))
                    self._room -= len(self._listed[key])
                if self._listed[key]:
                    yield url, kept, self._listed[key]


@dataclass(frozen=True)
class Stream:
    """One stream with its tracks.

    Attributes:
        url: of its list, as it was asked for.
        kind: ``hls`` or ``dash``.
        kept: the answer that holds the list; the last of several.
        problem: why the list could not be read, empty where it could.
    """

    url: str
    kind: str
    kept: Kept
    tracks: tuple[Track, ...] = ()
    problem: str = ""

    @property
    def addresses(self) -> set[str]:
        """Every address of a part or list."""
        found = {track.playlist for track in self.tracks if track.playlist}
        return found | {part.url for track in self.tracks for part in track.parts}


def find_streams(record: Record) -> list[Stream]:
    """The streams on record, each once; lists that belong to another one are not streams.

    Returns:
        At most :data:`MAX_STREAMS` in the order in which their lists came, and one more where
        there are more.
    """
    media: dict[str, list[tuple[Kept, MediaList | str]]] = {}
    last: dict[str, tuple[Stream, bytes]] = {}
    room = MAX_ALL_PARTS
    for url, kept, text in record.lists():
        if looks_like_mpd(text):
            last[url] = Stream(url, "dash", kept), text
        elif is_master(text):
            last[url] = Stream(url, "hls", kept), text
        else:
            read = _media(text, kept.exchange.url, room)
            room -= len(read.parts) if isinstance(read, MediaList) else 0
            media.setdefault(url, []).append((kept, read))
    masters = []
    room = MAX_ALL_PARTS
    for stream, text in islice(last.values(), MAX_STREAMS + 1):
        masters.append(_read(stream, text, room))
        room -= sum(len(track.parts) for track in masters[-1].tracks)
    named = {track.playlist for stream in masters for track in stream.tracks}
    found = [_with_lists(stream, media, record) for stream in masters]
    for url, versions in media.items():
        if url not in named and len(found) <= MAX_STREAMS:
            only = _with_parts(Track("only", playlist=url, chosen=True), versions)
            found.append(Stream(url, "hls", versions[-1][0], (only,)))
    return found


def chunks_of(kept: Kept, response: Path) -> Iterator[bytes]:
    """The body of an answer without its codings.

    Args:
        kept: the answer.
        response: its file: the recorded one, or that which is delivered.

    Raises:
        BadMessageError: it cannot be unpacked.
        OSError: it cannot be read.
    """
    message = measure(response, method=kept.exchange.method)
    return decode(body_chunks(response, message), message.head.codings, MAX_BODY)


def _kept(side: str, exchange: Exchange) -> Kept | None:
    message = file_served(exchange) if exchange.truncated is None else None
    if message is None or not message.complete or not can_decode(message.head.codings):
        return None
    if exchange.status == 200:
        return Kept(side, exchange, message, 0, -1, whole=True)
    found = _RANGE.fullmatch(message.head.first(b"content-range"))
    if found is None or int(found[1]) > int(found[2]):
        return None
    total = message.head.first(b"content-range").rpartition(b"/")[2]
    first, last = int(found[1]), int(found[2])
    whole = first == 0 and total == b"%d" % (last + 1)
    return Kept(side, exchange, message, first, last, whole)


def _list_in(kept: Kept, room: int) -> bytes:
    """The text of a list, empty where the answer is none."""
    kind, response = kept.message.head.media_type, kept.exchange.response
    if not kept.whole or response is None or kept.message.size > 2 * MAX_MANIFEST:
        return b""
    if kind not in _LIST_TYPES and _SNIFFED.fullmatch(kind) is None:
        return b""
    text = b""
    try:
        for chunk in decode(body_chunks(response, kept.message), kept.message.head.codings, room):
            text += chunk
            if len(text) >= _SNIFF and not _is_list(text):
                return b""
    except BadMessageError:
        return b""
    return text if _is_list(text) else b""


def _is_list(text: bytes) -> bool:
    return text.startswith(START) or looks_like_mpd(text)


def _read(stream: Stream, text: bytes, room: int) -> Stream:
    base = stream.kept.exchange.url
    try:
        if stream.kind == "dash":
            return replace(stream, tracks=read_mpd(text, base, room))
        return replace(stream, tracks=read_master(text, base))
    except StreamError as error:
        return replace(stream, problem=str(error))


def _media(text: bytes, base: str, room: int) -> MediaList | str:
    try:
        found = read_media(text, base)
    except StreamError as error:
        return str(error)
    return found if len(found.parts) <= room else f"the lists name more than {MAX_ALL_PARTS} parts"


def _with_lists(
    stream: Stream, media: dict[str, list[tuple[Kept, MediaList | str]]], record: Record
) -> Stream:
    tracks = []
    for track in stream.tracks:
        versions = media.get(track.playlist, [])
        if versions:
            tracks.append(_with_parts(track, versions))
        elif track.playlist and record.all(track.playlist):
            tracks.append(replace(track, problem="what it names is no list of parts"))
        elif track.playlist:
            why = record.why_not(track.playlist) or "not asked for"
            tracks.append(replace(track, problem=f"its list is not there: {why}"))
        else:
            tracks.append(track)
    return replace(stream, tracks=tuple(tracks))


def _with_parts(track: Track, versions: list[tuple[Kept, MediaList | str]]) -> Track:
    """The parts of all copies of a list; a live one is loaded again and again."""
    good = [found for _, found in versions if isinstance(found, MediaList)]
    if not good:
        return replace(track, problem=str(versions[-1][1]))
    latest = good[-1]
    parts = latest.parts
    if len(good) > 1:
        every = {_identity(part): part for one in reversed(good) for part in one.parts}
        parts = tuple(sorted(every.values(), key=lambda part: (part.number, part.role == SEGMENT)))
    return replace(
        track,
        parts=parts,
        encryption=latest.encryption,
        live=latest.live,
        problem=latest.problem,
    )


def _identity(part: Part) -> tuple[str, str, int, int]:
    """What a beginning or key stands at changes from copy to copy of a list; a part's not."""
    return part.role, part.url, part.first, 0 if part.role in (INIT, KEY) else part.number
