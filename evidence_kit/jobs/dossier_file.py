"""``dossier.toml``: the facts that a person writes about a case. Unknown keys are errors.

Names of persons and private addresses stand in ``[private]`` and nowhere else; nothing of that
table is ever copied to what is shared (requirements D2, D8).
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from evidence_kit.core.errors import ConfigError, InputError, StorageError, UnreadableFileError
from evidence_kit.core.user_text import without_mark
from evidence_kit.core.when_free import when_free
from evidence_kit.core.write_once import write_bytes_once

NAME = "dossier.toml"
OUT = "out"
"""The part of a dossier for what is made out of it."""

MAX_FILE = 4 << 20
"""Bytes; a thousand items with remarks stay under one MiB."""

MAX_ITEMS = 10_000
"""Items of one dossier."""

BEHAVIOURS = (
    "bedreiging",
    "belediging",
    "intimidatie",
    "schelden",
    "vernederen",
    "pesten",
    "chanteren",
    "dwingend gedrag",
    "stalken",
    "discriminatie",
    "smaad/laster",
    "doxing",
    "bommelding",
    "seksuele chantage",
    "nepaccount",
)
"""Types of behaviour of the national guideline, in its own words."""

DEFAULT_BASIS = "UAVG art. 33 lid 2 sub b"

_TEXT, _DATE, _BOOL, _TEXTS, _LEVEL, _YES_NO = "text", "date", "bool", "texts", "level", "yes-no"

TABLES: Mapping[str, Mapping[str, str]] = {
    "dossier": {
        "title": _TEXT,
        "case": _TEXT,
        "opened": _DATE,
        "public_task": _TEXT,
        "vpt_code": _TEXT,
        "police_report_number": _TEXT,
        "domicile_work_address": _TEXT,
    },
    "victim": {"role": _TEXT, "official": _YES_NO},
    "knowledge": {"who": _TEXT, "when": _DATE, "how": _TEXT},
    "consequences": {"fear": _TEXT, "effects": _TEXT, "measures": _TEXT},
    "complaint": {"entitled": _TEXT, "filed": _DATE},
    "privacy": {
        "purpose": _TEXT,
        "basis": _TEXT,
        "responsible": _TEXT,
        "retain_until": _DATE,
        "who_decides": _TEXT,
        "legal_hold": _BOOL,
        "legal_hold_reason": _TEXT,
    },
    "private": {"victim_name": _TEXT, "private_address": _TEXT, "other": _TEXTS},
}
"""Tables that occur once, their keys and kinds of value."""

LISTS: Mapping[str, Mapping[str, str]] = {
    "account": {"label": _TEXT, "platform": _TEXT, "handle": _TEXT, "id": _TEXT, "url": _TEXT},
    "earlier": {"date": _DATE, "what": _TEXT},
    "item": {
        "bundle": _TEXT,
        "incident": _TEXT,
        "victim": _TEXT,
        "account": _TEXT,
        "behaviours": _TEXTS,
        "offences": _TEXTS,
        "intensity": _LEVEL,
        "remark": _TEXT,
    },
}
"""Tables that may occur any number of times."""


@dataclass(frozen=True)
class DossierFile:
    """The facts as read and checked.

    Attributes:
        folder: the dossier.
        tables: every table of :data:`TABLES`; a key that is not filled in is absent.
        lists: every list of :data:`LISTS`.
    """

    folder: Path
    tables: Mapping[str, Mapping[str, Any]]
    lists: Mapping[str, Sequence[Mapping[str, Any]]]

    def text(self, table: str, key: str) -> str:
        """A text, empty where there is none."""
        return str(self.tables[table].get(key, ""))

    def day(self, table: str, key: str) -> date | None:
        """A date, None where it is not known."""
        return as_day(self.tables[table].get(key))

    @property
    def held(self) -> bool:
        """Whether nothing of it may be destroyed."""
        return bool(self.tables["privacy"].get("legal_hold", False))

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value of ``[private]`` that could be recognised elsewhere."""
        private = self.tables["private"]
        values = [private.get("victim_name", ""), private.get("private_address", "")]
        values += private.get("other", [])
        return tuple(value for value in values if len(value.strip()) > 1)


def as_day(value: Any) -> date | None:
    """The day of a TOML date or date-time."""
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else None


def read_dossier(folder: Path) -> DossierFile:
    """Read and check ``dossier.toml``.

    Raises:
        UnreadableFileError: it is not there or cannot be read.
        ConfigError: not TOML, an unknown key, or a value of another kind.
    """
    path = folder / NAME
    try:
        if path.stat().st_size > MAX_FILE:
            raise ConfigError(f"{NAME} is larger than {MAX_FILE >> 20} MiB")
        found = tomllib.loads(without_mark(path.read_bytes().decode("utf-8")))
    except OSError as error:
        raise UnreadableFileError(
            f"cannot read {path}: {(error.strerror or 'unknown error').lower()}",
            hint="a dossier is a folder that 'evidence-kit dossier new' made",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{NAME} is not TOML: {error}", hint="correct the line named") from error
    return _checked(folder, found)


def _checked(folder: Path, found: Mapping[str, Any]) -> DossierFile:
    known = [*TABLES, *LISTS]
    for name in found:
        if name not in known:
            raise ConfigError(
                f"unknown table '{name}' in {NAME}", hint=f"known: {', '.join(known)}"
            )
    tables = {name: _table(name, found.get(name, {}), keys) for name, keys in TABLES.items()}
    lists: dict[str, list[Mapping[str, Any]]] = {}
    for name, keys in LISTS.items():
        entries = found.get(name, [])
        if not isinstance(entries, list) or len(entries) > MAX_ITEMS:
            raise ConfigError(f"'{name}' in {NAME} must be written as [[{name}]]")
        numbered = enumerate(entries, 1)
        lists[name] = [_table(f"{name} {number}", entry, keys) for number, entry in numbered]
    return DossierFile(folder, tables, lists)


def _table(where: str, found: Any, keys: Mapping[str, str]) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise ConfigError(f"'{where}' in {NAME} must be a table")
    for key, value in found.items():
        if key not in keys:
            raise ConfigError(
                f"unknown key '{key}' under '{where}' in {NAME}", hint=f"known: {', '.join(keys)}"
            )
        fault = _fault(key, value, keys[key])
        if fault:
            raise ConfigError(f"'{key}' under '{where}' in {NAME} must be {fault}")
    return found


def _fault(key: str, value: Any, kind: str) -> str:
    """What the value should have been; empty where it is fine."""
    if kind == _TEXT:
        return "" if isinstance(value, str) else "a text in quotes"
    if kind == _DATE:
        return "" if isinstance(value, date) else "a date such as 2026-11-20, without quotes"
    if kind == _BOOL:
        return "" if isinstance(value, bool) else "true or false"
    if kind == _YES_NO:
        return "" if value in ("yes", "no", "unknown") else '"yes", "no" or "unknown"'
    if kind == _LEVEL:
        good = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 5
        return "" if good else "a number from 1 to 5"
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        return "a list of texts"
    if key == "behaviours" and not set(value) <= set(BEHAVIOURS):
        return f"from this list: {', '.join(BEHAVIOURS)}"
    return ""


def write_template(folder: Path, *, title: str, case: str, opened: date) -> None:
    """A new ``dossier.toml`` in which every field is explained.

    Raises:
        StorageError: it exists or cannot be written.
    """
    source = files("evidence_kit") / "text" / "dossier-template.toml"
    text = source.read_text("utf-8")
    for empty, filled in (
        ('title = ""', f"title = {toml_text(title)}"),
        ('case = ""', f"case = {toml_text(case)}"),
        ("opened = 2026-01-01", f"opened = {opened.isoformat()}"),
    ):
        text = text.replace(empty, filled, 1)
    write_bytes_once(folder / NAME, text.encode("utf-8"), private=True)


def toml_text(value: str) -> str:
    """A text as a TOML basic string: JSON's escapes, and DEL, which TOML does not allow bare."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def append_item(folder: Path, item: Mapping[str, Any]) -> None:
    """Add one ``[[item]]``; every comment and the order of what a person wrote stay.

    Raises:
        InputError: the bundle is in the dossier already.
        ConfigError: the result would not be valid.
        StorageError: it cannot be written.
    """
    present = read_dossier(folder)
    if any(one.get("bundle") == item["bundle"] for one in present.lists["item"]):
        raise InputError(f"{item['bundle']} is in this dossier already")
    path = folder / NAME
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    # Appended as text: what a person wrote before stays byte for byte, comments and order too.
    result = text.rstrip("\r\n") + "\n\n[[item]]\n"
    result += "".join(f"{key} = {_toml(value)}\n" for key, value in item.items())
    try:
        _checked(folder, tomllib.loads(without_mark(result)))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{NAME} cannot be added to: {error}") from error
    _replace(path, result)


def _toml(value: Any) -> str:
    if isinstance(value, str):
        return toml_text(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return str(value)


def _replace(path: Path, text: str) -> None:
    """The new text whole or not at all; the earlier one is kept as ``dossier.toml.bak``."""
    draft = path.with_name(NAME + ".new")
    backup = path.with_name(NAME + ".bak")
    try:
        draft.unlink(missing_ok=True)
        write_bytes_once(draft, text.encode("utf-8"), private=True)
        backup.unlink(missing_ok=True)
        write_bytes_once(backup, path.read_bytes(), private=True)
        when_free(lambda: draft.replace(path))
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
