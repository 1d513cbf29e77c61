"""Secrets of which only the beginning is there: bytes that were cut off end within one.

The beginning must itself look drawn (:func:`~evidence_kit.seal.redact_looks.begins_random`): a page
could otherwise set a cookie that begins with the last words of a text, and have that text cut off.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from evidence_kit.seal.redact_looks import MIN_BEGINNING, begins_random

_ESCAPED = 6
"""Characters that stand for one byte at most, as in ``\\\\u002f`` or ``&#x2F;``."""

_HALF = re.compile(
    rb"%(?:2?5?[0-9A-Fa-f]?)|\\(?:u[0-9A-Fa-f]{0,3}|x[0-9A-Fa-f]?)?|&(?:#x?[0-9A-Fa-f]{0,3})?"
)
"""The beginning of such a character, which is cut off itself."""

_BASE64_BEGINNING = -(-MIN_BEGINNING * 8 // 6)
"""Characters of base64 in which that many bytes lie."""


@dataclass(frozen=True)
class _Beginning:
    """One way in which a secret may stand there.

    Attributes:
        number: of the secret.
        coding: as for a whole one.
        secret: its bytes, by which the beginning is judged; empty where it needs no judgement.
        literal: as it would stand there whole.
        first: what it begins with, long enough to count.
        head: the same where bytes of it can be escaped, with ``units``, one for each byte.
        skip: bytes of ``literal`` that are no secret: the address that the value stands in.
    """

    number: int
    coding: str
    secret: bytes
    literal: bytes
    first: bytes
    head: re.Pattern[bytes] | None = None
    units: Sequence[re.Pattern[bytes]] = ()
    skip: int = 0

    def at_end(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Where it may begin, and how many bytes or characters of it are there."""
        if self.head is not None:
            for found in self.head.finditer(
                data, max(0, len(data) - _ESCAPED * (len(self.units) + 1))
            ):
                count = _units_to_end(self.units, data, found.start())
                if count:
                    yield found.start(), count
            return
        place = data.find(self.first, max(0, len(data) - len(self.literal) + 1))
        while place >= 0:
            if self.literal.startswith(data[place:]):
                yield place + self.skip, len(data) - place - self.skip
            place = data.find(self.first, place + 1)

    def looks_drawn(self, count: int) -> bool:
        """Whether what is there of it is no words."""
        known = count * 6 // 8 if self.coding == "base64" else count
        return not self.secret or begins_random(self.secret[:known])


class Beginnings:
    """The beginnings of the secrets that are searched for."""

    def __init__(self) -> None:
        self._known: list[_Beginning] = []

    def add(
        self, number: int, form: bytes, units: Sequence[re.Pattern[bytes]], *, judge: bool = True
    ) -> None:
        """A secret as it stands, or with escapes.

        Args:
            number: of the secret.
            form: its bytes.
            units: a pattern for each of them where one of them may be escaped, else empty.
            judge: False for what no page can have chosen.
        """
        first = form[:MIN_BEGINNING]
        head = None
        if units:
            head = re.compile(b"".join(unit.pattern for unit in units[:MIN_BEGINNING]))
        secret = form if judge else b""
        self._known.append(_Beginning(number, "", secret, form, first, head, units))

    def add_base64(self, number: int, form: bytes, literal: bytes, *, judge: bool = True) -> None:
        """A secret inside base64."""
        first, secret = literal[:_BASE64_BEGINNING], form if judge else b""
        self._known.append(_Beginning(number, "base64", secret, literal, first))

    def add_address(self, number: int, literal: bytes, skip: int) -> None:
        """An address that was asked for, with a value in it; ``skip`` bytes stand before that."""
        first = literal[: skip + MIN_BEGINNING]
        self._known.append(_Beginning(number, "in address", b"", literal, first, skip=skip))

    def forget(self, numbers: Collection[int]) -> None:
        """These are no secrets."""
        self._known = [item for item in self._known if item.number not in numbers]

    def find(self, data: bytes) -> tuple[int, int, str] | None:
        """Where in ``data``, which ends too early, the longest begins; its number and coding."""
        found = (
            (place, item.number, item.coding)
            for item in self._known
            for place, count in item.at_end(data)
            if item.looks_drawn(count)
        )
        return min(found, default=None, key=lambda one: one[0])


def _units_to_end(units: Sequence[re.Pattern[bytes]], data: bytes, place: int) -> int:
    """How many bytes of a secret stand from ``place`` to the very end; 0 where others do."""
    for count, unit in enumerate(units):
        if place == len(data):
            return count
        found = unit.match(data, place)
        if found is None:
            return count if _HALF.fullmatch(data, place) else 0
        place = found.end()
    return 0  # whole, and found as such
