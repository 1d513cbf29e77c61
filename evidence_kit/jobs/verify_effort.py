"""How much work the files beside one bundle may cause: anybody can put any number of them there.

Counted in bytes that are read, and not in seconds: the same files get the same verdict on every
machine. Small files come first, so that whoever adds large ones displaces nothing but their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

MAX_EFFORT = 8 << 20
"""Bytes of events. An ordinary one counts for some 10 KiB, one with large revocation lists for
500 KiB; the worst that can be made of this many takes some 10 s."""

MAX_STAMP_EFFORT = 2 << 20
"""The same of time stamps: an ordinary one counts for 40 KiB, and each renewal is for years."""

MAX_DIGESTED = 256 << 20
"""Bytes that are only digested, to see whether somebody names them: half a second."""

CHECK = 1 << 10
"""What one try of one certificate with another counts for: up to some milliseconds, while the worst
bytes take about a microsecond each."""

STAMP = 32 << 10
"""What a time stamp counts for beside its size: its certificates tried with one another."""


@dataclass
class Effort:
    """What is left to be spent.

    Attributes:
        left: bytes.
        skipped: what could not be paid for any more, in the order in which it was refused.
    """

    left: int
    skipped: list[str] = field(default_factory=list)

    def take(self, name: str, cost: int) -> bool:
        """Whether something may be looked at; once refused, it is kept in ``skipped``."""
        if cost > self.left:
            self.skipped.append(name)
            return False
        self.left -= cost
        return True

    def charge(self, cost: int) -> None:
        """What only showed while it was looked at; the next ones pay for it."""
        self.left = max(0, self.left - cost)


def smallest_first(folder: Path, names: Iterable[str]) -> list[tuple[str, int]]:
    """Names with the size of their files in bytes, 0 where there is none that can be read."""
    return sorted(((name, size_of(folder / name)) for name in names), key=lambda item: item[::-1])


def size_of(path: Path) -> int:
    """Bytes of a file, 0 where there is none that can be looked at."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
