"""Which adapters there are, and which one a URL gets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from evidence_kit.core.events import EventLog
from evidence_kit.gather.dns_txt import txt_records
from evidence_kit.gather.proxy import proxies_from
from evidence_kit.platforms.base import (
    Adapter,
    ApiFolder,
    Gap,
    Http,
    NotThisPlatformError,
    Page,
    PlatformResult,
    State,
)
from evidence_kit.platforms.bluesky import PLC_DIRECTORY, PUBLIC_API, BlueskyAdapter
from evidence_kit.platforms.bluesky_address import page_address
from evidence_kit.platforms.bluesky_session import SERVICE, AppPassword
from evidence_kit.platforms.discourse import DiscourseAdapter
from evidence_kit.platforms.generic import GenericAdapter
from evidence_kit.platforms.mastodon import MastodonAdapter
from evidence_kit.platforms.matrix import MatrixAdapter
from evidence_kit.platforms.meta import FacebookAdapter, InstagramAdapter, ThreadsAdapter
from evidence_kit.platforms.nodebb import NodeBbAdapter
from evidence_kit.platforms.page_sites import LinkedInAdapter, TikTokAdapter
from evidence_kit.platforms.reddit import RedditAdapter
from evidence_kit.platforms.telegram import TelegramAdapter
from evidence_kit.platforms.wordpress import WordPressAdapter
from evidence_kit.platforms.x import DOLLARS_A_POST, XAdapter
from evidence_kit.platforms.youtube import YouTubeAdapter

__all__ = ["adapters", "cost_of", "fetch_post", "page_address"]


_MAKERS: tuple[Callable[[Mapping[str, str]], Adapter], ...] = (
    lambda environ: XAdapter(
        token=environ.get("X_BEARER_TOKEN") or None,
        thread=_number(environ.get("X_THREAD_POSTS")),
    ),
    lambda environ: YouTubeAdapter(key=environ.get("YOUTUBE_API_KEY") or None),
    lambda environ: RedditAdapter(
        client_id=environ.get("REDDIT_CLIENT_ID") or None,
        client_secret=environ.get("REDDIT_CLIENT_SECRET") or None,
    ),
    lambda environ: FacebookAdapter(token=environ.get("META_ACCESS_TOKEN") or None),
    lambda environ: InstagramAdapter(token=environ.get("META_ACCESS_TOKEN") or None),
    lambda environ: ThreadsAdapter(token=environ.get("THREADS_ACCESS_TOKEN") or None),
    lambda _: TikTokAdapter(),
    lambda _: LinkedInAdapter(),
    lambda _: TelegramAdapter(),
    lambda environ: MatrixAdapter(
        token=environ.get("MATRIX_ACCESS_TOKEN") or None,
        homeserver=environ.get("MATRIX_HOMESERVER") or None,
    ),
    lambda environ: MastodonAdapter(
        token=environ.get("MASTODON_ACCESS_TOKEN") or None,
        token_host=(environ.get("MASTODON_INSTANCE") or "").lower() or None,
    ),
    lambda environ: BlueskyAdapter(
        api=environ.get("BSKY_PUBLIC_API") or PUBLIC_API,
        plc=environ.get("ATPROTO_PLC_DIRECTORY") or PLC_DIRECTORY,
        txt=None if proxies_from(environ).name else txt_records,
        account=_app_password(environ),
    ),
    lambda _: DiscourseAdapter(),
    lambda _: NodeBbAdapter(),
    lambda _: WordPressAdapter(),
    lambda _: GenericAdapter(),
)
"""Each makes one adapter out of the environment; in the order in which they are asked."""


def adapters(environ: Mapping[str, str]) -> tuple[Adapter, ...]:
    """All adapters in the order in which they are asked; the generic one is last.

    Args:
        environ: read for tokens and settings; ``docs/platforms.md`` names them.
    """
    return tuple(make(environ) for make in _MAKERS)


def _takers(addresses: Iterable[str], environ: Mapping[str, str]) -> Iterator[tuple[Adapter, str]]:
    """Adapters that take one of the addresses, with that address.

    Only these read ``environ``: asking a desktop's keyring for every token there is would open a
    window that has nothing to do with the page at hand.
    """
    asked = list(addresses)
    for make in _MAKERS:
        bare = make({})
        taken = [address for address in asked if bare.recognise(address) is not None]
        if taken:
            adapter = make(environ)
            yield from ((adapter, address) for address in taken)


def _app_password(environ: Mapping[str, str]) -> AppPassword | None:
    identifier = environ.get("BLUESKY_IDENTIFIER")
    password = environ.get("BLUESKY_APP_PASSWORD")
    if not identifier or not password:
        return None
    return AppPassword(identifier, password, environ.get("BLUESKY_SERVICE") or SERVICE)


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 6 else 0


def cost_of(url: str, environ: Mapping[str, str]) -> str:
    """What asking about this address can cost at most, in words; empty where it costs nothing."""
    for adapter, _ in _takers([url], environ):
        if isinstance(adapter, XAdapter) and adapter.token:
            most = adapter.most_posts
            return f"at most {most} posts, ${most * DOLLARS_A_POST:.2f}"
    return ""


def _with_page(
    result: PlatformResult, http: Http, out: ApiFolder, log: EventLog, page: Page | None
) -> PlatformResult:
    """Where the platform could not be asked, what its page says about itself."""
    if page is None or result.posts or result.state is not State.UNKNOWN:
        return result
    generic = GenericAdapter()
    target = generic.recognise(page.url)
    if target is None or result.adapter == generic.name:
        return result
    read = generic.fetch(target, http, out, log, page)
    return replace(
        result,
        state=read.state,
        permalink=result.permalink or read.permalink,
        posts=read.posts,
        gaps=(*result.gaps, *read.gaps),
    )


def fetch_post(
    url: str,
    http: Http,
    out: ApiFolder,
    log: EventLog,
    *,
    environ: Mapping[str, str],
    page: Page | None = None,
) -> PlatformResult:
    """Ask the platform that the URL belongs to.

    The address that the user gave is tried first, then the one where the browser ended: short
    links show their platform only there.

    Raises:
        StorageError: a file could not be written.
    """
    addresses = dict.fromkeys([url, page.url] if page is not None else [url])
    for adapter, address in _takers(addresses, environ):
        target = adapter.recognise(address)
        if target is None:
            continue
        try:
            result = adapter.fetch(target, http, out, log, page)
        except NotThisPlatformError:
            continue
        log.log("platform.asked", adapter=adapter.name, state=str(result.state))
        return _with_page(result, http, out, log, page)
    gap = Gap("platform.none", url, "not an address that any adapter takes")
    return PlatformResult("none", State.UNKNOWN, gaps=(gap,))
