"""The words in a piece of HTML, read with the standard library and bounded."""

from __future__ import annotations

from html.parser import HTMLParser

MAX_FRAGMENT = 1 << 20
"""Characters of one post's HTML; Mastodon's servers cut posts off at some thousands."""

_BREAKS = frozenset({"p", "div", "blockquote", "ul", "ol", "li", "pre", "h1", "h2", "h3", "tr"})
_UNSEEN = frozenset({"script", "style", "template"})


def plain_text(fragment: str) -> str:
    """The text of an HTML fragment: paragraphs apart by an empty line, ``<br>`` as a line break.

    Hostile HTML never raises; it only gives odd text.
    """
    parser = _Text()
    # The tag behind it makes the parser hand over the last words. close() is not called: on
    # unfinished markup it takes quadratic time in some versions of Python.
    parser.feed(fragment[:MAX_FRAGMENT] + "<br>")
    return parser.text()


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag == "br":
            self._parts.append("\n")
        elif tag in _BREAKS:
            self._break()

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(self._unseen - 1, 0)
        elif tag in _BREAKS:
            self._break()

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self._parts.append(data)

    def _break(self) -> None:
        if self._parts and self._parts[-1] != "\n\n":
            self._parts.append("\n\n")

    def text(self) -> str:
        return "".join(self._parts).strip()
