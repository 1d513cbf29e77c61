"""A whole visit against what passed the site's sockets: every kind of exchange, both ways."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from evidence_kit.core.exchange import Representation
from evidence_kit.gather import page_session
from evidence_kit.gather.cdp_watch import CdpWatch
from evidence_kit.gather.page_types import Method, PageRecording
from evidence_kit.seal.netlog import NetLogReader
from tests.fixtures_page import FAST, Record, browser, driver, record, site
from tests.netlog_site import (
    Reply,
    Route,
    Site,
    chunked,
    example_routes,
    reply,
    run_site,
    tls_context,
)
from tests.netlog_site_h2 import Http2Seen, serve_http2
from tests.page_site import PageSite
from tests.test_netlog import compare, wait_until

__all__ = ["browser", "driver", "record", "site"]

pytestmark = [pytest.mark.browser, pytest.mark.slow]

both_ways = pytest.mark.parametrize(
    "method", [Method.RELAY, Method.NETLOG], ids=["bytes from the relay", "bytes from the log"]
)

LONG = replace(FAST, quiet_seconds=0.5, load_seconds=12.0)

DEEP = b"""<!doctype html><title>diep</title><body><script>
const other = location.href.includes('localhost') ? '127.0.0.1' : 'localhost';
const text = url => fetch(url).then(r => r.text()).catch(() => 'failed');
const said = () => new Promise(ready => { addEventListener('message', ready, {once: true}); });
(async () => {
  const frame = document.createElement('iframe');
  frame.src = location.protocol + '//' + other + ':' + location.port + '/frame';
  const loaded = new Promise(ready => frame.onload = ready);
  document.body.append(frame); await loaded;
  await new Promise(ready => { const w = new Worker('/worker.js'); w.onmessage = ready; });
  await new Promise(ready => { const w = new SharedWorker('/shared.js');
    w.port.onmessage = ready; w.port.start(); });
  await navigator.serviceWorker.register('/service.js');
  await navigator.serviceWorker.ready;
  await new Promise(ready => { navigator.serviceWorker.addEventListener('controllerchange', ready);
    if (navigator.serviceWorker.controller) ready(); });
  await text('/through'); await text('/from-its-cache');
  const events = new EventSource('/events'); await new Promise(ready => events.onmessage = ready);
  events.close();
  fetch('/endless').then(r => r.body.getReader().read()).then(() => document.title = 'klaar');
})();</script>"""

SERVICE = b"""self.oninstall = event => { self.skipWaiting();
  event.waitUntil(caches.open('a').then(c => c.add('/stored'))); };
self.onactivate = event => event.waitUntil(self.clients.claim());
self.onfetch = event => { const url = new URL(event.request.url);
  if (url.pathname === '/through') event.respondWith(fetch('/behind'));
  if (url.pathname === '/from-its-cache') event.respondWith(caches.match('/stored')); };"""


def deep_routes() -> dict[str, Route]:
    script, html = [("Content-Type", "text/javascript")], [("Content-Type", "text/html")]
    events = [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")]
    endless = [("Content-Type", "text/plain"), ("Transfer-Encoding", "chunked")]
    stream = reply("200 OK", events, length=False).raw
    never = reply("200 OK", endless, length=False).raw
    shared = b"onconnect = e => fetch('/from-shared').then(() => e.ports[0].postMessage(1))"
    answers = {
        "/deep": reply("200 OK", html, DEEP),
        "/frame": reply("200 OK", html, b"<p>van elders<img src=/in-frame.png>"),
        "/in-frame.png": reply("404 Weg", html, b"weg"),
        "/worker.js": reply("200 OK", script, b"fetch('/from-worker').then(() => postMessage(1))"),
        "/from-worker": reply("200 OK", html, b"uit de werker"),
        "/shared.js": reply("200 OK", script, shared),
        "/from-shared": reply("200 OK", html, b"uit de gedeelde werker"),
        "/service.js": reply("200 OK", script, SERVICE),
        "/stored": reply("200 OK", html, b"bewaard"),
        "/behind": reply("200 OK", html, b"achter de werker"),
        "/events": Reply(stream + chunked(b"data: een\n\ndata: twee\n\n", end=False)),
        "/endless": Reply(never + chunked(b"druppel " * 200, end=False)),
    }
    return {path: (lambda _, answer=answer: answer) for path, answer in answers.items()}  # type: ignore[misc]


@pytest.fixture
def trusted_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes TLS contexts whose key the browser accepts, so that caches and workers work."""

    def context(alpn: list[str]) -> Any:
        found, der = tls_context(tmp_path, alpn=alpn)
        key = x509.load_der_x509_certificate(der).public_key()
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        pin = base64.b64encode(hashlib.sha256(spki).digest()).decode()
        original = page_session.launch_flags
        flag = f"--ignore-certificate-errors-spki-list={pin}"
        monkeypatch.setattr(page_session, "launch_flags", lambda *given: (*original(*given), flag))
        return found

    return context


def both(port: int) -> tuple[tuple[str, int], ...]:
    return (("localhost", port), ("127.0.0.1", port))


@both_ways
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_every_http1_exchange_of_a_visit(
    record: Record, trusted_site: Any, tls: bool, method: Method
) -> None:
    context = trusted_site(["http/1.1"]) if tls else None
    with run_site(example_routes(), tls=context) as (served, port):
        url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/"

        def visit(_: Any) -> None:
            assert served.wait_for("/done", 20)

        found = record(url, allow=both(port), options=LONG, visit=visit, method=method)
        compare(served, found.recording)
    assert {str(item.source) for item in found.recording.exchanges} == {str(method)}
    assert found.recording.problems == ()
    assert found.problems == ()
    statuses = Counter(item.status for item in found.recording.exchanges)
    for status in (101, 200, 204, 205, 206, 302, 304, 404, 500):
        assert statuses[status], status
    early = next(item for item in found.recording.exchanges if item.url.endswith("/early"))
    assert early.response is not None
    assert early.response.read_bytes().startswith(b"HTTP/1.1 103 ")
    for item in found.recording.exchanges:
        cut = any(part in item.url for part in ("/truncated", "/cutchunk", "/cutlength"))
        assert (item.truncated == "disconnect") is cut, item.url
    assert [item.url.rsplit("/", 1)[1] for item in found.recording.cached] == ["cached"]
    assert [item.url for item in found.recording.failed] == ["http://127.0.0.1:3/"]
    (socket,) = found.recording.websockets
    frames = next(seen.frames for seen in served.seen if seen.path == "/socket")
    assert (socket.sent.read_bytes(), socket.received.read_bytes()) == frames
    assert found.cross_check.only_netlog == ()
    assert found.cross_check.unexplained == 0, found.cross_check


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_workers_frames_and_streams(record: Record, trusted_site: Any, tls: bool) -> None:
    context = trusted_site(["http/1.1"]) if tls else None
    with run_site(deep_routes(), tls=context) as (served, port):
        url = f"{'https' if tls else 'http'}://localhost:{port}/deep"

        def visit(_: Any) -> None:
            assert served.wait_for("/endless", 8), [seen.path for seen in served.seen]

        found = record(url, allow=both(port), options=replace(LONG, load_seconds=4.0), visit=visit)
        paths = {seen.path for seen in served.seen}
        compare(served, found.recording)
    assert paths >= {path for path in deep_routes() if path not in ("/through", "/from-its-cache")}
    assert found.recording.problems == ()
    by_path = {item.url.rsplit("/", 1)[1]: item for item in found.recording.exchanges}
    assert found.title == "klaar"
    # Ended by the page, and by the end of the visit: neither ever came to its own end.
    assert by_path["events"].truncated == "disconnect"
    assert by_path["endless"].truncated == "disconnect"
    assert by_path["deep"].truncated is None
    assert "127.0.0.1" in by_path["in-frame.png"].url
    # The watch is attached a moment after a worker begins; what it missed is listed.
    missed = {item.url.rsplit("/", 1)[1] for item in found.cross_check.only_netlog}
    assert missed <= {"from-worker", "shared.js", "from-shared", "service.js", "stored", "behind"}
    assert found.cross_check.unexplained == 0, found.cross_check
    assert found.recording.background == 0


H2_PAGE = b"""<script>(async () => {
  const f = (u, o) => fetch(u, o).then(r => r.text()).catch(() => 0);
  await f('/early'); await f('/empty'); await f('/head', {method: 'HEAD'}); await f('/redirect');
  await f('/part', {headers: {Range: 'bytes=0-9'}}); await f('/etag');
  await f('/etag', {cache: 'no-cache'});
  const data = new FormData(); data.append('veld', 'waarde');
  data.append('bestand', new Blob([new Uint8Array(70000).fill(255)]), 'b.bin');
  await f('/multipart', {method: 'POST', body: data});
  await f(location.protocol + '//127.0.0.1:' + location.port + '/cors',
    {method: 'PUT', headers: {'X-Own': '1'}, body: '{}'});
  await new Promise(ready => { const w = new Worker('/worker.js'); w.onmessage = ready; });
  await f('/cut');
  fetch('/endless').then(r => r.body.getReader().read()).then(() => document.title = 'klaar');
})()</script>"""


@both_ways
def test_http2_in_a_visit(record: Record, trusted_site: Any, method: Method) -> None:
    def head(status: str, *more: tuple[str, str]) -> list[tuple[str, str]]:
        return [(":status", status), ("content-type", "text/html"), *more]

    early = [(":status", "103"), ("link", "</p>; rel=preconnect"), *head("200")]
    cors = [("access-control-allow-origin", "*"), ("access-control-allow-methods", "PUT")]
    cors.append(("access-control-allow-headers", "x-own"))
    tag = ("etag", '"v1"')
    script = [(":status", "200"), ("content-type", "text/javascript")]
    answers: list[tuple[str, list[tuple[str, str]], bytes, bool | None]] = [
        ("", head("200"), H2_PAGE, True),
        ("early", early, b"na de hint", True),
        ("empty", [(":status", "204")], b"", True),
        ("head", head("200", ("content-length", "4321")), b"", True),
        ("redirect", head("302", ("location", "/target")), b"een omleiding met inhoud", True),
        ("target", head("200"), b"aangekomen", True),
        ("part", head("206", ("content-range", "bytes 0-9/99")), b"0123456789", True),
        ("etag", head("200", tag, ("cache-control", "no-cache")), b"bewaar mij", True),
        ("etag", [(":status", "304"), tag], b"", True),
        ("multipart", head("200"), b"delen gezien", True),
        ("cors", [(":status", "204"), *cors], b"", True),
        ("cors", head("200", *cors), b"put gezien", True),
        ("worker.js", script, b"fetch('/from-worker').then(() => postMessage(1))", True),
        ("from-worker", head("200"), b"uit de werker", True),
        ("cut", head("200"), b"afgebroken " * 300, False),
        ("endless", head("200"), b"druppel " * 300, None),
    ]
    seen: list[Http2Seen] = []
    serve = serve_http2([answer[1:] for answer in answers], seen)
    with run_site({}, tls=trusted_site(["h2"]), serve=serve) as (_, port):

        def visit(page: Any) -> None:
            assert wait_until(lambda: len(seen) >= len(answers))

        options = replace(LONG, load_seconds=4.0)
        found = record(
            f"https://localhost:{port}/",
            allow=both(port),
            options=options,
            visit=visit,
            method=method,
        )
    exchanges = found.recording.exchanges
    assert [item.url.rsplit("/", 1)[1] for item in exchanges] == [name for name, *_ in answers]
    assert found.recording.problems == ()
    for item, answer, (name, fields, body, ends) in zip(exchanges, seen, answers, strict=True):
        assert item.representation is Representation.H2_REWRITTEN
        assert str(item.source) == str(method)
        assert item.protocols[0] == "h2"
        assert item.response is not None
        assert item.request.read_bytes().partition(b"\r\n\r\n")[2] == answer.body, name
        heads, _, got = item.response.read_bytes().rpartition(b"\r\n\r\n")
        lines = [line for line in heads.split(b"\r\n") if line]
        want = [
            f"HTTP/1.1 {value} ".encode() if field == ":status" else f"{field}: {value}".encode()
            for field, value in fields
        ]
        assert lines == want, name
        if ends:
            assert got == body, name
        assert item.truncated == (None if ends else "disconnect"), name
    assert b'filename="b.bin"' in seen[9].body
    assert found.cross_check.unexplained == 0, found.cross_check


def listed(found: PageRecording[Any]) -> tuple[set[str], set[str]]:
    """Paths that only one side knows."""
    sides = found.cross_check.only_netlog, found.cross_check.only_cdp
    one, other = ({item.url.rsplit("/", 1)[1] for item in side} for side in sides)
    return one, other


def test_what_devtools_missed_is_listed(
    site: PageSite, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.html("/", "<img src=/a.png><img src=/b.png>")
    original = CdpWatch._request

    def drop(self: CdpWatch, sessions: Any, params: Any) -> None:
        if not params["request"]["url"].endswith("/a.png"):
            original(self, sessions, params)

    monkeypatch.setattr(CdpWatch, "_request", drop)
    assert listed(record(site.url())) == ({"a.png"}, set())


def test_what_the_log_lost_is_listed_and_counted(
    site: PageSite, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.html("/", "<img src=/a.png><img src=/b.png>")
    original = NetLogReader.feed

    def drop(self: NetLogReader, line: bytes) -> None:
        if b"/a.png" not in line or b'"url"' not in line:
            original(self, line)

    monkeypatch.setattr(NetLogReader, "feed", drop)
    found = record(site.url())
    assert listed(found) == (set(), {"a.png"})
    assert found.cross_check.unexplained == 1
    assert any("belongs to no request" in text for text in found.recording.problems)


def test_a_look_in_the_cache_is_no_failed_request(site: PageSite, record: Record) -> None:
    site.html(
        "/",
        """<script>fetch('/x', {cache: 'only-if-cached', mode: 'same-origin'})
        .catch(() => document.title = 'niets')</script>""",
    )
    found = record(site.url())
    assert found.title == "niets"
    assert [(item.url, item.reason) for item in found.recording.cached] == [
        (site.url("/x"), "cache-miss")
    ]
    assert found.recording.failed == ()
    assert "/x" not in site.asked()
    assert found.cross_check.only_netlog == ()


@both_ways
def test_a_long_body_is_recorded_in_little_memory(record: Record, method: Method) -> None:
    """40 MB through the whole recorder: byte for byte, and never whole in this process."""
    import tracemalloc

    block = bytes(range(256)) * 4096
    count = 40
    page = b"<script>fetch('/big').then(r => r.blob()).then(b => document.title = b.size)</script>"

    def serve(served: Site, stream: Any, port: int) -> None:
        from tests.netlog_site import _read_request

        buffer = bytearray()
        while (asked := _read_request(stream, buffer)) is not None:
            if asked[0].path != "/big":
                stream.sendall(reply("200 OK", [("Content-Type", "text/html")], page).raw)
                continue
            stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (count << 20))
            for _ in range(count):
                stream.sendall(block)

    with run_site({}, serve=serve) as (_, port):
        tracemalloc.start()
        try:
            url = f"http://localhost:{port}/"
            options = replace(LONG, load_seconds=30.0)
            found = record(url, allow=both(port), options=options, method=method)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert found.title == str(count << 20)
    big = next(item for item in found.recording.exchanges if item.url.endswith("/big"))
    assert big.response is not None
    digest = hashlib.sha256(block * count).hexdigest()
    body = big.response.read_bytes().partition(b"\r\n\r\n")[2]
    assert hashlib.sha256(body).hexdigest() == digest
    assert peak < 20 << 20
