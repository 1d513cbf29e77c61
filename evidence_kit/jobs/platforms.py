"""Which platforms are supported here and now: the catalogue beside the tokens that are set."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evidence_kit.gather.tokens import Tokens, ask_keyring
from evidence_kit.platforms.catalogue import ROWS, Row


@dataclass(frozen=True)
class Supported:
    """One platform and where its tokens come from.

    Attributes:
        tokens: of each variable ``environment``, ``keyring`` or empty; never a value.
    """

    row: Row
    tokens: Mapping[str, str]

    @property
    def usable(self) -> bool:
        """Whether everything that the token's way needs is set."""
        return bool(self.tokens) and all(self.tokens.values())


def supported(
    environ: Mapping[str, str] = os.environ,
    stored: Callable[[str], str | None] = ask_keyring,
) -> tuple[Supported, ...]:
    """All platforms, in the order in which they are asked."""
    tokens = Tokens(environ, stored)
    return tuple(Supported(row, {name: tokens.where(name) for name in row.token}) for row in ROWS)
