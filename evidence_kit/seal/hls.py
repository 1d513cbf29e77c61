"""HLS playlists (RFC 8216 and its successor draft): which lists and which parts they name.

Strict where it matters for completeness: a line that would change which bytes are meant is
understood or refused, never skipped. Tags that say nothing about that are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from evidence_kit.seal.stream_parts import (
    CLEAR,
    DRM,
    INIT,
    KEY,
    KEYED,
    MAX_MANIFEST,
    MAX_PARTS,
    MAX_TRACKS,
    SEGMENT,
    Part,
    StreamError,
    Track,
    part_address,
    whole_number,
)

START = b"#EXTM3U"

_ATTRIBUTE = re.compile(r'([A-Z0-9-]{1,100})=("[^"]*"|[^",\s]*)(?:,\s*|\Z)')
_DURATION = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,12})?")
_RESOLUTION = re.compile(r"([0-9]{1,6})x([0-9]{1,6})")
_KINDS = {"AUDIO": "audio", "VIDEO": "video", "SUBTITLES": "text", "CLOSED-CAPTIONS": "text"}
_GROUPS = ("AUDIO", "VIDEO", "SUBTITLES")


@dataclass(frozen=True)
class MediaList:
    """A playlist of parts.

    Attributes:
        live: no end is stated, so that parts may come and go.
        problem: what was left out, empty where nothing.
    """

    parts: tuple[Part, ...]
    encryption: str
    live: bool
    problem: str = ""


def is_master(data: bytes) -> bool:
    """Whether a playlist names other lists (section 4.3.4) instead of parts."""
    return b"#EXT-X-STREAM-INF" in data


def read_master(data: bytes, url: str) -> tuple[Track, ...]:
    """The tracks of a master playlist; what the best one needs is chosen.

    Chosen are the variant of the largest bandwidth and, of each group that it refers to, the
    rendition that plays by default (section 4.3.4.1), else the first.

    Args:
        data: the playlist as served, without content coding.
        url: where it came from, after redirects.

    Raises:
        StreamError: not such a playlist.
    """
    variants: list[Track] = []
    renditions: list[tuple[dict[str, str], Track]] = []
    groups: list[dict[str, str]] = []
    pending: dict[str, str] | None = None
    for line in _lines(data):
        if line.startswith("#EXT-X-STREAM-INF:"):
            pending = _attributes(line)
        elif line.startswith("#EXT-X-MEDIA:"):
            given = _attributes(line)
            if given.get("URI"):
                renditions.append((given, _rendition(given, url)))
        elif not line.startswith("#"):
            if pending is None:
                raise StreamError("a list of lists names a part as well")
            groups.append(pending)
            variants.append(_variant(pending, part_address(url, line), len(variants)))
            pending = None
        if len(variants) + len(renditions) > MAX_TRACKS:
            raise StreamError(f"more than {MAX_TRACKS} tracks")
    if not variants:
        raise StreamError("a list of lists that names none")
    best = max(range(len(variants)), key=lambda i: (variants[i].bandwidth, -i))
    variants[best] = replace(variants[best], chosen=True)
    wanted = {id(track) for track in _defaults(groups[best], renditions)}
    tracks = [*variants, *(replace(t, chosen=id(t) in wanted) for _, t in renditions)]
    return tuple(_without_doubles(tracks))


def read_media(data: bytes, url: str) -> MediaList:
    """The parts of a media playlist, keys and initialisation sections where they come in.

    Raises:
        StreamError: not such a playlist.
    """
    state = _Media(url)
    for line in _lines(data):
        if len(state.parts) >= MAX_PARTS:
            state.problem = f"only the first {MAX_PARTS} parts are taken in"
            break
        if line.startswith("#"):
            state.tag(line)
        else:
            state.segment(line)
    return MediaList(tuple(state.parts), state.encryption, not state.ended, state.problem)


@dataclass
class _Media:
    """What the lines so far say about the next part."""

    url: str
    parts: list[Part] = field(default_factory=list)
    encryption: str = CLEAR
    ended: bool = False
    problem: str = ""
    number: int = 0
    seconds: float = 0.0
    span: tuple[int, int | None] | None = None
    gap: bool = False
    last: tuple[str, int] = ("", 0)
    initial: Part | None = None
    keys: set[str] = field(default_factory=set)
    begun: bool = False

    def tag(self, line: str) -> None:
        name, _, value = line.partition(":")
        if name == "#EXTINF":
            found = _DURATION.match(value)
            if found is None:
                raise StreamError("a part has no duration")
            self.seconds = float(found[0])
        elif name == "#EXT-X-BYTERANGE":
            self.span = _span(value.strip())
        elif name == "#EXT-X-MEDIA-SEQUENCE":
            if self.begun:
                raise StreamError("the first number stands behind the first part")
            self.number = whole_number(value.strip(), "the first number")
        elif name == "#EXT-X-MAP":
            self._initial(_attributes(line))
        elif name == "#EXT-X-KEY":
            self._key(_attributes(line))
        elif name == "#EXT-X-GAP":
            self.gap = True
        elif name == "#EXT-X-ENDLIST":
            self.ended = True
        elif name == "#EXT-X-SKIP":
            raise StreamError("the list leaves out what an earlier one named (EXT-X-SKIP)")
        elif name == "#EXT-X-DEFINE":
            raise StreamError(
                "addresses are made with variables (EXT-X-DEFINE), which are not read"
            )
        elif name == "#EXT-X-STREAM-INF":
            raise StreamError("a list of parts names further lists")

    def segment(self, line: str) -> None:
        url = part_address(self.url, line)
        first, last = self._placed(url)
        if self.gap:  # section 4.4.4.7 of the draft: there is nothing to be had
            self.problem = "the list says of a part or more that they are missing (EXT-X-GAP)"
        else:
            self.begun = True
            self.parts.append(Part(url, SEGMENT, self.number, first, last, self.seconds))
        self.number, self.seconds, self.span, self.gap = self.number + 1, 0.0, None, False

    def _placed(self, url: str) -> tuple[int, int]:
        """Section 4.3.2.2: without an offset a range follows the one before, of the same file."""
        if self.span is None:
            return -1, -1
        length, offset = self.span
        if offset is None:
            if self.last[0] != url:
                raise StreamError("a range of bytes has no beginning")
            offset = self.last[1]
        self.last = (url, offset + length)
        return offset, offset + length - 1

    def _initial(self, given: dict[str, str]) -> None:
        url = part_address(self.url, _required(given, "URI"))
        first = last = -1
        if "BYTERANGE" in given:
            length, offset = _span(given["BYTERANGE"])
            first = offset or 0
            last = first + length - 1
        part = Part(url, INIT, self.number, first, last)
        if self.initial is None or replace(part, number=self.initial.number) != self.initial:
            self.parts.append(part)
            self.initial = part

    def _key(self, given: dict[str, str]) -> None:
        method = _required(given, "METHOD")
        if method == "NONE":
            return
        plain = given.get("KEYFORMAT", "identity") == "identity"
        if not plain or not given.get("URI"):
            self.encryption = DRM
            return
        if self.encryption != DRM:
            self.encryption = KEYED
        part = Part(part_address(self.url, given["URI"]), KEY, self.number)
        if part.url not in self.keys:
            self.keys.add(part.url)
            self.parts.append(part)


def _lines(data: bytes) -> Iterator[str]:
    """Lines that mean something; section 4.1: UTF-8, and the first line says what it is."""
    if len(data) > MAX_MANIFEST:
        raise StreamError(f"larger than {MAX_MANIFEST} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise StreamError("not UTF-8") from error
    lines = text.split("\n")
    if lines[0].rstrip() != START.decode("ascii"):
        raise StreamError("does not begin as a playlist does")
    for raw in lines[1:]:
        line = raw.strip()
        if line and (not line.startswith("#") or line.startswith("#EXT")):
            yield line


def _attributes(line: str) -> dict[str, str]:
    """Section 4.2: names once each, quoted or bare values."""
    text = line.partition(":")[2].strip()
    found: dict[str, str] = {}
    place = 0
    while place < len(text):
        pair = _ATTRIBUTE.match(text, place)
        if pair is None or pair[1] in found:
            raise StreamError(f"the attributes of {line.partition(':')[0][:40]} are malformed")
        found[pair[1]] = pair[2].strip('"')
        place = pair.end()
    return found


def _required(given: dict[str, str], name: str) -> str:
    value = given.get(name, "")
    if not value:
        raise StreamError(f"the attribute {name} is missing")
    return value


def _span(text: str) -> tuple[int, int | None]:
    """``length[@offset]``."""
    length, at, offset = text.partition("@")
    size = whole_number(length, "the length of a range")
    if not size:
        raise StreamError("a range of no bytes")
    return size, whole_number(offset, "the beginning of a range") if at else None


def _variant(given: dict[str, str], playlist: str, place: int) -> Track:
    size = _RESOLUTION.fullmatch(given.get("RESOLUTION", ""))
    codecs = given.get("CODECS", "")
    return Track(
        name=f"variant-{place + 1}",
        kind="audio" if codecs.startswith(("mp4a", "ac-3", "ec-3", "opus")) else "video",
        bandwidth=whole_number(given.get("BANDWIDTH") or "0", "the bandwidth"),
        width=int(size[1]) if size else 0,
        height=int(size[2]) if size else 0,
        codecs=codecs[:200],
        playlist=playlist,
    )


def _rendition(given: dict[str, str], url: str) -> Track:
    kind = given.get("TYPE", "")
    name = f"{kind.lower()}-{given.get('GROUP-ID', '')}-{given.get('NAME', '')}"
    return Track(
        name=name[:200],
        kind=_KINDS.get(kind, ""),
        language=given.get("LANGUAGE", "")[:40],
        playlist=part_address(url, given["URI"]),
    )


def _defaults(
    variant: dict[str, str], renditions: list[tuple[dict[str, str], Track]]
) -> Iterator[Track]:
    for kind in _GROUPS:
        group = [
            (given, track)
            for given, track in renditions
            if given.get("TYPE") == kind and given.get("GROUP-ID") == variant.get(kind)
        ]
        if group:
            chosen = [track for given, track in group if given.get("DEFAULT") == "YES"]
            yield (chosen or [track for _, track in group])[0]


def _without_doubles(tracks: list[Track]) -> Iterator[Track]:
    """One track for each list of parts: variants that differ in sound only share their video."""
    chosen = {track.playlist for track in tracks if track.chosen}
    seen: set[str] = set()
    for track in tracks:
        if track.playlist not in seen:
            seen.add(track.playlist)
            yield replace(track, chosen=track.playlist in chosen)
