"""A pseudonymised working copy of a dossier, for HR: what happened, without who.

It holds no bundle and no picture. Names, handles and addresses are replaced by labels; what stands
in ``[private]`` of the dossier or in a bundle's ``data/private.json`` appears nowhere in it (D8).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evidence_kit.core.canonical_json import JsonError, dumps, loads
from evidence_kit.core.errors import StorageError
from evidence_kit.core.words import Words
from evidence_kit.core.write_once import write_bytes_once
from evidence_kit.jobs.dossier_file import OUT, DossierFile
from evidence_kit.jobs.dossier_index import Row
from evidence_kit.jobs.dossier_timeline import (
    Entry,
    pattern_rows,
    pattern_svg,
    patterns,
    timeline,
    timeline_csv,
)
from evidence_kit.jobs.operator import PRIVATE
from evidence_kit.seal.container_read import read_entry, walk

MAX_PRIVATE = 1 << 20
"""Bytes of a bundle's private part; real ones are under one KiB."""

MIN_SECRET = 2
"""Characters of a value that is looked for; single letters occur everywhere."""


def working_copy(
    dossier: DossierFile, rows: Sequence[Row], output: Path, words: Words
) -> tuple[Path, ...]:
    """Write the working copy into a new folder.

    Args:
        dossier: the facts.
        rows: the index of its bundles.
        output: the folder; made where it is not there.
        words: language.

    Returns:
        The files written.

    Raises:
        StorageError: a file exists or cannot be written, or the copy would stand among the facts.
        UnreadableFileError: a bundle cannot be read, so its names are not known.
    """
    place, whole = output.resolve(), dossier.folder.resolve()
    if place.is_relative_to(whole) and not place.is_relative_to(whole / OUT):
        raise StorageError(
            f"{output} lies among the facts of the dossier",
            hint=f"choose a folder in its {OUT}/, or one elsewhere",
        )
    hide = Pseudonyms(dossier, rows)
    hidden = [hide.entry(one) for one in timeline(dossier, rows)]
    table = pattern_rows(patterns(hidden), words)
    facts: dict[str, Any] = {
        "schema": "evidence-kit/dossier-copy/1",
        "note": words.say("dossier", "copy-note"),
        "dossier": {
            key: hide.text(dossier.text("dossier", key)) for key in ("title", "public_task")
        },
        "victim": {"role": hide.text(dossier.text("victim", "role"))},
        "consequences": {
            key: hide.text(dossier.text("consequences", key))
            for key in ("fear", "effects", "measures")
        },
        "pattern": table,
    }
    made = {
        "werkkopie.json": dumps(facts),
        "tijdlijn.csv": timeline_csv(hidden, words),
        "patroon.svg": pattern_svg(hidden, words),
    }
    try:
        output.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageError(f"cannot make {output}: {error.strerror}") from error
    for name, data in made.items():
        write_bytes_once(output / name, data, private=True)
    return tuple(output / name for name in made)


class Pseudonyms:
    """Replaces what could name a person, everywhere the same way.

    Args:
        dossier: the facts, with ``[private]``.
        rows: bundles; accounts are numbered in their order.
    """

    def __init__(self, dossier: DossierFile, rows: Sequence[Row]) -> None:
        self._labels: dict[str, str] = {}
        names = {one.author: f"account {number}" for number, one in enumerate(_authors(rows), 1)}
        for row in rows:
            label = names.get(row.author, "account")
            self._hide([row.author, row.author.lstrip("@"), row.author_name], label)
        for number, account in enumerate(dossier.lists["account"], 1):
            label = str(account.get("handle", ""))
            known = names.get(label, f"account {len(names) + number}")
            self._hide([account.get(key, "") for key in ("handle", "id", "url", "label")], known)
        self._hide(dossier.secrets, "[…]")
        for row in rows:
            self._hide(private_values(dossier.folder / row.bundle), "[…]")
        longest = sorted(self._labels, key=len, reverse=True)
        self._found = (
            re.compile("|".join(map(re.escape, longest)), re.IGNORECASE) if longest else None
        )

    def _hide(self, values: Iterable[str], label: str) -> None:
        for value in values:
            if len(value.strip()) >= MIN_SECRET:
                self._labels.setdefault(value.strip().casefold(), label)

    def text(self, text: str) -> str:
        """The text with every known name replaced."""
        if self._found is None:
            return text
        return self._found.sub(lambda match: self._labels.get(match[0].casefold(), "[…]"), text)

    def entry(self, one: Entry) -> Entry:
        """One line of the timeline without names; files are named by their digest only."""
        return replace(
            one,
            account=self.text(one.account),
            text=self.text(one.text),
            incident=self.text(one.incident),
            victim=self.text(one.victim),
            bundle="",
        )


def _authors(rows: Sequence[Row]) -> list[Row]:
    found = {row.author: row for row in rows if row.author}
    return list(found.values())


def private_values(bundle: Path) -> tuple[str, ...]:
    """Every text in the part of a bundle that can be withheld.

    Raises:
        UnreadableFileError: the bundle cannot be read.
    """
    walked = walk(bundle)
    if PRIVATE not in walked.entries:
        return ()
    try:
        document = loads(read_entry(walked, PRIVATE, limit=MAX_PRIVATE))
    except (JsonError, ValueError):
        return ()
    return tuple(text for text in _texts(document) if not text.startswith("evidence-kit/"))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
