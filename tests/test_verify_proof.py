"""A signer who lies about a platform's proof is contradicted by the files, offline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.core.canonical_json import dumps, loads
from evidence_kit.core.findings import Status
from evidence_kit.core.verdict import State, Verdict
from evidence_kit.jobs.show import show
from tests.atproto_bundle import FILES, MEDIA, PROOF, add_proof
from tests.atproto_repo import SIGNING, Key, account
from tests.bundles import NOW, Case, example, trusted
from tests.vector_tools import judged

LOG = account()


def verdict_on(folder: Path, change: Callable[[Case], object], **how: Any) -> Verdict:
    case = example()
    add_proof(case, **how)
    change(case)
    return judged(case.write(folder))


def codes(verdict: Verdict) -> set[str]:
    return {finding.code for finding in verdict.findings if finding.code.startswith("atproto.")}


def told(change: Callable[[dict[str, Any]], object]) -> Callable[[Case], None]:
    """A change of the description of the proof."""

    def edit(case: Case) -> None:
        document = loads(case.files[PROOF])
        change(document)
        case.files[PROOF] = dumps(document)

    return edit


def replaced(name: str, old: bytes, new: bytes) -> Callable[[Case], None]:
    def edit(case: Case) -> None:
        assert old in case.files[name]
        case.files[name] = case.files[name].replace(old, new)

    return edit


def nothing(case: Case) -> None:
    """The honest bundle."""


def test_good_proofs_pass_and_are_told(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, nothing, log=LOG)
    assert verdict.status is Status.PASSED
    assert codes(verdict) == {"atproto.proof-ok", "atproto.media-ok"}
    (found,) = [one for one in verdict.findings if one.code == "atproto.proof-ok"]
    assert found.params["did"] == LOG.did
    assert found.params["key"] == str(SIGNING)
    verdict = verdict_on(tmp_path, nothing, present=False)
    assert verdict.status is Status.PASSED
    assert codes(verdict) == {"atproto.absence-ok"}


def test_a_site_without_log_is_no_pass_of_its_own(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, nothing, did="did:web:jan.test")
    assert codes(verdict) == {
        *("atproto.proof-without-log", "atproto.key-of-web-site"),
        "atproto.media-ok",
    }
    (host,) = [one for one in verdict.findings if one.code == "atproto.key-of-web-site"]
    assert host.params["host"] == "jan.test"


@pytest.mark.parametrize(
    "change",
    [
        told(lambda one: one.update(claim="absent")),
        told(lambda one: one.update(revision="3m65cqzzs2k2b")),
        told(lambda one: one.update(commit=one["record"])),
        told(lambda one: one.update(record=one["commit"])),
        told(lambda one: one.update(key=str(Key(99)))),
        told(lambda one: one.update(key_source="document")),
        told(lambda one: one.update(rkey="3mabcdefghabd")),
        told(lambda one: one.update(did="did:plc:" + "a" * 24)),
        told(lambda one: one.update(collection="app.bsky.feed.like")),
        told(lambda one: one["files"].update(car=None)),
        told(lambda one: one["files"].update(log=FILES["document"])),
        told(lambda one: one.update(extra=1)),
        told(lambda one: one.pop("blobs")),
        lambda case: case.files.update({PROOF: b'{"a": 1, "a": 2}'}),
        lambda case: case.files.update({PROOF: b"[]"}),
        lambda case: case.files.update({FILES["car"]: case.files[FILES["car"]] + b"\0"}),
        lambda case: case.files.update({FILES["log"]: account(Key(98)).json()}),
        lambda case: case.files.update({FILES["record"]: b"[]"}),
        replaced(FILES["record"], b"waar je woont", b"waar je werkt"),
    ],
)
def test_a_claim_that_the_files_do_not_bear_out_is_failed(
    change: Callable[[Case], object], tmp_path: Path
) -> None:
    verdict = verdict_on(tmp_path, change)
    assert "atproto.proof-broken" in codes(verdict)
    assert "atproto.proof-ok" not in codes(verdict)
    assert verdict.status is Status.FAILED
    assert verdict.states[0] is State.CONTRADICTORY


def test_the_text_of_the_post_is_held_by_the_signature(tmp_path: Path) -> None:
    """Post and raw answer changed alike agree with each other, but not with what was signed."""

    def both(case: Case) -> None:
        for name in (FILES["record"], "data/post.json"):
            replaced(name, b"waar je woont", b"waar je werkt")(case)

    verdict = verdict_on(tmp_path, both)
    assert "post.ok" in {finding.code for finding in verdict.findings}
    assert "atproto.proof-broken" in codes(verdict)


def test_a_true_proof_of_another_post_is_failed(tmp_path: Path) -> None:
    def another_page(case: Case) -> None:
        case.record["page"]["requested_url"] = "http://127.0.0.1:1/profile/jan.test/post/3mother"

    assert codes(verdict_on(tmp_path, another_page)) == {"atproto.proof-broken"}

    def another_post(case: Case) -> None:
        uri = b"at://" + LOG.did.encode()
        for name in (FILES["record"], "data/post.json"):
            replaced(name, uri, b"at://did:plc:" + b"a" * 24)(case)

    assert codes(verdict_on(tmp_path, another_post, log=LOG)) == {"atproto.proof-broken"}


@pytest.mark.parametrize("key", ["post", "3mabc", "3mabcdefghabd"])
def test_a_true_absence_of_another_record_is_failed(key: str, tmp_path: Path) -> None:
    """No repository holds a record called ``post``, and every address of a post has that word."""
    verdict = verdict_on(tmp_path, told(lambda one: one.update(rkey=key)), present=False)
    assert codes(verdict) == {"atproto.proof-broken"}


@pytest.mark.parametrize("present", [True, False])
def test_another_account_than_the_address_names_is_not_passed_over(
    present: bool, tmp_path: Path
) -> None:
    """What somebody else's repository holds or lacks says nothing about who was asked for."""

    def asked(account: str) -> Verdict:
        def ask(case: Case) -> None:
            url = case.record["page"]["requested_url"]
            case.record["page"]["requested_url"] = url.replace("jan.test", account)

        return verdict_on(tmp_path, ask, present=present, log=LOG)

    verdict = asked("piet.test")
    assert codes(verdict) == {"atproto.not-checked"}
    assert verdict.status is Status.INDETERMINATE
    for own in (LOG.did, "@Jan.Test", LOG.did.replace(":", "%3A")):
        good = asked(own)
        assert "atproto.not-checked" not in codes(good)
        assert good.status is Status.PASSED


@pytest.mark.parametrize("name", [*FILES.values(), PROOF])
def test_a_file_that_is_not_there_is_said(name: str, tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, lambda case: case.files.pop(name))
    assert codes(verdict) == {"atproto.not-checked"}
    assert verdict.status is not Status.PASSED


def test_a_kind_of_a_later_version_is_not_checked(tmp_path: Path) -> None:
    def later(case: Case) -> None:
        case.record["platform"]["proof"]["kind"] = "atproto-record/9"

    verdict = verdict_on(tmp_path, later)
    assert codes(verdict) == {"atproto.not-checked"}
    assert verdict.status is Status.INDETERMINATE


def test_media_must_be_named_and_equal(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, lambda case: case.files.update({MEDIA: b"other"}))
    assert "atproto.media-differs" in codes(verdict)
    other = told(lambda one: one["blobs"][0].update(cid=one["commit"]))
    assert "atproto.media-differs" in codes(verdict_on(tmp_path, other))
    gone = verdict_on(tmp_path, lambda case: case.files.pop(MEDIA))
    assert codes(gone) == {"atproto.proof-ok", "atproto.not-checked"}


def test_what_the_server_failed_to_prove_spoils_nothing(tmp_path: Path) -> None:
    """A server's nonsense is shown; it must not be able to make a good bundle FAILED."""
    verdict = verdict_on(tmp_path, told(lambda one: one.update(claim="not-proven", why="kapot")))
    assert codes(verdict) == {"atproto.not-proven"}
    assert verdict.status is Status.PASSED


def test_show_gives_the_findings_too(tmp_path: Path) -> None:
    case = example()
    add_proof(case)
    found = show(case.write(tmp_path), anchors=trusted(), now=NOW)
    assert "atproto.proof-ok" in codes(found.verdict)
