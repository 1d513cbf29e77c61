"""TLS 1.2 connections written by hand, as :mod:`tests.tls_made` does for 1.3."""

from __future__ import annotations

import hashlib
import hmac
from typing import Protocol

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from tests.tls_made import CHANGE_CIPHER, HANDSHAKE, clear, message
from tests.tls_peers import Recording

MASTER = bytes(range(48))
SERVER_RANDOM = bytes(range(100, 132))
CLIENT_RANDOM = bytes(range(32))
MASTER_LINE = f"CLIENT_RANDOM {CLIENT_RANDOM.hex()} {MASTER.hex()}\n".encode()


def _key_block(length: int) -> bytes:
    seed = b"key expansion" + SERVER_RANDOM + CLIENT_RANDOM
    out, chain = b"", seed
    while len(out) < length:
        chain = hmac.digest(MASTER, chain, "sha256")
        out += hmac.digest(MASTER, chain + seed, "sha256")
    return out[:length]


class Sealer(Protocol):
    def seal(self, kind: int, content: bytes) -> bytes: ...


class Gcm:
    """TLS_RSA_WITH_AES_128_GCM_SHA256."""

    cipher = 0x9C

    def __init__(self, side: int) -> None:
        block = _key_block(40)
        self._aead = AESGCM(block[16 * side : 16 * side + 16])
        self._salt = block[32 + 4 * side : 36 + 4 * side]
        self._count = 0

    def seal(self, kind: int, content: bytes) -> bytes:
        start = bytes([kind]) + b"\x03\x03"
        count = self._count.to_bytes(8, "big")
        self._count += 1
        explicit = bytes(byte ^ 0x5A for byte in count)  # any value that does not come again
        checked = count + start + len(content).to_bytes(2, "big")
        body = explicit + self._aead.encrypt(self._salt + explicit, content, checked)
        return start + len(body).to_bytes(2, "big") + body


class Cbc:
    """TLS_RSA_WITH_AES_128_CBC_SHA; ``extra`` blocks of padding beyond what is needed."""

    cipher = 0x2F

    def __init__(self, side: int, *, encrypt_first: bool = False, extra: int = 0) -> None:
        block = _key_block(72)
        self._mac = block[20 * side : 20 * side + 20]
        self._key = block[40 + 16 * side : 56 + 16 * side]
        self._encrypt_first = encrypt_first
        self._extra = extra
        self._count = 0

    def _tag(self, start: bytes, data: bytes) -> bytes:
        head = self._count.to_bytes(8, "big") + start + len(data).to_bytes(2, "big")
        return hmac.digest(self._mac, head + data, "sha1")

    def seal(self, kind: int, content: bytes, *, spoiled: bool = False) -> bytes:
        start = bytes([kind]) + b"\x03\x03"
        plain = content if self._encrypt_first else content + self._tag(start, content)
        padding = 15 - len(plain) % 16 + 16 * self._extra
        tail = bytes([padding]) * (padding + 1)
        if spoiled:
            tail = bytes([padding ^ 1]) + tail[1:]
        iv = hashlib.md5(bytes([self._count])).digest()
        encryptor = Cipher(AES(self._key), CBC(iv)).encryptor()
        body = iv + encryptor.update(plain + tail)
        if self._encrypt_first:
            body += self._tag(start, body)
        self._count += 1
        return start + len(body).to_bytes(2, "big") + body


def connection(
    client: Sealer, server: Sealer, cipher: int, *, extensions: bytes = b""
) -> tuple[bytearray, bytearray]:
    """Both directions of a handshake, up to where data begins."""
    body = b"\x03\x03" + CLIENT_RANDOM + b"\0\0\x02\0\x2f\x01\0"
    sent = bytearray(clear(HANDSHAKE, message(1, body)))
    body = b"\x03\x03" + SERVER_RANDOM + b"\0" + cipher.to_bytes(2, "big") + b"\0"
    received = bytearray(clear(HANDSHAKE, message(2, body + extensions) + message(14, b"")))
    for way, sealer in ((sent, client), (received, server)):
        way += CHANGE_CIPHER + sealer.seal(HANDSHAKE, message(20, bytes(12)))
    return sent, received


def recording(sent: bytearray, received: bytearray) -> Recording:
    return Recording(bytes(sent), bytes(received), MASTER_LINE)
