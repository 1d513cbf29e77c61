"""Get a browser where there is none: Playwright's download, then the system's own packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from evidence_kit.core.errors import BrowserError
from evidence_kit.core.events import Progress
from evidence_kit.gather.chromium import BrowserFound, find_browser, is_root

DOWNLOAD_SECONDS = 300.0  # 110 MB over a slow office line; a blocked one fails or hangs
PACKAGE_SECONDS = 600.0  # 25 s on a good mirror
FONTS = ("fonts-dejavu-core", "fonts-noto-color-emoji")
"""With the browser, so that text and emoji are drawn as signs rather than as boxes."""

HINT = (
    "Debian or Ubuntu: 'apt-get install chromium-headless-shell' or 'chromium' as root; "
    "Windows and macOS: install Chrome, or use the Edge that is there; "
    "or set EVIDENCE_KIT_BROWSER to the path of a browser"
)

DRIVER_PACKAGE = "libatomic1"
"""The one library that Playwright's own program needs and a minimal Debian lacks."""
DRIVER_HINT = (
    f"Debian or Ubuntu: 'apt-get install {DRIVER_PACKAGE}' as root; "
    "elsewhere: reinstall the package 'playwright'"
)
MAX_SAID = 64 << 10  # bytes; the reason of a failure stands near the end
DRIVER_SECONDS = 60.0  # it prints its version in under a second


@dataclass(frozen=True)
class Attempt:
    """One way that was tried; ``why`` says what went wrong, empty where it worked."""

    way: str
    why: str = ""


def install_browser(
    progress: Progress,
    environment: Mapping[str, str] = os.environ,
    *,
    download_seconds: float = DOWNLOAD_SECONDS,
) -> tuple[BrowserFound, tuple[Attempt, ...]]:
    """Try each way in turn until a browser is found.

    Raises:
        BrowserError: none worked; the message names what was tried.
    """
    attempts: list[Attempt] = []
    for way, commands, seconds in _ways(environment, download_seconds):
        progress.step(f"installing a browser: {way}")
        why = _run_all(commands, seconds, environment)
        if not why:
            try:
                found = find_browser(environment=environment)
            except BrowserError as error:
                why = error.message
            else:
                return found, (*attempts, Attempt(way))
        attempts.append(Attempt(way, why))
    tried = "; ".join(f"{item.way}: {item.why}" for item in attempts) or "nothing could be tried"
    raise BrowserError(f"no browser could be installed ({tried})", hint=HINT)


def ensure_driver(progress: Progress, environment: Mapping[str, str] = os.environ) -> None:
    """Make sure that Playwright's own program starts; install what it lacks where that may be.

    Raises:
        BrowserError: it does not start; the message holds its own words.
    """
    version = [sys.executable, "-m", "playwright", "--version"]
    why = _run_all([version], DRIVER_SECONDS, environment)
    apt = _apt(environment)
    if why and apt:
        progress.step(f"installing what the browser driver needs: {DRIVER_PACKAGE}")
        install = [apt, "install", "-y", "--no-install-recommends", DRIVER_PACKAGE]
        _run_all([[apt, "update"], install], PACKAGE_SECONDS, environment)
        why = _run_all([version], DRIVER_SECONDS, environment)
    if why:
        raise BrowserError(f"the browser driver does not start: {why}", hint=DRIVER_HINT)


def _apt(environment: Mapping[str, str]) -> str | None:
    """The system's package manager, where this user may use it."""
    return shutil.which("apt-get", path=environment.get("PATH")) if is_root() else None


def _ways(
    environment: Mapping[str, str], download_seconds: float
) -> list[tuple[str, list[Sequence[str]], float]]:
    install = [sys.executable, "-m", "playwright", "install", "--only-shell", "chromium"]
    ways: list[tuple[str, list[Sequence[str]], float]] = [
        ("download by Playwright", [install], download_seconds)
    ]
    apt = _apt(environment)
    if apt:
        get = [apt, "install", "-y", "--no-install-recommends"]
        ways += [
            (
                f"Debian package {package}",
                [[apt, "update"], [*get, package, *FONTS]],
                PACKAGE_SECONDS,
            )
            for package in ("chromium-headless-shell", "chromium")
        ]
    return ways


def _read(stream: IO[bytes]) -> bytes:
    """The end of what a program wrote."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(size - MAX_SAID, 0))
    return stream.read(MAX_SAID)


def _run_all(commands: list[Sequence[str]], seconds: float, environment: Mapping[str, str]) -> str:
    for command in commands:
        # Files, not pipes: a program that it started may live on, and on Windows the end of a pipe
        # is waited for without a limit.
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            try:
                done = subprocess.run(
                    list(command),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=errors,
                    timeout=seconds,
                    check=False,
                    env={**environment, "DEBIAN_FRONTEND": "noninteractive"},
                )
            except subprocess.TimeoutExpired:
                return f"not done within {seconds:.0f} seconds"
            except OSError as error:
                return str(error.strerror)
            said = _read(errors) or _read(output)
        if done.returncode != 0:
            text = said.decode("utf-8", "replace").strip().splitlines()
            why = next((line.strip() for line in text if "rror" in line), text[-1] if text else "")
            return f"ended with code {done.returncode}: {why[:160]}"
    return ""
