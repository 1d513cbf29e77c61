"""Fetch media again that the player left incomplete: a separate exchange, labelled as ours."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from evidence_kit.core.errors import InputError, NetworkError
from evidence_kit.core.events import EventLog
from evidence_kit.core.exchange import Exchange
from evidence_kit.gather.http import RecordingSession
from evidence_kit.gather.refetch import NOTE, Incomplete, incomplete_media
from evidence_kit.platforms.base import ApiFolder

MAX_FILES = 20  # a post with its replies has a handful; a page of clips is not what was asked for
MAX_BYTES = 2 << 30  # per file: two hours of video as platforms serve it
MAX_SECONDS = 600.0  # per file: 2 GiB at 30 Mbit/s


def refetch_media(
    exchanges: Iterable[Exchange],
    session: RecordingSession,
    out: ApiFolder,
    log: EventLog,
    *,
    skip: Collection[str] = (),
) -> list[Mapping[str, str]]:
    """Fetch each incomplete file whole into ``data/media``.

    Files that the platform's adapter has fetched already are left out, and so is ``skip``: parts
    of streams, of which not every quality is to be had whole.

    Returns:
        What could not be had, for ``missing`` in the record.
    """
    known = {item.url for item in out.stored}.union(skip)
    wanted = [item for item in incomplete_media(exchanges) if item.url not in known]
    missing: list[Mapping[str, str]] = [
        _missing(item, f"more than {MAX_FILES} files") for item in wanted[MAX_FILES:]
    ]
    for item in wanted[:MAX_FILES]:
        why = _fetch(item, session, out)
        log.log("media-refetched", url=item.url, had=item.had, total=item.total, why=why)
        if why:
            missing.append(_missing(item, why))
    return missing


def _fetch(item: Incomplete, session: RecordingSession, out: ApiFolder) -> str:
    """Why it could not be had, empty where it was."""
    _, part = out.new_media(item.url)
    try:
        with session.noting(NOTE):
            answer = session.get(
                item.url,
                headers=dict(item.headers),
                max_bytes=MAX_BYTES,
                max_seconds=MAX_SECONDS,
                to=part,
            )
    except (NetworkError, InputError) as error:
        part.unlink(missing_ok=True)
        return error.message
    if answer.body != part:
        part.unlink(missing_ok=True)
        return f"HTTP {answer.status}"
    number = answer.exchange.number if answer.complete else None
    out.finish_media(part, item.url, answer.headers.get("content-type", ""), number)
    return "" if answer.complete else f"cut off: {answer.exchange.truncated}"


def _missing(item: Incomplete, why: str) -> dict[str, str]:
    had = f"the player loaded {item.had} of {item.total or 'unknown'} bytes"
    return {"what": item.url, "why": f"{had}; fetching it whole failed: {why}"}
