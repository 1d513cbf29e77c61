"""What a page says about itself to machines: JSON-LD, OpenGraph, canonical address.

Read with the standard library's parser, bounded; hostile HTML gives odd or no values and never an
error.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from evidence_kit.core.canonical_json import JsonError, loads

MAX_HTML = 16 << 20
"""Bytes of a page that are read; metadata stands in the head of pages of some 100 KiB."""
MAX_BLOCKS = 100
"""JSON-LD blocks; real pages have up to ten."""
MAX_BLOCK = 4 << 20
"""Characters of one JSON-LD block; long threads come to some 100 KiB."""
MAX_META = 1000
"""Meta elements; real pages have some tens."""
MAX_META_LENGTH = 64 << 10
"""Characters of one meta element's content."""
MAX_LINKS = 1000
"""Link elements; real pages have some tens."""

_CHARSET = re.compile(
    rb"""<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}["']?([A-Za-z0-9_.:-]{1,40})""", re.I
)


@dataclass(frozen=True)
class Block:
    """One JSON-LD script; ``error`` where it is not JSON, and then ``value`` is None."""

    line: int
    column: int
    value: Any
    error: str = ""


@dataclass(frozen=True)
class Link:
    """One link element with an address; ``rel`` and ``kind`` (its type) in lower case."""

    rel: tuple[str, ...]
    kind: str
    href: str


@dataclass(frozen=True)
class Metadata:
    """Everything found, in document order.

    Attributes:
        sha256: of the page's bytes, to find them again in the recording.
        charset: that the bytes were read with.
        meta: name (``property`` or ``name``) and content of each meta element.
        canonical: of ``<link rel=canonical>``, as written.
        cut: what a bound left out, in words; empty where nothing.
        links: the other link elements with an address.
    """

    sha256: str
    charset: str
    blocks: tuple[Block, ...] = ()
    meta: tuple[tuple[str, str], ...] = ()
    canonical: str | None = None
    title: str | None = None
    language: str | None = None
    cut: tuple[str, ...] = field(default=())
    links: tuple[Link, ...] = ()


def read_metadata(html: bytes, charset: str = "") -> Metadata:
    """Read a page's own description of itself.

    Args:
        html: the body as served, without content coding.
        charset: from the Content-Type header; else the page's own meta element, else UTF-8.
    """
    used = _charset(html, charset)
    reader = _Reader()
    # close() is not called: on unfinished markup it takes quadratic time in some versions.
    reader.feed(html[:MAX_HTML].decode(used, "replace"))
    if len(html) > MAX_HTML:
        reader.cut.add(f"only the first {MAX_HTML} bytes of the page were read")
    return Metadata(
        hashlib.sha256(html).hexdigest(),
        used,
        tuple(reader.blocks),
        tuple(reader.meta),
        reader.canonical,
        "".join(reader.title).strip()[:MAX_META_LENGTH] or None,
        reader.language,
        tuple(sorted(reader.cut)),
        tuple(reader.links),
    )


def _charset(html: bytes, header: str) -> str:
    found = _CHARSET.search(html[:4096])
    for name in (header, found[1].decode("ascii") if found else ""):
        try:
            info = codecs.lookup(name)
            "".encode(info.name)  # not every codec is one of text
        except (LookupError, ValueError, TypeError):
            continue
        return info.name
    return "utf-8"


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self.meta: list[tuple[str, str]] = []
        self.canonical: str | None = None
        self.title: list[str] = []
        self.language: str | None = None
        self.cut: set[str] = set()
        self.links: list[Link] = []
        self._script: list[str] | None = None
        self._at = (0, 0)
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given: dict[str, str] = {}
        for name, value in attrs:
            given.setdefault(name, (value or "").strip())
        if tag == "script" and given.get("type", "").lower() == "application/ld+json":
            self._script, self._at = [], self.getpos()
        elif tag == "meta":
            name = given.get("property") or given.get("name") or ""
            if name and "content" in given:
                self._meta(name.lower(), given["content"])
        elif tag == "link" and given.get("href"):
            rel = tuple(given.get("rel", "").lower().split()[:10])
            if "canonical" in rel:
                self.canonical = self.canonical or given["href"]
            elif len(self.links) < MAX_LINKS:
                kind = given.get("type", "").lower()
                self.links.append(Link(rel, kind, given["href"][:MAX_META_LENGTH]))
            else:
                self.cut.add(f"at most {MAX_LINKS} link elements are read")
        elif tag == "title" and not self.title:
            self._in_title = True
        elif tag == "html":
            self.language = self.language or given.get("lang") or None

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "script":
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif tag == "script" and self._script is not None:
            self._block("".join(self._script))
            self._script = None

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self._script.append(data)
        elif self._in_title and len(self.title) < 100:
            self.title.append(data)

    def _meta(self, name: str, content: str) -> None:
        if len(self.meta) >= MAX_META or len(name) > 200:
            self.cut.add(f"at most {MAX_META} meta elements are read")
        else:
            if len(content) > MAX_META_LENGTH:
                self.cut.add(f"meta contents are read up to {MAX_META_LENGTH} characters")
            self.meta.append((name, content[:MAX_META_LENGTH]))

    def _block(self, text: str) -> None:
        if len(self.blocks) >= MAX_BLOCKS:
            self.cut.add(f"at most {MAX_BLOCKS} JSON-LD blocks are read")
            return
        line, column = self._at
        if len(text) > MAX_BLOCK:
            self.blocks.append(Block(line, column, None, f"longer than {MAX_BLOCK} characters"))
            return
        try:
            data = text.strip().encode("utf-8", "surrogatepass")
            value = loads(data)
            # The extraction puts it some levels deeper, and must stay readable itself.
            loads(b"[[[[" + data + b"]]]]")
        except JsonError as error:
            self.blocks.append(Block(line, column, None, str(error)[:200]))
        else:
            self.blocks.append(Block(line, column, value))
