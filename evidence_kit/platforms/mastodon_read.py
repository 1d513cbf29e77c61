"""Reading what Mastodon's API answers: entities Status, StatusEdit, Account, MediaAttachment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evidence_kit.core.canonical_json import JsonError, loads
from evidence_kit.core.post import Place, Post, Sourced
from evidence_kit.gather.http_answer import Answer
from evidence_kit.platforms.base import ApiFolder, precision_of, read_field
from evidence_kit.platforms.html_text import plain_text

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
    "media": "media_attachments",
}
"""Fields of a post with their place in a Status."""

Texts = Mapping[tuple[str, str], Sourced]
"""Plain text by file and pointer of the status that it was made from."""


@dataclass
class Raw:
    """A stored answer: where, its status, and what it says where that is JSON."""

    path: str
    status: int
    value: Any
    complete: bool

    @property
    def usable(self) -> bool:
        """Whether it is whole, a success and JSON."""
        return self.status == 200 and self.complete and self.value is not None


def derive_texts(out: ApiFolder, statuses: Sequence[tuple[Raw, str]]) -> Texts:
    """Posts as plain text: an extraction of our own, in a file that names its sources.

    Args:
        out: gets the file.
        statuses: answers and the pointers of the statuses in them.
    """
    entries: list[dict[str, Any]] = []
    keys: list[tuple[str, str]] = []
    for raw, at in statuses:
        content = read_field(raw.value, raw.path, f"{at}/content")
        if content is not None and isinstance(content.value, str):
            source = {"file": raw.path, "pointer": content.source.pointer}
            entries.append({"source": source, "text": plain_text(content.value)})
            keys.append((raw.path, at))
    document = {
        "schema": "evidence-kit/derived-text/1",
        "method": "tags removed, character references resolved, paragraphs and breaks as lines",
        "texts": entries,
    }
    path = out.write_document("derived-text", document)
    return {
        key: Sourced(entry["text"], Place(path, f"/texts/{index}/text"))
        for index, (key, entry) in enumerate(zip(keys, entries, strict=True))
    }


def read_post(role: str, raw: Raw, at: str, texts: Texts) -> Post:
    """The status at a pointer of an answer as a post of our form."""
    names = dict(FIELDS)
    if role == "edit":
        # A version has no times of the post: its created_at is the time of that version.
        del names["edited"], names["created"]
        names["created" if at == "/0" else "edited"] = "created_at"
    fields: dict[str, Sourced] = {}
    for name, pointer in names.items():
        found = read_field(raw.value, raw.path, f"{at}/{pointer}")
        if found is None:
            continue
        precision = precision_of(found.value) if name in ("created", "edited") else ""
        fields[name] = Sourced(found.value, found.source, precision)
    text = texts.get((raw.path, at))
    if text is not None:
        fields["text"] = text
    return Post(role, fields)


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


def parse_answer(answer: Answer) -> Any:
    """The body as JSON, None where it is not, or is not whole."""
    if not answer.complete:
        return None
    try:
        return loads(answer.data)
    except JsonError:
        return None


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
