"""What is done to a page on purpose after its first picture, in one form for the record.

A page that is touched is no longer the page as it loaded. So every treatment says how it ended and
whether it changed anything, and the caller takes a picture before the first and after each one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from evidence_kit.gather.visit import Visit


@dataclass(frozen=True)
class Treated:
    """One treatment.

    Attributes:
        name: ``consent`` or ``scroll``.
        outcome: how it ended, in a word that does not change; ``left`` where it was not asked for.
        changed: whether the page may look different now.
        detail: measures and names, for the record.
    """

    name: str
    outcome: str
    changed: bool = False
    detail: Mapping[str, str | int | float] = field(default_factory=dict)


LEFT = "left"
"""The outcome of a treatment that was not asked for."""

Treatment = Callable[[Visit], Treated]
"""Does something to the page; raises BrowserError where the page does not answer."""
