"""DID documents as AT Protocol reads them: signing key, server, handles.

Source: AT Protocol's DID specification. A ``did:plc`` document is made by the directory from the
log; a ``did:web`` document is whatever its web site serves at that moment, and no log exists that
would say what stood there before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from evidence_kit.core.canonical_json import JsonError, loads
from evidence_kit.seal.atproto_cbor import ProofError
from evidence_kit.seal.atproto_keys import PublicKey, from_method

MAX_DOCUMENT = 1 << 20
"""Bytes; real documents have about one KiB."""

_PLC = re.compile(r"did:plc:[a-z2-7]{24}")
_WEB = re.compile(
    r"did:web:(?P<host>[A-Za-z0-9][A-Za-z0-9.-]{0,252})(?:%3[Aa](?P<port>[0-9]{1,5}))?"
)


@dataclass(frozen=True)
class DidDocument:
    """What a document says.

    Attributes:
        signing_key: of the account's repository, None where it names none that can be read.
        service: address of the account's server, empty where none.
        handles: claimed by the account, without ``at://``.
    """

    signing_key: PublicKey | None
    service: str
    handles: tuple[str, ...]


def is_did(text: str) -> bool:
    """Whether this is a DID of a kind that AT Protocol uses (plc, web without a path)."""
    return bool(_PLC.fullmatch(text) or _WEB.fullmatch(text))


def is_plc(did: str) -> bool:
    """Whether the account has a public log."""
    return _PLC.fullmatch(did) is not None


def web_host(did: str) -> str:
    """Host of a ``did:web``, with its port where one is given; empty for another kind."""
    return unquote(did.removeprefix("did:web:")) if _WEB.fullmatch(did) else ""


def read_document(data: bytes, did: str) -> DidDocument:
    """Read a DID document.

    Args:
        data: as served, JSON.
        did: the account it must be of.

    Raises:
        ProofError: not JSON, another form, or another account's.
    """
    try:
        document = loads(data, max_bytes=MAX_DOCUMENT)
    except JsonError as error:
        raise ProofError(f"the DID document is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("id") != did:
        raise ProofError("the DID document belongs to another account")
    known = document.get("alsoKnownAs")
    return DidDocument(
        signing_key=_key(document, did),
        service=_service(document, did),
        handles=tuple(
            name.removeprefix("at://")
            for name in (known if isinstance(known, list) else ())
            if isinstance(name, str) and name.startswith("at://")
        ),
    )


def _first(document: Mapping[str, Any], part: str, did: str, name: str) -> Mapping[str, Any]:
    """The first entry whose id is ``#name``, as the protocol prescribes; empty where none."""
    listed = document.get(part)
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, dict) and item.get("id") in (f"#{name}", f"{did}#{name}"):
            return item
    return {}


def _key(document: Mapping[str, Any], did: str) -> PublicKey | None:
    method = _first(document, "verificationMethod", did, "atproto")
    kind, text = method.get("type"), method.get("publicKeyMultibase")
    if not isinstance(kind, str) or not isinstance(text, str):
        return None
    return from_method(kind, text)


def _service(document: Mapping[str, Any], did: str) -> str:
    entry = _first(document, "service", did, "atproto_pds")
    address = entry.get("serviceEndpoint")
    return address if isinstance(address, str) else ""
