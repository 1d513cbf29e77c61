"""Sentences for people, in Dutch and English, kept in ``text/nl.toml`` and ``text/en.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

LANGUAGES = ("nl", "en")
_PARAM = re.compile(r"\{(\w+)(?::([^:{}]+):([^:{}]+))?\}")
"""``{name}``, or ``{name:day:days}``: a number with the word that goes with it."""


class Words:
    """The sentences of one language.

    Args:
        language: one of :data:`LANGUAGES`.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._tables = _load(language)

    def say(self, table: str, key: str, params: Mapping[str, str] | None = None) -> str:
        """The sentence under ``[table]`` ``key`` with ``{name}`` replaced from ``params``.

        ``{name:day:days}`` gives the number with the first word for one, else with the second.
        A parameter that is not given stays visible as ``{name}``: an ugly sentence is better
        than a missing one. Values are put in as they are; the caller escapes for its medium.

        Raises:
            KeyError: no such sentence; tests hold that none is missing.
        """
        given = params or {}
        template = self._tables[table][key]
        return _PARAM.sub(lambda match: _filled(match, given), template)

    def keys(self, table: str) -> frozenset[str]:
        """All keys of one table."""
        return frozenset(self._tables[table])


def _filled(match: re.Match[str], given: Mapping[str, str]) -> str:
    value = given.get(match[1])
    if value is None:
        return match[0]
    if match[2] is None:
        return value
    return f"{value} {match[2] if value == '1' else match[3]}"


@cache
def _load(language: str) -> dict[str, dict[str, str]]:
    source = files("evidence_kit") / "text" / f"{language}.toml"
    return tomllib.loads(source.read_text("utf-8"))
