"""Telegram: posts of public channels and groups, from the page behind embedded posts.

There is no API for readers without an account; ``t.me/<channel>/<id>?embed=1&mode=tme`` is the page
that other sites embed. What it says in the classes of its elements is extracted to a file of our
own form, beside the page itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

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
from evidence_kit.platforms.html_tree import Node, parse_tree
from evidence_kit.platforms.reading import Raw, read_fields
from evidence_kit.platforms.visit import Visit, host_in

HOSTS = ("t.me", "telegram.me", "telegram.dog")
MAX_HTML = 4 << 20
"""Bytes of the embedded page that are read; real ones are under 200 KiB."""

_FORM = re.compile(
    r"/(?:s/)?(?P<channel>[A-Za-z][A-Za-z0-9_]{3,31})/(?:[0-9]{1,10}/)?(?P<id>[0-9]{1,10})/?"
)
_NAME = re.compile(r"(?P<channel>[A-Za-z][A-Za-z0-9_]{3,31})\.t\.me")
_PICTURE = re.compile(r"url\(['\"]?(https?://[^'\")]+)['\"]?\)")
_FIELDS = {
    "id": "id",
    "author_name": "author",
    "author_handle": "channel",
    "author_url": "author_url",
    "text": "text",
    "created": "time",
    "reply_to": "reply_to",
    "views": "views",
    "poll": "poll",
    "media": "media",
}


@dataclass(frozen=True)
class TelegramAdapter:
    """Public posts on Telegram.

    Args:
        site: where embedded posts come from.
    """

    site: str = "https://t.me"
    name: str = "telegram"

    def recognise(self, url: str) -> Target | None:
        """Posts of public channels; those of private ones (``/c/…``) are for members only."""
        base = base_of(url)
        if base is None:
            return None
        parts = urlsplit(url)
        named = _NAME.fullmatch((parts.hostname or "").lower())
        path = f"/{named['channel']}{parts.path}" if named else parts.path
        if named is None and not host_in(url, HOSTS):
            return None
        found = _FORM.fullmatch(path)
        if found is None:
            return None
        return Target(self.name, url, base, found["id"], found["channel"])

    def fetch(
        self, target: Target, http: Http, out: ApiFolder, log: EventLog, page: Page | None = None
    ) -> PlatformResult:
        """See :class:`~evidence_kit.platforms.base.Adapter`; ``page`` is not needed."""
        visit = Visit(self.name, http, out, log)
        address = f"{target.author}/{target.ident}"
        raw = visit.main("embed", f"{self.site}/{address}?embed=1&mode=tme")
        if isinstance(raw, PlatformResult):
            return raw
        if raw.status != 200 or not raw.complete:
            if raw.status == 200:
                visit.unreadable("embed", raw)
                return visit.result(State.ERROR)
            return visit.result(visit.absent("embed", raw))
        tree = parse_tree(raw.body[:MAX_HTML].decode("utf-8", "replace"))
        refused = tree.first("tgme_widget_message_error")
        if refused is not None:
            said = refused.text()[:200] or "without words"
            visit.gap("post.not-there", raw.path, f"the platform says: {said}")
            return visit.result(State.NOT_THERE)
        message = next(
            (
                node
                for node in tree.all("tgme_widget_message")
                if node.attrs.get("data-post", "").lower() == address.lower()
            ),
            None,
        )
        if message is None:
            visit.gap("embed.unreadable", raw.path, "the page holds no such post")
            return visit.result(State.ERROR)
        return _found(visit, raw, message, address)


def _found(visit: Visit, raw: Raw, message: Node, address: str) -> PlatformResult:
    document = _document(raw, message)
    path = visit.out.write_document("telegram", document)
    extracted = Raw(path, 200, document, complete=True)
    for name in ("grouped", "not_supported"):
        if message.first(f"tgme_widget_message_{name}") or message.first(f"message_media_{name}"):
            visit.gap(f"post.{name.replace('_', '-')}", raw.path, "the embedded page shows a part")
    if document["edited"]:
        visit.gap("post.edited", raw.path, "marked as edited, without a time")
    wanted = {item["url"]: (None, item["kind"]) for item in document["media"]}
    fields = read_fields(extracted, "", _FIELDS)
    return visit.result(
        State.FOUND,
        permalink=f"https://t.me/{address}",
        posts=[Post("post", fields)],
        media=visit.media(wanted, raw.path),
    )


def _document(raw: Raw, message: Node) -> dict[str, Any]:
    """What the classes of the page say; null where they say nothing."""
    channel, _, ident = message.attrs.get("data-post", "").partition("/")
    owner = message.first("tgme_widget_message_owner_name")
    date = message.first("tgme_widget_message_date")
    times = [node for node in (date.walk() if date is not None else ()) if node.tag == "time"]
    reply = message.first("tgme_widget_message_reply")
    meta = message.first("tgme_widget_message_meta")
    options = [node.text() for node in message.all("tgme_widget_message_poll_option_text")]
    shares = [node.text() for node in message.all("tgme_widget_message_poll_option_percent")]
    # A quoted post's text stands in an element of the same class inside the reply's.
    inside = {id(node) for node in reply.walk()} if reply is not None else set()
    texts = [node for node in message.all("tgme_widget_message_text") if id(node) not in inside]
    return {
        "schema": "evidence-kit/telegram/1",
        "source": raw.path,
        "channel": channel or None,
        "id": ident or None,
        "author": _text(owner) or _text(message.first("tgme_widget_message_author")),
        "author_url": owner.attrs.get("href") if owner is not None else None,
        "forwarded_from": _text(message.first("tgme_widget_message_forwarded_from_name")),
        "reply_to": reply.attrs.get("href") if reply is not None else None,
        "text": texts[0].text() if texts else None,
        "time": times[0].attrs.get("datetime") if times else None,
        "edited": meta is not None and "edited" in meta.text().lower(),
        "views": _text(message.first("tgme_widget_message_views")),
        "poll": {"options": options, "shares": shares} if options else None,
        "media": _media(message),
    }


def _text(node: Node | None) -> str | None:
    return (node.text() or None) if node is not None else None


def _media(message: Node) -> list[dict[str, str]]:
    found: dict[str, str] = {}
    for node in message.walk():
        style = _PICTURE.search(node.attrs.get("style", "")[:4096])
        if "tgme_widget_message_photo_wrap" in node.classes and style is not None:
            found.setdefault(style[1], "image")
        elif node.tag in ("video", "audio") and base_of(node.attrs.get("src", "")) is not None:
            found.setdefault(node.attrs["src"], node.tag)
    return [{"url": url, "kind": kind} for url, kind in found.items()]
