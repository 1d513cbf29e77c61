"""Checks taken out of the program, one after the other, and the tests that must turn red.

A check that cannot fail is none. Each ``*.toml`` here names checks: the exact source text that
makes one, what stands there without it, and the tests that notice. ``python -m tests.takeouts``
tries every one in a copy of the project; the tests hold that the table is complete and that every
source text still stands where it says.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
TABLES = Path(__file__).parent


@dataclass(frozen=True)
class Edit:
    """One place in the source: ``old`` stands there exactly once."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class TakeOut:
    """One check.

    Attributes:
        name: what is no longer checked.
        table: the file here that says so.
        edits: several where two checks hold the same attack, so that both must go.
        red: node ids of the tests that must fail without it.
        note: why more than one place is edited, or what else there is to say.
        error: name of the exception by which the tests fail instead of an assertion: where the
            check keeps one of a library's from getting out.
    """

    name: str
    table: str
    edits: tuple[Edit, ...]
    red: tuple[str, ...]
    note: str = ""
    error: str = ""


@cache
def takeouts() -> dict[str, TakeOut]:
    """Every check that is taken out, by name."""
    found: dict[str, TakeOut] = {}
    for path in sorted(TABLES.glob("*.toml")):
        for entry in tomllib.loads(path.read_text("utf-8"))["check"]:
            one = TakeOut(
                name=entry["name"],
                table=path.stem,
                edits=tuple(Edit(**edit) for edit in entry["edit"]),
                red=tuple(_nodes(entry["red"])),
                note=entry.get("note", ""),
                error=entry.get("error", ""),
            )
            if one.name in found:
                raise ValueError(f"{one.name} twice")
            found[one.name] = one
    return found


def _nodes(red: dict[str, list[str]]) -> list[str]:
    """Node ids from test → cases; no case for a test without parameters."""
    nodes = []
    for test, cases in red.items():
        nodes += [f"tests/{test}[{case}]" for case in cases] or [f"tests/{test}"]
    return nodes


def without(source: str, edit: Edit) -> str:
    """The source text with the check taken out.

    Raises:
        ValueError: the text that makes the check does not stand there exactly once.
    """
    if source.count(edit.old) != 1:
        raise ValueError(f"{edit.file}: stands there {source.count(edit.old)} times: {edit.old!r}")
    return source.replace(edit.old, edit.new)
