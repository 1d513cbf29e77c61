"""The recorder's main test: what passed the socket stands in the exchanges, byte for byte."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from evidence_kit.core.exchange import Representation
from evidence_kit.seal.netlog import NetLogReader, Recording
from tests.netlog_browser import record, socks_proxy
from tests.netlog_site import Site, example_routes, run_site, tls_context
from tests.netlog_site_h2 import Http2Seen, serve_http2

pytestmark = pytest.mark.browser


def read_log(log: Path, folder: Path) -> Recording:
    folder.mkdir()
    reader = NetLogReader(folder)
    with log.open("rb") as stream:
        for line in stream:
            reader.feed(line)
    return reader.finish()


def compare(site: Site, recording: Recording, skip: str = "/favicon.ico") -> None:
    """Both ways: every exchange of the site is recorded, every recorded one was there."""
    server = Counter((seen.request, seen.response) for seen in site.seen if seen.path != skip)
    ours = Counter(
        (item.request.read_bytes(), item.response.read_bytes() if item.response else b"")
        for item in recording.exchanges
        if not item.url.endswith(skip)
    )
    assert [head[:60] for head, _ in (server - ours)] == []
    assert [head[:60] for head, _ in (ours - server)] == []


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("proxy", [False, True], ids=["direct", "socks5"])
def test_every_http1_exchange_is_byte_for_byte(tmp_path: Path, tls: bool, proxy: bool) -> None:
    context, der = tls_context(tmp_path, alpn=["http/1.1"])
    log = tmp_path / "log.json"
    with (
        run_site(example_routes(), tls=context if tls else None) as (site, port),
        socks_proxy() as via,
    ):
        flags = (
            (f"--proxy-server=socks5://127.0.0.1:{via}", "--proxy-bypass-list=<-loopback>")
            if proxy
            else ()
        )
        url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/"
        record(url, log, lambda: site.wait_for("/done", 30), *flags)
        recording = read_log(log, tmp_path / "wire")
        compare(site, recording)
    assert len(recording.exchanges) >= 32
    assert recording.problems == ()
    statuses = Counter(item.status for item in recording.exchanges)
    for status in (101, 200, 204, 206, 302, 404, 500):
        assert statuses[status], status
    assert statuses[304] or tls  # nothing is cached under a certificate that is not trusted
    for item in recording.exchanges:
        assert item.representation is Representation.WIRE
        assert item.remote_address == "127.0.0.1"
        assert item.local_port
        assert item.remote_port == (via if proxy else port)
        cut = any(part in item.url for part in ("/truncated", "/cutchunk", "/cutlength"))
        assert (item.truncated == "disconnect") is cut, item.url
        if tls:
            assert item.tls is not None
            assert item.tls.version == "TLS 1.3"
            assert item.tls.cipher.startswith("0x13")
            assert item.tls.chain == (der,)
            assert item.tls.verdict == "ERR_CERT_AUTHORITY_INVALID"
            assert item.protocols == ("http/1.1", "tls/1.3")
    redirect = next(item for item in recording.exchanges if item.status == 302)
    target = next(item for item in recording.exchanges if item.url.endswith("/target?a=1"))
    assert target.redirected_from == redirect.number
    assert [item.method for item in recording.exchanges if item.url.endswith("/cors")] == [
        "OPTIONS",
        "PUT",
    ]
    if not tls:
        assert [item.url.rsplit("/", 1)[1] for item in recording.cached] == ["cached"]
        refused = next(item for item in recording.failed if item.url == "http://127.0.0.1:3/")
        assert refused.response is None
        assert refused.error in ("ERR_CONNECTION_REFUSED", "ERR_SOCKS_CONNECTION_FAILED")
    frames = next(seen.frames for seen in site.seen if seen.path == "/socket")
    (socket,) = recording.websockets
    assert (socket.sent.read_bytes(), socket.received.read_bytes()) == frames
    assert not list((tmp_path / "wire").glob("*.part"))


def wait_until(ready: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ready():
            time.sleep(0.3)
            return True
        time.sleep(0.02)
    return False


def test_http2_data_is_exact_and_headers_are_those_of_the_server(tmp_path: Path) -> None:
    page = b"""<script>(async () => {
      await fetch('/b').then(r => r.text());
      await fetch('/c', {method: 'POST', body: 'y'.repeat(40000)}).then(r => r.text());
      await fetch('/d').then(r => r.text()).catch(e => 0);
    })()</script>"""
    fields = [
        (":status", "200"),
        ("content-type", "text/html"),
        ("x-name", "J\u00fcrgen 10% %25"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
    ]
    replies: list[tuple[list[tuple[str, str]], bytes, bool | None]] = [
        (fields, page, True),
        (fields, b"q" * 5000, True),
        (fields, b"post", True),
        (fields, b"cut" * 900, False),
    ]
    seen: list[Http2Seen] = []
    context, der = tls_context(tmp_path, alpn=["h2"])
    log = tmp_path / "log.json"
    with run_site({}, tls=context, serve=serve_http2(replies, seen)) as (_, port):
        record(f"https://localhost:{port}/", log, lambda: wait_until(lambda: len(seen) >= 4))
    recording = read_log(log, tmp_path / "wire")
    found = [item for item in recording.exchanges if "favicon" not in item.url][:4]
    assert [item.url.rsplit("/", 1)[1] for item in found] == ["", "b", "c", "d"]
    for item, answer in zip(found, seen, strict=False):
        assert item.representation is Representation.H2_REWRITTEN
        assert item.protocols == ("h2", "tls/1.3")
        assert item.tls is not None
        assert item.tls.chain == (der,)
        assert item.response is not None
        head, _, body = item.response.read_bytes().partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        assert lines[0] == b"HTTP/1.1 200 "
        want = [f"{name}: {value}".encode() for name, value in answer.fields[1:]]
        assert lines[1:] == want
        assert item.request.read_bytes().partition(b"\r\n\r\n")[2] == answer.body
        if answer.ended:
            assert body == bytes(answer.sent)
            assert item.truncated is None
        else:
            assert bytes(answer.sent).startswith(body)
            assert item.truncated == "disconnect"


def test_a_killed_browser_leaves_what_it_had(tmp_path: Path) -> None:
    log = tmp_path / "log.json"
    with run_site(example_routes()) as (site, port):
        record(f"http://127.0.0.1:{port}/", log, lambda: site.wait_for("/etag", 30), sudden=True)
    data = log.read_bytes()
    assert len(data) > 10_000
    log.write_bytes(data[: len(data) * 2 // 3])
    recording = read_log(log, tmp_path / "wire")
    assert recording.exchanges
    assert "the network log is cut off" in recording.problems
    whole = {(seen.request, seen.response) for seen in site.seen}
    for item in recording.exchanges:
        if item.truncated is None and item.response is not None and item.status != 101:
            assert (item.request.read_bytes(), item.response.read_bytes()) in whole
