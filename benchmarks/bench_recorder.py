"""A page of 53 requests, recorded and not: what the recorder itself costs, as whole processes."""

from __future__ import annotations

import http.server
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.timing import Pair, paired, process, python
from evidence_kit.gather.chromium import find_browser

LIMIT = 1.3
PARTS = 52
"""Requests beside the page itself."""

PART_BYTES = 20_000

VISIT = """\
import sys, tempfile
from pathlib import Path
from evidence_kit.core.events import Silent
from evidence_kit.gather.chromium import describe
from evidence_kit.gather.driver import Driver
from evidence_kit.gather.egress import Guard
from evidence_kit.gather.page_session import PageSession
from evidence_kit.gather.page_types import PageOptions
from evidence_kit.gather.recorder import record_page
from evidence_kit.gather.time_sources import system_clock
browser, port, recorded = describe(Path(sys.argv[1]), "configured"), int(sys.argv[2]), sys.argv[3]
url, options = f"http://127.0.0.1:{port}/", PageOptions(quiet_seconds=0.1)
with tempfile.TemporaryDirectory() as folder, Driver() as driver:
    with Guard([("127.0.0.1", port)], Silent()) as guard:
        if recorded == "yes":
            found = record_page(url, browser=browser, options=options, guard=guard,
                work=Path(folder), log=Silent(), progress=Silent(), visit=lambda visit: None,
                driver=driver)
            if len(found.recording.exchanges) < 53:
                raise SystemExit(f"only {len(found.recording.exchanges)} exchanges")
        else:
            session = PageSession(browser, options, proxy_port=guard.port, netlog=None,
                clock=system_clock, log=Silent())
            driver.call(session.open(driver.playwright, Path(folder) / "profile",
                on_finished=None, buffer=0), seconds=60)
            driver.call(session.navigate(url), seconds=60)
            session.visit(driver).wait_quiet(options.quiet_seconds, options.load_seconds)
            driver.call(session.close(), seconds=30)
"""


@contextmanager
def _site() -> Iterator[int]:
    pictures = "".join(f'<img src="/{number}.svg" width=10>' for number in range(PARTS))
    page = f"<!DOCTYPE html><link rel=icon href=data:,>{pictures}".encode()
    part = b'<svg xmlns="http://www.w3.org/2000/svg"><!--' + b"x" * PART_BYTES + b"--></svg>"

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body, kind = (page, "text/html") if self.path == "/" else (part, "image/svg+xml")
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def measure(runs: int = 5) -> Pair:
    """The same visit with and without the network log; guard, driver and watch in both."""
    path = str(find_browser().path)
    with _site() as port, tempfile.TemporaryDirectory():
        return paired(
            lambda: process(python("-c", VISIT, path, str(port), "yes")),
            lambda: process(python("-c", VISIT, path, str(port), "no")),
            runs=runs,
        )
