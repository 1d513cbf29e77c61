"""Answers as adapters handle them, and how fields of a post are read out of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from evidence_kit.core.canonical_json import JsonError, loads
from evidence_kit.core.post import Place, Sourced
from evidence_kit.gather.http_answer import Answer
from evidence_kit.platforms.base import ApiFolder, precision_of, read_field
from evidence_kit.platforms.html_text import plain_text

TIMES = ("created", "edited")
"""Fields of a post that are moments, and so get a precision."""
UNIX_SECONDS = "unix-seconds"
"""Precision of a moment given as seconds since 1970, UTC."""
UNIX_MILLISECONDS = "unix-milliseconds"
"""The same in thousandths of a second."""

Texts = Mapping[tuple[str, str], Sourced]
"""Plain text by file and pointer of the HTML that it was made from."""


@dataclass
class Raw:
    """A stored answer.

    Attributes:
        path: in the bundle.
        status: of HTTP.
        value: what it says where it is JSON and whole, else None.
        complete: whether the whole body came.
        url: where it came from, after redirects.
        body: without content coding.
        headers: names in lower case.
    """

    path: str
    status: int
    value: Any
    complete: bool
    url: str = ""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """Whether it is whole, a success and JSON."""
        return self.status == 200 and self.complete and self.value is not None

    def get(self, pointer: str) -> Any:
        """The value at a JSON pointer, None where there is none."""
        return at(self.value, pointer)

    def listed(self, pointer: str) -> list[Any]:
        """The list at a JSON pointer, empty where there is none."""
        found = self.get(pointer)
        return found if isinstance(found, list) else []


def at(value: Any, pointer: str) -> Any:
    """The value at a JSON pointer of a parsed document, None where there is none."""
    found = read_field(value, "", pointer)
    return None if found is None else found.value


def text_at(value: Any, pointer: str) -> str:
    """The same where it is text, else empty."""
    found = at(value, pointer)
    return found if isinstance(found, str) else ""


def segment(text: str) -> str:
    """Text from a stranger as one segment of a path."""
    return quote(text, safe="")


def parse_answer(answer: Answer) -> Any:
    """The body as JSON, None where it is not, or is not whole."""
    if not answer.complete:
        return None
    try:
        return loads(answer.data)
    except JsonError:
        return None


def read_fields(
    raw: Raw,
    place: str,
    table: Mapping[str, str | tuple[str, ...]],
    *,
    precision: str = "",
) -> dict[str, Sourced]:
    """Fields of a post by a table of names and pointers.

    Args:
        raw: the answer.
        place: pointer of the post in it, empty for the whole.
        table: pointers below ``place`` without their first slash; of several, the first that
            holds a value of its own kind counts. One that begins with ``/`` starts at the root.
        precision: of moments that are numbers.
    """
    fields: dict[str, Sourced] = {}
    for name, pointers in table.items():
        for pointer in (pointers,) if isinstance(pointers, str) else pointers:
            full = pointer if pointer.startswith("/") else f"{place}/{pointer}"
            found = read_field(raw.value, raw.path, full)
            if found is None or (name != "media" and isinstance(found.value, (dict, list))):
                continue
            if found.value == "" and name != "text":
                continue
            exact = ""
            if name in TIMES:
                numeric = isinstance(found.value, (int, float))
                exact = precision if numeric and precision else precision_of(found.value)
            fields[name] = Sourced(found.value, found.source, exact)
            break
    return fields


def derive_texts(
    out: ApiFolder, sources: Sequence[tuple[Raw, str]], content: str = "content"
) -> Texts:
    """Posts as plain text: an extraction of our own, in a file that names its sources.

    Args:
        out: gets the file.
        sources: answers and the pointers of the posts in them.
        content: pointer of the HTML below a post, without its first slash.
    """
    entries: list[dict[str, Any]] = []
    keys: list[tuple[str, str]] = []
    for raw, place in sources:
        found = read_field(raw.value, raw.path, f"{place}/{content}")
        if found is not None and isinstance(found.value, str):
            source = {"file": raw.path, "pointer": found.source.pointer}
            entries.append({"source": source, "text": plain_text(found.value)})
            keys.append((raw.path, place))
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
