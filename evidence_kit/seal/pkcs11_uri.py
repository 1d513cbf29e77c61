"""``pkcs11:`` URIs (RFC 7512): which key in which token, read strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MAX_URI = 1_000
"""Characters; real ones name a token and an object in less than 200."""

_TEXT = {"token", "manufacturer", "serial", "model", "object", "type"}
_IGNORED = {"manufacturer", "model"}
_ATTRIBUTE = re.compile(
    r"([a-z][a-z0-9-]*)=((?:[A-Za-z0-9._~:\[\]@!$'()*+,=&/?-]|%[0-9A-Fa-f]{2})*)"
)


class Pkcs11UriError(ValueError):
    """Not a URI that names one key; the text says why in a few words."""


@dataclass(frozen=True)
class Pkcs11Uri:
    """Where a key is. Empty values were not given and match anything.

    Attributes:
        token: label of the token.
        serial: its serial number.
        label: of the key (``object`` in the URI).
        id: of the key.
        module: path of the PKCS #11 library (``module-path``).
    """

    token: str = ""
    serial: str = ""
    label: str = ""
    id: bytes = b""
    module: str = ""


def parse_pkcs11_uri(text: str) -> Pkcs11Uri:
    """Read a ``pkcs11:`` URI.

    A PIN in it is refused: the URI is kept in a file, and shows in the list of processes.

    Raises:
        Pkcs11UriError: malformed, with a PIN, or with something that narrows the choice in a way
            that is not known here (RFC 7512 section 2.3: then nothing may match).
    """
    if len(text) > MAX_URI or not text.startswith("pkcs11:"):
        raise Pkcs11UriError("not a pkcs11: URI")
    path, _, query = text.removeprefix("pkcs11:").partition("?")
    found = _attributes(path, ";")
    asked = _attributes(query, "&")
    for secret in ("pin-value", "pin-source"):
        if secret in asked:
            raise Pkcs11UriError("a URI with a PIN; the PIN is asked for like a passphrase")
    unknown = (found.keys() - _TEXT - {"id"}) | (asked.keys() - {"module-path"})
    if unknown:
        raise Pkcs11UriError(f"an attribute that is not known here: {min(unknown)}")
    if found.get("type", b"private") != b"private":
        raise Pkcs11UriError("a URI of something else than a private key")
    if not found.keys() & {"object", "id"}:
        raise Pkcs11UriError("a URI that names no key: give object= or id=")
    texts = {name: _text(value) for name, value in found.items() if name in _TEXT - _IGNORED}
    return Pkcs11Uri(
        token=texts.get("token", ""),
        serial=texts.get("serial", ""),
        label=texts.get("object", ""),
        id=found.get("id", b""),
        module=_text(asked.get("module-path", b"")),
    )


def _attributes(text: str, separator: str) -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    for part in text.split(separator) if text else ():
        match = _ATTRIBUTE.fullmatch(part)
        if match is None:
            raise Pkcs11UriError("a part that is not name=value")
        if match[1] in found:
            raise Pkcs11UriError(f"{match[1]} twice")
        found[match[1]] = _decoded(match[2])
    return found


def _decoded(value: str) -> bytes:
    parts = value.split("%")
    tail = (bytes.fromhex(part[:2]) + part[2:].encode("ascii") for part in parts[1:])
    return parts[0].encode("ascii") + b"".join(tail)


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Pkcs11UriError("a value that is not UTF-8") from error
