"""CAdES: what is written, what is found, and that no changed bit of the file goes unnoticed."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest
from cryptography.hazmat.primitives import hashes
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_kit.core.errors import KeyUnavailableError
from evidence_kit.core.findings import Section, Status
from evidence_kit.seal import cades, cms, der, x509
from evidence_kit.seal.anchors import TrustAnchors
from tests import pki
from tests.cades_tools import check, codes, signed, status, with_crl
from tests.pki import NOW, YEAR

SAMPLED_BITS = 400
"""Bits turned over in the quick run; the slow one takes all 20,000."""


# --- what is written


@pytest.mark.parametrize(
    ("kind", "digest", "words"),
    [
        ("p256", "sha256", "ECDSA P-256 with sha256"),
        ("p384", "sha384", "ECDSA P-384 with sha384"),
        ("rsa3072", "sha256", "RSA 3072 with sha256"),
    ],
)
def test_each_kind_of_key_signs_and_verifies(kind: str, digest: str, words: str) -> None:
    signer = pki.self_signed(kind)
    report = check(pki.stamped(signed(signer)), pki.trusting(signer.certificate))
    assert codes(report) == {
        "signature.ok",
        "signer.valid",
        "signer.trusted",
        "timestamp.ok",
        "timestamp.qualification-unknown",
        "timestamp.revocation-unknown",
    }
    assert (report.digest_algorithm, report.signature_algorithm) == (digest, words)
    assert report.signing_time == NOW
    assert report.signer is not None
    assert report.signer.self_signed
    assert report.signer.fingerprint == hashlib.sha256(signer.certificate).hexdigest()


def test_exactly_the_stated_attributes_in_strict_der() -> None:
    p7s = signed()
    data = cms.read(p7s, max_bytes=len(p7s))
    assert data.signed.keys() == cades.SIGNED_ATTRIBUTES
    assert data.unsigned == {}
    assert len(data.certificates) == 1
    assert der.to_der(p7s) == p7s


def test_ecdsa_values_are_always_the_low_one() -> None:
    signer = pki.self_signed()
    order = x509.group_order(x509.load(signer.certificate))
    assert order is not None
    for _ in range(12):  # each would be high in half of the cases
        pair = der.parse(cades.signature_value(signed(signer))).children
        assert der.integer(pair[1]) <= order // 2


def test_the_other_ecdsa_value_is_refused_though_it_verifies() -> None:
    p7s = signed()
    value = cades.signature_value(p7s)
    order = x509.group_order(x509.load(pki.self_signed().certificate))
    assert order is not None
    r, s = (der.integer(node) for node in der.parse(value).children)
    high = der.encode(der.SEQUENCE, der.encode_integer(r) + der.encode_integer(order - s))
    forged = _with_signature(p7s, high)
    assert "signature.malformed" in codes(check(forged))
    assert "signature.invalid" not in codes(check(forged))


def _with_signature(p7s: bytes, value: bytes) -> bytes:
    """Replace the signature value and every length around it."""

    def walk(node: der.Node) -> bytes:
        if node.tag == der.OCTET_STRING and node.content == cades.signature_value(p7s):
            return der.encode(der.OCTET_STRING, value)
        if node.children:
            return der.encode(node.tag, b"".join(walk(child) for child in node.children))
        return node.raw

    return walk(der.parse(p7s))


@pytest.mark.parametrize("kind", ["rsa2048", "p224"])
def test_weak_keys_do_not_sign(kind: str) -> None:
    with pytest.raises(KeyUnavailableError):
        signed(pki.self_signed(kind))


def test_a_key_that_does_not_belong_to_the_certificate_does_not_sign() -> None:
    signer = replace(pki.self_signed(), key=pki.key_of(number=5))
    with pytest.raises(KeyUnavailableError, match="does not belong"):
        signed(signer)


def test_a_chain_that_is_not_complete_does_not_sign() -> None:
    whole = pki.chain()
    for chain in ((whole.intermediate,), (whole.root,), (pki.self_signed().certificate,)):
        with pytest.raises(KeyUnavailableError, match="chain"):
            signed(replace(whole.signer, chain=chain))


def test_a_second_stamp_is_refused() -> None:
    p7s = pki.stamped(signed())
    with pytest.raises(ValueError, match="already"):
        pki.stamped(p7s)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        signed(when=datetime(2026, 1, 1))  # noqa: DTZ001


def test_signing_works_where_a_loop_is_running() -> None:
    async def inside() -> bytes:
        return signed()

    assert status(check(asyncio.run(inside())), Section.INTEGRITY) is Status.PASSED


# --- integrity


def test_other_content() -> None:
    report = cades.check_signature(signed(), b"other", anchors=TrustAnchors(), now=NOW)
    assert "signature.wrong-digest" in codes(report)
    assert "signature.invalid" not in codes(report)


def test_a_swapped_signature_value() -> None:
    forged = _with_signature(signed(), cades.signature_value(signed(when=NOW + YEAR)))
    assert codes(check(forged)) >= {"signature.invalid"}


@pytest.mark.parametrize("bad", [b"", b"\x30", b"\x00" * 100, b"<html>", b"\x30\x80" * 40])
def test_no_signature_at_all(bad: bytes) -> None:
    report = check(bad)
    assert codes(report) == {"signature.malformed", "signer.not-checked", "timestamp.not-checked"}


def test_a_certificate_that_belongs_to_nothing() -> None:
    p7s = signed()
    stray = pki.certificate("Stray", pki.key_of(number=7))
    own = cms.read(p7s, max_bytes=len(p7s)).certificates[0]
    extra = cms.rebuild(p7s, certificates=[own, stray])
    assert "signature.unused-material" in codes(check(extra))


def test_a_chain_without_its_top_has_a_certificate_that_nothing_holds() -> None:
    whole = pki.chain()
    p7s = cms.rebuild(
        signed(whole.signer), certificates=[whole.signer.certificate, whole.intermediate]
    )
    assert "signature.unused-material" in codes(check(p7s))


def test_an_unknown_unsigned_attribute() -> None:
    attribute = der.encode(
        der.SEQUENCE, der.encode_oid("1.2.3.4") + der.encode(der.SET, b"\x05\x00")
    )
    assert "signature.malformed" in codes(check(cms.rebuild(signed(), unsigned=[attribute])))


def _resigned(change: Callable[[dict[str, list[bytes]]], None], version: int = 1) -> bytes:
    """A signature that verifies, by a signer who puts other attributes in."""
    signer = pki.self_signed()
    info = der.parse(signed(signer)).children
    body = info[1].children[0].children
    fields = list(body[-1].children[0].children)
    attributes: dict[str, list[bytes]] = {}
    for node in fields[3].children:
        attributes[der.oid(node.children[0].content)] = [node.children[1].children[0].raw]
    change(attributes)
    members = [
        der.encode(der.SEQUENCE, der.encode_oid(name) + der.encode(der.SET, value))
        for name, values in attributes.items()
        for value in values
    ]
    value = cades.low_s(
        signer.sign(der.encode_set(der.SET, members)),
        x509.group_order(x509.load(signer.certificate)) or 0,
    )
    parts = [node.raw for node in fields[:3]]
    parts += [der.encode_set(0xA0, members), fields[4].raw, der.encode(der.OCTET_STRING, value)]
    signers = der.encode(der.SET, der.encode(der.SEQUENCE, b"".join(parts)))
    head = [der.encode_integer(version), *(node.raw for node in body[1:-1])]
    inner = der.encode(0xA0, der.encode(der.SEQUENCE, b"".join([*head, signers])))
    return der.encode(der.SEQUENCE, info[0].raw + inner)


def _other_protection(attributes: dict[str, list[bytes]]) -> None:
    (old,) = attributes[cms.ALGORITHM_PROTECTION]
    sha256, sha512 = (der.encode_oid(cms.DIGEST_OIDS[name]) for name in ("sha256", "sha512"))
    attributes[cms.ALGORITHM_PROTECTION] = [old.replace(sha256, sha512)]


def _other_signature_protection(attributes: dict[str, list[bytes]]) -> None:
    (old,) = attributes[cms.ALGORITHM_PROTECTION]
    ours, other = (der.encode_oid(f"1.2.840.10045.4.3.{number}") for number in (2, 4))
    attributes[cms.ALGORITHM_PROTECTION] = [old.replace(ours, other)]


def _another_certificate(attributes: dict[str, list[bytes]]) -> None:
    (old,) = attributes[cms.SIGNING_CERTIFICATE_V2]
    digest = der.parse(old).children[0].children[0].children[0].content
    attributes[cms.SIGNING_CERTIFICATE_V2] = [old.replace(digest, bytes(len(digest)))]


def _another_number(attributes: dict[str, list[bytes]]) -> None:
    """The right digest, and beside it the number of another certificate."""
    (old,) = attributes[cms.SIGNING_CERTIFICATE_V2]
    attributes[cms.SIGNING_CERTIFICATE_V2] = [old[:-1] + bytes((old[-1] ^ 1,))]


DISHONEST: dict[str, Callable[[dict[str, list[bytes]]], None]] = {
    "left out": lambda found: found.pop(cms.ALGORITHM_PROTECTION).clear(),
    "commitment": lambda found: found.update({"1.2.840.113549.1.9.16.2.16": [b"\x30\x00"]}),
    "other content type": lambda found: found.update(
        {cms.CONTENT_TYPE: [der.encode_oid(cms.TST_INFO)]}
    ),
    "two times": lambda found: found[cms.SIGNING_TIME].append(
        der.encode(der.UTC_TIME, b"200101000000Z")
    ),
    "time of another form": lambda found: found.update(
        {cms.SIGNING_TIME: [der.encode(der.GENERALIZED_TIME, b"20261123100000Z")]}
    ),
    "time that does not exist": lambda found: found.update(
        {cms.SIGNING_TIME: [der.encode(der.UTC_TIME, b"260231000000Z")]}
    ),
    "digest protection": _other_protection,
    "signature protection": _other_signature_protection,
    "another certificate": _another_certificate,
    "another number": _another_number,
    "no certificate": lambda found: found.pop(cms.SIGNING_CERTIFICATE_V2).clear(),
}


@pytest.mark.parametrize("case", DISHONEST)
def test_a_signer_who_puts_other_attributes_in(case: str) -> None:
    report = check(_resigned(DISHONEST[case]))
    assert "signature.malformed" in codes(report)


def test_the_same_attributes_signed_anew_are_fine_but_for_another_version() -> None:
    assert "signature.ok" in codes(check(_resigned(lambda found: None)))
    assert "signature.malformed" in codes(check(_resigned(lambda found: None, version=3)))


def _missed(p7s: bytes, bits: range | list[int], anchors: TrustAnchors) -> list[int]:
    missed = []
    for bit in bits:
        changed = bytearray(p7s)
        changed[bit // 8] ^= 1 << bit % 8
        if status(check(bytes(changed), anchors)) is not Status.FAILED:
            missed.append(bit)
    return missed


def test_a_changed_bit_is_noticed_sampled() -> None:
    signer = pki.self_signed()
    p7s = pki.stamped(signed(signer))
    bits = random.Random(2026).sample(range(len(p7s) * 8), SAMPLED_BITS)
    assert _missed(p7s, bits, pki.trusting(signer.certificate)) == []


@pytest.mark.slow
@pytest.mark.parametrize("trusted", [True, False])
def test_every_changed_bit_is_noticed(trusted: bool) -> None:
    signer = pki.self_signed()
    p7s = pki.stamped(signed(signer))
    anchors = pki.trusting(signer.certificate) if trusted else TrustAnchors()
    assert _missed(p7s, range(len(p7s) * 8), anchors) == []


@pytest.mark.slow
def test_every_changed_bit_is_noticed_in_a_chain() -> None:
    whole = pki.chain()
    crl = pki.revocation_list(whole.intermediate_issuer, 1, NOW)
    p7s = pki.stamped(with_crl(signed(whole.signer), crl))
    assert _missed(p7s, range(0, len(p7s) * 8, 3), pki.trusting(whole.root)) == []


def _looser_signature(signed_thing: bytes) -> bytes | None:
    """The same with another count of unused bits in the outer signature, where padding allows."""
    tbs, algorithm, value = der.parse(signed_thing).children
    if value.content[-1] & 1:
        return None
    loose = der.encode(der.BIT_STRING, b"\x01" + value.content[1:])
    return der.encode(der.SEQUENCE, tbs.raw + algorithm.raw + loose)


def test_unused_bits_beside_a_certificate_signature_are_counted() -> None:
    """Libraries do not look at that count; a search over every bit found it."""
    for serial in range(1, 60):
        loose = _looser_signature(pki.certificate("x", pki.key_of(), serial=serial))
        if loose is not None:
            with pytest.raises(x509.CertificateError, match="whole octets"):
                x509.load(loose)
            return
    raise AssertionError("no signature with an even last octet in 59: not chance any more")


@given(st.binary(max_size=60), st.integers(min_value=0), st.integers(0, 8))
@settings(max_examples=150)
def test_any_splice_is_noticed_and_nothing_raises(piece: bytes, at: int, cut: int) -> None:
    p7s = _REAL()
    place = at % len(p7s)
    changed = p7s[:place] + piece + p7s[place + cut :]
    if changed != p7s:
        assert status(check(changed)) is Status.FAILED


def _once(make: Callable[[], bytes]) -> Callable[[], bytes]:
    kept: list[bytes] = []

    def get() -> bytes:
        if not kept:
            kept.append(make())
        return kept[0]

    return get


_REAL = _once(lambda: pki.stamped(signed()))


def test_hashes_are_as_strong_as_the_key() -> None:
    certificate = x509.load(pki.certificate("x", pki.key_of("p384"), digest=hashes.SHA384))
    assert x509.digest_for(certificate) == "sha384"
