"""HTML as a small tree, bounded, for pages whose facts stand in the classes of their elements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

MAX_NODES = 100_000
"""Elements; long threads come to some ten thousand."""
MAX_DEPTH = 400
"""Levels; browsers themselves stop at 512."""

_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source"}
    | {"track", "wbr"}
)
_UNSEEN = frozenset({"script", "style", "template", "noscript"})
_BLOCKS = frozenset({"p", "div", "blockquote", "ul", "ol", "li", "pre", "h1", "h2", "h3", "tr"})


@dataclass
class Node:
    """One element; ``below`` holds text and elements in order."""

    tag: str
    attrs: dict[str, str]
    below: list[Node | str] = field(default_factory=list)

    @property
    def classes(self) -> frozenset[str]:
        """Of its class attribute."""
        return frozenset(self.attrs.get("class", "").split())

    def walk(self) -> Iterator[Node]:
        """This element and all below, in document order."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack += [item for item in reversed(node.below) if isinstance(item, Node)]

    def first(self, name: str) -> Node | None:
        """The first element of a class."""
        return next((node for node in self.walk() if name in node.classes), None)

    def all(self, name: str) -> list[Node]:
        """Every element of a class."""
        return [node for node in self.walk() if name in node.classes]

    def text(self) -> str:
        """Its words: ``<br>`` as a line break, paragraphs apart by an empty line."""
        parts: list[str] = []
        stack: list[Node | str] = [self]
        while stack:
            item = stack.pop()
            if isinstance(item, str):
                parts.append(item)
            elif item.tag == "br":
                parts.append("\n")
            elif item.tag not in _UNSEEN:
                gap = ["\n\n"] if item.tag in _BLOCKS and item is not self else []
                stack += [*gap, *reversed(item.below), *gap]
        lines = "".join(parts).splitlines()
        text = "\n".join(line.strip() for line in lines).strip()
        return re.sub(r"\n{3,}", "\n\n", text)


def parse_tree(html: str) -> Node:
    """The document as a tree under a root without a tag; hostile HTML gives an odd tree."""
    reader = _Reader()
    reader.feed(html + "<br>")
    return reader.root


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("", {})
        self._open = [self.root]
        self._count = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._count += 1
        if self._count > MAX_NODES:
            return
        given: dict[str, str] = {}
        for name, value in attrs:
            given.setdefault(name, value or "")
        node = Node(tag, given)
        self._open[-1].below.append(node)
        if tag not in _VOID and len(self._open) < MAX_DEPTH:
            self._open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self._open[-1].tag == tag and tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        for depth in range(len(self._open) - 1, 0, -1):
            if self._open[depth].tag == tag:
                del self._open[depth:]
                return

    def handle_data(self, data: str) -> None:
        if self._count <= MAX_NODES:
            self._open[-1].below.append(data)
