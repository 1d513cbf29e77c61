"""Stamps added later and renewals: what they prove, for how long, and by hand with openssl."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from evidence_kit.cli.main import run
from evidence_kit.core.errors import InputError, TimestampError, UnreadableFileError
from evidence_kit.core.events import Silent
from evidence_kit.core.findings import Section, Status
from evidence_kit.core.layout import custody_folder
from evidence_kit.core.receipt import Contact, load_receipt
from evidence_kit.core.words import Words
from evidence_kit.demo.tsa import Authority, DemoTsa, answer, make_authority
from evidence_kit.jobs.bundle import Stamp, Stamper
from evidence_kit.jobs.custody_log import chain_lines, read_log
from evidence_kit.jobs.stamp_later import renew_bundle, stamp_bundle
from evidence_kit.jobs.verify import verify
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.timestamp import make_request, parse_response
from evidence_kit.seal.x509 import load
from tests.bundles import WHEN, authority, example, response, root_of, signer, trusted
from tests.vectors_later import trusting_both, younger

LATER = WHEN + timedelta(days=30)


def asking(tsa: Authority, when: datetime) -> Stamper:
    def stamp(digest: bytes) -> Stamp:
        raw = answer(make_request(digest, "sha256", 9), tsa, when)
        token = parse_response(raw, digest=digest, algorithm="sha256", nonce=9)
        contact = Contact(when, "http://127.0.0.1/tsa", "token")
        return Stamp(token, (contact,), trusted=True, raw=raw, time=when)

    return stamp


def no_answer(digest: bytes) -> Stamp:
    return Stamp(None, (Contact(WHEN, "http://127.0.0.1/tsa", "refused"),))


def unstamped(folder: Path) -> Path:
    case = example()
    case.stamp = None
    return case.write(folder)


def test_a_missing_stamp_is_added_and_the_bundle_passes(tmp_path: Path) -> None:
    path = unstamped(tmp_path)
    before = path.read_bytes()
    assert verify(path, anchors=trusted(), now=LATER).status is Status.INDETERMINATE
    done = stamp_bundle(
        path,
        stamper=asking(authority(), LATER),
        anchors=trusted(),
        receipts=tmp_path / "receipts",
        clock=lambda: LATER,
        progress=Silent(),
    )
    assert done.path.name == "0001-sealed.tsr"
    assert path.read_bytes() == before
    verdict = verify(path, anchors=trusted(), now=LATER, receipt=load_receipt(done.receipt_path))
    assert verdict.status is Status.PASSED
    assert verdict.time.stamp_time == LATER
    done.path.unlink()
    without = verify(path, anchors=trusted(), now=LATER, receipt=load_receipt(done.receipt_path))
    assert "custody.behind-receipt" in {finding.code for finding in without.findings}
    assert (without.status, int(without.exit_code)) == (Status.FAILED, 10)


@pytest.mark.parametrize(("stamped", "code"), [(-1, "signer.valid"), (1, "signer.expired")])
def test_the_certificate_is_judged_when_the_later_stamp_was_made(
    tmp_path: Path, stamped: int, code: str
) -> None:
    """A stamp over the file proves that its signature was there, before or after the expiry."""
    path = unstamped(tmp_path)
    end = load(signer().certificate).not_after
    tsa = make_authority(end - timedelta(days=100))
    custody_folder(path).mkdir()
    answered = response(path.read_bytes(), when=end + timedelta(days=stamped), tsa=tsa)
    (custody_folder(path) / "0001-sealed.tsr").write_bytes(answered)
    anchors = TrustAnchors(trusted().signers, (root_of(tsa),))
    verdict = verify(path, anchors=anchors, now=end + timedelta(days=30))
    assert code in {finding.code for finding in verdict.findings}
    assert (verdict.status is Status.PASSED) is (stamped < 0)


def test_ten_years_on_a_row_of_renewals_holds_and_a_broken_row_says_so(tmp_path: Path) -> None:
    path = example().write(tmp_path)
    in_time, too_late = WHEN + timedelta(days=3200), WHEN + timedelta(days=3700)
    for when, good in ((in_time, True), (too_late, False)):
        renew_bundle(
            path,
            stamper=asking(younger(), when),
            anchors=trusting_both(),
            receipts=tmp_path / f"receipts{good}",
            clock=lambda at=when: at,  # type: ignore[misc]
            progress=Silent(),
        )
        verdict = verify(path, anchors=trusting_both(), now=WHEN + timedelta(days=4000))
        codes = {finding.code for finding in verdict.findings}
        assert verdict.status is Status.PASSED
        assert ("timestamp.renewed" in codes) is good
        assert ("timestamp.renew" in codes) is not good
        assert verdict.time.renew_before is not None
        if good:
            assert verdict.time.renew_before > WHEN + timedelta(days=4000)
            for beside in custody_folder(path).iterdir():
                beside.unlink()


def test_a_stranger_can_add_a_file_but_not_spoil_a_renewal(tmp_path: Path) -> None:
    path = unstamped(tmp_path)
    for job in (stamp_bundle, renew_bundle, renew_bundle):
        done = job(
            path,
            stamper=asking(authority(), LATER),
            anchors=trusted(),
            receipts=tmp_path / "receipts",
            clock=lambda: LATER,
            progress=Silent(),
        )
    assert done.path.name == "0003-renewed.tsr"
    assert done.covers == ("0001-sealed.tsr", "0002-renewed.sha512", "0002-renewed.tsr")
    (custody_folder(path) / "0000-stranger.txt").write_text("x")
    verdict = verify(path, anchors=trusted(), now=LATER)
    assert verdict.status is Status.PASSED
    assert verdict.section(Section.CUSTODY) is Status.INDETERMINATE
    (custody_folder(path) / "0001-sealed.tsr").write_bytes(b"other")
    verdict = verify(path, anchors=trusted(), now=LATER)
    found = {(finding.code, finding.subject) for finding in verdict.findings}
    assert ("custody.renewed-differs", "0001-sealed.tsr") in found
    assert verdict.section(Section.CUSTODY) is Status.FAILED
    assert verdict.status is Status.PASSED  # the renewals still saw the sealed file


@pytest.mark.parametrize("change", [b"", b"no list\n", b"\xff", b"0" * 128 + b"  -\n"])
def test_a_list_of_another_form_or_file_counts_for_nothing(tmp_path: Path, change: bytes) -> None:
    path = unstamped(tmp_path)
    renew_bundle(
        path,
        stamper=asking(authority(), LATER),
        anchors=trusted(),
        receipts=tmp_path / "receipts",
        clock=lambda: LATER,
        progress=Silent(),
    )
    (custody_folder(path) / "0001-renewed.sha512").write_bytes(change)
    verdict = verify(path, anchors=trusted(), now=LATER)
    assert verdict.status is Status.INDETERMINATE
    assert "custody.stamp-invalid" in {finding.code for finding in verdict.findings}


def test_a_renewal_of_another_bundle_counts_for_nothing(tmp_path: Path) -> None:
    """List and stamp fit each other, and are about something else."""
    path, other = unstamped(tmp_path), example()
    other.stamp, other.files["data/web/text.txt"] = None, b"iets anders"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    renew_bundle(
        other.write(elsewhere),
        stamper=asking(authority(), LATER),
        anchors=trusted(),
        receipts=tmp_path / "receipts",
        clock=lambda: LATER,
        progress=Silent(),
    )
    custody_folder(elsewhere / path.name).rename(custody_folder(path))
    verdict = verify(path, anchors=trusted(), now=LATER)
    assert verdict.status is Status.INDETERMINATE
    assert verdict.time.stamp_time is None
    assert "custody.stamp-invalid" in {finding.code for finding in verdict.findings}


def test_what_is_refused(tmp_path: Path) -> None:
    path = unstamped(tmp_path)
    options = {
        "anchors": trusted(),
        "receipts": tmp_path / "receipts",
        "clock": lambda: LATER,
        "progress": Silent(),
    }
    with pytest.raises(TimestampError, match="refused"):
        stamp_bundle(path, stamper=no_answer, **options)  # type: ignore[arg-type]
    assert not custody_folder(path).exists()
    other = tmp_path / "other.asice"
    other.write_bytes(b"PK")
    with pytest.raises(InputError, match="form"):
        renew_bundle(other, stamper=no_answer, **options)  # type: ignore[arg-type]
    custody_folder(path).mkdir()
    (custody_folder(path) / "notes.txt").write_text("x")
    with pytest.raises(UnreadableFileError, match=r"notes\.txt"):
        renew_bundle(path, stamper=no_answer, **options)  # type: ignore[arg-type]


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = unstamped(tmp_path)
    with DemoTsa() as tsa:
        root = tmp_path / "tsa.pem"
        root.write_bytes(tsa.root_pem)
        url = tsa.url
        assert run(["timestamp", str(path), "--tsa", url, "--json"]) == 0
        first = json.loads(capsys.readouterr().out)
        assert first["schema"] == "evidence-kit/stamped/1"
        assert first["trusted"] is False
        assert run(["renew", str(path), "--tsa", url]) == 0
        assert "covers   0001-sealed.tsr" in capsys.readouterr().out


@pytest.mark.outside
def test_by_hand_with_openssl(tmp_path: Path) -> None:
    path = unstamped(tmp_path)
    for job in (stamp_bundle, renew_bundle):
        job(
            path,
            stamper=asking(authority(), datetime.now(WHEN.tzinfo)),
            anchors=trusted(),
            receipts=tmp_path / "receipts",
            clock=lambda: datetime.now(WHEN.tzinfo),
            progress=Silent(),
        )
    folder = custody_folder(path)
    (tmp_path / "tsa.pem").write_bytes(authority().root_pem)
    ca = ["-CAfile", str(tmp_path / "tsa.pem")]
    pairs = ((path, "0001-sealed.tsr"), (folder / "0002-renewed.sha512", "0002-renewed.tsr"))
    for data, name in pairs:
        subprocess.run(
            ["openssl", "ts", "-verify", "-data", str(data), "-in", str(folder / name), *ca],
            check=True,
            capture_output=True,
            timeout=60,
        )
    with path.open("rb") as stream:
        subprocess.run(
            ["sha512sum", "--strict", "-c", "0002-renewed.sha512"],
            cwd=folder,
            stdin=stream,
            check=True,
            capture_output=True,
            timeout=60,
        )


@pytest.mark.parametrize(
    ("stamped", "words"),
    [
        ("by a stranger", "niet als vertrouwd"),
        ("another file", "dat niet klopt"),
        ("nonsense", "dat niet klopt"),
    ],
)
def test_the_chain_tells_a_wrong_stamp_from_a_strangers(
    tmp_path: Path, stamped: str, words: str
) -> None:
    bundle = example().write(tmp_path)
    tsa = make_authority(WHEN) if stamped == "by a stranger" else authority()
    data = b"else" if stamped == "another file" else bundle.read_bytes()
    answered = b"x" if stamped == "nonsense" else response(data, when=LATER, tsa=tsa)
    custody_folder(bundle).mkdir()
    (custody_folder(bundle) / "0001-sealed.tsr").write_bytes(answered)
    log = read_log(bundle, anchors=trusted(), now=LATER)
    lines = [one for one in chain_lines(log, Words("nl")) if "0001-sealed.tsr:" in one]
    assert len(lines) == 1
    assert words in lines[0]
