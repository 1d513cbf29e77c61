"""NodeBB forums: the topic as the forum's read API has it.

Source: NodeBB Read API (``/api/config``, ``/api/topic/{tid}``) and the forum's answers. A forum may
show less to programs than to readers, and it keeps the place of a deleted post.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
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
    UNIX_MILLISECONDS,
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
    r"(?P<below>(?:/[A-Za-z0-9_-]{1,40}){0,2})/topic/(?P<id>[0-9]{1,12})"
    r"(?:/[^/]{1,300})?(?:/(?P<number>[0-9]{1,7}))?/?"
)
_DELETED = "[[topic:post-is-deleted]]"
"""What the forum puts in the place of a deleted post's text; older ones with underscores."""

FIELDS: dict[str, str | tuple[str, ...]] = {
    "id": "pid",
    "author_id": "uid",
    "author_handle": ("user/userslug", "user/username"),
    "author_name": ("user/displayname", "user/username"),
    "title": "/title",
    "text_html": "content",
    "created": ("timestampISO", "timestamp"),
    "edited": ("editedISO", "edited"),
    "reply_to": "toPid",
    "conversation": "tid",
    "replies": "replies/count",
    "likes": ("upvotes", "votes"),
}


@dataclass(frozen=True)
class NodeBbAdapter:
    """Posts of a NodeBB forum."""

    name: str = "nodebb"

    def recognise(self, url: str) -> Target | None:
        """A candidate where the path has the form of a topic; :meth:`fetch` confirms it."""
        base = base_of(url)
        found = _FORM.fullmatch(urlsplit(url).path) if base is not None else None
        if base is None or found is None:
            return None
        number = found["number"] or "1"
        return Target(self.name, url, base + found["below"], f"{found['id']}/{number}")

    def fetch(
        self, target: Target, http: Http, out: ApiFolder, log: EventLog, page: Page | None = None
    ) -> PlatformResult:
        """See :class:`~evidence_kit.platforms.base.Adapter`; ``page`` is not needed."""
        visit = Visit(self.name, http, out, log)
        answer = confirm(self.name, f"{target.base}/api/config", http, log)
        config = parse_answer(answer)
        if not isinstance(at(config, "/relative_path"), str) or at(config, "/upload_url") is None:
            raise NotThisPlatformError
        visit.store("config", answer)
        topic, _, number = target.ident.partition("/")
        return _about(visit, target.base, topic, int(number))


def _about(visit: Visit, base: str, topic: str, number: int) -> PlatformResult:
    # The forum's numbers in addresses begin at 1, those in answers at 0. The word between the
    # topic and the post is for people; the forum does not compare it.
    found = open_topic(
        visit,
        f"{base}/api/topic/{topic}/x/{number}",
        ident=("/tid", topic),
        listed="/posts",
        numbered="/index",
        number=number - 1,
        shown=number,
        total="/postcount",
    )
    if isinstance(found, PlatformResult):
        return found
    raw, value = found.raw, found.value
    content = text_at(value, "/content").replace("_", "-")
    if at(value, "/deleted") in (1, True) or _DELETED in content:
        visit.gap("post.deleted", raw.path, "the forum marks the post as deleted")
        return visit.result(State.GONE)
    posts = found.posts(visit, "content", _post)
    slug = text_at(value, "/user/userslug")
    if re.fullmatch(r"[\w.-]{1,100}", slug):
        visit.also("author", f"{base}/api/user/{slug}", expected=(200, 401, 403, 404))
    pid = at(value, "/pid")
    return visit.result(
        State.FOUND,
        permalink=f"{base}/post/{pid}" if isinstance(pid, int) else None,
        posts=posts,
        media=visit.media(pictures(base, text_at(value, "/content"), _picture), raw.path),
    )


def _post(role: str, raw: Raw, place: str, texts: Texts) -> Post:
    fields = read_fields(raw, place, FIELDS, precision=UNIX_MILLISECONDS)
    if "edited" in fields and not fields["edited"].value:  # 0 where it never was
        del fields["edited"]
    text = texts.get((raw.path, place))
    if text is not None:
        fields["text"] = text
    return Post(role, fields)


def _picture(node: Node) -> str:
    return node.attrs.get("src", "") if node.tag == "img" and "emoji" not in node.classes else ""
