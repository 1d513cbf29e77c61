"""What a TLS connection says of itself before its keys are in use: the hellos.

Also the walk over handshake messages, which may be split over records or share one.
"""

from __future__ import annotations

from dataclasses import dataclass

from evidence_kit.seal.tls_keys import TlsError

CLIENT_HELLO = 1
SERVER_HELLO = 2
END_OF_EARLY_DATA = 5
ENCRYPTED_EXTENSIONS = 8
FINISHED = 20
KEY_UPDATE = 24

TLS_12 = 0x0303
TLS_13 = 0x0304

MAX_MESSAGE = 1 << 18
"""Bytes of one handshake message; browsers refuse chains of certificates above some 100 KiB."""

_ENCRYPT_THEN_MAC = 22
_EARLY_DATA = 42
_SUPPORTED_VERSIONS = 43

_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""RFC 8446 section 4.1.3: the "random" of a HelloRetryRequest."""


@dataclass(frozen=True)
class ClientHello:
    """RFC 8446 section 4.1.2, what matters here of it."""

    random: bytes
    early_data: bool


@dataclass(frozen=True)
class ServerHello:
    """RFC 8446 section 4.1.3, RFC 5246 section 7.4.1.3; ``retry``: a HelloRetryRequest."""

    version: int
    random: bytes
    cipher: int
    encrypt_then_mac: bool

    @property
    def retry(self) -> bool:
        """Does the server ask for another ClientHello?"""
        return self.random == _RETRY


class Messages:
    """Handshake messages out of the content of records."""

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def between(self) -> bool:
        """Nothing of a next message has come yet."""
        return not self._held

    def feed(self, content: bytes | memoryview) -> list[tuple[int, bytes]]:
        """Type and body of every message that this content completes.

        Raises:
            TlsError: a message of more than :data:`MAX_MESSAGE` bytes.
        """
        held = self._held
        held += content
        at = 0
        found = []
        while len(held) - at >= 4:
            length = int.from_bytes(held[at + 1 : at + 4], "big")
            if length > MAX_MESSAGE:
                raise TlsError("a handshake message too long to be one")
            if len(held) - at - 4 < length:
                break
            found.append((held[at], bytes(held[at + 4 : at + 4 + length])))
            at += 4 + length
        del held[:at]
        return found


class _Parts:
    """The fields of a message, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def take(self, size: int) -> bytes:
        if len(self._data) < size:
            raise TlsError("a hello that is not in order")
        found, self._data = self._data[:size], self._data[size:]
        return found

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        return self.take(self.number(size))

    def extensions(self) -> dict[int, bytes]:
        """What is left, as extensions: none where nothing is left (RFC 5246 section 7.4.1.2)."""
        if not self._data:
            return {}
        inner = _Parts(self.vector(2))
        if self._data:
            raise TlsError("a hello that is not in order")
        found: dict[int, bytes] = {}
        while inner._data:
            kind = inner.number(2)
            found[kind] = inner.vector(2)
        return found


def read_client_hello(body: bytes) -> ClientHello:
    """The body of a ClientHello.

    Raises:
        TlsError: it is not one.
    """
    parts = _Parts(body)
    parts.take(2)
    random = parts.take(32)
    for size in (1, 2, 1):  # session, ciphers, compression
        parts.vector(size)
    return ClientHello(random, _EARLY_DATA in parts.extensions())


def read_server_hello(body: bytes) -> ServerHello:
    """The body of a ServerHello or HelloRetryRequest.

    Raises:
        TlsError: it is not one, or it chose compression.
    """
    parts = _Parts(body)
    version = parts.number(2)
    random = parts.take(32)
    parts.vector(1)
    cipher = parts.number(2)
    if parts.number(1):
        raise TlsError("a connection with compression, which is not read")
    extensions = parts.extensions()
    if _SUPPORTED_VERSIONS in extensions:
        version = int.from_bytes(extensions[_SUPPORTED_VERSIONS], "big")
    return ServerHello(version, random, cipher, _ENCRYPT_THEN_MAC in extensions)


def accepts_early_data(body: bytes) -> bool:
    """Does this body of EncryptedExtensions accept early data (RFC 8446 section 4.2.10)?

    Raises:
        TlsError: it is not one.
    """
    return _EARLY_DATA in _Parts(body).extensions()
