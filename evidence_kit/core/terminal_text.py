"""Captured text made harmless for a terminal: seen, but never acting.

A post may hold terminal commands (ECMA-48 escape sequences), bidirectional overrides that reorder
what a reader sees (Unicode UAX #9), and characters that cannot be seen at all. Printing such text
as it is lets the author of a threat decide what the verifier's screen says.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

_JOINERS = frozenset("\u200c\u200d")
"""Needed inside emoji and in Persian and Indic words; they reorder nothing."""

_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f")
"""Hangul fillers, the braille blank, the grapheme joiner: printable by category, yet invisible."""

_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, format characters (all bidi controls are among them), surrogates, private use,
unassigned, line and paragraph separators (Unicode General_Category)."""

MAX_MARKS = 4
"""Combining marks in a row that are kept: real scripts use three at most; dozens of them cover
the lines above and below."""


def harmless(text: str, *, one_line: bool = True) -> str:
    r"""Replace every character that could act or hide by its visible escape, such as ``\x1b``.

    A backslash itself stays, so the result is for reading, not for turning back.

    Args:
        text: anything, also text with lone surrogates.
        one_line: line breaks become spaces; without it line feeds stay.
    """
    if one_line:
        text = text.replace("\n", " ")
    if text.isascii() and text.isprintable():
        return text
    parts: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.combining(char) else 0
        parts.append(_escape(char) if marks > MAX_MARKS or _acts(char) else char)
    return "".join(parts)


def harmless_json(document: str) -> str:
    r"""The same JSON value in a form that cannot act when it is printed.

    Acting characters stand inside strings only, where ``\uXXXX`` means the same (RFC 8259
    section 7); a program that parses it gets exactly what was captured.

    Args:
        document: JSON text whose control characters are escaped already but for line feeds.
    """
    if document.isascii():
        return document
    return "".join(_json_escape(char) if _acts(char) else char for char in document)


def storable_name(name: str) -> str:
    r"""A file name with lone surrogates as visible escapes, such as ``\udcff``.

    Python stands them for bytes that are no UTF-8; JSON has no form for them.
    """
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def storable(value: Any) -> Any:
    """A JSON value with :func:`storable_name` applied to every text in it."""
    if isinstance(value, str):
        return value if value.isascii() else storable_name(value)
    if isinstance(value, Mapping):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _acts(char: str) -> bool:
    if char in "\n\t" or char in _JOINERS:
        return False
    return char in _BLANK_LETTERS or unicodedata.category(char) in _HARMFUL


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
