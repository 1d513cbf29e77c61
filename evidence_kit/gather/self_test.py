"""Does this browser's log still say what our reader reads? Tried on a page of our own.

The network log is a debugging format without a promise of stability, so it is tried against a known
answer: bytes sent by servers of this process on loopback, with and without TLS, must come back
exactly.
"""

from __future__ import annotations

import base64
import http.server
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

from evidence_kit.core.errors import EvidenceError
from evidence_kit.core.events import Silent
from evidence_kit.core.exchange import Representation
from evidence_kit.gather.chromium import BrowserFound
from evidence_kit.gather.driver import Driver
from evidence_kit.gather.egress import Guard
from evidence_kit.gather.page_types import Method, PageOptions
from evidence_kit.gather.recorder import record_page
from evidence_kit.gather.time_sources import system_clock
from evidence_kit.gather.visit import Visit

SECONDS = 40.0  # a visit of our own page takes one or two
PICTURE_SECONDS = 10.0
HANDSHAKE_SECONDS = 10.0
_PAGE = """<!DOCTYPE html><title>self-test</title><p>evidence-kit \u2713 self-test</p>
<script src="https://127.0.0.1:{port}/"></script>
"""
_SCRIPT = b"// evidence-kit self-test, inside TLS\n"
_WAYS = {
    Method.RELAY: (Method.RELAY, Method.NETLOG),
    Method.NETLOG: (Method.NETLOG,),
    Method.CDP: (),
}


@dataclass(frozen=True)
class SelfTest:
    """Outcome: what the browser is, and how it can be recorded.

    Attributes:
        why: why the way that was wanted cannot be used; empty where it can.
        method: the best way that works.
        drawn: whether letters leave a mark.
    """

    product: str
    sandbox: bool
    why: str = ""
    drawn: bool = False
    method: Method = Method.RELAY

    @property
    def exact(self) -> bool:
        """Whether pages are recorded byte for byte, in one way or the other."""
        return self.method is not Method.CDP


def self_test(
    browser: BrowserFound, driver: Driver | None = None, wanted: Method = Method.RELAY
) -> SelfTest:
    """Visit a page on loopback and compare the recorded bytes with the ones that were sent.

    Args:
        browser: to be tried.
        driver: a running one; otherwise one is started.
        wanted: the way to begin with; where it fails the next one is tried.

    Raises:
        BrowserError: the browser does not start.
    """
    tests = []
    for method in _WAYS[wanted]:
        tests.append(_try(browser, driver, method))
        if not tests[-1].why:
            return replace(tests[-1], why=tests[0].why)
    return replace(tests[0], method=Method.CDP)


def _try(browser: BrowserFound, driver: Driver | None, method: Method) -> SelfTest:
    with _folder() as folder:
        key, context = own_tls(Path(folder))
        with (
            _server(_SCRIPT, context) as tls,
            _server(_PAGE.format(port=tls.port).encode()) as page,
        ):
            with Guard([("127.0.0.1", page.port), ("127.0.0.1", tls.port)], Silent()) as guard:
                found = record_page(
                    f"http://127.0.0.1:{page.port}/",
                    browser=browser,
                    options=PageOptions(max_seconds=SECONDS, load_seconds=5.0, quiet_seconds=0.1),
                    guard=guard,
                    work=Path(folder),
                    log=Silent(),
                    progress=Silent(),
                    visit=_draw,
                    driver=driver,
                    method=method,
                    own_key=key,
                )
            test = SelfTest(found.browser.product, found.browser.sandbox, method=method)
            for server, name in ((page, "our page"), (tls, "our page's script inside TLS")):
                answers = [item for item in found.recording.exchanges if item.url == server.url]
                if not answers or answers[0].response is None:
                    return replace(test, why=f"the log holds no exchange with {name}")
                if answers[0].representation is not Representation.WIRE:
                    return replace(test, why=f"the log does not hold the bytes of {name}")
                if not server.sent or answers[0].response.read_bytes() != server.sent[0]:
                    return replace(
                        test, why=f"the recorded answer of {name} differs from the one sent"
                    )
            return replace(test, drawn=bool(found.visited))


def _folder() -> tempfile.TemporaryDirectory[str]:
    """A browser that ends may hold a file for a moment longer; on Windows that stops a removal."""
    return tempfile.TemporaryDirectory(prefix="evidence-kit-", ignore_cleanup_errors=True)


def _page(port: int) -> bytes:
    return _PAGE.format(port=port).encode("utf-8")


def own_tls(folder: Path) -> tuple[str, ssl.SSLContext]:
    """A key made now for a server of this process, and the server's side with it.

    Args:
        folder: private; gets the key.

    Returns:
        What the browser is told of it: base64 of the SHA-256 of its public half (RFC 7469 section
        2.4); and the context.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "evidence-kit self-test")])
    now = system_clock()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "tls.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.touch(mode=0o600)
    path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(sha256(public).digest()).decode("ascii"), context


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


@dataclass(frozen=True)
class _Server:
    port: int
    url: str
    sent: list[bytes]


@contextmanager
def _server(body: bytes, context: ssl.SSLContext | None = None) -> Iterator[_Server]:
    """Answers ``/`` with these bytes and keeps what it sent, head and all."""
    sent: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = body if self.path == "/" else b""
            kind = "text/html" if context is None else "text/javascript"
            head = (
                f"HTTP/1.1 {200 if found else 404} Self-Test\r\nX-Order: b\r\nx-oRDER: a\r\n"
                f"Content-Type: {kind}; charset=utf-8\r\nContent-Length: {len(found)}\r\n\r\n"
            )
            data = head.encode("ascii") + found
            if found:
                sent.append(data)
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing: the name of the argument is the base class's."""

    class Server(http.server.ThreadingHTTPServer):
        def finish_request(self, request: Any, client_address: Any) -> None:
            # In the connection's own thread: a handshake that hangs must not stop the others.
            if context is None:
                super().finish_request(request, client_address)
                return
            request.settimeout(HANDSHAKE_SECONDS)
            with context.wrap_socket(request, server_side=True) as inside:
                super().finish_request(inside, client_address)

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A browser drops connections that it opened in advance: no fault to print."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    port = server.server_address[1]
    scheme = "http" if context is None else "https"
    try:
        yield _Server(port, f"{scheme}://127.0.0.1:{port}/", sent)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
