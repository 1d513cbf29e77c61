"""Matrix: one event of a room, with a token of a reader on his own homeserver.

Source: Matrix client-server API (rooms, relations, directory, profile, content repository) and the
URI scheme of matrix.to. The API answers nobody without an account; the token goes to the homeserver
that its owner names and to no other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from evidence_kit.core.events import EventLog
from evidence_kit.core.post import Post, Sourced
from evidence_kit.platforms.base import (
    ApiFolder,
    Http,
    Media,
    Page,
    PlatformResult,
    State,
    Target,
    base_of,
)
from evidence_kit.platforms.reading import (
    UNIX_MILLISECONDS,
    Raw,
    at,
    read_fields,
    segment,
    text_at,
)
from evidence_kit.platforms.visit import Visit, host_in

HOSTS = ("matrix.to",)
AROUND = 40
"""Events before and after the one asked for, together."""
MAX_PAGES = 5
"""Pages of relations (edits, answers, reactions), 100 each."""
_TOKEN_WOULD_ADD = "everything: a homeserver answers only to its own accounts"  # noqa: S105

_ROOM = r"[!#][^/?]{1,255}"
_EVENT = r"\$[^/?]{1,255}"
_FORM = re.compile(rf"/(?P<room>{_ROOM})/(?P<event>{_EVENT})(?:\?.*)?")
_MXC = re.compile(r"mxc://(?P<server>[A-Za-z0-9.:\[\]-]{1,255})/(?P<id>[A-Za-z0-9_-]{1,255})")

FIELDS: dict[str, str | tuple[str, ...]] = {
    "id": "event_id",
    "author_id": "sender",
    "text": "content/body",
    "text_html": "content/formatted_body",
    "created": "origin_server_ts",
    "reply_to": (
        "content/m.relates_to/m.in_reply_to/event_id",
        "content/m.relates_to/event_id",
    ),
    "conversation": "room_id",
    "media": "content/url",
}
EDIT_FIELDS: dict[str, str | tuple[str, ...]] = {
    "id": "event_id",
    "author_id": "sender",
    "text": "content/m.new_content/body",
    "text_html": "content/m.new_content/formatted_body",
    "edited": "origin_server_ts",
    "reply_to": "content/m.relates_to/event_id",
    "conversation": "room_id",
}


@dataclass(frozen=True)
class MatrixAdapter:
    """Events in rooms of Matrix.

    Args:
        token: access token of a reader, or None; never part of any output.
        homeserver: address of the reader's homeserver; the only place that the token goes to.
    """

    token: str | None = field(default=None, repr=False)
    homeserver: str | None = None
    name: str = "matrix"

    def recognise(self, url: str) -> Target | None:
        """Links of matrix.to to one event."""
        base = base_of(url)
        if base is None or not host_in(url, HOSTS):
            return None
        found = _FORM.fullmatch(unquote(urlsplit(url).fragment))
        if found is None:
            return None
        return Target(self.name, url, base, f"{found['room']}/{found['event']}")

    def fetch(
        self, target: Target, http: Http, out: ApiFolder, log: EventLog, page: Page | None = None
    ) -> PlatformResult:
        """See :class:`~evidence_kit.platforms.base.Adapter`; ``page`` is not needed."""
        home = base_of(self.homeserver or "")
        secure = home is not None and (
            home.startswith("https://") or urlsplit(home).hostname in ("localhost", "127.0.0.1")
        )
        usable = bool(self.token) and secure
        visit = Visit(
            self.name,
            http,
            out,
            log,
            bounds={"events around it": AROUND, "pages of relations": MAX_PAGES} if usable else {},
            token_would_add=_TOKEN_WOULD_ADD,
            token_used=usable,
        )
        if self.token and not secure:
            detail = "the token is sent over TLS to the homeserver that you name, and none is named"
            visit.gap("token.not-sent", target.url, detail)
        if home is None or not usable:
            visit.gap("token.missing", target.url, "a homeserver answers only to its own accounts")
            return visit.result(State.UNKNOWN)
        room, _, event = target.ident.partition("/")
        return _Questions(visit, home, str(self.token)).run(room, event)


class _Questions:
    def __init__(self, visit: Visit, home: str, token: str) -> None:
        self._visit = visit
        self._home = home
        self._bearer = {"Authorization": f"Bearer {token}"}

    def run(self, room: str, event: str) -> PlatformResult:
        """Ask for the event, what stands around it, and what relates to it."""
        visit = self._visit
        if room.startswith("#"):
            alias = visit.main("room", self._client(f"v3/directory/room/{segment(room)}"))
            if isinstance(alias, PlatformResult):
                return alias
            room = text_at(alias.value, "/room_id")
            if not room:
                return visit.result(visit.absent("room", alias))
        inside = f"v3/rooms/{segment(room)}"
        raw = visit.main("event", self._client(f"{inside}/event/{segment(event)}"), self._bearer)
        if isinstance(raw, PlatformResult):
            return raw
        if not raw.usable or raw.get("/event_id") != event:
            if raw.status == 200:
                visit.unreadable("event", raw)
                return visit.result(State.ERROR)
            if text_at(raw.value, "/errcode") == "M_UNKNOWN_TOKEN":
                visit.gap("token.refused", raw.path, "the homeserver does not know the token")
                return visit.result(State.UNKNOWN)
            words = "the homeserver answers the same for unknown events and unseen ones"
            return visit.result(visit.absent("event", raw, not_there=words))
        if at(raw.value, "/unsigned/redacted_because") is not None:
            by = text_at(raw.value, "/unsigned/redacted_because/sender") or "somebody"
            visit.gap("event.redacted", raw.path, f"the text was taken away by {by}")
            return visit.result(State.GONE)
        if text_at(raw.value, "/type") == "m.room.encrypted":
            visit.gap("event.encrypted", raw.path, "the text is encrypted; see the page")
            return visit.result(State.UNKNOWN)
        posts = [Post("post", _fields(raw, "", FIELDS))]
        posts += self._edits(room, event)
        around = visit.also(
            "context",
            self._client(f"{inside}/context/{segment(event)}?limit={AROUND}"),
            self._bearer,
        )
        if around is not None:
            posts += _around(around)
            found = len(around.listed("/events_before")) + len(around.listed("/events_after"))
            if found >= AROUND:
                visit.reach("events around it")
        sender = text_at(raw.value, "/sender")
        visit.also("profile", self._client(f"v3/profile/{segment(sender)}"), self._bearer)
        picture = self._picture(raw)
        media = [picture] if picture is not None else []
        permalink = f"https://matrix.to/#/{segment(room)}/{segment(event)}"
        return visit.result(State.FOUND, permalink=permalink, posts=posts, media=media)

    def _edits(self, room: str, event: str) -> list[Post]:
        """Every version after the first, oldest first."""
        visit = self._visit
        found: list[Post] = []
        path = f"v1/rooms/{segment(room)}/relations/{segment(event)}?limit=100"
        after = ""
        for _ in range(MAX_PAGES):
            following = f"&from={segment(after)}" if after else ""
            raw = visit.also("relations", self._client(path + following), self._bearer)
            if raw is None:
                break
            for i, item in enumerate(raw.listed("/chunk")):
                if text_at(item, "/content/m.relates_to/rel_type") == "m.replace":
                    found.append(Post("edit", _fields(raw, f"/chunk/{i}", EDIT_FIELDS)))
            after = text_at(raw.value, "/next_batch")
            if not after:
                break
        else:
            detail = f"{MAX_PAGES} pages of relations are read"
            visit.bound("pages of relations", "relations.bound", event, detail)
        return sorted(found, key=_moment)

    def _picture(self, raw: Raw) -> Media | None:
        found = _MXC.fullmatch(text_at(raw.value, "/content/url"))
        if found is None:
            return None
        address = self._client(f"v1/media/download/{segment(found['server'])}/{found['id']}")
        kind = text_at(raw.value, "/content/msgtype").removeprefix("m.")
        return self._visit.download(
            address, text_at(raw.value, "/content/body"), kind, self._bearer
        )

    def _client(self, path: str) -> str:
        return f"{self._home}/_matrix/client/{path}"


def _moment(post: Post) -> float:
    found = post.fields.get("edited")
    return found.value if found is not None and isinstance(found.value, (int, float)) else 0.0


def _fields(raw: Raw, place: str, table: dict[str, str | tuple[str, ...]]) -> dict[str, Sourced]:
    return read_fields(raw, place, table, precision=UNIX_MILLISECONDS)


def _around(raw: Raw) -> list[Post]:
    """Messages above and below, without edits, which stand for themselves."""
    posts = []
    for name, role in (("events_before", "ancestor"), ("events_after", "reply")):
        items: list[Any] = raw.listed(f"/{name}")
        for i, item in enumerate(items):
            edit = text_at(item, "/content/m.relates_to/rel_type") == "m.replace"
            if text_at(item, "/type") == "m.room.message" and not edit:
                posts.append(Post(role, _fields(raw, f"/{name}/{i}", FIELDS)))
    return posts
