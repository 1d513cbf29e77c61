"""Find a Chromium-family browser, say exactly which one it is, and start it.

Order of the search: what the user configured; Playwright's own downloads (made for this driver);
then what the system has, headless shells first because they start fastest and call nobody.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from evidence_kit.core.digests import sha256_file
from evidence_kit.core.errors import BrowserError

VARIABLE = "EVIDENCE_KIT_BROWSER"
VERSION_SECONDS = 20.0  # a cold start from a slow disk takes a few seconds
WRAPPER_BYTES = 64 << 10  # distributions' start scripts are under 10 KiB
ACCEPT_ENCODING = "gzip, deflate, br"
"""What the browser is told to accept: replay tools cannot decode zstd (docs/decisions)."""

_SYSTEM: str = sys.platform  # as plain text: the type checker looks at every branch
_NAMES = (
    "chromium-headless-shell",
    "chrome-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "microsoft-edge-stable",
    "microsoft-edge",
)
_LINUX = (
    "/usr/bin/chromium-headless-shell",
    "/usr/bin/chromium",
    "/snap/bin/chromium",
    "/opt/google/chrome/chrome",
    "/opt/microsoft/msedge/msedge",
)
_MACOS = (
    "Google Chrome.app/Contents/MacOS/Google Chrome",
    "Chromium.app/Contents/MacOS/Chromium",
    "Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
_WINDOWS = (
    "Google/Chrome/Application/chrome.exe",
    "Chromium/Application/chrome.exe",
    "Microsoft/Edge/Application/msedge.exe",
)
_DOWNLOADS = (
    "chromium_headless_shell-*/chrome-*/headless_shell",
    "chromium_headless_shell-*/chrome-*/headless_shell.exe",
    "chromium_headless_shell-*/chrome-*/chrome-headless-shell",
    "chromium_headless_shell-*/chrome-*/chrome-headless-shell.exe",
    "chromium-*/chrome-linux*/chrome",
    "chromium-*/chrome-win*/chrome.exe",
    "chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
)
_VERSION = re.compile(r"\d{2,4}(?:\.\d+){1,3}")
_REVISION = re.compile(r"-(\d+)$")


@dataclass(frozen=True)
class BrowserFound:
    """A browser that can be started.

    Attributes:
        path: what is started; may be a distribution's start script.
        binary: the program that really runs; equal to ``path`` unless that is a script.
        product: ``chromium``, ``chromium-headless-shell``, ``google-chrome`` or ``microsoft-edge``.
        version: as in ``131.0.6778.85``; empty where only the running browser can tell.
        origin: ``configured``, ``playwright`` or ``system``.
    """

    path: Path
    binary: Path
    product: str
    version: str
    origin: str

    @property
    def headless_only(self) -> bool:
        """A headless shell cannot open a window."""
        return "headless" in self.product

    def sha256(self) -> str:
        """SHA-256 of the program that really runs; reads some 200 MB, in 0.2 s.

        Raises:
            BrowserError: it cannot be read.
        """
        try:
            return sha256_file(self.binary)
        except OSError as error:
            raise BrowserError(
                f"cannot read the browser {self.binary}: {error.strerror}"
            ) from error


def find_browser(configured: str = "", environment: Mapping[str, str] = os.environ) -> BrowserFound:
    """The first usable browser in the stated order.

    Args:
        configured: path from the settings; the environment variable comes before it.
        environment: process environment.

    Raises:
        BrowserError: none was found, or the configured one cannot be used.
    """
    chosen = environment.get(VARIABLE) or configured
    if chosen:
        path = Path(chosen).expanduser()
        if not _usable(path):
            raise BrowserError(
                f"the configured browser {path} is not a program that can be started",
                hint=f"correct the setting 'browser' or {VARIABLE}, or remove it",
            )
        return describe(path, "configured")
    for path, origin in _candidates(environment):
        if _usable(path):
            try:
                return describe(path, origin)
            except BrowserError:  # broken installation: the next one may be whole
                continue
    raise BrowserError(
        "no Chrome, Chromium, Edge or headless shell was found",
        hint="run 'evidence-kit setup', or name one with the setting 'browser'",
    )


def find_window_browser(
    configured: str = "", environment: Mapping[str, str] = os.environ
) -> BrowserFound:
    """The first browser that can open a window: for a person, not for a capture.

    A configured headless shell is passed over: it is the right one for captures.

    Raises:
        BrowserError: there is none, or no screen to open a window on.
    """
    if _SYSTEM == "linux" and not any(
        environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    ):
        raise BrowserError(
            "there is no screen to open a window on",
            hint="run this where you see a desktop; over SSH a window needs 'ssh -X'",
        )
    chosen = environment.get(VARIABLE) or configured
    given = [(Path(chosen).expanduser(), "configured")] if chosen else []
    for path, origin in (*given, *_candidates(environment)):
        if _usable(path) and "headless" not in path.name:
            try:
                found = describe(path, origin)
            except BrowserError:
                continue
            if not found.headless_only:
                return found
    raise BrowserError(
        "no browser that can open a window was found; a headless shell cannot",
        hint="install Chrome, Chromium or Edge (Debian: 'apt-get install chromium' as root), "
        f"or name one with {VARIABLE}",
    )


def describe(path: Path, origin: str) -> BrowserFound:
    """Product, version and real binary of the browser at ``path``.

    Raises:
        BrowserError: it does not start, or is not of the Chromium family.
    """
    path = path.absolute()
    binary = real_binary(path)
    text = _said_version(path)
    product = _product(path, text)
    if not product:
        raise BrowserError(
            f"{path} does not say that it is Chrome, Chromium or Edge",
            hint="only browsers of the Chromium family can be recorded",
        )
    found = _VERSION.search(text)
    return BrowserFound(path, binary, product, found[0] if found else "", origin)


def real_binary(path: Path) -> Path:
    """Follow links, and a start script to the program of the same name that it starts."""
    resolved = path.resolve()
    try:
        with resolved.open("rb") as stream:
            head = stream.read(WRAPPER_BYTES)
    except OSError:
        return resolved
    if not head.startswith(b"#!"):
        return resolved
    names = {path.name, resolved.name, "chrome", "chromium", "msedge"}
    text = head.decode("utf-8", "replace")
    named = [Path(item) for item in re.findall(r"(?<![\w$}])/[\w./+-]+", text)]
    named += [Path("/usr/lib") / folder / path.name for folder in ("chromium", "chromium-browser")]
    for item in [*named, resolved.parent / "chrome", resolved.parent / "msedge"]:
        if item.name in names and item != resolved and _is_program(item):
            return item.resolve()
    return resolved


def running_binary(pid: int) -> Path | None:
    """The program behind a process id, as the kernel says; only Linux tells."""
    link = Path(f"/proc/{pid}/exe")
    try:
        return link.readlink()
    except OSError:
        return None


def running_command_line(pid: int) -> tuple[str, ...]:
    """The full command line of a process, empty where the system does not tell."""
    try:
        data = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ()
    return tuple(item.decode("utf-8", "replace") for item in data.split(b"\0") if item)


def is_root() -> bool:
    """Chromium's sandbox refuses to work for root; never so on Windows."""
    getter = getattr(os, "geteuid", None)
    return getter is not None and getter() == 0


def _candidates(environment: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    for path in _downloaded(environment):
        yield path, "playwright"
    for name in _NAMES:
        found = shutil.which(name, path=environment.get("PATH"))
        if found:
            yield Path(found), "system"
    if _SYSTEM == "win32":
        for variable in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"):
            if variable in environment:
                for item in _WINDOWS:
                    yield Path(environment[variable]) / item, "system"
    elif _SYSTEM == "darwin":
        for folder in (Path("/Applications"), Path.home() / "Applications"):
            for item in _MACOS:
                yield folder / item, "system"
    else:
        for item in _LINUX:
            yield Path(item), "system"


def _downloaded(environment: Mapping[str, str]) -> list[Path]:
    """Playwright's downloads, headless shells first, newest revision first."""
    folder = _download_folder(environment)
    found = [path for pattern in _DOWNLOADS for path in folder.glob(pattern)]

    def rank(path: Path) -> tuple[bool, int]:
        top = path.relative_to(folder).parts[0]
        revision = _REVISION.search(top)
        return "headless" not in top, -int(revision[1]) if revision else 0

    return sorted(found, key=rank)


def _download_folder(environment: Mapping[str, str]) -> Path:
    given = environment.get("PLAYWRIGHT_BROWSERS_PATH")
    if given and given != "0":
        return Path(given)
    if _SYSTEM == "win32":
        return Path(environment.get("LOCALAPPDATA", str(Path.home()))) / "ms-playwright"
    if _SYSTEM == "darwin":
        return Path.home() / "Library" / "Caches" / "ms-playwright"
    cache = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "ms-playwright"


def _usable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _is_program(path: Path) -> bool:
    """A machine program rather than another script."""
    try:
        with path.open("rb") as stream:
            return stream.read(2) != b"#!" and os.access(path, os.X_OK)
    except OSError:
        return False


def _said_version(path: Path) -> str:
    """What ``--version`` prints; on Windows, where that opens a window, the version folder."""
    if _SYSTEM == "win32":
        folders = [item.name for item in path.parent.iterdir() if _VERSION.fullmatch(item.name)]
        newest = max(folders, key=lambda text: [int(part) for part in text.split(".")], default="")
        return f"{path.stem} {newest}"
    try:
        done = subprocess.run(
            [str(path), "--version"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=VERSION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BrowserError(f"the browser {path} does not start: {error}") from error
    text = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode != 0 or not text:
        raise BrowserError(
            f"the browser {path} ends with code {done.returncode} when asked for its version",
            hint="libraries may be missing; start it by hand and read what it says",
        )
    return text


def _product(path: Path, said: str) -> str:
    text = f"{path.name} {said}".lower()
    if "headless" in text:
        return "chromium-headless-shell"
    if "edge" in text:
        return "microsoft-edge"
    if "google chrome" in text or path.stem.lower() == "chrome":
        return "google-chrome"
    return "chromium" if "chrom" in text else ""
