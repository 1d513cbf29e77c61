"""Certificates as evidence needs them: exact bytes, names as encoded, who issued whom.

Nothing here decides on trust; :mod:`evidence_kit.seal.anchors` does that.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from evidence_kit.seal import der

MAX_CERTIFICATE = 64 << 10
"""Bytes of one certificate; real ones are 0.5-3 KiB."""

MIN_RSA_SIGNER = 3072
"""Bits of a signer's RSA key: 128-bit strength (SOG-IS agreed mechanisms 1.3, section 4.1)."""

MIN_RSA_TSA = 2048
"""Bits of a time-stamping authority's RSA key; several real ones still use 2048."""

MAX_RSA = 8192
"""Bits of any RSA key: authorities have 4096 at most, and larger ones only cost time."""

KEPT_ANSWERS = 512
"""Who issued whom, kept: each certificate of a signature is tried with each other many times."""

_CURVES = {"secp256r1": 32, "secp384r1": 48, "secp521r1": 66}
_ORDERS = {
    "secp256r1": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "secp384r1": int(
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
        "C7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973",
        16,
    ),
}
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What cryptography raises on certificates that it cannot read; several are bare Exceptions."""


class CertificateError(ValueError):
    """Bytes that are no certificate this project can read."""


@dataclass(frozen=True)
class Certificate:
    """One X.509 certificate (RFC 5280).

    Attributes:
        encoded: its DER.
        issuer: the issuer's name as encoded.
        subject: the subject's name as encoded.
        serial: its number.
    """

    encoded: bytes
    issuer: bytes
    subject: bytes
    serial: int

    @cached_property
    def parsed(self) -> x509.Certificate:
        """The same, read by ``cryptography``."""
        return x509.load_der_x509_certificate(self.encoded)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the DER, lower-case hexadecimal."""
        return hashlib.sha256(self.encoded).hexdigest()

    @property
    def not_before(self) -> datetime:
        """Start of validity, UTC."""
        return self.parsed.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """Last moment of validity, UTC."""
        return self.parsed.not_valid_after_utc

    @property
    def self_issued(self) -> bool:
        """Issuer and subject are the same name; says nothing about the signature."""
        return self.issuer == self.subject

    def valid_at(self, moment: datetime) -> bool:
        """Whether ``moment`` lies within the validity, both ends included."""
        return self.not_before <= moment <= self.not_after

    @property
    def key_name(self) -> str:
        """The key's kind and size, for example ``ECDSA P-256`` or ``RSA 4096``."""
        key = self.parsed.public_key()
        if isinstance(key, rsa.RSAPublicKey):
            return f"RSA {key.key_size}"
        if isinstance(key, ec.EllipticCurvePublicKey):
            return f"ECDSA {key.curve.name.replace('secp', 'P-').replace('r1', '')}"
        return "unknown"


def load(encoded: bytes) -> Certificate:
    """Read one certificate strictly.

    Raises:
        CertificateError: not DER, not a certificate, or one with a key that cannot be read.
    """
    try:
        tbs, algorithm = signed_parts(encoded, max_bytes=MAX_CERTIFICATE)
        fields = tbs.children
        if len(fields) < 7 or fields[0].tag != 0xA0 or fields[2].raw != algorithm:
            raise CertificateError("not a version 3 certificate with one signature algorithm")
        if der.integer(fields[1]) <= 0:
            raise CertificateError("a serial number that is not positive")
        certificate = Certificate(encoded, fields[3].raw, fields[5].raw, der.integer(fields[1]))
        with warnings.catch_warnings():
            # It warns of odd but readable values; a stranger's file must not write to stderr.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            key = certificate.parsed.public_key()
            if isinstance(key, rsa.RSAPublicKey) and key.key_size > MAX_RSA:
                raise CertificateError(f"an RSA key of more than {MAX_RSA} bits")
            _ = certificate.parsed.extensions, certificate.parsed.subject
            _ = certificate.not_before, certificate.not_after  # there is no year 0
    except CertificateError:
        raise
    except UNREADABLE as error:
        raise CertificateError(str(error)) from error
    return certificate


def signed_parts(encoded: bytes, *, max_bytes: int) -> tuple[der.Node, bytes]:
    """The signed part of a certificate or revocation list, and its outer algorithm as encoded.

    The signature beside them fills whole octets: libraries do not look at the count of unused
    bits, so another count would go unnoticed.

    Raises:
        CertificateError: another shape (X.509 clause 6.2.1, SIGNED).
        DerError: not DER.
    """
    root = der.parse(encoded, max_bytes=max_bytes)
    if root.tag != der.SEQUENCE or len(root.children) != 3:
        raise CertificateError("not a certificate or revocation list")
    tbs, algorithm, signature = root.children
    if signature.tag != der.BIT_STRING or signature.content[0] != 0:
        raise CertificateError("a signature that does not fill whole octets")
    return tbs, algorithm.raw


@lru_cache(maxsize=KEPT_ANSWERS)
def issued_by(child: Certificate, parent: Certificate) -> bool:
    """Whether ``parent``'s name and key stand behind ``child``'s signature."""
    if child.issuer != parent.subject:
        return False
    try:
        child.parsed.verify_directly_issued_by(parent.parsed)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


@dataclass(frozen=True)
class Coverage:
    """Which of the certificates beside a signer's are held in place by something.

    Attributes:
        used: the signer's certificate, then its issuers as far as they are there.
        unused: those that are the issuer of none of them.
        loose: issuers whose own signature nothing here verifies, so that a change could hide.
    """

    used: tuple[Certificate, ...]
    unused: tuple[Certificate, ...]
    loose: tuple[Certificate, ...]


def cover(leaf: Certificate, others: Sequence[Certificate]) -> Coverage:
    """Sort ``others`` by whether they belong to ``leaf``'s chain and are verified themselves.

    The leaf is held by the digest in the signing-certificate attribute; every other certificate
    must have issued one in use, and be self-signed or issued by another one in use.
    """
    used, rest = [leaf], list(others)
    grown = True
    while grown:
        grown = False
        for candidate in tuple(rest):
            if any(issued_by(child, candidate) for child in used):
                used.append(candidate)
                rest.remove(candidate)
                grown = True
    loose = tuple(one for one in used[1:] if not any(issued_by(one, parent) for parent in used))
    return Coverage(tuple(used), tuple(rest), loose)


def verify(
    certificate: Certificate, *, data: bytes, signature: bytes, digest: str, ecdsa: bool
) -> bool:
    """Whether ``signature`` over ``data`` was made with the certificate's key.

    Args:
        certificate: the signer's.
        data: what was signed, not yet digested.
        signature: RSA PKCS #1 v1.5, or the DER pair of ECDSA.
        digest: ``sha256``, ``sha384`` or ``sha512``.
        ecdsa: which of the two the signature says it is.
    """
    key = certificate.parsed.public_key()
    algorithm = _HASHES[digest]()
    try:
        if isinstance(key, rsa.RSAPublicKey) and not ecdsa:
            key.verify(signature, data, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey) and ecdsa:
            der.require_der(signature)
            key.verify(signature, data, ec.ECDSA(algorithm))
        else:
            return False
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


def weakness(certificate: Certificate, *, min_rsa: int) -> str:
    """Why the key is too weak or of a kind not allowed; empty when it is fine."""
    key = certificate.parsed.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return "" if key.key_size >= min_rsa else f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return ""
    return certificate.key_name


def digest_for(certificate: Certificate) -> str:
    """The digest our own signatures use with this key: as strong as the key (SOG-IS 1.3).

    Raises:
        CertificateError: a kind of key this project does not sign with.
    """
    key = certificate.parsed.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_SIGNER:
        return "sha256"
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _ORDERS:
        return "sha256" if key.curve.name == "secp256r1" else "sha384"
    raise CertificateError(f"a key of kind {certificate.key_name} does not sign bundles")


def group_order(certificate: Certificate) -> int | None:
    """The order of the curve's group, or None where the key is not P-256 or P-384."""
    key = certificate.parsed.public_key()
    return _ORDERS.get(key.curve.name) if isinstance(key, ec.EllipticCurvePublicKey) else None


def signature_width(certificate: Certificate) -> int | None:
    """Bytes of each of the two numbers of an ECDSA signature; None for other kinds of key."""
    key = certificate.parsed.public_key()
    return _CURVES.get(key.curve.name) if isinstance(key, ec.EllipticCurvePublicKey) else None


_OTHER_PURPOSES = frozenset(
    {
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CODE_SIGNING,
        ExtendedKeyUsageOID.TIME_STAMPING,
        ExtendedKeyUsageOID.OCSP_SIGNING,
    }
)
"""Who may run a web site or stamp times for an organisation may not seal in its name for that."""


def may_sign(certificate: Certificate) -> bool:
    """Key usage and extended key usage, where stated, allow signatures on documents.

    RFC 5280 sections 4.2.1.3 and 4.2.1.12; no one purpose of the latter is agreed on for seals, so
    only certificates for nothing but other purposes are refused.
    """
    extensions = certificate.parsed.extensions
    try:
        purposes = set(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        purposes = set()
    if purposes and purposes <= _OTHER_PURPOSES:
        return False
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return usage.digital_signature or usage.content_commitment


def key_identifier(certificate: Certificate) -> bytes:
    """The subject key identifier, or empty bytes where the certificate states none."""
    try:
        found = certificate.parsed.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return b""
    return found.value.digest


def sole_timestamping(certificate: Certificate) -> bool:
    """Extended key usage is critical and timeStamping only (RFC 3161 section 2.3)."""
    try:
        found = certificate.parsed.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return False
    return found.critical and list(found.value) == [ExtendedKeyUsageOID.TIME_STAMPING]


def is_authority(certificate: Certificate) -> bool:
    """Basic constraints say CA."""
    try:
        found = certificate.parsed.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return False
    return bool(found.value.ca)


_FIELDS = {
    "common_name": NameOID.COMMON_NAME,
    "organisation": NameOID.ORGANIZATION_NAME,
    "unit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "staff_code": NameOID.SERIAL_NUMBER,
    "country": NameOID.COUNTRY_NAME,
}


def subject_fields(certificate: Certificate) -> dict[str, str]:
    """The subject in words: common_name, organisation, unit, staff_code, country, email."""
    fields = {}
    for name, oid in _FIELDS.items():
        values = certificate.parsed.subject.get_attributes_for_oid(oid)
        if values:
            fields[name] = ", ".join(str(value.value) for value in values)
    try:
        names = certificate.parsed.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value.get_values_for_type(x509.RFC822Name)
    except x509.ExtensionNotFound:
        names = []
    if names:
        fields["email"] = ", ".join(names)
    return fields


def display_name(certificate: Certificate) -> str:
    """Who the certificate says it is, in one line."""
    fields = subject_fields(certificate)
    parts = [fields.get("common_name", ""), fields.get("organisation", "")]
    named = list(dict.fromkeys(part for part in parts if part))
    return ", ".join(named) or certificate.parsed.subject.rfc4514_string()
