"""The normalised post: each field with the raw file and place it came from, nothing invented."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SCHEMA = "evidence-kit/post/1"

FIELDS = (
    "id",
    "permalink",
    "platform",
    "author_id",
    "author_handle",
    "author_name",
    "author_url",
    "title",
    "text",
    "text_html",
    "language",
    "created",
    "edited",
    "visibility",
    "content_warning",
    "reply_to",
    "conversation",
    "replies",
    "reposts",
    "likes",
    "views",
    "poll",
    "media",
)
"""Every field a post can have. One the platform did not give stands as null."""


@dataclass(frozen=True)
class Place:
    """Where a value was read: a file of the bundle and a JSON pointer (RFC 6901) into it."""

    file: str
    pointer: str


@dataclass(frozen=True)
class Sourced:
    """A value and the place it came from; ``precision`` for times (``second``, ``day``…)."""

    value: Any
    source: Place
    precision: str = ""


@dataclass(frozen=True)
class Post:
    """One post; ``role`` is one of ``post``, ``ancestor``, ``reply``, ``edit``, ``quoted``."""

    role: str
    fields: Mapping[str, Sourced] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The form in ``post.json``: all fields, null where the platform gave nothing."""
        return {"role": self.role, **{name: self._field(name) for name in FIELDS}}

    def _field(self, name: str) -> dict[str, Any] | None:
        found = self.fields.get(name)
        if found is None or found.value is None:
            return None
        entry: dict[str, Any] = {
            "value": found.value,
            "source": {"file": found.source.file, "pointer": found.source.pointer},
        }
        if found.precision:
            entry["precision"] = found.precision
        return entry


def resolve_pointer(document: Any, pointer: str) -> Any:
    """The value that a JSON pointer names (RFC 6901 section 4).

    Raises:
        KeyError: the document has no such place, or the pointer is malformed.
    """
    if pointer == "":
        return document
    if not pointer.startswith("/"):
        raise KeyError(pointer)
    for raw in pointer[1:].split("/"):
        token = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document[token]
        elif isinstance(document, list):
            if not re.fullmatch(r"0|[1-9][0-9]{0,8}", token) or int(token) >= len(document):
                raise KeyError(pointer)
            document = document[int(token)]
        else:
            raise KeyError(pointer)
    return document
