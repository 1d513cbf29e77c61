"""The demo: the public commands, run one after the other against servers on this machine.

Nothing here has a path of its own into the program: each step is a command line that a user could
type, run in a process of its own, and its exit code is checked.
"""

from __future__ import annotations

import os
import secrets
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence_kit.core.errors import CaptureError, EvidenceError, ExitCode, StorageError
from evidence_kit.core.layout import SUFFIX, receipt_path
from evidence_kit.core.write_once import write_bytes_once
from evidence_kit.demo.site import DemoSite
from evidence_kit.demo.tsa import DemoTsa

FOLDER = "evidence-kit-demo"
HOME = "home"
OPENED = "opened"
ORGANISATION = "DEMO ziekenhuis (geen echte organisatie)"
COMMAND_SECONDS = 300
"""A step that takes longer hangs; the capture itself ends long before."""

CHANGED_WORD = b"Morgenavond"
"""Stands in the example post; the demo changes its first letter by one bit."""

MAX_FOLDERS = 100
"""Demo folders side by side; an earlier one is never touched."""

_CONFIG = """\
# Home folder of the evidence-kit DEMO: a throw-away key, example servers, no real evidence.
# The demo contacts nothing outside this machine, so it asks no time server.
ntp = []
"""


@dataclass(frozen=True)
class Step:
    """One command of the demo.

    Attributes:
        title: what it shows, one sentence.
        arguments: after ``evidence-kit``.
        expected: the exit code it must end with.
        meaning: what that exit code says, a few words.
    """

    title: str
    arguments: tuple[str, ...]
    expected: ExitCode
    meaning: str

    @property
    def command_line(self) -> str:
        """As a user would type it."""
        return "evidence-kit " + " ".join(shlex.quote(item) for item in self.arguments)


@dataclass(frozen=True)
class DemoResult:
    """Where the demo left things.

    Attributes:
        folder: everything is below it.
        bundle: the sealed file.
        changed: a copy with one changed bit.
        opened: folder with the bundle's files taken out.
        certificate, tsa_root: what was trusted by hand in the last step.
    """

    folder: Path
    bundle: Path
    changed: Path
    opened: Path
    certificate: Path
    tsa_root: Path

    @property
    def receipt(self) -> Path:
        """What was noted outside the bundle."""
        return receipt_path(self.bundle)


def new_folder(parent: Path) -> Path:
    """Make ``evidence-kit-demo`` or, where that exists, ``evidence-kit-demo-2`` and so on.

    Raises:
        StorageError: none could be made.
    """
    for number in range(1, MAX_FOLDERS + 1):
        folder = parent / (FOLDER if number == 1 else f"{FOLDER}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise StorageError(
                f"cannot make {folder}: {error.strerror}", hint="choose a folder with --output"
            ) from error
        return folder
    raise StorageError(f"{MAX_FOLDERS} demo folders in {parent}", hint="remove the old ones")


def run_demo(parent: Path, *, announce: Callable[[Step], None]) -> DemoResult:
    """Run the whole demo below a new folder in ``parent``.

    Args:
        parent: where the folder is made.
        announce: told each step before it runs; the step's own output goes to the terminal.

    Raises:
        CaptureError: a step ended differently from what it shows.
        StorageError: the folder could not be written.
    """
    folder = new_folder(parent)
    home = folder / HOME
    home.mkdir()
    write_bytes_once(home / "config.toml", _CONFIG.encode("utf-8"))
    passphrase = secrets.token_urlsafe(16)
    runner = _Runner(folder, passphrase, announce)
    with DemoSite() as site, DemoTsa() as tsa:
        tsa_root = folder / "demo-tsa-root.pem"
        write_bytes_once(tsa_root, tsa.root_pem)
        runner.run(_identity())
        certificate = folder / "demo-signer.pem"
        write_bytes_once(certificate, runner.certificate())
        runner.run(_capture(site.address("threat"), tsa.url))
    bundle = _only(folder, "*.asice")
    changed = folder / f"changed-{bundle.name}"
    write_bytes_once(changed, _one_bit_changed(bundle.read_bytes()))
    trusted = ("--trust", certificate.name, "--tsa-trust", tsa_root.name)
    for step in (
        Step(
            "Verify it without trusting anybody: the files fit the seal, but whose is it?",
            ("verify", bundle.name),
            ExitCode.INDETERMINATE,
            "INDETERMINATE: nobody has vouched for this key",
        ),
        Step(
            "Verify it with a certificate that you were given in another way.",
            ("verify", bundle.name, *trusted),
            ExitCode.OK,
            "PASSED",
        ),
        Step(
            "Verify a copy in which a single bit was changed.",
            ("verify", changed.name, *trusted),
            ExitCode.FAILED,
            "FAILED: the change is noticed",
        ),
        Step(
            "Take the files out, to look at them.",
            ("extract", bundle.name, "--output", OPENED, *trusted),
            ExitCode.OK,
            "done",
        ),
    ):
        runner.run(step)
    opened = folder / OPENED / bundle.name.removesuffix(SUFFIX)
    return DemoResult(folder, bundle, changed, opened, certificate, tsa_root)


def _identity() -> Step:
    arguments = (
        *("identity", "create", "--name", "DEMO sleutel", "--organisation", ORGANISATION),
        *("--staff-code", "DEMO-1", "--no-trust", "--passphrase-fd", "0"),
    )
    return Step("Make a signing key. This one is a throw-away.", arguments, ExitCode.OK, "done")


def _capture(url: str, tsa: str) -> Step:
    arguments = (
        *("capture", url, "--allow-private", "--tsa", tsa),
        *("--case", "DEMO-2026-1", "--reason", "DEMO: bedreiging van een medewerker"),
        *("--passphrase-fd", "0"),
    )
    return Step("Capture a post on the example site.", arguments, ExitCode.OK, "complete")


class _Runner:
    """Runs command lines with the demo's home and passphrase."""

    def __init__(self, folder: Path, passphrase: str, announce: Callable[[Step], None]) -> None:
        self._folder = folder
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("EVIDENCE_KIT_")},
            "EVIDENCE_KIT_HOME": str(folder / HOME),
            **{k: v for k, v in os.environ.items() if k == "EVIDENCE_KIT_BROWSER"},
        }
        self._passphrase = passphrase
        self._announce = announce

    def run(self, step: Step) -> None:
        self._announce(step)
        ended = self._start(step.arguments, None)
        if ended.returncode != step.expected:
            raise CaptureError(
                f"'{step.command_line}' ended with exit code {ended.returncode} "
                f"instead of {int(step.expected)}",
                hint="run 'evidence-kit doctor' to see what does not work on this machine",
            )

    def certificate(self) -> bytes:
        ended = self._start(("identity", "show", "--pem"), subprocess.PIPE)
        if ended.returncode != ExitCode.OK:
            raise CaptureError("the demo's certificate could not be shown")
        output: bytes = ended.stdout
        return output

    def _start(
        self, arguments: Sequence[str], output: int | None
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                [sys.executable, "-m", "evidence_kit", *arguments],
                input=f"{self._passphrase}\n".encode(),
                stdout=output,
                env=self._environment,
                cwd=self._folder,
                timeout=COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CaptureError(
                f"a step of the demo took longer than {COMMAND_SECONDS} s"
            ) from error


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise EvidenceError(f"{len(found)} files {pattern} in {folder} instead of one")
    return found[0]


def _one_bit_changed(data: bytes) -> bytes:
    """The same bytes with one bit turned over: a letter of the post in the platform's answer."""
    place = data.find(CHANGED_WORD)
    if place < 0:  # the platform did not answer as it should; any other place will do
        place = len(data) // 2
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
