"""Fetch what the player left out of a stream: lists and parts, each an exchange labelled as ours.

Of every stream the best quality is made complete, with its sound and its subtitles, as far as the
bounds go. Everything goes through our own session, and so through the guard; nothing is decrypted
and nothing is joined: the parts stand in the archive as they were served.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence_kit.core.errors import InputError, NetworkError
from evidence_kit.core.events import EventLog, Progress
from evidence_kit.core.exchange import Exchange
from evidence_kit.gather.http import RecordingSession
from evidence_kit.gather.page_types import Limit
from evidence_kit.gather.refetch import NOTE, repeated_headers
from evidence_kit.gather.streams import (
    MAX_STREAMS,
    OWN,
    PAGE,
    Record,
    Stream,
    find_streams,
)
from evidence_kit.seal.stream_parts import DRM, MAX_MANIFEST, Part, Track

MAX_PARTS = 4000
"""Parts that are fetched in one capture; two hours in parts of two seconds."""
MAX_BYTES = 2 << 30
"""Bytes of all of them: two hours at some 2 Mbit/s, or a quarter at the highest quality."""
MAX_SECONDS = 900.0
"""For all of them: 2 GiB at 20 Mbit/s."""
MAX_PART_BYTES = 512 << 20
"""Bytes of one part; a whole track in one file may be that large, real parts have some MiB."""
MAX_PART_SECONDS = 300.0
"""For one part: 512 MiB at 15 Mbit/s."""
MAX_FAILURES = 5
"""Parts of a track that fail one after the other before the rest of it is given up."""


@dataclass(frozen=True)
class Completed:
    """What came of it.

    Attributes:
        limits: the bounds, and which were reached.
        missing: for the record, what the streams lack.
        covered: addresses that belong to a stream, so that nothing else fetches them again.
    """

    limits: tuple[Limit, ...] = ()
    missing: tuple[Mapping[str, str], ...] = ()
    covered: frozenset[str] = frozenset()


def complete_streams(
    exchanges: Iterable[Exchange],
    given: Sequence[str],
    session: RecordingSession,
    log: EventLog,
    scratch: Path,
    progress: Progress,
) -> Completed:
    """Find the streams, and fetch what their best quality lacks.

    Args:
        exchanges: of the browser, unredacted.
        given: addresses of lists that the platform named.
        session: asks, and records what it gets.
        log: gets one line for each stream.
        scratch: private folder for parts while they come in.
        progress: told where there is a stream at all.

    Raises:
        OSError: a recorded message cannot be read.
    """
    fetch = _Fetch(session, scratch)
    fetch.record.add(PAGE, exchanges)
    fetch.record.add(OWN, session.exchanges)
    for url in list(dict.fromkeys(given))[:MAX_STREAMS]:
        if not fetch.record.all(url):
            fetch.one(Part(url), {}, MAX_MANIFEST)
    found = find_streams(fetch.record)
    if found:
        progress.step("completing films and sound")
    for stream in found[:MAX_STREAMS]:
        headers = _headers(stream)
        for track in _wanted(stream):
            if track.playlist and not fetch.record.all(track.playlist):
                fetch.one(Part(track.playlist), headers, MAX_MANIFEST)
    streams = find_streams(fetch.record)
    for stream in streams[:MAX_STREAMS]:
        for track in _wanted(stream):
            fetch.track(track, _headers(stream))
    missing = list(_missing(streams, given, fetch))
    for stream in streams:
        log.log("stream", url=stream.url, kind=stream.kind, tracks=len(stream.tracks))
    for item in missing:
        log.log("stream-incomplete", **item)
    covered = {url for stream in streams for url in _covered(stream)}
    return Completed(fetch.limits if streams or given else (), tuple(missing), frozenset(covered))


class _Fetch:
    """Asks for parts as long as the bounds allow; nothing is asked for twice."""

    def __init__(self, session: RecordingSession, scratch: Path) -> None:
        self.record = Record()
        self._session = session
        self._scratch = scratch
        self._asked: set[tuple[str, int]] = set()
        self._bytes = 0
        self._end = time.monotonic() + MAX_SECONDS
        self.reached: set[str] = set()
        self.refused: dict[str, str] = {}

    @property
    def limits(self) -> tuple[Limit, ...]:
        bounds = {"parts": MAX_PARTS, "bytes": MAX_BYTES, "seconds": int(MAX_SECONDS)}
        return tuple(
            Limit(f"stream {name}", str(value), reached=name in self.reached)
            for name, value in bounds.items()
        )

    def why_not(self, url: str) -> str:
        """What came instead of a file, empty where it was not asked for."""
        return self.refused.get(url, "") or self.record.why_not(url)

    def track(self, track: Track, headers: Mapping[str, str]) -> None:
        """Every part that is not on record, in order."""
        failures = 0
        for part in track.parts:
            if self.record.find(part) is not None or (part.url, part.first) in self._asked:
                continue
            failures = 0 if self.one(part, headers, MAX_PART_BYTES) else failures + 1
            if failures >= MAX_FAILURES or self.reached:
                return

    def one(self, part: Part, headers: Mapping[str, str], limit: int) -> bool:
        """Ask for one file or range; whether it stands on record now."""
        left = self._end - time.monotonic()
        for name, over in (
            ("parts", len(self._asked) >= MAX_PARTS),
            ("bytes", self._bytes >= MAX_BYTES),
            ("seconds", left <= 0),
        ):
            if over:
                self.reached.add(name)
                return False
        self._asked.add((part.url, part.first))
        span = {"range": f"bytes={part.first}-{part.last}"} if part.ranged else {}
        target = self._scratch / "stream-part"
        try:
            with self._session.noting(NOTE):
                self._session.get(
                    part.url,
                    headers={**headers, **span},
                    max_bytes=min(limit, MAX_BYTES - self._bytes),
                    max_seconds=min(MAX_PART_SECONDS, left),
                    to=target,
                )
        except (NetworkError, InputError) as error:
            self.refused[part.url] = error.message
        finally:
            if target.exists():
                self._bytes += target.stat().st_size
                target.unlink()
        self.record.add(OWN, self._session.exchanges)
        return self.record.find(part) is not None


def _wanted(stream: Stream) -> Iterator[Track]:
    return (track for track in stream.tracks if track.chosen and track.encryption != DRM)


def _headers(stream: Stream) -> dict[str, str]:
    """What the player sent for the list, without what identifies the visitor."""
    kept = stream.kept
    return dict(repeated_headers(kept.exchange.request)) if kept.side == PAGE else {}


def _covered(stream: Stream) -> Iterator[str]:
    """Addresses of lists and of parts; a track in one file is a file like any other."""
    yield stream.url
    for track in stream.tracks:
        yield from [track.playlist] if track.playlist else []
        if len(track.parts) > 1:
            yield from (part.url for part in track.parts)


def _missing(
    streams: Sequence[Stream], given: Sequence[str], fetch: _Fetch
) -> Iterator[dict[str, str]]:
    for url in dict.fromkeys(given):
        if not fetch.record.all(url):
            why = fetch.why_not(url) or "could not be asked for"
            yield {"what": f"stream {url}", "why": why}
    for stream in streams[:MAX_STREAMS]:
        yield from ({"what": f"stream {stream.url}", "why": why} for why in _faults(stream, fetch))
    if len(streams) > MAX_STREAMS:
        yield {"what": "further streams", "why": f"{MAX_STREAMS} streams are looked into"}


def _faults(stream: Stream, fetch: _Fetch) -> Iterator[str]:
    """What a reader must know that the best quality lacks."""
    if stream.problem:
        yield f"its list cannot be read: {stream.problem}"
    for track in stream.tracks:
        if not track.chosen:
            continue
        name = f"track {track.name}"
        if track.encryption == DRM:
            yield f"{name}: encrypted, the keys come from a licence service (DRM); not fetched"
            continue
        if track.problem:
            yield f"{name}: {track.problem}"
        lost = [part for part in track.parts if fetch.record.find(part) is None]
        if lost:
            yield f"{name}: {len(lost)} of {len(track.parts)} parts: {_reasons(lost, fetch)}"
        if track.live:
            yield f"{name}: a live stream; what came after the list was read is not here"


def _reasons(lost: Sequence[Part], fetch: _Fetch) -> str:
    found = {fetch.why_not(part.url) for part in lost} - {""}
    if fetch.reached:
        found.add(f"limit reached ({', '.join(sorted(fetch.reached))})")
    return "; ".join(sorted(found)[:5]) or "given up after others failed"
