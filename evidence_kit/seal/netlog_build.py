"""From hops and connections of a network log to numbered exchanges as files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from evidence_kit.core.exchange import Exchange, Representation, Source, TlsSeen
from evidence_kit.core.limits import CHUNK
from evidence_kit.core.when_free import when_free
from evidence_kit.seal.http_message import BadMessageError, Message, measure
from evidence_kit.seal.netlog_http2 import Direction, note
from evidence_kit.seal.netlog_lines import Names
from evidence_kit.seal.netlog_requests import Hop, Requests, Wire, raw_line
from evidence_kit.seal.netlog_sockets import Part, Socket, Sockets, Spool

CACHE_MISS = "ERR_CACHE_MISS"
"""Of a request that was never meant for the network."""

CUT_OFF = "request-cut-off"
"""Of a request that the browser wrote down as sent, and of which the end never left the machine."""


@dataclass(frozen=True)
class WebSocketFrames:
    """What followed a WebSocket handshake, as it passed the connection (RFC 6455 frames).

    Attributes:
        exchange: number of the handshake's exchange.
        sent: frames of the browser, masked as they were sent.
        received: frames of the server.
    """

    exchange: int
    url: str
    started: datetime
    sent: Path
    received: Path


@dataclass(frozen=True)
class CachedRequest:
    """A request that the browser answered itself, without the network.

    Attributes:
        reason: ``cache``, ``internal-redirect`` where the browser rewrote the URL (HSTS), or
            ``cache-miss``: it looked in its cache only, and there was nothing.
    """

    url: str
    method: str
    started: datetime
    initiator: str
    reason: str


class Builder:
    """Turns hops and connection parts into numbered exchanges."""

    def __init__(
        self,
        folder: Path,
        names: Names,
        sockets: Sockets,
        requests: Requests,
        problems: list[str],
    ) -> None:
        self.folder, self.names, self.problems = folder, names, problems
        self.sockets, self.requests = sockets, requests
        self.exchanges: list[Exchange] = []
        self.failed: list[Exchange] = []
        self.cached: list[CachedRequest] = []
        self.websockets: list[WebSocketFrames] = []
        self.background: Counter[str] = Counter()
        self.chains: dict[str, tuple[bytes, ...]] = {}
        self._used: set[int] = set()
        self._pages: frozenset[str] = frozenset()
        self._number = 0
        self._last: dict[int, int] = {}

    def run(self) -> None:
        """All hops in the order of their start; numbers follow it."""
        self._match_rest()
        self._pages = self.requests.pages()
        order = sorted(
            (
                (wire.ticks if wire else hop.ticks, source, place, turn, hop, wire)
                for source, hops in self.requests.hops.items()
                for place, hop in enumerate(hops)
                for turn, wire in enumerate(hop.wires or [None])
            ),
            key=lambda item: item[:4],
        )
        for _, source, place, _, hop, wire in order:
            before = self.requests.hops[source][place - 1] if place else None
            self._add(source, hop, wire, redirect=before is not None and before.redirected)
        unused = sum(
            1
            for parts in self.sockets.parts.values()
            for part in parts
            if id(part) not in self._used and part.received.size
        )
        if unused:
            note(self.problems, f"connections with an answer that belongs to no request: {unused}")

    def _match_rest(self) -> None:
        """Match by the bytes sent where the log did not say which connection served a request."""
        taken = {
            id(wire.part)
            for hops in self.requests.hops.values()
            for hop in hops
            for wire in hop.wires
            if wire.part is not None
        }
        free = [
            part
            for parts in self.sockets.parts.values()
            for part in parts
            if id(part) not in taken and part.sent.size
        ]
        for hops in self.requests.hops.values():
            for wire in (wire for hop in hops for wire in hop.wires):
                if wire.part is not None or wire.http2 or wire.quic or not wire.line:
                    continue
                head = _request_head(wire)
                for part in free:
                    if _starts_with(part.sent.path, head):
                        wire.part = part
                        free.remove(part)
                        break

    def _add(self, source: int, hop: Hop, wire: Wire | None, *, redirect: bool) -> None:
        if hop.background(self._pages):
            self.background[hop.host] += 1
            if wire is not None and wire.part is not None:
                self._used.add(id(wire.part))
            return
        started = self.names.when(wire.ticks if wire else hop.ticks)
        if wire is None and hop.error in (None, CACHE_MISS):
            answered = "internal-redirect" if hop.redirected else "cache"
            reason = answered if hop.error is None else "cache-miss"
            self.cached.append(CachedRequest(hop.url, hop.method, started, hop.origin, reason))
            return
        self._number += 1
        number = self._number
        before = self._last.get(source) if redirect or (wire and wire.error) else None
        self._last[source] = number
        exchange = self._exchange(number, hop, wire, started, before if redirect else None)
        (self.failed if exchange.response is None else self.exchanges).append(exchange)

    def _exchange(
        self, number: int, hop: Hop, wire: Wire | None, started: datetime, before: int | None
    ) -> Exchange:
        request = self.folder / f"{number:04d}.request"
        target = self.folder / f"{number:04d}.response"
        response: Path | None = target
        socket: Socket | None = None
        representation = Representation.WIRE
        notes: list[str] = []
        part = wire.part if wire else None
        if wire is None:
            request.write_bytes(b"")
            notes.append("not-sent")
            response = None
            refused = self.sockets.refused.get(hop.host)
            if refused:
                self.chains[hop.host + _port(hop.url, "")] = refused
        elif part is not None:
            self._used.add(id(part))
            socket = part.socket
            response = self._take(part, wire, request, target)
            if not part.whole[0]:
                notes.append(CUT_OFF)
        elif wire.http2 and wire.stream is not None:
            representation = Representation.H2_REWRITTEN
            socket = self._http2_socket(wire.stream[0])
            response = self._rewrite(wire, hop, request, target, socket)
            if not _asked(wire.stream[1], hop, socket):
                notes.append(CUT_OFF)
        else:
            representation = Representation.H2_REWRITTEN
            notes.append("body-not-logged")
            note(self.problems, f"no connection found for a request: {hop.host}")
            response = self._rewrite(wire, hop, request, target, None)
        message = self._measure(response, hop, number) if response else None
        error = wire.error if wire and wire.error else (hop.error if _last(hop, wire) else None)
        if response is None and error is None:
            error = "ERR_EMPTY_RESPONSE" if part is None or part.ended else "ERR_ABORTED"
        if message is not None and message.head.status == 101:
            error = None  # the upgrade ends the HTTP transaction under an error's name
        if socket is not None and socket.resumed:
            notes.append("tls-resumed")
        truncated = self._truncated(wire, part, message, socket, error) if response else None
        if message is not None and message.surplus:
            notes.append("bytes-behind-response")
        if message is not None and message.head.status == 101 and part is not None:
            self._frames(number, hop, started, request, target, message)
        return Exchange(
            number=number,
            url=hop.url,
            method=hop.method,
            started=started,
            request=request,
            response=response,
            representation=representation,
            source=Source.RELAY if socket and socket.counted else Source.NETLOG,
            status=message.head.status if message else None,
            protocols=_protocols(wire, socket),
            remote_address=socket.remote[0] if socket and socket.remote else None,
            remote_port=socket.remote[1] if socket and socket.remote else None,
            address_source="browser" if socket and socket.remote else "",
            tls=self._tls(hop, socket),
            truncated=truncated,
            error=error,
            kind=hop.kind(wire),
            initiator=hop.origin,
            redirected_from=before,
            local_port=socket.local[1] if socket and socket.local else None,
            notes=tuple(notes),
        )

    def _take(self, part: Part, wire: Wire, request: Path, response: Path) -> Path | None:
        """HTTP/1.1: the connection's bytes become the exchange, and must be what was announced."""
        if wire.line and not _starts_with(part.sent.path, _request_head(wire)):
            note(self.problems, "a request differs from what its connection sent")
        _move(part.sent, request)
        return _move(part.received, response) if part.received.size else None

    def _rewrite(
        self, wire: Wire, hop: Hop, request: Path, response: Path, socket: Socket | None
    ) -> Path | None:
        """HTTP/2: header lines from the decoded fields, body from the DATA frames."""
        session = socket.http2 if socket else None
        stream = wire.stream[1] if wire.stream else 0
        pseudo, fields = _split_pseudo(wire.request)
        path = pseudo.get(":path", hop.url)
        lines = [f"{hop.method} {path} HTTP/1.1".encode("utf-8", "surrogateescape")]
        if ":authority" in pseudo:
            lines.append(b"Host: " + raw_line(pseudo[":authority"]))
        _write(
            request, [[*lines, *map(raw_line, fields)]], session.sent if session else None, stream
        )
        if not wire.response:
            return None
        heads = [[_status_line(head[0]), *map(raw_line, head[1:])] for head in wire.interim if head]
        last = wire.response
        heads.append([_status_line(last[0]), *map(raw_line, last[1:])])
        _write(response, heads, session.received if session else None, stream)
        return response

    def _http2_socket(self, session: int) -> Socket | None:
        number = self.requests.sessions.get(session)
        return self.sockets.sockets.get(number) if number is not None else None

    def _measure(self, response: Path, hop: Hop, number: int) -> Message | None:
        try:
            return measure(response, method=hop.method)
        except BadMessageError as error:
            note(self.problems, f"response {number} is no HTTP message: {error}")
            return None

    def _truncated(
        self,
        wire: Wire | None,
        part: Part | None,
        message: Message | None,
        socket: Socket | None,
        error: str | None,
    ) -> str | None:
        if message is None:
            return "disconnect"
        if wire is not None and wire.http2:
            session = socket.http2 if socket else None
            if session is None or wire.stream is None:
                return "unspecified"
            return None if wire.stream[1] in session.received.ended else "disconnect"
        if not message.complete:
            return "disconnect"
        if message.framing == "close" and (
            error or (part is not None and not (part.ended and part.whole[1]))
        ):
            return "unspecified"
        return None

    def _frames(
        self,
        number: int,
        hop: Hop,
        started: datetime,
        request: Path,
        response: Path,
        message: Message,
    ) -> None:
        """WebSocket: the handshake stays in the exchange, what follows goes to own files."""
        sent = self.folder / f"{number:04d}.ws-sent"
        received = self.folder / f"{number:04d}.ws-received"
        _cut(response, message.body, received)
        try:
            _cut(request, measure(request).body, sent)
        except BadMessageError:
            note(self.problems, f"request {number} is no HTTP message")
            sent.write_bytes(b"")
        self.websockets.append(WebSocketFrames(number, hop.url, started, sent, received))

    def _tls(self, hop: Hop, socket: Socket | None) -> TlsSeen | None:
        if socket is None or not socket.tls:
            return None
        verdict = self.sockets.verdicts.get(socket.chain[0], "") if socket.chain else ""
        if socket.chain:
            port = f":{socket.remote[1]}" if socket.remote else ""
            self.chains[hop.host + _port(hop.url, port)] = socket.chain
        return TlsSeen(socket.version, socket.cipher, socket.chain, socket.alpn, verdict)


def _port(url: str, fallback: str) -> str:
    authority = url.split("/", 3)[2] if url.count("/") >= 2 else ""
    tail = authority.rpartition(":")[2]
    if authority.endswith(f":{tail}") and tail.isdigit():
        return f":{tail}"
    return ":443" if url.startswith(("https:", "wss:")) else fallback


def _asked(stream: int, hop: Hop, socket: Socket | None) -> bool:
    """Whether the request of an HTTP/2 stream came to its end; a WebSocket's does not."""
    session = socket.http2 if socket else None
    return session is None or stream in session.sent.ended or hop.method == "CONNECT"


def _last(hop: Hop, wire: Wire | None) -> bool:
    return wire is None or wire is hop.wires[-1]


def _protocols(wire: Wire | None, socket: Socket | None) -> tuple[str, ...]:
    if wire is None:
        return ()
    found = ["h3" if wire.quic else "h2" if wire.http2 else "http/1.1"]
    if socket is not None and socket.version:
        found.append(socket.version.replace(" ", "/").lower())
    return tuple(found)


def _request_head(wire: Wire) -> bytes:
    lines = [raw_line(wire.line), *map(raw_line, wire.request)]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _status_line(line: str) -> bytes:
    """``HTTP/1.1 200`` as Chromium writes it for HTTP/2, with the blank that RFC 9112 wants."""
    raw = raw_line(line).strip()
    return raw + b" " if raw.count(b" ") < 2 else raw


def _split_pseudo(lines: list[str]) -> tuple[dict[str, str], list[str]]:
    pseudo = {}
    fields = []
    for line in lines:
        if line.startswith(":"):
            name, _, value = line[1:].partition(":")
            pseudo[":" + name] = value.strip()
        else:
            fields.append(line)
    return pseudo, fields


def _starts_with(path: Path, head: bytes) -> bool:
    if not path.exists():
        return False
    with path.open("rb") as stream:
        return stream.read(len(head)) == head


def _move(spool: Spool, target: Path) -> Path:
    """The spool's file under its final name."""
    spool.close()
    if spool.path.exists():
        when_free(lambda: spool.path.replace(target))
    else:
        target.write_bytes(b"")
    return target


def _write(target: Path, heads: list[list[bytes]], side: Direction | None, stream: int) -> None:
    """Heads, then the body that one direction of one stream carried."""
    with target.open("wb") as out:
        for lines in heads:
            out.write(b"\r\n".join(lines) + b"\r\n\r\n")
        sink = side.bodies.get(stream) if side else None
        if isinstance(sink, Spool) and sink.path.exists():
            with sink.path.open("rb") as body:
                while chunk := body.read(CHUNK):
                    out.write(chunk)
            sink.discard()


def _cut(path: Path, place: int, rest: Path) -> None:
    """Move everything from ``place`` on into the file ``rest``."""
    with path.open("r+b") as stream, rest.open("wb") as out:
        stream.seek(place)
        while chunk := stream.read(CHUNK):
            out.write(chunk)
        stream.truncate(place)
