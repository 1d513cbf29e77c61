"""What nobody looked up about revocation is said: of the signer, of who answered, of the stamp."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509 as pyca

from evidence_kit.core.findings import Finding, Status
from evidence_kit.seal import cades
from tests import pki
from tests.bundles import example
from tests.ocsp_tools import DAY, Party, answer, ca, leaf, responder
from tests.pki import CONTENT, NOW

CA = ca()
SIGNER = leaf(CA)
PLAIN = responder(CA)
SHORT = responder(CA, more=(pyca.OCSPNoCheck(),))


def told(*responses: bytes, lists: tuple[bytes, ...] = ()) -> dict[str, Finding]:
    p7s = cades.sign(CONTENT, SIGNER, signing_time=NOW)
    p7s = pki.stamped(cades.attach_revocation(p7s, lists, responses))
    report = cades.check_signature(p7s, CONTENT, anchors=pki.trusting(CA.certificate), now=NOW)
    return {finding.code: finding for finding in report.findings}


def good(by: Party) -> bytes:
    return answer(SIGNER.certificate, CA, by=by)


def a_list(*, names: Party | None = None) -> bytes:
    """A list of the authority, which names this party's certificate or a stranger's."""
    serial = names.parsed.serial_number if names is not None else 1
    return pki.revocation_list(CA.issuer, serial, NOW - DAY)


def test_without_list_or_answer_it_is_unknown_whether_the_signer_was_revoked() -> None:
    found = told()
    assert found["signer.revocation-unknown"].rule.status is Status.INFO
    assert "signer.not-revoked" not in found


def test_with_one_it_is_known() -> None:
    for found in (told(answer(SIGNER.certificate, CA)), told(lists=(a_list(),))):
        assert "signer.not-revoked" in found and "signer.revocation-unknown" not in found


def test_of_a_self_signed_certificate_nobody_else_can_speak() -> None:
    case = example()
    report = cades.check_signature(
        cades.sign(CONTENT, case.sign_with, signing_time=case.signed),
        CONTENT,
        anchors=pki.trusting(case.sign_with.certificate),
        now=case.signed + timedelta(hours=1),
    )
    assert not any("revocation" in finding.code for finding in report.findings)


@pytest.mark.parametrize(
    ("by", "listed", "expected"),
    [
        (PLAIN, False, "signer.responder-unchecked"),
        (SHORT, False, "signer.responder-no-check"),
        (PLAIN, True, None),
        (SHORT, True, "signer.responder-no-check"),
    ],
)
def test_who_answered_is_told_as_it_is(by: Party, listed: bool, expected: str | None) -> None:
    found = told(good(by), lists=(a_list(),) if listed else ())
    assert "signer.not-revoked" in found
    codes = [code for code in found if code.startswith("signer.responder-")]
    assert codes == ([expected] if expected else [])
    if expected is not None:
        assert found[expected].params["responder"] == "Test responder"


def test_the_authority_itself_is_no_responder_of_that_kind() -> None:
    assert not [code for code in told(answer(SIGNER.certificate, CA)) if "responder" in code]


@pytest.mark.parametrize("by", [PLAIN, SHORT])
def test_a_responder_whose_certificate_was_withdrawn_shows_nothing_good(by: Party) -> None:
    """Its authority's own list names it; that list still speaks of the signer."""
    found = told(good(by), lists=(a_list(names=by),))
    assert "signer.responder-withdrawn" in found
    assert found["signer.not-revoked"].params["as_of"] == "2026-11-22T10:00:00Z"


def test_what_a_withdrawn_responder_says_against_a_certificate_still_counts() -> None:
    bad = answer(SIGNER.certificate, CA, by=PLAIN, status="revoked", revoked=NOW - DAY)
    assert "signer.revoked" in told(bad, lists=(a_list(names=PLAIN),))


def test_a_stamp_says_nothing_of_its_own_certificate() -> None:
    found = told()
    assert found["timestamp.revocation-unknown"].params["tsa"]
    assert found["timestamp.revocation-unknown"].rule.status is Status.INFO
