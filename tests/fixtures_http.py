"""A loopback server that plays any answer, and sessions that may reach it; import what is used."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.gather.http import RecordingSession

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
Play = Callable[[http.server.BaseHTTPRequestHandler], None]


@contextmanager
def server(play: Play, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A loopback server whose GET does what ``play`` says; gives its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def do_GET(self) -> None:
            play(self)

        do_POST = do_GET  # noqa: N815 - the base class looks for this name

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    found = Server(("127.0.0.1", 0), Handler)
    if context is not None:
        found.socket = context.wrap_socket(found.socket, server_side=True)
    thread = threading.Thread(target=found.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield found.server_address[1]
    finally:
        found.shutdown()
        thread.join()
        found.server_close()


def answer(
    handler: http.server.BaseHTTPRequestHandler,
    body: bytes = b"",
    status: int = 200,
    **headers: str,
) -> None:
    handler.send_response(status)
    headers.setdefault("Content_Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


Make = Callable[..., RecordingSession]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes sessions that may reach loopback, and closes them."""
    with ExitStack() as stack:
        count = iter(range(100))

        def session(**changes: Any) -> RecordingSession:
            folder = tmp_path / f"wire-{next(count)}"
            folder.mkdir()
            settings: dict[str, Any] = {
                "resolve": lambda host, port: "127.0.0.1",
                "clock": lambda: NOW,
                "environ": {},
                "sleep": lambda seconds: None,
            }
            return stack.enter_context(RecordingSession(folder, **{**settings, **changes}))

        yield session
