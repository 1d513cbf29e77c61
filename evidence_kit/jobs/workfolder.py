"""The work folder: one capture in progress, private, complete enough to finish it later.

What is asked and every finished file is written to a journal at once, with the file's digest
(requirement C14), so that a killed capture can be recovered and a change in between is noticed.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from evidence_kit.core.canonical_json import JsonError, dumps, dumps_line, loads
from evidence_kit.core.clock import Clock, compact, iso
from evidence_kit.core.digests import Digests, digest_file
from evidence_kit.core.errors import InputError, StorageError
from evidence_kit.core.when_free import when_free
from evidence_kit.core.write_once import private_folder
from evidence_kit.gather.connection_copy import remove_copies
from evidence_kit.gather.netlog_pipe import let_go
from evidence_kit.jobs.plain import PlainError, decode, encode
from evidence_kit.seal.connection_copies import COPIES, has_answers

ID_FORM = re.compile(r"^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$")

T = TypeVar("T")

REMOVED = "removed-"
"""Begins the name of a work folder that is on its way out; the next run removes what is left."""

REMOVE_TRIES = 20
REMOVE_SECONDS = 0.1
"""A browser whose program was killed ends by itself, but may write its profile until then."""

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


def unfinished_captures(home: Path) -> list[str]:
    """Ids of all captures in ``HOME/work``, oldest first; also of those that run now."""
    folder = home / "work"
    for path in folder.glob(f"{REMOVED}*"):
        shutil.rmtree(path, ignore_errors=True)
    found = folder.iterdir() if folder.is_dir() else ()
    captures = sorted(path for path in found if ID_FORM.match(path.name))
    for path in captures:
        let_go(path)  # one that runs has its reader, and notices nothing
    return [path.name for path in captures]


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
        self.unfinished = root / "unfinished.netlog"
        """What the browser's log said of exchanges so far, while a visit lasts; then removed."""
        self.connections = root / COPIES
        """What passed on the browser's connections, with their keys; removed with it."""
        self._state = root / "state"
        self.secrets = self._state / "session.sealed"
        """Of a visit that is logged in: secrets and what stands for them, encrypted."""
        self._lock: int | None = None
        self._journal = root / "journal.jsonl"
        self._artefacts: dict[str, Artefact] = {}
        self._digests: dict[str, Digests] = {}

    @classmethod
    def create(cls, home: Path, capture_id: str) -> WorkFolder:
        """Make the folder, readable by this user only.

        Raises:
            StorageError: it exists or cannot be made.
        """
        if not ID_FORM.match(capture_id):
            raise InputError(f"'{capture_id}' is not the id of a capture")
        folder = cls(home / "work" / capture_id)
        unfinished_captures(home)  # takes away what an interrupted removal left
        try:
            private_folder(folder.root.parent)
            folder.root.mkdir(mode=0o700)
            for part in (folder.data, folder.wire, folder.wire_api, folder.scratch, folder._state):
                part.mkdir(parents=True)
            folder._hold()
        except OSError as error:
            raise StorageError(
                f"cannot make the work folder {folder.root}: {error.strerror}",
                hint="check the space on the disk and the rights on EVIDENCE_KIT_HOME",
            ) from error
        return folder

    @staticmethod
    def require(home: Path, capture_id: str) -> None:
        """Look whether there is a work folder of this id.

        Raises:
            InputError: there is none.
        """
        if not ID_FORM.match(capture_id) or not (home / "work" / capture_id).is_dir():
            raise InputError(
                f"there is no unfinished capture '{capture_id}'",
                hint="'evidence-kit recover' lists those there are",
            )

    @classmethod
    def open(cls, home: Path, capture_id: str) -> WorkFolder:
        """The folder that an earlier run left; nobody else may use it until this run ends.

        Raises:
            InputError: there is none of this id, or the capture still runs.
        """
        cls.require(home, capture_id)
        folder = cls(home / "work" / capture_id)
        try:
            folder._hold()
        except OSError as error:
            raise InputError(
                f"the capture {capture_id} is still running", hint="wait for it, or stop it first"
            ) from error
        let_go(folder.root)
        for line in folder.journal():
            if line.get("event") == "artefact":
                found = {name: value for name, value in line.items() if name != "event"}
                folder._artefacts[str(found.get("file"))] = Artefact(**found)
        return folder

    def note(self, event: str, *, sync: bool = True, **fields: Any) -> None:
        """Append one line to the journal.

        Args:
            event: its name.
            sync: wait until it is on the disk; without, it survives the end of this program but
                not a power cut.
            fields: JSON values.
        """
        with self._journal.open("ab") as stream:
            stream.write(dumps_line({"event": event, **fields}))
            stream.flush()
            if sync:
                os.fsync(stream.fileno())

    def last(self, event: str) -> Mapping[str, Any] | None:
        """The journal's last line of this name."""
        found = None
        for line in self.journal():
            if line.get("event") == event:
                found = line
        return found

    def save(self, name: str, value: Any) -> None:
        """Keep a value of the capture's state; it is there whole or not at all.

        Raises:
            StorageError: it cannot be written.
        """
        path = self._state / f"{name}.json"
        part = path.with_suffix(".part")
        try:
            with part.open("wb") as stream:
                stream.write(dumps(encode(value)))
                stream.flush()
                os.fsync(stream.fileno())
            when_free(lambda: part.replace(path))
        except OSError as error:
            raise StorageError(
                f"cannot write the state of the capture: {error.strerror}",
                hint="check the space on the disk of EVIDENCE_KIT_HOME",
            ) from error

    def load(self, name: str, kind: type[T]) -> T | None:
        """A value that was kept, None where there is none.

        Raises:
            StorageError: it is damaged, or was written by another version of this program.
        """
        path = self._state / f"{name}.json"
        try:
            found: T = decode(kind, loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (JsonError, PlainError) as error:
            # Going on without it would remove files that only this value accounts for.
            raise StorageError(
                f"the state '{name}' of {self.id} cannot be read",
                hint="use the version of evidence-kit that made the capture; nothing was changed",
            ) from error
        return found

    @property
    def holds_evidence(self) -> bool:
        """Whether anything of the page or the platform came in yet."""
        places = (self.wire, self.data / "web", self.data / "api")
        return has_answers(self.connections) or any(
            path.stat().st_size for place in places for path in place.glob("*")
        )

    def visit_saved(self) -> None:
        """What the visit gave is kept by now: remove what it could have been read from again.

        What cannot be removed yet goes with the folder, and no capture fails of that.
        """
        with suppress(OSError):
            self.unfinished.unlink(missing_ok=True)
        with suppress(OSError):
            remove_copies(self.connections)

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
        self._digests[self.name_of(path)] = digests
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

    def digests_of(self, name: str) -> Digests | None:
        """Digests that this process took when it registered the file; None where it did not."""
        return self._digests.get(name)

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
        self.release()
        let_go(self.root)
        gone = self.root.with_name(f"{REMOVED}{self.id}")
        try:
            # In one step: what is killed in the middle of this must not look like a capture.
            when_free(lambda: self.root.rename(gone))
            for left in range(REMOVE_TRIES - 1, -1, -1):
                try:
                    shutil.rmtree(gone)
                    # A dying browser makes its profile's folder again under the old name.
                    if self.root.exists():
                        shutil.rmtree(self.root)
                    break
                except FileNotFoundError:
                    shutil.rmtree(self.root, ignore_errors=True)
                    break
                except OSError:
                    if not left:
                        raise
                    time.sleep(REMOVE_SECONDS)
        except OSError as error:
            raise StorageError(
                f"cannot remove the work folder {self.id}: {error.strerror}",
                hint="it may hold passwords or cookies of the capture: remove it by hand",
            ) from error

    def release(self) -> None:
        """Let others use the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _hold(self) -> None:
        """Lock the folder as long as this process lives, however it ends."""
        self._lock = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(self._lock, msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.release()
            raise

    def forget(self, prefixes: tuple[str, ...]) -> None:
        """Remove files of the bag that can be made again, and what was registered of them."""
        for name in self.files():
            if name.startswith(prefixes):
                (self.bag / name).unlink()
        for name in [name for name in self._artefacts if name.startswith(prefixes)]:
            del self._artefacts[name]
            self._digests.pop(name, None)
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()

    def _keep(self, artefact: Artefact) -> Artefact:
        self._artefacts[artefact.file] = artefact
        self.note("artefact", **asdict(artefact))
        return artefact
