"""Does this browser's NetLog still say what our reader reads? Tried on a page of our own.

The NetLog is a debugging format without a promise of stability, so it is tried against a known
answer: bytes sent by a server of this process on loopback must come back exactly.
"""

from __future__ import annotations

import http.server
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from evidence_kit.core.errors import EvidenceError
from evidence_kit.core.events import Silent
from evidence_kit.core.exchange import Representation
from evidence_kit.gather.chromium import BrowserFound
from evidence_kit.gather.driver import Driver
from evidence_kit.gather.egress import Guard
from evidence_kit.gather.page_types import PageOptions
from evidence_kit.gather.recorder import record_page
from evidence_kit.gather.visit import Visit

SECONDS = 40.0  # a visit of our own page takes one or two
PICTURE_SECONDS = 10.0
_BODY = "<!DOCTYPE html><title>self-test</title><p>evidence-kit \u2713 self-test</p>\n".encode()


@dataclass(frozen=True)
class SelfTest:
    """Outcome: what the browser is, and why its log cannot be used (empty when it can)."""

    product: str
    sandbox: bool
    why: str = ""
    drawn: bool = False


def self_test(browser: BrowserFound, driver: Driver | None = None) -> SelfTest:
    """Visit a page on loopback and compare the recorded bytes with the ones that were sent.

    Raises:
        BrowserError: the browser does not start.
    """
    sent: list[bytes] = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(sent))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    port = server.server_address[1]
    try:
        with (
            tempfile.TemporaryDirectory(prefix="evidence-kit-") as folder,
            Guard([("127.0.0.1", port)], Silent()) as guard,
        ):
            page = record_page(
                f"http://127.0.0.1:{port}/",
                browser=browser,
                options=PageOptions(max_seconds=SECONDS, load_seconds=5.0, quiet_seconds=0.1),
                guard=guard,
                work=Path(folder),
                log=Silent(),
                progress=Silent(),
                visit=_draw,
                driver=driver,
            )
            sandbox, product = page.browser.sandbox, page.browser.product
            found = [item for item in page.recording.exchanges if item.url.endswith(f":{port}/")]
            if not found or found[0].response is None:
                return SelfTest(product, sandbox, "the log holds no exchange with our page")
            if found[0].representation is not Representation.WIRE:
                return SelfTest(product, sandbox, "the log does not hold the bytes of the wire")
            if not sent or found[0].response.read_bytes() != sent[0]:
                return SelfTest(product, sandbox, "the logged answer differs from the one sent")
            return SelfTest(product, sandbox, drawn=bool(page.visited))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _draw(visit: Visit) -> bool:
    """Whether letters leave a mark: a machine without any font draws an empty page."""
    try:
        answer = visit.send(
            "Runtime.evaluate", {"expression": _INK, "returnByValue": True}, seconds=PICTURE_SECONDS
        )
    except EvidenceError:
        return False
    return bool(answer.get("result", {}).get("value"))


_INK = """(() => {
  const canvas = document.createElement('canvas'), pen = canvas.getContext('2d');
  pen.font = '40px sans-serif'; pen.fillText('A', 5, 50); const a = canvas.toDataURL();
  pen.clearRect(0, 0, 300, 150); pen.fillText('i', 5, 50);
  return a !== canvas.toDataURL();
})()"""


def _handler(sent: list[bytes]) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = _BODY if self.path == "/" else b""
            head = (
                f"HTTP/1.1 {200 if body else 404} Self-Test\r\nX-Order: b\r\nx-oRDER: a\r\n"
                f"Content-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            data = head.encode("ascii") + body
            if body:
                sent.append(data)
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing: the name of the argument is the base class's."""

    return Handler
