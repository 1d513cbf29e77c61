"""What the real servers of the tests share: running installers, finding ports, waiting."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache"
INSTALL_SECONDS = 600
START_SECONDS = 60


class MissingServerError(Exception):
    """A server cannot be installed or started; the tests that need it fail with this."""


def run(
    command: Sequence[str],
    what: str,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a command to its end and give what it printed.

    Raises:
        MissingServerError: it failed; the text begins with ``what``.
    """
    try:
        ended = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingServerError(f"{what}: {' '.join(command[:4])}: {error}") from error
    if ended.returncode != 0:
        shown = (ended.stderr or ended.stdout)[-1500:]
        raise MissingServerError(f"{what}: {' '.join(command[:4])}: {shown}")
    return ended.stdout


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


@contextmanager
def started(
    command: Sequence[str],
    log: Path,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A program while the block runs; its words go to a file."""
    with (
        log.open("wb") as stream,
        subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_for(url: str, process: subprocess.Popen[bytes], what: str, log: Path) -> None:
    """Wait until an address answers.

    Raises:
        MissingServerError: the program ended, or never answers.
    """
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise MissingServerError(f"{what} does not start: {log.read_text('utf-8', 'replace')[-1500:]}")
