"""What signs: a key that stays where it is, and the certificate that goes with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from evidence_kit.core.errors import KeyUnavailableError
from evidence_kit.seal import x509

_HASHES = {"sha256": hashes.SHA256, "sha384": hashes.SHA384}


class Signer(Protocol):
    """A signing key behind one method, so that it may as well live in a smart card."""

    @property
    def certificate(self) -> bytes:
        """DER of the signer's certificate."""

    @property
    def chain(self) -> tuple[bytes, ...]:
        """DER of its issuers up to a self-signed one; empty for a self-signed certificate."""

    def sign(self, data: bytes) -> bytes:
        """Sign ``data`` with the digest that :func:`x509.digest_for` names for the key.

        RSA answers PKCS #1 v1.5, ECDSA the DER pair.
        """


@dataclass(frozen=True)
class KeySigner:
    """A signer whose key is in memory.

    Attributes:
        key: ECDSA P-256 or P-384, or RSA of 3072 bits or more.
    """

    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = field(repr=False)
    certificate: bytes
    chain: tuple[bytes, ...] = ()

    def sign(self, data: bytes) -> bytes:
        """Sign ``data``.

        Raises:
            KeyUnavailableError: the key is of a kind that does not sign bundles.
        """
        try:
            algorithm = _HASHES[x509.digest_for(x509.load(self.certificate))]()
        except x509.CertificateError as error:
            raise KeyUnavailableError(str(error)) from error
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), algorithm)
        return self.key.sign(data, ec.ECDSA(algorithm))
