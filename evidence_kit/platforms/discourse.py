"""Discourse forums: the topic and the post as the forum's own JSON has them.

Source: Discourse API documentation (``/t/{id}.json``, ``/posts/{id}.json``), answers of forums.
Forums cannot be told by their host: the site is asked what it is first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from evidence_kit.core.events import EventLog
from evidence_kit.core.post import Post
from evidence_kit.platforms.base import (
    ApiFolder,
    Http,
    NotThisPlatformError,
    Page,
    PlatformResult,
    State,
    Target,
    base_of,
)
from evidence_kit.platforms.html_tree import Node
from evidence_kit.platforms.reading import (
    Raw,
    Texts,
    at,
    parse_answer,
    read_fields,
    text_at,
)
from evidence_kit.platforms.topic import confirm, open_topic, pictures
from evidence_kit.platforms.visit import Visit

_FORM = re.compile(
    r"(?P<below>(?:/[A-Za-z0-9_-]{1,40}){0,2})/t/(?:(?![0-9]+/)[^/]{1,300}/)?(?P<id>[0-9]{1,12})"
    r"(?:/(?P<number>[0-9]{1,7}))?/?"
)
FIELDS: dict[str, str | tuple[str, ...]] = {
    "id": "id",
    "permalink": "post_url",
    "author_id": "user_id",
    "author_handle": "username",
    "author_name": ("name", "display_username"),
    "title": "/title",
    "text": "raw",
    "text_html": "cooked",
    "created": "created_at",
    "edited": "updated_at",
    "reply_to": "reply_to_post_number",
    "conversation": "topic_id",
    "replies": "reply_count",
    "views": "reads",
}


@dataclass(frozen=True)
class DiscourseAdapter:
    """Posts of a Discourse forum."""

    name: str = "discourse"

    def recognise(self, url: str) -> Target | None:
        """A candidate where the path has the form of a topic; :meth:`fetch` confirms it."""
        base = base_of(url)
        found = _FORM.fullmatch(urlsplit(url).path) if base is not None else None
        if base is None or found is None:
            return None
        return Target(
            self.name, url, base + found["below"], f"{found['id']}/{found['number'] or 1}"
        )

    def fetch(
        self, target: Target, http: Http, out: ApiFolder, log: EventLog, page: Page | None = None
    ) -> PlatformResult:
        """See :class:`~evidence_kit.platforms.base.Adapter`."""
        visit = Visit(self.name, http, out, log)
        answer = confirm(self.name, f"{target.base}/about.json", http, log)
        known = text_at(parse_answer(answer), "/about/version")
        # A closed forum hides the answer; its pages still name the program.
        if not known and not (page is not None and b'content="Discourse' in page.html[: 1 << 16]):
            raise NotThisPlatformError
        visit.store("about", answer)
        topic, _, number = target.ident.partition("/")
        return _about(visit, target.base, topic, int(number))


def _about(visit: Visit, base: str, topic: str, number: int) -> PlatformResult:
    found = open_topic(
        visit,
        f"{base}/t/{topic}/{number}.json",
        ident=("/id", topic),
        listed="/post_stream/posts",
        numbered="/post_number",
        number=number,
        shown=number,
        total="/posts_count",
    )
    if isinstance(found, PlatformResult):
        return found
    raw, value = found.raw, found.value
    if at(value, "/user_deleted") is True or at(value, "/deleted_at") is not None:
        visit.gap("post.deleted", raw.path, "the forum marks the post as taken away")
        return visit.result(State.GONE)
    if at(value, "/hidden") is True:
        visit.gap("post.hidden", raw.path, "the forum hides the text after reports by readers")
    single = _single(visit, base, value)
    posts = found.posts(visit, "cooked", _post)
    if single is not None:
        # The single answer has the text as the author typed it.
        posts[0] = Post("post", {**posts[0].fields, **_only(_post("post", single, "", {}), "text")})
    author = text_at(value, "/username")
    if re.fullmatch(r"[\w.-]{1,60}", author):
        visit.also("author", f"{base}/u/{author}.json", expected=(200, 403, 404))
    return visit.result(
        State.FOUND,
        permalink=f"{base}/t/{topic}/{number}",
        posts=posts,
        media=visit.media(pictures(base, text_at(value, "/cooked"), _picture), raw.path),
    )


def _single(visit: Visit, base: str, value: Any) -> Raw | None:
    ident = at(value, "/id")
    if not isinstance(ident, int):
        return None
    single = visit.also("post", f"{base}/posts/{ident}.json")
    version = at(value, "/version")
    if isinstance(version, int) and version > 1:
        visit.gap("post.edited", str(ident), f"version {version}; the latest change is asked for")
        visit.also("revision", f"{base}/posts/{ident}/revisions/latest.json")
    return single if single is not None and single.get("/id") == ident else None


def _only(post: Post, *names: str) -> Mapping[str, Any]:
    return {name: item for name, item in post.fields.items() if name in names}


def _post(role: str, raw: Raw, place: str, texts: Texts) -> Post:
    fields = read_fields(raw, place, FIELDS)
    value = raw.get(place) if place else raw.value
    # The forum's "updated" changes with counts too; only a second version is an edit.
    if at(value, "/version") in (None, 1):
        fields.pop("edited", None)
    for i, action in enumerate(raw.listed(f"{place}/actions_summary")):
        if at(action, "/id") == 2:  # the forum's number for likes
            fields |= read_fields(raw, f"{place}/actions_summary/{i}", {"likes": "count"})
    text = texts.get((raw.path, place))
    if text is not None:
        fields.setdefault("text", text)
    return Post(role, fields)


def _picture(node: Node) -> str:
    """A picture's address; a link around one leads to its original."""
    if node.tag == "a" and "lightbox" in node.classes:
        return node.attrs.get("href", "")
    plain = node.tag == "img" and not node.classes & {"emoji", "avatar", "site-icon"}
    return node.attrs.get("src", "") if plain else ""
