"""Does the page as it was shown agree with what the platform said about the post?

Compared are letters and digits alone: pages turn emoji into pictures, shorten links and break
lines as they like. Agreement says that both sources tell the same; a difference is a remark, since
a page may fold long texts away or show a translation.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from evidence_kit.core.findings import Finding

MIN_PIECE = 3
"""Letters and digits that a piece needs; shorter ones are found on any page."""
MAX_TEXT = 1 << 20
"""Characters of either side that are looked at; posts have some thousands."""
MAX_PIECES = 2_000
"""Pieces that are looked for, each through the whole page; the rest count as not shown."""

_ADDRESS = re.compile(r"(?:https?://|www\.|pic\.)\S+", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")


@dataclass(frozen=True)
class Compared:
    """How many pieces of the platform's text there are, and how many the page does not show."""

    pieces: int
    missing: int


def compare_text(said: str, shown: str) -> Compared:
    """Look for each line of the platform's text, cut at addresses, in the page's text.

    Args:
        said: by the platform, as text.
        shown: on the page, as text.
    """
    page = _letters(shown[:MAX_TEXT])
    lines = _ADDRESS.sub("\n", html.unescape(said[:MAX_TEXT])).splitlines()
    pieces = [piece for piece in map(_letters, lines) if len(piece) >= MIN_PIECE]
    shown_pieces = sum(piece in page for piece in pieces[:MAX_PIECES])
    return Compared(len(pieces), len(pieces) - shown_pieces)


def id_in_address(ident: object, address: str) -> bool:
    """Whether the platform's id of the post stands behind the host of the page's address."""
    last = str(ident).rsplit("/", 1)[-1]
    address = re.sub(r"^[a-z]+://[^/?#]*", "", address)
    found = re.search(rf"(?<![A-Za-z0-9]){re.escape(last)}(?![A-Za-z0-9])", unquote(address))
    return bool(last) and found is not None


def compare_post(
    post: Mapping[str, Any], shown: str | None, address: str | None
) -> Iterator[Finding]:
    """Findings about one post of ``post.json`` and the page.

    Args:
        post: in the form of that document.
        shown: text of the page, None where there is none.
        address: where the page ended, None where it did not.
    """
    text, markup, ident = (_value(post, name) for name in ("text", "text_html", "id"))
    if not isinstance(text, str) and isinstance(markup, str):
        text = _TAG.sub("\n", markup[:MAX_TEXT])
    if isinstance(text, str) and shown is not None:
        found = compare_text(text, shown)
        params = {"missing": str(found.missing), "pieces": str(found.pieces)}
        if found.missing:
            yield Finding("post.page-differs", "posts/0/text", params)
        elif found.pieces:
            yield Finding("post.page-agrees", "posts/0/text", params)
    if isinstance(ident, (str, int)) and not isinstance(ident, bool) and address:
        agrees = id_in_address(ident, address)
        code = "post.id-in-address" if agrees else "post.id-not-in-address"
        yield Finding(code, "posts/0/id", {"id": str(ident)[:200]})


def _value(post: Mapping[str, Any], name: str) -> Any:
    entry = post.get(name)
    return entry.get("value") if isinstance(entry, Mapping) else None


def _letters(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(letter for letter in folded if letter.isalnum())
