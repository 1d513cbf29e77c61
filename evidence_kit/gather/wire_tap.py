"""Keep what passes a socket of ``requests``/``urllib3``, byte for byte, before anything parses it.

``urllib3`` builds a connection class per pool; the classes here open the socket through
:class:`WireTap` and read and write through a socket that hands every byte to the attempt in
progress. TLS ends below the tap, so the bytes are the plain HTTP messages as they passed.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from typing import Any, BinaryIO

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

from evidence_kit.core.exchange import TlsSeen

Dial = Callable[[str, int, bool], socket.socket]
"""Opens a TCP connection to a host and port, for TLS or not; where it leads is the caller's
decision."""

_DER = 2
"""``_ssl.ENCODING_DER``."""


class WireLimitError(OSError):
    """More bytes than one answer may have; an OSError, so that urllib3 closes the connection."""


@dataclass(frozen=True)
class Peer:
    """The other end of a connection as the client's own socket saw it."""

    address: str
    port: int
    local_port: int
    tls: TlsSeen | None = None
    chain_note: str = ""


class Attempt:
    """The bytes of one request and of what came back, going to two files.

    Args:
        request: open for writing.
        response: open for writing.
        max_bytes: bytes of the response on the wire; more raises :class:`WireLimitError`.
        deadline: value of ``time.monotonic()`` after which reading stops.
        read_timeout: seconds of silence before reading stops.
    """

    def __init__(
        self,
        request: BinaryIO,
        response: BinaryIO,
        *,
        max_bytes: int,
        deadline: float,
        read_timeout: float,
    ) -> None:
        self._request = request
        self._response = response
        self._max_bytes = max_bytes
        self._deadline = deadline
        self._read_timeout = read_timeout
        self.peer: Peer | None = None
        self.received_bytes = 0

    def sent(self, data: bytes, peer: Peer) -> None:
        """Keep bytes that are about to go out."""
        self.peer = peer
        self._request.write(data)

    def received(self, data: bytes) -> None:
        """Keep bytes that came in."""
        self._response.write(data)
        self.received_bytes += len(data)
        if self.received_bytes > self._max_bytes:
            raise WireLimitError(f"more than {self._max_bytes} bytes")

    def patience(self) -> float:
        """Seconds that the next read may take.

        Raises:
            TimeoutError: the whole time is used up, however lively the other side is.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for one answer is used up")
        return min(left, self._read_timeout)


class WireTap:
    """Connects pools to the attempt in progress; one attempt at a time.

    Args:
        dial: opens the TCP connection, after deciding whether and where that may happen.
    """

    def __init__(self, dial: Dial) -> None:
        self.dial = dial
        self.attempt: Attempt | None = None

    def pools(self) -> dict[str, type[HTTPConnectionPool]]:
        """Pool classes by scheme, for ``PoolManager.pool_classes_by_scheme``."""
        tap = self

        class TappedConnection(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return _open(tap, self)

            def connect(self) -> None:
                super().connect()
                self.sock = _tapped(tap, self.sock)

        class TappedTlsConnection(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return _open(tap, self)

            def connect(self) -> None:
                super().connect()
                self.sock = _tapped(tap, self.sock)

        class TappedPool(HTTPConnectionPool):
            ConnectionCls = TappedConnection

        class TappedTlsPool(HTTPSConnectionPool):
            ConnectionCls = TappedTlsConnection

        return {"http": TappedPool, "https": TappedTlsPool}


def _open(tap: WireTap, connection: HTTPConnection) -> socket.socket:
    try:
        tls = isinstance(connection, HTTPSConnection)
        return tap.dial(connection.host.strip("[]"), connection.port, tls)
    except OSError as error:
        raise NewConnectionError(connection, str(error)) from error


def _tapped(tap: WireTap, sock: Any) -> Any:
    return _TappedSocket(sock, _peer(sock), tap)


def _peer(sock: Any) -> Peer:
    address, port = sock.getpeername()[:2]
    tls, note = _tls(sock) if isinstance(sock, ssl.SSLSocket) else (None, "")
    return Peer(address, port, sock.getsockname()[1], tls, note)


def _tls(sock: ssl.SSLSocket) -> tuple[TlsSeen, str]:
    """The connection's TLS; reaching this point means that the client verified the chain."""
    chain, note = _chain(sock)
    cipher = sock.cipher()
    return (
        TlsSeen(
            version=(sock.version() or "").replace("TLSv", "TLS "),
            cipher=cipher[0] if cipher else "",
            chain=chain,
            alpn=sock.selected_alpn_protocol() or "",
            verdict="trusted",
        ),
        note,
    )


def _chain(sock: ssl.SSLSocket) -> tuple[tuple[bytes, ...], str]:
    """The chain as the server sent it where this Python tells, else the leaf alone.

    ``SSLSocket.get_unverified_chain`` is public since Python 3.13; 3.11 and 3.12 have it on the
    inner object only.
    """
    public = getattr(sock, "get_unverified_chain", None)
    if public is not None:
        return tuple(bytes(item) for item in public()), "tls-chain-as-received"
    inner = getattr(getattr(sock, "_sslobj", None), "get_unverified_chain", None)
    if inner is not None:
        return tuple(item.public_bytes(_DER) for item in inner()), "tls-chain-as-received"
    leaf = sock.getpeercert(binary_form=True)
    return ((leaf,) if leaf else ()), "tls-leaf-only"


class _TappedSocket:
    """A socket that shows the attempt what passes; everything else goes straight through."""

    def __init__(self, sock: Any, peer: Peer, tap: WireTap) -> None:
        self._sock = sock
        self._peer = peer
        self._tap = tap

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def sendall(self, data: Any, *flags: int) -> None:
        if self._tap.attempt is not None:
            # Before sending: what may have gone out is on record even if sending fails half-way.
            self._tap.attempt.sent(bytes(data), self._peer)
        self._sock.sendall(data, *flags)

    def makefile(self, *_: Any, **__: Any) -> BufferedReader:
        return BufferedReader(_TappedReader(self._sock, self._tap))


class _TappedReader(RawIOBase):
    def __init__(self, sock: Any, tap: WireTap) -> None:
        self._sock = sock
        self._file = sock.makefile("rb", buffering=0)
        self._tap = tap

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        attempt = self._tap.attempt
        if attempt is not None:
            self._sock.settimeout(attempt.patience())
        count: int = self._file.readinto(buffer) or 0
        if attempt is not None and count:
            attempt.received(bytes(memoryview(buffer)[:count]))
        return count

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
