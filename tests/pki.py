"""Throw-away keys and certificates for tests, made at any date."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from evidence_kit.demo.tsa import Authority, Stamp, make_authority, make_token
from evidence_kit.seal import cades, der, timestamp
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.signer import KeySigner

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
YEAR = timedelta(days=365)
CONTENT = b"<ASiCManifest/>"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
TIME_STAMPING = ExtendedKeyUsageOID.TIME_STAMPING


def der_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def pem_of(certificate: bytes) -> bytes:
    loaded = x509.load_der_x509_certificate(certificate)
    return loaded.public_bytes(serialization.Encoding.PEM)


@cache
def key_of(kind: str = "p256", number: int = 0) -> Key:
    """One key per kind and number for the whole run: making RSA keys is slow."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(public_exponent=65537, key_size=int(kind[3:]))
    curves = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p224": ec.SECP224R1()}
    return ec.generate_private_key(curves[kind])


@dataclass(frozen=True)
class Issuer:
    name: x509.Name
    key: Key


def name_of(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def usage(*names: str) -> x509.KeyUsage:
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: name in names for name in every})


def certificate(
    common: str,
    key: Key,
    *,
    issuer: Issuer | None = None,
    start: datetime = NOW - timedelta(days=1),
    end: datetime = NOW + 5 * YEAR,
    authority: bool = False,
    uses: x509.KeyUsage | None = None,
    extended: Sequence[x509.ObjectIdentifier] = (),
    critical: bool = True,
    digest: Callable[[], hashes.HashAlgorithm] = hashes.SHA256,
    serial: int | None = None,
    more: Sequence[x509.ExtensionType] = (),
) -> bytes:
    """DER of one certificate; self-signed without ``issuer``."""
    by = issuer or Issuer(name_of(common), key)
    default = usage("key_cert_sign", "crl_sign") if authority else usage("digital_signature")
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(common))
        .issuer_name(by.name)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(uses or default, critical=True)
    )
    if extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=critical)
    for one in more:
        builder = builder.add_extension(one, critical=False)
    return der_of(builder.sign(by.key, digest()))  # type: ignore[arg-type]


def self_signed(kind: str = "p256", **options: object) -> KeySigner:
    key = key_of(kind)
    return KeySigner(key, certificate("Gemeente Test", key, **options))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Chain:
    """A signer below an intermediate below a root."""

    signer: KeySigner
    root: bytes
    intermediate: bytes
    root_issuer: Issuer
    intermediate_issuer: Issuer


def chain(**leaf_options: object) -> Chain:
    root_key, middle_key, key = key_of(number=1), key_of(number=2), key_of(number=3)
    root_issuer = Issuer(name_of("Test root"), root_key)
    root = certificate("Test root", root_key, authority=True)
    middle = certificate("Test intermediate", middle_key, issuer=root_issuer, authority=True)
    middle_issuer = Issuer(name_of("Test intermediate"), middle_key)
    leaf = certificate("Gemeente Test", key, issuer=middle_issuer, **leaf_options)  # type: ignore[arg-type]
    return Chain(KeySigner(key, leaf, (middle, root)), root, middle, root_issuer, middle_issuer)


def revocation_list(
    issuer: Issuer, serial: int, when: datetime, *, invalid: datetime | None = None
) -> bytes:
    """A list of ``issuer`` that names one certificate, and since when its key was lost."""
    named = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(when)
    if invalid is not None:
        named = named.add_extension(x509.InvalidityDate(invalid), critical=False)
    entry = named.build()
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.name)
        .last_update(when)
        .next_update(when + YEAR)
        .add_revoked_certificate(entry)
        .sign(issuer.key, hashes.SHA256())
    )
    return crl.public_bytes(serialization.Encoding.DER)


@cache
def authority() -> Authority:
    return make_authority(NOW - YEAR, years=8)


def token_over(
    digest: bytes,
    when: datetime = NOW,
    *,
    by: Authority | None = None,
    nonce: int | None = None,
    accuracy: int | None = 1,
    embed_root: bool = True,
) -> bytes:
    """A token of the test authority over a SHA-256 digest."""
    by = by or authority()
    request = timestamp.make_request(digest, "sha256", 1)
    parts = der.parse(request).children
    stamp = Stamp(
        parts[1].raw,
        when,
        4711,
        b"" if nonce is None else der.encode_integer(nonce),
        accuracy,
    )
    embed = (by.certificate, by.root) if embed_root else (by.certificate,)
    return make_token(by, stamp, embed=embed)


def stamped(p7s: bytes, when: datetime = NOW, *, by: Authority | None = None) -> bytes:
    """The signature with a stamp of the test authority."""
    digest = hashlib.sha256(cades.signature_value(p7s)).digest()
    return cades.attach_timestamp(p7s, token_over(digest, when, by=by))


def trusting(*signers: bytes, by: Authority | None = None) -> TrustAnchors:
    return TrustAnchors(signers, (der_of((by or authority()).root),))
