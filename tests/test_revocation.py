"""Revocation lists fetched when sealing, carried in the signature, judged offline ten years on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from evidence_kit.core.errors import NetworkError
from evidence_kit.core.events import Silent
from evidence_kit.gather import revocation
from evidence_kit.gather.revocation import fetch_revocation
from evidence_kit.jobs.bundle import Seal, Sealed, seal_folder
from evidence_kit.jobs.stamping import revoker
from evidence_kit.jobs.verify import verify
from evidence_kit.jobs.workfolder import WorkFolder, new_id
from evidence_kit.seal import cades
from evidence_kit.seal.signer import KeySigner
from tests import pki
from tests.listening import answering, dripping
from tests.pki import CONTENT, NOW, YEAR


@dataclass
class Site:
    """Answers by path; anything else is 404."""

    url: str
    answers: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            body = made.answers.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """No noise."""

    with answering(Handler) as port:
        made = Site(f"http://127.0.0.1:{port}")
        yield made


def below(site: Site) -> tuple[KeySigner, pki.Chain]:
    """A signer whose certificate names two addresses, the first of which fails."""
    chain = pki.chain()
    key = pki.key_of(number=3)
    points = [
        x509.DistributionPoint([x509.UniformResourceIdentifier(site.url + path)], None, None, None)
        for path in ("/gone.crl", "/ca.crl")
    ]
    made = (
        x509.CertificateBuilder()
        .subject_name(pki.name_of("Gemeente Test"))
        .issuer_name(chain.root_issuer.name)
        .public_key(key.public_key())
        .serial_number(99)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + YEAR)
        .add_extension(x509.CRLDistributionPoints(points), critical=False)
        .sign(chain.root_issuer.key, hashes.SHA256())
    )
    return KeySigner(key, pki.der_of(made), (chain.root,)), chain


a_list = pki.revocation_list


def test_lists_are_fetched_carried_and_judged_offline(site: Site) -> None:
    signer, chain = below(site)
    site.answers["/ca.crl"] = a_list(chain.root_issuer, 5, NOW - timedelta(days=1))
    found = fetch_revocation((signer.certificate, *signer.chain), clock=lambda: NOW)
    assert found.lists == (site.answers["/ca.crl"],)
    assert [(one.url, one.result) for one in found.asked] == [
        (site.url + "/gone.crl", "127.0.0.1 answered with status 404"),
        (site.url + "/ca.crl", "revocation list of 2026-11-22T10:00:00Z: not named"),
    ]
    p7s = cades.attach_revocation(cades.sign(CONTENT, signer, signing_time=NOW), found.lists)
    stamped = pki.stamped(p7s)
    asked = len(site.asked)
    later = NOW + 10 * YEAR
    report = cades.check_signature(stamped, CONTENT, anchors=pki.trusting(chain.root), now=later)
    codes = {finding.code for finding in report.findings}
    assert {"signature.ok", "signer.trusted", "signer.not-revoked", "signer.valid"} <= codes
    assert len(site.asked) == asked  # judging asks nobody


@pytest.mark.parametrize("body", [None, b"question"])
def test_an_authority_that_drips_is_left(
    monkeypatch: pytest.MonkeyPatch, body: bytes | None
) -> None:
    """Each byte comes in time, so only a limit on the whole helps."""
    monkeypatch.setattr(revocation, "TIMEOUT", 1.0)
    with dripping() as url, pytest.raises(NetworkError, match="took longer than 1 s"):
        revocation.http_fetch(url, body)


def test_a_revoked_certificate_still_seals_and_says_so(site: Site) -> None:
    signer, chain = below(site)
    site.answers["/gone.crl"] = a_list(chain.root_issuer, 99, NOW - timedelta(days=1))
    found = fetch_revocation((signer.certificate, *signer.chain), clock=lambda: NOW)
    assert found.asked[-1].result.endswith("revoked 2026-11-22T10:00:00Z")
    p7s = cades.attach_revocation(cades.sign(CONTENT, signer, signing_time=NOW), found.lists)
    report = cades.check_signature(
        pki.stamped(p7s), CONTENT, anchors=pki.trusting(chain.root), now=NOW
    )
    assert "signer.revoked" in {finding.code for finding in report.findings}


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("stranger", "issuer's key"),
        ("old", "not current"),
        ("future", "not current"),
        ("garbage", "cannot be read"),
        ("large", "more than"),
    ],
)
def test_answers_that_are_not_carried(site: Site, name: str, result: str) -> None:
    signer, chain = below(site)
    forged = pki.Issuer(chain.root_issuer.name, pki.key_of(number=60))
    site.answers["/ca.crl"] = {
        "stranger": a_list(forged, 5, NOW - timedelta(days=1)),
        "old": a_list(chain.root_issuer, 5, NOW - 2 * YEAR),
        "future": a_list(chain.root_issuer, 5, NOW + timedelta(days=1)),
        "garbage": b"<html>",
        "large": bytes(revocation.MAX_LIST + 1),
    }[name]
    found = fetch_revocation((signer.certificate, *signer.chain), clock=lambda: NOW)
    assert found.lists == ()
    assert result in found.asked[-1].result


def test_a_self_signed_certificate_asks_nobody() -> None:
    def fetch(url: str, body: bytes | None) -> bytes:
        raise NetworkError("asked")

    certificate = pki.self_signed().certificate
    found = fetch_revocation((certificate,), clock=lambda: NOW, fetch=fetch)
    assert found == revocation.Fetched()


def sealed_by(signer: KeySigner, folder: Path) -> Sealed:
    """A small bundle whose authorities are asked."""
    work = WorkFolder.create(folder / "home", new_id(NOW, bytes(4)))
    try:
        (work.data / "note.txt").write_bytes(b"x")
        work.add("note", work.data / "note.txt", clock=lambda: NOW)
        return seal_folder(
            work,
            Seal(signer, "Gemeente Test", None, "", "", "", "example", NOW),
            output=folder,
            receipts=folder / "receipts",
            clock=lambda: NOW,
            stamper=None,
            revoker=revoker(lambda: NOW),
            progress=Silent(),
        )
    finally:
        work.remove()


def test_a_seal_carries_the_lists_and_its_receipt_says_who_was_asked(
    site: Site, tmp_path: Path
) -> None:
    signer, chain = below(site)
    site.answers["/ca.crl"] = a_list(chain.root_issuer, 5, NOW - timedelta(days=1))
    sealed = sealed_by(signer, tmp_path)
    assert [one.url for one in sealed.receipt.contacts] == [
        f"{site.url}/gone.crl",
        f"{site.url}/ca.crl",
    ]
    verdict = verify(sealed.path, anchors=pki.trusting(chain.root), now=NOW)
    assert {"signature.ok", "signer.not-revoked"} <= {one.code for one in verdict.findings}


def test_a_partial_list_vouches_for_nothing(site: Site) -> None:
    signer, chain = below(site)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(chain.root_issuer.name)
        .last_update(NOW - timedelta(days=1))
        .next_update(NOW + YEAR)
        .add_extension(x509.DeltaCRLIndicator(1), critical=True)
    )
    delta = builder.sign(chain.root_issuer.key, hashes.SHA256())
    encoded = delta.public_bytes(serialization.Encoding.DER)
    p7s = cades.attach_revocation(cades.sign(CONTENT, signer, signing_time=NOW), [encoded])
    report = cades.check_signature(
        pki.stamped(p7s), CONTENT, anchors=pki.trusting(chain.root), now=NOW
    )
    codes = {finding.code for finding in report.findings}
    assert "signature.ok" in codes
    assert "signer.not-revoked" not in codes
