"""CAdES: what is written, what is found, and that no changed bit of the file goes unnoticed."""

from __future__ import annotations

import asyncio
import hashlib
import random
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_kit.core.errors import KeyUnavailableError
from evidence_kit.core.findings import Section, Status, worst
from evidence_kit.seal import cades, cms, der, x509
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.cades_check import SignatureReport
from evidence_kit.seal.signer import KeySigner
from tests import pki
from tests.pki import CONTENT, NOW, YEAR

SAMPLED_BITS = 400
"""Bits turned over in the quick run; the slow one takes all 20,000."""


def signed(signer: KeySigner | None = None, when: datetime = NOW) -> bytes:
    return cades.sign(CONTENT, signer or pki.self_signed(), signing_time=when)


def check(
    p7s: bytes, anchors: TrustAnchors | None = None, *, now: datetime = NOW
) -> SignatureReport:
    return cades.check_signature(p7s, CONTENT, anchors=anchors or TrustAnchors(), now=now)


def codes(report: SignatureReport) -> set[str]:
    return {finding.code for finding in report.findings}


def status(report: SignatureReport, section: Section | None = None) -> Status:
    return worst(
        finding.rule.status
        for finding in report.findings
        if section is None or finding.rule.section is section
    )


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
    mine = hashlib.sha256(pki.self_signed().certificate).digest()
    attributes[cms.SIGNING_CERTIFICATE_V2] = [old[: -len(mine)] + bytes(len(mine))]


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
    p7s = pki.stamped(_with_crl(signed(whole.signer), crl))
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


# --- signer, trust and time, each by itself


def test_an_unknown_signer_spoils_trust_alone() -> None:
    report = check(pki.stamped(signed()), pki.trusting())
    assert status(report, Section.INTEGRITY) is Status.PASSED
    assert status(report, Section.TIME) is Status.PASSED
    assert status(report, Section.SIGNER) is Status.PASSED
    assert status(report, Section.TRUST) is Status.INDETERMINATE
    assert "signer.unknown" in codes(report)


def test_a_signer_is_not_trusted_as_an_authority_for_stamps_nor_the_reverse() -> None:
    signer = pki.self_signed()
    crossed = TrustAnchors(pki.trusting().tsas, (signer.certificate,))
    report = check(pki.stamped(signed(signer)), crossed)
    assert {"signer.unknown", "timestamp.untrusted"} <= codes(report)


def test_an_authority_vouches_for_those_below_it() -> None:
    whole = pki.chain()
    p7s = pki.stamped(signed(whole.signer))
    for anchor in (whole.root, whole.intermediate, whole.signer.certificate):
        assert "signer.trusted" in codes(check(p7s, pki.trusting(anchor)))
    assert "signer.unknown" in codes(check(p7s, pki.trusting(pki.self_signed().certificate)))


def test_a_certificate_without_ca_rights_vouches_for_nobody() -> None:
    root_key, key = pki.key_of(number=1), pki.key_of(number=3)
    root = pki.certificate("No CA", root_key)
    issuer = pki.Issuer(pki.name_of("No CA"), root_key)
    signer = KeySigner(key, pki.certificate("Below", key, issuer=issuer), (root,))
    assert "signer.trusted" not in codes(check(signed(signer), pki.trusting(root)))


def test_a_path_over_an_intermediate_without_ca_rights_is_invalid() -> None:
    root_key, middle_key, key = (pki.key_of(number=n) for n in (1, 2, 3))
    top = pki.Issuer(pki.name_of("Root"), root_key)
    root = pki.certificate("Root", root_key, authority=True)
    middle = pki.certificate("Middle", middle_key, issuer=top)
    below = pki.Issuer(pki.name_of("Middle"), middle_key)
    signer = KeySigner(key, pki.certificate("Leaf", key, issuer=below), (middle, root))
    assert "signer.path-invalid" in codes(check(signed(signer), pki.trusting(root)))


def test_an_expired_authority_above_an_unstamped_signature_is_invalid_now() -> None:
    whole = pki.chain()
    late = NOW + 6 * YEAR
    assert "signer.path-invalid" in codes(
        check(signed(whole.signer), pki.trusting(whole.root), now=late)
    )
    stamped = pki.stamped(signed(whole.signer))
    assert "signer.trusted" in codes(check(stamped, pki.trusting(whole.root), now=late))


@pytest.mark.parametrize("oid", ["1.3.14.3.2.26", "1.2.840.113549.2.5"])
def test_sha1_and_md5_are_weak_whatever_else_holds(oid: str) -> None:
    sha256 = der.encode_oid(cms.DIGEST_OIDS["sha256"])
    weak = der.encode_oid(oid)

    def walk(node: der.Node) -> bytes:
        if node.raw == sha256:
            return weak
        if node.children:
            return der.encode(node.tag, b"".join(walk(child) for child in node.children))
        return node.raw

    assert "signature.weak" in codes(check(walk(der.parse(signed()))))


def test_expired_but_stamped_while_valid() -> None:
    signer = pki.self_signed(end=NOW + timedelta(days=30))
    p7s, late = pki.stamped(signed(signer)), NOW + YEAR
    report = check(p7s, pki.trusting(signer.certificate), now=late)
    assert {"signer.valid", "signer.expired-since", "signer.trusted"} <= codes(report)
    assert status(report) is Status.PASSED


def test_expired_without_a_trusted_stamp() -> None:
    signer = pki.self_signed(end=NOW + timedelta(days=30))
    late = NOW + YEAR
    for p7s, anchors in (
        (signed(signer), pki.trusting(signer.certificate)),
        (pki.stamped(signed(signer)), TrustAnchors((signer.certificate,))),
    ):
        report = check(p7s, anchors, now=late)
        assert "signer.expired" in codes(report)
        assert status(report) is Status.INDETERMINATE


def test_stamped_after_the_certificate_expired() -> None:
    signer = pki.self_signed(end=NOW + timedelta(days=30))
    p7s = pki.stamped(signed(signer), NOW + timedelta(days=31))
    assert "signer.expired" in codes(
        check(p7s, pki.trusting(signer.certificate), now=NOW + timedelta(days=31))
    )


def test_stamped_before_the_certificate_was_valid() -> None:
    signer = pki.self_signed(start=NOW + timedelta(days=1))
    report = check(pki.stamped(signed(signer)), pki.trusting(signer.certificate))
    assert "signer.not-yet-valid" in codes(report)


def test_a_certificate_for_something_else() -> None:
    signer = pki.self_signed(uses=pki.usage("key_encipherment"))
    assert "signer.wrong-usage" in codes(check(signed(signer), pki.trusting(signer.certificate)))


@pytest.mark.parametrize(
    ("claimed", "code"),
    [
        (timedelta(minutes=6), "timestamp.before-claimed-time"),
        (timedelta(minutes=4), None),
        (-timedelta(minutes=50), None),
        (-timedelta(minutes=70), "timestamp.long-after-claimed-time"),
    ],
)
def test_the_claimed_time_against_the_stamp(claimed: timedelta, code: str | None) -> None:
    signer = pki.self_signed()
    report = check(pki.stamped(signed(signer, NOW + claimed)), pki.trusting(signer.certificate))
    odd = {"timestamp.before-claimed-time", "timestamp.long-after-claimed-time"}
    assert codes(report) & odd == ({code} if code else set())


@pytest.mark.parametrize(
    ("when", "stamp", "code"),
    [
        (timedelta(days=-2), True, "signer.revoked"),
        (timedelta(days=2), True, "signer.revoked-since"),
        (timedelta(days=2), False, "signer.revoked"),
    ],
)
def test_revoked(when: timedelta, stamp: bool, code: str) -> None:
    whole = pki.chain()
    serial = x509.load(whole.signer.certificate).serial
    crl = pki.revocation_list(whole.intermediate_issuer, serial, NOW + when)
    p7s = _with_crl(signed(whole.signer), crl)
    p7s = pki.stamped(p7s) if stamp else p7s
    report = check(p7s, pki.trusting(whole.root), now=NOW + timedelta(days=3))
    assert "signature.ok" in codes(report)
    assert {one for one in codes(report) if "revoked" in one} == {code}


def test_a_revocation_list_of_somebody_else_is_unused() -> None:
    crl = pki.revocation_list(pki.chain().root_issuer, 1, NOW)
    assert "signature.unused-material" in codes(check(_with_crl(signed(), crl)))


def _with_crl(p7s: bytes, crl: bytes) -> bytes:
    info = der.parse(p7s).children
    body = [node.raw for node in info[1].children[0].children]
    body.insert(4, der.encode(0xA1, crl))
    inner = der.encode(0xA0, der.encode(der.SEQUENCE, b"".join(body)))
    return der.encode(der.SEQUENCE, info[0].raw + inner)


# --- judged by others


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.outside
@pytest.mark.parametrize("kind", ["p256", "p384", "rsa3072"])
def test_openssl_accepts_signature_and_stamp(tmp_path: Path, kind: str) -> None:
    signer = pki.self_signed(kind)
    p7s = pki.stamped(signed(signer))
    token = cms.read(p7s, max_bytes=len(p7s)).unsigned[cms.TIMESTAMP_TOKEN].raw
    files = {
        "s.p7s": p7s,
        "content": CONTENT,
        "signer.pem": pki.pem_of(signer.certificate),
        "token.tst": token,
        "value.bin": cades.signature_value(p7s),
        "root.pem": pki.authority().root_pem,
        "other": b"other",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    at = {name: str(tmp_path / name) for name in files}
    when = str(int(NOW.timestamp()))

    def verify(content: str) -> subprocess.CompletedProcess[str]:
        return _run(
            *("openssl", "cms", "-verify", "-cades", "-inform", "DER", "-binary"),
            *("-purpose", "any", "-in", at["s.p7s"], "-content", at[content]),
            *("-CAfile", at["signer.pem"], "-attime", when, "-out", str(tmp_path / "out")),
        )

    good = verify("content")
    assert good.returncode == 0, good.stderr
    assert verify("other").returncode != 0
    stamp = ["openssl", "ts", "-verify", "-token_in", "-in", at["token.tst"], "-attime", when]
    good = _run(*stamp, "-data", at["value.bin"], "-CAfile", at["root.pem"])
    assert good.returncode == 0, good.stderr
    assert _run(*stamp, "-data", at["other"], "-CAfile", at["root.pem"]).returncode != 0


@pytest.mark.outside
def test_pyhanko_finds_level_t_passed() -> None:
    """A second implementation of EN 319 102-1, with nothing of our checks."""
    from asn1crypto import cms as asn1_cms
    from asn1crypto import x509 as asn1_x509
    from pyhanko.sign.validation.ades import ades_with_time_validation
    from pyhanko.sign.validation.policy_decl import (
        LocalKnowledge,
        RevinfoOnlineFetchingRule,
        RevocationInfoGatheringSpec,
        SignatureValidationSpec,
    )
    from pyhanko_certvalidator.context import CertValidationPolicySpec
    from pyhanko_certvalidator.policy_decl import (
        CertRevTrustPolicy,
        RevocationCheckingPolicy,
        RevocationCheckingRule,
    )
    from pyhanko_certvalidator.registry import SimpleTrustManager

    signer = pki.self_signed()
    p7s = pki.stamped(signed(signer, datetime.now(NOW.tzinfo)))
    rule = RevocationCheckingRule.CHECK_IF_DECLARED_SOFT

    def policy(root: bytes) -> CertValidationPolicySpec:
        return CertValidationPolicySpec(
            trust_manager=SimpleTrustManager.build(trust_roots=[asn1_x509.Certificate.load(root)]),
            revinfo_policy=CertRevTrustPolicy(RevocationCheckingPolicy(rule, rule)),
        )

    spec = SignatureValidationSpec(
        cert_validation_policy=policy(signer.certificate),
        ts_cert_validation_policy=policy(pki.der_of(pki.authority().root)),
        revinfo_gathering_policy=RevocationInfoGatheringSpec(
            online_fetching_rule=RevinfoOnlineFetchingRule.LOCAL_ONLY
        ),
        local_knowledge=LocalKnowledge(),
    )

    def judge(content: bytes) -> str:
        data = asn1_cms.ContentInfo.load(p7s)["content"]
        digest = hashlib.sha256(content).digest()
        result = asyncio.run(ades_with_time_validation(data, spec, raw_digest=digest))
        return str(result.ades_subindic)

    assert "OK" in judge(CONTENT) or "PASSED" in judge(CONTENT)
    assert "HASH_FAILURE" in judge(b"other")


def test_hashes_are_as_strong_as_the_key() -> None:
    certificate = x509.load(pki.certificate("x", pki.key_of("p384"), digest=hashes.SHA384))
    assert x509.digest_for(certificate) == "sha384"
