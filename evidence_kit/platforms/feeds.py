"""The entry about a page in its site's Atom or RSS feed.

Source: RFC 4287 (Atom) and RSS 2.0. Feeds are XML from strangers: they are read as the small tree
that HTML is, without entities, schemas or anything that is fetched.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from html import escape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urldefrag, urljoin

from evidence_kit.core.post import Sourced
from evidence_kit.platforms.html_text import plain_text
from evidence_kit.platforms.reading import Raw, read_fields

MAX_FEED = 8 << 20
"""Bytes of a feed that are read; real ones are under 1 MiB."""
MAX_ENTRIES = 1000
"""Entries of a feed; usual ones have ten to fifty."""
MAX_VALUE = 1 << 20
"""Characters of one value."""

_ENTRIES = frozenset({"entry", "item"})
_VALUES = {
    "id": "id",
    "guid": "id",
    "title": "title",
    "published": "published",
    "pubdate": "published",
    "dc:date": "published",
    "updated": "updated",
    "dc:creator": "author",
    "content": "content",
    "content:encoded": "content",
    "description": "summary",
    "summary": "summary",
}
FIELDS: dict[str, str | tuple[str, ...]] = {
    "id": "id",
    "permalink": "link",
    "author_name": "author",
    "title": "title",
    "text": "text",
    "text_html": "content",
    "created": "published",
    "edited": "updated",
}
"""Fields of a post with their place in an entry. A summary is not taken for the text."""


def entry_about(feed: bytes, address: str, pages: set[str]) -> dict[str, Any] | None:
    """The one entry whose link is one of the addresses of the page; None where there is none.

    Args:
        feed: as served.
        address: of the feed.
        pages: addresses that the page goes by.
    """
    reader = _Feed(address)
    reader.feed(_without_cdata(feed[:MAX_FEED].decode("utf-8", "replace")))
    wanted = {_same(item) for item in pages}
    found = [
        entry
        for entry in reader.entries
        if _same(entry["link"] or "") in wanted or _same(entry["id"] or "") in wanted
    ]
    return found[0] if len(found) == 1 else None


def entry_document(entry: dict[str, Any], source: str) -> dict[str, Any]:
    """The extraction that goes into the bundle, with the content's words as text."""
    content = entry["content"]
    text = plain_text(content) if isinstance(content, str) else None
    return {"schema": "evidence-kit/feed-entry/1", "source": source, **entry, "text": text or None}


def read_entry(extracted: Raw) -> dict[str, Sourced]:
    """Fields of a post from such an extraction."""
    fields = read_fields(extracted, "", FIELDS)
    for name in ("created", "edited"):
        found = fields.get(name)
        if found is not None and found.precision == "relative-or-unreadable":
            try:
                moment = parsedate_to_datetime(str(found.value))  # RFC 822, as RSS has it
            except ValueError:
                continue
            zone = "second" if moment.tzinfo is not None else "second-no-zone"
            fields[name] = Sourced(found.value, found.source, zone)
    return fields


def _without_cdata(text: str) -> str:
    """CDATA sections as the text they stand for; parsers of HTML read them in different ways."""
    parts: list[str] = []
    place = 0
    while (start := text.find("<![CDATA[", place)) >= 0:
        end = text.find("]]>", start)
        if end < 0:
            break
        parts += [text[place:start], escape(text[start + 9 : end])]
        place = end + 3
    return "".join([*parts, text[place:]])


def _same(address: str) -> str:
    try:
        return urldefrag(address).url.rstrip("/")
    except ValueError:
        return ""


class _Feed(HTMLParser):
    """Names in lower case, as this parser gives them."""

    def __init__(self, address: str) -> None:
        super().__init__(convert_charrefs=True)
        self.entries: list[dict[str, Any]] = []
        self._address = address
        self._entry: dict[str, Any] | None = None
        self._field = ""
        self._value: list[str] = []
        self._author = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in _ENTRIES and self._entry is None and len(self.entries) < MAX_ENTRIES:
            names = ("id", "link", "title", "author", "published", "updated", "content", "summary")
            self._entry = dict.fromkeys(names)
        elif self._entry is None:
            return
        elif tag == "link" and given.get("rel", "alternate") == "alternate" and given.get("href"):
            self._keep("link", given["href"])
        elif tag == "author":
            self._author = True
        elif not self._field:
            name = "author" if tag == "name" and self._author else _VALUES.get(tag, "")
            self._field = "link" if tag == "link" else name
            self._value = []

    def handle_endtag(self, tag: str) -> None:
        if tag == "author":
            if self._field == "author":
                self._close()
            self._author = False
        elif tag in _ENTRIES and self._entry is not None:
            self.entries.append(self._entry)
            self._entry, self._field = None, ""
        elif self._field and (_VALUES.get(tag) == self._field or tag in ("name", "link")):
            self._close()

    def handle_data(self, data: str) -> None:
        if self._field and sum(map(len, self._value)) < MAX_VALUE:
            self._value.append(data)

    def _close(self) -> None:
        self._keep(self._field, "".join(self._value))
        self._field, self._value = "", []

    def _keep(self, name: str, value: str) -> None:
        text = value.strip()
        if self._entry is None or not text or self._entry[name] is not None:
            return
        if name == "link":
            try:
                text = urljoin(self._address, text)
            except ValueError:
                return
        self._entry[name] = text
