"""Captured text made harmless for a terminal: seen, but never acting."""

from __future__ import annotations

import unicodedata

_KEPT = {"\n", "\t"}
_JOINERS = {"\u200c", "\u200d"}  # meant in emoji and some scripts; they move nothing


def harmless(text: str, *, one_line: bool = True) -> str:
    """Replace every character that could act by its visible escape, for example ``\\x1b``.

    Escaped are control characters (ANSI sequences start with one), bidirectional overrides and
    other invisible format characters, line and paragraph separators, private use and unassigned
    code points, and lone surrogates. With ``one_line`` line breaks become spaces.
    """
    if one_line:
        text = " ".join(text.split("\n")) if "\n" in text else text
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(character) for character in text)


def _escape(character: str) -> str:
    if character in _KEPT or character in _JOINERS or character.isprintable():
        return character
    if unicodedata.category(character) == "Zs":
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
