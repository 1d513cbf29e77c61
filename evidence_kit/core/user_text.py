"""Text files that a person made with the programs of their system, read as they were meant.

Windows marks a text's encoding with a byte order mark (U+FEFF, The Unicode Standard section 23.8):
Notepad before UTF-8, and PowerShell 5, whose ``>`` writes what a program printed as UTF-16.
"""

from __future__ import annotations

import codecs

MARK = "\ufeff"
"""The byte order mark, as it stands in a decoded text."""

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def without_mark(text: str) -> str:
    """The text without the mark of its encoding, which TOML does not know."""
    return text.removeprefix(MARK)


def plain_bytes(data: bytes) -> bytes:
    """The bytes of a PEM file as they were before a shell encoded them; others stay as they are.

    DER, PKCS #12 and PEM begin with none of the marks.
    """
    if data.startswith(_UTF16):
        try:
            return data.decode("utf-16").encode("utf-8")
        except UnicodeError:  # no text at all: whoever reads it says what it is not
            return data
    return data.removeprefix(codecs.BOM_UTF8)
