"""The example site: a small invented social network on loopback, for the demo and the tests.

It has what captures meet in the wild: a Mastodon-style API, pictures, replies loaded by script, a
session cookie, compressed answers, a short link, and posts behind a login, deleted or never there.

``python -m evidence_kit.demo.site --port 8765`` serves it for playing.
"""

from __future__ import annotations

import argparse
import gzip
import http.server
import json
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from io import BufferedIOBase, BufferedReader, RawIOBase
from types import TracebackType
from typing import Any, cast
from urllib.parse import urlsplit

from evidence_kit.demo import pictures, site_data, site_pages
from evidence_kit.demo.site_data import ACCOUNTS, NOTES, POSTS, Api

COOKIE = "_pleinpraat_session"
DEFAULT_PORT = 8765
IDLE_SECONDS = 30
"""A kept-alive connection that says nothing is closed after this; browsers open a new one."""
GZIP_FROM = 200
"""Bytes from which compressing pays."""
MAX_REQUEST_BODY = 64 << 10
"""Bytes of a form; the login form is far below it."""

_STATIC = {
    "site.css": "text/css; charset=utf-8",
    "site.js": "text/javascript; charset=utf-8",
    "icons.ttf": "font/ttf",
    "header.svg": "image/svg+xml",
}
_MEDIA = {"ingang.png": pictures.entrance, "parkeerplaats.png": pictures.car_park}
_ACTIVITY = "application/activity+json; charset=utf-8"
_JSON = "application/json; charset=utf-8"
_HTML = "text/html; charset=utf-8"


@dataclass
class WireExchange:
    """What one connection carried for one request, seen at the socket before any parsing."""

    request: bytearray = field(default_factory=bytearray)
    response: bytearray = field(default_factory=bytearray)
    peer_port: int = 0


@dataclass(frozen=True)
class Reply:
    """One answer of the site."""

    status: int
    kind: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class DemoSite:
    """The running site; a context manager that listens on 127.0.0.1 only.

    Args:
        port: 0 takes a free one.
        token: makes the values of the session cookie; random unless a test fixes it.
        keep_wire: keep every exchange's bytes in :attr:`wire`, for comparison with a recording.

    Attributes:
        posts: names of the pages with their paths.
        wire: exchanges in the order they began, empty without ``keep_wire``.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        token: Callable[[], str] = lambda: secrets.token_urlsafe(32),
        keep_wire: bool = False,
    ) -> None:
        self.posts: Mapping[str, str] = POSTS
        self.wire: list[WireExchange] = []
        self._token = token
        self._keep_wire = keep_wire
        self._server = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.daemon = True
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.api = Api(self.url)

    def address(self, name: str) -> str:
        """The whole address of a page of :attr:`posts`."""
        return self.url + self.posts[name]

    def __enter__(self) -> DemoSite:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.close_connections()
        self._server.server_close()

    def new_wire(self, peer_port: int) -> WireExchange:
        """A place for the next exchange of a connection."""
        exchange = WireExchange(peer_port=peer_port)
        if self._keep_wire:
            self.wire.append(exchange)
        return exchange

    def answer(self, method: str, path: str, headers: Mapping[str, str]) -> Reply:
        """The answer to one request; ``headers`` with lower-case names."""
        session = _cookie(headers.get("cookie", ""))
        csrf = "" if session is None else f"csrf-{session[::-1]}"
        fresh: tuple[tuple[str, str], ...] = ()
        if session is None and not path.startswith(("/api/", "/static/", "/media/", "/avatars/")):
            session = self._token()
            csrf = f"csrf-{session[::-1]}"
            fresh = (("Set-Cookie", f"{COOKIE}={session}; Path=/; HttpOnly; SameSite=Lax"),)
        reply = self._route(method, urlsplit(path).path, headers.get("accept", ""), csrf)
        if reply.kind == _HTML:
            return Reply(reply.status, reply.kind, reply.body, (*reply.headers, *fresh))
        return reply

    def _route(self, method: str, path: str, accept: str, csrf: str) -> Reply:
        if path == "/login" and method == "POST":
            return Reply(403, _HTML, site_pages.login_page(csrf))
        if method not in ("GET", "HEAD"):
            return Reply(405, _JSON, b'{"error":"Method not allowed"}', (("Allow", "GET, HEAD"),))
        parts = [part for part in path.split("/") if part]
        if parts[:1] == ["api"]:
            return self._api(parts[1:])
        if len(parts) == 2 and parts[0] in ("static", "media", "avatars"):
            return self._file(parts[0], parts[1], csrf)
        wants_activity = "application/activity+json" in accept or "application/ld+json" in accept
        return self._page(parts, csrf, wants_activity=wants_activity)

    def _api(self, parts: list[str]) -> Reply:
        match parts:
            case ["v2", "instance"]:
                return _json(self.api.instance())
            case ["v1", "accounts", ident] if ident in ACCOUNTS:
                return _json(self.api.account(ACCOUNTS[ident]))
            case ["v1", "statuses", ident, *rest] if ident in NOTES:
                note = NOTES[ident]
                if note.state == "login":
                    return _json({"error": "This API requires an authenticated user"}, 401)
                if note.state == "public":
                    match rest:
                        case []:
                            return _json(self.api.status(note))
                        case ["context"]:
                            return _json(self.api.context(note))
                        case ["history"]:
                            return _json(self.api.history(note))
        return _json({"error": "Record not found"}, 404)

    def _file(self, folder: str, name: str, csrf: str) -> Reply:
        if folder == "static" and name in _STATIC:
            source = files("evidence_kit") / "demo" / "static" / name
            return Reply(200, _STATIC[name], source.read_bytes())
        if folder == "media" and name in _MEDIA:
            return Reply(200, "image/png", _MEDIA[name]())
        if folder == "avatars":
            for account in ACCOUNTS.values():
                if name == f"{account.handle}.svg":
                    drawn = pictures.avatar_svg(account.name[0], account.colour)
                    return Reply(200, "image/svg+xml", drawn)
                if name == f"{account.handle}.png":
                    return Reply(200, "image/png", pictures.avatar_png(account.colour))
        return Reply(404, _HTML, site_pages.missing_page(csrf))

    def _page(self, parts: list[str], csrf: str, *, wants_activity: bool) -> Reply:
        match parts:
            case []:
                return Reply(200, _HTML, site_pages.home_page(self.api, csrf))
            case ["s", code] if code in site_data.SHORT_LINKS:
                note = NOTES[site_data.SHORT_LINKS[code]]
                return _redirect(self.api.status(note)["url"])
            case [name] if name.startswith("@"):
                account = site_data.by_handle(name[1:])
                if account is not None:
                    return Reply(200, _HTML, site_pages.profile_page(self.api, account, csrf))
            case [name, ident] if name.startswith("@") and _by(ident, name[1:]):
                return self._post(ident, csrf, wants_activity=wants_activity)
            case ["users", handle, "statuses", ident] if _by(ident, handle):
                if wants_activity:
                    return self._post(ident, csrf, wants_activity=True)
                return _redirect(f"{self.url}/@{handle}/{ident}")
        return Reply(404, _HTML, site_pages.missing_page(csrf))

    def _post(self, ident: str, csrf: str, *, wants_activity: bool) -> Reply:
        note = NOTES[ident]
        if wants_activity:
            if note.state == "public":
                return _json(self.api.activity(note), kind=_ACTIVITY)
            if note.state == "gone":
                return _json(self.api.tombstone(note), 410, kind=_ACTIVITY)
            return _json({"error": "Not Found"}, 404)
        if note.state == "login":
            return Reply(200, _HTML, site_pages.login_page(csrf))
        if note.state == "deleted":
            return Reply(200, _HTML, site_pages.unavailable_page(csrf))
        if note.state == "gone":
            return Reply(410, _HTML, site_pages.unavailable_page(csrf))
        return Reply(200, _HTML, site_pages.post_page(self.api, note, csrf))


def _by(ident: str, handle: str) -> bool:
    account = site_data.by_handle(handle)
    return account is not None and ident in NOTES and NOTES[ident].account == account.ident


def _json(value: Any, status: int = 200, *, kind: str = _JSON) -> Reply:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    limits = (("X-RateLimit-Limit", "300"), ("X-RateLimit-Remaining", "299"))
    return Reply(status, kind, body, limits)


def _redirect(target: str) -> Reply:
    return Reply(302, _HTML, b"<p>Elders.</p>\n", (("Location", target),))


def _cookie(header: str) -> str | None:
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE and value.replace("-", "").replace("_", "").isalnum():
            return value
    return None


class _Tee(RawIOBase):
    """The socket's reading side, each byte also kept."""

    def __init__(self, sock: socket.socket, keep: Callable[[bytes], None]) -> None:
        self._sock = sock
        self._keep = keep

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._sock.recv_into(buffer)
        self._keep(bytes(memoryview(buffer)[:count]))
        return count


class _Writer(BufferedIOBase):
    """The socket's writing side, each byte also kept."""

    def __init__(self, sock: socket.socket, keep: Callable[[bytes], None]) -> None:
        self._sock = sock
        self._keep = keep

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._keep(bytes(data))
        self._sock.sendall(data)
        return len(data)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Pleinpraat"
    sys_version = ""
    timeout = IDLE_SECONDS
    server: _Server

    def setup(self) -> None:
        self.connection = self.request
        self.connection.settimeout(self.timeout)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wire: WireExchange | None = None
        self.rfile = BufferedReader(_Tee(self.connection, self._came))
        self.wfile = _Writer(self.connection, self._went)

    def _came(self, data: bytes) -> None:
        if not data:
            return
        if self._wire is None or self._wire.response:
            self._wire = self.server.site.new_wire(self.client_address[1])
        self._wire.request += data

    def _went(self, data: bytes) -> None:
        if self._wire is not None:
            self._wire.response += data

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > MAX_REQUEST_BODY:
            self.close_connection = True
        else:
            self.rfile.read(int(length))
        self._serve()

    def _serve(self) -> None:
        asked = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.site.answer(self.command, self.path, asked)
        body = reply.body
        text = reply.kind.startswith(("text/", "image/svg"))
        squeeze = text and len(body) >= GZIP_FROM and "gzip" in asked.get("accept-encoding", "")
        if squeeze:
            body = gzip.compress(body, 6, mtime=0)
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(body)))
        if squeeze:
            self.send_header("Content-Encoding", "gzip")
        if text:
            self.send_header("Vary", "Accept-Encoding")
        self.send_header("Cache-Control", "no-store")
        for name, value in reply.headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the console belongs to whoever started the site."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    # On Windows this option lets two programs share a port; elsewhere it only skips TIME_WAIT.
    allow_reuse_address = os.name != "nt"

    def __init__(self, address: tuple[str, int], site: DemoSite) -> None:
        self.site = site
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._open.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A visitor who hangs up is no fault of the site; anything else is shown."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    def close_connections(self) -> None:
        """Hang up on whoever is still connected, and wait until each thread has noticed."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            with self._lock:
                left = list(self._open)
            if not left:
                return
            for sock in left:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:  # already closed by the other side
                    continue
            time.sleep(0.01)


def main(arguments: list[str] | None = None) -> None:
    """Serve the site until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m evidence_kit.demo.site", description=__doc__)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free port")
    port = cast(int, parser.parse_args(arguments).port)
    with DemoSite(port) as site:
        lines = [site.url, *(f"  {name:13} {site.address(name)}" for name in site.posts)]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            sys.stdout.write("\n")


if __name__ == "__main__":
    main()
