"""Microformats 2: the ``h-entry`` of a page, as its classes mark it.

Source: microformats.org, parsing rules of microformats 2 and the h-entry vocabulary; the parts
that name a post. What is found goes to a file of our own form.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

from evidence_kit.platforms.base import base_of
from evidence_kit.platforms.html_tree import Node

MAX_ENTRIES = 200
"""Entries on a page that are read; a front page has some tens."""

FIELDS: dict[str, str | tuple[str, ...]] = {
    "id": "uid",
    "permalink": "url",
    "author_name": "author/name",
    "author_url": "author/url",
    "title": "name",
    "text": "content",
    "created": "published",
    "edited": "updated",
    "reply_to": "in_reply_to",
    "media": "photo",
}
"""Fields of a post with their place in an entry of :func:`read_entries`."""


def read_entries(tree: Node, page: str) -> list[dict[str, Any]]:
    """Every ``h-entry`` that stands in no other, null where a property is not given.

    Args:
        tree: of the page.
        page: its address, that links in it are relative to.
    """
    found: list[dict[str, Any]] = []
    stack: list[Node] = [tree]
    while stack and len(found) < MAX_ENTRIES:
        node = stack.pop()
        if "h-entry" in node.classes:
            found.append(_entry(node, page))
        else:
            stack += [item for item in reversed(node.below) if isinstance(item, Node)]
    return found


def _entry(node: Node, page: str) -> dict[str, Any]:
    own = list(_properties(node))
    author = next((item for item in own if "p-author" in item.classes), None)
    photos = [_link(item, page, "src", "data") for item in own if "u-photo" in item.classes]
    return {
        "uid": _first_link(own, "u-uid", page),
        "url": _first_link(own, "u-url", page),
        "name": _first_text(own, "p-name"),
        "content": _first_text(own, "e-content"),
        "published": _first_time(own, "dt-published"),
        "updated": _first_time(own, "dt-updated"),
        "in_reply_to": _first_link(own, "u-in-reply-to", page),
        "author": _author(author, page) if author is not None else None,
        "photo": [item for item in photos if item is not None] or None,
    }


def _properties(node: Node) -> list[Node]:
    """Elements that belong to this item: what is inside another ``h-…`` belongs to that."""
    found: list[Node] = []
    stack = [item for item in reversed(node.below) if isinstance(item, Node)]
    while stack:
        item = stack.pop()
        found.append(item)
        if not any(name.startswith("h-") for name in item.classes):
            stack += [below for below in reversed(item.below) if isinstance(below, Node)]
    return found


def _author(node: Node, page: str) -> dict[str, str | None]:
    inside = list(node.walk())
    return {
        "name": _first_text(inside[1:], "p-name") or node.text() or node.attrs.get("alt") or None,
        "url": _first_link(inside, "u-url", page) or _link(node, page, "href"),
    }


def _first_text(nodes: list[Node], name: str) -> str | None:
    return next((node.text() for node in nodes if name in node.classes), None) or None


def _first_time(nodes: list[Node], name: str) -> str | None:
    for node in nodes:
        if name in node.classes:
            return node.attrs.get("datetime") or node.attrs.get("title") or node.text() or None
    return None


def _first_link(nodes: list[Node], name: str, page: str) -> str | None:
    found = (_link(node, page, "href", "src", "data") for node in nodes if name in node.classes)
    return next((item for item in found if item is not None), None)


def _link(node: Node, page: str, *names: str) -> str | None:
    for name in names:
        value = node.attrs.get(name)
        if value:
            try:
                address = urljoin(page, value.strip())
            except ValueError:
                continue
            if base_of(address) is not None:
                return address
    return None
