"""One large answer, recorded and not, and with a log that nobody reads: whose time is it?

The third side is the floor: the browser writes its network log, a loop throws it away. What lies
between that and the recorder is this program's own cost; what lies below is the browser's.
"""

from __future__ import annotations

import os
import socket
import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from benchmarks.timing import python, said
from evidence_kit.gather.chromium import find_browser

LIMIT = 6.0
"""Times the visit that is not recorded."""

LIMIT_OWN = 1.3
"""Times the visit whose log is thrown away."""

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
import os, resource, sys, tempfile, threading, time
from pathlib import Path
from evidence_kit.core.events import Silent
from evidence_kit.gather.chromium import describe
from evidence_kit.gather.driver import Driver
from evidence_kit.gather.egress import Guard
from evidence_kit.gather.page_session import PageSession
from evidence_kit.gather.page_types import PageOptions
from evidence_kit.gather.recorder import record_page
from evidence_kit.gather.time_sources import system_clock
browser, port, side = describe(Path(sys.argv[1]), "configured"), int(sys.argv[2]), sys.argv[3]
size = int(sys.argv[4])
options = PageOptions(quiet_seconds=0.1, load_seconds=300, max_seconds=600)
url, wanted = f"http://127.0.0.1:{port}/", f"bytes {size}"

def loaded(visit):
    ask = {"expression": "document.title"}
    for _ in range(6000):
        if visit.send("Runtime.evaluate", ask, seconds=60)["result"].get("value") == wanted:
            return
        time.sleep(0.05)
    raise SystemExit("the page did not get everything")

def throw_away(pipe):
    buffer = bytearray(1 << 20)
    with open(pipe, "rb", buffering=0) as stream:
        while stream.readinto(buffer):
            pass

with tempfile.TemporaryDirectory() as name, Driver() as driver:
    folder = Path(name)
    driver.playwright  # started: what is measured begins with the browser
    began = time.perf_counter()
    with Guard([("127.0.0.1", port)], Silent()) as guard:
        if side == "recorded":
            found = record_page(url, browser=browser, options=options, guard=guard,
                work=folder, log=Silent(), progress=Silent(), visit=loaded, driver=driver,
                keep=folder / "unfinished")
            large = [item for item in found.recording.exchanges if item.url.endswith("/large")]
            if large[0].response is None or large[0].response.stat().st_size < size:
                raise SystemExit("not everything was recorded")
        else:
            pipe, reader = None, None
            if side == "floor":
                pipe = folder / "log"
                os.mkfifo(pipe)
                reader = threading.Thread(target=throw_away, args=[pipe])
                reader.start()
            session = PageSession(browser, options, proxy_port=guard.port, netlog=pipe,
                clock=system_clock, log=Silent())
            driver.call(session.open(driver.playwright, folder / "profile",
                on_finished=None, buffer=0), seconds=60)
            driver.call(session.navigate(url), seconds=60)
            visit = session.visit(driver)
            visit.wait_quiet(options.quiet_seconds, options.load_seconds)
            loaded(visit)
            driver.call(session.close(), seconds=120)
            if reader is not None:
                reader.join()
    seconds = time.perf_counter() - began
unit = 20 if sys.platform == "darwin" else 10
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> unit)
"""


@dataclass(frozen=True)
class Result:
    """Median seconds of the three sides, medians of the ratios run for run, and MiB at the peak.

    Attributes:
        whole: recorded to not recorded.
        floor: log thrown away to not recorded.
        own: recorded to log thrown away.
        memory: of this program's process while it records.
    """

    recorded: float
    thrown_away: float
    not_recorded: float
    whole: float
    floor: float
    own: float
    memory: int


def measure(megabytes: int = MEGABYTES, runs: int = 3) -> Result:
    """All three in turn: from the start of the browser until it has ended."""
    path, size = str(find_browser().path), megabytes << 20
    with _site(size) as port:
        sides = ("recorded", "floor", "none")
        lines = {side: python("-c", VISIT, path, str(port), side, str(size)) for side in sides}
        said(lines["none"])  # the browser's files are in memory from here on
        told = [{side: said(lines[side]).split() for side in sides} for _ in range(runs)]
    times = [tuple(float(run[side][0]) for side in sides) for run in told]
    memory = max(int(run["recorded"][1]) for run in told)
    recorded, floor, none = zip(*times, strict=True)
    return Result(
        recorded=statistics.median(recorded),
        thrown_away=statistics.median(floor),
        not_recorded=statistics.median(none),
        whole=statistics.median(ours / bare for ours, _, bare in times),
        floor=statistics.median(log / bare for _, log, bare in times),
        own=statistics.median(ours / log for ours, log, _ in times),
        memory=memory,
    )


@contextmanager
def _site(size: int) -> Iterator[int]:
    """A page that asks for ``size`` random bytes and counts them."""
    block = os.urandom(1 << 20)

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
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
