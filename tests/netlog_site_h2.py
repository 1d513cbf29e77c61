"""A small HTTP/2 server: answers the n-th request with the n-th reply, in plain frames."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.netlog_site import Site

DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 3, 4, 6, 8


@dataclass
class Http2Seen:
    """What one stream carried, as this server sees it."""

    fields: list[tuple[str, str]]
    body: bytes
    sent: bytearray = field(default_factory=bytearray)
    ended: bool = True


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """RFC 9113 section 4.1."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + payload


def literal(fields: list[tuple[str, str]]) -> bytes:
    """RFC 7541 section 6.2.2: literals without indexing, without Huffman coding."""
    out = b""
    for name, value in fields:
        out += b"\x00"
        for text in (name.encode(), value.encode("utf-8")):
            assert len(text) < 127
            out += bytes([len(text)]) + text
    return out


def serve_http2(
    replies: list[tuple[list[tuple[str, str]], bytes, bool | None]], seen: list[Http2Seen]
) -> Callable[[Site, socket.socket, int], None]:
    """A serve function for ``run_site``.

    ``replies`` holds header fields, body, and whether the stream ends as it should (None: it never
    ends). A second ``:status`` begins another head, so that interim answers can come first. DATA
    frames are padded, small, and two of them come in pieces, so that the reader has to cut them.
    """

    def answer(stream: socket.socket, number: int, body: bytes) -> None:
        fields, data, ends = replies[min(len(seen), len(replies) - 1)]
        seen.append(Http2Seen(fields, body, bytearray(data), bool(ends)))
        starts = [place for place, (name, _) in enumerate(fields) if name == ":status"]
        out = b""
        for start, end in zip(starts, [*starts[1:], len(fields)], strict=True):
            out += frame(HEADERS, 4, number, literal(fields[start:end]))
        for start in range(0, len(data), 1000):
            part = data[start : start + 1000]
            out += frame(DATA, 8, number, bytes([7]) + part + b"\0" * 7)
        if ends is not None:
            reset = frame(RST_STREAM, 0, number, b"\0\0\0\2")
            out += frame(DATA, 1, number, b"") if ends else reset
        middle = len(out) // 2
        stream.sendall(out[:middle])
        stream.sendall(out[middle:])

    def serve(site: Site, stream: socket.socket, port: int) -> None:
        buffer = bytearray()
        bodies: dict[int, bytearray] = {}
        try:
            while len(buffer) < 24:
                buffer += stream.recv(65536)
            del buffer[:24]
            stream.sendall(frame(SETTINGS, 0, 0, b"") + frame(WINDOW_UPDATE, 0, 0, b"\0\x7f\0\0"))
            while True:
                while len(buffer) < 9 or len(buffer) < 9 + int.from_bytes(buffer[:3], "big"):
                    data = stream.recv(65536)
                    if not data:
                        return
                    buffer += data
                size = int.from_bytes(buffer[:3], "big")
                kind, flags = buffer[3], buffer[4]
                number = int.from_bytes(buffer[5:9], "big")
                payload = bytes(buffer[9 : 9 + size])
                del buffer[: 9 + size]
                if kind == SETTINGS and not flags & 1:
                    stream.sendall(frame(SETTINGS, 1, 0, b""))
                elif kind == PING and not flags & 1:
                    stream.sendall(frame(PING, 1, 0, payload))
                elif kind == HEADERS:
                    bodies[number] = bytearray()
                elif kind == DATA:
                    bodies[number] += payload
                    stream.sendall(frame(WINDOW_UPDATE, 0, number, b"\0\1\0\0"))
                if kind in (HEADERS, DATA) and flags & 1:
                    answer(stream, number, bytes(bodies.pop(number)))
        except (OSError, ValueError):
            return
        finally:
            stream.close()

    return serve
