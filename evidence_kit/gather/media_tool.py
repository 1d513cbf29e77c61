"""yt-dlp as a second source for films: another program, fenced in, whose output is labelled so.

It runs as a process of its own with none of the user's settings, cookies, plug-ins or caches, never
updates itself, starts no other program, and reaches the network through the guard's relay only. It
decides by itself what it asks and how; its exchanges are not recorded, only what it leaves behind.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from evidence_kit.core.errors import ConfigError

NAME = "yt-dlp"
PURPOSE = "media-tool"
"""Purpose of its connections in the list of contacts."""

MAX_SECONDS = 600.0
"""For everything: a film of 2 GiB at 30 Mbit/s."""
MAX_BYTES = 2 << 30
"""Of all files together; two hours as platforms serve it."""
MAX_FILES = 50
"""Files that are kept; a post has one film, rarely ten."""
MAX_LOG = 32 << 10
"""Bytes of its messages that are kept, from their end."""
POLL_SECONDS = 0.2
"""How often size and time are looked at."""
STOP_SECONDS = 10.0
"""For a killed process to be gone."""

_UNFINISHED = (".part", ".ytdl", ".temp", ".tmp")
_KEPT_VARIABLES = ("SYSTEMROOT", "SSL_CERT_FILE", "SSL_CERT_DIR", "TZ")
"""What Windows needs for sockets, and where an organisation's own authorities are."""


@dataclass(frozen=True)
class ToolRun:
    """What came of it.

    Attributes:
        version: of yt-dlp.
        arguments: the command line without the paths of this machine.
        exit_code: of the process; None where it had to be stopped.
        stopped: ``seconds`` or ``bytes`` where a bound was reached, else empty.
        files: whole files that it left.
        messages: the end of what it said.
    """

    version: str
    arguments: tuple[str, ...]
    exit_code: int | None
    stopped: str
    files: tuple[Path, ...]
    messages: str


def tool_version() -> str:
    """The installed version.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        if find_spec("yt_dlp") is not None:
            return version(NAME)
    except PackageNotFoundError:
        pass
    raise ConfigError(
        "yt-dlp is not installed",
        hint="it comes with evidence-kit[media]; where its source is: "
        'pipx install --force ".[media]"; or leave --media-tool out',
    )


def run_tool(url: str, folder: Path, relay: int, environ: Mapping[str, str]) -> ToolRun:
    """Let it fetch the films of a page, within bounds.

    Args:
        url: of the page.
        folder: empty and private; everything that it writes goes below it.
        relay: loopback port of the guard's SOCKS5 relay.
        environ: of this process; only :data:`_KEPT_VARIABLES` are handed on.

    Raises:
        ConfigError: it is not installed.
        OSError: it cannot be started.
    """
    number = tool_version()
    out, home = folder / "out", folder / "home"
    out.mkdir()
    home.mkdir()
    given = _arguments(url, relay, out, folder / "no-ffmpeg")
    log = folder / "messages.txt"
    with log.open("wb") as messages:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "yt_dlp", *given],
            cwd=out,
            env=_environment(home, environ),
            stdin=subprocess.DEVNULL,
            stdout=messages,
            stderr=subprocess.STDOUT,
        )
        try:
            stopped = _watch(process, folder)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(STOP_SECONDS)
    shown = tuple(_shown(item, folder, relay) for item in given)
    code = None if stopped else process.returncode
    text = _shown(_end_of(log), folder, relay)
    return ToolRun(number, shown, code, stopped, _finished(out), text)


def _arguments(url: str, relay: int, out: Path, nothing: Path) -> list[str]:
    return [
        *("--ignore-config", "--no-config-locations", "--no-plugin-dirs", "--no-update"),
        *("--no-cache-dir", "--no-cookies", "--no-cookies-from-browser", "--no-exec"),
        *("--no-js-runtimes", "--no-remote-components", "--downloader", "native"),
        *("--ffmpeg-location", str(nothing), "--fixup", "never"),
        *("--proxy", f"socks5h://127.0.0.1:{relay}", "--socket-timeout", "20"),
        *("--retries", "2", "--fragment-retries", "2", "--extractor-retries", "1"),
        *("--abort-on-unavailable-fragments", "--no-playlist", "--playlist-items", "1:10"),
        *("--max-filesize", str(MAX_BYTES), "--format", "bv,ba/b"),
        *("--write-info-json", "--clean-info-json", "--no-mtime", "--no-continue", "--part"),
        *("--restrict-filenames", "--windows-filenames", "--trim-filenames", "80"),
        *("--paths", str(out), "--output", "%(autonumber)03d-%(id)s.%(format_id)s.%(ext)s"),
        *("--no-progress", "--color", "no_color", "--", url),
    ]


def _environment(home: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """A home of its own, no program to be found, and no proxy but the relay."""
    spec = find_spec("yt_dlp")
    package = Path(spec.origin).parent.parent if spec is not None and spec.origin else home
    own = {name: str(home) for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA")}
    own |= {name: str(home) for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "TMPDIR", "TEMP")}
    own |= {"PATH": str(home), "PYTHONPATH": str(package), "YTDLP_NO_PLUGINS": "1"}
    own |= {"PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"}
    return own | {name: environ[name] for name in _KEPT_VARIABLES if name in environ}


def _watch(process: subprocess.Popen[bytes], folder: Path) -> str:
    """Which bound it reached, empty where it ended by itself."""
    end = time.monotonic() + MAX_SECONDS
    while True:
        try:
            process.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            if time.monotonic() > end:
                return "seconds"
            if _size(folder) > MAX_BYTES:
                return "bytes"
        else:
            return "bytes" if _size(folder) > MAX_BYTES else ""


def _size(folder: Path) -> int:
    """Bytes below a folder; files may come and go meanwhile."""
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(base, name).stat().st_size
            except OSError:
                continue
    return total


def _finished(out: Path) -> tuple[Path, ...]:
    found = sorted(
        path
        for path in out.rglob("*")
        if path.is_file() and not path.is_symlink() and not path.name.endswith(_UNFINISHED)
    )
    return tuple(path for path in found if path.stat().st_size)


def _end_of(log: Path) -> str:
    """The last :data:`MAX_LOG` bytes, from the beginning of a line where they have one.

    In the rest of a line half a path of this machine could stand, which nobody would recognise.
    """
    with log.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(size - MAX_LOG, 0))
        data = stream.read(MAX_LOG)
    if size > MAX_LOG:
        data = data.partition(b"\n")[2] or data
    return data.decode("utf-8", "replace")


def _shown(text: str, folder: Path, relay: int) -> str:
    """Without the paths of this machine and the relay's port of the moment."""
    return text.replace(str(folder), "WORK").replace(f"127.0.0.1:{relay}", "GUARD")
