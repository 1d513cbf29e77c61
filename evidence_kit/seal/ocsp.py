"""OCSP answers (RFC 6960): what an authority says of one certificate, judged like a list of it.

An answer counts when the authority that issued the certificate signed it, or somebody whom that
very authority named for this (section 4.2.2.2). No nonce is asked for: answers are kept for years,
and what matters is the time that they state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from cryptography import x509 as pyca
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from evidence_kit.seal import cms, der, x509
from evidence_kit.seal.x509 import Certificate, CertificateError

MAX_RESPONSE = 64 << 10
"""Bytes of one answer; real ones with a certificate inside have 0.5-3 KiB."""

_BASIC = "1.3.6.1.5.5.7.48.1.1"
_HASHES = ("sha1", "sha256", "sha384", "sha512")


class Standing(StrEnum):
    """What an answer says of one certificate (section 2.2)."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Answer:
    """One statement in an answer; times in UTC.

    Attributes:
        standing: good, revoked or unknown.
        revoked: since when it is not to be relied on, where it is revoked: the date of revocation,
            or an earlier one from which the key may have been in other hands (section 4.4.5 with
            RFC 5280 section 5.3.2).
        issued: the time for which it is known to be right.
        until: when a newer one is there; None where nothing is said.
    """

    standing: Standing
    revoked: datetime | None
    issued: datetime
    until: datetime | None


@dataclass(frozen=True)
class Response:
    """One OCSP answer, strict DER.

    Attributes:
        encoded: the whole of it.
        signed: what the signature is over.
        signature: the value.
        digest, ecdsa: how it was signed.
        certificates: those inside.
        parsed: the same, read by ``cryptography``.
    """

    encoded: bytes
    signed: bytes
    signature: bytes
    digest: str
    ecdsa: bool
    certificates: tuple[Certificate, ...]
    parsed: ocsp.OCSPResponse = field(compare=False)


def make_request(certificate: Certificate, issuer: Certificate) -> bytes:
    """A request about one certificate, without a nonce.

    SHA-1 only names the issuer here; it is what every responder understands (RFC 5019
    section 2.1.1).
    """
    builder = ocsp.OCSPRequestBuilder().add_certificate(
        certificate.parsed,
        issuer.parsed,
        SHA1(),  # noqa: S303
    )
    return builder.build().public_bytes(Encoding.DER)


def load_response(encoded: bytes) -> Response:
    """Read one successful answer strictly.

    Raises:
        CertificateError: an error of the responder, another form, or one that cannot be read.
    """
    try:
        tbs, algorithm, bits, certificates = _parts(encoded)
        if bits.tag != der.BIT_STRING or bits.content[0] != 0:
            raise CertificateError("a signature that does not fill whole octets")
        digest, ecdsa = cms.signature_kind(algorithm)
        parsed = ocsp.load_der_ocsp_response(encoded)
        if len(list(parsed.responses)) != 1:
            raise CertificateError("an answer that is not about one certificate")
        if any(one.critical for one in (*parsed.extensions, *parsed.single_extensions)):
            raise CertificateError("an answer with a critical extension")
        # Read now what is used later, so that it cannot fail there.
        _ = parsed.certificate_status, parsed.this_update_utc, parsed.next_update_utc
        _ = parsed.revocation_time_utc, parsed.hash_algorithm, parsed.produced_at_utc
        _ = parsed.responder_name, parsed.responder_key_hash
        return Response(
            encoded=encoded,
            signed=tbs.raw,
            signature=bits.content[1:],
            digest=digest,
            ecdsa=ecdsa,
            certificates=tuple(x509.load(one.raw) for one in certificates),
            parsed=parsed,
        )
    except cms.HOSTILE as error:
        raise CertificateError(f"an OCSP answer that cannot be read: {error}") from error


def _parts(encoded: bytes) -> tuple[der.Node, der.Node, der.Node, tuple[der.Node, ...]]:
    """Section 4.2.1: the signed part, its algorithm, the signature, the certificates."""
    root = der.parse(encoded, max_bytes=MAX_RESPONSE)
    if root.tag != der.SEQUENCE or not root.children or root.children[0].tag != der.ENUMERATED:
        raise CertificateError("not an OCSP answer")
    if root.children[0].content != b"\0":
        number = int.from_bytes(root.children[0].content, "big")
        raise CertificateError(f"the responder gave no answer (status {number})")
    status = cms.expect(root, der.SEQUENCE, 2)[1]
    kind, octets = cms.expect(cms.expect(status, 0xA0, 1)[0], der.SEQUENCE, 2)
    if cms.dotted(kind) != _BASIC or octets.tag != der.OCTET_STRING:
        raise CertificateError("an OCSP answer of another kind")
    body = list(cms.expect(der.parse(octets.content, max_bytes=MAX_RESPONSE), der.SEQUENCE))
    tbs, algorithm, bits = (cms.take(body) for _ in range(3))
    certificates: tuple[der.Node, ...] = ()
    if body:
        certificates = cms.expect(cms.expect(cms.take(body), 0xA0, 1)[0], der.SEQUENCE)
        if not certificates:
            raise CertificateError("an empty row of certificates")
    if body:
        raise CertificateError("something after the certificates")
    return tbs, algorithm, bits, certificates


def normalise(encoded: bytes, issuer: Certificate) -> bytes:
    """The answer with exactly the certificate that its signature needs.

    Certificates stand outside its signature; what comes along beyond the one is dropped.

    Raises:
        CertificateError: it cannot be read, or nobody entitled signed it.
    """
    response = load_response(encoded)
    for kept in ((), *((one,) for one in response.certificates)):
        made = _with(response, kept)
        if answers_for(made, issuer):
            return made.encoded
    raise CertificateError("an answer that the issuer's key does not stand behind")


def _with(response: Response, certificates: Sequence[Certificate]) -> Response:
    tbs, algorithm, bits, _ = _parts(response.encoded)
    held = b"".join(one.encoded for one in certificates)
    tail = der.encode(0xA0, der.encode(der.SEQUENCE, held)) if held else b""
    return load_response(wrap(tbs.raw + algorithm.raw + bits.raw + tail))


def wrap(parts: bytes) -> bytes:
    """The whole of a successful answer around the parts of a basic one (section 4.2.1)."""
    basic = der.encode(der.SEQUENCE, parts)
    octets = der.encode_oid(_BASIC) + der.encode(der.OCTET_STRING, basic)
    body = der.encode(0xA0, der.encode(der.SEQUENCE, octets))
    return der.encode(der.SEQUENCE, der.encode(der.ENUMERATED, b"\0") + body)


@lru_cache(maxsize=x509.KEPT_ANSWERS)
def answers_for(response: Response, issuer: Certificate) -> bool:
    """Whether ``issuer`` signed the answer, or somebody whom it named for that signed it.

    Nothing else may be inside: no certificate where the issuer signed, exactly the responder's
    where it named one. That one must have been valid when the answer was made.
    """
    signer = issuer
    if response.certificates:
        signer = response.certificates[0]
        if len(response.certificates) > 1 or not _named_by(signer, issuer):
            return False
        if not signer.valid_at(response.parsed.produced_at_utc):
            return False
    if x509.weakness(signer, min_rsa=x509.MIN_RSA_TSA) or not _is_responder(response, signer):
        return False
    return x509.verify(
        signer,
        data=response.signed,
        signature=response.signature,
        digest=response.digest,
        ecdsa=response.ecdsa,
    )


def _named_by(responder: Certificate, issuer: Certificate) -> bool:
    """The issuer itself made the responder's certificate, for signing answers (4.2.2.2)."""
    if not x509.issued_by(responder, issuer):
        return False
    try:
        usage = responder.parsed.extensions.get_extension_for_class(pyca.ExtendedKeyUsage).value
    except pyca.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in usage


def needs_no_check(responder: Certificate) -> bool:
    """Whether its issuer says that nobody need ask after the responder itself (4.2.2.2.1).

    Such a certificate is made for a short time; who relies on it relies on that.
    """
    try:
        responder.parsed.extensions.get_extension_for_class(pyca.OCSPNoCheck)
    except pyca.ExtensionNotFound:
        return False
    return True


def _is_responder(response: Response, signer: Certificate) -> bool:
    """The answer names its signer, by name or by key (section 4.2.1)."""
    name, key_hash = response.parsed.responder_name, response.parsed.responder_key_hash
    if name is not None:
        return name == signer.parsed.subject
    return key_hash == _key_hash(signer, "sha1")


def _key_hash(certificate: Certificate, name: str) -> bytes:
    """Digest of the key's bits alone, without its algorithm (section 4.1.1)."""
    encoded = certificate.parsed.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    bits = der.parse(encoded).children[1].content[1:]
    return hashlib.new(name, bits, usedforsecurity=False).digest()


def answer_about(
    response: Response, certificate: Certificate, issuer: Certificate
) -> Answer | None:
    """What the answer says of ``certificate``; None where it names it not.

    The caller makes sure with :func:`answers_for` that the issuer stands behind it.
    """
    one = response.parsed
    name = one.hash_algorithm.name
    if name not in _HASHES or one.serial_number != certificate.serial:
        return None
    subject = hashlib.new(name, issuer.subject, usedforsecurity=False).digest()
    if (one.issuer_name_hash, one.issuer_key_hash) != (subject, _key_hash(issuer, name)):
        return None
    return Answer(
        standing=Standing(one.certificate_status.name.lower()),
        revoked=_since(one),
        issued=one.this_update_utc,
        until=one.next_update_utc,
    )


def _since(one: ocsp.OCSPResponse) -> datetime | None:
    revoked = one.revocation_time_utc
    try:
        found = one.single_extensions.get_extension_for_class(pyca.InvalidityDate)
    except pyca.ExtensionNotFound:
        return revoked
    return min(found.value.invalidity_date_utc, revoked) if revoked else None
