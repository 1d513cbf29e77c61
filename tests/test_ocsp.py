"""OCSP answers: fetched when sealing, carried along, judged offline at the proven time."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509 as pyca
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256

from evidence_kit.core.errors import NetworkError
from evidence_kit.gather import revocation
from evidence_kit.gather.revocation import Fetched, fetch_revocation
from evidence_kit.jobs.verify import verify
from evidence_kit.seal import cades, cms, der, ocsp, x509
from evidence_kit.seal.anchors import RevocationData, covered_since, revoked_by
from tests import pki
from tests.ocsp_tools import (
    DAY,
    OCSP_SIGNING,
    OpensslResponder,
    answer,
    ca,
    leaf,
    party,
    responder,
)
from tests.pki import CONTENT, NOW, YEAR
from tests.test_revocation import sealed_by

CA = ca()
RESPONDER = responder(CA)
SIGNER = leaf(CA)
SUBJECT = SIGNER.certificate
STRANGER = party("Stranger", 73, authority=True)

HOUR = timedelta(hours=1)


def judged(
    *responses: bytes, lists: tuple[bytes, ...] = (), now: datetime = NOW, stamp: bool = True
) -> set[str]:
    p7s = cades.sign(CONTENT, SIGNER, signing_time=NOW)
    p7s = cades.attach_revocation(p7s, lists, responses)
    if stamp:
        p7s = pki.stamped(p7s)
    report = cades.check_signature(p7s, CONTENT, anchors=pki.trusting(CA.certificate), now=now)
    return {finding.code for finding in report.findings}


@pytest.mark.parametrize(
    "response",
    [
        answer(SUBJECT, CA),
        answer(SUBJECT, CA, by_key=True),
        answer(SUBJECT, CA, by=RESPONDER),
        answer(SUBJECT, CA, by=RESPONDER, by_key=True, name="sha256"),
        answer(SUBJECT, CA, name="sha512"),
    ],
)
def test_a_good_answer_is_carried_and_says_so_ten_years_on(response: bytes) -> None:
    codes = judged(response, now=NOW + 10 * YEAR)
    assert {"signature.ok", "signer.not-revoked", "signer.valid", "signer.trusted"} <= codes


def test_the_proven_time_decides_about_a_revocation() -> None:
    before = answer(SUBJECT, CA, status="revoked", revoked=NOW - DAY)
    after = answer(SUBJECT, CA, status="revoked", revoked=NOW + DAY, this=NOW + 2 * DAY)
    later = NOW + 9 * DAY
    assert "signer.revoked" in judged(before, now=later)
    assert "signer.revoked-since" in judged(after, now=later)
    assert "signer.revoked" in judged(after, now=later, stamp=False)
    assert "signer.not-revoked" not in judged(before) | judged(after, now=later)


def test_a_stolen_key_counts_from_the_theft() -> None:
    late = answer(SUBJECT, CA, status="revoked", revoked=NOW + DAY, this=NOW + 2 * DAY)
    assert "signer.revoked-since" in judged(late, now=NOW + 9 * DAY)
    stolen = _stolen_before(late, b"20261122120000Z")
    assert "signer.revoked" in judged(stolen, now=NOW + 9 * DAY)


def test_the_earliest_revocation_counts_when_list_and_answer_differ() -> None:
    late = answer(SUBJECT, CA, status="revoked", revoked=NOW + DAY)
    listed = pki.revocation_list(CA.issuer, x509.load(SUBJECT).serial, NOW - DAY)
    assert "signer.revoked" in judged(late, lists=(listed,))
    assert "signer.revoked" in judged(answer(SUBJECT, CA), lists=(listed,))


def _other_subject() -> bytes:
    return party("Somebody else", 74, CA).certificate


def _renamed(tag: int, name: bytes) -> bytes:
    """An answer that the issuer signed, and that names another signer."""
    response = ocsp.load_response(answer(SUBJECT, CA))
    tbs = der.parse(response.signed).children
    return _signed(der.encode(tag, name) + b"".join(one.raw for one in tbs[1:]))


def _stolen_before(data: bytes, when: bytes) -> bytes:
    """The same answer, saying also since when the key may have been in other hands."""
    who, produced, (single,) = _of_tbs(data)
    date = der.encode(der.OCTET_STRING, der.encode(der.GENERALIZED_TIME, when))
    extension = der.encode(der.SEQUENCE, der.encode_oid("2.5.29.24") + date)
    added = der.encode(0xA1, der.encode(der.SEQUENCE, extension))
    one = der.encode(der.SEQUENCE, single.content + added)
    return _signed(who.raw + produced.raw + der.encode(der.SEQUENCE, one))


def _of_tbs(data: bytes) -> tuple[der.Node, der.Node, tuple[der.Node, ...]]:
    who, produced, answers = der.parse(ocsp.load_response(data).signed).children
    return who, produced, answers.children


def _signed(content: bytes) -> bytes:
    made = der.encode(der.SEQUENCE, content)
    value = CA.key.sign(made, ECDSA(SHA256()))  # type: ignore[call-arg,arg-type]
    algorithm = der.encode(der.SEQUENCE, der.encode_oid("1.2.840.10045.4.3.2"))
    return ocsp.wrap(made + algorithm + der.encode(der.BIT_STRING, b"\0" + value))


SAY_NOTHING: dict[str, Callable[[], bytes]] = {
    "answer that does not know": lambda: answer(SUBJECT, CA, status="unknown"),
    "answer about another certificate": lambda: answer(_other_subject(), CA),
    "answer by a stranger": lambda: answer(SUBJECT, CA, by=STRANGER),
    "answer by a stranger, without certificate": lambda: answer(SUBJECT, CA, by=STRANGER, embed=()),
    "answer by any certificate of the authority": lambda: answer(
        SUBJECT, CA, by=party("Plain", 75, CA)
    ),
    "answer by a responder of another authority": lambda: answer(
        SUBJECT, CA, by=responder(STRANGER)
    ),
    "answer by a responder that had expired": lambda: answer(
        SUBJECT, CA, by=responder(CA, end=NOW - DAY)
    ),
    "answer without its responder's certificate": lambda: answer(
        SUBJECT, CA, by=RESPONDER, embed=()
    ),
    "answer with a certificate too many": lambda: answer(
        SUBJECT, CA, by=RESPONDER, embed=(RESPONDER.certificate, CA.certificate)
    ),
    "answer by the authority, with a certificate": lambda: answer(
        SUBJECT, CA, embed=(RESPONDER.certificate,)
    ),
    "answer of another authority": lambda: answer(SUBJECT, STRANGER),
    "answer by a certificate for time stamps": lambda: answer(
        SUBJECT, CA, by=party("Stamps", 75, CA, extended=(pki.TIME_STAMPING,))
    ),
    "answer by a responder with a weak key": lambda: answer(
        SUBJECT, CA, by=party("Weak", 76, CA, kind="rsa1024", extended=(OCSP_SIGNING,))
    ),
    "answer about another authority's certificate": lambda: answer(
        SUBJECT, STRANGER, by=CA, embed=()
    ),
    "answer that names another signer": lambda: _renamed(
        0xA1, x509.load(RESPONDER.certificate).subject
    ),
    "answer that names another key": lambda: _renamed(
        0xA2, der.encode(der.OCTET_STRING, bytes(20))
    ),
}
"""Answers that must not stand in a signature."""


@pytest.mark.parametrize("name", SAY_NOTHING)
def test_what_says_nothing_is_a_fault(name: str) -> None:
    codes = judged(SAY_NOTHING[name]())
    assert "signature.unused-material" in codes
    assert "signer.not-revoked" not in codes


def _cut(data: bytes) -> bytes:
    return data[:-1]


def _swap_algorithm(data: bytes) -> bytes:
    """ECDSA with SHA-384 in place of SHA-256, outside what is signed."""
    old, new = der.encode_oid("1.2.840.10045.4.3.2"), der.encode_oid("1.2.840.10045.4.3.3")
    head, tail = data.rsplit(old, 1)
    return head + new + tail


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cannot be read"),
        (b"<html>", "cannot be read"),
        (b"\x30\x03\x0a\x01\x06", "status 6"),
        (b"\x30\x03\x0a\x01\x00", "cannot be read"),
        (answer(SUBJECT, CA) + b"\0", "cannot be read"),
        (bytes(ocsp.MAX_RESPONSE + 1), "cannot be read"),
        (
            answer(
                SUBJECT,
                CA,
                extension=pyca.UnrecognizedExtension(pyca.ObjectIdentifier("2.25.1"), b"\x05\x00"),
            ),
            "critical",
        ),
    ],
)
def test_answers_that_cannot_be_read(data: bytes, reason: str) -> None:
    with pytest.raises(x509.CertificateError, match=reason):
        ocsp.load_response(data)


@pytest.mark.slow
def test_any_changed_bit_of_an_answer_shows() -> None:
    response = answer(SUBJECT, CA, by=RESPONDER)
    chain = [x509.load(SUBJECT), x509.load(CA.certificate)]
    for position in range(len(response) * 8):
        changed = bytearray(response)
        changed[position // 8] ^= 1 << position % 8
        try:
            loaded = ocsp.load_response(bytes(changed))
        except x509.CertificateError:
            continue
        data = RevocationData(responses=(loaded,))
        assert covered_since(chain, data) is None, position
        assert revoked_by(chain, data) is None, position


def test_an_answer_says_what_it_is_over() -> None:
    swapped = _swap_algorithm(answer(SUBJECT, CA))
    assert "signature.unused-material" in judged(swapped)


def test_the_form_follows_the_standard() -> None:
    """RFC 5652 section 5.1: version 5 with an answer inside; RFC 5940: under its own number."""
    plain = cades.sign(CONTENT, SIGNER, signing_time=NOW)
    response = answer(SUBJECT, CA)
    carried = cades.attach_revocation(plain, (), (response,))
    version = der.parse(carried).children[1].children[0].children[0]
    assert der.integer(version) == 5
    assert cms.read(carried, max_bytes=len(carried)).ocsp == (response,)
    assert cms.rebuild(carried, crls=()) == plain
    wrong = carried.replace(version.raw + b"1", b"\x02\x01\x01" + b"1", 1)
    assert wrong != carried
    with pytest.raises(cms.StructureError, match="version"):
        cms.read(wrong, max_bytes=len(wrong))
    other = carried.replace(der.encode_oid(cms.OCSP_RESPONSE), der.encode_oid("1.3.6.1.5.5.7.16.4"))
    with pytest.raises(cms.StructureError, match="another kind"):
        cms.read(other, max_bytes=len(other))


def fetched(
    data: bytes | NetworkError, now: datetime = NOW, listed: bytes | None = None
) -> tuple[Fetched, list[tuple[str, bool]]]:
    signer = leaf(CA, urls=("http://ca.test/ocsp",), lists=("http://ca.test/crl",))
    seen = []

    def fetch(url: str, body: bytes | None) -> bytes:
        seen.append((url.rsplit("/", 1)[1], body is not None))
        found = data if body is not None else listed
        if found is None or isinstance(found, NetworkError):
            raise found or NetworkError("no list")
        return found

    chain = (signer.certificate, *signer.chain)
    return fetch_revocation(chain, clock=lambda: now, fetch=fetch), seen


def _about(**options: object) -> bytes:
    signer = leaf(CA, urls=("http://ca.test/ocsp",), lists=("http://ca.test/crl",))
    return answer(signer.certificate, CA, **options)  # type: ignore[arg-type]


def test_an_answer_is_asked_for_first_and_trimmed() -> None:
    more = (CA.certificate, RESPONDER.certificate)
    found, seen = fetched(_about(by=RESPONDER, embed=more))
    assert seen == [("ocsp", True)]
    assert found.asked[0].result == "OCSP answer of 2026-11-23T09:00:00Z: good"
    (kept,) = found.responses
    assert [one.encoded for one in ocsp.load_response(kept).certificates] == [RESPONDER.certificate]


def test_an_answer_by_the_issuer_carries_no_certificate() -> None:
    found, _ = fetched(_about(embed=(CA.certificate,)))
    (kept,) = found.responses
    assert ocsp.load_response(kept).certificates == ()


def test_a_revoked_certificate_is_carried_as_such() -> None:
    found, _ = fetched(_about(status="revoked", revoked=NOW - DAY))
    assert found.asked[0].result.endswith("revoked 2026-11-22T10:00:00Z")
    assert len(found.responses) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (NetworkError("no answer"), "no answer"),
        (_about(status="unknown"), "does not know"),
        (_about(until=NOW - HOUR, this=NOW - DAY), "not current"),
        (_about(this=NOW + HOUR), "not current"),
        (_about(until=None, this=NOW - 2 * DAY), "not current"),
        (_about(by=STRANGER), "does not stand behind"),
        (answer(_other_subject(), CA), "another certificate"),
        (b"<html>", "cannot be read"),
        (b"\x30\x03\x0a\x01\x03", "status 3"),
    ],
)
def test_without_a_usable_answer_the_list_is_asked(data: bytes | NetworkError, reason: str) -> None:
    listed = pki.revocation_list(CA.issuer, 5, NOW - DAY)
    found, seen = fetched(data, listed=listed)
    assert seen == [("ocsp", True), ("crl", False)]
    assert reason in found.asked[0].result
    assert (found.lists, found.responses) == ((listed,), ())


def test_an_undated_answer_holds_for_a_day() -> None:
    found, _ = fetched(_about(until=None, this=NOW - timedelta(hours=20)))
    assert len(found.responses) == 1


def test_a_seal_carries_the_answer_and_its_receipt_says_who_was_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    signer = leaf(CA, urls=("http://ca.test/ocsp",))
    given = answer(signer.certificate, CA, by=RESPONDER)
    monkeypatch.setattr(revocation, "http_fetch", lambda url, body: given)
    sealed = sealed_by(signer, tmp_path)
    (contact,) = sealed.receipt.contacts
    assert (contact.url, contact.result[:11]) == ("http://ca.test/ocsp", "OCSP answer")
    verdict = verify(sealed.path, anchors=pki.trusting(CA.certificate), now=NOW)
    assert {"signature.ok", "signer.not-revoked"} <= {one.code for one in verdict.findings}


@pytest.mark.outside
@pytest.mark.parametrize("state", ["good", "delegated", "revoked", "unknown"])
def test_the_real_openssl_responder(state: str, tmp_path: Path) -> None:
    """Fetched over HTTP from ``openssl ocsp``, sealed in, and accepted by ``openssl cms``."""
    by = CA if state == "good" else RESPONDER
    revoked = NOW - 30 * DAY if state == "revoked" else None
    known = state != "unknown"
    with OpensslResponder(tmp_path, CA, by, known=known, revoked=revoked) as server:
        signer = leaf(CA, urls=(server.url,))
        chain = (signer.certificate, *signer.chain)
        found = fetch_revocation(chain, clock=lambda: datetime.now(UTC))
    if state == "unknown":
        assert found.responses == ()
        assert "does not know" in found.asked[0].result
        return
    assert len(found.responses) == 1, found.asked
    p7s = cades.sign(CONTENT, signer, signing_time=NOW)
    p7s = cades.attach_revocation(p7s, (), found.responses)
    report = cades.check_signature(
        p7s, CONTENT, anchors=pki.trusting(CA.certificate), now=datetime.now(UTC)
    )
    codes = {finding.code for finding in report.findings}
    assert "signature.ok" in codes
    assert ("signer.revoked" if state == "revoked" else "signer.not-revoked") in codes
    for name, data in (
        ("s.p7s", p7s),
        ("content", CONTENT),
        ("root.pem", pki.pem_of(CA.certificate)),
    ):
        (tmp_path / name).write_bytes(data)
    command = (
        "openssl cms -verify -cades -inform DER -binary -purpose any -in s.p7s -content content"
        f" -CAfile root.pem -attime {int(NOW.timestamp())} -out out"
    )
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
