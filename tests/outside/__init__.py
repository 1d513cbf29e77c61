"""Other people's tools, installed by the tests themselves; a missing tool is a failure."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
LOCK = HERE / "requirements.lock"
VENV = ROOT / ".venv-tools"

DEBIAN_PACKAGES = {
    "Xvfb": "xvfb",
    "certutil": "libnss3-tools",
    "chromium": "chromium",
    "g++": "g++",
    "make": "make",
    "openssl": "openssl",
    "unzip": "unzip",
    "xdotool": "xdotool",
}
"""Command → Debian package, for what is not a Python package."""


def python_tool(name: str) -> Path:
    """Path of a tool such as ``bagit.py`` or ``wacz`` in the tools' own environment."""
    _install_environment()
    folder = VENV / ("Scripts" if os.name == "nt" else "bin")
    for candidate in (folder / name, folder / f"{name}.exe"):
        if candidate.exists():
            return candidate
    raise FileNotFoundError(f"{name} is not among the outside tools in {folder}")


def system_tool(name: str) -> str:
    """Path of a system command such as ``openssl``; installed with apt where that is allowed.

    Raises:
        FileNotFoundError: not there and not installable; the test that asked fails.
    """
    found = shutil.which(name)
    if found is None and shutil.which("apt-get") and getattr(os, "geteuid", lambda: 1)() == 0:
        subprocess.run(["apt-get", "update", "-qq"], check=True, timeout=300)
        package = DEBIAN_PACKAGES[name]
        subprocess.run(["apt-get", "install", "-y", "-qq", package], check=True, timeout=300)
        found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is needed by the tests: install {DEBIAN_PACKAGES[name]}")
    return found


def _install_environment() -> None:
    """Make the tools' environment once per lock file; safe with tests running side by side."""
    stamp = VENV / f".{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}"
    if stamp.exists():
        return
    with Lock(ROOT / ".cache" / "outside.lock"):
        if stamp.exists():
            return
        shutil.rmtree(VENV, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True, timeout=120)
        python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "--require-hashes", "-r", str(LOCK)], check=True, timeout=600)
        stamp.touch()


class Lock:
    """A lock between test processes: a folder, which only one can make."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        import time

        self._path.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + 600
        while True:
            try:
                self._path.mkdir()
                return
            except FileExistsError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{self._path} is held; remove it if no test runs") from None
                time.sleep(0.2)

    def __exit__(self, *exc: object) -> None:
        self._path.rmdir()
