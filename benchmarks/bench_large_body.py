"""One large answer, recorded and not, plain and over TLS; and recorded by the browser's own log.

The last is what recording costs where nothing can be copied at the relay: the browser writes every
byte as base64 in JSON, which is nearly all of that time.
"""

from __future__ import annotations

import os
import socket
import ssl
import statistics
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.timing import python, said
from evidence_kit.gather.chromium import find_browser
from evidence_kit.gather.self_test import own_tls

LIMIT = 2.0
"""Times the visit that is not recorded, plain or over TLS; six were asked for."""

LIMIT_MEMORY = 150
"""MiB of this program at the peak, whatever the size of the answer."""

MEGABYTES = 300

PAGE = b"""<!DOCTYPE html><link rel=icon href=data:,><script>
fetch('/large').then(async answer => {
  const reader = answer.body.getReader();
  let bytes = 0;
  for (let part; !(part = await reader.read()).done;) bytes += part.value.length;
  document.title = 'bytes ' + bytes;
})</script>"""

VISIT = """\
import os, resource, sys, tempfile, time
from pathlib import Path
from evidence_kit.core.events import Silent
from evidence_kit.gather.chromium import describe
from evidence_kit.gather.driver import Driver
from evidence_kit.gather.egress import Guard
from evidence_kit.gather.page_session import PageSession
from evidence_kit.gather.page_types import Method, PageOptions
from evidence_kit.gather.recorder import record_page
from evidence_kit.gather.time_sources import system_clock
browser, side, size = describe(Path(sys.argv[1]), "configured"), sys.argv[2], int(sys.argv[3])
port, key = int(sys.argv[4]), sys.argv[5]
options = PageOptions(quiet_seconds=0.1, load_seconds=300, max_seconds=600)
url, wanted = f"{'https' if key else 'http'}://127.0.0.1:{port}/", f"bytes {size}"

def loaded(visit):
    ask = {"expression": "document.title"}
    for _ in range(6000):
        if visit.send("Runtime.evaluate", ask, seconds=60)["result"].get("value") == wanted:
            return
        time.sleep(0.05)
    raise SystemExit("the page did not get everything")

with tempfile.TemporaryDirectory() as name, Driver() as driver:
    folder = Path(name)
    driver.playwright  # started: what is measured begins with the browser
    began = time.perf_counter()
    with Guard([("127.0.0.1", port)], Silent()) as guard:
        if side != "none":
            method = Method.RELAY if side == "recorded" else Method.NETLOG
            found = record_page(url, browser=browser, options=options, guard=guard,
                work=folder, log=Silent(), progress=Silent(), visit=loaded, driver=driver,
                keep=folder / "unfinished", method=method, own_key=key)
            large = [item for item in found.recording.exchanges if item.url.endswith("/large")]
            if large[0].response is None or large[0].response.stat().st_size < size:
                raise SystemExit("not everything was recorded")
            if found.method is not method or found.recording.problems:
                raise SystemExit(f"recorded in another way: {found.recording.problems}")
        else:
            session = PageSession(browser, options, proxy_port=guard.port, netlog=None,
                clock=system_clock, log=Silent(), own_key=key)
            driver.call(session.open(driver.playwright, folder / "profile",
                on_finished=None, buffer=0), seconds=60)
            driver.call(session.navigate(url), seconds=60)
            visit = session.visit(driver)
            visit.wait_quiet(options.quiet_seconds, options.load_seconds)
            loaded(visit)
            driver.call(session.close(), seconds=120)
    seconds = time.perf_counter() - began
unit = 20 if sys.platform == "darwin" else 10
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> unit)
"""


@dataclass(frozen=True)
class Result:
    """Median seconds of the sides, the median of the ratios run for run, and MiB at the peak.

    Attributes:
        ratio: recorded to not recorded.
        by_log: seconds where the browser's log holds the bytes; None where that was not measured.
        by_log_ratio: the same to not recorded.
        memory: of this program's process while it records.
    """

    recorded: float
    not_recorded: float
    ratio: float
    memory: int
    by_log: float | None = None
    by_log_ratio: float | None = None


def measure(megabytes: int = MEGABYTES, runs: int = 3, *, tls: bool = False) -> Result:
    """All sides in turn: from the start of the browser until it has ended.

    Args:
        megabytes: MiB of the answer.
        runs: of each side.
        tls: over TLS; without the browser's log as a side, which takes longest.
    """
    path, size = str(find_browser().path), megabytes << 20
    sides = ("recorded", "none") if tls else ("recorded", "none", "by-log")
    with tempfile.TemporaryDirectory() as folder:
        key, context = own_tls(Path(folder)) if tls else ("", None)
        with _site(size, context) as port:
            rest = str(size), str(port), key
            lines = {side: python("-c", VISIT, path, side, *rest) for side in sides}
            said(lines["none"])  # the browser's files are in memory from here on
            told = [{side: said(lines[side]).split() for side in sides} for _ in range(runs)]
    seconds = {side: [float(run[side][0]) for run in told] for side in sides}
    ratios = {
        side: statistics.median(
            ours / bare for ours, bare in zip(seconds[side], seconds["none"], strict=True)
        )
        for side in sides
    }
    return Result(
        recorded=statistics.median(seconds["recorded"]),
        not_recorded=statistics.median(seconds["none"]),
        ratio=ratios["recorded"],
        memory=max(int(run["recorded"][1]) for run in told),
        by_log=None if tls else statistics.median(seconds["by-log"]),
        by_log_ratio=ratios.get("by-log"),
    )


@contextmanager
def _site(size: int, context: ssl.SSLContext | None) -> Iterator[int]:
    """A page that asks for ``size`` random bytes and counts them."""
    block = os.urandom(1 << 20)

    def serve(given: socket.socket) -> None:
        with given, suppress(OSError):  # a browser drops connections that it opened in advance
            if context is None:
                answer(given)
                return
            with context.wrap_socket(given, server_side=True) as inside:
                answer(inside)

    def answer(connection: socket.socket) -> None:
        received = b""
        while part := connection.recv(65536):
            received += part
            head, found, rest = received.partition(b"\r\n\r\n")
            if not found:
                continue
            received = rest
            large = head.split()[1] == b"/large"
            kind = b"application/octet-stream" if large else b"text/html"
            length = size if large else len(PAGE)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
                % (kind, length)
            )
            if not large:
                connection.sendall(PAGE)
                continue
            for left in range(length, 0, -len(block)):
                connection.sendall(block[:left])

    def listen() -> None:
        with suppress(OSError):  # closed: the measurement is over
            while True:
                connection, _ = server.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=listen, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
