"""Reading what Mastodon's API answers: entities Status, StatusEdit, Account, MediaAttachment."""

from __future__ import annotations

from typing import Any

from evidence_kit.core.post import Post, Sourced
from evidence_kit.platforms.base import precision_of, read_field
from evidence_kit.platforms.reading import Raw, Texts, at, read_fields, text_at

MAX_HISTORY = 200
"""Versions that are read into the post; the raw answer holds all."""

FIELDS = {
    "id": "id",
    "permalink": "url",
    "author_id": "account/id",
    "author_handle": "account/acct",
    "author_name": "account/display_name",
    "author_url": "account/url",
    "text_html": "content",
    "language": "language",
    "created": "created_at",
    "edited": "edited_at",
    "visibility": "visibility",
    "content_warning": "spoiler_text",
    "reply_to": "in_reply_to_id",
    "replies": "replies_count",
    "reposts": "reblogs_count",
    "likes": "favourites_count",
    "poll": "poll",
    "media": "media_attachments",
}
"""Fields of a post with their place in a Status."""

OBJECT_FIELDS: dict[str, str | tuple[str, ...]] = {
    "id": "id",
    "permalink": ("url", "id"),
    "author_id": "attributedTo",
    "author_url": "attributedTo",
    "title": "name",
    "text_html": "content",
    "created": "published",
    "edited": "updated",
    "content_warning": "summary",
    "reply_to": "inReplyTo",
    "conversation": ("context", "conversation"),
    "media": "attachment",
}
"""The same in an ActivityPub object (ActivityStreams 2.0 vocabulary, section 4)."""
OBJECT_TYPES = frozenset({"Note", "Article", "Page", "Question", "Image", "Video", "Audio"})
"""Types of objects that are posts; some servers use one for each kind of content."""


def read_post(role: str, raw: Raw, place: str, texts: Texts) -> Post:
    """The status at a pointer of an answer as a post of our form."""
    names = dict(FIELDS)
    if role == "edit":
        # A version has no times of the post: its created_at is the time of that version.
        del names["edited"], names["created"]
        names["created" if place == "/0" else "edited"] = "created_at"
    fields: dict[str, Sourced] = {}
    for name, pointer in names.items():
        found = read_field(raw.value, raw.path, f"{place}/{pointer}")
        if found is None or (name == "content_warning" and found.value == ""):
            continue
        precision = precision_of(found.value) if name in ("created", "edited") else ""
        fields[name] = Sourced(found.value, found.source, precision)
    text = texts.get((raw.path, place))
    if text is not None:
        fields["text"] = text
    return Post(role, fields)


def read_object(raw: Raw, texts: Texts) -> Post:
    """An ActivityPub object as a post of our form."""
    fields = read_fields(raw, "", OBJECT_FIELDS)
    text = texts.get((raw.path, ""))
    if text is not None:
        fields["text"] = text
    return Post("post", fields)


def object_media_urls(raw: Raw) -> dict[str, tuple[str | None, str]]:
    """Addresses of an object's attachments, with alternative text and kind."""
    wanted: dict[str, tuple[str | None, str]] = {}
    for item in raw.listed("/attachment"):
        url, alt, kind = at(item, "/url"), at(item, "/name"), at(item, "/mediaType")
        if isinstance(url, str):
            wanted[url] = (
                alt if isinstance(alt, str) else None,
                kind.partition("/")[0] if isinstance(kind, str) else "",
            )
    return wanted


def media_urls(status: Raw, history: Raw | None) -> dict[str, tuple[str | None, str]]:
    """Addresses of the files of all versions, with alternative text and kind."""
    wanted: dict[str, tuple[str | None, str]] = {}
    versions = [status.value]
    if history is not None and isinstance(history.value, list):
        versions += history.value[:MAX_HISTORY]
    for version in versions:
        items = version.get("media_attachments") if isinstance(version, dict) else None
        for item in items if isinstance(items, list) else ():
            if not isinstance(item, dict):
                continue
            url = item.get("url") or item.get("remote_url")
            if isinstance(url, str):
                alt, kind = item.get("description"), item.get("type")
                shown = alt if isinstance(alt, str) else None
                wanted.setdefault(url, (shown, kind if isinstance(kind, str) else ""))
    return wanted


def depth_below(context: Raw) -> int:
    """Levels of replies that a thread shows; a reply stands behind the one that it answers."""
    levels: dict[str, int] = {}
    for item in context.listed("/descendants"):
        levels[text_at(item, "/id")] = levels.get(text_at(item, "/in_reply_to_id"), 0) + 1
    return max(levels.values(), default=0)


def is_instance(value: Any) -> bool:
    """The entity Instance, of version 1 or 2 of the API."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("version"), str)
        and any(isinstance(value.get(key), str) for key in ("domain", "uri"))
    )


def is_status(value: Any) -> bool:
    """The entity Status, as far as it is needed here."""
    return isinstance(value, dict) and isinstance(value.get("id"), str) and "content" in value


def is_object(value: Any) -> bool:
    """An ActivityPub object that is a post, and not only a notice of one."""
    return (
        isinstance(value, dict)
        and value.get("type") in OBJECT_TYPES
        and isinstance(value.get("content"), str)
    )
