"""The chain of custody: what is noticed, what is only shown, and that the exhibit never changes."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from evidence_kit.cli.custody import KINDS
from evidence_kit.core.canonical_json import dumps, loads
from evidence_kit.core.errors import InputError, UnreadableFileError
from evidence_kit.core.findings import Section, Status
from evidence_kit.core.layout import custody_folder
from evidence_kit.core.receipt import load_receipt
from evidence_kit.core.words import LANGUAGES, Words
from evidence_kit.jobs.bundle import Stamp
from evidence_kit.jobs.custody import add_event
from evidence_kit.jobs.custody_log import chain_json, chain_lines, read_log
from evidence_kit.jobs.verify import verify
from evidence_kit.seal.cades import sign
from evidence_kit.seal.custody import EVENTS, EventDetails, read_event, write_event
from tests.bundles import WHEN, example, pack, response, signer, trusted, unpack
from tests.custody_tools import (
    LATER,
    beside,
    both,
    chain_of,
    destroy,
    fork,
    police,
    record,
    remove,
    stranger,
)
from tests.pki import pem_of


def codes(bundle: Path, **options: object) -> set[str]:
    found = read_log(bundle, anchors=both(), now=LATER, **options)  # type: ignore[arg-type]
    return {finding.code for finding in found.findings}


def test_the_command_line_knows_the_events_of_the_format() -> None:
    assert KINDS == EVENTS
    for language in LANGUAGES:
        assert Words(language).keys("custody-event") == set(EVENTS)


def test_a_chain_by_two_identities_is_in_order_and_the_bundle_unchanged(tmp_path: Path) -> None:
    bundle = chain_of(tmp_path)
    before = bundle.read_bytes()
    record(bundle, "note", minutes=40)
    assert bundle.read_bytes() == before
    remove(bundle, 5)
    verdict = verify(bundle, anchors=both(), now=LATER)
    assert verdict.section(Section.CUSTODY) is Status.PASSED
    assert verdict.status is Status.PASSED
    log = read_log(bundle, anchors=both(), now=LATER)
    assert log.status is Status.PASSED
    chain = log.custody.chain
    assert [link.event.event for link in chain.links if link.event] == [
        "viewed",
        "copied",
        "received",
    ]
    assert chain.parents["0004-received.p7s"] == ("0003-copied.p7s",)
    assert not chain.forks
    assert not chain.gaps


def test_an_event_holds_digests_of_the_file_and_of_the_one_before(tmp_path: Path) -> None:
    bundle = chain_of(tmp_path, events=2)
    event = loads(beside(bundle, "0003-*.json").read_bytes())
    assert event["bundle"]["sha512"] == hashlib.sha512(bundle.read_bytes()).hexdigest()
    before = hashlib.sha512(beside(bundle, "0002-*.p7s").read_bytes()).hexdigest()
    assert event["predecessors"] == [before]
    assert event["bundle"]["integrity"] == "PASSED"


def test_every_event_leaves_a_receipt_that_compares(tmp_path: Path) -> None:
    bundle = example().write(tmp_path)
    first, second = record(bundle), record(bundle, "copied", minutes=20)
    assert first.receipt_path != second.receipt_path
    for added in (first, second):
        receipt = load_receipt(added.receipt_path)
        assert receipt == added.receipt
        assert receipt.id.endswith("0011aabb")
        assert codes(bundle, receipt=receipt) == {"custody.event-ok"}


@pytest.mark.parametrize("number", [2, 3, 4])
def test_a_changed_event_is_noticed(tmp_path: Path, number: int) -> None:
    bundle = chain_of(tmp_path)
    path = beside(bundle, f"{number:04}-*.json")
    path.write_bytes(path.read_bytes().replace(b"aangifte", b"Aangifte"))
    verdict = verify(bundle, anchors=both(), now=LATER)
    found = [f for f in verdict.findings if f.code == "custody.event-edited"]
    assert [f.subject for f in found] == [path.with_suffix(".p7s").name]
    assert verdict.section(Section.CUSTODY) is Status.FAILED
    assert verdict.status is Status.PASSED, "the bundle itself is untouched"


@pytest.mark.slow
def test_each_byte_of_an_event_counts(tmp_path: Path) -> None:
    bundle = chain_of(tmp_path, events=1)
    for path in sorted(custody_folder(bundle).iterdir()):
        good = path.read_bytes()
        for place in range(0, len(good), max(1, len(good) // 25)):
            path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
            log = read_log(bundle, anchors=both(), now=LATER)
            assert log.status is not Status.PASSED, (path.name, place)
        path.write_bytes(good)


def test_events_that_changed_places_are_noticed(tmp_path: Path) -> None:
    bundle = chain_of(tmp_path)
    folder = custody_folder(bundle)
    for ending in (".json", ".p7s"):
        (folder / f"0002-viewed{ending}").rename(folder / f"0009-viewed{ending}")
    assert "custody.event-misplaced" in codes(bundle)


def test_an_event_taken_from_the_middle_leaves_a_gap(tmp_path: Path) -> None:
    bundle = chain_of(tmp_path)
    remove(bundle, 3)
    log = read_log(bundle, anchors=both(), now=LATER)
    assert {f.code for f in log.findings} >= {"custody.gap"}
    assert [file for file, _ in log.custody.chain.gaps] == ["0004-received.p7s"]
    assert log.exit_code == 10


def test_the_first_event_taken_away_leaves_a_gap(tmp_path: Path) -> None:
    bundle = chain_of(tmp_path)
    remove(bundle, 2)
    assert "custody.gap" in codes(bundle)


def test_an_event_cut_off_at_the_end_shows_with_the_receipt_only(tmp_path: Path) -> None:
    bundle = chain_of(tmp_path)
    receipt = record(bundle, "note", minutes=40).receipt
    remove(bundle, 5)
    assert codes(bundle) == {"custody.event-ok"}
    assert "custody.behind-receipt" in codes(bundle, receipt=receipt)
    assert verify(bundle, anchors=both(), now=LATER).status is Status.PASSED
    verdict = verify(bundle, anchors=both(), now=LATER, receipt=receipt)
    assert (verdict.status, int(verdict.exit_code)) == (Status.FAILED, 10)
    assert verdict.section(Section.INTEGRITY) is Status.PASSED


def test_an_event_re_signed_by_another_is_the_others(tmp_path: Path) -> None:
    """Who rebuilds a chain signs it with a key of their own, and the next event notices."""
    bundle = chain_of(tmp_path)
    remove(bundle, 3)
    kept = {path: path.read_bytes() for path in custody_folder(bundle).glob("0004-*")}
    for path in kept:
        path.unlink()
    record(bundle, "copied", by=stranger(), minutes=20)
    for path, data in kept.items():
        path.write_bytes(data)
    found = codes(bundle)
    assert {"custody.event-unknown-signer", "custody.gap"} <= found


def test_a_strangers_event_spoils_neither_bundle_nor_the_others_events(tmp_path: Path) -> None:
    bundle = chain_of(tmp_path)
    record(bundle, "note", by=stranger(), minutes=40)
    verdict = verify(bundle, anchors=both(), now=LATER)
    assert verdict.status is Status.PASSED
    assert verdict.exit_code == 0
    assert verdict.section(Section.CUSTODY) is Status.INDETERMINATE
    found = [f.subject for f in verdict.findings if f.code == "custody.event-unknown-signer"]
    assert found == ["0005-note.p7s"]


def test_an_event_in_somebody_elses_name_is_not_theirs(tmp_path: Path) -> None:
    """The signature is good, but the text names the police's certificate."""
    bundle = example().write(tmp_path)
    added = record(bundle, by=stranger())
    claimed = hashlib.sha256(police().certificate).hexdigest()
    content = write_event(replace(added.event, certificate_sha256=claimed))
    added.path.write_bytes(content)
    p7s = sign(content, stranger(), signing_time=added.event.time)
    added.path.with_suffix(".p7s").write_bytes(p7s)
    log = read_log(bundle, anchors=both(), now=LATER)
    told = [f.params["detail"] for f in log.findings if f.code == "custody.event-edited"]
    assert told == ["it names another certificate than the one that signed"]


def test_two_ways_after_one_event_are_both_shown(tmp_path: Path) -> None:
    bundle = fork(tmp_path)
    log = read_log(bundle, anchors=both(), now=LATER)
    assert log.custody.chain.forks == (
        ("0002-viewed.p7s", ("0003-copied.p7s", "0003-received.p7s")),
    )
    assert log.exit_code == 11
    record(bundle, "note", minutes=40)
    joined = read_log(bundle, anchors=both(), now=LATER).custody.chain
    assert joined.parents["0004-note.p7s"] == ("0003-copied.p7s", "0003-received.p7s")
    assert len(joined.heads) == 1


def test_two_first_events_are_a_fork_at_the_sealed_file(tmp_path: Path) -> None:
    bundle = example().write(tmp_path)
    record(bundle, "viewed")
    kept = {path: path.read_bytes() for path in custody_folder(bundle).iterdir()}
    remove(bundle, 2)
    record(bundle, "received", by=police(), minutes=20)
    for path, data in kept.items():
        path.write_bytes(data)
    chain = read_log(bundle, anchors=both(), now=LATER).custody.chain
    assert [file for file, _ in chain.forks] == [""]


def test_an_event_of_another_bundle_does_not_count(tmp_path: Path) -> None:
    bundle = example().write(tmp_path)
    other = example().write(tmp_path, "other.asice")  # another signature, other bytes
    record(other)
    custody_folder(bundle).mkdir()
    for path in custody_folder(other).iterdir():
        (custody_folder(bundle) / path.name).write_bytes(path.read_bytes())
    found = verify(bundle, anchors=both(), now=LATER)
    assert "custody.event-other-bundle" in {f.code for f in found.findings}


def test_a_stamp_beside_the_file_is_part_of_the_chain(tmp_path: Path) -> None:
    bundle = example().write(tmp_path)
    custody_folder(bundle).mkdir()
    stamp = custody_folder(bundle) / "0001-sealed.tsr"
    from tests.bundles import authority

    stamp.write_bytes(
        response(bundle.read_bytes(), when=WHEN + timedelta(minutes=1), tsa=authority())
    )
    record(bundle)
    assert codes(bundle) == {"custody.stamp-ok", "custody.event-ok"}
    stamp.unlink()
    assert "custody.gap" in codes(bundle)


def test_only_half_an_event(tmp_path: Path) -> None:
    bundle = chain_of(tmp_path)
    beside(bundle, "0004-*.json").unlink()
    assert "custody.event-incomplete" in codes(bundle)
    bundle = chain_of(_new(tmp_path))
    beside(bundle, "0004-*.p7s").unlink()
    assert "custody.event-incomplete" in codes(bundle)


def _new(folder: Path) -> Path:
    made = folder / "another"
    made.mkdir()
    return made


def test_time_that_runs_backwards_is_said(tmp_path: Path) -> None:
    bundle = example().write(tmp_path)
    record(bundle, minutes=50)
    record(bundle, "copied", minutes=10)
    assert "custody.event-times" in codes(bundle)


def test_without_a_stamp_the_time_is_the_signers_own(tmp_path: Path) -> None:
    bundle = example().write(tmp_path)
    record(bundle, stamped=False)
    assert codes(bundle) == {"custody.event-ok", "custody.event-own-clock"}
    failing = add_event(
        bundle,
        "note",
        EventDetails(),
        signer(),
        anchors=both(),
        clock=lambda: WHEN + timedelta(minutes=30),
        stamper=lambda _: Stamp(None),
        receipts=tmp_path / "receipts",
    )
    assert failing.stamp.token is None
    assert failing.path.exists()


def test_an_event_beside_a_damaged_bundle_says_that_it_was_damaged(tmp_path: Path) -> None:
    files = unpack(example().seal())
    files["data/web/text.txt"] += b"!"
    bundle = tmp_path / "damaged.asice"
    bundle.write_bytes(pack(files))
    added = record(bundle, "received", by=police())
    assert added.event.integrity == "FAILED"


def test_destroying_leaves_a_record_without_content(tmp_path: Path) -> None:
    bundle = chain_of(tmp_path)
    added = destroy(bundle)
    assert not bundle.exists()
    left = b"".join(path.read_bytes() for path in custody_folder(bundle).iterdir())
    assert b"Ik weet waar je woont" not in left
    event = read_event(added.path.read_bytes())
    assert (event.event, event.details.reason) == ("destroyed", "bewaartermijn voorbij")
    log = read_log(bundle, anchors=both(), now=LATER)
    assert not log.there
    assert log.status is Status.PASSED
    assert "custody.destroyed" in {f.code for f in log.findings}
    assert any("niet meer" in line for line in chain_lines(log, Words("nl")))
    with pytest.raises(UnreadableFileError):
        verify(bundle, anchors=both(), now=LATER)


def test_destroying_needs_a_reason(tmp_path: Path) -> None:
    bundle = example().write(tmp_path)
    with pytest.raises(InputError, match="no reason"):
        destroy(bundle, reason=" ")
    assert bundle.exists()
    with pytest.raises(InputError, match="by destroying"):
        record(bundle, "destroyed")
    with pytest.raises(InputError, match="no event named"):
        record(bundle, "lost")
    with pytest.raises(InputError, match="cannot be recorded"):
        record(bundle, details=EventDetails(reason="x" * 3000))


def test_nothing_is_left_where_the_bundle_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError):
        record(tmp_path / "nothing.asice")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UnreadableFileError):
        read_log(tmp_path / "nothing.asice", anchors=trusted(), now=LATER)


def test_an_event_has_one_form(tmp_path: Path) -> None:
    event = record(example().write(tmp_path)).event
    data = write_event(event)
    assert read_event(data) == event
    for wrong in (data + b"\n", data.replace(b"  ", b" "), dumps({"schema": "x"}), b"[]"):
        with pytest.raises(ValueError, match=r"."):
            read_event(wrong)


def test_the_drawing_shows_branches_gaps_and_hostile_text_harmlessly(tmp_path: Path) -> None:
    bundle = fork(tmp_path)
    record(bundle, "note", minutes=40, details=EventDetails(reason="\x1b[2Jweg\u202e"))
    remove(bundle, 2)
    for language in LANGUAGES:
        log = read_log(bundle, anchors=trusted(), now=LATER)
        text = "\n".join(chain_lines(log, Words(language)))
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "├─" not in text, "with its root gone the branches start at a gap"
        assert text.count("┆") == 2
        assert "{" not in text
    bundle = fork(_new(tmp_path))
    log = read_log(bundle, anchors=both(), now=LATER)
    text = "\n".join(chain_lines(log, Words("nl")))
    assert text.count("├─") == 2
    assert "overgedragen" not in text
    assert "ontvangen" in text
    assert chain_json(log, Words("nl"))["forks"][0]["after"] == "0002-viewed.p7s"


@pytest.mark.outside
def test_openssl_agrees_that_an_event_is_signed(tmp_path: Path) -> None:
    """What FORMAT.md says about checking an event by hand."""
    bundle = chain_of(tmp_path, events=1)
    p7s = beside(bundle, "*.p7s")
    pem = tmp_path / "police.pem"
    pem.write_bytes(pem_of(police().certificate))
    command = [
        *("openssl", "cms", "-verify", "-cades", "-inform", "DER", "-binary", "-purpose", "any"),
        *("-in", str(p7s), "-content", str(p7s.with_suffix(".json")), "-CAfile", str(pem)),
        *("-attime", str(int((WHEN + timedelta(minutes=10)).timestamp())), "-out", "/dev/null"),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    p7s.with_suffix(".json").write_bytes(b"{}")
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode != 0


@pytest.mark.slow
def test_on_the_command_line(tmp_path: Path) -> None:
    from tests.fixtures_capture import evidence_kit, new_home

    home = new_home(tmp_path)
    bundle = example().write(tmp_path)
    added = evidence_kit(
        *("custody", "add", "handed-over", str(bundle), "--recipient", "Politie Utrecht"),
        *("--medium", "USB", "--no-tsa", "--passphrase-fd", "0", "--json"),
        home=home,
    )
    assert added.returncode == 0, added.stderr
    told = json.loads(added.stdout)
    assert (told["event"], told["number"], told["stamped"]) == ("handed-over", 2, False)
    assert Path(told["receipt"]).is_file()
    shown = evidence_kit("custody", "log", str(bundle), "--lang", "nl", home=home)
    assert shown.returncode == 11, "the own identity was not named as trusted"
    assert "overgedragen" in shown.stdout
    assert "Politie Utrecht" in shown.stdout
    refused = evidence_kit("custody", "destroy", str(bundle), "--yes", home=home)
    assert refused.returncode == 2
    assert bundle.exists()
    gone = evidence_kit(
        *("custody", "destroy", str(bundle), "--reason", "klaar", "--yes", "--no-tsa"),
        *("--passphrase-fd", "0"),
        home=home,
    )
    assert gone.returncode == 0, gone.stderr
    assert not bundle.exists()
    assert evidence_kit("custody", "log", str(bundle), home=home).returncode == 11
