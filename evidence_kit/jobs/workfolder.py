"""The work folder: one capture in progress, private, complete enough to finish it later.

What is asked and every finished file is written to a journal at once, with the file's digest
(requirement C14), so that a killed capture can be recovered and a change in between is noticed.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from evidence_kit.core.canonical_json import dumps_line, loads
from evidence_kit.core.clock import Clock, compact, iso
from evidence_kit.core.digests import digest_file
from evidence_kit.core.errors import InputError, StorageError

ID_FORM = re.compile(r"^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$")

MADE = "made"
FAILED = "failed"
NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True)
class Artefact:
    """One file of the bundle, or the reason why it is not there.

    Attributes:
        kind: ``screenshot``, ``api``, ``media``…
        file: path in the bundle, ``data/…``.
        state: ``made``, ``failed`` or ``not-applicable``.
        why: reason where it was not made.
        sha256, size, written: of the file when it was written; null where it was not made.
        original_name: the name it had where it came from, when that was changed to an inert one.
    """

    kind: str
    file: str
    state: str = MADE
    why: str = ""
    sha256: str | None = None
    size: int | None = None
    written: str | None = None
    original_name: str | None = None


def new_id(now: datetime, random: bytes) -> str:
    """Identity of a capture: its start in UTC and eight random hexadecimal digits."""
    return f"{compact(now)}-{random[:4].hex()}"


class WorkFolder:
    """One capture's private folder; see ``docs/architecture.md``, The work folder.

    Args:
        root: ``HOME/work/ID``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.id = root.name
        self.bag = root / "bag"
        self.data = self.bag / "data"
        self.wire = root / "wire"
        self.wire_api = root / "wire-api"
        self.scratch = root / "scratch"
        self._journal = root / "journal.jsonl"
        self._artefacts: dict[str, Artefact] = {}

    @classmethod
    def create(cls, home: Path, capture_id: str) -> WorkFolder:
        """Make the folder, readable by this user only.

        Raises:
            StorageError: it exists or cannot be made.
        """
        if not ID_FORM.match(capture_id):
            raise InputError(f"'{capture_id}' is not the id of a capture")
        folder = cls(home / "work" / capture_id)
        try:
            folder.root.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.root.mkdir(mode=0o700)
            for part in (folder.data, folder.wire, folder.wire_api, folder.scratch):
                part.mkdir(parents=True)
        except OSError as error:
            raise StorageError(
                f"cannot make the work folder {folder.root}: {error.strerror}",
                hint="check the space on the disk and the rights on EVIDENCE_KIT_HOME",
            ) from error
        return folder

    def note(self, event: str, **fields: Any) -> None:
        """Append one line to the journal and make sure that it is on the disk."""
        with self._journal.open("ab") as stream:
            stream.write(dumps_line({"event": event, **fields}))
            stream.flush()
            os.fsync(stream.fileno())

    def journal(self) -> Iterator[Mapping[str, Any]]:
        """The journal's lines; a last line cut off by a crash is left out."""
        if not self._journal.exists():
            return
        for line in self._journal.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                yield loads(line)

    def add(
        self, kind: str, path: Path, *, clock: Clock, original_name: str | None = None
    ) -> Artefact:
        """Register a finished file under ``bag/``: digest it now, before anything else.

        Raises:
            StorageError: the file cannot be read back.
        """
        try:
            digests = digest_file(path)
        except OSError as error:
            raise StorageError(f"cannot read {path.name} back: {error.strerror}") from error
        artefact = Artefact(
            kind=kind,
            file=self.name_of(path),
            sha256=digests.sha256,
            size=digests.size,
            written=iso(clock()),
            original_name=original_name,
        )
        return self._keep(artefact)

    def add_failed(self, kind: str, file: str, why: str, *, state: str = FAILED) -> Artefact:
        """Register a file that could not be made, or does not apply, with the reason."""
        return self._keep(Artefact(kind=kind, file=file, state=state, why=why))

    def artefacts(self) -> tuple[Artefact, ...]:
        """Everything registered so far, by path."""
        return tuple(self._artefacts[name] for name in sorted(self._artefacts))

    def name_of(self, path: Path) -> str:
        """The path in the bundle of a file under ``bag/``."""
        return path.relative_to(self.bag).as_posix()

    def files(self) -> list[str]:
        """Paths in the bundle of all files under ``bag/``, in bytewise order."""
        found = (path for path in self.bag.rglob("*") if path.is_file())
        return sorted(self.name_of(path) for path in found)

    def remove(self) -> None:
        """Remove the folder: after sealing, or when the user discards it.

        Raises:
            StorageError: something could not be removed; it may hold unredacted data.
        """
        try:
            shutil.rmtree(self.root)
        except OSError as error:
            raise StorageError(
                f"cannot remove the work folder {self.root}: {error.strerror}",
                hint="it may hold passwords or cookies of the capture: remove it by hand",
            ) from error

    def _keep(self, artefact: Artefact) -> Artefact:
        self._artefacts[artefact.file] = artefact
        self.note("artefact", **asdict(artefact))
        return artefact
