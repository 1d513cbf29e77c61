"""A stream as its lists describe it: tracks, and the parts that make each of them up.

HLS (RFC 8216) and DASH (ISO/IEC 23009-1) cut sound and video into parts that a list names. What
both say is brought to these few values; nothing here plays, decrypts or joins anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urldefrag, urljoin

MAX_MANIFEST = 8 << 20
"""Bytes of one list; two hours in parts of two seconds come to under 1 MiB."""
MAX_PARTS = 20_000
"""Parts of one track; parts of two seconds make eleven hours."""
MAX_ALL_PARTS = 100_000
"""Parts of all tracks of one list together; ten qualities of two hours make some 40,000."""
MAX_TRACKS = 200
"""Tracks of one stream; real ones have some ten qualities and languages."""
MAX_URL = 8192
"""Characters of one address; signed ones have some 1000."""

INIT = "init"
"""What a player needs before the first part of a track."""
KEY = "key"
"""A key that the list names by an address; kept, and never used here."""
SEGMENT = "segment"
"""A piece of sound, video or text."""

CLEAR = ""
KEYED = "key-named"
"""The parts are encrypted with keys that the list names by their addresses (HLS, AES)."""
DRM = "drm"
"""The parts are encrypted and the keys come from a licence service."""


class StreamError(ValueError):
    """Not such a list, or one that goes beyond what is read; the text says why."""


@dataclass(frozen=True)
class Part:
    """A file, or bytes ``first`` to ``last`` of it (both included; -1: the whole file).

    Attributes:
        number: in the order of the track; for HLS the media sequence number.
        seconds: how long it plays, 0 where the list does not say.
    """

    url: str
    role: str = SEGMENT
    number: int = 0
    first: int = -1
    last: int = -1
    seconds: float = 0.0

    @property
    def ranged(self) -> bool:
        """Whether it is only a range of a file."""
        return self.first >= 0


@dataclass(frozen=True)
class Track:
    """One quality, language or kind of a stream.

    Attributes:
        name: of the track among those of its stream.
        kind: ``video``, ``audio``, ``text`` or ``image``; empty where the list does not say.
        playlist: address of its own list, empty where the stream's list has its parts.
        chosen: whether it belongs to the best that the stream offers, which is to be kept whole.
        encryption: :data:`CLEAR`, :data:`KEYED` or :data:`DRM`.
        live: the list may grow: it ends at what there was when it was read.
        problem: why the parts, or some of them, are not known; empty where they are.
    """

    name: str
    kind: str = ""
    bandwidth: int = 0
    width: int = 0
    height: int = 0
    codecs: str = ""
    language: str = ""
    playlist: str = ""
    chosen: bool = False
    encryption: str = CLEAR
    live: bool = False
    parts: tuple[Part, ...] = ()
    problem: str = ""


def part_address(base: str, reference: str) -> str:
    """The absolute address that a list means (RFC 3986), without fragment.

    Raises:
        StreamError: no web address, or a longer one than is used anywhere.
    """
    try:
        url = urldefrag(urljoin(base, reference.strip())).url
    except ValueError as error:
        raise StreamError("an address in the list is malformed") from error
    if len(url) > MAX_URL:
        raise StreamError(f"an address in the list is longer than {MAX_URL} characters")
    if not url.startswith(("http://", "https://")):
        raise StreamError(f"the list names '{url[:80]}', which is not a web address")
    return url


def whole_number(text: str, what: str, *, most: int = 1 << 53) -> int:
    """A decimal number of a list (RFC 8216 section 4.2: up to 20 digits).

    Raises:
        StreamError: another text, or more than ``most``.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= 20) or int(text) > most:
        raise StreamError(f"{what} is not a number that can be: '{text[:40]}'")
    return int(text)
