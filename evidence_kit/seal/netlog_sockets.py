"""Sockets in a network log: which bytes passed, in which period of use, under which TLS.

One period of ``SOCKET_IN_USE`` is one HTTP/1.1 exchange; a transaction that is repeated on the
same connection (authentication) is cut where its next request begins. A SOCKS or CONNECT
handshake lies before the period or before TLS, and so never ends up in an exchange.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from evidence_kit.seal.connection_copies import ConnectionCopies
from evidence_kit.seal.netlog_copied import Cursor, cursors
from evidence_kit.seal.netlog_http2 import Http2Session, note
from evidence_kit.seal.netlog_lines import LineError, Names, read_bytes, read_params
from evidence_kit.seal.tls_hello import CLIENT_HELLO
from evidence_kit.seal.tls_keys import KeyLog

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_ADDRESS = re.compile(r"\[?([0-9A-Fa-f:.%]+?)\]?:(\d{1,5})")
_BUFFER = 1 << 16
_SHORT = "a connection's copy is shorter than the network log says"

MAX_OPEN = 64
"""Files that a reading holds open at once: systems allow a program 256 to 1024, and a page may have
thousands of streams that never end."""


@dataclass
class Spool:
    """A file that grows; opened with its first byte so that silent sockets cost nothing.

    Attributes:
        opened: told when the file is opened, which it may be again and again.
        begin: where its bytes stand among those of its direction; for bytes that are only counted.
    """

    path: Path
    opened: Callable[[Spool], None] = lambda _: None
    size: int = 0
    stream: BinaryIO | None = None
    begin: int = 0

    def write(self, data: bytes) -> None:
        """Append."""
        if self.stream is None:
            self.opened(self)
            self.stream = self.path.open("ab" if self.size else "wb", buffering=_BUFFER)
        self.stream.write(data)
        self.size += len(data)

    def count(self, place: int, size: int) -> None:
        """Append bytes that come later, with :meth:`fill`."""
        if not self.size:
            self.begin = place
        self.size += size

    def fill(self, source: Cursor) -> bool:
        """Fetch what was counted; False where not all of it is there, and the rest is left out."""
        wanted, self.size = self.size, 0
        for data in source.cut(self.begin, wanted):
            self.write(data)
        self.close()
        return self.size == wanted

    def close(self) -> None:
        """Write out and close; closing twice does no harm."""
        if self.stream is not None:
            self.stream.close()
            self.stream = None

    def discard(self) -> None:
        """Close and remove."""
        self.close()
        self.path.unlink(missing_ok=True)
        self.size = 0


class Spools:
    """Makes the files of one reading, and closes the oldest where too many are open.

    Args:
        folder: gets ``spool-NNNNN.part``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self._open: deque[Spool] = deque()

    def make(self) -> Spool:
        """A further file, which is not there before its first byte."""
        self._count += 1
        return Spool(self._folder / f"spool-{self._count:05d}.part", self._make_room)

    def _make_room(self, spool: Spool) -> None:
        if len(self._open) == MAX_OPEN:
            self._open.popleft().close()  # what comes for it later opens it again
        self._open.append(spool)


@dataclass
class Part:
    """What one exchange sent and received on a socket.

    Attributes:
        ended: whether the log says that it came to its end.
        whole: whether everything that the log counts is there, as sent and as received.
    """

    job: int
    socket: Socket
    sent: Spool
    received: Spool
    ended: bool = False
    whole: tuple[bool, bool] = (True, True)


@dataclass
class Socket:
    """One connection.

    Attributes:
        tls: whether TLS was begun on it, from then on only plaintext inside TLS counts.
        resumed: whether the TLS session was resumed, so that the chain is an earlier one.
        counted: whether the log only counts its bytes, which then come from a copy.
        places: bytes sent and received so far; inside TLS, once that has begun.
        tls_places: the same of the connection itself when TLS began.
        client_random: of its ClientHello, which no other connection shares; empty where the log
            does not say it.
        parts: its exchanges, in order.
    """

    number: int
    remote: tuple[str, int] | None = None
    local: tuple[str, int] | None = None
    tls: bool = False
    version: str = ""
    cipher: str = ""
    alpn: str = ""
    chain: tuple[bytes, ...] = ()
    resumed: bool = False
    part: Part | None = None
    http2: Http2Session | None = None
    counted: bool = False
    places: list[int] = field(default_factory=lambda: [0, 0])
    tls_places: tuple[int, int] = (0, 0)
    client_random: bytes = b""
    parts: list[Part] = field(default_factory=list)


@dataclass
class Sockets:
    """All connections of a log; ``feed`` takes their events in order."""

    folder: Path
    names: Names
    problems: list[str]
    sockets: dict[int, Socket] = field(default_factory=dict)
    parts: dict[int, list[Part]] = field(default_factory=dict)
    verdicts: dict[bytes, str] = field(default_factory=dict)
    refused: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    _verifying: dict[int, tuple[str, tuple[bytes, ...]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._spools = Spools(self.folder)

    def feed(self, name: str, source: int, phase: int, text: bytes) -> None:
        """One event of a SOCKET source.

        Raises:
            LineError: the line is malformed.
        """
        socket = self.sockets.get(source)
        if socket is None:
            socket = self.sockets[source] = Socket(source)
        if name.endswith(("BYTES_SENT", "BYTES_RECEIVED")):
            if socket.tls == name.startswith("SSL_"):
                self._bytes(socket, text, sent=name.endswith("SENT"))
        elif name == "SOCKET_IN_USE":
            self._in_use(socket, phase, text)
        elif name == "TCP_CONNECT" and phase == self.names.end:
            params = read_params(text)
            socket.remote = parse_address(params.get("remote_address"))
            socket.local = parse_address(params.get("local_address"))
        elif name == "SSL_CONNECT":
            self._tls(socket, phase, text)
        elif name == "SSL_CERTIFICATES_RECEIVED":
            socket.chain = parse_chain(read_params(text))
        elif name == "SSL_HANDSHAKE_MESSAGE_SENT" and not socket.client_random:
            socket.client_random = _client_random(read_bytes(text)[1] or b"")

    def verify(self, source: int, phase: int, text: bytes) -> None:
        """One event of a certificate verification: what the browser thought of a chain."""
        params = read_params(text)
        if phase == self.names.begin:
            self._verifying[source] = str(params.get("host", "")), parse_chain(params)
            return
        host, chain = self._verifying.pop(source, ("", ()))
        if chain:
            code = params.get("net_error", 0)
            bad = isinstance(code, int) and code < 0
            self.verdicts[chain[0]] = self.names.error(code) if bad else "trusted"
            if bad:  # no request will ever go over that connection
                self.refused[host] = chain

    def next_part(self, part: Part) -> Part:
        """Begin a further exchange within the same period of use."""
        self._close(part)
        return self._open(part.socket, part.job)

    def finish(self, copies: ConnectionCopies | None = None) -> None:
        """Fetch what was only counted, close every file; what was in use stays marked not ended.

        Args:
            copies: where bytes come from that the log only counts.

        Raises:
            OSError: a copy cannot be read, or a file in the folder not written.
        """
        keys = copies.key_log() if copies else KeyLog.parse(b"")
        turns: Counter[int] = Counter()
        for socket in self.sockets.values():
            port = socket.local[1] if socket.local else 0
            if socket.counted and (socket.parts or socket.http2):
                self._fetch(socket, copies, turns[port], keys)
            turns[port] += 1
            if socket.part is not None:
                socket.part.sent.close()
                socket.part.received.close()
            if socket.http2 is not None:
                socket.http2.finish()

    def _bytes(self, socket: Socket, text: bytes, *, sent: bool) -> None:
        count, data = read_bytes(text)
        place = socket.places[not sent]
        socket.places[not sent] += count
        socket.counted = socket.counted or (data is None and count > 0)
        part = socket.part
        if socket.http2 is not None:
            if data is not None:
                socket.http2.feed(data, sent=sent)
        elif part is not None and not count:
            part.ended = part.ended or not sent
        elif part is not None:
            spool = part.sent if sent else part.received
            if data is not None:
                spool.write(data)
            else:
                spool.count(place, count)

    def _fetch(
        self, socket: Socket, copies: ConnectionCopies | None, turn: int, keys: KeyLog
    ) -> None:
        """Put the bytes of a connection's copy where the log has counted them."""
        if copies is None:
            note(self.problems, "the network log counts bytes, and nobody copied them")
            return
        with copies.streams(socket.local[1] if socket.local else 0, turn) as streams:
            if streams is None:
                note(self.problems, "a connection of the network log of which there is no copy")
                return
            begin = socket.tls_places if socket.tls else None
            sent, received = cursors(streams, begin, keys, self.problems, socket.client_random)
            for part in socket.parts:
                # What was sent may have been cut off on its way to the relay; then it never left.
                part.whole = part.sent.fill(sent), part.received.fill(received)
                if not part.whole[1]:
                    note(self.problems, _SHORT)
            if socket.http2 is not None:
                for data in sent.cut(0, socket.places[0]):
                    socket.http2.feed(data, sent=True)
                left = socket.places[1]
                for data in received.cut(0, left):
                    socket.http2.feed(data, sent=False)
                    left -= len(data)
                if left:
                    note(self.problems, _SHORT)

    def _in_use(self, socket: Socket, phase: int, text: bytes) -> None:
        if phase == self.names.begin:
            job = dependency(read_params(text))
            if socket.part is not None:
                self._close(socket.part)
            if job is None:
                raise LineError("a socket in use by nobody")
            if socket.http2 is None:
                self._open(socket, job)
        elif socket.part is not None:
            self._close(socket.part)
            socket.part = None

    def _tls(self, socket: Socket, phase: int, text: bytes) -> None:
        if phase == self.names.begin:
            socket.tls = True
            socket.tls_places = socket.places[0], socket.places[1]
            socket.places = [0, 0]
            if socket.part is not None:
                # What came before was a proxy's handshake.
                socket.part.sent.discard()
                socket.part.received.discard()
            return
        params = read_params(text)
        socket.version = str(params.get("version", ""))
        cipher = params.get("cipher_suite")
        socket.cipher = f"0x{cipher:04x}" if isinstance(cipher, int) else ""
        socket.alpn = str(params.get("next_proto", ""))
        socket.resumed = bool(params.get("is_resumed"))
        if socket.alpn == "h2":
            socket.http2 = Http2Session(self._spools.make, self.problems)

    def _open(self, socket: Socket, job: int) -> Part:
        part = Part(job, socket, self._spools.make(), self._spools.make())
        socket.part = part
        socket.parts.append(part)
        self.parts.setdefault(job, []).append(part)
        return part

    def _close(self, part: Part) -> None:
        part.sent.close()
        part.received.close()
        part.ended = True


def dependency(params: dict[str, Any]) -> int | None:
    """The source that an event refers to."""
    value = params.get("source_dependency")
    number = value.get("id") if isinstance(value, dict) else None
    return number if isinstance(number, int) else None


def _client_random(message: bytes) -> bytes:
    """From a whole ClientHello (RFC 8446 section 4.1.2); empty for any other message."""
    return message[6:38] if message[:1] == bytes([CLIENT_HELLO]) else b""


def parse_address(value: Any) -> tuple[str, int] | None:
    """``127.0.0.1:80`` or ``[::1]:80``."""
    found = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    return (found[1], int(found[2])) if found else None


def parse_chain(params: dict[str, Any]) -> tuple[bytes, ...]:
    """DER certificates of an event, leaf first."""
    found = params.get("certificates", [])
    chain = []
    for pem in found if isinstance(found, list) else []:
        for body in _PEM.findall(pem) if isinstance(pem, str) else []:
            try:
                chain.append(base64.b64decode("".join(body.split()), validate=True))
            except binascii.Error as error:
                raise LineError("a certificate that is not base64") from error
    return tuple(chain)
