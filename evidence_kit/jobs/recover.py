"""Finish a capture that was killed, or remove what it left."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from evidence_kit.core.canonical_json import JsonError, dumps_line, loads
from evidence_kit.core.clock import Clock, iso
from evidence_kit.core.errors import (
    CaptureError,
    EvidenceError,
    InputError,
    KeyUnavailableError,
    StorageError,
)
from evidence_kit.core.events import Progress
from evidence_kit.core.layout import SUFFIX
from evidence_kit.core.write_once import PARTIAL
from evidence_kit.gather.session_state import LoggedIn
from evidence_kit.gather.time_sources import system_clock
from evidence_kit.gather.tsa_client import TsaClient
from evidence_kit.jobs.bundle import Sealing, finish_seal, is_sealed
from evidence_kit.jobs.capture_types import Asked, CaptureResult, result_of
from evidence_kit.jobs.delivery import RECORD, deliver, seal_capture
from evidence_kit.jobs.operator import operator_of
from evidence_kit.jobs.record import Note
from evidence_kit.jobs.salvage import LOG, salvage
from evidence_kit.jobs.sessions import secrets_kept
from evidence_kit.jobs.stamping import stamper
from evidence_kit.jobs.workfolder import WorkFolder, unfinished_captures
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.signer import Signer

_MADE_AGAIN = (
    "data/web/page.wacz",
    "data/tls/",
    "data/api/exchanges.warc",
    "data/post.json",
    "data/private.json",
    "data/capture.json",
)
"""What the conversion makes from the rest of the work folder."""


@dataclass(frozen=True)
class Unfinished:
    """A work folder, as a list shows it.

    Attributes:
        state: ``running``, ``evidence`` (something can be sealed), ``sealed`` (only the end of the
            seal is missing) or ``empty``.
        url: empty where not even that was written down.
    """

    id: str
    state: str
    url: str
    started: datetime | None


def list_unfinished(home: Path) -> list[Unfinished]:
    """Every capture that was begun and not finished, oldest first."""
    found = []
    for capture_id in unfinished_captures(home):
        try:
            work = WorkFolder.open(home, capture_id)
        except InputError:
            found.append(Unfinished(capture_id, "running", "", None))
            continue
        asked = work.load("asked", Asked)
        state = "evidence" if work.holds_evidence else "empty"
        if asked is None:
            found.append(Unfinished(capture_id, "empty", "", None))
        else:
            if is_sealed(work):
                state = "sealed"
            found.append(Unfinished(capture_id, state, asked.request.url, asked.started))
        work.release()
    return found


def require_unfinished(home: Path, capture_id: str) -> None:
    """Look whether there is such a capture, before a user is asked for anything.

    Raises:
        InputError: there is none.
    """
    WorkFolder.require(home, capture_id)


def discard(home: Path, capture_id: str) -> None:
    """Remove a work folder with everything in it.

    Raises:
        InputError: there is none, or it is in use.
        StorageError: something could not be removed.
    """
    WorkFolder.open(home, capture_id).remove()


def recover(
    capture_id: str,
    signer: Signer,
    *,
    anchors: TrustAnchors,
    home: Path,
    progress: Progress,
    output: Path | None = None,
    clock: Clock = system_clock,
    random: Callable[[int], bytes] = secrets.token_bytes,
    passphrase: Callable[[str], bytes] | None = None,
) -> CaptureResult:
    """Seal what a killed capture had gathered, and say so in the bundle.

    Args:
        capture_id: of the work folder.
        signer: whoever finishes it; another key than at the start is told.
        anchors: whom the user trusts.
        home: the user's folder.
        progress: told the steps.
        output: another folder for the bundle than was asked for at first.
        clock: for the times of files and of the seal.
        random: gives that many random bytes.
        passphrase: asks for that of an identity; needed for a capture that was logged in where
            there is no keyring.

    Raises:
        KeyUnavailableError: the secrets of the login that was used cannot be opened; the work
            folder stays.
        InputError: there is no such capture, or it still runs.
        CaptureError: nothing had come in; the work folder is removed.
        StorageError: something cannot be written; the work folder stays.
    """
    work = WorkFolder.open(home, capture_id)
    try:
        asked = work.load("asked", Asked)
        if asked is None or not (work.holds_evidence or is_sealed(work)):
            work.remove()
            raise CaptureError(
                "nothing had come in when the program was stopped; what it left is removed",
                hint="capture the page again",
            )
        login = secrets_kept(work.secrets, passphrase or _nobody_to_ask)
        job = _Recovery(work, asked, signer, anchors, home, progress, clock, random, login)
        result = job.run(output)
    except EvidenceError:
        work.release()
        raise
    except OSError as error:
        work.release()
        raise StorageError(
            f"cannot recover {capture_id}: {(error.strerror or str(error)).lower()}",
            hint="make room on the disk and try again; nothing was removed",
        ) from error
    work.remove()
    return result


def _nobody_to_ask(identity: str) -> bytes:
    raise KeyUnavailableError(f"the passphrase of the identity {identity} is needed")


class _Recovery:
    """One recovery; holds what its steps share."""

    def __init__(
        self,
        work: WorkFolder,
        asked: Asked,
        signer: Signer,
        anchors: TrustAnchors,
        home: Path,
        progress: Progress,
        clock: Clock,
        random: Callable[[int], bytes],
        login: LoggedIn | None,
    ) -> None:
        self.login = login
        self.work = work
        self.asked = asked
        self.signer = signer
        self.home = home
        self.progress = progress
        self.clock = clock
        self.random = random
        self.tsa = TsaClient(clock, anchors=anchors)
        self.operator = operator_of(signer)

    def run(self, output: Path | None) -> CaptureResult:
        request = self.asked.request
        if is_sealed(self.work):
            self.progress.step("finishing the seal")
            record = loads((self.work.data / RECORD).read_bytes())
            names = (request.second_tsa,) if request.second_tsa else ()
            sealed = finish_seal(
                self.work,
                receipts=self.home / "receipts",
                second=stamper(self.tsa, names, self.clock) if names else None,
                progress=self.progress,
            )
            return result_of(sealed, record, request)
        if output is not None:
            request = replace(request, output=output.absolute())
        self._remove_partial()
        self.progress.step("collecting what was captured")
        self.work.forget(_MADE_AGAIN)
        gathered = salvage(self.work, self.asked)
        now = self.clock()
        delay = (now - gathered.ended).total_seconds()
        with (self.work.data / LOG).open("ab") as stream:
            stream.write(dumps_line({"time": iso(now), "event": "capture-recovered"}))
        self.progress.step("writing the archives")
        record = deliver(
            self.work,
            gathered,
            request,
            self.operator,
            clock=self.clock,
            random=self.random,
            warnings=tuple(self._remarks(delay)),
            login=self.login,
        )
        request.output.mkdir(parents=True, exist_ok=True)
        sealed = seal_capture(
            self.work,
            request,
            self.signer,
            self.operator,
            home=self.home,
            tsa=self.tsa,
            clock=self.clock,
            progress=self.progress,
            recovered_until=gathered.ended,
        )
        return result_of(sealed, record, request)

    def _remarks(self, delay: float) -> list[Note]:
        found = [
            Note(
                "capture.recovered",
                "",
                f"the program was stopped during the capture; what it had gathered was sealed "
                f"{max(delay, 0.0):.0f} s after the last step",
            )
        ]
        masked = {line["file"] for line in self.work.journal() if line["event"] == "redacted"}
        for line in self.work.journal():
            if line["event"] == "redacting" and line["file"] not in masked:
                masked.add(line["file"])
                found.append(
                    Note(
                        "redaction.list-incomplete",
                        line["file"],
                        "secrets were being masked when the program was stopped; what was masked "
                        "until then is not in the list",
                    )
                )
        return found

    def _remove_partial(self) -> None:
        """The unfinished file of an interrupted seal; nothing under such a name is evidence."""
        sealing = self.work.load("sealing", Sealing)
        if sealing is None or not sealing.target.endswith(SUFFIX):
            return
        target = Path(sealing.target)
        with suppress(OSError, JsonError):
            for path in target.parent.glob(f"{target.name}*{PARTIAL}"):
                path.unlink()
