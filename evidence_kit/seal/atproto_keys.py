"""Public keys and signatures of AT Protocol: secp256k1 and P-256, compact and low-S only.

Source: AT Protocol's cryptography specification; W3C Controlled Identifiers (Multikey);
multicodec table (0xe7 secp256k1-pub, 0x1200 p256-pub, as unsigned varints).
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from evidence_kit.seal.atproto_cbor import ProofError

MAX_KEY_TEXT = 120
"""Characters; a compressed key has about 50, an uncompressed one of old documents about 90."""

_ORDERS = {
    "secp256k1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
    "P-256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
}
"""Order of each curve's group (SEC 2; FIPS 186-4)."""

_CODECS = {"secp256k1": b"\xe7\x01", "P-256": b"\x80\x24"}
_BARE_TYPES = {
    "EcdsaSecp256k1VerificationKey2019": "secp256k1",
    "EcdsaSecp256r1VerificationKey2019": "P-256",
}
"""Older verification methods: the type names the curve, the key has no codec before it."""

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DID_KEY = "did:key:"


@dataclass(frozen=True)
class PublicKey:
    """A point on one of the two curves; ``point`` is its compressed form, 33 bytes."""

    curve: str
    point: bytes

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether ``signature`` (64 bytes, r then s, low s) fits SHA-256 of the message."""
        if len(signature) != 64:
            return False
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        order = _ORDERS[self.curve]
        if not 0 < r < order or not 0 < s <= order // 2:
            return False
        try:
            _public(self.curve, self.point).verify(
                encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256())
            )
        except InvalidSignature:
            return False
        return True

    def __str__(self) -> str:
        return _DID_KEY + "z" + _to_base58(_CODECS[self.curve] + self.point)


def from_did_key(text: str) -> PublicKey:
    """Read ``did:key:z…``, compressed only.

    Raises:
        ProofError: not that form, or another kind of key.
    """
    if not text.startswith(_DID_KEY):
        raise ProofError("a key is not written as did:key")
    return from_multikey(text[len(_DID_KEY) :])


def from_multikey(text: str) -> PublicKey:
    """Read the ``publicKeyMultibase`` of a Multikey.

    Raises:
        ProofError: not that form, or another kind of key.
    """
    raw = _multibase(text)
    for curve, codec in _CODECS.items():
        if raw.startswith(codec) and len(raw) == len(codec) + 33:
            return _checked(curve, raw[len(codec) :])
    raise ProofError("a key is of a kind that this protocol does not use")


def from_method(kind: str, text: str) -> PublicKey:
    """Read a verification method of a DID document.

    Args:
        kind: its ``type``.
        text: its ``publicKeyMultibase``.

    Raises:
        ProofError: an unknown type, or not a key.
    """
    if kind == "Multikey":
        return from_multikey(text)
    if kind not in _BARE_TYPES:
        raise ProofError("a key is of a kind that this protocol does not use")
    return _checked(_BARE_TYPES[kind], _multibase(text))


def _checked(curve: str, point: bytes) -> PublicKey:
    key = _public(curve, point)
    return PublicKey(curve, key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint))


def _public(curve: str, point: bytes) -> ec.EllipticCurvePublicKey:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(
            ec.SECP256K1() if curve == "secp256k1" else ec.SECP256R1(), point
        )
    except UnsupportedAlgorithm as error:
        raise ProofError(f"this computer's OpenSSL does not know the curve {curve}") from error
    except ValueError as error:
        raise ProofError("a key is not a point on its curve") from error


def _multibase(text: str) -> bytes:
    if not text.startswith("z") or len(text) > MAX_KEY_TEXT:
        raise ProofError("a key is not written in base58")
    number = 0
    for character in text[1:]:
        value = _BASE58.find(character)
        if value < 0:
            raise ProofError("a key is not written in base58")
        number = number * 58 + value
    zeros = len(text[1:]) - len(text[1:].lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def _to_base58(data: bytes) -> str:
    number, out = int.from_bytes(data, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        out = _BASE58[rest] + out
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + out
