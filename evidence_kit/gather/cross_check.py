"""Compare what the NetLog holds with what DevTools reported, request by request."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urldefrag

from evidence_kit.gather.cdp_watch import Seen

NETWORK_SCHEMES = ("http:", "https:", "ws:", "wss:")


@dataclass(frozen=True)
class OneSided:
    """A request that only one of the two saw; ``note`` holds a known reason, or is empty.

    The URL is unredacted: it may carry a token in its query.
    """

    method: str
    url: str
    kind: str
    note: str = ""


@dataclass(frozen=True)
class CrossCheck:
    """What both saw is counted, what one lacks is listed."""

    matched: int
    only_netlog: tuple[OneSided, ...]
    only_cdp: tuple[OneSided, ...]

    @property
    def unexplained(self) -> int:
        """Requests on the DevTools side without a known reason to be missing from the NetLog."""
        return sum(1 for item in self.only_cdp if not item.note)


class Recorded(Protocol):
    """A request of the NetLog: an exchange, or one that was answered from the cache."""

    @property
    def method(self) -> str:
        """As sent, in capitals."""

    @property
    def url(self) -> str:
        """An absolute URL."""


def cross_check(recorded: Iterable[Recorded], seen: Iterable[Seen]) -> CrossCheck:
    """Match by method and URL without fragment, each request once."""
    by_key: dict[tuple[str, str], list[Seen]] = defaultdict(list)
    for hop in seen:
        if hop.url.startswith(NETWORK_SCHEMES):
            by_key[hop.method, urldefrag(hop.url).url].append(hop)
    # Hops that did reach the network are matched first: a cached twin must not take their place.
    for hops in by_key.values():
        hops.sort(key=lambda hop: bool(_reason(hop)))
    left = Counter({key: len(hops) for key, hops in by_key.items()})
    matched, only_netlog = 0, []
    for item in recorded:
        if not item.url.startswith(NETWORK_SCHEMES):
            continue
        key = (item.method, urldefrag(item.url).url)
        if left[key] > 0:
            left[key] -= 1
            matched += 1
        else:
            only_netlog.append(OneSided(*key, str(getattr(item, "kind", ""))))
    only_cdp = [
        OneSided(hop.method, hop.url, hop.kind, _reason(hop))
        for key, count in left.items()
        for hop in by_key[key][len(by_key[key]) - count :]
    ]
    return CrossCheck(matched, tuple(only_netlog), tuple(only_cdp))


def _reason(hop: Seen) -> str:
    """Why a request may be known to DevTools and yet never have reached the network."""
    if hop.from_cache:
        return "from-cache"
    if hop.from_service_worker:
        return "from-service-worker"
    if hop.blocked:
        return f"blocked-{hop.blocked}"
    if hop.status is None and not hop.ended:
        return "not-answered-when-the-visit-ended"
    if hop.error == "net::ERR_ABORTED" and hop.status is None:
        return "cancelled-by-the-page"
    return ""
