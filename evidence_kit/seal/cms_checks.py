"""What signatures and time-stamp tokens must have in common beyond their structure."""

from __future__ import annotations

import hashlib

from evidence_kit.seal import cms, der, x509
from evidence_kit.seal.der import Node


def signer_certificate(
    data: cms.SignedData,
) -> tuple[x509.Certificate, tuple[x509.Certificate, ...]]:
    """The signer's certificate, found by what the message names, and all others inside.

    Raises:
        StructureError: none or several fit, or a certificate cannot be read.
    """
    try:
        loaded = [x509.load(encoded) for encoded in data.certificates]
    except x509.CertificateError as error:
        raise cms.StructureError(f"a certificate that cannot be read: {error}") from error
    fitting = [one for one in loaded if _names(data, one)]
    if len(fitting) != 1:
        raise cms.StructureError("not exactly one certificate of the signer")
    leaf = fitting[0]
    return leaf, tuple(one for one in loaded if one is not leaf)


def _names(data: cms.SignedData, certificate: x509.Certificate) -> bool:
    if data.key_identifier:
        return x509.key_identifier(certificate) == data.key_identifier
    return (certificate.issuer, certificate.serial) == (data.issuer, data.serial)


def check_bindings(data: cms.SignedData, leaf: x509.Certificate, *, allow_v1: bool) -> None:
    """Content type, signing certificate and algorithms stand in the signed attributes and fit.

    Args:
        data: the message.
        leaf: the signer's certificate.
        allow_v1: accept the SHA-1 form of the signing-certificate attribute (RFC 2634), which
            older time-stamping authorities use (RFC 3161 section 2.4.2 as updated by RFC 5816).

    Raises:
        StructureError: they do not.
    """
    kind = data.signed.get(cms.CONTENT_TYPE)
    if kind is None or cms.dotted(kind) != data.content_type:
        raise cms.StructureError("the signed content type differs")
    bound = False
    for name, node in data.signed.items():
        if name == cms.SIGNING_CERTIFICATE_V2 or (name == cms.SIGNING_CERTIFICATE and allow_v1):
            _check_certificate_identifier(node, leaf, v2=name == cms.SIGNING_CERTIFICATE_V2)
            bound = True
        elif name == cms.ALGORITHM_PROTECTION:
            _check_algorithm_protection(node, data)
    if not bound:
        raise cms.StructureError("no attribute binds the signer's certificate")


def _check_certificate_identifier(node: Node, leaf: x509.Certificate, *, v2: bool) -> None:
    """RFC 5035 section 3: the first identifier is the signer's certificate."""
    attribute = cms.expect(node, der.SEQUENCE)
    identifiers = cms.expect(attribute[0], der.SEQUENCE) if attribute else ()
    if not identifiers:
        raise cms.StructureError("an empty signing-certificate attribute")
    parts = list(cms.expect(identifiers[0], der.SEQUENCE))
    name = "sha256" if v2 else "sha1"
    if v2 and parts and parts[0].tag == der.SEQUENCE:
        algorithm = cms.algorithm(parts.pop(0))
        if algorithm.oid not in cms.DIGESTS:
            raise cms.StructureError("a signing-certificate digest that is not known")
        name = cms.DIGESTS[algorithm.oid]
    digest = cms.take(parts)
    expected = hashlib.new(name, leaf.encoded, usedforsecurity=False).digest()
    if digest.tag != der.OCTET_STRING or digest.content != expected:
        raise cms.StructureError("the signing-certificate attribute names another certificate")
    if parts:
        names, number = cms.expect(cms.take(parts), der.SEQUENCE, 2)
        directory = der.encode(der.SEQUENCE, der.encode(0xA4, leaf.issuer))
        if parts or names.raw != directory or der.integer(number) != leaf.serial:
            raise cms.StructureError("the signing-certificate attribute names another issuer")


def _check_algorithm_protection(node: Node, data: cms.SignedData) -> None:
    """RFC 6211 section 3."""
    parts = cms.expect(node, der.SEQUENCE, 2)
    digest = cms.algorithm(parts[0])
    signature = der.encode(der.SEQUENCE, parts[1].content)
    if digest != data.digest_algorithm or parts[1].tag != 0xA1:
        raise cms.StructureError("the protected algorithms differ")
    if cms.algorithm(der.parse(signature)) != data.signature_algorithm:
        raise cms.StructureError("the protected algorithms differ")


def message_digest(data: cms.SignedData) -> bytes:
    """The digest of the content as signed.

    Raises:
        StructureError: not there.
    """
    node = data.signed.get(cms.MESSAGE_DIGEST)
    if node is None or node.tag != der.OCTET_STRING:
        raise cms.StructureError("no signed digest of the content")
    return node.content
