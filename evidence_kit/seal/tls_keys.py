"""The session keys that a browser wrote down, and what TLS derives from them.

The browser's key log has a line for each secret: a label, the random value of the ClientHello that
the secret belongs to, and the secret, both in hexadecimal (the format of NSS, as BoringSSL and
OpenSSL write it). Secrets go nowhere but into the derivations below: nothing here shows them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cryptography.hazmat.primitives.hashes import HashAlgorithm
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

MASTER = "CLIENT_RANDOM"
CLIENT_EARLY = "CLIENT_EARLY_TRAFFIC_SECRET"
CLIENT_HANDSHAKE = "CLIENT_HANDSHAKE_TRAFFIC_SECRET"
SERVER_HANDSHAKE = "SERVER_HANDSHAKE_TRAFFIC_SECRET"
CLIENT_TRAFFIC = "CLIENT_TRAFFIC_SECRET_0"
SERVER_TRAFFIC = "SERVER_TRAFFIC_SECRET_0"

MASTER_BYTES = 48
"""RFC 5246 section 8.1: length of a master secret."""

_LABELS = (MASTER, CLIENT_EARLY, CLIENT_HANDSHAKE, SERVER_HANDSHAKE, CLIENT_TRAFFIC, SERVER_TRAFFIC)
# Secrets have the length of a hash (RFC 8446 section 7.1: 32 or 48 bytes) or of a master secret.
_LINE = re.compile(rb"^([A-Z0-9_]+) ([0-9A-Fa-f]{64}) ([0-9A-Fa-f]{64}|[0-9A-Fa-f]{96})\r?\n", re.M)


class TlsError(ValueError):
    """Bytes of a connection that cannot be opened with the keys at hand."""


class TlsUnfinishedError(TlsError):
    """The client broke off before it could send or read any data: the recording holds none."""


class KeyLog:
    """The secrets of a key log, by label and connection; shows how many, never what they are."""

    __slots__ = ("_secrets",)

    def __init__(self, secrets: Mapping[tuple[str, bytes], bytes]) -> None:
        self._secrets = dict(secrets)

    @classmethod
    def parse(cls, data: bytes) -> KeyLog:
        """Read a key log.

        Comments, labels that play no part here and lines in another form are passed over; so is a
        last line without its end, which may be cut off. Of two secrets for the same thing the
        first counts: a wrong one opens nothing.
        """
        secrets: dict[tuple[str, bytes], bytes] = {}
        for label, client_random, secret in _LINE.findall(data):
            name = label.decode("ascii")
            if name in _LABELS:
                key = name, bytes.fromhex(client_random.decode("ascii"))
                secrets.setdefault(key, bytes.fromhex(secret.decode("ascii")))
        return cls(secrets)

    def secret(self, label: str, client_random: bytes) -> bytes | None:
        """The secret of a connection, known by the random value of its ClientHello."""
        return self._secrets.get((label, client_random))

    def __len__(self) -> int:
        return len(self._secrets)

    def __repr__(self) -> str:
        return f"KeyLog({len(self)} secrets)"


def expand_label(secret: bytes, label: str, length: int, algorithm: HashAlgorithm) -> bytes:
    """HKDF-Expand-Label with an empty context (RFC 8446 section 7.1)."""
    name = b"tls13 " + label.encode("ascii")
    info = length.to_bytes(2, "big") + bytes([len(name)]) + name + b"\0"
    return HKDFExpand(algorithm, length, info).derive(secret)


def pseudo_random(
    secret: bytes, label: bytes, seed: bytes, length: int, algorithm: HashAlgorithm
) -> bytes:
    """The PRF of TLS 1.2 (RFC 5246 section 5)."""
    keyed = HMAC(secret, algorithm)

    def mac(data: bytes) -> bytes:
        one = keyed.copy()
        one.update(data)
        return one.finalize()

    seed = label + seed
    out, chain = b"", seed
    while len(out) < length:
        chain = mac(chain)
        out += mac(chain + seed)
    return out[:length]
