"""RFC 3161 time stamps: make a request, take an answer apart, judge a token.

A token proves that its authority saw a digest at a time; nothing about where the bytes came from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from evidence_kit.core.clock import iso
from evidence_kit.core.errors import TimestampError
from evidence_kit.core.findings import Finding
from evidence_kit.core.limits import MAX_TOKEN
from evidence_kit.seal import anchors as trust
from evidence_kit.seal import cms, cms_checks, der, x509
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.der import DerError, Node
from evidence_kit.seal.trusted_list import TrustedList, qualification

NONCE_BITS = 64
"""Bits of a request's nonce: fits every authority, and two never meet by chance."""

MAX_REASON = 200
"""Characters kept of an authority's own words."""

CLOCK_SLACK = timedelta(seconds=60)
"""How far a token's time may lie ahead of the verifier's clock beyond its own accuracy: ordinary
computers are off by that much, a token from the future by more."""

_KNOWN_SIGNED = frozenset(
    {
        cms.CONTENT_TYPE,
        cms.MESSAGE_DIGEST,
        cms.SIGNING_TIME,
        cms.SIGNING_CERTIFICATE,
        cms.SIGNING_CERTIFICATE_V2,
        cms.ALGORITHM_PROTECTION,
    }
)
_STATUS = {
    2: "rejected",
    3: "waiting",
    4: "revocation warning",
    5: "revocation notification",
}
_FAILURES = {
    0: "unrecognised algorithm",
    2: "request not permitted",
    5: "request malformed",
    14: "time source not available",
    15: "policy not accepted",
    16: "extension not accepted",
    17: "additional information not available",
    25: "system failure",
}


@dataclass(frozen=True)
class TokenInfo:
    """What a token says (TSTInfo, RFC 3161 section 2.4.2).

    Attributes:
        digest: name of the imprint's digest algorithm.
        imprint: the stamped digest.
        gen_time: UTC.
        accuracy: either way; None where the token states none.
        serial: the token's number.
        policy: dotted.
        nonce: None where there is none.
    """

    digest: str
    imprint: bytes
    gen_time: datetime
    accuracy: timedelta | None
    serial: int
    policy: str
    nonce: int | None


@dataclass(frozen=True)
class TokenReport:
    """The judgement on one token.

    Attributes:
        findings: codes ``timestamp.*``; one of them is always there.
        trusted: intact, and its authority leads to an anchor.
        qualified: by a dated trusted list; None where no list names the service.
        qualified_by: the list that decided.
        info: what the token says, where it could be read.
        certificate: the authority's, where it could be read.
    """

    findings: tuple[Finding, ...]
    trusted: bool = False
    qualified: bool | None = None
    qualified_by: TrustedList | None = None
    info: TokenInfo | None = None
    certificate: x509.Certificate | None = None

    @property
    def gen_time(self) -> datetime | None:
        """The stamped time, UTC."""
        return self.info.gen_time if self.info else None

    @property
    def accuracy(self) -> timedelta | None:
        """Stated accuracy, either way."""
        return self.info.accuracy if self.info else None

    @property
    def tsa_name(self) -> str:
        """Who the authority's certificate says it is."""
        return x509.display_name(self.certificate) if self.certificate else ""


def make_request(digest: bytes, algorithm: str, nonce: int) -> bytes:
    """A TimeStampReq that asks for the certificate (RFC 3161 section 2.4.1).

    Args:
        digest: of what is to be stamped.
        algorithm: ``sha256``, ``sha384`` or ``sha512``.
        nonce: a fresh random number from the caller, positive, of :data:`NONCE_BITS` at most.
    """
    return der.encode(
        der.SEQUENCE,
        der.encode_integer(1)
        + _imprint(digest, algorithm)
        + der.encode_integer(nonce)
        + b"\x01\x01\xff",
    )


def _imprint(digest: bytes, algorithm: str) -> bytes:
    identifier = der.encode(der.SEQUENCE, der.encode_oid(cms.DIGEST_OIDS[algorithm]))
    return der.encode(der.SEQUENCE, identifier + der.encode(der.OCTET_STRING, digest))


def parse_response(response: bytes, *, digest: bytes, algorithm: str, nonce: int) -> bytes:
    """The token in a TimeStampResp, as delivered, when it answers this very request.

    Its signature is not judged here: see :func:`check_token`.

    Raises:
        TimestampError: refused, malformed, or an answer to another question.
    """
    try:
        token = _take_token(response)
        info = read_info(_content(der.to_der(token, max_bytes=MAX_TOKEN)))
    except (DerError, cms.StructureError) as error:
        raise TimestampError(
            f"the answer is no time-stamp response: {error}",
            hint="the address may be that of a web page, or a proxy may have answered",
        ) from error
    if (info.digest, info.imprint) != (algorithm, digest):
        raise TimestampError("the time stamp is over another digest")
    if info.nonce != nonce:
        raise TimestampError("the time stamp answers another request (nonce differs)")
    return token


def _take_token(response: bytes) -> bytes:
    if len(response) > MAX_TOKEN:
        raise TimestampError(f"the answer is larger than {MAX_TOKEN} bytes")
    encoded = der.to_der(response, max_bytes=MAX_TOKEN)
    root = der.parse(encoded, max_bytes=MAX_TOKEN)
    if root.tag != der.SEQUENCE or not 1 <= len(root.children) <= 2:
        raise cms.StructureError("not a response")
    status = root.children[0]
    if status.tag != der.SEQUENCE or not status.children:
        raise cms.StructureError("no status")
    number = der.integer(status.children[0])
    if number not in (0, 1):  # granted, granted with modifications
        raise TimestampError(f"the time-stamping authority refused: {_reason(number, status)}")
    if len(root.children) != 2:
        raise cms.StructureError("granted, but without a token")
    return root.children[1].raw


def _reason(number: int, status: Node) -> str:
    words = [_STATUS.get(number, f"status {number}")]
    for part in status.children[1:]:
        if part.tag == der.SEQUENCE:
            words += [text.content.decode("utf-8", "replace") for text in part.children]
        elif part.tag == der.BIT_STRING:
            bits = int.from_bytes(part.content[1:], "big")
            width = 8 * (len(part.content) - 1)
            words += [
                name
                for bit, name in _FAILURES.items()
                if bit < width and bits >> (width - 1 - bit) & 1
            ]
    text = ", ".join(words)
    return "".join(c if c.isprintable() else " " for c in text)[:MAX_REASON]


def _content(token: bytes) -> bytes:
    content = cms.read(cms.rebuild(token), max_bytes=MAX_TOKEN).content
    if content is None:
        raise cms.StructureError("a token without content")
    return content


def read_info(content: bytes) -> TokenInfo:
    """Read a TSTInfo.

    Raises:
        DerError, cms.StructureError: it is none.
    """
    body = list(cms.expect(der.parse(content, max_bytes=MAX_TOKEN), der.SEQUENCE))
    version, policy, imprint, serial, time = (cms.take(body) for _ in range(5))
    if der.integer(version) != 1 or time.tag != der.GENERALIZED_TIME:
        raise cms.StructureError("a time-stamp content of another version")
    algorithm, digest = cms.expect(imprint, der.SEQUENCE, 2)
    accuracy = _accuracy(cms.take(body)) if body and body[0].tag == der.SEQUENCE else None
    if body and body[0].tag == der.BOOLEAN:
        cms.take(body)  # ordering: says nothing about one token
    nonce = der.integer(cms.take(body)) if body and body[0].tag == der.INTEGER else None
    if any(node.tag not in (0xA0, 0xA1) for node in body):
        raise cms.StructureError("a time-stamp content with an unknown part")
    return TokenInfo(
        digest=cms.digest_name(algorithm),
        imprint=digest.content,
        gen_time=_time(time.content),
        accuracy=accuracy,
        serial=der.integer(serial),
        policy=der.oid(policy.content),
        nonce=nonce,
    )


def _accuracy(node: Node) -> timedelta:
    seconds, thousandths, millionths = 0, 0, 0
    for part in node.children:
        value = int.from_bytes(part.content, "big")
        if value > 10**9:
            raise cms.StructureError("an absurd accuracy")
        if part.tag == der.INTEGER:
            seconds = value
        elif part.tag == 0x80:
            thousandths = value
        elif part.tag == 0x81:
            millionths = value
        else:
            raise cms.StructureError("an accuracy of another shape")
    return timedelta(seconds=seconds, milliseconds=thousandths, microseconds=millionths)


def _time(content: bytes) -> datetime:
    text = content.decode("ascii").rstrip("Z")
    whole, _, fraction = text.partition(".")
    try:
        moment = datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise cms.StructureError("a time that does not exist") from error
    return moment + timedelta(microseconds=int((fraction + "000000")[:6]))


def normalise_token(token: bytes, *, roots: Sequence[bytes] = ()) -> bytes:
    """The token in DER with exactly the certificates that hold one another.

    Dropped are unsigned parts: certificates outside the chain, issuers whose own signature
    nothing verifies, revocation lists and unsigned attributes. From ``roots`` the one that
    completes a chain is added. The authority's signature covers none of these and stays valid.

    Args:
        token: DER or BER, as delivered.
        roots: DER of trusted certificates.

    Raises:
        TimestampError: not a token.
    """
    try:
        plain = cms.rebuild(der.to_der(token, max_bytes=MAX_TOKEN), unsigned=(), crls=())
        leaf, others = cms_checks.signer_certificate(cms.read(plain, max_bytes=MAX_TOKEN))
        tops = [one for one in (x509.load(root) for root in roots) if one.self_issued]
        kept = _held(leaf, [*others, *(top for top in tops if top not in others)])
        return cms.rebuild(plain, certificates=(one.encoded for one in kept))
    except (DerError, cms.StructureError, x509.CertificateError) as error:
        raise TimestampError(f"the time stamp cannot be read: {error}") from error


def _held(leaf: x509.Certificate, others: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    pool = list(others)
    while True:
        coverage = x509.cover(leaf, pool)
        if not coverage.loose:
            return list(coverage.used)
        pool = [one for one in coverage.used[1:] if one not in coverage.loose]


def check_token(
    token: bytes,
    *,
    imprint: bytes,
    anchors: TrustAnchors,
    now: datetime,
    algorithm: str | None = None,
) -> TokenReport:
    """Judge a token by itself (RFC 3161, RFC 5816) and by who made it. Never raises.

    Args:
        token: the bare token (ContentInfo), strict DER.
        imprint: the digest that must have been stamped.
        anchors: whom the user trusts; ``tsas`` and ``lists`` are used.
        now: the verifier's clock, for times in the future.
        algorithm: name of the digest that made ``imprint``; None takes it from its length.
    """
    expected = algorithm or {32: "sha256", 48: "sha384", 64: "sha512"}.get(len(imprint), "")
    try:
        data = cms.read(token, max_bytes=MAX_TOKEN)
        if data.content_type != cms.TST_INFO or data.content is None:
            raise cms.StructureError("not a time-stamp token")
        info = read_info(data.content)
        leaf, others = cms_checks.signer_certificate(data)
        if not data.signed.keys() <= _KNOWN_SIGNED:
            raise cms.StructureError("a signed attribute that is not known")
        cms_checks.check_bindings(data, leaf, allow_v1=True)
        stated = cms_checks.message_digest(data)
        coverage = x509.cover(leaf, others)
    except cms.WeakError as error:
        return _verdict("timestamp.weak", str(error))
    except cms.HOSTILE as error:
        return _verdict("timestamp.malformed", str(error))
    bad = list(_integrity(data, info, leaf, stated, (expected, imprint)))
    if data.unsigned or data.crls or data.ocsp or coverage.unused or coverage.loose:
        bad.append(("timestamp.unused-material", "parts that no signature or digest holds"))
    if bad:
        findings = tuple(Finding(code, "", {"reason": reason}) for code, reason in bad)
        return TokenReport(findings, info=info, certificate=leaf)
    return _judge(info, leaf, coverage.used[1:], anchors, now)


def _verdict(code: str, reason: str) -> TokenReport:
    return TokenReport((Finding(code, "", {"reason": reason}),))


def _integrity(
    data: cms.SignedData,
    info: TokenInfo,
    leaf: x509.Certificate,
    stated: bytes,
    expected: tuple[str, bytes],
) -> list[tuple[str, str]]:
    bad = []
    if (info.digest, info.imprint) != expected:
        bad.append(("timestamp.wrong-imprint", "the token is over another digest"))
    content = data.content or b""
    if hashlib.new(data.digest, content).digest() != stated or not x509.verify(
        leaf,
        data=data.signed_bytes,
        signature=data.signature,
        digest=data.digest,
        ecdsa=data.ecdsa,
    ):
        bad.append(("timestamp.invalid", "the authority's signature does not verify"))
    weak = x509.weakness(leaf, min_rsa=x509.MIN_RSA_TSA)
    if weak:
        bad.append(("timestamp.weak", weak))
    if not x509.sole_timestamping(leaf):
        bad.append(("timestamp.invalid", "the certificate is not for time stamps alone"))
    if not leaf.valid_at(info.gen_time):
        bad.append(("timestamp.invalid", "the certificate was not valid at the stamped time"))
    return bad


def _judge(
    info: TokenInfo,
    leaf: x509.Certificate,
    others: Sequence[x509.Certificate],
    anchors: TrustAnchors,
    now: datetime,
) -> TokenReport:
    """Who made an intact token, and whether its time can be."""
    params = {"time": iso(info.gen_time), "tsa": x509.display_name(leaf)}
    if info.gen_time > now + (info.accuracy or timedelta()) + CLOCK_SLACK:
        future = Finding("timestamp.future", "", {**params, "now": iso(now)})
        return TokenReport((future,), info=info, certificate=leaf)
    try:
        report = trust.find_path(leaf, others, anchors.tsas, info.gen_time, usage="time_stamping")
    except cms.HOSTILE as error:
        return TokenReport(
            (Finding("timestamp.not-checked", "", {**params, "reason": str(error)}),),
            info=info,
            certificate=leaf,
        )
    if report.path is not trust.Path.TRUSTED:
        untrusted = Finding("timestamp.untrusted", "", {**params, "reason": report.reason})
        return TokenReport((untrusted,), info=info, certificate=leaf)
    roots = [x509.load(one) for one in anchors.tsas] if anchors.lists else []
    standing = qualification(leaf, [*others, *roots], anchors.lists, moment=info.gen_time, now=now)
    findings = [Finding("timestamp.ok", "", params), *standing.findings]
    # A token holds neither list nor answer (FORMAT.md section 5), and nothing is fetched.
    findings.append(Finding("timestamp.revocation-unknown", "", params))
    if now > leaf.not_after:
        findings.append(Finding("timestamp.renew", "", {**params, "until": iso(leaf.not_after)}))
    return TokenReport(
        findings=tuple(findings),
        trusted=True,
        qualified=standing.qualified,
        qualified_by=standing.source,
        info=info,
        certificate=leaf,
    )
