"""How each platform adapter is brought to a local server: the table of the contract suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from evidence_kit.platforms.base import Adapter
from evidence_kit.platforms.bluesky import BlueskyAdapter
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
from evidence_kit.platforms.x import XAdapter
from evidence_kit.platforms.youtube import YouTubeAdapter
from tests.platform_tools import Played, js

FACEBOOK = "https://www.facebook.com/100064/posts/123456789"
MATRIX = "https://matrix.to/#/!kamer:voorbeeld.nl/$gebeurtenis"
WP_PAGE = (
    '<link rel="https://api.w.org/" href="{base}/wp-json/">'
    '<link rel="alternate" type="application/json" href="{base}/wp-json/wp/v2/posts/4">'
)
INSTANCE = js({"domain": "voorbeeld.invalid", "version": "4.3.0"})

BLUESKY_DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"


@dataclass(frozen=True)
class Case:
    """One adapter, in one of its ways to ask.

    Attributes:
        make: the adapter for a server at an address.
        url: of a post; ``{base}`` stands for the server.
        answers: by path, for questions that come before the one about the post.
        page: what the browser received, with ``{base}``; else the hostile answer's beginning.
    """

    label: str
    make: Callable[[str], Adapter]
    url: str
    answers: Mapping[str, Played] = field(default_factory=dict)
    page: str = ""


CASES = (
    Case(
        "mastodon",
        lambda base: MastodonAdapter(),
        "{base}/@boze_bezoeker/115400000000000101",
        {"/api/v2/instance": INSTANCE},
    ),
    Case(
        "x",
        lambda base: XAdapter(api=base, oembed=base, syndication=base),
        "https://x.com/jan/status/1154",
    ),
    Case(
        "x-token",
        lambda base: XAdapter("geheim", api=base, oembed=base, syndication=base),
        "https://x.com/jan/status/1154",
    ),
    Case(
        "youtube",
        lambda base: YouTubeAdapter(api=base, site=base),
        "https://youtu.be/dQw4w9WgXcQ",
    ),
    Case(
        "youtube-key",
        lambda base: YouTubeAdapter("geheim", api=base, site=base),
        "https://youtu.be/dQw4w9WgXcQ",
    ),
    Case("reddit", lambda base: RedditAdapter(), "https://redd.it/2gmzqe"),
    Case(
        "reddit-app",
        lambda base: RedditAdapter("app", "geheim", site=base, api=base),
        "https://redd.it/2gmzqe",
        {"/api/v1/access_token": js({"access_token": "geheim"})},
    ),
    Case(
        "bluesky",
        lambda base: BlueskyAdapter(api=base, plc=base),
        "https://bsky.app/profile/jan.test/post/3mabcdefgh22k",
        {"/xrpc/com.atproto.identity.resolveHandle": js({"did": BLUESKY_DID})},
    ),
    Case(
        "discourse",
        lambda base: DiscourseAdapter(),
        "{base}/t/wat-ik-zag/57/2",
        {"/about.json": js({"about": {"version": "3.4.0"}})},
    ),
    Case(
        "nodebb",
        lambda base: NodeBbAdapter(),
        "{base}/topic/12/wat-ik-zag/2",
        {"/api/config": js({"relative_path": "", "upload_url": "/u"})},
    ),
    Case("facebook", lambda base: FacebookAdapter(), FACEBOOK),
    Case("facebook-token", lambda base: FacebookAdapter("geheim", base), FACEBOOK),
    Case("instagram", lambda base: InstagramAdapter(), "https://www.instagram.com/p/DAbc123_x/"),
    Case(
        "instagram-token",
        lambda base: InstagramAdapter("geheim", base),
        "https://www.instagram.com/p/DAbc123_x/",
    ),
    Case("threads", lambda base: ThreadsAdapter(), "https://www.threads.net/@jan/post/DAbc123_x"),
    Case(
        "threads-token",
        lambda base: ThreadsAdapter("geheim", base),
        "https://www.threads.com/@jan/post/DAbc123_x",
    ),
    Case(
        "tiktok",
        lambda base: TikTokAdapter(base),
        "https://www.tiktok.com/@jan/video/7123456789012345678",
    ),
    Case(
        "linkedin",
        lambda base: LinkedInAdapter(),
        "https://www.linkedin.com/feed/update/urn:li:activity:7123456789012345678/",
    ),
    Case("matrix", lambda base: MatrixAdapter(), MATRIX),
    Case("matrix-token", lambda base: MatrixAdapter("geheim", base), MATRIX),
    Case("telegram", lambda base: TelegramAdapter(base), "https://t.me/buurtnieuws/57"),
    Case("wordpress", lambda base: WordPressAdapter(), "{base}/2026/bericht/", page=WP_PAGE),
    Case("generic", lambda base: GenericAdapter(), "{base}/@boze_bezoeker/115400000000000101"),
)
