"""An index of a dossier's bundles, so that a thousand of them list in under a second.

The bundles are the source: the index can be thrown away and is made again from them. It reads what
a bundle says of itself and checks its form; whether it is signed and by whom, ``check`` says.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from evidence_kit.core.canonical_json import JsonError, loads
from evidence_kit.core.errors import EvidenceError, StorageError
from evidence_kit.core.events import Progress, Silent
from evidence_kit.core.layout import SUFFIX
from evidence_kit.core.limits import MAX_JSON_BYTES
from evidence_kit.core.schemas import schema_fault
from evidence_kit.jobs.verify_content import POST, read_capture
from evidence_kit.jobs.verify_supplied import SUPPLIED, read_supplied
from evidence_kit.seal.container_read import Walk, read_entry, walk

CACHE = Path("cache") / "dossier-index.sqlite3"
FOLDERS = ("bundles", "supplied")
VERSION = 1
"""Of the index's own form; another one is made anew."""

MAX_TEXT = 4_000
"""Characters of a post that the index keeps; the bundle has it all."""


@dataclass(frozen=True)
class Row:
    """What the index knows of one bundle.

    Attributes:
        bundle: path in the dossier, with ``/``.
        size, mtime_ns: of the file when it was indexed.
        sha256: of the file.
        state: ``captured``, ``supplied`` or ``unreadable``.
        id: of capture or import.
        url: asked for; for what was supplied the source that was told.
        permalink, author, author_name, text: of the post, empty where there is none.
        posted, precision: as the platform gave it.
        captured: start of the capture, or when it was imported.
        kind: of what was supplied.
        content: what the capture says of itself: complete, partial, not-there.
        platform: adapter that read the post.
    """

    bundle: str
    size: int
    mtime_ns: int
    sha256: str = ""
    state: str = "unreadable"
    id: str = ""
    url: str = ""
    permalink: str = ""
    author: str = ""
    author_name: str = ""
    text: str = ""
    posted: str = ""
    precision: str = ""
    captured: str = ""
    kind: str = ""
    content: str = ""
    platform: str = ""


_COLUMNS = [field.name for field in fields(Row)]


def list_bundles(folder: Path, progress: Progress | None = None) -> list[Row]:
    """Every bundle of the dossier, by path; only new and changed files are read.

    Raises:
        StorageError: the index or a folder cannot be read or written.
    """
    progress = progress or Silent()
    try:
        with closing(_open(folder)) as base:
            known = {row.bundle: row for row in _rows(base)}
            there = dict(_files(folder))
            for name in known.keys() - there.keys():
                base.execute("DELETE FROM bundle WHERE bundle = ?", (name,))
            fresh = [
                name
                for name, stat in there.items()
                if name not in known
                or (known[name].size, known[name].mtime_ns) != (stat.st_size, stat.st_mtime_ns)
            ]
            for number, name in enumerate(sorted(fresh)):
                progress.advance(number, len(fresh))
                row = _read(folder, name, there[name])
                marks = ", ".join("?" * len(_COLUMNS))
                base.execute(f"REPLACE INTO bundle VALUES ({marks})", astuple(row))  # noqa: S608
            base.commit()
            return list(_rows(base))
    except (sqlite3.Error, OSError) as error:
        raise StorageError(
            f"the index of the dossier cannot be used: {error}",
            hint=f"remove {CACHE.as_posix()} in the dossier; it is made again",
        ) from error


def _open(folder: Path) -> sqlite3.Connection:
    path = folder / CACHE
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    base = sqlite3.connect(path)
    try:
        if base.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            base.execute("DROP TABLE IF EXISTS bundle")
            columns = ", ".join(_COLUMNS[1:])
            base.execute(f"CREATE TABLE bundle (bundle TEXT PRIMARY KEY, {columns})")
            base.execute(f"PRAGMA user_version = {VERSION}")
    except sqlite3.DatabaseError:
        # Not a database, or a damaged one: nothing in it is needed.
        base.close()
        path.unlink()
        return _open(folder)
    return base


def _rows(base: sqlite3.Connection) -> Iterator[Row]:
    for values in base.execute("SELECT * FROM bundle ORDER BY bundle"):
        yield Row(*values)


def _files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    for part in FOLDERS:
        if not (folder / part).is_dir():
            continue
        with os.scandir(folder / part) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX) and entry.is_file():
                    yield f"{part}/{entry.name}", entry.stat()


def _read(folder: Path, name: str, stat: os.stat_result) -> Row:
    values: dict[str, Any] = {
        "bundle": name,
        "size": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
    }
    try:
        walked = walk(folder / name, whole=True)
    except EvidenceError:
        return Row(**values)
    if walked.file is not None:
        values["sha256"] = walked.file.sha256
    if not walked.canonical:
        return Row(**values)
    if SUPPLIED in walked.entries:
        supplied, _ = read_supplied(walked)
        if supplied is not None:
            values |= _of_supplied(supplied)
        return Row(**values)
    record, _ = read_capture(walked)
    if record is not None:
        values |= _of_capture(record) | _of_post(walked)
    return Row(**values)


def _of_supplied(record: Mapping[str, Any]) -> dict[str, str]:
    return {
        "state": "supplied",
        "id": record["id"],
        "url": record["source"],
        "captured": record["imported"],
        "kind": record["kind"],
    }


def _of_capture(record: Mapping[str, Any]) -> dict[str, str]:
    platform = record["platform"]
    return {
        "state": "captured",
        "id": record["id"],
        "url": record["request"]["url"],
        "permalink": record["page"]["permalink"] or "",
        "captured": record["times"]["started"],
        "content": record["state"],
        "platform": str(platform.get("adapter", "")) if platform else "",
    }


def _of_post(walked: Walk) -> dict[str, str]:
    if POST not in walked.entries:
        return {}
    try:
        document = loads(read_entry(walked, POST, limit=MAX_JSON_BYTES))
    except (JsonError, ValueError):
        return {}
    if schema_fault(document, "post-1") is not None:
        return {}
    post = next((one for one in document["posts"] if one["role"] == "post"), None)
    if post is None:
        return {}

    def text(name: str) -> str:
        return str(post[name]["value"])[:MAX_TEXT] if post[name] is not None else ""

    return {
        "author": text("author_handle"),
        "author_name": text("author_name"),
        "text": text("text") or text("text_html"),
        "posted": text("created"),
        "precision": (post["created"] or {}).get("precision", ""),
    }
