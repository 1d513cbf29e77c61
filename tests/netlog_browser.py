"""Runs the browser of this machine with its network log switched on."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import sync_playwright

from tests.processes import kill_group

NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    "--ignore-certificate-errors",
    "--remote-debugging-port=0",
    "--net-log-capture-mode=Everything",
)


def find_browser() -> str:
    """The browser's path; a test that needs one fails where there is none."""
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return found
    raise AssertionError("no browser found: run `evidence-kit setup` or install chromium")


def record(
    url: str, log: Path, finished: Callable[[], bool], *flags: str, sudden: bool = False
) -> None:
    """Load ``url`` until ``finished()`` says so, writing the log to ``log``.

    ``sudden`` kills the browser instead of asking it to end.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [
                find_browser(),
                *FLAGS,
                f"--user-data-dir={profile}",
                f"--log-net-log={log}",
                *flags,
                url,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            assert finished(), "the page did not finish in time"
            time.sleep(0.5)  # the last answer is still on its way into the log
            if not sudden:
                _close(Path(profile))
                process.wait(20)
        finally:
            kill_group(process)
            process.wait(20)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _socks(client: socket.socket) -> None:
    """One SOCKS5 CONNECT (RFC 1928) without authentication."""
    with client, suppress(OSError, ValueError):
        client.settimeout(20)
        _, count = client.recv(2)
        client.recv(count)
        client.sendall(b"\x05\x00")
        _, _, _, kind = client.recv(4)
        if kind == 3:
            host = client.recv(client.recv(1)[0]).decode()
        else:
            size, family = (4, socket.AF_INET) if kind == 1 else (16, socket.AF_INET6)
            host = socket.inet_ntop(family, client.recv(size))
        port = int.from_bytes(client.recv(2), "big")
        with socket.create_connection((host, port), 5) as server:
            client.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
            back = threading.Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            _pump(client, server)
            back.join(20)


@contextmanager
def socks_proxy() -> Iterator[int]:
    """A SOCKS5 relay on a free port of 127.0.0.1."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    running: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            running.append(threading.Thread(target=_socks, args=(client,), daemon=True))
            running[-1].start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for each in (thread, *running):
            each.join(5)


def _close(profile: Path) -> None:
    """Ask the browser to end, so that it writes its log to the end.

    A signal to the group would reach the network process too, which then drops what it has not
    written yet.
    """
    port, path = (profile / "DevToolsActivePort").read_text(encoding="ascii").split()
    with sync_playwright() as driver:
        browser = driver.chromium.connect_over_cdp(f"ws://127.0.0.1:{port}{path}")
        with suppress(PlaywrightError):  # the answer may come after the end of the connection
            browser.new_browser_cdp_session().send("Browser.close")
