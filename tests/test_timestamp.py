"""Time-stamp tokens: requests, answers, and what makes a token bad, one case per finding."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509 as pyca
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.core.errors import TimestampError
from evidence_kit.core.findings import Status, worst
from evidence_kit.core.limits import MAX_TOKEN
from evidence_kit.demo.tsa import Authority, Fault, answer
from evidence_kit.seal import cms, der, timestamp
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.timestamp import TokenReport, check_token, normalise_token, parse_response
from tests import pki
from tests.openssl_tsa import OpensslTsa
from tests.pki import NOW, YEAR

DATA = b"what is stamped"
DIGEST = hashlib.sha256(DATA).digest()
NONCE = 2**63 + 5

UNKNOWN = frozenset({"timestamp.qualification-unknown", "timestamp.revocation-unknown"})
"""What no stamp says by itself, and is said."""


def check(token: bytes, *, trusted: bool = True, **options: object) -> TokenReport:
    anchors = pki.trusting() if trusted else TrustAnchors()
    arguments = {"imprint": DIGEST, "anchors": anchors, "now": NOW, **options}
    return check_token(token, **arguments)  # type: ignore[arg-type]


def codes(report: TokenReport) -> set[str]:
    return {finding.code for finding in report.findings}


def bad_authority(**options: object) -> Authority:
    """Below the usual root name, with a certificate that is wrong in one respect."""
    usual = pki.authority()
    root_key, key = pki.key_of(number=8), pki.key_of(number=4)
    root = pki.certificate("Other root", root_key, authority=True, start=NOW - YEAR)
    arguments = {
        "issuer": pki.Issuer(pki.name_of("Other root"), root_key),
        "extended": [pki.TIME_STAMPING],
        **options,
    }
    leaf = pki.certificate("Other TSA", key, **arguments)  # type: ignore[arg-type]
    return replace(
        usual,
        root=pyca.load_der_x509_certificate(root),
        certificate=pyca.load_der_x509_certificate(leaf),
        key=key,  # type: ignore[arg-type]
    )


# --- request and answer


@pytest.mark.outside
@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_openssl_reads_the_request(tmp_path: Path, algorithm: str) -> None:
    digest = hashlib.new(algorithm, DATA).digest()
    (tmp_path / "q").write_bytes(timestamp.make_request(digest, algorithm, NONCE))
    shown = subprocess.run(
        ["openssl", "ts", "-query", "-in", str(tmp_path / "q"), "-text"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout
    assert f"Hash Algorithm: {algorithm}" in shown
    assert "Certificate required: yes" in shown
    assert f"0x{NONCE:016X}" in shown


def reply(fault: Fault = Fault.NONE) -> bytes:
    request = timestamp.make_request(DIGEST, "sha256", NONCE)
    return answer(request, pki.authority(), NOW, fault=fault)


def parse(response: bytes) -> bytes:
    return parse_response(response, digest=DIGEST, algorithm="sha256", nonce=NONCE)


def test_a_good_answer() -> None:
    report = check(parse(reply()))
    assert codes(report) == {"timestamp.ok", *UNKNOWN}
    assert report.trusted
    assert report.qualified is None
    assert (report.gen_time, report.accuracy) == (NOW, timedelta(seconds=1))
    assert "DEMO" in report.tsa_name


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (reply(Fault.REFUSE), "refused: rejected, DEMO: not today, time source not available"),
        (reply(Fault.WRONG_NONCE), "another request"),
        (reply(Fault.WRONG_IMPRINT), "another digest"),
        (reply()[:-1], "no time-stamp response"),
        (b"<html></html>", "no time-stamp response"),
        (b"", "no time-stamp response"),
        (bytes.fromhex("3005 3003 020100"), "without a token"),
        (b"\x30" * (MAX_TOKEN + 1), "larger than"),
    ],
    ids=["refusal", "nonce", "imprint", "cut", "html", "empty", "no-token", "oversize"],
)
def test_bad_answers(response: bytes, words: str) -> None:
    with pytest.raises(TimestampError, match=words):
        parse(response)


def test_a_refusal_cannot_write_to_the_terminal() -> None:
    text = der.encode(der.SEQUENCE, der.encode(der.UTF8_STRING, b"\x1b[2Jgo\naway"))
    status = der.encode(der.SEQUENCE, der.encode_integer(2) + text)
    with pytest.raises(TimestampError) as caught:
        parse(der.encode(der.SEQUENCE, status))
    assert caught.value.message.isprintable()


def test_an_answer_in_ber_is_brought_into_order() -> None:
    response = reply()
    whole = der.parse(response)
    loose = b"\x30\x80" + b"".join(node.raw for node in whole.children) + b"\x00\x00"
    assert parse(loose) == parse(response)


@given(st.binary(max_size=120), st.integers(min_value=0))
def test_damaged_answers_only_raise_our_error(piece: bytes, at: int) -> None:
    response = reply()
    place = at % len(response)
    try:
        token = parse(response[:place] + piece + response[place + len(piece) :])
        normalise_token(token)
    except TimestampError:
        return


# --- one case per finding


def without_certificates(token: bytes) -> bytes:
    return cms.rebuild(token, certificates=())


def with_stray(token: bytes) -> bytes:
    own = cms.read(token, max_bytes=MAX_TOKEN).certificates
    return cms.rebuild(token, certificates=[*own, pki.self_signed().certificate])


def with_attribute(token: bytes) -> bytes:
    extra = der.encode(der.SEQUENCE, der.encode_oid("1.2.3.4") + der.encode(der.SET, b"\x05\x00"))
    return cms.rebuild(token, unsigned=[extra])


def broken(token: bytes) -> bytes:
    return token[:-1] + bytes((token[-1] ^ 1,))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (without_certificates, "timestamp.malformed"),
        (with_stray, "timestamp.unused-material"),
        (with_attribute, "timestamp.unused-material"),
        (broken, "timestamp.invalid"),
        (lambda token: token + b"\x00", "timestamp.malformed"),
        (lambda token: b"", "timestamp.malformed"),
    ],
)
def test_changed_tokens(change: Callable[[bytes], bytes], code: str) -> None:
    report = check(change(pki.token_over(DIGEST)))
    assert code in codes(report)
    assert not report.trusted
    assert worst(finding.rule.status for finding in report.findings) is Status.FAILED


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({}, "timestamp.ok"),
        ({"extended": []}, "timestamp.invalid"),
        ({"critical": False}, "timestamp.invalid"),
        (
            {"extended": [pki.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING]},
            "timestamp.invalid",
        ),
        ({"extended": [ExtendedKeyUsageOID.CODE_SIGNING]}, "timestamp.invalid"),
        ({"end": NOW - timedelta(hours=1)}, "timestamp.invalid"),
        ({"start": NOW + timedelta(hours=1)}, "timestamp.invalid"),
    ],
)
def test_certificates_of_authorities(options: dict[str, object], code: str) -> None:
    by = bad_authority(**options)
    report = check(pki.token_over(DIGEST, by=by), anchors=pki.trusting(by=by))
    assert code in codes(report)


def test_a_token_over_something_else() -> None:
    token = pki.token_over(hashlib.sha256(b"other").digest())
    assert codes(check(token)) == {"timestamp.wrong-imprint"}
    assert codes(check(pki.token_over(DIGEST), algorithm="sha512")) == {"timestamp.wrong-imprint"}


def test_an_unknown_signed_attribute() -> None:
    token = pki.token_over(DIGEST)
    extra = der.encode(der.SEQUENCE, der.encode_oid("1.2.3.4") + der.encode(der.SET, b"\x05\x00"))
    info = der.parse(token).children
    body = info[1].children[0].children
    fields = body[-1].children[0].children
    for members in ([], [extra]):
        attributes = [*(node.raw for node in fields[3].children), *members]
        value = pki.authority().key.sign(
            der.encode_set(der.SET, attributes), ec.ECDSA(hashes.SHA256())
        )
        signer = [node.raw for node in fields[:3]]
        signer += [der.encode_set(0xA0, attributes), fields[4].raw]
        signer += [der.encode(der.OCTET_STRING, value)]
        last = der.encode(der.SET, der.encode(der.SEQUENCE, b"".join(signer)))
        head = b"".join(node.raw for node in body[:-1])
        inner = der.encode(0xA0, der.encode(der.SEQUENCE, head + last))
        found = codes(check(der.encode(der.SEQUENCE, info[0].raw + inner)))
        assert ("timestamp.malformed" in found) is bool(members)
        assert ("timestamp.ok" in found) is not bool(members)


def test_an_unknown_authority() -> None:
    report = check(pki.token_over(DIGEST), trusted=False)
    assert codes(report) == {"timestamp.untrusted"}
    assert not report.trusted
    assert report.gen_time == NOW


@pytest.mark.parametrize(
    ("ahead", "accuracy", "future"), [(59, None, False), (62, 1, True), (62, 5, False)]
)
def test_times_in_the_future(ahead: int, accuracy: int | None, future: bool) -> None:
    token = pki.token_over(DIGEST, NOW + timedelta(seconds=ahead), accuracy=accuracy)
    report = check(token)
    assert ("timestamp.future" in codes(report)) is future
    assert report.trusted is not future


def test_an_authority_that_expired_since_still_holds_and_says_renew() -> None:
    report = check(pki.token_over(DIGEST), now=NOW + 20 * YEAR)
    assert codes(report) == {
        "timestamp.ok",
        *UNKNOWN,
        "timestamp.renew",
    }


def test_a_signature_is_not_a_token() -> None:
    from evidence_kit.seal import cades

    p7s = cades.sign(DATA, pki.self_signed(), signing_time=NOW)
    assert codes(check(p7s)) == {"timestamp.malformed"}


# --- bringing into order


def test_normalise_drops_what_nothing_holds_and_keeps_the_signature() -> None:
    token = with_attribute(with_stray(pki.token_over(DIGEST)))
    tidy = normalise_token(token)
    assert codes(check(tidy)) == {"timestamp.ok", *UNKNOWN}
    assert normalise_token(tidy) == tidy


def test_normalise_completes_the_chain_from_what_is_trusted() -> None:
    bare = pki.token_over(DIGEST, embed_root=False)
    root = pki.der_of(pki.authority().root)
    whole = normalise_token(bare, roots=[root, pki.self_signed().certificate])
    assert root in cms.read(whole, max_bytes=MAX_TOKEN).certificates
    assert check(whole).trusted


def test_normalise_refuses_what_is_no_token() -> None:
    for bad in (b"", b"<html>", without_certificates(pki.token_over(DIGEST))):
        with pytest.raises(TimestampError):
            normalise_token(bad)


# --- the real openssl as authority, and as judge


@pytest.mark.outside
@pytest.mark.parametrize(
    ("kind", "ess", "chain"),
    [
        ("rsa2048", "sha256", "no"),
        ("rsa2048", "sha1", "no"),
        ("p384", "sha256", "yes"),
        ("rsa3072", "sha512", "no"),
    ],
)
def test_tokens_of_openssl(tmp_path: Path, kind: str, ess: str, chain: str) -> None:
    tsa = OpensslTsa(tmp_path, kind=kind, ess=ess, chain=chain)
    with tsa:
        response = tsa.answer(timestamp.make_request(DIGEST, "sha256", NONCE))
    raw = parse(response)
    token = normalise_token(raw, roots=[tsa.root])
    now = NOW + 30 * YEAR  # openssl stamps with the computer's own clock
    report = check(token, anchors=TrustAnchors(tsas=(tsa.root,)), now=now)
    assert report.trusted, report.findings
    assert report.accuracy == timedelta(seconds=1.5)
    (tmp_path / "token").write_bytes(token)
    (tmp_path / "data").write_bytes(DATA)
    judged = subprocess.run(
        [
            *("openssl", "ts", "-verify", "-token_in", "-in", str(tmp_path / "token")),
            *("-data", str(tmp_path / "data"), "-CAfile", str(tmp_path / "root.pem")),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert judged.returncode == 0, judged.stderr


@pytest.mark.outside
def test_a_weak_key_of_an_authority(tmp_path: Path) -> None:
    tsa = OpensslTsa(tmp_path, kind="rsa1024")
    with tsa:
        response = tsa.answer(timestamp.make_request(DIGEST, "sha256", NONCE))
    token = normalise_token(parse(response))
    now = NOW + 30 * YEAR
    report = check(token, anchors=TrustAnchors(tsas=(tsa.root,)), now=now)
    assert codes(report) == {"timestamp.weak"}


@pytest.mark.outside
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rsa2048", "p384"])
def test_every_changed_bit_of_a_token_of_openssl_is_noticed(tmp_path: Path, kind: str) -> None:
    tsa = OpensslTsa(tmp_path, kind=kind, chain="yes")
    with tsa:
        response = tsa.answer(timestamp.make_request(DIGEST, "sha256", NONCE))
    token = normalise_token(parse(response), roots=[tsa.root])
    anchors, now = TrustAnchors(tsas=(tsa.root,)), NOW + 30 * YEAR
    missed = []
    for bit in range(len(token) * 8):
        changed = bytearray(token)
        changed[bit // 8] ^= 1 << bit % 8
        report = check(bytes(changed), anchors=anchors, now=now)
        if worst(finding.rule.status for finding in report.findings) is not Status.FAILED:
            missed.append(bit)
    assert missed == []
