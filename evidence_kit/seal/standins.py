"""Stand-ins: the secrets of a logged-in visit are exchanged before anything of it is written.

What a browser sends and receives is kept on disk until it is converted, unredacted, so that a
capture that is killed can be finished. For a visit that is logged in that would leave somebody's
session lying about. So each value of a credential field, and each known secret wherever it recurs,
is exchanged for a drawn value of the same length and kind: lengths, framing and the later redaction
stay what they would have been, and what is masked later is the stand-in.

A secret inside a compressed body is not seen here; the redaction, which unpacks, masks it later.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evidence_kit.seal.redact_fields import URL_FIELDS, in_header
from evidence_kit.seal.redact_looks import looks_random
from evidence_kit.seal.redact_mhtml import rewrite_mhtml
from evidence_kit.seal.redact_values import (
    MAX_SECRETS,
    base64_forms,
    escaped,
)

MAX_DRAWS = 200
"""Tries at a stand-in that is as random to look at as the secret; one in sixty fails."""

_UNIT = re.compile(
    rb"%(?:25)?[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|&#x?[0-9A-Fa-f]{1,6};|eyJ|.",
    re.DOTALL,
)
"""A character, or a way of writing one; ``eyJ`` begins a JSON Web Token and makes it known."""

_MESSAGE = re.compile(rb"(?:[A-Z]{3,10} [^\s]+ HTTP/1\.[01]|HTTP/1\.[01] \d{3}[^\r\n]*)\r\n")
_FIELD = re.compile(rb"([A-Za-z0-9!#$%&'*+.^_`|~-]{1,80})(:[ \t]*)([^\r\n]*)")
_BYTES = b'"bytes":"'
_HEADERS = b'"headers":['
_HEADER = re.compile(rb'"([A-Za-z0-9-]{1,80}: (?:[^"\\]|\\.)*)"', re.DOTALL)


@dataclass(frozen=True)
class _Swap:
    """One thing to look for; ``pattern`` also knows it in other ways of writing."""

    literal: bytes
    standin: bytes
    pattern: re.Pattern[bytes] | None = None

    def fill(self, found: re.Match[bytes]) -> bytes:
        """The stand-in in the way in which the secret was written here; no letter is escaped."""
        letters = iter([unit for unit in _UNIT.findall(self.standin) if unit.isalnum()])
        return b"".join(
            next(letters, unit) if unit.isalnum() else unit for unit in _UNIT.findall(found[0])
        )


class StandIns:
    """Secrets of one visit, each with its stand-in.

    Args:
        random: gives that many random bytes.
    """

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._made: dict[bytes, bytes] = {}
        self._swaps: list[_Swap] = []

    @property
    def made(self) -> Mapping[bytes, bytes]:
        """Secret → stand-in, so far: what is to be masked in its place."""
        return {key: value for key, value in self._made.items() if key != value}

    def restore(self, made: Mapping[bytes, bytes]) -> None:
        """Secrets and stand-ins of an earlier run (:attr:`made`)."""
        for secret, standin in made.items():
            self._made[secret] = self._made[standin] = standin

    def learn(self, secret: bytes) -> bytes:
        """Remember a secret; its stand-in, the same for the same secret."""
        known = self._made.get(secret)
        if known is not None:
            return known
        random = looks_random(secret)
        standin = self._draw(secret)
        for _ in range(MAX_DRAWS):
            if standin not in self._made and looks_random(standin) == random:
                break
            standin = self._draw(secret)
        self._made[secret] = standin
        self._made[standin] = standin  # what was exchanged already stays
        if random and len(self._made) <= 2 * MAX_SECRETS:
            self._search(secret, standin)
        return standin

    def anywhere(self, data: bytes) -> bytes:
        """Text or bytes of any kind with every known secret that looks drawn exchanged."""
        for swap in self._swaps:
            if swap.literal not in data:
                continue
            if swap.pattern is None:
                data = data.replace(swap.literal, swap.standin)
            else:
                data = swap.pattern.sub(swap.fill, data)
        return data

    def mhtml(self, data: bytes) -> bytes:
        """:meth:`anywhere` for an MHTML file, whose parts are coded."""
        return rewrite_mhtml(data, lambda part, _: self.anywhere(part))

    def message(self, data: bytes) -> bytes:
        """Bytes of a connection: credential fields where a message begins, secrets anywhere."""
        first = _MESSAGE.match(data)
        if first is None:
            return self.anywhere(data)
        end = data.find(b"\r\n\r\n", first.end() - 2)
        head = data[first.end() : end if end >= 0 else len(data)]
        masked = _FIELD.sub(self._field, head)
        return self.anywhere(data[: first.end()] + masked + data[first.end() + len(head) :])

    def line(self, line: bytes) -> bytes:
        """A line of the browser's network log."""
        start = line.find(_BYTES, 0, 200)
        if start >= 0:
            start += len(_BYTES)
            end = line.find(b'"', start)
            try:
                data = binascii.a2b_base64(line[start:end])
            except binascii.Error:
                return line  # the reader says so
            masked = self.message(data)
            if masked == data:
                return line
            return line[:start] + binascii.b2a_base64(masked, newline=False) + line[end:]
        place = line.find(_HEADERS)
        if place >= 0:
            line = line[:place] + _HEADER.sub(self._logged, line[place:])
        return self.anywhere(line)

    def _field(self, found: re.Match[bytes]) -> bytes:
        return found[1] + found[2] + self._value(found[1].lower(), found[3])

    def _logged(self, found: re.Match[bytes]) -> bytes:
        """A header line in the log, which is a JSON string."""
        try:
            text: str = json.loads(found[0])
        except ValueError:
            return found[0]
        name, _, value = text.partition(": ")
        raw = value.encode("utf-8", "surrogatepass")
        masked = self._value(name.lower().encode(), raw)
        if masked == raw:
            return found[0]
        line = f"{name}: {masked.decode('utf-8', 'surrogatepass')}"
        return json.dumps(line, ensure_ascii=False).encode("utf-8", "surrogatepass")

    def _value(self, name: bytes, value: bytes) -> bytes:
        if name in URL_FIELDS:
            return value
        for named in sorted(in_header(name, value), key=lambda item: item.start):
            standin = self.learn(named.value)
            value = value[: named.start] + standin + value[named.end :]
        return value

    def _search(self, secret: bytes, standin: bytes) -> None:
        core = max(re.findall(rb"[A-Za-z0-9_\-.~]+", secret), key=len)
        pattern = None
        if core != secret:
            pattern = re.compile(b"".join(escaped(byte) for byte in secret))
        self._swaps.append(_Swap(core, standin, pattern))
        coded = zip(base64_forms(secret), base64_forms(standin), strict=True)
        self._swaps += [_Swap(literal, other) for literal, other in coded]

    def _draw(self, secret: bytes) -> bytes:
        """Letters for letters, digits for digits; everything else stays."""
        drawn = iter(self._random(len(secret)))
        return b"".join(
            unit if len(unit) > 1 else _other(unit[0], next(drawn))
            for unit in _UNIT.findall(secret)
        )


def _other(byte: int, drawn: int) -> bytes:
    for first, count in ((b"0", 10), (b"a", 26), (b"A", 26)):
        if first[0] <= byte < first[0] + count:
            return bytes([first[0] + drawn % count])
    return bytes([byte])
