"""What did not load, or loaded in part: told in the record, so that "complete" means it.

What never came is missing. What came as an error page stands in the archive as it came, so it is
a warning: the reader sees a picture's place without the picture, as the visitor did.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from evidence_kit.core.exchange import Exchange
from evidence_kit.jobs.record import Note
from evidence_kit.platforms.base import PlatformResult

MAX_TOLD = 200
"""Addresses of one sort that are told; a page with more is not helped by a longer list."""

SHOWN = frozenset({"image", "video", "audio", "media", "frame", "style", "stylesheet", "font"})
"""Kinds of requests whose answer a visitor looks at."""

GIVEN_UP = "ERR_ABORTED"
"""The page itself gave the request up: it left, or its script took it back."""

_OF_PLATFORM = (".not-fetched", ".cut-off", ".rate-limited", "bound", "replies-missing")
"""Ends of the codes with which an adapter says that something was there to be had and is not."""


def page_gaps(exchanges: Iterable[Exchange]) -> list[Mapping[str, str]]:
    """What the page asked for and did not get, for ``missing`` in the record.

    Args:
        exchanges: of the browser, with and without response.

    Returns:
        ``what`` and ``why``, each address once; the main document is left out, since its failure
        is told as that of the page. Sound and video are fetched again and told by that.
    """
    listed = list(exchanges)
    whole = {item.url for item in listed if item.response is not None and not item.truncated}
    found: dict[str, str] = {}
    for item in listed:
        if item.url in whole or item.kind == "document" or item.error == GIVEN_UP:
            continue
        if item.response is None:
            found.setdefault(item.url, item.error or "no answer")
        elif item.kind in SHOWN - {"video", "audio", "media"}:
            found.setdefault(item.url, f"cut off: {item.error or item.truncated}")
    return list(_told(found))


def page_errors(exchanges: Iterable[Exchange]) -> list[Note]:
    """What a visitor would see and the server answered with an error, for ``warnings``."""
    listed = list(exchanges)
    good = {item.url for item in listed if item.status is not None and item.status < 400}
    found = {
        item.url: f"HTTP {item.status}, for a part of the page ({item.kind})"
        for item in listed
        if item.kind in SHOWN and item.url not in good and (item.status or 0) >= 400
    }
    return [Note("page.part-refused", item["what"], item["why"]) for item in _told(found)]


def platform_gaps(platform: PlatformResult | None) -> list[Mapping[str, str]]:
    """What the platform has and was not had, for ``missing``: media, replies, earlier versions."""
    gaps = platform.gaps if platform is not None else ()
    return [
        {"what": f"{gap.code} {gap.subject}".strip(), "why": gap.detail}
        for gap in gaps
        if gap.code.endswith(_OF_PLATFORM)
    ]


def _told(found: Mapping[str, str]) -> Iterator[dict[str, str]]:
    for url, why in list(found.items())[:MAX_TOLD]:
        yield {"what": url, "why": why}
    if len(found) > MAX_TOLD:
        yield {"what": "further addresses", "why": f"{len(found) - MAX_TOLD} more failed as well"}
