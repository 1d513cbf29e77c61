"""Requests in a network log: hops, redirects, retries, cache hits, and whose they were.

A ``URL_REQUEST`` is what a page asked for. Each ``URL_REQUEST_START_JOB`` opens a hop (the first
URL, then each redirect); each request head sent within a hop is one exchange, a :class:`Wire`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from evidence_kit.seal.netlog_lines import Names, read_params
from evidence_kit.seal.netlog_sockets import Part, Sockets, dependency

ESCAPED = "%ESCAPED:\u200b "
"""Chromium's mark on values that are not ASCII: the rest is percent-encoded (EscapeNonASCII)."""

SCHEMES = ("http", "https", "ws", "wss")

_KINDS = {"empty": "xhr", "iframe": "frame", "frame": "frame"}

RESPONSE_HEADERS = "HTTP_TRANSACTION_READ_RESPONSE_HEADERS"
ABORTED = "ERR_ABORTED"
ANSWERED = "URL_REQUEST_DELEGATE_RESPONSE_STARTED"
CANCELLED = "CANCELLED"
WANTED = frozenset(
    {
        "URL_REQUEST_START_JOB",
        "URL_REQUEST_REDIRECTED",
        "HTTP_STREAM_REQUEST_BOUND_TO_JOB",
        "HTTP_TRANSACTION_SEND_REQUEST_HEADERS",
        "HTTP_TRANSACTION_HTTP2_SEND_REQUEST_HEADERS",
        "HTTP_TRANSACTION_QUIC_SEND_REQUEST_HEADERS",
        "HTTP_TRANSACTION_READ_EARLY_HINTS_RESPONSE_HEADERS",
        RESPONSE_HEADERS,
        "HTTP_TRANSACTION_RESTART_AFTER_ERROR",
        "REQUEST_ALIVE",
        ANSWERED,
        "FAILED",
        CANCELLED,
    }
)
"""Events of a request that are read; all others are passed over."""


@dataclass
class Wire:
    """One request that went onto a connection."""

    job: int
    ticks: int
    http2: bool
    line: str
    request: list[str]
    response: list[str] = field(default_factory=list)
    interim: list[list[str]] = field(default_factory=list)
    part: Part | None = None
    stream: tuple[int, int] | None = None
    error: str | None = None
    quic: bool = False


@dataclass
class Hop:
    """One URL of a request, with the exchanges that it took.

    Attributes:
        answered: whether the page was told of an answer, wherever it came from.
    """

    url: str
    method: str
    ticks: int
    initiator: str
    request_type: str
    isolation: str
    job: int | None = None
    wires: list[Wire] = field(default_factory=list)
    error: str | None = None
    redirected: bool = False
    answered: bool = False

    @property
    def site(self) -> str:
        """The site of the page in whose partition the request was made; empty for none."""
        site = self.isolation.split(" ")[0]
        return "" if site == "null" else site

    def background(self, pages: Collection[str]) -> bool:
        """The browser's own traffic: nobody's request, in the partition of no page.

        Args:
            pages: sites of all pages that were opened. The browser's own services may have a
                partition of theirs, such as the site of its maker.
        """
        own = self.initiator in ("", "not an origin")
        nowhere = not self.site or (bool(pages) and self.site not in pages)
        return own and nowhere and self.request_type not in ("main frame", "sub frame")

    @property
    def host(self) -> str:
        """Host name of the URL, empty where it has none."""
        try:
            return urlsplit(self.url).hostname or ""
        except ValueError:
            return ""

    @property
    def origin(self) -> str:
        """Who asked, empty for the user's own navigation."""
        return "" if self.initiator == "not an origin" else self.initiator

    def kind(self, wire: Wire | None) -> str:
        """What it was wanted for: from ``Sec-Fetch-Dest`` where it was sent."""
        for value in wire.request if wire else ():
            name, _, rest = value.partition(":")
            if name.strip().lower() == "sec-fetch-dest":
                found = rest.strip().lower()
                return _KINDS.get(found, found)
        if self.url.startswith(("ws:", "wss:")):
            return "websocket"
        return {"main frame": "document", "sub frame": "frame"}.get(self.request_type, "")


@dataclass
class Requests:
    """All requests of a log; ``feed`` takes their events in order."""

    names: Names
    sockets: Sockets
    hops: dict[int, list[Hop]] = field(default_factory=dict)
    streams: dict[int, tuple[int, int]] = field(default_factory=dict)
    sessions: dict[int, int] = field(default_factory=dict)
    _waiting: dict[int, Wire] = field(default_factory=dict)

    def pages(self) -> frozenset[str]:
        """Sites of all pages that were opened."""
        every = (hop for hops in self.hops.values() for hop in hops)
        return frozenset(hop.site for hop in every if hop.request_type == "main frame") - {""}

    def feed(self, name: str, source: int, phase: int, ticks: int, text: bytes) -> None:
        """One event of a URL_REQUEST source.

        Raises:
            LineError: the line is malformed.
        """
        if name == "URL_REQUEST_START_JOB" and phase == self.names.begin:
            self._start(source, ticks, read_params(text))
            return
        hops = self.hops.get(source)
        if not hops:
            return
        hop = hops[-1]
        if name == "HTTP_STREAM_REQUEST_BOUND_TO_JOB":
            hop.job = dependency(read_params(text))
        elif name.endswith("SEND_REQUEST_HEADERS"):
            self._send(hop, name, ticks, read_params(text))
        elif name.endswith("RESPONSE_HEADERS"):
            if hop.wires:
                lines = _lines(read_params(text))
                wire = hop.wires[-1]
                if name == RESPONSE_HEADERS:
                    wire.response = lines
                else:
                    wire.interim.append(lines)
        elif name == "URL_REQUEST_REDIRECTED":
            hop.redirected = True
        elif name == ANSWERED:
            hop.answered = True
        elif b'"net_error"' in text:
            code = read_params(text).get("net_error")
            if isinstance(code, int) and code < 0:
                error = self.names.error(code)
                if name == "HTTP_TRANSACTION_RESTART_AFTER_ERROR":
                    if hop.wires:
                        hop.wires[-1].error = error
                elif hop.error is None:
                    hop.error = error
        elif name == CANCELLED and not (hop.wires or hop.answered or hop.redirected):
            hop.error = hop.error or ABORTED  # which the log leaves unsaid, as the usual reason

    def session(self, name: str, source: int, text: bytes) -> None:
        """One event of an HTTP2_SESSION source: its socket, and which stream serves which job."""
        params = read_params(text)
        other = dependency(params)
        if other is None:
            return
        if name == "HTTP2_SESSION_INITIALIZED":
            self.sessions[source] = other
            return
        stream = params.get("stream_id")
        wire = self._waiting.pop(other, None)
        if wire is not None and isinstance(stream, int):
            wire.stream = (source, stream)

    def _start(self, source: int, ticks: int, params: dict[str, Any]) -> None:
        url = str(params.get("url", "")).partition("#")[0]
        if url.partition(":")[0] not in SCHEMES:
            return
        self.hops.setdefault(source, []).append(
            Hop(
                url,
                str(params.get("method", "")),
                ticks,
                str(params.get("initiator", "")),
                str(params.get("request_type", "")),
                str(params.get("network_isolation_key", "")),
            )
        )

    def _send(self, hop: Hop, name: str, ticks: int, params: dict[str, Any]) -> None:
        if hop.job is None:
            hop.job = -1
        http2 = "HTTP2" in name
        line = str(params.get("line", "")).rstrip("\r\n")
        wire = Wire(hop.job, ticks, http2, line, _lines(params), quic="QUIC" in name)
        if http2:
            self._waiting[hop.job] = wire
        elif not wire.quic:
            parts = self.sockets.parts.get(hop.job)
            if parts:
                part = parts[-1]
                if part.sent.size and not part.ended:
                    part = self.sockets.next_part(part)
                wire.part = None if part.sent.size else part
        hop.wires.append(wire)


def _lines(params: dict[str, Any]) -> list[str]:
    found = params.get("headers", [])
    return [line for line in found if isinstance(line, str)] if isinstance(found, list) else []


def raw_line(line: str) -> bytes:
    """The bytes of one header line: Chromium writes non-ASCII lines percent-encoded."""
    head, mark, rest = line.partition(ESCAPED)
    if mark:
        return head.encode("latin-1", "replace") + unquote_to_bytes(rest)
    return line.encode("utf-8", "surrogateescape")
