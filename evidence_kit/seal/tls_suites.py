"""Cipher suites of TLS 1.2 and 1.3: from a secret to the content of protected records.

An opener belongs to one direction and one key. It takes the records in order, counts them, and
gives content only of a record that authenticates, with its place in the order and its header: a
byte that was changed, a record left out or put elsewhere makes the opening fail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, HashAlgorithm
from cryptography.hazmat.primitives.hmac import HMAC

from evidence_kit.seal.tls_keys import TlsError, expand_label, pseudo_random

MAX_PLAIN = 1 << 14
"""Bytes of content in one record (RFC 8446 section 5.1, RFC 5246 section 6.2.1)."""

_TAG = 16
_EXPLICIT = 8
_BLOCK = 16
_NONCE = 12


@dataclass(frozen=True)
class Suite:
    """A cipher suite.

    Attributes:
        bulk: "gcm", "chacha" or "cbc".
        key: bytes of its key.
        digest: the hash of the key schedule.
        mac: the hash of its record MAC, for "cbc".
    """

    bulk: str
    key: int
    digest: HashAlgorithm
    mac: HashAlgorithm | None = None


_SHA1 = SHA1()  # noqa: S303 -- the record MAC of old suites, which are read as they were spoken

SUITES_13 = {
    0x1301: Suite("gcm", 16, SHA256()),  # TLS_AES_128_GCM_SHA256
    0x1302: Suite("gcm", 32, SHA384()),  # TLS_AES_256_GCM_SHA384
    0x1303: Suite("chacha", 32, SHA256()),  # TLS_CHACHA20_POLY1305_SHA256
}

SUITES_12 = {
    0x002F: Suite("cbc", 16, SHA256(), _SHA1),  # TLS_RSA_WITH_AES_128_CBC_SHA
    0x0035: Suite("cbc", 32, SHA256(), _SHA1),  # TLS_RSA_WITH_AES_256_CBC_SHA
    0x003C: Suite("cbc", 16, SHA256(), SHA256()),  # TLS_RSA_WITH_AES_128_CBC_SHA256
    0x003D: Suite("cbc", 32, SHA256(), SHA256()),  # TLS_RSA_WITH_AES_256_CBC_SHA256
    0x009C: Suite("gcm", 16, SHA256()),  # TLS_RSA_WITH_AES_128_GCM_SHA256
    0x009D: Suite("gcm", 32, SHA384()),  # TLS_RSA_WITH_AES_256_GCM_SHA384
    0xC009: Suite("cbc", 16, SHA256(), _SHA1),  # TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA
    0xC00A: Suite("cbc", 32, SHA256(), _SHA1),  # TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA
    0xC013: Suite("cbc", 16, SHA256(), _SHA1),  # TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
    0xC014: Suite("cbc", 32, SHA256(), _SHA1),  # TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA
    0xC023: Suite("cbc", 16, SHA256(), SHA256()),  # TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256
    0xC024: Suite("cbc", 32, SHA384(), SHA384()),  # TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384
    0xC027: Suite("cbc", 16, SHA256(), SHA256()),  # TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256
    0xC028: Suite("cbc", 32, SHA384(), SHA384()),  # TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384
    0xC02B: Suite("gcm", 16, SHA256()),  # TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
    0xC02C: Suite("gcm", 32, SHA384()),  # TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
    0xC02F: Suite("gcm", 16, SHA256()),  # TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    0xC030: Suite("gcm", 32, SHA384()),  # TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
    0xCCA8: Suite("chacha", 32, SHA256()),  # TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
    0xCCA9: Suite("chacha", 32, SHA256()),  # TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
}


class Opener(Protocol):
    """Opens the records of one direction under one key."""

    def open(self, header: memoryview, body: memoryview) -> tuple[int, bytes]:
        """The content type of the next record and its content.

        Raises:
            TlsError: the record does not authenticate, or its content is too long. A record that
                failed is not counted.
        """


def _not_opened() -> TlsError:
    return TlsError("a record that its key does not open")


def _within(content: bytes) -> bytes:
    if len(content) > MAX_PLAIN:
        raise TlsError("a record with more content than TLS allows")
    return content


class Opener13:
    """Records of TLS 1.3 (RFC 8446 sections 5.2 to 5.4) under a traffic secret."""

    def __init__(self, suite: Suite, secret: bytes) -> None:
        if len(secret) != suite.digest.digest_size:
            raise TlsError("keys that do not fit the cipher of this connection")
        self._suite = suite
        self._secret = secret
        key = expand_label(secret, "key", suite.key, suite.digest)
        self._iv = int.from_bytes(expand_label(secret, "iv", _NONCE, suite.digest), "big")
        self._cipher = AESGCM(key) if suite.bulk == "gcm" else ChaCha20Poly1305(key)
        self._count = 0

    def open(self, header: memoryview, body: memoryview) -> tuple[int, bytes]:
        """See :class:`Opener`."""
        nonce = (self._iv ^ self._count).to_bytes(_NONCE, "big")
        try:
            inner = self._cipher.decrypt(nonce, body, header)
        except InvalidTag:
            raise _not_opened() from None
        self._count += 1
        if not inner or not inner[-1]:
            inner = inner.rstrip(b"\0")  # padding
            if not inner:
                raise TlsError("a record without a content type")
        return inner[-1], _within(inner[:-1])

    def next(self) -> Opener13:
        """The opener after a KeyUpdate (RFC 8446 section 7.2)."""
        digest = self._suite.digest
        secret = expand_label(self._secret, "traffic upd", digest.digest_size, digest)
        return Opener13(self._suite, secret)


class _Gcm12:
    """AES-GCM in TLS 1.2 (RFC 5288 section 3): half of the nonce stands in the record."""

    def __init__(self, key: bytes, salt: bytes) -> None:
        self._cipher = AESGCM(key)
        self._salt = salt
        self._count = 0

    def open(self, header: memoryview, body: memoryview) -> tuple[int, bytes]:
        length = len(body) - _EXPLICIT - _TAG
        if length < 0:
            raise _not_opened()
        nonce = self._salt + bytes(body[:_EXPLICIT])
        try:
            content = self._cipher.decrypt(
                nonce, body[_EXPLICIT:], _additional(self._count, header, length)
            )
        except InvalidTag:
            raise _not_opened() from None
        self._count += 1
        return header[0], _within(content)


class _ChaCha12:
    """ChaCha20-Poly1305 in TLS 1.2 (RFC 7905 section 2)."""

    def __init__(self, key: bytes, iv: bytes) -> None:
        self._cipher = ChaCha20Poly1305(key)
        self._iv = int.from_bytes(iv, "big")
        self._count = 0

    def open(self, header: memoryview, body: memoryview) -> tuple[int, bytes]:
        length = len(body) - _TAG
        if length < 0:
            raise _not_opened()
        nonce = (self._iv ^ self._count).to_bytes(_NONCE, "big")
        try:
            content = self._cipher.decrypt(nonce, body, _additional(self._count, header, length))
        except InvalidTag:
            raise _not_opened() from None
        self._count += 1
        return header[0], _within(content)


class _Cbc12:
    """AES-CBC with HMAC in TLS 1.2 (RFC 5246 section 6.2.3.2, RFC 7366).

    The connection is over and nobody waits for an answer: that the time of a failure depends on
    what failed gives nothing away here.
    """

    def __init__(self, key: bytes, mac: HMAC, mac_bytes: int, *, encrypt_first: bool) -> None:
        # Every record begins with its own IV. Running on over all records, the decryptor takes
        # that IV for ciphertext: its block comes out as nonsense and is dropped, all others right.
        self._cipher = Cipher(AES(key), CBC(bytes(_BLOCK))).decryptor()
        self._mac = mac
        self._mac_bytes = mac_bytes
        self._encrypt_first = encrypt_first
        self._count = 0

    def open(self, header: memoryview, body: memoryview) -> tuple[int, bytes]:
        if self._encrypt_first:
            end = len(body) - self._mac_bytes
            if end < 2 * _BLOCK:
                raise _not_opened()
            self._authenticate(header, body[:end], bytes(body[end:]))
            content = self._unpadded(body[:end], 0)
        else:
            whole = self._unpadded(body, self._mac_bytes)
            content = whole[: -self._mac_bytes]
            self._authenticate(header, content, whole[-self._mac_bytes :])
        self._count += 1
        return header[0], _within(content)

    def _authenticate(self, header: memoryview, data: bytes | memoryview, mac: bytes) -> None:
        check = self._mac.copy()
        check.update(_additional(self._count, header, len(data)))
        check.update(data)
        try:
            check.verify(mac)
        except InvalidSignature:
            raise _not_opened() from None

    def _unpadded(self, data: memoryview, least: int) -> bytes:
        """The content without IV and padding, ``least`` bytes or more."""
        if len(data) % _BLOCK or len(data) < 2 * _BLOCK:
            raise _not_opened()
        plain = self._cipher.update(data)
        padding = plain[-1] + 1
        if len(plain) - _BLOCK - padding < least or not plain.endswith(plain[-1:] * padding):
            raise _not_opened()
        return plain[_BLOCK:-padding]


def _additional(count: int, header: memoryview, length: int) -> bytes:
    """What a record of TLS 1.2 authenticates besides its content (RFC 5246 section 6.2.3.3)."""
    return count.to_bytes(8, "big") + bytes(header[:3]) + length.to_bytes(2, "big")


def openers_12(
    suite: Suite, master: bytes, randoms: bytes, *, encrypt_first: bool
) -> tuple[Opener, Opener]:
    """The openers of client and server from a master secret (RFC 5246 section 6.3).

    Args:
        suite: of :data:`SUITES_12`.
        master: the master secret.
        randoms: the server's random value, then the client's.
        encrypt_first: encrypt-then-MAC was agreed on (RFC 7366); for "cbc" only.
    """
    mac_bytes = suite.mac.digest_size if suite.mac else 0
    fixed = {"gcm": _NONCE - _EXPLICIT, "chacha": _NONCE, "cbc": 0}[suite.bulk]
    sizes = (mac_bytes, mac_bytes, suite.key, suite.key, fixed, fixed)
    block = pseudo_random(master, b"key expansion", randoms, sum(sizes), suite.digest)
    parts = []
    for size in sizes:
        parts.append(block[:size])
        block = block[size:]

    def opener(mac: bytes, key: bytes, iv: bytes) -> Opener:
        if suite.mac:
            return _Cbc12(key, HMAC(mac, suite.mac), mac_bytes, encrypt_first=encrypt_first)
        return _Gcm12(key, iv) if suite.bulk == "gcm" else _ChaCha12(key, iv)

    return opener(*parts[::2]), opener(*parts[1::2])
