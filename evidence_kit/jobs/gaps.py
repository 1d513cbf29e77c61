"""What did not load, or loaded in part: told in the record, so that "complete" means it.

What never came is missing. What came as an error page stands in the archive as it came, so it is
a warning: the reader sees a picture's place without the picture, as the visitor did. What never
came from a site that has nothing to show here, a dead counter of visitors for one, is a warning
too, provided that the post is known to be there (docs/decisions, 23).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from evidence_kit.core.exchange import Exchange
from evidence_kit.jobs.record import Note
from evidence_kit.platforms.base import PlatformResult

MAX_TOLD = 200
"""Addresses of one sort that are told; a page with more is not helped by a longer list."""

SHOWN = frozenset({"image", "video", "audio", "media", "frame", "style", "stylesheet", "font"})
"""Kinds of requests whose answer a visitor looks at."""

HELPERS = frozenset(
    {"script", "xhr", "fetch", "ping", "report", "cspviolationreport", "preflight", "eventsource"}
    | {"websocket", "worker", "sharedworker", "serviceworker"}
)
"""Kinds of requests whose answer nobody looks at; a kind that is not known is none of these."""

FETCHED_AGAIN = frozenset({"video", "audio", "media"})
"""Kinds of requests of which a cut-off answer is fetched again, and told by that."""

GIVEN_UP = "ERR_ABORTED"
"""The page itself gave the request up: it left, or its script took it back."""

_OF_PLATFORM = (".not-fetched", ".cut-off", ".rate-limited", "bound", "replies-missing")
"""Ends of the codes with which an adapter says that something was there to be had and is not."""


@dataclass(frozen=True)
class Losses:
    """What the page asked for and did not get.

    Attributes:
        missing: for ``missing`` in the record: ``what`` and ``why``, each address once.
        aside: for ``warnings``: nothing of the post or of what is to be seen hangs on it.
    """

    missing: tuple[Mapping[str, str], ...]
    aside: tuple[Note, ...]


_CONTRADICTIONS = (".disagreement", ".differs", ".other-content")
"""Ends of the codes with which an adapter says that two who should agree do not."""


def page_losses(
    exchanges: Iterable[Exchange], needed: Iterable[str] = (), dots: Iterable[str] = ()
) -> Losses:
    """Sort what never came, or came in part.

    A main document that never came is left out, since that is told as the failure of the page.
    Sound and video are fetched again and told by that. An answer that no error of the network ended
    was open when the visit was over, as a stream of events is; of what is looked at it is told all
    the same.

    Args:
        exchanges: of the browser, with and without response.
        needed: addresses of the page and of what belongs to the post, where the post is known to
            stand on the page. Without any, every loss is missing: it may be what held the post.
        dots: addresses of pictures that have one dot of room on the page.
    """
    listed = list(exchanges)
    small = _dots(listed, frozenset(dots))
    whole = {_key(item) for item in listed if item.response is not None and not item.truncated}
    lost: dict[str, str] = {}
    aside: dict[str, str] = {}
    hosts = {_host(url) for url in needed} - {""}
    showing = {
        _host(item.url) for item in listed if item.kind in SHOWN and item.number not in small
    }
    for item in listed:
        if _key(item) in whole or item.error == GIVEN_UP:
            continue
        if item.response is None and item.kind != "document":
            why = item.error or "no answer"
        elif item.response is not None and _cut_off(item):
            why = f"cut off: {item.error or item.truncated}"
        else:
            continue
        host = _host(item.url)
        helps = item.kind in HELPERS or (item.number in small and item.response is None)
        helps = helps and host not in showing
        helps = helps and bool(hosts) and not any(_one_site(host, own) for own in hosts)
        (aside if helps else lost).setdefault(item.url, why)
    for url in lost:
        aside.pop(url, None)
    return Losses(
        tuple(_told(lost)),
        tuple(Note("page.aside-lost", item["what"], item["why"]) for item in _told(aside)),
    )


def _dots(listed: Iterable[Exchange], dots: frozenset[str]) -> frozenset[int]:
    """Numbers of the requests for pictures of one dot, those that a redirect led on included."""
    found: set[int] = set()
    for item in sorted(listed, key=lambda item: item.number):
        led = item.redirected_from in found
        if item.kind == "image" and (led or (item.redirected_from is None and item.url in dots)):
            found.add(item.number)
    return frozenset(found)


def _key(item: Exchange) -> tuple[str, str]:
    """With the method: a browser that asks whether it may ask (OPTIONS) has not got it yet."""
    return item.method, item.url


def _cut_off(item: Exchange) -> bool:
    """Whether an answer that is not whole is a loss, given that no other one was whole."""
    if item.kind in FETCHED_AGAIN:
        return False
    if item.kind == "document":
        return item.status is None or not 300 <= item.status < 400
    return item.kind in SHOWN or item.error is not None


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _one_site(one: str, other: str) -> bool:
    """Whether two hosts may belong to one site; in doubt they do.

    Compared are the last two labels. Under ``co.uk`` that takes strangers for one site, which only
    makes a capture partial that could have been called complete.
    """
    return one == other or one.split(".")[-2:] == other.split(".")[-2:]


def api_gaps(exchanges: Iterable[Exchange]) -> list[Mapping[str, str]]:
    """Own requests without a whole answer, however often they were tried, for ``missing``.

    An adapter that cannot reach its platform gives way to the next one; without this a network
    that went away in the middle would leave a bundle that looks complete. HEAD is only asked for
    the time of day; what came of that stands with the clock. Where an error page or a
    redirect ends does not matter.
    """
    failed: dict[tuple[str, str], str] = {}
    answered = set()
    for item in exchanges:
        key = _key(item)
        if item.response is None:
            failed.setdefault(key, item.error or "no answer")
        elif item.truncated and (item.status or 0) < 300:
            failed[key] = f"cut off: {item.truncated}"
        else:
            answered.add(key)
    return [
        {"what": f"answer to {method} {url}", "why": why}
        for (method, url), why in failed.items()
        if method != "HEAD" and (method, url) not in answered
    ]


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


def stream_gaps(
    streams: Iterable[Mapping[str, Any]], told: Iterable[Mapping[str, str]]
) -> list[Mapping[str, str]]:
    """Streams that are not whole and of which nobody said so, as in a capture that was killed.

    Args:
        streams: the entries of the capture record.
        told: what is missing as far as the capture itself noticed.
    """
    known = {item["what"] for item in told}
    return [
        {"what": name, "why": f"{one['kept']} of {one['parts']} parts of the best quality are here"}
        for one in streams
        if not one["complete"] and (name := f"stream {one['url']}") not in known
    ]


def platform_warnings(platform: PlatformResult | None) -> list[Note]:
    """Where two sources that should say the same do not, for ``warnings``."""
    gaps = platform.gaps if platform is not None else ()
    return [
        Note(gap.code, gap.subject, gap.detail)
        for gap in gaps
        if gap.code.endswith(_CONTRADICTIONS)
    ]


def _told(found: Mapping[str, str]) -> Iterator[dict[str, str]]:
    for url, why in list(found.items())[:MAX_TOLD]:
        yield {"what": url, "why": why}
    if len(found) > MAX_TOLD:
        yield {"what": "further addresses", "why": f"{len(found) - MAX_TOLD} more failed as well"}
