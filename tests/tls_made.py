"""TLS 1.3 connections written by hand, for what no ordinary peer does.

The derivations are written here once more, on Python's own ``hmac``: nothing is shared with what
is tested.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from evidence_kit.seal.tls_records import TlsError
from tests.tls_peers import Recording

CHANGE_CIPHER = bytes.fromhex("140303000101")
EMPTY_EXTENSIONS = b"\x08\0\0\x02\0\0"
EARLY_ACCEPTED = b"\x08\0\0\x06\0\x04\0\x2a\0\0"
FINISHED = b"\x14\0\0\x20" + bytes(32)
KEY_UPDATE = b"\x18\0\0\x01\0"
END_OF_EARLY_DATA = b"\x05\0\0\0"
CLOSE_NOTIFY = b"\x01\0"

HANDSHAKE, DATA, ALERT = 22, 23, 21

_SUITES: dict[int, tuple[type[AESGCM] | type[ChaCha20Poly1305], int, str]] = {
    0x1301: (AESGCM, 16, "sha256"),
    0x1302: (AESGCM, 32, "sha384"),
    0x1303: (ChaCha20Poly1305, 32, "sha256"),
}
_RETRY_RANDOM = hashlib.sha256(b"HelloRetryRequest").digest()


def _expand(secret: bytes, label: bytes, length: int, digest: str) -> bytes:
    info = length.to_bytes(2, "big") + bytes([6 + len(label)]) + b"tls13 " + label + b"\0"
    return hmac.digest(secret, info + b"\x01", digest)[:length]  # never more than one block


class Sealer:
    """Protects the records of one direction under one secret."""

    def __init__(self, cipher: int, secret: bytes) -> None:
        self._cipher, self._secret = cipher, secret
        make, size, self._digest = _SUITES[cipher]
        self._aead = make(_expand(secret, b"key", size, self._digest))
        self._iv = int.from_bytes(_expand(secret, b"iv", 12, self._digest), "big")
        self._count = 0

    def seal(self, kind: int, content: bytes, padding: int = 0) -> bytes:
        inner = content + bytes([kind]) + bytes(padding)
        header = b"\x17\x03\x03" + (len(inner) + 16).to_bytes(2, "big")
        nonce = (self._iv ^ self._count).to_bytes(12, "big")
        self._count += 1
        return header + self._aead.encrypt(nonce, inner, header)

    def next(self) -> Sealer:
        size = len(self._secret)
        return Sealer(self._cipher, _expand(self._secret, b"traffic upd", size, self._digest))


def clear(kind: int, content: bytes) -> bytes:
    """A record in the clear."""
    return bytes([kind]) + b"\x03\x03" + len(content).to_bytes(2, "big") + content


def message(number: int, body: bytes) -> bytes:
    return bytes([number]) + len(body).to_bytes(3, "big") + body


def _extensions(*found: tuple[int, bytes]) -> bytes:
    out = b"".join(
        kind.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data for kind, data in found
    )
    return len(out).to_bytes(2, "big") + out


class Made:
    """Both directions of a connection; a test appends to ``sent`` and ``received``."""

    def __init__(self, cipher: int = 0x1301, *, seed: bytes = b"") -> None:
        self.cipher = cipher
        self.random = hashlib.sha256(b"client" + seed).digest()
        self.sent, self.received = bytearray(), bytearray()
        self._seed = seed
        self.size = 48 if cipher == 0x1302 else 32
        self.labels = [
            "CLIENT_EARLY_TRAFFIC_SECRET",
            "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            "SERVER_HANDSHAKE_TRAFFIC_SECRET",
            "CLIENT_TRAFFIC_SECRET_0",
            "SERVER_TRAFFIC_SECRET_0",
        ]

    def secret(self, label: str) -> bytes:
        return hashlib.sha384(label.encode() + self._seed).digest()[: self.size]

    def sealer(self, label: str, cipher: int = 0) -> Sealer:
        return Sealer(cipher or self.cipher, self.secret(label))

    def keys(self) -> bytes:
        return b"".join(
            f"{label} {self.random.hex()} {self.secret(label).hex()}\n".encode()
            for label in self.labels
        )

    def client_hello(self, *, early: bool = False) -> bytes:
        extra = [(42, b"")] if early else []
        body = b"\x03\x03" + self.random + b"\x20" + bytes(32) + b"\0\x02\x13\x01\x01\0"
        return message(1, body + _extensions((43, b"\x02\x03\x04"), *extra))

    def server_hello(self, *, retry: bool = False, version: int = 0x0304) -> bytes:
        random = _RETRY_RANDOM if retry else bytes(range(32))
        body = b"\x03\x03" + random + b"\x20" + bytes(32) + self.cipher.to_bytes(2, "big") + b"\0"
        return message(2, body + _extensions((43, version.to_bytes(2, "big"))))

    def begin(self) -> tuple[Sealer, Sealer]:
        """An ordinary handshake; the sealers of client and server for what follows."""
        self.sent += clear(HANDSHAKE, self.client_hello()) + CHANGE_CIPHER
        self.received += clear(HANDSHAKE, self.server_hello()) + CHANGE_CIPHER
        handshake = self.sealer("CLIENT_HANDSHAKE_TRAFFIC_SECRET")
        self.sent += handshake.seal(HANDSHAKE, FINISHED)
        handshake = self.sealer("SERVER_HANDSHAKE_TRAFFIC_SECRET")
        self.received += handshake.seal(HANDSHAKE, EMPTY_EXTENSIONS + FINISHED)
        return self.sealer("CLIENT_TRAFFIC_SECRET_0"), self.sealer("SERVER_TRAFFIC_SECRET_0")

    def recording(self) -> Recording:
        return Recording(bytes(self.sent), bytes(self.received), self.keys())


def until_error(data: Iterator[bytes], words: str) -> bytes:
    """What comes before the error, which must come."""
    got = b""
    with pytest.raises(TlsError, match=words):
        for one in data:
            got += one
    return got
