"""Judge a CAdES signature: what was signed, with what, by whom, when. Never raises.

Integrity, signer, trust and time are separate findings (requirement V2). Every bit of the file is
held by something: the signature, the strict encoding, a digest, or a check on what stands outside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from evidence_kit.core.clock import iso
from evidence_kit.core.findings import Finding
from evidence_kit.core.limits import MAX_SIGNATURE
from evidence_kit.seal import anchors as trust
from evidence_kit.seal import cms, cms_checks, der, ocsp, x509
from evidence_kit.seal.anchors import RevocationData, TrustAnchors
from evidence_kit.seal.timestamp import TokenReport, check_token

SIGNED_ATTRIBUTES = frozenset(
    {
        cms.CONTENT_TYPE,
        cms.MESSAGE_DIGEST,
        cms.SIGNING_CERTIFICATE_V2,
        cms.SIGNING_TIME,
        cms.ALGORITHM_PROTECTION,
    }
)
"""Exactly these; EN 319 122-1 clause 6.3 asks for the first four, RFC 6211 gives the fifth."""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far the claimed time may lie after the stamp: workstation clocks are off by this much."""

STAMP_DELAY = timedelta(hours=1)
"""How far the stamp may lie after the claimed time: it is fetched in the same run, seconds later,
trying several authorities at 10 s each."""


@dataclass(frozen=True)
class SignerInfo:
    """The signer's certificate in words.

    Attributes:
        name: one line.
        fields: common_name, organisation, unit, staff_code, country, email, as far as stated.
        fingerprint: SHA-256 of the certificate, hexadecimal.
        key: kind and size.
        certificate: DER.
    """

    name: str
    fields: dict[str, str]
    fingerprint: str
    not_before: datetime
    not_after: datetime
    self_signed: bool
    key: str
    certificate: bytes


@dataclass(frozen=True)
class SignatureReport:
    """The judgement on one signature file.

    Attributes:
        findings: of the sections integrity, signer, trust and time.
        signer: None where no certificate could be read.
        signing_time: as the signer claims, UTC.
        stamp: the report on the signature time stamp, None without one.
        digest_algorithm: for example ``sha256``.
        signature_algorithm: for example ``ECDSA P-256 with sha256``.
        tries: how often at most a certificate, list or answer inside was tried with a certificate.
    """

    findings: tuple[Finding, ...]
    signer: SignerInfo | None = None
    signing_time: datetime | None = None
    stamp: TokenReport | None = None
    digest_algorithm: str = ""
    signature_algorithm: str = ""
    tries: int = 0


@dataclass(frozen=True)
class _Parts:
    data: cms.SignedData
    leaf: x509.Certificate
    coverage: x509.Coverage
    revocation: RevocationData
    digest: bytes
    signing_time: datetime


_NOT_CHECKED = (
    Finding("signer.not-checked", "", {"reason": "the signature cannot be used"}),
    Finding("timestamp.not-checked", "", {"reason": "the signature cannot be used"}),
)


def check_signature(
    p7s: bytes,
    content: bytes,
    *,
    anchors: TrustAnchors,
    now: datetime,
    proved: datetime | None = None,
) -> SignatureReport:
    """Judge the detached signature ``p7s`` over ``content`` (EN 319 102-1 in one pass).

    Args:
        p7s: the signature file, from anywhere.
        content: the bytes it should be over.
        anchors: whom the user trusts.
        now: the verifier's clock, aware.
        proved: when the signature is known to have existed by something outside it, such as a
            trusted stamp over the file that holds it; the signature's own trusted stamp goes
            before.
    """
    tries = 0
    try:
        data = cms.read(p7s, max_bytes=MAX_SIGNATURE)
        tries = _tries(data)
        parts = _take_apart(data)
        broken = tuple(_integrity(parts, content))
    except cms.WeakError as error:
        return _unusable("signature.weak", error, tries)
    except cms.HOSTILE as error:
        return _unusable("signature.malformed", error, tries)
    stamp = _stamp(parts, anchors, now)
    findings = [*(broken or [Finding("signature.ok")])]
    moment = stamp.gen_time if stamp and stamp.trusted and stamp.gen_time else proved
    try:
        findings += _signer(parts, anchors, moment, now)
    except cms.HOSTILE as error:
        findings.append(Finding("signer.not-checked", "", {"reason": str(error)}))
    findings += stamp.findings if stamp else (Finding("timestamp.missing"),)
    if moment is not None:
        findings += _order(parts.signing_time, moment)
    elif parts.signing_time > now + CLOCK_TOLERANCE:
        params = {"claimed": iso(parts.signing_time), "now": iso(now)}
        findings.append(Finding("timestamp.claimed-future", "", params))
    return SignatureReport(
        findings=tuple(findings),
        signer=describe(parts.leaf),
        signing_time=parts.signing_time,
        stamp=stamp,
        digest_algorithm=parts.data.digest,
        signature_algorithm=f"{parts.leaf.key_name} with {parts.data.digest}",
        tries=tries,
    )


def _unusable(code: str, error: BaseException, tries: int) -> SignatureReport:
    reason = str(error) or type(error).__name__
    return SignatureReport((Finding(code, "", {"reason": reason}), *_NOT_CHECKED), tries=tries)


def _tries(data: cms.SignedData) -> int:
    """Each certificate is tried with each, each list and answer with each; the stamp's likewise."""
    count = len(data.certificates)
    return count * (count + len(data.crls) + len(data.ocsp)) + _within_stamp(data) ** 2


def _within_stamp(data: cms.SignedData) -> int:
    """Certificates in the time stamp, as far as it has the form of one."""
    token = data.unsigned.get(cms.TIMESTAMP_TOKEN)
    parts = token.children[1:] if token is not None else ()
    fields = [field for part in parts for body in part.children for field in body.children]
    held = max((len(field.children) for field in fields if field.tag == 0xA0), default=0)
    return min(held, cms.MAX_CERTIFICATES)


def _take_apart(data: cms.SignedData) -> _Parts:
    """The one structure that is written, or an error."""
    if data.content_type != cms.DATA or data.content is not None:
        raise cms.StructureError("not a detached signature")
    if data.signed.keys() != SIGNED_ATTRIBUTES:
        raise cms.StructureError("other signed attributes than these signatures have")
    if not data.unsigned.keys() <= {cms.TIMESTAMP_TOKEN}:
        raise cms.StructureError("an unsigned attribute that is not known")
    if not data.issuer:
        raise cms.StructureError("a signer not named by issuer and serial number")
    leaf, others = cms_checks.signer_certificate(data)
    cms_checks.check_bindings(data, leaf, allow_v1=False)
    return _Parts(
        data=data,
        leaf=leaf,
        coverage=x509.cover(leaf, others),
        revocation=RevocationData(
            tuple(trust.load_revocation_list(encoded) for encoded in data.crls),
            tuple(ocsp.load_response(encoded) for encoded in data.ocsp),
        ),
        digest=cms_checks.message_digest(data),
        signing_time=_signing_time(data),
    )


def _signing_time(data: cms.SignedData) -> datetime:
    node = data.signed[cms.SIGNING_TIME]
    if node.tag != der.UTC_TIME:  # RFC 5652 section 11.3: until 2049
        raise cms.StructureError("a signing time of another form")
    text = node.content.decode("ascii")
    century = "20" if text < "50" else "19"
    return datetime.strptime(century + text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _integrity(parts: _Parts, content: bytes) -> Iterator[Finding]:
    data, leaf = parts.data, parts.leaf
    if hashlib.new(data.digest, content).digest() != parts.digest:
        yield Finding("signature.wrong-digest")
    if not x509.verify(
        leaf,
        data=data.signed_bytes,
        signature=data.signature,
        digest=data.digest,
        ecdsa=data.ecdsa,
    ):
        yield Finding("signature.invalid")
    weak = x509.weakness(leaf, min_rsa=x509.MIN_RSA_SIGNER)
    if weak:
        yield Finding("signature.weak", "", {"reason": weak})
    elif data.digest != x509.digest_for(leaf):
        yield Finding("signature.malformed", "", {"reason": "another digest than the key asks for"})
    elif not _is_low(data, leaf):
        yield Finding("signature.malformed", "", {"reason": "the second form of an ECDSA value"})
    for loose in (*parts.coverage.unused, *parts.coverage.loose):
        yield Finding("signature.unused-material", x509.display_name(loose))
    for crl in parts.revocation.lists:
        if not any(trust.made_by(crl, issuer) for issuer in parts.coverage.used):
            yield Finding("signature.unused-material", "CRL")
    for response in parts.revocation.responses:
        if trust.says_nothing(response, parts.coverage.used):
            yield Finding("signature.unused-material", "OCSP")


def _is_low(data: cms.SignedData, leaf: x509.Certificate) -> bool:
    order = x509.group_order(leaf)
    if order is None:
        return True
    pair = der.parse(data.signature).children
    return len(pair) == 2 and der.integer(pair[1]) <= order // 2


def _stamp(parts: _Parts, anchors: TrustAnchors, now: datetime) -> TokenReport | None:
    node = parts.data.unsigned.get(cms.TIMESTAMP_TOKEN)
    if node is None:
        return None
    value = parts.data.signature
    try:
        info = cms.read(node.raw, max_bytes=MAX_SIGNATURE)
        algorithm = _imprint_algorithm(info.content or b"")
    except cms.HOSTILE:  # check_token says why
        algorithm = "sha256"
    return check_token(
        node.raw,
        imprint=hashlib.new(algorithm, value).digest(),
        anchors=anchors,
        now=now,
        algorithm=algorithm,
    )


def _imprint_algorithm(content: bytes) -> str:
    from evidence_kit.seal.timestamp import read_info

    return read_info(content).digest


def _signer(
    parts: _Parts, anchors: TrustAnchors, stamped: datetime | None, now: datetime
) -> Iterator[Finding]:
    """Validity at the trusted stamp's time, else now (EN 319 102-1 clause 5.6), then trust."""
    leaf, moment = parts.leaf, stamped or now
    params = {
        "name": x509.display_name(leaf),
        "from": iso(leaf.not_before),
        "until": iso(leaf.not_after),
        "at": iso(moment),
    }
    if not x509.may_sign(leaf):
        yield Finding("signer.wrong-usage", "", params)
    elif moment < leaf.not_before:
        yield Finding("signer.not-yet-valid", "", params)
    elif moment > leaf.not_after:
        yield Finding("signer.expired", "", params)
    else:
        yield Finding("signer.valid", "", params)
        if now > leaf.not_after:
            yield Finding("signer.expired-since", "", params)
    chain = parts.coverage.used
    revoked = trust.revoked_by(chain, parts.revocation)
    if revoked is not None:
        since = {**params, "since": iso(revoked[1])}
        before = stamped is None or revoked[1] <= stamped
        yield Finding("signer.revoked" if before else "signer.revoked-since", "", since)
    else:
        covered = trust.covered_since(chain, parts.revocation)
        if covered is not None:
            yield Finding("signer.not-revoked", "", {**params, "as_of": iso(covered)})
        elif not x509.issued_by(leaf, leaf):  # of a self-signed one nobody else can speak
            yield Finding("signer.revocation-unknown", "", params)
    for one, standing in trust.responders(chain, parts.revocation).items():
        if standing is not trust.Responder.LISTED:
            about = {"responder": x509.display_name(one), "until": iso(one.not_after)}
            yield Finding(f"signer.responder-{standing}", "", about)
    yield _trust(leaf, chain[1:], anchors, moment, params)


def _trust(
    leaf: x509.Certificate,
    others: Sequence[x509.Certificate],
    anchors: TrustAnchors,
    moment: datetime,
    params: dict[str, str],
) -> Finding:
    report = trust.find_path(leaf, others, anchors.signers, moment)
    if report.path is trust.Path.TRUSTED:
        return Finding("signer.trusted", "", params)
    if report.path is trust.Path.UNKNOWN:
        return Finding("signer.unknown", "", {**params, "fingerprint": leaf.fingerprint})
    return Finding("signer.path-invalid", "", {**params, "reason": report.reason})


def _order(claimed: datetime, stamped: datetime) -> Iterator[Finding]:
    """The signer's own clock against the stamp (EN 319 102-1 clause 5.5.4)."""
    params = {"claimed": iso(claimed), "stamped": iso(stamped)}
    if claimed > stamped + CLOCK_TOLERANCE:
        yield Finding("timestamp.before-claimed-time", "", params)
    elif stamped > claimed + STAMP_DELAY:
        yield Finding("timestamp.long-after-claimed-time", "", params)


def describe(leaf: x509.Certificate) -> SignerInfo:
    """A certificate in words."""
    return SignerInfo(
        name=x509.display_name(leaf),
        fields=x509.subject_fields(leaf),
        fingerprint=leaf.fingerprint,
        not_before=leaf.not_before,
        not_after=leaf.not_after,
        self_signed=x509.issued_by(leaf, leaf),
        key=leaf.key_name,
        certificate=leaf.encoded,
    )
