"""A signing key that stays in a smart card or HSM, reached through PKCS #11.

The library that talks to the hardware is the maker's, loaded into this process; it is named in
the URI (``module-path``) or in :data:`MODULE_VARIABLE`. ``python-pkcs11`` is the optional extra
``evidence-kit[pkcs11]``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from evidence_kit.core.errors import KeyUnavailableError
from evidence_kit.seal import der, x509
from evidence_kit.seal.pkcs11_uri import Pkcs11Uri, Pkcs11UriError, parse_pkcs11_uri

MODULE_VARIABLE = "EVIDENCE_KIT_PKCS11_MODULE"
"""Environment variable with the path of the PKCS #11 library."""


@dataclass(frozen=True)
class HardwareSigner:
    """A signer behind PKCS #11; each signature opens a session and logs in.

    Attributes:
        uri: which key.
        pin: of the token.
        certificate: DER, as :class:`evidence_kit.seal.signer.Signer` asks.
        chain: DER of its issuers.
    """

    uri: Pkcs11Uri
    pin: str = field(repr=False)
    certificate: bytes
    chain: tuple[bytes, ...] = ()

    def sign(self, data: bytes) -> bytes:
        """Sign ``data`` inside the token.

        Raises:
            KeyUnavailableError: no such token or key, a wrong PIN, or the token refuses.
        """
        import pkcs11

        certificate = x509.load(self.certificate)
        name = x509.digest_for(certificate)
        width = x509.signature_width(certificate)
        with _session(self.uri, self.pin) as session, _said("the token did not sign"):
            key = _one(
                session.get_objects(_wanted(self.uri, pkcs11.ObjectClass.PRIVATE_KEY)), "key"
            )
            if width is None:
                mechanism = getattr(pkcs11.Mechanism, f"{name.upper()}_RSA_PKCS")
                return bytes(key.sign(data, mechanism=mechanism))
            # Plain ECDSA: not every token digests by itself.
            digest = hashlib.new(name, data).digest()
            pair = bytes(key.sign(digest, mechanism=pkcs11.Mechanism.ECDSA))
        if len(pair) != 2 * width:
            raise KeyUnavailableError("the token gave a signature of another length")
        values = (int.from_bytes(pair[:width], "big"), int.from_bytes(pair[width:], "big"))
        return der.encode(der.SEQUENCE, b"".join(map(der.encode_integer, values)))


def read_uri(text: str) -> Pkcs11Uri:
    """The URI, with the library's path filled in from the environment where it names none.

    Raises:
        KeyUnavailableError: malformed, or no library is named.
    """
    try:
        uri = parse_pkcs11_uri(text)
    except Pkcs11UriError as error:
        raise KeyUnavailableError(
            f"the key's address cannot be used: {error}",
            hint="for example: pkcs11:token=Zegel;object=seal?module-path=/usr/lib/card.so",
        ) from error
    module = uri.module or os.environ.get(MODULE_VARIABLE, "")
    if not module:
        raise KeyUnavailableError(
            "no library for the smart card or HSM is named",
            hint=f"add ?module-path=FILE to the URI, or set {MODULE_VARIABLE}",
        )
    return Pkcs11Uri(uri.token, uri.serial, uri.label, uri.id, module)


def certificates_in_token(uri: Pkcs11Uri, pin: str) -> list[bytes]:
    """DER of every certificate that the token holds beside the key; may be empty.

    Raises:
        KeyUnavailableError: no such token, or a wrong PIN.
    """
    import pkcs11

    with _session(uri, pin) as session, _said("the token's certificates cannot be read"):
        wanted = {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.CERTIFICATE}
        return [bytes(one[pkcs11.Attribute.VALUE]) for one in session.get_objects(wanted)]


@contextmanager
def _session(uri: Pkcs11Uri, pin: str) -> Iterator[Any]:
    try:
        import pkcs11
    except ImportError as error:
        raise KeyUnavailableError(
            "the part for smart cards and HSMs is not installed",
            hint="it comes with evidence-kit[pkcs11]; where its source is: "
            'pipx install --force ".[pkcs11]"',
        ) from error
    with _said("the token cannot be opened"):
        library = pkcs11.lib(uri.module)
        named: dict[str, Any] = {}
        if uri.token:
            named["token_label"] = uri.token
        if uri.serial:
            named["token_serial"] = uri.serial.encode("utf-8")
        token = _one(library.get_tokens(**named), "token")
        session = token.open(user_pin=pin)
    try:
        yield session
    finally:
        session.close()


def _wanted(uri: Pkcs11Uri, kind: Any) -> dict[Any, Any]:
    import pkcs11

    wanted = {pkcs11.Attribute.CLASS: kind}
    if uri.label:
        wanted[pkcs11.Attribute.LABEL] = uri.label
    if uri.id:
        wanted[pkcs11.Attribute.ID] = uri.id
    return wanted


def _one(found: Any, what: str) -> Any:
    """Never the first of several: whose signature it is must not depend on an order."""
    several = list(found)
    if len(several) != 1:
        raise KeyUnavailableError(
            f"{'no' if not several else 'more than one'} {what} fits the key's address",
            hint="name token=, object= and id= in the URI",
        )
    return several[0]


@contextmanager
def _said(what: str) -> Iterator[None]:
    """The library's many exceptions as the one error, without its words (they may hold a path)."""
    import pkcs11

    try:
        yield
    except (pkcs11.PinIncorrect, pkcs11.PinLenRange, pkcs11.PinInvalid) as error:
        raise KeyUnavailableError(
            "the token refused the PIN", hint="most tokens lock themselves after three attempts"
        ) from error
    except pkcs11.PinLocked as error:
        raise KeyUnavailableError("the token's PIN is locked") from error
    except (pkcs11.PKCS11Error, RuntimeError, OSError) as error:
        reason = type(error).__name__
        raise KeyUnavailableError(
            f"{what}: {reason}", hint="see whether the card is inserted and the library fits"
        ) from error
