"""A dossier: a folder with facts, bundles and what was supplied. What belongs to a case together.

The bundles are the evidence and stay as they are. Everything here can be made again from them and
from ``dossier.toml``. Each look into it is logged; nothing searches across dossiers (D8, C17).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from evidence_kit.core.canonical_json import dumps_line, loads
from evidence_kit.core.clock import iso
from evidence_kit.core.errors import EvidenceError, InputError, StorageError, UnreadableFileError
from evidence_kit.core.findings import Section, Status
from evidence_kit.core.layout import SUFFIX, custody_folder, receipt_path
from evidence_kit.core.verdict import Verdict
from evidence_kit.core.write_once import write_once
from evidence_kit.jobs.dossier_file import (
    NAME,
    OUT,
    DossierFile,
    append_item,
    read_dossier,
    write_template,
)
from evidence_kit.jobs.dossier_index import Row
from evidence_kit.jobs.dossier_terms import (
    STALE,
    complaint_term,
    load_offences,
    offences_of,
)

PARTS = ("bundles", "supplied", OUT)
ACCESS_LOG = "access.log"
RETENTION_SOON = timedelta(days=30)
"""How long before the retention date a warning is given: time to decide."""

MAX_LOG = 16 << 20
"""Bytes of the access log; a line takes some 150."""


@dataclass(frozen=True)
class Warned:
    """Something that a person should look at; the sentence stands under ``[dossier-warning]``."""

    code: str
    params: Mapping[str, str]


def new_dossier(folder: Path, *, title: str, case: str, today: date) -> None:
    """Make the folder with its parts, readable by its owner only.

    Raises:
        StorageError: it exists with something in it, or cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(folder.iterdir()):
            raise StorageError(f"{folder} is not empty", hint="choose a new folder")
        folder.chmod(0o700)
        for part in PARTS:
            (folder / part).mkdir(mode=0o700)
    except OSError as error:
        raise StorageError(f"cannot make {folder}: {error.strerror}") from error
    write_template(folder, title=title, case=case, opened=today)


def add_bundle(
    folder: Path, bundle: Path, *, incident: str = "", victim: str = "", account: str = ""
) -> Path:
    """Copy a bundle with its receipt and events into the dossier and name it in ``dossier.toml``.

    Args:
        folder: the dossier.
        bundle: the sealed file; it is copied, not moved.
        incident: how a person groups it.
        victim: a role, no name.
        account: a label, as under ``[[account]]``.

    Returns:
        The copy.

    Raises:
        InputError: not a sealed file by its name, or in the dossier already.
        UnreadableFileError: it cannot be read.
        StorageError: something cannot be written.
    """
    read_dossier(folder)
    if bundle.suffix != SUFFIX:
        raise InputError(f"{bundle.name} is no sealed file", hint=f"its name ends in {SUFFIX}")
    target = folder / "bundles" / bundle.name
    if target.resolve() != bundle.resolve():
        _copy(bundle, target)
        _copy_beside(bundle, target)
    note_item(folder, target, incident=incident, victim=victim, account=account)
    return target


def note_item(folder: Path, bundle: Path, **grouped: str) -> None:
    """Name a bundle that stands in the dossier in ``dossier.toml``."""
    name = bundle.relative_to(folder).as_posix()
    append_item(folder, {"bundle": name, **{k: v for k, v in grouped.items() if v}})


def _copy(source: Path, target: Path) -> None:
    try:
        with source.open("rb") as stream, write_once(target, private=True) as out:
            shutil.copyfileobj(stream, out, 1 << 20)
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise UnreadableFileError(f"cannot read {source.name}: {reason}") from error


def _copy_beside(bundle: Path, target: Path) -> None:
    if receipt_path(bundle).is_file():
        _copy(receipt_path(bundle), receipt_path(target))
    if custody_folder(bundle).is_dir():
        try:
            custody_folder(target).mkdir(mode=0o700)
        except OSError as error:
            raise StorageError(f"cannot make {custody_folder(target).name}") from error
        for path in sorted(custody_folder(bundle).iterdir()):
            if path.is_file():
                _copy(path, custody_folder(target) / path.name)


def log_access(folder: Path, *, when: datetime, who: str, what: str) -> None:
    """Append one line to the access log: every look into a dossier is on record (D8).

    Raises:
        StorageError: it cannot be written; then nothing is shown.
    """
    path = folder / ACCESS_LOG
    try:
        fresh = not path.exists()
        with path.open("ab") as stream:
            stream.write(dumps_line({"time": iso(when), "who": who, "what": what}))
        if fresh:
            path.chmod(0o600)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error


def read_access_log(folder: Path) -> list[Mapping[str, str]]:
    """The access log's lines, the oldest first.

    Raises:
        UnreadableFileError: it cannot be read.
    """
    path = folder / ACCESS_LOG
    try:
        if path.stat().st_size > MAX_LOG:
            raise UnreadableFileError(f"{ACCESS_LOG} is larger than {MAX_LOG >> 20} MiB")
        return [loads(line) for line in path.read_bytes().splitlines()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise UnreadableFileError(f"cannot read {ACCESS_LOG}: {error}") from error


def refuse_if_held(bundle: Path) -> None:
    """Refuse to destroy a bundle of a dossier that is on legal hold (D8).

    Args:
        bundle: a sealed file; one that stands in no dossier is nobody's business here.

    Raises:
        InputError: it must be kept.
        ConfigError: ``dossier.toml`` cannot be understood; then nothing is destroyed.
    """
    folder = bundle.absolute().parent.parent
    if bundle.absolute().parent.name not in PARTS or not (folder / NAME).is_file():
        return
    dossier = read_dossier(folder)
    if dossier.held:
        reason = dossier.text("privacy", "legal_hold_reason") or "no reason written down"
        raise InputError(
            f"the dossier is on legal hold: {reason}",
            hint="whoever decides sets legal_hold = false in dossier.toml first",
        )


def warnings(
    dossier: DossierFile,
    rows: Sequence[Row],
    verdicts: Mapping[str, Verdict],
    today: date,
) -> list[Warned]:
    """Everything that a person should look at before this goes anywhere.

    Args:
        dossier: the facts.
        rows: the index.
        verdicts: by path in the dossier; empty where nothing was verified.
        today: the day of asking.
    """
    return [
        *_about_facts(dossier),
        *_about_term(dossier, today),
        *_about_privacy(dossier, today),
        *_about_items(dossier, rows),
        *_about_verdicts(verdicts),
    ]


def _about_facts(dossier: DossierFile) -> Iterator[Warned]:
    """The fields of D2 that a report needs and that nobody filled in."""
    wanted = (
        ("dossier", "title"),
        ("dossier", "public_task"),
        ("dossier", "domicile_work_address"),
        ("victim", "role"),
        ("knowledge", "who"),
        ("knowledge", "how"),
        ("consequences", "fear"),
        ("consequences", "effects"),
        ("consequences", "measures"),
    )
    for table, key in wanted:
        if not dossier.text(table, key).strip():
            yield Warned("empty-field", {"field": f"{table}.{key}"})
    articles = {offence.article for offence in offences_of(dossier)}
    if "266/267" in articles and dossier.tables["victim"].get("official", "unknown") == "unknown":
        yield Warned("ask-official", {})


def _about_term(dossier: DossierFile, today: date) -> Iterator[Warned]:
    term = complaint_term(
        dossier.day("knowledge", "when"), today, dossier.day("complaint", "filed")
    )
    on_complaint = [one for one in offences_of(dossier) if one.complaint != "no"]
    params = {
        "last": term.last_day.isoformat() if term.last_day else "",
        "days": str(term.days_left) if term.days_left is not None else "",
        "articles": ", ".join(one.article for one in on_complaint) or "-",
    }
    if term.state not in ("open", "filed-in-time"):
        yield Warned(f"complaint-{term.state}", params)
    offences = load_offences()
    if today - offences.reference_date > STALE:
        yield Warned("offences-old", {"date": offences.reference_date.isoformat()})


def _about_privacy(dossier: DossierFile, today: date) -> Iterator[Warned]:
    for key in ("purpose", "basis", "responsible", "who_decides"):
        if not dossier.text("privacy", key).strip():
            yield Warned("empty-field", {"field": f"privacy.{key}"})
    until = dossier.day("privacy", "retain_until")
    if dossier.held:
        yield Warned("legal-hold", {"reason": dossier.text("privacy", "legal_hold_reason") or "-"})
    elif until is None:
        yield Warned("no-retention", {})
    elif until < today:
        yield Warned("retention-past", {"date": until.isoformat()})
    elif until - today <= RETENTION_SOON:
        yield Warned("retention-soon", {"date": until.isoformat()})
    for field, text in _shared_texts(dossier):
        if any(secret.casefold() in text.casefold() for secret in dossier.secrets):
            yield Warned("private-in-shared", {"field": field})


def _shared_texts(dossier: DossierFile) -> Iterator[tuple[str, str]]:
    for name, table in dossier.tables.items():
        if name != "private":
            yield from ((f"{name}.{key}", v) for key, v in table.items() if isinstance(v, str))
    for name, entries in dossier.lists.items():
        for number, entry in enumerate(entries, 1):
            for key, value in entry.items():
                if isinstance(value, str):
                    yield f"{name} {number}.{key}", value


def _about_items(dossier: DossierFile, rows: Sequence[Row]) -> Iterator[Warned]:
    by_name = {row.bundle: row for row in rows}
    named = {item.get("bundle", "") for item in dossier.lists["item"]}
    for item in dossier.lists["item"]:
        name = item.get("bundle", "")
        if name not in by_name:
            yield Warned("bundle-missing", {"bundle": name or "-"})
        elif not item.get("behaviours"):
            yield Warned("no-behaviour", {"bundle": name})
    for row in rows:
        if row.bundle not in named:
            yield Warned("bundle-not-named", {"bundle": row.bundle})
        if row.state == "unreadable":
            yield Warned("bundle-unreadable", {"bundle": row.bundle})
        if row.content in ("partial", "not-there"):
            yield Warned(f"content-{row.content}", {"bundle": row.bundle})
        if row.posted and row.precision == "relative-or-unreadable":
            yield Warned("relative-time", {"bundle": row.bundle, "shown": row.posted})
    yield from _only_screenshots(dossier, by_name)


def _only_screenshots(dossier: DossierFile, rows: Mapping[str, Row]) -> Iterator[Warned]:
    """I2: an incident of which there is only a picture that somebody made."""
    groups: dict[str, list[Row]] = {}
    for item in dossier.lists["item"]:
        row = rows.get(item.get("bundle", ""))
        if row is not None:
            groups.setdefault(item.get("incident", "") or row.bundle, []).append(row)
    for incident, held in sorted(groups.items()):
        if all(row.state == "supplied" and row.kind == "screenshot" for row in held):
            yield Warned("only-screenshot", {"incident": incident})


def _about_verdicts(verdicts: Mapping[str, Verdict]) -> Iterator[Warned]:
    for name, verdict in sorted(verdicts.items()):
        if verdict.status is Status.FAILED:
            yield Warned("verdict-failed", {"bundle": name})
        elif verdict.status is Status.INDETERMINATE:
            yield Warned("verdict-indeterminate", {"bundle": name})
        if verdict.section(Section.CUSTODY) is Status.FAILED:
            yield Warned("custody-failed", {"bundle": name})


def bundle_names(folder: Path) -> list[str]:
    """Paths in the dossier of all bundles, without reading them.

    Raises:
        EvidenceError: a folder cannot be read.
    """
    try:
        found = [path for part in PARTS[:2] for path in (folder / part).glob(f"*{SUFFIX}")]
    except OSError as error:
        raise EvidenceError(f"cannot read {folder}: {error.strerror}") from error
    return sorted(path.relative_to(folder).as_posix() for path in found)
