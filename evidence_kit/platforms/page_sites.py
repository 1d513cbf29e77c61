"""Sites whose API says nothing to strangers: the page is the evidence, and that is said.

TikTok still answers oEmbed without a token (announced to end); LinkedIn answers nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from evidence_kit.core.events import EventLog
from evidence_kit.core.post import Post
from evidence_kit.platforms.base import (
    ApiFolder,
    Http,
    Page,
    PlatformResult,
    State,
    Target,
    base_of,
)
from evidence_kit.platforms.reading import read_fields, text_at
from evidence_kit.platforms.visit import Visit, host_in

_TIKTOK = re.compile(r"/@(?P<user>[\w.]{1,40})/(?:video|photo)/(?P<id>[0-9]{5,25})/?")
_TIKTOK_SHORT = re.compile(r"/(?:t/)?[A-Za-z0-9]{5,20}/?")
_LINKEDIN = re.compile(
    r"/(?:posts/[^/]{1,300}|feed/update/urn:li:(?:activity|share|ugcPost):(?P<id>[0-9]{5,25})"
    r"|pulse/[^/]{1,300}|embed/feed/update/urn:li:\w{1,20}:[0-9]{5,25})/?"
)
_LINKEDIN_ID = re.compile(r"(?:activity|share|ugcPost)-(?P<id>[0-9]{5,25})")
OEMBED_FIELDS: dict[str, str | tuple[str, ...]] = {
    "author_handle": "author_unique_id",
    "author_name": "author_name",
    "author_url": "author_url",
    "text": "title",
}


@dataclass(frozen=True)
class TikTokAdapter:
    """Videos on TikTok.

    Args:
        site: of the oEmbed endpoint.
    """

    site: str = "https://www.tiktok.com"
    name: str = "tiktok"

    def recognise(self, url: str) -> Target | None:
        """Videos and photo posts; short links are resolved by the page."""
        base = base_of(url)
        if base is None:
            return None
        path = urlsplit(url).path
        if host_in(url, ("vm.tiktok.com", "vt.tiktok.com")):
            return Target(self.name, url, base) if _TIKTOK_SHORT.fullmatch(path) else None
        if not host_in(url, ("tiktok.com", ".tiktok.com")):
            return None
        found = _TIKTOK.fullmatch(path)
        if found is not None:
            return Target(self.name, url, base, found["id"], found["user"])
        return Target(self.name, url, base) if path.startswith("/t/") else None

    def fetch(
        self, target: Target, http: Http, out: ApiFolder, log: EventLog, page: Page | None = None
    ) -> PlatformResult:
        """See :class:`~evidence_kit.platforms.base.Adapter`; a short link's page says its post."""
        visit = Visit(self.name, http, out, log)
        if not target.ident and page is not None:
            target = self.recognise(page.url) or target
        if not target.ident:
            visit.gap("share.not-resolved", target.url, "the short link led to no post")
            return visit.result(State.UNKNOWN)
        address = f"https://www.tiktok.com/@{target.author}/video/{target.ident}"
        raw = visit.main("oembed", f"{self.site}/oembed?{urlencode({'url': address})}")
        if isinstance(raw, PlatformResult):
            return raw
        if not raw.usable or text_at(raw.value, "/embed_product_id") != target.ident:
            if raw.status == 200:
                visit.unreadable("oembed", raw)
                return visit.result(State.ERROR)
            # The endpoint refuses for many reasons, a removed video being one of them.
            visit.gap("oembed.refused", raw.path, f"HTTP {raw.status}; the reason is not given")
            return visit.result(State.UNKNOWN)
        wanted: dict[str, tuple[str | None, str]] = {}
        picture = text_at(raw.value, "/thumbnail_url")
        if picture:
            wanted[picture] = (None, "thumbnail")
        visit.gap("media.video", address, "the video itself stands in the page's recording only")
        return visit.result(
            State.FOUND,
            permalink=address,
            posts=[Post("post", read_fields(raw, "", OEMBED_FIELDS))],
            media=visit.media(wanted, raw.path),
        )


@dataclass(frozen=True)
class LinkedInAdapter:
    """Posts on LinkedIn, which has no API for readers."""

    name: str = "linkedin"

    def recognise(self, url: str) -> Target | None:
        """Posts and articles."""
        base = base_of(url)
        if base is None or not host_in(url, ("linkedin.com", ".linkedin.com")):
            return None
        path = urlsplit(url).path.replace("%3A", ":").replace("%3a", ":")
        found = _LINKEDIN.fullmatch(path)
        if found is None:
            return None
        number = _LINKEDIN_ID.search(path)
        return Target(self.name, url, base, found["id"] or (number["id"] if number else ""))

    def fetch(
        self, target: Target, http: Http, out: ApiFolder, log: EventLog, page: Page | None = None
    ) -> PlatformResult:
        """See :class:`~evidence_kit.platforms.base.Adapter`; makes no request of its own."""
        visit = Visit(self.name, http, out, log)
        detail = "LinkedIn has no API for readers; what the page shows to visitors is what there is"
        visit.gap("api.none", target.url, detail)
        return visit.result(State.UNKNOWN)
