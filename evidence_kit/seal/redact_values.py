"""Secret values: which are searched for, and how they are found again in whatever coding.

Only values that look random are; see :func:`~evidence_kit.seal.redact_looks.looks_random`.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import unquote_to_bytes

from evidence_kit.seal.redact_ends import Beginnings
from evidence_kit.seal.redact_looks import MAX_LENGTH, MIN_LENGTH, looks_random
from evidence_kit.seal.redact_named import REACH, Naming, naming

MIN_PRIVATE = 6
"""Characters of a value of the operator's own, the shortest addresses of mail."""

MAX_SECRETS = 2000
"""Values kept for searching; a page that sets more does so on purpose."""

MAX_ADDRESSES = 500
"""Values that look like words and are searched for within their own address only."""

_ESCAPES = {
    ord("/"): rb"(?:/|\\/|%(?:25)?2[Ff]|\\u002[Ff]|&#(?:47|x2[Ff]);)",
    ord("+"): rb"(?:\+|%(?:25)?2[Bb]|\\u002[Bb]|&#(?:43|x2[Bb]);| )",
}


@dataclass(frozen=True)
class Span:
    """A secret found: bytes ``start`` to ``end``, and in which coding.

    Attributes:
        since: where that begins by which it was found, an address around it for instance; never
            behind ``start``.
    """

    start: int
    end: int
    number: int
    coding: str
    since: int


@dataclass(frozen=True)
class _Needle:
    """A literal that finds a secret; ``pattern`` confirms and extends the find where needed.

    ``skip`` bytes at its beginning are no secret: the address that the value stands in. With
    ``naming`` it is one only where its cookie is named.
    """

    literal: bytes
    number: int
    coding: str
    form: bytes = b""
    pattern: re.Pattern[bytes] | None = None
    reach: int = 0
    skip: int = 0
    naming: Naming | None = None


@dataclass
class Secrets:
    """The secrets of one capture, numbered in the order in which they were learnt."""

    numbers: dict[bytes, int] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    reach: int = 0
    _needles: list[_Needle] = field(default_factory=list)
    _plain: list[tuple[bytes, int]] = field(default_factory=list)
    _beginnings: Beginnings = field(default_factory=Beginnings)

    def learn(self, name: str, value: bytes) -> int:
        """Remember a value; its number, the same for the same value."""
        known = self.numbers.get(value)
        if known is not None:
            return known
        number = self.numbers[value] = len(self.names) + 1
        self.names[number] = name
        if len(self.names) <= MAX_SECRETS and len(value) >= MIN_LENGTH:
            if looks_random(value):
                self._searchable(number, value)
            elif len(value) <= MAX_LENGTH:
                self._plain.append((value, number))
        return number

    def learn_private(self, name: str, value: bytes) -> None:
        """Remember a value of the operator's own and find it everywhere, whatever it looks like.

        Never for a value that a page could have chosen.
        """
        number = self.learn(name, value)
        if MIN_PRIVATE <= len(value) <= MAX_LENGTH and not looks_random(value):
            self._plain = [pair for pair in self._plain if pair[1] != number]
            self._searchable(number, value, judge=False)

    def learn_standin(self, secret: bytes, standin: bytes) -> None:
        """Remember what was written in the place of a known value; both have its number."""
        number = self.numbers.get(secret)
        if number is None or standin in self.numbers:
            return
        self.numbers[standin] = number
        if looks_random(standin):
            self._searchable(number, standin)

    def learn_cookie(self, name: bytes, value: bytes) -> None:
        """Find a known value that looks like no secret where the name of its cookie tells of it.

        What stands for it, or it for what is known already, is found in the same way.
        """
        number = self.numbers.get(value)
        if number is None or len(self.names) > MAX_SECRETS:
            return
        for same in [one for one, other in self.numbers.items() if other == number]:
            known = naming(name, same)
            if known is not None:
                self._add(_Needle(same, number, "named", reach=REACH, naming=known))

    def learn_in_url(self, url: bytes, start: int, value: bytes) -> None:
        """Find a value of ``url`` in that very address, even where it looks like words.

        The program itself notes the address at many places, and a page can only make disappear
        what stands in an address that was really asked for.

        Args:
            url: with the value in it.
            start: where the value begins.
            value: known already (:meth:`learn`).
        """
        number = self.numbers.get(value)
        end = start + len(value)
        if number is None or looks_random(value) or end > MAX_LENGTH:
            return
        if sum(needle.skip > 0 for needle in self._needles) >= MAX_ADDRESSES:
            return
        lead = url[:start]
        for form in dict.fromkeys((lead, lead.replace(b"&", b"&amp;"))):
            if self._add(_Needle(form + value, number, "in address", skip=len(form))):
                self._beginnings.add_address(number, form + value, len(form))

    def publish(self, data: bytes) -> None:
        """Stop looking for the values that occur in ``data``: they are no secrets."""
        public = {span.number for span in self.find(data)}
        self._needles = [needle for needle in self._needles if needle.number not in public]
        self._beginnings.forget(public)
        self._plain += [pair for pair in self.numbers.items() if pair[1] in public]

    def find(self, data: bytes, *, cut: bool = False) -> list[Span]:
        """Every recurrence, without overlaps, in order.

        Args:
            data: to be searched.
            cut: it may end too early: also the beginning of a value, at its very end.
        """
        found: list[Span] = []
        beginning = self._beginnings.find(data) if cut else None
        if beginning is not None:
            place, number, coding = beginning
            found.append(Span(place, len(data), number, f"{coding} cut off".strip(), place))
        for needle in self._needles:
            place = data.find(needle.literal)
            while place >= 0:
                span = _confirm(needle, data, place)
                if span is not None:
                    found.append(span)
                place = data.find(needle.literal, max(span.end if span else 0, place + 1))
        return _merge(found)

    def find_ordinary(self, data: bytes, found: Sequence[Span]) -> set[int]:
        """Numbers of the values that recur but are left standing, because they are no secrets.

        Args:
            data: that was searched.
            found: what was found in it.
        """
        masked = Counter(span.number for span in found)
        return {n for value, n in self._plain if value in data and data.count(value) > masked[n]}

    def _searchable(self, number: int, value: bytes, *, judge: bool = True) -> None:
        for form in dict.fromkeys((value, unquote_to_bytes(value))):
            core = max(re.findall(rb"[A-Za-z0-9_\-.~]+", form), key=len)
            units = () if core == form else tuple(map(_unit, form))
            pattern = re.compile(b"".join(unit.pattern for unit in units)) if units else None
            if self._add(_Needle(core, number, "", form, pattern, 6 * len(form) if units else 0)):
                self._beginnings.add(number, form, units, judge=judge)
            for literal in base64_forms(form):
                if self._add(_Needle(literal, number, "base64")):
                    self._beginnings.add_base64(number, form, literal, judge=judge)

    def _add(self, needle: _Needle) -> bool:
        """Whether it is a new one."""
        if any(
            other.literal == needle.literal
            and other.number == needle.number
            and other.naming == needle.naming
            for other in self._needles
        ):
            return False
        self._needles.append(needle)
        self.reach = max(self.reach, len(needle.literal) + 2 * needle.reach)
        return True


@cache
def _unit(byte: int) -> re.Pattern[bytes]:
    return re.compile(escaped(byte))


def _confirm(needle: _Needle, data: bytes, place: int) -> Span | None:
    end = place + len(needle.literal)
    if needle.naming is not None:
        since = needle.naming.since(data, place, end)
        return Span(place, end, needle.number, needle.coding, since) if since is not None else None
    if needle.pattern is None:
        return Span(place + needle.skip, end, needle.number, needle.coding, place)
    for match in needle.pattern.finditer(
        data, max(0, place - needle.reach), min(len(data), end + needle.reach)
    ):
        if match.start() <= place and match.end() >= end:
            coding = "" if match[0] == needle.form else "escaped"
            return Span(match.start(), match.end(), needle.number, coding, match.start())
    return None


def escaped(byte: int) -> bytes:
    """A pattern for one byte as it stands, percent-coded (once or twice), in JSON or in HTML."""
    if byte in _ESCAPES:
        return _ESCAPES[byte]
    if chr(byte).isalnum():
        return bytes([byte])
    digits = b"".join(
        b"[%c%c]" % (char, ord(chr(char).upper())) if chr(char).isalpha() else b"%c" % char
        for char in b"%02x" % byte
    )
    return b"(?:%s|%%(?:25)?%s|\\\\u00%s|\\\\x%s|&#(?:%d|x%s);)" % (
        re.escape(bytes([byte])),
        digits,
        digits,
        digits,
        byte,
        digits,
    )


def base64_forms(value: bytes) -> Iterator[bytes]:
    """What the value looks like inside base64, at each of the three alignments, both alphabets.

    Characters that also hold bits of the neighbours are left out of the search.
    """
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + value)
        first = (shift * 8 + 5) // 6
        whole = (shift + len(value)) * 8 // 6
        literal = coded[first:whole]
        yield literal
        yield literal.translate(bytes.maketrans(b"+/", b"-_"))


def _merge(spans: list[Span]) -> list[Span]:
    """Longest first where spans overlap; the rest of an overlapped one is masked along."""
    out: list[Span] = []
    for span in sorted(spans, key=lambda item: (item.start, -item.end)):
        if out and span.start < out[-1].end:
            if span.end > out[-1].end:
                last = out.pop()
                since = min(last.since, span.since)
                out.append(Span(last.start, span.end, last.number, last.coding, since))
            continue
        out.append(span)
    return out


def marker(number: int, length: int | None = None) -> bytes:
    """``REDACTED#n``; with ``length`` filled up with ``-``, so that nothing around it moves."""
    text = b"REDACTED#%d" % number
    return text if length is None else text.ljust(length, b"-")[:length]
