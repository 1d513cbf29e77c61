"""Servers of the tests' own on loopback: one thread for each connection."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Give the port on which ``serve`` gets every connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                stream, _ = listener.accept()
                threading.Thread(target=serve, args=(stream,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@contextmanager
def answering(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[int]:
    """Let a server of the standard library answer; its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\nContent-Length: 1000\r\n\r\n"
)


@contextmanager
def dripping() -> Iterator[str]:
    """Give the address of a server that sends a byte of a good answer now and then."""
    ended = threading.Event()

    def drip(stream: socket.socket) -> None:
        with stream, suppress(OSError):
            stream.sendall(HEAD)
            for _ in range(100):
                if ended.wait(0.1):
                    return
                stream.sendall(b"x")

    try:
        with listening(drip) as port:
            yield f"http://127.0.0.1:{port}/"
    finally:
        ended.set()
