"""Reddit: the OAuth API with an app's id and secret; without them there is nothing to ask.

Since May 2026 Reddit refuses anonymous questions (403, "blocked by network security").
Source: Reddit's API documentation (``/comments``, ``/api/info``) and its OAuth2 guide, application
only.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from evidence_kit.core.errors import InputError, NetworkError
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
from evidence_kit.platforms.reading import (
    UNIX_SECONDS,
    Raw,
    at,
    parse_answer,
    read_fields,
    text_at,
)
from evidence_kit.platforms.visit import Visit, host_in

HOSTS = ("reddit.com", ".reddit.com")
SHORT = ("redd.it", "www.redd.it")
MAX_COMMENTS = 500
"""Comments of a thread in one answer; the API's maximum without a paid account."""
MAX_DEPTH = 30
"""Levels of answers; each nests JSON some five deep, of which 200 are read. Reddit shows ten."""
_TOKEN_WOULD_ADD = "everything: Reddit's API answers only to an app of yours"  # noqa: S105

_COMMENTS = re.compile(
    r"(?:/(?:r|u|user)/(?P<group>[A-Za-z0-9_.-]{1,40}))?/comments/(?P<id>[a-z0-9]{1,12})"
    r"(?:/(?P<slug>[^/]*)(?:/(?P<comment>[a-z0-9]{1,12}))?)?/?",
    re.IGNORECASE,
)
_COMMENT = re.compile(
    r"/(?:r|u|user)/[^/]{1,40}/comments/(?P<id>[a-z0-9]{1,12})/comment/(?P<comment>[a-z0-9]{1,12})/?",
    re.IGNORECASE,
)
_SHARE = re.compile(r"/(?:r|u|user)/[A-Za-z0-9_.-]{1,40}/s/[A-Za-z0-9]{1,20}/?")
_SHORT = re.compile(r"/(?P<id>[a-z0-9]{1,12})/?")

FIELDS: dict[str, str | tuple[str, ...]] = {
    "id": "name",
    "author_id": "author_fullname",
    "author_handle": "author",
    "title": "title",
    "text": ("selftext", "body"),
    "text_html": ("selftext_html", "body_html"),
    "created": "created_utc",
    # False where it was never edited.
    "edited": "edited",
    "reply_to": "parent_id",
    "conversation": "link_id",
    "replies": "num_comments",
    "likes": "score",
    "visibility": "subreddit_type",
    "poll": "poll_data",
    "media": ("media_metadata", "url_overridden_by_dest"),
}


@dataclass(frozen=True)
class RedditAdapter:
    """Submissions and comments on Reddit.

    Args:
        client_id: of the app, or None.
        client_secret: of the app, or None; never part of any output.
        site: where the app's token is asked for.
        api: where the questions go.
    """

    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    site: str = "https://www.reddit.com"
    api: str = "https://oauth.reddit.com"
    name: str = "reddit"

    def recognise(self, url: str) -> Target | None:
        """Submissions, comments and share links, on all of Reddit's hosts."""
        base = base_of(url)
        if base is None:
            return None
        path = urlsplit(url).path
        if host_in(url, SHORT):
            found = _SHORT.fullmatch(path)
            return Target(self.name, url, base, found["id"].lower()) if found else None
        if not host_in(url, HOSTS):
            return None
        if _SHARE.fullmatch(path):
            return Target(self.name, url, base)
        found = _COMMENT.fullmatch(path) or _COMMENTS.fullmatch(path)
        if found is None:
            return None
        comment = (found["comment"] or "").lower()
        ident = found["id"].lower()
        return Target(self.name, url, base, f"{ident}/{comment}" if comment else ident)

    def fetch(
        self, target: Target, http: Http, out: ApiFolder, log: EventLog, page: Page | None = None
    ) -> PlatformResult:
        """See :class:`~evidence_kit.platforms.base.Adapter`; a share link's page says its post."""
        usable = bool(self.client_id and self.client_secret)
        visit = Visit(
            self.name,
            http,
            out,
            log,
            bounds={"comments": MAX_COMMENTS} if usable else {},
            token_would_add=_TOKEN_WOULD_ADD,
            token_used=usable,
        )
        if not target.ident and page is not None:
            target = self.recognise(page.url) or target
        if not target.ident:
            visit.gap("share.not-resolved", target.url, "the share link led to no post")
            return visit.result(State.UNKNOWN)
        if not usable:
            detail = "Reddit's API answers nobody without an app; see the page"
            visit.gap("token.missing", target.url, detail)
            return visit.result(State.UNKNOWN)
        token = self._token(visit)
        if token is None:
            return visit.result(State.UNKNOWN)
        return _about(visit, self.api, {"Authorization": f"Bearer {token}"}, target.ident)

    def _token(self, visit: Visit) -> str | None:
        """An hour's token for the app itself (RFC 6749 section 4.4); it is stored nowhere."""
        pair = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode("ascii")
        address = f"{self.site}/api/v1/access_token"
        try:
            answer = visit.http.send(
                "POST",
                address,
                headers={
                    "Authorization": f"Basic {pair}",
                    "Content-Type": "application/x-www-form-urlencoded",
                },
                body=b"grant_type=client_credentials",
            )
        except (NetworkError, InputError) as error:
            detail = f"{error.message}: {error.hint}" if error.hint else error.message
            visit.gap("token.not-fetched", address, detail)
            return None
        token = text_at(parse_answer(answer), "/access_token")
        # What goes into a header must not end it.
        if answer.status != 200 or not re.fullmatch(r"[\x21-\x7e]{1,4096}", token):
            visit.gap("token.refused", address, f"HTTP {answer.status}, and no token")
            return None
        return token


def _about(visit: Visit, api: str, bearer: Mapping[str, str], ident: str) -> PlatformResult:
    submission, _, comment = ident.partition("/")
    query = f"raw_json=1&limit={MAX_COMMENTS}&depth={MAX_DEPTH}&sort=old"
    if comment:
        query += f"&comment={comment}&context=8"
    raw = visit.main("comments", f"{api}/comments/{submission}?{query}", bearer)
    if isinstance(raw, PlatformResult):
        return raw
    top = "/0/data/children/0/data"
    if not raw.usable or raw.get(f"{top}/id") != submission:
        if raw.status == 403:
            reason = text_at(raw.value, "/reason") or "no reason given"
            visit.gap("comments.refused", raw.path, f"the platform refuses it: {reason}")
            return visit.result(State.PRIVATE if reason == "private" else State.UNKNOWN)
        return visit.result(visit.absent("comments", raw))
    replies = list(_comments(visit, raw))
    if comment:
        mine = [(place, value) for place, value in replies if value.get("id") == comment]
        if not mine:
            visit.gap("comment.not-there", raw.path, "the thread does not show this comment")
            return visit.result(State.NOT_THERE)
        main, role = mine[0], _role_by_parent(replies, mine[0][1])
        posts = [_post("post", raw, main[0])]
        posts.append(_post("ancestor", raw, top))
        posts += [_post(role(value), raw, place) for place, value in replies if place != main[0]]
    else:
        main = (top, raw.get(top))
        posts = [_post("post", raw, top)]
        posts += [_post("reply", raw, place) for place, _ in replies]
    author = text_at(main[1], "/author")
    if re.fullmatch(r"[A-Za-z0-9_-]{1,40}", author):
        visit.also("author", f"{api}/user/{author}/about?raw_json=1", bearer)
    state = _state_of(visit, main[1], raw.path)
    path = text_at(main[1], "/permalink")
    permalink = f"https://www.reddit.com{path}" if path.startswith("/") else None
    film = text_at(main[1], "/media/reddit_video/hls_url")
    visit.stream(film or text_at(main[1], "/media/reddit_video/dash_url"))
    return visit.result(
        state,
        permalink=permalink,
        posts=posts if state is State.FOUND else (),
        media=visit.media(_pictures(main[1]), raw.path),
    )


def _role_by_parent(replies: list[tuple[str, Any]], main: Any) -> Any:
    """Whether another comment stands above the asked one or below it."""
    parents = {text_at(value, "/name"): text_at(value, "/parent_id") for _, value in replies}
    above: set[str] = set()
    name = text_at(main, "/parent_id")
    while name in parents and name not in above:
        above.add(name)
        name = parents[name]
    return lambda value: "ancestor" if text_at(value, "/name") in above else "reply"


def _comments(visit: Visit, raw: Raw) -> list[tuple[str, Any]]:
    """Places and values of all comments in the answer, in the order of the thread."""
    hidden = 0

    def below(place: str, depth: int) -> Iterator[tuple[str, Any]]:
        nonlocal hidden
        for i, item in enumerate(raw.listed(place)):
            value = at(item, "/data")
            if text_at(item, "/kind") == "more":
                count = at(value, "/count")
                hidden += count if isinstance(count, int) else 0
            elif text_at(item, "/kind") == "t1" and isinstance(value, dict):
                yield f"{place}/{i}/data", value
                if depth < MAX_DEPTH:
                    yield from below(f"{place}/{i}/data/replies/data/children", depth + 1)

    found = list(below("/1/data/children", 1))
    if len(found) >= MAX_COMMENTS:
        visit.reach("comments")
    if hidden:
        detail = f"the platform holds back {hidden} further comments of the thread"
        visit.gap("comments.not-shown", raw.path, detail)
    return found


def _post(role: str, raw: Raw, place: str) -> Post:
    fields = read_fields(raw, place, FIELDS, precision=UNIX_SECONDS)
    if "edited" in fields and isinstance(fields["edited"].value, bool):
        del fields["edited"]
    return Post(role, fields)


def _state_of(visit: Visit, value: Any, subject: str) -> State:
    """What is left of a post whose text was taken away, in Reddit's own marks."""
    category = text_at(value, "/removed_by_category")
    text = text_at(value, "/selftext") or text_at(value, "/body")
    if text == "[deleted]" or category == "deleted":
        visit.gap("post.deleted", subject, "the platform shows [deleted]: taken away by its author")
        return State.GONE
    if text == "[removed]" or category:
        by = category or "somebody other than its author"
        visit.gap("post.removed", subject, f"the platform shows [removed], by {by}")
        return State.GONE
    return State.FOUND


def _pictures(value: Any) -> dict[str, tuple[str | None, str]]:
    """The largest form of each picture and the video, without sound, that the API names.

    The stream of the same video has the sound.
    """
    wanted: dict[str, tuple[str | None, str]] = {}
    gallery = at(value, "/media_metadata")
    for item in gallery.values() if isinstance(gallery, dict) else ():
        url = text_at(item, "/s/u") or text_at(item, "/s/gif")
        if url:
            wanted[url] = (None, "image")
    video = text_at(value, "/media/reddit_video/fallback_url")
    if video:
        wanted[video] = (None, "video")
    link = text_at(value, "/url_overridden_by_dest")
    if link and host_in(link, ("i.redd.it",)):
        wanted[link] = (None, "image")
    return wanted
