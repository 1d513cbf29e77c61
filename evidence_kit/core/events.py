"""How lower floors tell what they do: a log that is kept, and progress that is shown."""

from __future__ import annotations

from typing import Any, Protocol


class EventLog(Protocol):
    """The capture log (requirement C16): every step and every host contacted, kept as evidence."""

    def log(self, event: str, **fields: Any) -> None:
        """Keep one event; ``fields`` are JSON values without any secret."""


class Progress(Protocol):
    """What the user sees while waiting; never evidence."""

    def step(self, text: str) -> None:
        """A new step begins, in a few words."""

    def advance(self, done: int, total: int) -> None:
        """The step's progress in any unit; ``total`` is 0 where it is unknown."""


class Silent:
    """Keeps nothing, shows nothing: for library use and tests."""

    def log(self, event: str, **fields: Any) -> None:
        """Drop it."""

    def step(self, text: str) -> None:
        """Drop it."""

    def advance(self, done: int, total: int) -> None:
        """Drop it."""
