"""Signatures made and checked with fixed content and time, for the tests of CAdES."""

from __future__ import annotations

from datetime import datetime

from evidence_kit.core.findings import Section, Status, worst
from evidence_kit.seal import cades, der
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.cades_check import SignatureReport
from evidence_kit.seal.signer import KeySigner
from tests import pki
from tests.pki import CONTENT, NOW


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


def with_crl(p7s: bytes, crl: bytes) -> bytes:
    info = der.parse(p7s).children
    body = [node.raw for node in info[1].children[0].children]
    body.insert(4, der.encode(0xA1, crl))
    inner = der.encode(0xA0, der.encode(der.SEQUENCE, b"".join(body)))
    return der.encode(der.SEQUENCE, info[0].raw + inner)
