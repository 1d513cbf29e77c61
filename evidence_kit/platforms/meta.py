"""Facebook, Instagram and Threads: an organisation's own posts and what is written below them.

The Graph API shows a page's posts to the owner's token; comments on one's own posts are the usual
case. Everything else is captured as a page: the terms of Facebook's oEmbed forbid keeping what it
gives. Source: Graph API and Threads API reference.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

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
from evidence_kit.platforms.reading import Raw, at, read_fields, segment, text_at
from evidence_kit.platforms.visit import Visit, host_in

VERSION = "v26.0"
MAX_PAGES = 5
"""Pages of one's own posts that are searched for a short code, and of comments, 100 each."""
_TOKEN_WOULD_ADD = "posts of your own pages, with the comments below them"  # noqa: S105

_DIGITS = r"[0-9]{5,25}"
_FACEBOOK = tuple(
    re.compile(form)
    for form in (
        rf"/(?P<page>[A-Za-z0-9.]{{1,80}})/(?:posts|videos)/(?:[^/]{{1,300}}/)?(?P<id>{_DIGITS}|pfbid\w{{10,100}})/?",
        rf"/groups/(?P<page>[A-Za-z0-9.]{{1,80}})/(?:posts|permalink)/(?P<id>{_DIGITS})/?",
        rf"/(?:reel|reels|watch/live)/(?P<id>{_DIGITS})/?",
        r"/share/(?:[prv]/)?(?P<share>[A-Za-z0-9]{5,40})/?",
    )
)
_INSTAGRAM = re.compile(
    r"(?:/[A-Za-z0-9._]{1,40})?/(?:p|reel|reels|tv)/(?P<id>[A-Za-z0-9_-]{5,40})/?"
    r"(?:c/(?P<comment>[0-9]{5,25})/?)?"
)
_THREADS = re.compile(r"/(?:@[A-Za-z0-9._]{1,40}/post|t)/(?P<id>[A-Za-z0-9_-]{5,40})/?")

_FACEBOOK_POST = (
    "id,message,story,created_time,updated_time,permalink_url,from,is_hidden,privacy,shares,"
    "attachments{media,media_type,subattachments,title,url},reactions.limit(0).summary(true),"
    "comments.limit(0).summary(true)"
)
_FACEBOOK_COMMENT = "id,message,created_time,from,parent,permalink_url,is_hidden,like_count"
_INSTAGRAM_POST = (
    "id,shortcode,permalink,caption,media_type,media_url,thumbnail_url,timestamp,username,"
    "like_count,comments_count,children{id,media_type,media_url}"
)
_INSTAGRAM_COMMENT = "id,text,timestamp,username,like_count,parent_id,hidden"
_THREADS_POST = (
    "id,shortcode,permalink,text,media_type,media_url,timestamp,username,alt_text,is_quote_post,"
    "quoted_post,children,reply_audience"
)

FACEBOOK_FIELDS: dict[str, str | tuple[str, ...]] = {
    "id": "id",
    "permalink": "permalink_url",
    "author_id": "from/id",
    "author_name": "from/name",
    "text": ("message", "story"),
    "created": "created_time",
    "edited": "updated_time",
    "visibility": "privacy/value",
    "reply_to": "parent/id",
    "replies": "comments/summary/total_count",
    "reposts": "shares/count",
    "likes": ("reactions/summary/total_count", "like_count"),
    "media": "attachments",
}
INSTAGRAM_FIELDS: dict[str, str | tuple[str, ...]] = {
    "id": "id",
    "permalink": "permalink",
    "author_handle": "username",
    "text": ("caption", "text"),
    "created": "timestamp",
    "reply_to": "parent_id",
    "replies": "comments_count",
    "likes": "like_count",
    "media": ("media_url", "children"),
}


@dataclass(frozen=True)
class _OwnPosts(ABC):
    """What the three adapters have in common: without a token there is only the page.

    Args:
        token: of one's own page or account, or None; never part of any output.
        api: address of the API.
    """

    token: str | None = field(default=None, repr=False)
    api: str = "https://graph.facebook.com"
    name: str = ""
    version: ClassVar[str] = VERSION

    def fetch(
        self, target: Target, http: Http, out: ApiFolder, log: EventLog, page: Page | None = None
    ) -> PlatformResult:
        """See :class:`~evidence_kit.platforms.base.Adapter`."""
        graph = _Graph(self.name, self.token, f"{self.api}/{self.version}", http, out, log)
        if not self.token:
            return graph.page_only(target.url)
        return self._ask(graph, target, page)

    @abstractmethod
    def _ask(self, graph: _Graph, target: Target, page: Page | None) -> PlatformResult:
        """The questions, with a token."""


@dataclass(frozen=True)
class FacebookAdapter(_OwnPosts):
    """Posts and comments on Facebook."""

    name: str = "facebook"

    def recognise(self, url: str) -> Target | None:
        """Posts, photos, videos and share links, on all of Facebook's hosts."""
        base = base_of(url)
        if base is None:
            return None
        parts = urlsplit(url)
        if host_in(url, ("fb.watch", "www.fb.watch")) and len(parts.path) > 1:
            return Target(self.name, url, base)
        if not host_in(url, ("facebook.com", ".facebook.com", "fb.com", "www.fb.com")):
            return None
        asked = _query(parts.query)
        ident, owner = "", ""
        for form in _FACEBOOK:
            found = form.fullmatch(parts.path)
            if found is not None:
                groups = found.groupdict()
                ident, owner = groups.get("id") or "", groups.get("page") or ""
                break
        else:
            path = parts.path.rstrip("/").lower()
            if path not in ("/story.php", "/permalink.php", "/photo.php", "/photo", "/watch"):
                return None
            ident = asked.get("story_fbid") or asked.get("fbid") or asked.get("v") or ""
            owner = asked.get("id", "")
            if not re.fullmatch(r"[0-9]{5,25}|pfbid\w{10,100}", ident):
                return None
        comment = asked.get("reply_comment_id") or asked.get("comment_id") or ""
        tail = f"/{comment}" if re.fullmatch(_DIGITS, comment) else ""
        return Target(self.name, url, base, ident + tail, owner)

    def _ask(self, graph: _Graph, target: Target, page: Page | None) -> PlatformResult:
        """The questions, with a token; a share link's page says its post."""
        if not target.ident and page is not None:
            target = self.recognise(page.url) or target
        post, _, comment = target.ident.partition("/")
        owner = target.author
        if not re.fullmatch(_DIGITS, post) or not owner:
            detail = "the address holds no number that the API knows; open it and copy the link"
            graph.visit.gap("post.no-number", target.url, detail)
            return graph.visit.result(State.UNKNOWN)
        if not owner.isdecimal():
            named = graph.visit.also(
                "owner", graph.address(segment(owner), fields="id,name"), graph.bearer
            )
            owner = text_at(named.value, "/id") if named is not None else ""
            if not owner:
                return graph.visit.result(State.UNKNOWN)
        ident = f"{post}_{comment}" if comment else f"{owner}_{post}"
        fields = _FACEBOOK_COMMENT if comment else _FACEBOOK_POST
        return graph.about(ident, fields, FACEBOOK_FIELDS, "comments", _FACEBOOK_COMMENT)


@dataclass(frozen=True)
class InstagramAdapter(_OwnPosts):
    """Posts on Instagram."""

    name: str = "instagram"

    def recognise(self, url: str) -> Target | None:
        """Posts, reels and videos."""
        base = base_of(url)
        if base is None or not host_in(url, ("instagram.com", ".instagram.com", "instagr.am")):
            return None
        found = _INSTAGRAM.fullmatch(urlsplit(url).path)
        return Target(self.name, url, base, found["id"]) if found is not None else None

    def _ask(self, graph: _Graph, target: Target, page: Page | None) -> PlatformResult:
        """The questions, with a token."""
        accounts = graph.visit.main(
            "accounts",
            graph.address("me/accounts", fields="id,name,instagram_business_account"),
            graph.bearer,
        )
        if isinstance(accounts, PlatformResult):
            return accounts
        if not accounts.usable:
            return graph.visit.result(graph.refused(accounts))
        for item in accounts.listed("/data"):
            account = text_at(item, "/instagram_business_account/id")
            ident = graph.find(f"{account}/media", target.ident) if account.isdecimal() else ""
            if ident:
                return graph.about(
                    ident, _INSTAGRAM_POST, INSTAGRAM_FIELDS, "comments", _INSTAGRAM_COMMENT
                )
        return graph.not_mine(target.url)


@dataclass(frozen=True)
class ThreadsAdapter(_OwnPosts):
    """Posts on Threads."""

    api: str = "https://graph.threads.net"
    name: str = "threads"
    version: ClassVar[str] = "v1.0"

    def recognise(self, url: str) -> Target | None:
        """Posts on threads.net and threads.com."""
        base = base_of(url)
        hosts = ("threads.net", "www.threads.net", "threads.com", "www.threads.com")
        if base is None or not host_in(url, hosts):
            return None
        found = _THREADS.fullmatch(urlsplit(url).path)
        return Target(self.name, url, base, found["id"]) if found is not None else None

    def _ask(self, graph: _Graph, target: Target, page: Page | None) -> PlatformResult:
        """The questions, with a token."""
        ident = graph.find("me/threads", target.ident)
        if not ident:
            return graph.not_mine(target.url)
        return graph.about(ident, _THREADS_POST, INSTAGRAM_FIELDS, "replies", _THREADS_POST)


class _Graph:
    """What the three have in common."""

    def __init__(
        self, name: str, token: str | None, root: str, http: Http, out: ApiFolder, log: EventLog
    ) -> None:
        self.bearer = {"Authorization": f"Bearer {token}"} if token else {}
        self._root = root
        self._failed = False
        self.visit = Visit(
            name,
            http,
            out,
            log,
            bounds={"pages": MAX_PAGES} if token else {},
            token_would_add=_TOKEN_WOULD_ADD,
            token_used=bool(token),
        )

    def page_only(self, url: str) -> PlatformResult:
        """Without a token there is only the page."""
        detail = "the platform's API answers owners only; the page is what there is"
        self.visit.gap("token.missing", url, detail)
        return self.visit.result(State.UNKNOWN)

    def not_mine(self, url: str) -> PlatformResult:
        """The token's account has no such post, as far as it could be asked."""
        if self._failed:
            return self.visit.result(State.UNKNOWN)
        detail = "not among the newest posts of the token's account; the page is what there is"
        self.visit.gap("post.not-own", url, detail)
        return self.visit.result(State.UNKNOWN)

    def address(self, path: str, **asked: str) -> str:
        """Of one question."""
        return f"{self._root}/{path}?{urlencode(asked, safe=',(){}')}"

    def pages(self, what: str, path: str, fields: str) -> Iterator[Raw]:
        """Answers of a listing, page by page; the cursor goes into an address of our own."""
        after = ""
        for _ in range(MAX_PAGES):
            asked = {"fields": fields, "limit": "100", **({"after": after} if after else {})}
            raw = self.visit.also(what, self.address(path, **asked), self.bearer)
            if raw is None:
                self._failed = True
                return
            yield raw
            after = text_at(raw.value, "/paging/cursors/after")
            if not after or at(raw.value, "/paging/next") is None:
                return
        self.visit.bound("pages", f"{what}.bound", path, f"{MAX_PAGES} pages are read")

    def find(self, path: str, code: str) -> str:
        """The API's number of one's own post with a short code; empty where there is none."""
        for raw in self.pages("own-posts", path, "id,shortcode,permalink"):
            for item in raw.listed("/data"):
                ident = text_at(item, "/id")
                link = text_at(item, "/permalink").rstrip("/").rsplit("/", 1)[-1]
                if code in (text_at(item, "/shortcode"), link) and ident.isdecimal():
                    return ident
        return ""

    def about(
        self,
        ident: str,
        fields: str,
        table: dict[str, str | tuple[str, ...]],
        below: str,
        below_fields: str,
    ) -> PlatformResult:
        """One post and what is written below it."""
        visit = self.visit
        raw = visit.main("post", self.address(ident, fields=fields), self.bearer)
        if isinstance(raw, PlatformResult):
            return raw
        if not raw.usable or raw.get("/id") != ident:
            return visit.result(self.refused(raw))
        posts = [Post("post", read_fields(raw, "", table))]
        for part in self.pages(below, f"{ident}/{below}", below_fields):
            posts += [
                Post("reply", read_fields(part, f"/data/{i}", table))
                for i in range(len(part.listed("/data")))
            ]
        wanted: dict[str, tuple[str | None, str]] = {}
        for place in ("/media_url", "/attachments/data/0/media/image/src"):
            url = text_at(raw.value, place)
            if url:
                alt = text_at(raw.value, "/alt_text") or None
                wanted[url] = (alt, text_at(raw.value, "/media_type").lower())
        for item in raw.listed("/children/data"):
            url = text_at(item, "/media_url")
            if url:
                wanted[url] = (None, text_at(item, "/media_type").lower())
        permalink = text_at(raw.value, "/permalink_url") or text_at(raw.value, "/permalink")
        return visit.result(
            State.FOUND,
            permalink=permalink or None,
            posts=posts,
            media=visit.media(wanted, raw.path),
        )

    def refused(self, raw: Raw) -> State:
        """What an error of the Graph API means, as far as its code tells something apart."""
        code = raw.get("/error/code")
        said = text_at(raw.value, "/error/message")[:200]
        if code == 190:
            self.visit.gap("token.refused", raw.path, "the token is not valid (any more)")
            return State.UNKNOWN
        if code in (4, 17, 32, 613):
            self.visit.gap("post.rate-limited", raw.path, "too many questions with this token")
            return State.RATE_LIMITED
        if code in (10, 100, 200, 803):
            detail = f"not there, or not for this token; the API does not say which: {said}"
            self.visit.gap("post.not-there", raw.path, detail)
            return State.NOT_THERE
        self.visit.unreadable("post", raw)
        return State.ERROR


def _query(query: str) -> dict[str, str]:
    given = parse_qs(query, max_num_fields=100) if query.count("&") < 100 else {}
    return {name: values[0] for name, values in given.items()}
