"""Plain http through a proxy that opens tunnels to port 443 only, as Squid does by default."""

from __future__ import annotations

import socket
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.core.errors import NetworkError
from evidence_kit.core.events import Silent
from evidence_kit.gather.contacts import Contact
from evidence_kit.gather.egress import Guard
from evidence_kit.gather.http import RecordingSession
from evidence_kit.gather.page_failure import explain
from evidence_kit.gather.proxy import Proxies, proxies_from
from tests.fixtures_capture import evidence_kit, new_home
from tests.listening import listening
from tests.netlog_site import Reply, Request, Route, reply, run_site

NAME = "post.gemeente.example"
PAGE = (
    "<!DOCTYPE html><html lang=nl><title>Bericht</title><link rel=icon href='data:,'>"
    "<p>Dit is een gewoon bericht van een bezoeker over de wachtkamer van de balie.</p>"
    "<script>fetch('/post', {method: 'POST', body: 'x'.repeat(70000)})"
    ".then(() => fetch('/last'))</script>"
)


@dataclass
class ForwardProxy:
    """Forwards requests for plain http by their address; knows some names; refuses tunnels."""

    port: int = 0
    where: dict[str, int] = field(default_factory=dict)
    heads: list[bytes] = field(default_factory=list)

    def serve(self, stream: socket.socket) -> None:
        stream.settimeout(20)
        with stream, suppress(OSError), stream.makefile("rb") as lines:
            while head := _head(lines):
                self.heads.append(head)
                method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
                host, _, path = target.removeprefix("http://").partition("/")
                port = self.where.get(host)
                if method == "CONNECT" or port is None or not target.startswith("http://"):
                    stream.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                    return
                rest = b"\r\n".join(
                    line
                    for line in head.split(b"\r\n")[1:]
                    if not line.lower().startswith((b"proxy-", b"connection:"))
                )
                length = _length(head)
                with socket.create_connection(("127.0.0.1", port), 20) as far:
                    far.sendall(
                        f"{method} /{path} HTTP/1.1\r\nConnection: close\r\n".encode() + rest
                    )
                    far.sendall(lines.read(length))
                    answer = b"".join(iter(lambda: far.recv(65536), b""))
                start, _, others = answer.partition(b"\r\n")
                stream.sendall(start + b"\r\nVia: 1.1 proxy.gemeente.example\r\n" + others)


def _head(lines: Any) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = lines.readline()
        if not line:
            return b""
        head += line
    return head


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


@contextmanager
def forward_proxy() -> Iterator[ForwardProxy]:
    running = ForwardProxy()
    with listening(running.serve) as running.port:
        yield running


def proxies(port: int, login: str = "", without: str = "") -> Proxies:
    return proxies_from({"HTTP_PROXY": f"http://{login}127.0.0.1:{port}", "NO_PROXY": without})


def page(_: Request) -> Reply:
    found = reply("200 OK", [("Content-Type", "text/html; charset=utf-8")], PAGE.encode())
    return replace(found, close=True)


def talk(port: int, data: bytes) -> bytes:
    """Send to the guard's door, give back what comes until it closes."""
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def session(folder: Path, guard: Guard) -> RecordingSession:
    return RecordingSession(
        folder,
        resolve=guard.resolve_checked,
        clock=lambda: datetime.now(UTC),
        environ={},
        tunnel=guard.tunnel,
        forward=guard,
    )


def test_own_requests_go_as_they_are(tmp_path: Path) -> None:
    with run_site({"/a": page}) as (_, port), forward_proxy() as running:
        running.where[f"{NAME}:8080"] = port
        guard = Guard([], Silent(), proxies=proxies(running.port, "jan:geheim@"))
        with session(tmp_path, guard) as own:
            found = own.get(f"http://{NAME}:8080/a#deel")
            again = own.get(f"http://{NAME}:8080/a")
    assert (found.status, found.body) == (200, PAGE.encode())
    sent = found.exchange.request.read_bytes()
    assert sent.startswith(f"GET http://{NAME}:8080/a HTTP/1.1\r\n".encode())
    assert f"Host: {NAME}:8080\r\n".encode() in sent
    assert b"Proxy-Authorization: Basic " in sent
    assert running.heads[0] == sent, "what is on record is what the proxy got"
    assert again.exchange.local_port == found.exchange.local_port
    assert "request-sent-to-proxy" in found.exchange.notes
    assert (found.exchange.remote_address, found.exchange.address_source) == (None, "")
    (contact,) = guard.contacts
    assert (contact.via, contact.used) == (f"http://127.0.0.1:{running.port}", None)


def test_a_private_address_is_refused_before_the_proxy_is_asked(tmp_path: Path) -> None:
    with forward_proxy() as running:
        guard = Guard([], Silent(), proxies=proxies(running.port))
        with session(tmp_path, guard) as own, pytest.raises(NetworkError, match="private network"):
            own.get("http://169.254.169.254/latest/meta-data")
        with guard:
            head = b"GET http://169.254.169.254/ HTTP/1.1\r\nHost: x\r\n\r\n"
            assert talk(guard.http_port, head) == b""
            last = guard.contacts[-1]
    assert last.refused == "link-local"
    assert running.heads == []


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET https://a.example/ HTTP/1.1\r\n\r\n",
        b"GET http://[::1/ HTTP/1.1\r\n\r\n",
        b"CONNECT a.example:80 HTTP/1.1\r\n\r\n",
        b"GET http://a.example/ HTTP/1.0\r\n\r\n",
        b"GET http://a.example/ x HTTP/1.1\r\n\r\n",
        b"POST http://a.example/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST http://a.example/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST http://a.example/ HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET http://a.example/" + b"a" * 600_000,
    ],
)
def test_noise_at_the_door_is_not_answered(head: bytes) -> None:
    with forward_proxy() as running:
        with Guard([], Silent(), proxies=proxies(running.port)) as guard, suppress(OSError):
            assert talk(guard.http_port, head) == b""
        assert guard.contacts == ()
        assert running.heads == []


def test_the_next_request_is_judged_too() -> None:
    """One connection is for one host; what would go elsewhere on it is not sent."""
    with run_site({"/a": page}) as (_, port), forward_proxy() as running:
        running.where[NAME] = port
        with Guard([], Silent(), proxies=proxies(running.port)) as guard:
            first = f"GET http://{NAME}/a HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode()
            talk(guard.http_port, first + first.replace(NAME.encode(), b"10.0.0.1"))
        targets = [head.split(b" ")[1] for head in running.heads]
    assert set(targets) <= {f"http://{NAME}/a".encode()}


def test_a_host_without_the_proxy_gets_the_path_only() -> None:
    with run_site({"/a": page}) as (site, port), forward_proxy() as running:
        allowed = [("localhost", port)]
        with Guard(allowed, Silent(), proxies=proxies(running.port)) as guard:
            head = (
                f"GET http://localhost:{port}/a?b=c HTTP/1.1\r\nHost: localhost:{port}\r\n"
                "Proxy-Connection: keep-alive\r\nConnection: close\r\n\r\n"
            )
            with socket.create_connection(("127.0.0.1", guard.http_port), 20) as client:
                client.sendall(head.encode())
                answer = b"".join(iter(lambda: client.recv(65536), b""))
            (contact,) = guard.contacts
    assert answer.startswith(b"HTTP/1.1 ")
    assert contact.rewritten
    (seen,) = site.seen
    assert seen.request.startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert b"Proxy-Connection" not in seen.request
    assert running.heads == []


def test_without_a_proxy_for_http_there_is_no_door() -> None:
    with Guard([], Silent(), proxies=proxies_from({"HTTPS_PROXY": "http://127.0.0.1:1"})) as guard:
        assert guard.http_port == 0
        assert guard.http_proxy("a.example", 80) is None


@pytest.mark.parametrize(
    ("known", "name"),
    [
        ({"refused": "private", "via": "http://proxy:3128"}, "ADDRESS_REFUSED"),
        ({"error": "connection-failed", "via": "http://proxy:3128"}, "ERR_CONNECTION_FAILED"),
        ({"error": "name-not-resolved"}, "ERR_NAME_NOT_RESOLVED"),
        ({}, "ERR_EMPTY_RESPONSE"),
    ],
)
def test_a_door_that_closes_is_explained(known: dict[str, Any], name: str) -> None:
    contact = Contact("10.0.0.1", 80, datetime.now(UTC), **known)
    found = explain("ERR_EMPTY_RESPONSE", "http://10.0.0.1/", [contact], offers_file=False)
    assert found.name == name
    assert "  " not in found.detail and not found.detail.endswith("at ")
    assert explain("ERR_FAILED", "http://10.0.0.1/", [contact], offers_file=True).name == "DOWNLOAD"


@pytest.mark.browser
@pytest.mark.slow
def test_a_capture_through_it(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    pages: dict[str, Route] = {"/bericht": page, "/post": page, "/last": page}
    with run_site(pages) as (site, port), forward_proxy() as running:
        running.where[NAME] = port
        ended = evidence_kit(
            *("capture", f"http://{NAME}/bericht", "--output", str(tmp_path / "out")),
            *("--passphrase-fd", "0", "--json", "--no-tsa"),
            home=home,
            HTTP_PROXY=f"http://jan:geheim-woord@127.0.0.1:{running.port}",
        )
    assert ended.returncode in (0, 3), ended.stdout + ended.stderr
    assert {one.path for one in site.seen} >= {"/bericht", "/post", "/last"}
    (bundle,) = (tmp_path / "out").glob("*.asice")
    with zipfile.ZipFile(bundle) as archive:
        wacz = archive.read("data/web/page.wacz")
        assert not [name for name in archive.namelist() if b"geheim-woord" in archive.read(name)]
    opened = tmp_path / "page.wacz"
    opened.write_bytes(wacz)
    with zipfile.ZipFile(opened) as inner:
        warc = inner.read(next(name for name in inner.namelist() if name.endswith(".warc")))
    assert f"GET http://{NAME}/bericht HTTP/1.1\r\n".encode() in warc
    assert f"POST http://{NAME}/post HTTP/1.1\r\n".encode() in warc
    assert b"Via: 1.1 proxy.gemeente.example" in warc
    assert b"request-sent-to-proxy" in warc
    assert b"WARC-IP-Address" not in warc
    verified = evidence_kit("verify", str(bundle), home=home)
    assert "FAILED" not in verified.stdout, verified.stdout
