"""A stored login: a head that whoever opens the file can read, and encrypted content.

AES-256-GCM (NIST SP 800-38D) under a key used for this one file. The head is authenticated with
the content, so that a stored session cannot be given another account's name. The key lies in the
system's keyring, or is derived from a passphrase with scrypt (RFC 7914).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from evidence_kit.core.canonical_json import JsonError, dumps, loads
from evidence_kit.core.clock import iso, parse_iso

SCHEMA = "evidence-kit/session/1"

KEY_BYTES, NONCE_BYTES, SALT_BYTES, ID_BYTES = 32, 12, 16, 8

_SCRYPT_COST = 1 << 17
"""RFC 7914's N with r = 8, p = 1: 128 MiB and some 0.4 s for each guess at a passphrase."""

_TEXTS = ("id", "name", "platform", "site", "account", "stored", "key", "identity", "salt", "nonce")


class BadSessionError(ValueError):
    """The file is no stored session, was changed, or the key is another one."""


@dataclass(frozen=True)
class SessionHead:
    """What is known of a stored session without opening it.

    Attributes:
        id: random, hexadecimal; names the key in the keyring.
        name: the platform's, or the host; what ``--login`` takes.
        platform: of the catalogue; empty for any other site.
        site: address where the login began.
        account: as the person who logged in states it.
        stored: when.
        key: ``keyring`` or ``passphrase``.
        identity: whose passphrase it is; empty with the keyring.
        salt: for scrypt; empty with the keyring.
        nonce: of the encryption.
    """

    id: str
    name: str
    platform: str
    site: str
    account: str
    stored: datetime
    key: str
    identity: str
    salt: bytes
    nonce: bytes

    def to_json(self) -> dict[str, Any]:
        """All of it, as it stands in the file."""
        return {
            "schema": SCHEMA,
            "id": self.id,
            "name": self.name,
            "platform": self.platform,
            "site": self.site,
            "account": self.account,
            "stored": iso(self.stored),
            "key": self.key,
            "identity": self.identity,
            "salt": base64.b64encode(self.salt).decode("ascii"),
            "nonce": base64.b64encode(self.nonce).decode("ascii"),
        }


def passphrase_key(passphrase: bytes, salt: bytes) -> bytes:
    """The key that a passphrase stands for; takes 128 MiB for a moment."""
    kdf = Scrypt(salt=salt, length=KEY_BYTES, n=_SCRYPT_COST, r=8, p=1)
    return kdf.derive(passphrase)


def seal_session(head: SessionHead, content: bytes, key: bytes) -> bytes:
    """The file: head, and ``content`` encrypted under ``key``.

    Args:
        head: with a nonce that was never used with this key.
        content: what nobody may read.
        key: 32 bytes.
    """
    document = head.to_json()
    encrypted = AESGCM(key).encrypt(head.nonce, content, dumps(document))
    return dumps({**document, "content": base64.b64encode(encrypted).decode("ascii")})


def read_head(data: bytes) -> SessionHead:
    """What a file says of itself; true only where :func:`open_session` succeeds.

    Raises:
        BadSessionError: no stored session of this version.
    """
    return _read(data)[0]


def open_session(data: bytes, key: bytes) -> bytes:
    """The content.

    Raises:
        BadSessionError: another key, or head or content were changed.
    """
    head, document, encrypted = _read(data)
    try:
        return AESGCM(key).decrypt(head.nonce, encrypted, dumps(document))
    except (InvalidTag, ValueError) as error:
        raise BadSessionError("the key does not open it, or it was changed") from error


def _read(data: bytes) -> tuple[SessionHead, dict[str, Any], bytes]:
    try:
        document = loads(data)
        if document.pop("schema") != SCHEMA:
            raise BadSessionError("another version")
        encrypted = base64.b64decode(document.pop("content"), validate=True)
        if set(document) != set(_TEXTS) or not all(isinstance(v, str) for v in document.values()):
            raise BadSessionError("another form")
        fields: dict[str, Any] = dict(document)
        fields["stored"] = parse_iso(document["stored"])
        for name in ("salt", "nonce"):
            fields[name] = base64.b64decode(document[name], validate=True)
        head = SessionHead(**fields)
    except (JsonError, KeyError, TypeError, AttributeError, ValueError, binascii.Error) as error:
        if isinstance(error, BadSessionError):
            raise
        raise BadSessionError("no stored session") from error
    if head.key not in ("keyring", "passphrase") or len(head.nonce) != NONCE_BYTES:
        raise BadSessionError("another form")
    return head, head.to_json(), encrypted
