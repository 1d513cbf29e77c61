"""DASH lists (MPD, ISO/IEC 23009-1): which tracks they offer and which parts those have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from math import ceil

from evidence_kit.seal.dash_xml import Node, read_tree
from evidence_kit.seal.stream_parts import (
    CLEAR,
    DRM,
    INIT,
    MAX_ALL_PARTS,
    MAX_PARTS,
    MAX_TRACKS,
    Part,
    StreamError,
    Track,
    part_address,
    whole_number,
)

MAX_STEPS = 400_000
"""Entries of timelines, counted for each track that they hold for; ten qualities of two hours, each
part of two seconds in an entry of its own, have 36,000."""

_DURATION = re.compile(
    r"P(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,10}(?:\.\d{1,9})?)S)?)?"
)
_FIELD = re.compile(r"\$(RepresentationID|Number|Bandwidth|Time|)(?:%0(\d{1,2})d)?\$")
_RANGE = re.compile(r"(\d{1,18})-(\d{1,18})")
_TEMPLATE = ("SegmentTemplate", "SegmentList", "SegmentBase")


@dataclass
class _Steps:
    """How many entries of timelines may still be read: many tracks can share one that is long."""

    left: int

    def take(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise StreamError(f"the timelines have more than {MAX_STEPS} entries for all tracks")


@dataclass(frozen=True)
class _Place:
    """A representation with everything that holds for it."""

    base: str
    period: Node
    adaptation: Node
    representation: Node
    seconds: float | None
    dynamic: bool
    steps: _Steps

    @property
    def levels(self) -> tuple[Node, ...]:
        return (self.period, self.adaptation, self.representation)

    def attribute(self, name: str) -> str:
        return self.representation.given.get(name) or self.adaptation.given.get(name, "")


def looks_like_mpd(data: bytes) -> bool:
    """Whether bytes begin as an MPD does."""
    beginning = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    return beginning.startswith(b"<") and (b"<MPD" in beginning or b":MPD" in beginning)


def read_mpd(data: bytes, url: str, room: int = MAX_ALL_PARTS) -> tuple[Track, ...]:
    """The tracks of all periods; in each, that of the largest bandwidth of each kind is chosen.

    What a period lasts for and the list names no tracks of is a track without parts that says so.

    Args:
        data: the list as served, without content coding.
        url: where it came from, after redirects.
        room: parts of all its tracks together that are taken in.

    Raises:
        StreamError: not such a list.
    """
    root = read_tree(data)
    if root.name != "MPD":
        raise StreamError("the XML is not an MPD")
    dynamic = root.given.get("type", "static") == "dynamic"
    total = _seconds(root.given.get("mediaPresentationDuration", ""))
    base = _based(url, root)
    tracks: list[Track] = []
    steps = _Steps(MAX_STEPS)
    named = 0
    for number, (period, seconds) in enumerate(_periods(root, total)):
        if "href" in period.given:
            raise StreamError("a period stands in another file (xlink), which is not read")
        found = []
        for place in _places(period, _based(base, period), seconds, dynamic, steps):
            found.append(_track(place, number, min(room, MAX_PARTS)))
            room -= len(found[-1].parts)
            if len(tracks) + len(found) > MAX_TRACKS:
                raise StreamError(f"more than {MAX_TRACKS} tracks")
        named += len(found)
        if seconds != 0:
            found += islice(_unnamed(period, number, live=dynamic), MAX_TRACKS)
        tracks += _with_best(found)
        if len(tracks) > MAX_TRACKS:
            raise StreamError(f"more than {MAX_TRACKS} tracks")
    if not named:
        raise StreamError("a list without tracks")
    return tuple(tracks)


def _seconds(text: str) -> float | None:
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        return None
    days, hours, minutes, seconds = (float(item or 0) for item in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _based(base: str, node: Node) -> str:
    """5.6: the first of several BaseURL elements; the others are copies elsewhere."""
    found = node.one("BaseURL")
    return part_address(base, found.text) if found is not None and found.text.strip() else base


def _periods(root: Node, total: float | None) -> Iterator[tuple[Node, float | None]]:
    """Each period with its length: stated, up to the next one's start, or to the end (5.3.2.1)."""
    periods = root.all("Period")
    if not periods:
        raise StreamError("a list without periods")
    starts: list[float | None] = []
    at: float | None = 0.0
    for period in periods:
        given = _seconds(period.given.get("start", ""))
        at = given if given is not None else at
        starts.append(at)
        length = _seconds(period.given.get("duration", ""))
        at = at + length if at is not None and length is not None else None
    ends = [*starts[1:], total]
    for period, begin, end in zip(periods, starts, ends, strict=True):
        length = _seconds(period.given.get("duration", ""))
        if length is None and begin is not None and end is not None and end >= begin:
            length = end - begin
        yield period, length


def _places(
    period: Node, base: str, seconds: float | None, dynamic: bool, steps: _Steps
) -> Iterator[_Place]:
    for adaptation in period.all("AdaptationSet"):
        if "href" in adaptation.given:
            raise StreamError("a set of tracks stands in another file (xlink), which is not read")
        below = _based(base, adaptation)
        for representation in adaptation.all("Representation"):
            own = _based(below, representation)
            yield _Place(own, period, adaptation, representation, seconds, dynamic, steps)


def _unnamed(period: Node, number: int, *, live: bool) -> Iterator[Track]:
    """What should be there and is not named: 5.3.2.2 and 5.3.3.2 want one of each at least."""
    name = f"period-{number + 1}-"
    sets = period.all("AdaptationSet")
    for one in sets:
        if not one.all("Representation"):
            kind = _kind(one, one.given.get("mimeType", ""))
            yield Track(name, kind, live=live, problem="the list names no quality of it")
    if not sets:
        yield Track(name, live=live, problem="the list names no tracks of this period")


def _kind(adaptation: Node, mime: str) -> str:
    kind = adaptation.given.get("contentType") or mime.partition("/")[0]
    return "text" if kind == "application" else kind[:40]


def _track(place: _Place, number: int, room: int) -> Track:
    given = place.representation.given
    protected = any(level.one("ContentProtection") is not None for level in place.levels)
    problem = ""
    parts: list[Part] = []
    try:
        for part in islice(_parts(place), room + 1):
            if len(parts) == room:
                problem = f"only the first {room} parts are taken in"
                break
            parts.append(part)
    except StreamError as error:
        problem = str(error)
    return Track(
        name=f"period-{number + 1}-{given.get('id', '')}"[:200],
        kind=_kind(place.adaptation, place.attribute("mimeType")),
        bandwidth=whole_number(given.get("bandwidth") or "0", "the bandwidth"),
        width=whole_number(place.attribute("width") or "0", "the width"),
        height=whole_number(place.attribute("height") or "0", "the height"),
        codecs=place.attribute("codecs")[:200],
        language=place.adaptation.given.get("lang", "")[:40],
        encryption=DRM if protected else CLEAR,
        live=place.dynamic,
        parts=tuple(parts),
        problem=problem,
    )


def _with_best(tracks: list[Track]) -> Iterator[Track]:
    best: dict[str, Track] = {}
    for track in tracks:
        if track.kind not in best or track.bandwidth > best[track.kind].bandwidth:
            best[track.kind] = track
    wanted = {id(track) for kind, track in best.items() if kind != "image"}
    yield from (replace(track, chosen=id(track) in wanted) for track in tracks)


def _parts(place: _Place) -> Iterator[Part]:
    """5.3.9: the kind that stands lowest holds, and takes what it lacks from those above."""
    for name in _TEMPLATE:
        found = [item for level in place.levels if (item := level.one(name)) is not None]
        if found:
            merged = Node(name, {k: v for item in found for k, v in item.given.items()})
            for child in ("SegmentTimeline", "Initialization", "SegmentURL"):
                nodes = [item.all(child) for item in found if item.all(child)]
                merged.below += nodes[-1] if nodes else []
            if name == "SegmentTemplate":
                yield from _of_template(place, merged)
            elif name == "SegmentList":
                yield from _of_list(place, merged)
            else:
                break  # one file: its index and beginning lie in it
            return
    yield Part(place.base, seconds=place.seconds or 0.0)


def _of_list(place: _Place, node: Node) -> Iterator[Part]:
    initial = node.one("Initialization")
    if initial is not None:
        url = part_address(place.base, initial.given.get("sourceURL", ""))
        yield Part(url, INIT, 0, *_range(initial.given.get("range", "")))
    scale = _positive(node.given.get("timescale") or "1", "the time scale")
    length = whole_number(node.given.get("duration") or "0", "the duration") / scale
    for number, item in enumerate(node.all("SegmentURL")):
        url = part_address(place.base, item.given.get("media", ""))
        span = _range(item.given.get("mediaRange", ""))
        yield Part(url, number=number, first=span[0], last=span[1], seconds=length)


def _range(text: str) -> tuple[int, int]:
    if not text:
        return -1, -1
    found = _RANGE.fullmatch(text)
    if found is None or int(found[1]) > int(found[2]):
        raise StreamError(f"'{text[:40]}' is no range of bytes")
    return int(found[1]), int(found[2])


def _of_template(place: _Place, node: Node) -> Iterator[Part]:
    given = node.given
    initial = given.get("initialization", "")
    element = node.one("Initialization")
    if initial:
        yield Part(part_address(place.base, _filled(initial, place)), INIT)
    elif element is not None:
        url = part_address(place.base, element.given.get("sourceURL", ""))
        yield Part(url, INIT, 0, *_range(element.given.get("range", "")))
    media = given.get("media", "")
    if not media:
        yield Part(place.base, seconds=place.seconds or 0.0)
        return
    first = whole_number(given.get("startNumber") or "1", "the first number")
    for step, (start, seconds) in enumerate(_moments(place, node)):
        number = first + step
        url = part_address(place.base, _filled(media, place, number=number, time=start))
        yield Part(url, number=number, seconds=seconds)


def _moments(place: _Place, node: Node) -> Iterator[tuple[int, float]]:
    """Start, in units of the time scale, and length in seconds of each part; one more than read."""
    scale = _positive(node.given.get("timescale") or "1", "the time scale")
    timeline = node.one("SegmentTimeline")
    if timeline is not None:
        # The period begins at this point of the timeline (table 16); "to the end" counts from it.
        begin = whole_number(node.given.get("presentationTimeOffset") or "0", "the beginning")
        end = begin + place.seconds * scale if place.seconds is not None else None
        yield from _of_timeline(timeline, scale, end, place.steps)
        return
    length = _positive(node.given.get("duration") or "0", "the duration of a part")
    first = whole_number(node.given.get("startNumber") or "1", "the first number")
    last = node.given.get("endNumber")
    if last:
        count = whole_number(last, "the last number") - first + 1
    elif place.dynamic or place.seconds is None:
        raise StreamError("a live list that does not say which parts there are")
    else:
        count = ceil(round(place.seconds * scale / length, 6))
    for step in range(min(max(count, 0), MAX_PARTS + 1)):
        yield step * length, length / scale


def _of_timeline(
    timeline: Node, scale: int, end: float | None, steps: _Steps
) -> Iterator[tuple[int, float]]:
    """5.3.9.6: ``t`` start, ``d`` length, ``r`` repetitions; -1 goes on to the next or the end."""
    at = made = 0
    entries = timeline.all("S")
    for entry, following in pairwise([*entries, None]):
        if entry is None:
            break
        steps.take()
        at = whole_number(entry.given["t"], "a start") if "t" in entry.given else at
        length = _positive(entry.given.get("d", ""), "a length")
        again = entry.given.get("r", "0")
        if again.startswith("-"):
            until: float | None = None
            if following is not None and "t" in following.given:
                until = whole_number(following.given["t"], "a start")
            elif end is not None:
                until = end
            if until is None:
                raise StreamError("a live list that does not say which parts there are")
            count = max(ceil(round((until - at) / length, 6)), 0)
        else:
            count = whole_number(again, "a repetition") + 1
        for _ in range(min(count, MAX_PARTS + 1 - made)):
            yield at, length / scale
            at += length
            made += 1
        if made > MAX_PARTS:
            return


def _positive(text: str, what: str) -> int:
    number = whole_number(text, what)
    if not number:
        raise StreamError(f"{what} is nought")
    return number


def _filled(template: str, place: _Place, *, number: int | None = None, time: int = 0) -> str:
    """5.3.9.4.4: identifiers between dollar signs, with a width where one is stated."""

    def value(found: re.Match[str]) -> str:
        name, width = found[1], int(found[2] or 1)
        if name == "":
            return "$"
        if name == "RepresentationID":
            return place.representation.given.get("id", "")
        if name == "Bandwidth":
            number_of = place.representation.given.get("bandwidth", "0")
            return whole_number(number_of, "the bandwidth").__format__(f"0{width}d")
        if number is None:
            raise StreamError("the beginning of a track is named by a number")
        return (number if name == "Number" else time).__format__(f"0{width}d")

    filled = _FIELD.sub(value, template)
    if "$" in _FIELD.sub("", template):
        raise StreamError("an address is made in a way that is not known")
    return filled
