"""CMS SignedData (RFC 5652) with exactly one signer, read strictly from DER.

Only the parts that CAdES baseline signatures and RFC 3161 tokens have are known; anything else is
refused. What the signature does not cover is returned so that the caller can hold it in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evidence_kit.seal import der, x509
from evidence_kit.seal.der import Node

SIGNED_DATA = "1.2.840.113549.1.7.2"
DATA = "1.2.840.113549.1.7.1"
TST_INFO = "1.2.840.113549.1.9.16.1.4"

CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
SIGNING_TIME = "1.2.840.113549.1.9.5"
SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12"
SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"
ALGORITHM_PROTECTION = "1.2.840.113549.1.9.52"
OCSP_RESPONSE = "1.3.6.1.5.5.7.16.2"
"""RFC 5940: an OCSP answer among the revocation data."""

TIMESTAMP_TOKEN = "1.2.840.113549.1.9.16.2.14"  # noqa: S105  (an object identifier)

HOSTILE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    NotImplementedError,
    RecursionError,
    *x509.UNREADABLE,
)
"""What our own readers, cryptography, asn1crypto and pyHanko raise on damaged bytes (KeyError and
IndexError are LookupErrors; UnicodeDecodeError, DerError, StructureError are ValueErrors; the
bare exceptions of cryptography come from :data:`x509.UNREADABLE`). Whoever
catches these turns them into a finding, never into a pass."""

MAX_CERTIFICATES = 16
"""Certificates in one signature; a chain with a stamp's has at most eight."""

MAX_REVOCATION = 16
"""Revocation lists and OCSP answers in one signature: one for each certificate. Each is tried with
each issuer, so thousands would take minutes."""

DIGESTS = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
DIGEST_OIDS = {name: oid for oid, name in DIGESTS.items()}
WEAK_DIGESTS = {"1.3.14.3.2.26": "SHA-1", "1.2.840.113549.2.5": "MD5"}
_NULL = b"\x05\x00"
_RSA = "1.2.840.113549.1.1.1"
_SIGNATURES = {
    "1.2.840.113549.1.1.11": (False, "sha256"),
    "1.2.840.113549.1.1.12": (False, "sha384"),
    "1.2.840.113549.1.1.13": (False, "sha512"),
    "1.2.840.10045.4.3.2": (True, "sha256"),
    "1.2.840.10045.4.3.3": (True, "sha384"),
    "1.2.840.10045.4.3.4": (True, "sha512"),
}
_WEAK_SIGNATURES = {
    "1.2.840.113549.1.1.4": "MD5",
    "1.2.840.113549.1.1.5": "SHA-1",
    "1.2.840.10045.4.1": "SHA-1",
}
_SIGNED_ATTRIBUTES, _UNSIGNED_ATTRIBUTES = 0xA0, 0xA1
_CERTIFICATES, _CRLS, _EXPLICIT, _KEY_IDENTIFIER = 0xA0, 0xA1, 0xA0, 0x80
_OTHER = 0xA1


class StructureError(ValueError):
    """Not the one structure that is accepted; the text says why in a few words."""


class WeakError(StructureError):
    """A broken algorithm (MD5, SHA-1) stands where the signature depends on it."""


@dataclass(frozen=True)
class Algorithm:
    """An AlgorithmIdentifier: dotted identifier, encoded parameters (None: left out)."""

    oid: str
    parameters: bytes | None


@dataclass(frozen=True)
class SignedData:
    """One signed message.

    Attributes:
        content_type: what was signed, dotted.
        content: the content when it is inside, None when detached.
        certificates: DER of each.
        crls: DER of each revocation list.
        ocsp: DER of each OCSP answer.
        issuer: the signer's issuer as encoded, or empty when a key identifier names the signer.
        serial: the certificate's number.
        key_identifier: the other way to name the signer, or empty.
        digest: name of the digest algorithm.
        ecdsa: the signature is an ECDSA one (else RSA PKCS #1 v1.5).
        signed: type of attribute → its one value.
        signed_bytes: what the signature is over (RFC 5652 section 5.4).
        signature: the signature value.
        unsigned: type of attribute → its one value.
    """

    content_type: str
    content: bytes | None
    certificates: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    ocsp: tuple[bytes, ...]
    issuer: bytes
    serial: int
    key_identifier: bytes
    digest: str
    ecdsa: bool
    signed: dict[str, Node]
    signed_bytes: bytes
    signature: bytes
    unsigned: dict[str, Node]
    digest_algorithm: Algorithm
    signature_algorithm: Algorithm


def read(data: bytes, *, max_bytes: int) -> SignedData:
    """Read a ContentInfo that holds SignedData with one signer.

    Raises:
        DerError: not strict DER.
        WeakError: MD5 or SHA-1.
        StructureError: anything else than expected.
    """
    info = expect(der.parse(data, max_bytes=max_bytes), der.SEQUENCE, 2)
    if dotted(info[0]) != SIGNED_DATA:
        raise StructureError("not signed data")
    body = list(expect(expect(info[1], _EXPLICIT, 1)[0], der.SEQUENCE))
    version = der.integer(take(body))
    digests = [algorithm(node) for node in expect(take(body), der.SET)]
    content_type, content = _content(take(body))
    certificates = _members(body, _CERTIFICATES)
    crls = _members(body, _CRLS)
    signers = expect(take(body), der.SET, 1)
    if body:
        raise StructureError("something after the signer")
    if version != _version(content_type, [node.raw for node in crls]):
        raise StructureError("a version that does not fit the content")
    if len(certificates) > MAX_CERTIFICATES:
        raise StructureError(f"more than {MAX_CERTIFICATES} certificates")
    if len(crls) > MAX_REVOCATION:
        raise StructureError(f"more than {MAX_REVOCATION} revocation lists and answers")
    lists = tuple(node.raw for node in crls if node.tag == der.SEQUENCE)
    others = [node for node in crls if node.tag != der.SEQUENCE]
    if any(node.tag != der.SEQUENCE for node in certificates):
        raise StructureError("a certificate of another kind")
    return _signer(
        signers[0],
        digests,
        content_type,
        content,
        tuple(node.raw for node in certificates),
        (lists, tuple(_ocsp(node) for node in others)),
    )


def _version(content_type: str, revocation: Sequence[bytes]) -> int:
    """RFC 5652 section 5.1: other revocation data than lists make it 5."""
    if any(one[0] == _OTHER for one in revocation):
        return 5
    return 1 if content_type == DATA else 3


def _ocsp(node: Node) -> bytes:
    kind, value = expect(node, _OTHER, 2)
    if dotted(kind) != OCSP_RESPONSE or value.tag != der.SEQUENCE:
        raise StructureError("revocation data of another kind")
    return value.raw


def ocsp_entry(response: bytes) -> bytes:
    """An OCSP answer as it stands among the revocation data (RFC 5940 section 2.1)."""
    return der.encode(_OTHER, der.encode_oid(OCSP_RESPONSE) + response)


def expect(node: Node, tag: int, count: int | None = None) -> tuple[Node, ...]:
    """The members of a value that must have this tag and, where given, this many of them.

    Raises:
        StructureError: it is another.
    """
    if node.tag != tag or (count is not None and len(node.children) != count):
        raise StructureError("a value of another shape than expected")
    return node.children


def take(nodes: list[Node]) -> Node:
    """The next of a row of values, taken off its list.

    Raises:
        StructureError: there is none.
    """
    if not nodes:
        raise StructureError("something is missing at the end")
    return nodes.pop(0)


def _members(body: list[Node], tag: int) -> tuple[Node, ...]:
    if not body or body[0].tag != tag:
        return ()
    members = body.pop(0).children
    if not members:
        raise StructureError("an empty set")
    der.require_sorted(members)
    return members


def dotted(node: Node) -> str:
    """The value of an OBJECT IDENTIFIER.

    Raises:
        StructureError: something else.
    """
    if node.tag != der.OID:
        raise StructureError("no object identifier where one belongs")
    return der.oid(node.content)


def algorithm(node: Node) -> Algorithm:
    """Read an AlgorithmIdentifier.

    Raises:
        StructureError: something else.
    """
    parts = expect(node, der.SEQUENCE)
    if not 1 <= len(parts) <= 2:
        raise StructureError("an algorithm of another shape than expected")
    return Algorithm(dotted(parts[0]), parts[1].raw if len(parts) == 2 else None)


def digest_name(node: Node) -> str:
    """The name of a digest algorithm.

    Raises:
        WeakError: MD5 or SHA-1.
        StructureError: another one that is not known.
    """
    found = algorithm(node)
    if found.oid in WEAK_DIGESTS:
        raise WeakError(WEAK_DIGESTS[found.oid])
    if found.oid not in DIGESTS or found.parameters not in (None, _NULL):
        raise StructureError("a digest algorithm that is not known")
    return DIGESTS[found.oid]


def _content(node: Node) -> tuple[str, bytes | None]:
    parts = expect(node, der.SEQUENCE)
    if len(parts) == 1:
        return dotted(parts[0]), None
    if len(parts) != 2:
        raise StructureError("content of another shape than expected")
    inner = expect(parts[1], _EXPLICIT, 1)[0]
    if inner.tag != der.OCTET_STRING:
        raise StructureError("content that is no octet string")
    return dotted(parts[0]), inner.content


def _signer(
    node: Node,
    digests: list[Algorithm],
    content_type: str,
    content: bytes | None,
    certificates: tuple[bytes, ...],
    revocation: tuple[tuple[bytes, ...], tuple[bytes, ...]],
) -> SignedData:
    body = list(expect(node, der.SEQUENCE))
    version = der.integer(take(body))
    issuer, serial, key_identifier = _signer_identifier(take(body))
    if version != (3 if key_identifier else 1):
        raise StructureError("a signer version that does not fit its identifier")
    digest_algorithm = algorithm(take(body))
    if digests != [digest_algorithm]:
        raise StructureError("digest algorithms that differ")
    signed_node = take(body)
    signed = _attributes(signed_node, _SIGNED_ATTRIBUTES)
    signature_algorithm = algorithm(take(body))
    value = take(body)
    if value.tag != der.OCTET_STRING:
        raise StructureError("a signature that is no octet string")
    unsigned = _attributes(take(body), _UNSIGNED_ATTRIBUTES) if body else {}
    if body:
        raise StructureError("something after the attributes")
    digest, ecdsa = _algorithms(digest_algorithm, signature_algorithm)
    return SignedData(
        content_type=content_type,
        content=content,
        certificates=certificates,
        crls=revocation[0],
        ocsp=revocation[1],
        issuer=issuer,
        serial=serial,
        key_identifier=key_identifier,
        digest=digest,
        ecdsa=ecdsa,
        signed=signed,
        signed_bytes=der.encode(der.SET, signed_node.content),
        signature=value.content,
        unsigned=unsigned,
        digest_algorithm=digest_algorithm,
        signature_algorithm=signature_algorithm,
    )


def _signer_identifier(node: Node) -> tuple[bytes, int, bytes]:
    if node.tag == _KEY_IDENTIFIER and node.content:
        return b"", 0, node.content
    parts = expect(node, der.SEQUENCE, 2)
    return parts[0].raw, der.integer(parts[1]), b""


def _attributes(node: Node, tag: int) -> dict[str, Node]:
    """Attributes, each type once and with one value (RFC 5652 section 11, CAdES clause 5)."""
    members = expect(node, tag)
    if not members:
        raise StructureError("an empty set of attributes")
    der.require_sorted(members)
    found: dict[str, Node] = {}
    for member in members:
        kind, values = expect(member, der.SEQUENCE, 2)
        name = dotted(kind)
        if name in found:
            raise StructureError("an attribute twice")
        found[name] = expect(values, der.SET, 1)[0]
    return found


def _algorithms(digest: Algorithm, signature: Algorithm) -> tuple[str, bool]:
    """The digest's name and whether it is ECDSA, when both algorithms belong together."""
    weak = WEAK_DIGESTS.get(digest.oid) or _WEAK_SIGNATURES.get(signature.oid)
    if weak:
        raise WeakError(weak)
    name = DIGESTS.get(digest.oid)
    if name is None or digest.parameters not in (None, _NULL):
        raise StructureError("a digest algorithm that is not known")
    if signature.oid == _RSA and signature.parameters in (None, _NULL):
        return name, False
    ecdsa, implied = _SIGNATURES.get(signature.oid, (False, ""))
    if implied != name or signature.parameters not in ((None,) if ecdsa else (None, _NULL)):
        raise StructureError("a signature algorithm that is not known or does not fit the digest")
    return name, ecdsa


def signature_kind(node: Node) -> tuple[str, bool]:
    """The digest's name and whether it is ECDSA, of an algorithm that names both, in its one form.

    RSA has a NULL beside it and ECDSA nothing (RFC 4055 section 5, RFC 5758 section 3.2).

    Raises:
        WeakError: MD5 or SHA-1.
        StructureError: another one that is not known.
    """
    found = algorithm(node)
    if found.oid in _WEAK_SIGNATURES:
        raise WeakError(_WEAK_SIGNATURES[found.oid])
    if found.oid not in _SIGNATURES:
        raise StructureError("a signature algorithm that is not known")
    ecdsa, digest = _SIGNATURES[found.oid]
    if found.parameters != (None if ecdsa else _NULL):
        raise StructureError("a signature algorithm of another form")
    return digest, ecdsa


def rebuild(
    data: bytes,
    *,
    certificates: Iterable[bytes] | None = None,
    unsigned: Iterable[bytes] | None = None,
    crls: Iterable[bytes] | None = None,
) -> bytes:
    """The same message with other unsigned parts, as DER; every signed byte stays as it is.

    Args:
        data: a ContentInfo in DER but for the order of its sets.
        certificates: the certificates to hold instead; None keeps them.
        unsigned: whole unsigned attributes to hold instead; None keeps them.
        crls: revocation lists and :func:`ocsp_entry` to hold instead; None keeps them.

    Raises:
        DerError, StructureError: not such a message.
    """
    info = expect(der.parse(data), der.SEQUENCE, 2)
    body = list(expect(expect(info[1], _EXPLICIT, 1)[0], der.SEQUENCE))
    _, digests, inner = (take(body) for _ in range(3))
    parts = {node.tag: [child.raw for child in node.children] for node in body[:-1]}
    signer = expect(take(body[-1:]), der.SET, 1)[0]
    fields = list(expect(signer, der.SEQUENCE))
    kept = [node for node in fields if node.tag != _UNSIGNED_ATTRIBUTES]
    attributes = (
        [
            child.raw
            for node in fields
            if node.tag == _UNSIGNED_ATTRIBUTES
            for child in node.children
        ]
        if unsigned is None
        else list(unsigned)
    )
    tail = der.encode_set(_UNSIGNED_ATTRIBUTES, attributes) if attributes else b""
    signer_info = der.encode(der.SEQUENCE, b"".join(node.raw for node in kept) + tail)
    held = parts.get(_CERTIFICATES, []) if certificates is None else list(certificates)
    lists = parts.get(_CRLS, []) if crls is None else list(crls)
    version = _version(dotted(expect(inner, der.SEQUENCE)[0]), lists)
    content = (
        der.encode_integer(version)
        + digests.raw
        + inner.raw
        + (der.encode_set(_CERTIFICATES, held) if held else b"")
        + (der.encode_set(_CRLS, lists) if lists else b"")
        + der.encode_set(der.SET, [signer_info])
    )
    signed_data = der.encode(_EXPLICIT, der.encode(der.SEQUENCE, content))
    return der.encode(der.SEQUENCE, info[0].raw + signed_data)
