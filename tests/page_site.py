"""A loopback site for visits by a real browser; keeps what each request asked for."""

from __future__ import annotations

import gzip
import http.server
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.listening import answering

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class PageSite:
    """Paths and their answers; ``requests`` fills up as a browser asks."""

    port: int = 0
    pages: dict[str, Answer | Callable[[], Answer]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def url(self, path: str = "/", host: str = "localhost") -> str:
        return f"http://{host}:{self.port}{path}"

    def html(self, path: str, body: str, status: int = 200, **headers: str) -> None:
        """Serve a page, gzip-encoded as real sites do."""
        self.pages[path] = (
            status,
            {"Content-Type": "text/html; charset=utf-8", "Content-Encoding": "gzip", **headers},
            gzip.compress(body.encode(), mtime=0),
        )

    def script(self, path: str, body: str) -> None:
        self.pages[path] = (200, {"Content-Type": "text/javascript"}, body.encode())

    def asked(self) -> list[str]:
        return [path for path, _ in self.requests]


@contextmanager
def page_site() -> Iterator[PageSite]:
    """Run a site until the block ends."""
    site = PageSite()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            site.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
            found = site.pages.get(self.path, (404, {"Content-Type": "text/plain"}, b"no"))
            status, headers, body = found() if callable(found) else found
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with answering(Handler) as site.port:
        yield site
