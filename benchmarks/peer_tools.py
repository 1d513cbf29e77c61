"""Other tools that keep a web page, installed with pinned versions outside this environment.

Each is run as its own documentation shows first, with the same browser program where it takes one.
What cannot be installed here is said in the table, never left out in silence.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from evidence_kit.gather.chromium import BrowserFound, is_root

LOCKS = Path(__file__).parent / "peers"
SECONDS = 120
"""For one run of any of them; the slowest was seen to take ten."""

INSTALL_SECONDS = 900
NOBODY = 65534
"""User that a tool runs as which refuses to run as root."""

ENVIRONMENT = ("PATH", "HOME", "LANG", "http_proxy", "https_proxy", "no_proxy")
"""What a tool gets of ours: not the options of this environment's Python."""

# The proxy refuses sites on this computer, and has no option that allows them.
WARCPROX = """\
from warcprox.main import main
from warcprox.warcproxy import WarcProxyHandler
WarcProxyHandler.allow_localhost = True
main()
"""


class MissingError(Exception):
    """A tool cannot be had or used on this machine; the text says why."""


@dataclass(frozen=True)
class Tool:
    """One tool: its name with its version, and how it keeps an address in an empty folder."""

    name: str
    keep: Callable[[str, Path], None]


def peers(browser: BrowserFound) -> dict[str, Callable[[], Tool]]:
    """By name, what installs each tool; it raises :class:`MissingError` where it cannot."""
    return {
        "wget": _wget,
        "single-file-cli": partial(_single_file, browser),
        "warcprox": partial(_warcprox, browser),
        "ArchiveBox": partial(_archivebox, browser),
    }


def _cache() -> Path:
    """Outside the working tree and readable by others, for the tool that runs as nobody."""
    folder = Path(tempfile.gettempdir()) / "evidence-kit-bench-peers"
    folder.mkdir(mode=0o755, exist_ok=True)
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        raise MissingError(f"{folder} belongs to somebody else")
    return folder


def _wget() -> Tool:
    program = _program("wget")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    version = re.search(r"\d+(\.\d+)+", said.stdout)

    def keep(url: str, folder: Path) -> None:
        command = [program, "--quiet", "--page-requisites", f"--warc-file={folder / 'page'}"]
        # 8: the site answered an error to one of them, here to robots.txt
        _run([*command, f"--directory-prefix={folder / 'files'}", url], folder, good=(0, 8))

    return Tool(f"wget {version[0] if version else ''} --warc-file", keep)


def _single_file(browser: BrowserFound) -> Tool:
    program = _node_packages() / "node_modules" / ".bin" / "single-file"

    def keep(url: str, folder: Path) -> None:
        command = [str(program), f"--browser-executable-path={browser.binary}"]
        if is_root():
            command += ["--browser-args", '["--no-sandbox"]']
        _run([*command, url, str(folder / "page.html")], folder)

    return Tool(f"single-file-cli {_pinned('package.json', 'single-file-cli')}", keep)


def _warcprox(browser: BrowserFound) -> Tool:
    python = _environment("warcprox") / "bin" / "python"

    def keep(url: str, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        files = {"--cacert": "ca.pem", "--certs-dir": "certs", "--stats-db-file": "stats.db"}
        command = [str(python), "-c", WARCPROX, "--port", str(port), "--dir", str(folder / "warc")]
        for option, name in files.items():
            command += [option, str(folder / "proxy" / name)]
        (folder / "proxy").mkdir()
        quiet = subprocess.DEVNULL
        proxy = subprocess.Popen(
            [*command, "--dedup-db-file=/dev/null"], stdout=quiet, stderr=quiet
        )
        try:
            _wait_for(port)
            look = [str(browser.binary), f"--proxy-server=http://127.0.0.1:{port}"]
            look += ["--headless", "--proxy-bypass-list=<-loopback>", "--virtual-time-budget=5000"]
            look += ["--no-sandbox"] if is_root() else []
            _run([*look, f"--screenshot={folder / 'screenshot.png'}", url], folder)
        finally:
            proxy.terminate()
            proxy.wait(SECONDS)
        shutil.rmtree(folder / "proxy")

    return Tool(f"warcprox {_pinned('warcprox.lock', 'warcprox')} with Chromium", keep)


def _archivebox(browser: BrowserFound) -> Tool:
    program = _environment("archivebox") / "bin" / "archivebox"
    single = _node_packages() / "node_modules" / ".bin" / "single-file"
    user = (
        [_program("setpriv"), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        if is_root()
        else []
    )
    settings = {
        "CHROME_BINARY": str(browser.binary),
        "SINGLEFILE_BINARY": str(single),
        # Both ask others about the address: Google and the Internet Archive.
        "SAVE_FAVICON": "False",
        "SAVE_ARCHIVE_DOT_ORG": "False",
    }

    def keep(url: str, folder: Path) -> None:
        folder.chmod(0o777)
        more = {**settings, "HOME": str(folder), "USER": "nobody"} if user else settings
        _run([*user, str(program), "init", "--quick"], folder, more)
        _run([*user, str(program), "add", url], folder, more)

    return Tool(f"ArchiveBox {_pinned('archivebox.lock', 'archivebox')}", keep)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise MissingError(f"{name} is not installed")
    return found


def _pinned(file: str, package: str) -> str:
    text = (LOCKS / file).read_text("utf-8")
    found = re.search(rf'"?{package}(?:==|": ")([\w.]+)', text, re.MULTILINE)
    return found[1] if found else ""


def _environment(name: str) -> Path:
    """A virtual environment of the locked packages, made once per lock file."""
    lock = LOCKS / f"{name}.lock"
    folder = _stamped(name, lock)
    if not (folder / "done").exists():
        # The system's own Python: others may have to read it.
        python = shutil.which("python3", path="/usr/bin:/usr/local/bin") or _program("python3")
        shutil.rmtree(folder, ignore_errors=True)
        _install([python, "-m", "venv", str(folder)], folder.parent)
        install_all = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        _install([*install_all, "--require-hashes", "-r", str(lock)], folder)
        (folder / "done").touch()
    return folder


def _node_packages() -> Path:
    npm = _program("npm")
    folder = _stamped("node", LOCKS / "package-lock.json")
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(LOCKS / name, folder / name)
        _install([npm, "ci", "--ignore-scripts", "--silent"], folder)
        (folder / "done").touch()
    return folder


def _stamped(name: str, lock: Path) -> Path:
    return _cache() / f"{name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"


def _install(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["it does not say why"]
        raise MissingError(f"cannot be installed: {last[0]}")


def _run(
    command: Sequence[str],
    folder: Path,
    more: Mapping[str, str] | None = None,
    good: Sequence[int] = (0,),
) -> None:
    kept = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**kept, **(more or {})},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise MissingError(f"did not end within {SECONDS} seconds") from error
    if done.returncode not in good:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it does not say why"]
        raise MissingError(f"ended with code {done.returncode}: {last[0][:200]}")


def _wait_for(port: int) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise MissingError("the proxy did not start")
