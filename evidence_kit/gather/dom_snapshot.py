"""Turn ``DOMSnapshot.captureSnapshot`` into HTML and into the text a person sees.

The snapshot holds what scripts in the page cannot hide from it: open and closed shadow roots,
frames, form values as they stand. Pure functions over the parsed answer.
Format: https://chromedevtools.github.io/devtools-protocol/tot/DOMSnapshot/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

COMPUTED_STYLES = ("display", "visibility", "opacity")
"""Asked for with the snapshot, in this order."""

ELEMENT, TEXT, CDATA, COMMENT, DOCUMENT, DOCTYPE, FRAGMENT = 1, 3, 4, 8, 9, 10, 11

_VOID = frozenset(
    "area base br col embed hr img input link meta param source track wbr".split()  # noqa: SIM905
)
_RAW = frozenset("script style xmp iframe noembed noframes plaintext noscript".split())  # noqa: SIM905
_INLINE = frozenset({"inline", "contents", "ruby", "ruby-text", "ruby-base"})


@dataclass(frozen=True)
class Counts:
    """How much a document holds: for limits and for the content check."""

    nodes: int
    images: int
    frames: int
    password_fields: int = 0


class Snapshot:
    """A parsed answer.

    Args:
        answer: the result object of ``DOMSnapshot.captureSnapshot``.
    """

    def __init__(self, answer: Mapping[str, Any]) -> None:
        self._strings: Sequence[str] = answer["strings"]
        self._documents = [_Document(item, self._strings) for item in answer["documents"]]

    def html(self) -> str:
        """Every document in turn, each after a comment with its number and URL."""
        parts: list[str] = []
        for number, document in enumerate(self._documents, 1):
            parts.append(f"<!-- document {number}: {_comment(document.url)} -->\n")
            parts.extend(document.markup())
            parts.append("\n")
        return "".join(parts)

    def text(self) -> str:
        """What is rendered, block by block, frames after the page that holds them."""
        parts: list[str] = []
        for document in self._documents:
            lines = document.visible_lines()
            if lines and parts:
                parts.append(f"[frame {document.url}]")
            parts.extend(lines)
        return "\n".join(parts) + "\n" if parts else ""

    def counts(self) -> Counts:
        """Totals over all documents."""
        names = [name for item in self._documents for name in item.names]
        return Counts(
            len(names),
            sum(name == "IMG" for name in names),
            max(len(self._documents) - 1, 0),
            sum(item.password_fields() for item in self._documents),
        )

    def dots(self) -> tuple[set[str], set[str]]:
        """Addresses of pictures of one dot at most, and of the others, without fragments."""
        dots: set[str] = set()
        others: set[str] = set()
        for document in self._documents:
            for url, dot in document.pictures():
                (dots if dot else others).add(url)
        return dots, others


class _Document:
    """One document of a snapshot: arrays with one entry per node."""

    def __init__(self, data: Mapping[str, Any], strings: Sequence[str]) -> None:
        self._strings = strings
        nodes = data["nodes"]
        self.url = self._string(data["documentURL"])
        self._parents: Sequence[int] = nodes["parentIndex"]
        self._types: Sequence[int] = nodes["nodeType"]
        self.names = [self._string(item) for item in nodes["nodeName"]]
        self._values: Sequence[int] = nodes["nodeValue"]
        self._attributes: Sequence[Sequence[int]] = nodes["attributes"]
        self._shadow = self._rare(nodes.get("shadowRootType"))
        self._input = self._rare(nodes.get("inputValue"))
        self._area = self._rare(nodes.get("textValue"))
        self._checked = frozenset(nodes.get("inputChecked", {}).get("index", ()))
        self._sources = self._rare(nodes.get("currentSourceURL"))
        self._inner = _rare_numbers(nodes.get("contentDocumentIndex"))
        self._layout = data["layout"]
        self._children: list[list[int]] = [[] for _ in self._types]
        for index, parent in enumerate(self._parents):
            if parent >= 0:
                self._children[parent].append(index)

    def _string(self, index: int) -> str:
        return self._strings[index] if 0 <= index < len(self._strings) else ""

    def _rare(self, data: Mapping[str, Any] | None) -> dict[int, str]:
        if not data:
            return {}
        return {
            index: self._string(value)
            for index, value in zip(data["index"], data["value"], strict=True)
        }

    def markup(self) -> Iterator[str]:
        """HTML of all nodes, without recursion: a hostile page nests tens of thousands deep."""
        stack: list[int | str] = [
            index for index in range(len(self._types) - 1, -1, -1) if self._parents[index] < 0
        ]
        while stack:
            item = stack.pop()
            if isinstance(item, str):
                yield item
                continue
            opening, closing, children = self._open(item)
            yield opening
            if closing:
                stack.append(closing)
            stack.extend(reversed(self._with_shadow(item, children)))

    def _open(self, index: int) -> tuple[str, str, list[int]]:
        kind, children = self._types[index], self._children[index]
        value = self._string(self._values[index])
        if kind in (TEXT, CDATA):
            parent = self.names[self._parents[index]].lower() if self._parents[index] >= 0 else ""
            return (value if parent in _RAW else escape(value, quote=False)), "", []
        if kind == COMMENT:
            return f"<!--{_comment(value)}-->", "", []
        if kind == DOCTYPE:
            return f"<!DOCTYPE {self.names[index]}>\n", "", []
        if kind == DOCUMENT:
            return "", "", children
        if kind == FRAGMENT:
            return "", "", children
        return self._element(index, children)

    def _with_shadow(self, index: int, children: list[int]) -> list[int | str]:
        """Put the children that stand in a shadow root into a ``template`` that says so.

        The snapshot names the kind of shadow root for each node in it, not the root itself, so
        of two nested roots of one kind the inner one is not marked; its content is there.
        """
        own = self._shadow.get(index, "")
        inside: dict[str, list[int]] = {}
        light: list[int | str] = []
        for child in children:
            mode = self._shadow.get(child, "")
            if mode == own:
                light.append(child)
            elif mode != "user-agent":  # the browser's own widgets are not the page's
                inside.setdefault(mode, []).append(child)
        shown: list[int | str] = []
        for mode, items in inside.items():
            shown += [f'<template shadowrootmode="{escape(mode)}">', *items, "</template>"]
        return shown + light

    def _element(self, index: int, children: list[int]) -> tuple[str, str, list[int]]:
        name = self.names[index].lower()
        if name.startswith("::"):  # a pseudo element: generated by style, shown in the text
            return "", "", []
        flat = self._attributes[index] if index < len(self._attributes) else ()
        given = [
            (self._string(key), self._string(value))
            for key, value in zip(flat[::2], flat[1::2], strict=True)
        ]
        secret = self._is_password(index)
        if secret or index in self._input:
            given = [item for item in given if item[0] != "value"]
            if not secret:
                given.append(("value", self._input[index]))
        if index in self._checked and not any(key == "checked" for key, _ in given):
            given.append(("checked", ""))
        attributes = "".join(f' {key}="{escape(value)}"' for key, value in given)
        opening = f"<{name}{attributes}>"
        if name in _VOID:
            return opening, "", []
        if index in self._area:
            return f"{opening}{escape(self._area[index], quote=False)}", f"</{name}>", []
        if index in self._inner:
            opening += f"<!-- document {self._inner[index] + 1} -->"
        return opening, f"</{name}>", children

    def pictures(self) -> Iterator[tuple[str, bool]]:
        """Address of each ``img``, and whether the page gives it no more than one dot.

        A picture that did not come has a box of one dot only where the page fixes that size: else
        it is nothing, or the sign for a lost picture. One without a box is not shown; whether it
        is a dot is what its attributes say.
        """
        boxes: dict[int, Sequence[float]] = {}
        for owner, bounds in zip(self._layout["nodeIndex"], self._layout["bounds"], strict=True):
            boxes.setdefault(owner, bounds)
        for index, url in self._sources.items():
            if self.names[index] != "IMG" or not url:
                continue
            box = boxes.get(index)
            dot = tuple(box[2:4]) == (1, 1) if box is not None else self._declared_dot(index)
            yield url.partition("#")[0], dot

    def _declared_dot(self, index: int) -> bool:
        given = [self._string(item) for item in self._attributes[index]]
        said = dict(zip(given[::2], given[1::2], strict=True))
        return {said.get("width"), said.get("height")} <= {"0", "1"}

    def password_fields(self) -> int:
        """How many input elements hide what is typed."""
        return sum(self._is_password(index) for index in range(len(self.names)))

    def _is_password(self, index: int) -> bool:
        """Whose value is nobody's evidence: it is left out everywhere."""
        if self.names[index] != "INPUT":
            return False
        given = [self._string(item).lower() for item in self._attributes[index]]
        return ("type", "password") in zip(given[::2], given[1::2], strict=False)

    def _typed(self, index: int) -> str:
        """What stands in a form field, as far as it is shown."""
        if self.names[index] == "TEXTAREA":
            return self._area.get(index, "")
        if self.names[index] != "INPUT" or self._is_password(index):
            return ""
        given = [self._string(item).lower() for item in self._attributes[index]]
        unseen = ("hidden", "checkbox", "radio", "file", "color", "range", "image")
        if any(("type", kind) in zip(given[::2], given[1::2], strict=False) for kind in unseen):
            return ""
        return self._input.get(index, "")

    def visible_lines(self) -> list[str]:
        """Rendered text, a line per block; hidden and fully transparent text is left out."""
        styles, owners = self._layout["styles"], self._layout["nodeIndex"]
        display: dict[int, str] = {}
        hidden: set[int] = set()
        for owner, style in zip(owners, styles, strict=True):
            shown = [self._string(item) for item in style]
            if len(shown) == len(COMPUTED_STYLES):
                display.setdefault(owner, shown[0])
                if shown[1] in ("hidden", "collapse"):
                    hidden.add(owner)
        transparent = self._transparent(owners, styles)
        lines: list[str] = []
        last_block = -2
        for owner, text_index in zip(owners, self._layout["text"], strict=True):
            text = self._string(text_index)
            typed = self._typed(owner)
            if not typed and (
                not text or (self._types[owner] == ELEMENT and not self._pseudo(owner))
            ):
                continue
            text = typed or text
            parent = self._parents[owner]
            if owner in hidden or parent in hidden or parent in transparent:
                continue
            block = self._block(parent, display)
            if block == last_block and lines:
                lines[-1] += text
            else:
                lines.append(text)
            last_block = block
        cleaned = (" ".join(line.split()) for line in lines)
        return [line for line in cleaned if line]

    def _pseudo(self, index: int) -> bool:
        return self.names[index].startswith("::")

    def _transparent(self, owners: Sequence[int], styles: Sequence[Sequence[int]]) -> set[int]:
        """Nodes of which an element at or above them is fully transparent."""
        own = {
            owner
            for owner, style in zip(owners, styles, strict=True)
            if len(style) == len(COMPUTED_STYLES) and self._string(style[2]) == "0"
        }
        found: set[int] = set()
        if own:
            for index, parent in enumerate(self._parents):  # parents come before their children
                if index in own or parent in found:
                    found.add(index)
        return found

    def _block(self, index: int, display: Mapping[int, str]) -> int:
        while index >= 0 and display.get(index, "inline") in _INLINE:
            index = self._parents[index]
        return index


def _rare_numbers(data: Mapping[str, Any] | None) -> dict[int, int]:
    return dict(zip(data["index"], data["value"], strict=True)) if data else {}


def _comment(text: str) -> str:
    """Text that cannot end the comment it stands in."""
    return text.replace("--", "- -").rstrip("-")
