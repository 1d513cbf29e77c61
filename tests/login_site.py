"""A small site with accounts: a login form, a wall for visitors, a post for members."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from evidence_kit.gather.session_state import SessionState
from tests.listening import answering

SESSION = "k2J9xQ7vLm4TzR8wPb3NcY6hFs1Dg5Ua"
ROTATED = "Zt8Qw3Xe7Rv2Ym9Kp4Ln6Bh1Jc5Td0Gs"
SHORT = "geheim7"
TOKEN = "9fJ3kL0pQ8sV2xZ7cN4mB6tR1wY5uD3e"
REFRESH = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJnZW1lZW50ZSJ9.dozjgNryP4J3jVmNHl0w5N"
SECRETS = (SESSION, ROTATED, SHORT, TOKEN, REFRESH)
PASSWORD = "wachtwoord42"
ACCOUNT = "@gemeente_x"
POST = "Ik weet waar je woont, en morgen sta ik voor je deur."

FORM = """<!doctype html><title>Inloggen</title><form method=post action=/login>
<input type=password name=password autofocus
 style="position:fixed;inset:0;width:100%;height:100%"></form>"""
WALL = """<!doctype html><title>Inloggen</title><h1>Log in om verder te gaan</h1>
<form method=post action=/login><input type=password name=password><button>Inloggen</button></form>
<a href=/new>Account maken</a>"""
HOME = f"""<!doctype html><title>Binnen</title><p>Welkom {ACCOUNT}</p><script>
localStorage.setItem('auth', JSON.stringify({{accessToken: '{TOKEN}', refreshJwt: '{REFRESH}'}}));
localStorage.setItem('theme', 'dark');</script>"""
MEMBERS = f"""<!doctype html><title>Bericht</title><p>Ingelogd als {ACCOUNT}</p>
<article>{POST}</article><p data-sid="{SESSION}">sessie {SESSION}</p>
<img src="/slow.png" alt=""><script>
const auth = JSON.parse(localStorage.getItem('auth') || '{{}}');
document.body.append(' ', localStorage.getItem('theme') || 'geen thema');
fetch('/api', {{headers: {{Authorization: 'Bearer ' + auth.accessToken,
 'X-Session': auth.refreshJwt}}}}).then(r => r.text()).then(t => document.body.append(' ', t));
</script>"""


@dataclass
class LoginSite:
    """The running site.

    Attributes:
        valid: whether the session still counts.
        requests: method, path and Cookie of each request.
        slow: pictures wait until it is set, where it is not None.
    """

    port: int = 0
    valid: bool = True
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    slow: threading.Event | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def name(self) -> str:
        """What its session is called."""
        return f"127.0.0.1:{self.port}"

    def asked(self) -> list[str]:
        return [path for _, path, _ in self.requests]

    def state(self) -> SessionState:
        """What a browser holds after the login."""
        cookie = {"path": "/", "expires": -1.0, "secure": False, "sameSite": "Lax"}
        auth = json.dumps({"accessToken": TOKEN, "refreshJwt": REFRESH})
        return SessionState(
            (
                {
                    **cookie,
                    "name": "sid",
                    "value": SESSION,
                    "domain": "127.0.0.1",
                    "httpOnly": True,
                },
                {**cookie, "name": "pin", "value": SHORT, "domain": "127.0.0.1", "httpOnly": True},
            ),
            {self.origin: {"auth": auth, "theme": "dark"}},
        )


@contextmanager
def login_site() -> Iterator[LoginSite]:
    """Run the site until the block ends."""
    site = LoginSite()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            cookie = self.headers.get("Cookie", "")
            site.requests.append(("GET", self.path, cookie))
            member = site.valid and f"sid={SESSION}" in cookie
            if self.path == "/login":
                self._answer(FORM)
            elif self.path == "/home":
                self._answer(HOME if member else WALL)
            elif self.path == "/post/1":
                if member:
                    self._answer(MEMBERS, cookie=f"sid={ROTATED}; Path=/api; HttpOnly")
                else:
                    self._answer(WALL)
            elif self.path == "/api":
                right = self.headers.get("Authorization") == f"Bearer {TOKEN}"
                body = f"antwoord {TOKEN}" if right else "niet ingelogd"
                self._answer(body, coding="gzip")
            elif self.path == "/slow.png":
                if site.slow is not None:
                    site.slow.wait(60)
                self._answer("", status=404)
            else:
                self._answer("", status=404)

        def do_POST(self) -> None:
            site.requests.append(("POST", self.path, ""))
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            if form.get("password") != [PASSWORD]:
                self._answer(FORM)
                return
            self.send_response(303)
            self.send_header("Location", "/home")
            self.send_header("Set-Cookie", f"sid={SESSION}; Path=/; HttpOnly; SameSite=Lax")
            self.send_header("Set-Cookie", f"pin={SHORT}; Path=/; HttpOnly")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _answer(self, text: str, status: int = 200, coding: str = "", cookie: str = "") -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            if cookie:
                self.send_header("Set-Cookie", cookie)
            if coding:
                body = gzip.compress(body, mtime=0)
                self.send_header("Content-Encoding", coding)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with answering(Handler) as site.port:
        try:
            yield site
        finally:
            if site.slow is not None:
                site.slow.set()
