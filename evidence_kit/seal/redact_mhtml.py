"""MHTML (RFC 2557): parts are decoded, changed, coded again: no soft break hides a value.

A part that needs no change stays byte for byte as it was.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable

_BOUNDARY = re.compile(rb'(?is)\bboundary="?([^"\r\n;]{1,200})"?')
_CODING = re.compile(rb"(?im)^content-transfer-encoding:[ \t]*([a-z0-9-]+)")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_LINE = 76

Change = Callable[[bytes, str], bytes]


def rewrite_mhtml(data: bytes, change: Change) -> bytes:
    """An MHTML file with ``change`` applied to every part's decoded content and to all heads.

    Args:
        data: the file; without a boundary it is changed as one piece.
        change: gets bytes and what they are (``mhtml head``, ``mhtml part n``), returns them
            masked; the same bytes mean no change.
    """
    found = _BOUNDARY.search(data, 0, 1 << 16)
    if found is None:
        return change(data, "mhtml")
    pieces = data.split(b"--" + found[1])
    out = [change(pieces[0], "mhtml head")]
    out += [_part(piece, number, change) for number, piece in enumerate(pieces[1:], 1)]
    return (b"--" + found[1]).join(out)


def _part(piece: bytes, number: int, change: Change) -> bytes:
    end = _HEAD_END.search(piece)
    if end is None:
        return change(piece, f"mhtml part {number}")
    # Long header values are folded over lines (RFC 5322 section 2.2.3): a fold may split a value.
    head = piece[: end.end()]
    whole = re.sub(rb"\r?\n(?=[ \t])", b"", head)
    masked = change(whole, f"mhtml head {number}")
    if masked != whole:
        head = masked
    body = piece[end.end() :]
    coding = _CODING.search(head)
    kind = coding[1].lower() if coding else b""
    tail = b"\r\n" if body.endswith(b"\r\n") else b"\n" if body.endswith(b"\n") else b""
    core = body[: len(body) - len(tail)]
    name = f"mhtml part {number}"
    if kind == b"quoted-printable":
        plain = binascii.a2b_qp(core)
        masked = change(plain, name)
        return head + (body if masked == plain else _quoted(masked) + tail)
    if kind == b"base64":
        try:
            plain = base64.b64decode(core)
        except binascii.Error:
            return head + change(body, name)
        masked = change(plain, name)
        return head + (body if masked == plain else _base64(masked) + tail)
    return head + change(body, name)


def _quoted(data: bytes) -> bytes:
    """Quoted-printable (RFC 2045 section 6.7); line ends of the text stay line ends."""
    lines = []
    for line in re.split(rb"\r?\n", data):
        text = b"".join(
            bytes([byte]) if 32 <= byte < 127 and byte != 61 else b"=%02X" % byte for byte in line
        )
        if text.endswith(b" "):
            text = text[:-1] + b"=20"
        while len(text) > _LINE:
            cut = _LINE - 1
            while b"=" in text[cut - 2 : cut]:
                cut -= 1
            lines.append(text[:cut] + b"=")
            text = text[cut:]
        lines.append(text)
    return b"\r\n".join(lines)


def _base64(data: bytes) -> bytes:
    text = base64.b64encode(data)
    return b"\r\n".join(text[place : place + _LINE] for place in range(0, len(text), _LINE))
