"""YouTube: Data API v3 with a key; without one the oEmbed endpoint.

Source: YouTube Data API v3 reference (videos, channels, comments, commentThreads). Each question
costs one unit of the key's 10,000 a day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
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
from evidence_kit.platforms.reading import Raw, read_fields, text_at
from evidence_kit.platforms.visit import Visit, host_in

HOSTS = ("youtube.com", ".youtube.com", "youtube-nocookie.com", "www.youtube-nocookie.com")
SHORT = ("youtu.be", "www.youtu.be")
PAGE = 100
"""Comments on one page; the API's maximum."""
MAX_PAGES = 5
"""Pages of comments or replies; 5 units of the day's 10,000."""
_TOKEN_WOULD_ADD = "description, times, counts, comments and their replies"  # noqa: S105

_VIDEO = re.compile(r"[A-Za-z0-9_-]{11}")
_COMMENT = re.compile(r"[A-Za-z0-9_.-]{10,120}")
_PATH = re.compile(r"/(?:shorts|live|embed|v)/(?P<id>[A-Za-z0-9_-]{11})/?")
_THUMBNAILS = ("maxres", "standard", "high", "medium", "default")
_REFUSED = {
    "quotaExceeded": "the key's quota of today is spent; it begins anew at midnight Pacific time",
    "rateLimitExceeded": "too many questions with this key",
    "commentsDisabled": "comments are switched off",
}

VIDEO_FIELDS: dict[str, str | tuple[str, ...]] = {
    "id": "id",
    "author_id": "snippet/channelId",
    "author_name": "snippet/channelTitle",
    "title": "snippet/title",
    "text": "snippet/description",
    "language": ("snippet/defaultLanguage", "snippet/defaultAudioLanguage"),
    "created": "snippet/publishedAt",
    "visibility": "status/privacyStatus",
    "replies": "statistics/commentCount",
    "likes": "statistics/likeCount",
    "views": "statistics/viewCount",
    "media": "snippet/thumbnails",
}
COMMENT_FIELDS: dict[str, str | tuple[str, ...]] = {
    "id": "id",
    "author_id": "snippet/authorChannelId/value",
    "author_name": "snippet/authorDisplayName",
    "author_url": "snippet/authorChannelUrl",
    # The original goes to its author only; to others the API promises the displayed text.
    "text": ("snippet/textOriginal", "snippet/textDisplay"),
    "created": "snippet/publishedAt",
    "edited": "snippet/updatedAt",
    "reply_to": "snippet/parentId",
    "conversation": "snippet/videoId",
    "likes": "snippet/likeCount",
}
OEMBED_FIELDS = {"author_name": "author_name", "author_url": "author_url", "title": "title"}


@dataclass(frozen=True)
class YouTubeAdapter:
    """Videos and comments on YouTube.

    Args:
        key: API key, or None; sent in a header, never part of any output.
        api: of the Data API.
        site: of the oEmbed endpoint.
    """

    key: str | None = field(default=None, repr=False)
    api: str = "https://www.googleapis.com"
    site: str = "https://www.youtube.com"
    name: str = "youtube"

    def recognise(self, url: str) -> Target | None:
        """Videos, shorts and comments, also through youtu.be and the mobile site."""
        base = base_of(url)
        if base is None:
            return None
        parts = urlsplit(url)
        asked = parse_qs(parts.query, max_num_fields=100) if parts.query.count("&") < 100 else {}
        video = ""
        if host_in(url, SHORT):
            video = parts.path.strip("/")
        elif host_in(url, HOSTS):
            found = _PATH.fullmatch(parts.path)
            if found is not None:
                video = found["id"]
            elif parts.path.rstrip("/") == "/watch":
                video = asked.get("v", [""])[0]
        if _VIDEO.fullmatch(video) is None:
            return None
        comment = asked.get("lc", [""])[0]
        ident = f"{video}#{comment}" if _COMMENT.fullmatch(comment) else video
        return Target(self.name, url, base, ident)

    def fetch(
        self, target: Target, http: Http, out: ApiFolder, log: EventLog, page: Page | None = None
    ) -> PlatformResult:
        """See :class:`~evidence_kit.platforms.base.Adapter`; ``page`` is not needed."""
        visit = Visit(
            self.name,
            http,
            out,
            log,
            bounds={"pages of comments": MAX_PAGES} if self.key else {},
            token_would_add=_TOKEN_WOULD_ADD,
            token_used=bool(self.key),
        )
        video, _, comment = target.ident.partition("#")
        address = f"https://www.youtube.com/watch?v={video}"
        embedded = visit.also(
            "oembed",
            f"{self.site}/oembed?{urlencode({'url': address, 'format': 'json'})}",
            expected=(200, 400, 401, 403, 404),
        )
        if not self.key:
            return _without_key(visit, embedded, address, comment)
        return _Questions(visit, self.api, self.key, video, comment).run(embedded)


def _without_key(visit: Visit, raw: Raw | None, address: str, comment: str) -> PlatformResult:
    """What oEmbed alone says; its refusals cover private videos and those not to be embedded."""
    if comment:
        visit.gap("comment.not-asked", address, "a comment can only be asked for with a key")
    if raw is None:
        return visit.result(State.UNKNOWN)
    if raw.usable and text_at(raw.value, "/title"):
        # The text of the post itself is not in it, so this is the video and not the comment.
        posts = [Post("quoted" if comment else "post", read_fields(raw, "", OEMBED_FIELDS))]
        state = State.UNKNOWN if comment else State.FOUND
        return visit.result(state, permalink=None if comment else address, posts=posts)
    if raw.status == 400:
        visit.gap("oembed.not-there", raw.path, "the platform knows no such video")
        return visit.result(State.NOT_THERE)
    if raw.status in (401, 403):
        detail = f"HTTP {raw.status}: not public, or not to be embedded; it does not say which"
        visit.gap("oembed.refused", raw.path, detail)
        return visit.result(State.UNKNOWN)
    return visit.result(visit.absent("oembed", raw))


class _Questions:
    """The questions with a key about one video or comment."""

    def __init__(self, visit: Visit, api: str, key: str, video: str, comment: str) -> None:
        self._visit = visit
        self._api = api
        self._headers = {"X-Goog-Api-Key": key}
        self._video = video
        self._comment = comment

    def run(self, embedded: Raw | None) -> PlatformResult:
        """Ask for the video, its channel, the comments; with a comment for that one first."""
        visit = self._visit
        parts = "snippet,status,statistics,contentDetails,liveStreamingDetails,recordingDetails"
        raw = visit.main(
            "video", self._address("videos", part=parts, id=self._video), self._headers
        )
        if isinstance(raw, PlatformResult):
            return raw
        refused = self._refused("video", raw)
        if refused is not None:
            return visit.result(refused)
        if not raw.listed("/items"):
            detail = "the API gives the same empty list for removed, private and unknown videos"
            visit.gap("video.not-there", raw.path, detail)
            if embedded is not None and embedded.status in (401, 403):
                detail = f"HTTP {embedded.status}: not public, or not to be embedded"
                visit.gap("oembed.refused", embedded.path, detail)
            return visit.result(State.NOT_THERE)
        if raw.get("/items/0/id") != self._video:
            visit.gap("video.other-id", raw.path, "the answer is about another video")
            return visit.result(State.ERROR)
        channel = text_at(raw.value, "/items/0/snippet/channelId")
        if channel:
            address = self._address("channels", part="snippet,statistics,status", id=channel)
            visit.also("channel", address, self._headers)
        address = f"https://www.youtube.com/watch?v={self._video}"
        video = read_fields(raw, "/items/0", VIDEO_FIELDS)
        pictures = {}
        for size in _THUMBNAILS:
            url = text_at(raw.value, f"/items/0/snippet/thumbnails/{size}/url")
            if url:
                pictures[url] = (None, "thumbnail")
                break
        if self._comment:
            return self._about_comment(Post("quoted", video), address)
        posts = [Post("post", video), *self._comments()]
        visit.gap("media.video", address, "the video itself is not fetched from the API")
        return visit.result(
            State.FOUND, permalink=address, posts=posts, media=visit.media(pictures, raw.path)
        )

    def _about_comment(self, video: Post, address: str) -> PlatformResult:
        visit = self._visit
        found = self._one_comment(self._comment)
        if isinstance(found, State):
            return visit.result(found, posts=[])
        posts = [Post("post", read_fields(found, "/items/0", COMMENT_FIELDS))]
        parent = text_at(found.value, "/items/0/snippet/parentId")
        if parent:
            above = self._one_comment(parent)
            if isinstance(above, Raw):
                posts.append(Post("ancestor", read_fields(above, "/items/0", COMMENT_FIELDS)))
        posts += self._pages("comments", parentId=parent or self._comment)
        posts = [
            post
            for i, post in enumerate(posts)
            if i == 0 or text_at(post.to_json(), "/id/value") != self._comment
        ]
        return visit.result(
            State.FOUND, permalink=f"{address}&lc={self._comment}", posts=[*posts, video]
        )

    def _one_comment(self, ident: str) -> Raw | State:
        visit = self._visit
        address = self._address("comments", part="snippet", id=ident, textFormat="plainText")
        raw = visit.main("comment", address, self._headers)
        if isinstance(raw, PlatformResult):
            return raw.state
        refused = self._refused("comment", raw)
        if refused is not None:
            return refused
        if raw.get("/items/0/id") != ident:
            visit.gap(
                "comment.not-there", raw.path, "the platform knows no such comment (any more)"
            )
            return State.NOT_THERE
        return raw

    def _comments(self) -> list[Post]:
        """Top comments with the replies that come along."""
        return self._pages("commentThreads", videoId=self._video)

    def _pages(self, what: str, **asked: str) -> list[Post]:
        visit = self._visit
        threads = what == "commentThreads"
        posts: list[Post] = []
        after = ""
        for _ in range(MAX_PAGES):
            given = {"part": "snippet,replies" if threads else "snippet", **asked}
            given |= {"maxResults": str(PAGE), "textFormat": "plainText"}
            if after:
                given["pageToken"] = after
            raw = visit.also("comments", self._address(what, **given), self._headers, (200, 403))
            if raw is None or self._refused("comments", raw) is not None:
                return posts
            for i, item in enumerate(raw.listed("/items")):
                place = f"/items/{i}"
                if not threads:
                    posts.append(Post("reply", read_fields(raw, place, COMMENT_FIELDS)))
                    continue
                top = f"{place}/snippet/topLevelComment"
                posts.append(Post("reply", read_fields(raw, top, COMMENT_FIELDS)))
                below = raw.listed(f"{place}/replies/comments")
                posts += [
                    Post("reply", read_fields(raw, f"{place}/replies/comments/{k}", COMMENT_FIELDS))
                    for k in range(len(below))
                ]
                said = raw.get(f"{place}/snippet/totalReplyCount")
                if isinstance(said, int) and said > len(below):
                    subject = text_at(item, "/id") or raw.path
                    detail = f"the platform counts {said} replies and gives {len(below)} here"
                    visit.gap("comments.replies-missing", subject, detail)
            after = text_at(raw.value, "/nextPageToken")
            if not after:
                return posts
        detail = f"{MAX_PAGES} pages of comments are read"
        visit.bound("pages of comments", "comments.bound", self._video, detail)
        return posts

    def _refused(self, what: str, raw: Raw) -> State | None:
        """What an answer other than a list means, None where it is one."""
        if raw.usable and isinstance(raw.get("/items"), list):
            return None
        reason = text_at(raw.value, "/error/errors/0/reason")
        if raw.status in (400, 401, 403, 404) and reason:
            words = _REFUSED.get(reason, "the platform refuses the question")
            self._visit.gap(f"{what}.refused", raw.path, f"{reason}: {words}")
            limited = reason in ("quotaExceeded", "rateLimitExceeded")
            return State.RATE_LIMITED if limited else State.UNKNOWN
        self._visit.unreadable(what, raw)
        return State.ERROR

    def _address(self, what: str, **asked: str) -> str:
        return f"{self._api}/youtube/v3/{what}?{urlencode(asked, safe=',')}"
