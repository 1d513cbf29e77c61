"""The XML of a DASH list as a tree of elements.

It comes from a stranger: it is read by expat with every document type refused, so that there are
no entities and nothing is fetched; depth and number of elements are bounded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

from evidence_kit.seal.stream_parts import MAX_MANIFEST, StreamError

MAX_ELEMENTS = 200_000
"""Elements of one list; a timeline of two hours has some 4000."""
MAX_DEPTH = 32
"""Levels; the schema's own elements go to nine."""
MAX_TEXT = 64 << 10
"""Characters of text that are kept of one element; an address is all that is read."""


@dataclass
class Node:
    """An element; names without their namespace."""

    name: str
    given: dict[str, str]
    below: list[Node] = field(default_factory=list)
    text: str = ""

    def all(self, name: str) -> list[Node]:
        """The elements of this name directly below."""
        return [item for item in self.below if item.name == name]

    def one(self, name: str) -> Node | None:
        """The first of them."""
        return next(iter(self.all(name)), None)


def read_tree(data: bytes) -> Node:
    """The root element of a list.

    Raises:
        StreamError: larger than a list may be, no well-formed XML, or with a document type.
    """
    if len(data) > MAX_MANIFEST:
        raise StreamError(f"larger than {MAX_MANIFEST} bytes")
    root = Node("", {})
    stack = [root]
    count = 0

    def start(name: str, given: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > MAX_ELEMENTS or len(stack) > MAX_DEPTH:
            raise StreamError("the XML has too many elements or levels")
        node = Node(_local(name), {_local(key): value for key, value in given.items()})
        stack[-1].below.append(node)
        stack.append(node)

    def end(_: str) -> None:
        stack.pop()

    def text(more: str) -> None:
        if len(stack[-1].text) < MAX_TEXT:
            stack[-1].text += more

    def refuse(*_: object) -> None:
        raise StreamError("the XML has a document type, which is refused")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    parser.buffer_text = True
    try:
        parser.Parse(data, True)  # noqa: FBT003
    except expat.ExpatError as error:
        raise StreamError(f"not well-formed XML: {error}") from error
    return root.below[0]


def _local(name: str) -> str:
    return name.rpartition(" ")[2]
