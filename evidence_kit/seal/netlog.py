"""Chromium's network log → HTTP exchanges as files: what the browser sent and received.

HTTP/1.1 exchanges are the bytes of the socket (inside TLS), nothing added or lost. For HTTP/2 the
DATA is exact and the header lines are written from the decoded fields. A log may hold the bytes or
only count them; then they are cut from copies of the connections, by these counts. The log is a
debugging format without a promise of stability: names come from its own constants, and everything
that does not fit together is told in ``Recording.problems`` instead of being smoothed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from evidence_kit.core.exchange import Exchange
from evidence_kit.seal.connection_copies import ConnectionCopies
from evidence_kit.seal.netlog_build import Builder, CachedRequest, WebSocketFrames
from evidence_kit.seal.netlog_http2 import note
from evidence_kit.seal.netlog_lines import (
    LineError,
    Names,
    read_constants,
    read_params,
    read_tail,
    strip_line,
)
from evidence_kit.seal.netlog_requests import WANTED, Requests
from evidence_kit.seal.netlog_sockets import Sockets, parse_address

_SOCKET_EVENTS = (
    "SOCKET_BYTES_SENT",
    "SOCKET_BYTES_RECEIVED",
    "SSL_SOCKET_BYTES_SENT",
    "SSL_SOCKET_BYTES_RECEIVED",
    "SOCKET_IN_USE",
    "TCP_CONNECT",
    "SSL_CONNECT",
    "SSL_CERTIFICATES_RECEIVED",
    "SSL_HANDSHAKE_MESSAGE_SENT",
)
_NEEDED = ("URL_REQUEST_START_JOB", "SOCKET_IN_USE", "SSL_SOCKET_BYTES_RECEIVED")
_DNS_EVENTS = ("HOST_RESOLVER_MANAGER_JOB", "HOST_RESOLVER_SYSTEM_TASK")
_UNREADABLE = "lines of the network log that cannot be read: "


@dataclass(frozen=True)
class Recording:
    """Everything that a network log tells.

    Attributes:
        exchanges: requests with a response, in the order of their start.
        failed: requests without one (``response`` is None, ``error`` says why).
        cached: requests answered without the network.
        websockets: frames behind the handshakes, which stand among ``exchanges``.
        background: exchanges of the browser itself, counted and dropped; ``background_hosts``.
        dns: host → addresses, as the browser resolved them; empty behind a SOCKS5 proxy.
        chains: ``host:port`` → DER certificates as received on its last connection.
        problems: what did not fit together; empty for a sound log.
        events: event lines read.
    """

    exchanges: tuple[Exchange, ...]
    failed: tuple[Exchange, ...]
    cached: tuple[CachedRequest, ...]
    websockets: tuple[WebSocketFrames, ...]
    background: int
    background_hosts: tuple[str, ...]
    dns: Mapping[str, tuple[str, ...]]
    chains: Mapping[str, tuple[bytes, ...]]
    problems: tuple[str, ...]
    events: int


_Take = Callable[[int, int, int, bytes], None]


class NetLogReader:
    """Reads a network log line by line and writes the exchanges into a folder.

    Args:
        folder: exists and is private; gets ``NNNN.request`` and ``NNNN.response`` (and
            ``NNNN.ws-sent``, ``NNNN.ws-received``). Spool files are gone after :meth:`finish`.
        keep: gets every line that tells of an exchange, as it is, so that a reading which was
            cut short can be done again from there; never the rest of the log.
        copies: of the connections, for a log that counts their bytes and does not hold them; looked
            at when the log has ended.
    """

    def __init__(
        self,
        folder: Path,
        keep: BinaryIO | None = None,
        copies: Path | None = None,
    ) -> None:
        self._folder = folder
        self._keep = keep
        self._copies = copies
        self._names: Names | None = None
        self._take: dict[int, _Take] = {}
        self._problems: list[str] = []
        self._unreadable = 0
        self._events = 0
        self._hosts: dict[int, str] = {}
        self._dns: dict[str, tuple[str, ...]] = {}
        self._ended = False

    def feed(self, line: bytes) -> None:
        """One line of the log, in order; never raises for what the line holds.

        Raises:
            OSError: a file in the folder cannot be written.
        """
        text = strip_line(line)
        if not text.startswith(b"{"):
            self._ended = self._ended or text.startswith((b'"polledData"', b"]"))
            return
        try:
            if self._names is None:
                self._begin(read_constants(line))
                self._kept(line)
                return
            tail = read_tail(text)
            self._events += 1
            take = self._take.get(tail.type)
            if take is not None:
                self._kept(line)
                take(tail.source, tail.phase, tail.ticks, text)
            self._ended = line.rstrip().endswith(b"],")
        except LineError as error:
            self._unreadable += 1
            note(self._problems, f"{_UNREADABLE}{error}")

    def finish(self) -> Recording:
        """Match requests with connections and give every exchange its number.

        Works on a log that ends anywhere; what had not ended is marked as truncated.

        Raises:
            OSError: a copy cannot be read, or a file in the folder not written.
        """
        names = self._names
        if names is None:
            note(self._problems, "the network log has no constants")
            return Recording((), (), (), (), 0, (), {}, {}, tuple(self._problems), 0)
        if not self._ended:
            note(self._problems, "the network log is cut off")
        self._sockets.finish(ConnectionCopies(self._copies) if self._copies else None)
        builder = Builder(self._folder, names, self._sockets, self._requests, self._problems)
        builder.run()
        for path in self._folder.glob("spool-*.part"):
            path.unlink()
        return Recording(
            tuple(builder.exchanges),
            tuple(builder.failed),
            tuple(builder.cached),
            tuple(builder.websockets),
            sum(builder.background.values()),
            tuple(sorted(builder.background)),
            self._dns,
            builder.chains,
            tuple(self._problems),
            self._events,
        )

    def _kept(self, line: bytes) -> None:
        if self._keep is not None:
            self._keep.write(line)

    def _begin(self, names: Names) -> None:
        self._names = names
        self._sockets = Sockets(self._folder, names, self._problems)
        self._requests = Requests(names, self._sockets)
        known = set(names.events.values())
        for name in _NEEDED:
            if name not in known:
                note(self._problems, f"this browser's log does not know {name}")
        for number, name in names.events.items():
            take = self._taker(name)
            if take is not None:
                self._take[number] = take

    def _taker(self, name: str) -> _Take | None:
        """What to do with events of this name; None for the many that are passed over."""
        sockets, requests = self._sockets, self._requests
        if name in _SOCKET_EVENTS:
            return lambda source, phase, _, text: sockets.feed(name, source, phase, text)
        if name in WANTED:
            return lambda source, phase, ticks, text: requests.feed(
                name, source, phase, ticks, text
            )
        if name in ("HTTP2_SESSION_INITIALIZED", "HTTP2_SESSION_SEND_HEADERS"):
            return lambda source, _, __, text: requests.session(name, source, text)
        if name == "CERT_VERIFIER_JOB":
            return lambda source, phase, _, text: sockets.verify(source, phase, text)
        if name in _DNS_EVENTS:
            return lambda source, _, __, text: self._resolved(source, text)
        if name == "HOST_RESOLVER_DNS_TASK_EXTRACTION_RESULTS":
            return lambda source, _, __, text: self._resolved(source, text)
        return None

    def _resolved(self, source: int, text: bytes) -> None:
        params = read_params(text)
        host = params.get("host")
        if isinstance(host, str):
            self._hosts[source] = host.split("://")[-1]
        found = _addresses(params)
        if found and source in self._hosts:
            name = self._hosts[source].rsplit(":", 1)[0]
            self._dns[name] = tuple(dict.fromkeys((*self._dns.get(name, ()), *found)))


def _addresses(params: dict[str, Any]) -> list[str]:
    """IP addresses in a resolver's answer, in either of the forms that Chromium writes."""
    listed = params.get("address_list")
    found = [parse_address(item) for item in listed] if isinstance(listed, list) else []
    addresses = [item[0] for item in found if item]
    results = params.get("results")
    for result in results if isinstance(results, list) else [results]:
        ends = None
        if isinstance(result, dict):
            ends = result.get("endpoints", result.get("ip_endpoints"))
        for end in ends if isinstance(ends, list) else []:
            address = end.get("endpoint_address") if isinstance(end, dict) else end
            if isinstance(address, str):
                pair = parse_address(address)
                addresses.append(pair[0] if pair else address)
    return addresses
