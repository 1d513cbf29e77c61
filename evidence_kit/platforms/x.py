"""X: API v2 with a bearer token; without one the oEmbed and syndication endpoints.

Source: X API v2 reference. Each post that the API returns costs money, so that the expected cost
is in the log before the first question, and threads are only searched when asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from evidence_kit.platforms.reading import Raw, at, read_fields, text_at
from evidence_kit.platforms.visit import Visit, Wanted, host_in
from evidence_kit.platforms.x_read import (
    SYNDICATION_FIELDS,
    edit_ids,
    embed_token,
    media_urls,
    read_all,
    read_post,
    stream_urls,
    syndication_media_urls,
)

HOSTS = ("x.com", ".x.com", "twitter.com", ".twitter.com")
"""With mobile., m. and www. below them."""
DOLLARS_A_POST = 0.005
"""What reading one post costs (X's price list, 2026)."""
MAX_OF_ONE = 8
"""Posts that one lookup can return: the post, 5 edits, what it answers and what it quotes."""
MAX_THREAD = 500
"""Posts of a thread, whatever was asked for: $2.50."""
PAGE = 100
"""Posts on one page of a search; the API's maximum."""
_TOKEN_WOULD_ADD = "exact fields, edits, polls, long posts in full and counts of reposts"  # noqa: S105

_FORM = re.compile(
    r"/(?:(?P<user>[A-Za-z0-9_]{1,20})/|i/(?:web/)?)status(?:es)?/(?P<id>[0-9]{1,20})"
    r"(?:/(?:photo|video)/[0-9]{1,2}|/(?:likes|retweets|quotes|analytics|history|hidden))?/?"
)
_COMMON = (
    *("attachments", "conversation_id", "created_at", "display_text_range", "edit_controls"),
    *("entities", "geo", "in_reply_to_user_id", "lang", "media_metadata", "possibly_sensitive"),
    *("public_metrics", "reply_settings", "source", "text", "withheld"),
)
_NAMINGS = {
    "tweet": (
        (*_COMMON, "edit_history_tweet_ids", "note_tweet", "referenced_tweets"),
        ("edit_history_tweet_ids", "referenced_tweets.id", "referenced_tweets.id.author_id"),
    ),
    "post": (
        (*_COMMON, "edit_history_post_ids", "note_post", "referenced_posts"),
        ("edit_history_post_ids", "referenced_posts.id", "referenced_posts.id.author_id"),
    ),
}
_EXPANSIONS = (
    *("author_id", "attachments.media_keys", "attachments.poll_ids", "in_reply_to_user_id"),
    *("entities.mentions.username", "geo.place_id"),
)
_FIXED = {
    "media.fields": "alt_text,duration_ms,height,media_key,preview_image_url,public_metrics,type,"
    "url,variants,width",
    "user.fields": "created_at,description,entities,id,location,name,profile_image_url,protected,"
    "public_metrics,url,username,verified,verified_type,withheld",
    "poll.fields": "duration_minutes,end_datetime,id,options,voting_status",
    "place.fields": "contained_within,country,country_code,full_name,geo,id,name,place_type",
}
_ERRORS = {
    "resource-not-found": (State.NOT_THERE, "the platform finds no such post"),
    "not-authorized-for-resource": (State.PRIVATE, "the token's account may not see it"),
    "resource-unavailable": (State.NOT_THERE, "the platform calls it unavailable"),
}


@dataclass(frozen=True)
class XAdapter:
    """Posts on X.

    Args:
        token: bearer token of an app, or None; never part of any output.
        thread: posts of the thread to read at most; each costs money, 0 reads none.
        naming: the API's word for a post in its parameters, asked first: ``tweet`` or ``post``.
        api: of API v2.
        oembed: of the oEmbed endpoint.
        syndication: of the endpoint behind embedded posts.
    """

    token: str | None = field(default=None, repr=False)
    thread: int = 0
    naming: str = "tweet"
    api: str = "https://api.x.com"
    oembed: str = "https://publish.x.com"
    syndication: str = "https://cdn.syndication.twimg.com"
    name: str = "x"

    @property
    def most_posts(self) -> int:
        """Posts that one capture reads and pays for at most."""
        return MAX_OF_ONE + self._thread

    @property
    def _thread(self) -> int:
        return min(max(self.thread, 0), MAX_THREAD)

    def recognise(self, url: str) -> Target | None:
        """Posts on x.com and twitter.com, in all their forms."""
        base = base_of(url)
        if base is None or not host_in(url, HOSTS):
            return None
        found = _FORM.fullmatch(urlsplit(url).path)
        if found is None:
            return None
        user = found["user"] or ""
        return Target(self.name, url, base, found["id"], "" if user == "i" else user)

    def fetch(
        self, target: Target, http: Http, out: ApiFolder, log: EventLog, page: Page | None = None
    ) -> PlatformResult:
        """See :class:`~evidence_kit.platforms.base.Adapter`; ``page`` is not needed."""
        visit = Visit(
            self.name,
            http,
            out,
            log,
            bounds={"posts of the thread": self._thread} if self.token else {},
            token_would_add=_TOKEN_WOULD_ADD,
            token_used=bool(self.token),
        )
        if self.token:
            found = self._with_token(visit, target)
            if found is not None:
                return found
        return self._without_token(visit, target)

    def _with_token(self, visit: Visit, target: Target) -> PlatformResult | None:
        """What API v2 says; None where it does not answer questions of this token."""
        most, thread = self.most_posts, self._thread
        visit.log.log(
            "platform.cost", adapter=self.name, posts=most, dollars=round(most * DOLLARS_A_POST, 3)
        )
        bearer = {"Authorization": f"Bearer {self.token}"}
        naming = self.naming
        address = f"{self.api}/2/tweets/{target.ident}?"
        raw = visit.main("post", address + _query(naming), bearer)
        if isinstance(raw, Raw) and raw.status == 400:
            # The other naming: a parameter that is not known is refused and not paid for.
            naming = "post" if naming == "tweet" else "tweet"
            raw = visit.main("post", address + _query(naming), bearer)
        if isinstance(raw, PlatformResult):
            return raw
        if raw.status != 200:
            detail = text_at(raw.value, "/detail") or text_at(raw.value, "/title")
            visit.gap("token.refused", raw.path, f"HTTP {raw.status} {detail}".rstrip())
            return None
        data = raw.get("/data")
        for error in raw.listed("/errors"):
            subject = text_at(error, "/resource_id") or raw.path
            visit.gap("api.error", subject, text_at(error, "/title") or "an error without a title")
        if not isinstance(data, dict):
            return visit.result(_state_of(visit, raw))
        if data.get("id") != target.ident:
            visit.gap("post.other-id", raw.path, "the answer is about another post")
            return visit.result(State.ERROR)
        posts = read_all(raw)
        versions = edit_ids(data)
        if len(versions) > 1:
            shown = sum(post.role == "edit" for post in posts) + 1
            detail = f"{len(versions)} versions; the newest is {versions[-1]}; {shown} are here"
            visit.gap("post.edited", raw.path, detail)
        if thread:
            posts += self._search(visit, raw, naming, bearer, thread)
        elif at(data, "/public_metrics/reply_count"):
            visit.gap("thread.not-asked", raw.path, "reading replies costs money and is off")
        handle = text_at(posts[0].to_json(), "/author_handle/value") or target.author or "i"
        for film in stream_urls(raw):
            visit.stream(film)
        return visit.result(
            State.FOUND,
            permalink=f"https://x.com/{handle}/status/{target.ident}",
            posts=posts,
            media=visit.media(_originals(media_urls(raw)), raw.path),
        )

    def _search(
        self, visit: Visit, post: Raw, naming: str, bearer: Mapping[str, str], most: int
    ) -> list[Post]:
        """Replies from the search of the last seven days, as many as were asked for."""
        conversation = post.get("/data/conversation_id")
        found: list[Post] = []
        after = ""
        while isinstance(conversation, str) and conversation.isdecimal() and len(found) < most:
            # The API gives at least ten to a page.
            size = min(max(most - len(found), 10), PAGE)
            parameters = {"query": f"conversation_id:{conversation}", "max_results": str(size)}
            if after:
                parameters["next_token"] = after
            query = f"{urlencode(parameters)}&{_query(naming)}"
            raw = visit.also("thread", f"{self.api}/2/tweets/search/recent?{query}", bearer)
            if raw is None:
                break
            items = raw.listed("/data")
            room = most - len(found)
            found += [read_post("reply", raw, f"/data/{i}") for i in range(min(len(items), room))]
            after = text_at(raw.value, "/meta/next_token")
            if not after or not items:
                after = ""
                break
        if after:
            detail = f"{most} posts of the thread are read"
            visit.bound("posts of the thread", "thread.bound", post.path, detail)
        visit.gap("thread.seven-days", post.path, "the search reaches back seven days")
        return found

    def _without_token(self, visit: Visit, target: Target) -> PlatformResult:
        """Ask oEmbed for the text, syndication for the rest; neither promises completeness."""
        address = f"https://x.com/{target.author or 'i'}/status/{target.ident}"
        query = urlencode({"url": address, "omit_script": "1", "dnt": "1"})
        visit.also("oembed", f"{self.oembed}/oembed?{query}")
        token = embed_token(target.ident)
        query = urlencode({"id": target.ident, "lang": "en", "token": token})
        raw = visit.main("syndication", f"{self.syndication}/tweet-result?{query}")
        if isinstance(raw, PlatformResult):
            return raw
        kind = text_at(raw.value, "/__typename")
        if kind == "TweetTombstone":
            words = text_at(raw.value, "/tombstone/text/text") or "without words"
            detail = f"a tombstone, which covers removed, protected and age-restricted: {words}"
            visit.gap("post.tombstone", raw.path, detail)
            return visit.result(State.NOT_THERE)
        if not raw.usable or kind != "Tweet" or raw.get("/id_str") != target.ident:
            if raw.status == 200:
                visit.unreadable("syndication", raw)
                return visit.result(State.ERROR)
            if raw.status in (401, 403):
                detail = (
                    f"HTTP {raw.status}: the endpoint refuses us, which says nothing of the post"
                )
                visit.gap("syndication.refused", raw.path, detail)
                return visit.result(State.UNKNOWN)
            return visit.result(visit.absent("syndication", raw))
        if at(raw.value, "/note_tweet") is not None:
            visit.gap("text.shortened", raw.path, "a long post, of which this is the beginning")
        versions = raw.listed("/edit_control/edit_tweet_ids")
        if len(versions) > 1:
            visit.gap("post.edited", raw.path, f"{len(versions)} versions; only this one is here")
        posts = [Post("post", read_fields(raw, "", SYNDICATION_FIELDS))]
        for pointer, role in (("/parent", "ancestor"), ("/quoted_tweet", "quoted")):
            if isinstance(raw.get(pointer), dict):
                posts.append(Post(role, read_fields(raw, pointer, SYNDICATION_FIELDS)))
        handle = text_at(raw.value, "/user/screen_name") or target.author or "i"
        for film in stream_urls(raw):
            visit.stream(film)
        return visit.result(
            State.FOUND,
            permalink=f"https://x.com/{handle}/status/{target.ident}",
            posts=posts,
            media=visit.media(_originals(syndication_media_urls(raw)), raw.path),
        )


def _query(naming: str) -> str:
    fields, expansions = _NAMINGS[naming]
    return urlencode(
        {
            f"{naming}.fields": ",".join(fields),
            "expansions": ",".join((*_EXPANSIONS, *expansions)),
            **_FIXED,
        },
        safe=",",
    )


def _state_of(visit: Visit, raw: Raw) -> State:
    """What the errors inside a 200 say of the post (``errors[].type``, a URL)."""
    for error in raw.listed("/errors"):
        kind = text_at(error, "/type").rsplit("/", 1)[-1]
        if kind in _ERRORS:
            state, words = _ERRORS[kind]
            visit.gap(f"post.{kind}", raw.path, words)
            return state
    visit.unreadable("post", raw)
    return State.ERROR


def _originals(wanted: Wanted) -> Wanted:
    """Pictures of posts in the size that was uploaded (``name=orig``) instead of a smaller one."""
    changed: dict[str, tuple[str | None, str]] = {}
    for url, (alt, kind) in wanted.items():
        photo = kind == "photo" and "?" not in url
        changed[f"{url}?name=orig" if photo else url] = (alt, kind)
    return changed
