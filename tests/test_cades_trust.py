"""CAdES: signer, trust and time, each by itself, and what other programs say."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509 as pyca
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from evidence_kit.core.findings import Section, Status
from evidence_kit.seal import cades, cms, der, x509
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.signer import KeySigner
from tests import pki
from tests.cades_tools import check, codes, signed, status, with_crl
from tests.pki import CONTENT, NOW, YEAR


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


def test_a_key_of_absurd_size_is_not_tried() -> None:
    """Nobody has such a key, and each signature by it takes a thousand times as long to check."""
    modulus = (1 << 16_383) + 1
    key = rsa.RSAPublicNumbers(65_537, modulus).public_key()
    odd = (
        pyca.CertificateBuilder()
        .subject_name(pki.name_of("x"))
        .issuer_name(pki.name_of("x"))
        .public_key(key)
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + YEAR)
        .sign(pki.key_of(), hashes.SHA256())
    )
    with pytest.raises(x509.CertificateError, match="more than 8192 bits"):
        x509.load(pki.der_of(odd))


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
    p7s = with_crl(signed(whole.signer), crl)
    p7s = pki.stamped(p7s) if stamp else p7s
    report = check(p7s, pki.trusting(whole.root), now=NOW + timedelta(days=3))
    assert "signature.ok" in codes(report)
    assert {one for one in codes(report) if "revoked" in one} == {code}


def test_a_revocation_list_of_somebody_else_is_unused() -> None:
    crl = pki.revocation_list(pki.chain().root_issuer, 1, NOW)
    assert "signature.unused-material" in codes(check(with_crl(signed(), crl)))


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
