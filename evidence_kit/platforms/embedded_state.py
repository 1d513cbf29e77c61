"""State that an application carries in its page, as Next, Nuxt and Redux do: kept, never run.

Such a state often holds the post with exact times and numbers, but in a form of the site's own
that may change any day. So it is kept byte for byte beside the page, and no field is read out of
it. Only plain JSON counts; a state that is a program stands in the page as received.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser

from evidence_kit.core.canonical_json import JsonError, loads

MAX_HTML = 16 << 20
"""Bytes of a page that are read; pages with large states have some MiB."""
MAX_STATES = 20
"""States of one page; real ones have one to three."""
MAX_STATE = 8 << 20
"""Characters of one state; large ones have some MiB."""
MAX_SCRIPTS = 2000
"""Script elements that are looked into; heavy pages have some hundreds."""

_IDS = frozenset(
    {"__NEXT_DATA__", "__NUXT_DATA__", "__APOLLO_STATE__", "__FRSH_STATE", "SIGI_STATE"}
    | {"__UNIVERSAL_DATA_FOR_REHYDRATION__", "initial-state", "ng-state", "serverApp-state"}
)
"""Names of script elements of the type ``application/json`` in which frameworks keep it."""
_NAMES = (
    *("__NUXT__", "__INITIAL_STATE__", "__APOLLO_STATE__", "__PRELOADED_STATE__"),
    *("__INITIAL_DATA__", "__REDUX_STATE__", "__remixContext"),
)
"""Variables to which frameworks assign it."""
_ASSIGNED = re.compile(
    r"""(?:window|self|globalThis)(?:\.|\[["'])(?P<name>"""
    + "|".join(_NAMES)
    + r""")(?:["']\])?[ \t\r\n]{0,20}=(?!=)[ \t\r\n]{0,20}"""
)
_PROGRAMS = frozenset({"", "text/javascript", "application/javascript", "module"})
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{]|[\]}]', re.DOTALL)
"""As in the project's reader of JSON: a string's end is optional, so no input makes it go back."""
_LINE_END = re.compile(r"\n")


@dataclass(frozen=True)
class EmbeddedState:
    """One state and where it stands.

    Attributes:
        name: of the script element or variable.
        form: ``element`` or ``variable``.
        offset: of its first byte in the page as served, content coding taken off.
        body: its bytes as they stand there; empty where ``error`` says why it is not kept.
    """

    name: str
    form: str
    offset: int
    body: bytes
    error: str = ""

    @property
    def sha256(self) -> str:
        """Of its bytes."""
        return hashlib.sha256(self.body).hexdigest()


def find_states(html: bytes, charset: str) -> tuple[EmbeddedState, ...]:
    """The states of a page in their order, at most :data:`MAX_STATES`.

    Args:
        html: as served, without content coding.
        charset: that the page is read with; one that Python knows.
    """
    page = html[:MAX_HTML]
    if not any(name.encode("ascii") in page for name in (*_IDS, *_NAMES)):
        return ()
    text = page.decode(charset, "replace")
    reader = _Scripts(text)
    reader.feed(text)
    places = _Places(text, page, charset)
    found: list[EmbeddedState] = []
    for start, length, name in reader.scripts:
        for form, label, begin, end in _in_script(text[start : start + length], name):
            if len(found) == MAX_STATES:
                return tuple(found)
            found.append(_state(places, label, form, start + begin, start + end))
    return tuple(found)


def _in_script(script: str, name: str) -> Iterator[tuple[str, str, int, int]]:
    """Form, name, begin and end of the states in one script."""
    if name:
        begin = len(script) - len(script.lstrip())
        yield "element", name, begin, len(script.rstrip())
        return
    place = 0
    while (assigned := _ASSIGNED.search(script, place)) is not None:
        end = _end_of_value(script, assigned.end())
        yield "variable", assigned["name"], assigned.end(), end
        place = max(end, assigned.end())


def _end_of_value(script: str, start: int) -> int:
    """Where a JSON object or array ends; ``start`` where there is none, or it does not end."""
    depth = 0
    if script[start : start + 1] not in ("{", "["):
        return start
    for token in _TOKEN.finditer(script, start, start + MAX_STATE + 1):
        mark = token[0][0]
        depth += (mark in "{[") - (mark in "]}")
        if not depth:
            return token.end()
    return start


def _state(places: _Places, name: str, form: str, start: int, end: int) -> EmbeddedState:
    offset, body = places.bytes_of(start, end)
    error = ""
    if end <= start:
        error = f"a program makes it, or it is longer than {MAX_STATE} characters"
    elif end - start > MAX_STATE:
        error = f"longer than {MAX_STATE} characters"
    elif body is None:
        error = "its characters do not fit the page's charset"
    else:
        try:
            loads(body)
        except JsonError as problem:
            error = f"not plain JSON: {problem}"[:200]
    return EmbeddedState(name, form, offset, body if body and not error else b"", error)


class _Places:
    """Offsets of characters in the page's bytes, asked for in rising order."""

    def __init__(self, text: str, page: bytes, charset: str) -> None:
        self._text, self._page, self._charset = text, page, charset
        self._char = self._byte = 0

    def bytes_of(self, start: int, end: int) -> tuple[int, bytes | None]:
        """Offset and bytes of a range of characters; None where they are not those of the page."""
        self._byte += len(self._encoded(self._char, start))
        self._char = start
        body = self._encoded(start, end)
        same = self._page[self._byte : self._byte + len(body)] == body
        return self._byte, body if same else None

    def _encoded(self, start: int, end: int) -> bytes:
        return self._text[start:end].encode(self._charset, "replace")


class _Scripts(HTMLParser):
    """Where scripts stand that can hold a state: start, length in characters, element's name."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.scripts: list[tuple[int, int, str]] = []
        self._lines = [0, *(found.end() for found in _LINE_END.finditer(text))]
        self._open: tuple[int, str] | None = None
        self._length = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: (value or "").strip() for name, value in reversed(attrs)}
        if tag != "script" or "src" in given or len(self.scripts) >= MAX_SCRIPTS:
            return
        kind = given.get("type", "").lower()
        name = given.get("id", "")
        state = kind == "application/json" and name in _IDS
        if state or kind in _PROGRAMS:
            line, column = self.getpos()
            start = self._lines[line - 1] + column + len(self.get_starttag_text() or "")
            self._open, self._length = (start, name if state else ""), 0

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self._length += len(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "script" and self._open is not None:
            self.scripts.append((self._open[0], self._length, self._open[1]))
            self._open = None
