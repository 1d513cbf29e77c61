"""Verifying whole bundles: what passes, what an attacker tries, what a reader is told."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence_kit.core.digests import digest_bytes
from evidence_kit.core.errors import InputError, UnreadableFileError
from evidence_kit.core.findings import Section, Status
from evidence_kit.core.verdict import State, Verdict
from evidence_kit.core.verdict_words import finding_sentence, verdict_lines
from evidence_kit.core.words import Words
from evidence_kit.demo.tsa import make_authority
from evidence_kit.jobs.verify import verify, verify_many
from evidence_kit.seal import cms, der
from evidence_kit.seal.anchors import TrustAnchors
from tests import pki
from tests.bundles import (
    NAME,
    NOW,
    WHEN,
    authority,
    example,
    example_of,
    forged,
    make_signer,
    pack,
    rebagged,
    relisted,
    root_of,
    signer,
    trusted,
    unpack,
)

GOOD = example().seal()


def judge(folder: Path, data: bytes, anchors: TrustAnchors | None = None) -> Verdict:
    path = folder / NAME
    path.write_bytes(data)
    return verify(path, anchors=anchors or trusted(), now=NOW)


def codes(verdict: Verdict) -> set[str]:
    return {finding.code for finding in verdict.findings}


# --- what passes


def test_a_good_bundle_passes_with_trust_from_outside(tmp_path: Path) -> None:
    verdict = judge(tmp_path, GOOD)
    assert verdict.status is Status.PASSED
    assert verdict.exit_code == 0
    assert verdict.states == (State.UNCHANGED, State.QUALIFICATION_UNKNOWN)
    assert {section: verdict.section(section) for section in Section} == {
        **dict.fromkeys(Section, Status.PASSED),
        Section.CUSTODY: Status.INFO,
    }
    assert verdict.signer is not None
    assert verdict.signer.name == "Ziekenhuis Voorbeeld"
    assert verdict.signer.fingerprint == digest_bytes(signer().certificate).sha256
    assert verdict.time.stamp_time == WHEN + timedelta(seconds=2)
    assert verdict.time.not_before_time == WHEN - timedelta(minutes=1)


def test_the_words_of_a_good_bundle(tmp_path: Path) -> None:
    lines = list(verdict_lines(judge(tmp_path, GOOD), Words("nl")))
    assert lines[0] == (
        "ONGEWIJZIGD",
        "Alle bestanden zijn precies gelijk aan de bestanden waarover deze handtekening is gezet. "
        "Het verzegelde pakket bestond op 2026-11-23 10:00:02 UTC "
        "(tijdstip van verzegelen, niet van plaatsen).",
    )
    assert lines[-1] == (
        "",
        "Deze controle zegt niet wie het bericht heeft geschreven en niet of de inhoud waar is.",
    )


def test_without_a_trusted_stamp_the_time_is_the_signers_word(tmp_path: Path) -> None:
    anchors = TrustAnchors(signers=(signer().certificate,))
    verdict = judge(tmp_path, GOOD, anchors)
    assert verdict.status is Status.INDETERMINATE
    (name, said), *_ = verdict_lines(verdict, Words("nl"))
    assert name == "ONGEWIJZIGD"
    assert said.endswith("2026-11-23 10:00:00 UTC volgens de ondertekenaar zelf.")


def test_nothing_is_trusted_for_being_in_the_bundle(tmp_path: Path) -> None:
    verdict = judge(tmp_path, GOOD, TrustAnchors())
    assert verdict.status is Status.INDETERMINATE
    assert verdict.exit_code == 11
    assert verdict.states == (State.SIGNER_UNKNOWN, State.TIMESTAMP_UNKNOWN)
    assert verdict.section(Section.INTEGRITY) is Status.PASSED


def test_ten_years_later_the_stamp_still_holds(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(GOOD)
    verdict = verify(path, anchors=trusted(), now=NOW + timedelta(days=3650))
    assert verdict.status is Status.PASSED
    assert verdict.states[0] is State.UNCHANGED
    assert State.CERTIFICATE_EXPIRED in verdict.states
    said = dict(verdict_lines(verdict, Words("nl")))["CERTIFICAAT VERLOPEN"]
    assert said.endswith("Op het moment van ondertekenen was het wel geldig.")


def test_gaps_of_the_capture_change_no_status(tmp_path: Path) -> None:
    case = example()
    case.record["state"] = "not-there"
    case.record["missing"] = [{"what": "post", "why": "login wall"}]
    verdict = judge(tmp_path, case.seal())
    assert verdict.status is Status.PASSED
    assert {"content.not-there", "capture.missing-part"} <= codes(verdict)


def test_that_the_post_was_not_there_is_said_beside_the_headline(tmp_path: Path) -> None:
    case = example()
    case.record["state"] = "not-there"
    case.record["content_check"] = {"state": "login-wall", "signals": ["http:403"]}
    verdict = judge(tmp_path, case.seal())
    said = dict(verdict_lines(verdict, Words("nl")))
    assert next(iter(said)) == "ONGEWIJZIGD"
    assert said["BERICHT WAS ER NIET"] == (
        "Het verslag zegt dat het bericht er bij het vastleggen niet was "
        "(de site vroeg eerst om in te loggen; http:403)."
    )
    assert "BERICHT WAS ER NIET" not in dict(verdict_lines(judge(tmp_path, GOOD), Words("nl")))


def test_a_warning_without_a_subject_does_not_say_its_code_twice(tmp_path: Path) -> None:
    case = example()
    notes = [("", "off by 3 s"), ("data/web/page.pdf", "made late")]
    case.record["warnings"] = [
        {"code": "clock.off", "subject": subject, "detail": detail} for subject, detail in notes
    ]
    found = [one for one in judge(tmp_path, case.seal()).findings if one.code == "capture.warning"]
    assert [(one.subject, one.params["detail"]) for one in found] == [
        ("clock.off", "off by 3 s"),
        ("data/web/page.pdf", "clock.off: made late"),
    ]
    said = [finding_sentence(one, Words("nl")) for one in found]
    assert said == [
        "Waarschuwing bij het vastleggen: de klok van deze computer liep niet gelijk (off by 3 s).",
        "Waarschuwing bij het vastleggen: de klok van deze computer liep niet gelijk: "
        "data/web/page.pdf (clock.off: made late).",
    ]


def test_a_capture_without_post_and_page_is_a_bundle_all_the_same(tmp_path: Path) -> None:
    case = example()
    for name in ("data/post.json", "data/web/page.wacz", "data/api/exchanges.warc"):
        del case.files[name]
    verdict = judge(tmp_path, case.seal())
    assert verdict.status is Status.PASSED
    assert not {"post.ok", "wacz.ok", "warc.ok"} & codes(verdict)


# --- attacks


def _change(files: dict[str, bytes]) -> None:
    files["data/web/text.txt"] = b"Fijne dag nog"


def test_a_changed_file_is_named(tmp_path: Path) -> None:
    verdict = judge(tmp_path, forged(GOOD, _change))
    assert verdict.status is Status.FAILED
    assert verdict.states[0] is State.CHANGED
    assert verdict.subjects(State.CHANGED) == ("data/web/text.txt",)
    (_, said), *_ = verdict_lines(verdict, Words("nl"))
    assert said.endswith("Het gaat om: data/web/text.txt.")


def test_recomputing_the_bags_lists_does_not_help(tmp_path: Path) -> None:
    def change(files: dict[str, bytes]) -> None:
        _change(files)
        rebagged(files)

    verdict = judge(tmp_path, forged(GOOD, change))
    assert "file.changed" in codes(verdict)
    assert "bag.disagrees" in codes(verdict)


def test_recomputing_the_signed_list_breaks_the_signature(tmp_path: Path) -> None:
    def change(files: dict[str, bytes]) -> None:
        _change(files)
        relisted(files)

    verdict = judge(tmp_path, forged(GOOD, change))
    assert verdict.status is Status.FAILED
    assert verdict.states == (State.SIGNATURE_INVALID,)
    assert "signature.wrong-digest" in codes(verdict)
    assert "signer.trusted" not in codes(verdict)
    assert "timestamp.ok" not in codes(verdict)
    assert verdict.signer is None


def test_signing_again_under_the_same_name_is_an_unknown_signer(tmp_path: Path) -> None:
    case = example()
    case.files["data/web/text.txt"] = b"Fijne dag nog"
    case.sign_with = make_signer()
    verdict = judge(tmp_path, case.seal())
    assert verdict.section(Section.INTEGRITY) is Status.PASSED
    assert verdict.status is Status.INDETERMINATE
    assert verdict.states[0] is State.SIGNER_UNKNOWN
    assert State.UNCHANGED not in verdict.states


def test_an_authority_of_the_forgers_own_is_unknown(tmp_path: Path) -> None:
    case = example()
    case.tsa = make_authority(WHEN, name=authority().certificate.subject.rfc4514_string()[:20])
    verdict = judge(tmp_path, case.seal())
    assert verdict.status is Status.INDETERMINATE
    assert "timestamp.untrusted" in codes(verdict)


@pytest.mark.parametrize("gone", sorted(unpack(GOOD)))
def test_any_file_taken_out_is_noticed(gone: str, tmp_path: Path) -> None:
    verdict = judge(tmp_path, forged(GOOD, lambda files: files.pop(gone)))
    assert verdict.status is Status.FAILED
    assert gone in {finding.subject for finding in verdict.findings}


@pytest.mark.parametrize(
    "extra", ["data/extra.txt", "extra.txt", "META-INF/signature002.p7s", "META-INF/x.xml"]
)
def test_any_file_put_in_is_noticed(extra: str, tmp_path: Path) -> None:
    def add(files: dict[str, bytes]) -> None:
        files[extra] = b"x"

    verdict = judge(tmp_path, forged(GOOD, add))
    assert verdict.status is Status.FAILED
    assert "file.unlisted" in codes(verdict)


def test_two_files_swapped_are_both_named(tmp_path: Path) -> None:
    def swap(files: dict[str, bytes]) -> None:
        one, two = "data/web/text.txt", "data/web/screenshot.png"
        files[one], files[two] = files[two], files[one]

    verdict = judge(tmp_path, forged(GOOD, swap))
    assert verdict.subjects(State.CHANGED) == ("data/web/screenshot.png", "data/web/text.txt")


def test_any_flipped_bit_fails(tmp_path: Path) -> None:
    """Sampled over the whole file, as an accident would hit it."""
    caught: dict[str, int] = {}
    for place in random.Random(20261123).sample(range(len(GOOD) * 8), 120):
        data = bytearray(GOOD)
        data[place // 8] ^= 1 << place % 8
        verdict = judge(tmp_path, bytes(data))
        assert verdict.status is Status.FAILED, place
        for finding in verdict.findings:
            if finding.rule.status is Status.FAILED:
                caught[finding.code] = caught.get(finding.code, 0) + 1
    assert caught["container.crc"] > 60, caught
    assert caught["container.not-canonical"] > 1, caught


def test_any_flipped_bit_fails_also_with_the_checksum_put_right(tmp_path: Path) -> None:
    """As somebody would do it who knows ZIP; the CRC catches nothing then."""
    files = unpack(GOOD)
    chance = random.Random(7)
    spots = [
        (name, chance.randrange(len(data) * 8)) for name, data in files.items() for _ in "1234"
    ]
    caught: dict[str, str] = {}
    for name, place in spots:
        changed = dict(files)
        data = bytearray(changed[name])
        data[place // 8] ^= 1 << place % 8
        changed[name] = bytes(data)
        verdict = judge(tmp_path, pack(changed))
        assert verdict.status is Status.FAILED, (name, place)
        found = [f.code for f in verdict.findings if f.rule.status is Status.FAILED]
        caught[name] = found[0]
    assert caught["META-INF/signature001.p7s"].startswith(("signature.", "timestamp."))
    assert caught["META-INF/ASiCManifest001.xml"].startswith(("manifest.", "signature.", "file."))
    assert caught["data/web/page.wacz"] == "file.changed"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    start=st.integers(0, len(GOOD)),
    length=st.integers(0, 200),
    put=st.binary(max_size=60),
)
def test_any_cut_or_paste_fails(
    start: int, length: int, put: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = GOOD[:start] + put + GOOD[start + length :]
    verdict = judge(tmp_path_factory.getbasetemp(), data)
    assert (verdict.status is Status.PASSED) == (data == GOOD)
    if data != GOOD:
        assert verdict.status is Status.FAILED


@pytest.mark.parametrize(
    "document",
    [
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a": 1' + b"0" * 5000 + b"}",
        b'{"a": "\\ud800"}',
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b"\xef\xbb\xbf{}",
        b"\xff",
        b"",
    ],
)
@pytest.mark.parametrize("name", ["data/capture.json", "data/post.json"])
def test_hostile_json_gives_findings(name: str, document: bytes, tmp_path: Path) -> None:
    case = example()
    case.files[name] = document
    verdict = judge(tmp_path, case.seal())
    assert verdict.status is Status.FAILED
    assert f"{name[5:-5]}.malformed" in codes(verdict)


def test_source_that_equals_only_for_python_differs(tmp_path: Path) -> None:
    """1, 1.0 and true are one value in Python and three in JSON."""
    case = example()
    for name, old, new in (
        ("data/api/0001-status.json", b'"id": "1"', b'"id": 1'),
        ("data/post.json", b'"value": "1"', b'"value": true'),
    ):
        assert old in case.files[name]
        case.files[name] = case.files[name].replace(old, new)
    verdict = judge(tmp_path, case.seal())
    assert verdict.states[0] is State.CONTRADICTORY
    assert "post.source-differs" in codes(verdict)


def test_a_second_stamp_as_delivered_may_carry_a_spare_certificate(tmp_path: Path) -> None:
    """Real authorities send more than is needed; their signature does not cover it."""
    path = example().write(tmp_path)
    good = pki.token_over(sha256(GOOD).digest(), by=authority())
    path.write_bytes(GOOD)
    held = cms.read(good, max_bytes=len(good)).certificates
    spare = pki.certificate("Spare", pki.key_of(number=7))
    token = cms.rebuild(good, certificates=[*held, spare])
    granted = der.encode(der.SEQUENCE, der.encode_integer(0))
    beside = path.with_name(path.stem + ".custody")
    beside.mkdir()
    (beside / "0001-sealed.tsr").write_bytes(der.encode(der.SEQUENCE, granted + token))
    verdict = verify(path, anchors=trusted(), now=NOW)
    assert "custody.stamp-ok" in codes(verdict)
    assert verdict.section(Section.CUSTODY) is Status.PASSED


def test_hostile_text_does_not_reach_the_terminal(tmp_path: Path) -> None:
    case = example()
    case.record["missing"] = [{"what": "\x1b[2J\x1b[32mPASSED", "why": "\u202edehcnahcnu"}]
    verdict = judge(tmp_path, case.seal())
    from evidence_kit.core.verdict_words import finding_sentence

    said = " ".join(finding_sentence(finding, Words("nl")) for finding in verdict.findings)
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "\\x1b[2J" in said


# --- how it is asked


def test_no_file_no_verdict(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.asice", tmp_path):
        with pytest.raises(UnreadableFileError):
            verify(path, anchors=trusted(), now=NOW)


def test_several_files_each_get_a_verdict(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.asice", tmp_path / "bad.asice"
    good.write_bytes(GOOD)
    bad.write_bytes(b"<html>")
    paths = [good, tmp_path / "gone.asice", bad]
    found = list(verify_many(paths, anchors=trusted(), now=NOW))
    assert [verdict.exit_code for verdict in found] == [0, 20, 10]
    assert found[1].states == (State.NOT_CHECKABLE,)
    assert found[2].states == (State.NOT_A_BUNDLE,)


def test_an_unknown_word_is_not_accepted(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be accepted"):
        verify(tmp_path, anchors=trusted(), now=NOW, accept=frozenset({"anything"}))


def test_accepting_passes_and_says_whose_choice_it_was(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(GOOD)
    both = frozenset({"unknown-signer", "no-timestamp"})
    verdict = verify(path, anchors=TrustAnchors(), now=NOW, accept=both)
    assert verdict.status is Status.PASSED
    assert verdict.states[0] is State.SIGNER_UNKNOWN
    said = [text for name, text in verdict_lines(verdict, Words("nl")) if not name]
    assert said[0] == "U hebt zelf gekozen dit niet mee te laten tellen: no-timestamp."


def test_verifying_reaches_for_no_network_and_writes_nothing(tmp_path: Path) -> None:
    """In a process where any contact and any file opened for writing is an error."""
    now = datetime.now(UTC)
    sign_with = make_signer(start=now - timedelta(days=1))
    tsa = make_authority(now - timedelta(days=1))
    path = example_of(now - timedelta(hours=1), sign_with, tsa).write(tmp_path)
    (tmp_path / "signer.der").write_bytes(sign_with.certificate)
    (tmp_path / "tsa.der").write_bytes(root_of(tsa))
    before = {item: item.stat().st_mtime_ns for item in tmp_path.iterdir()}
    code = f"""
import sys
sys.dont_write_bytecode = True
def hook(event, args):
    if event in ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo"):
        raise RuntimeError(event)
    if event == "socket.__new__":
        raise RuntimeError("a socket of family " + str(args[1]))
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        raise RuntimeError("writes " + str(args[0]))
from evidence_kit.cli.main import run
sys.addaudithook(hook)
sys.exit(run(["verify", {str(path)!r}, "--trust", {str(tmp_path / "signer.der")!r},
              "--tsa-trust", {str(tmp_path / "tsa.der")!r}]))
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "ONGEWIJZIGD" in ended.stdout
    assert {item: item.stat().st_mtime_ns for item in tmp_path.iterdir()} == before


def test_the_same_verdict_whatever_the_file_is_called(tmp_path: Path) -> None:
    path = tmp_path / "renamed.zip"
    path.write_bytes(GOOD)
    verdict = verify(path, anchors=trusted(), now=NOW)
    assert verdict.status is Status.PASSED
    assert replace(verdict, path="") == replace(judge(tmp_path, GOOD), path="")
