"""Proofs of records and of absence, made here in good and bad forms; nothing outside is needed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.seal.atproto_cbor import (
    RAW,
    Cid,
    ProofError,
    from_json,
)
from evidence_kit.seal.atproto_did import is_did, read_document, web_host
from evidence_kit.seal.atproto_plc import check_log
from evidence_kit.seal.atproto_proof import KeySource, check_proof, tid_time
from tests.atproto_repo import (
    COLLECTION,
    REV,
    ROTATION,
    SIGNING,
    Key,
    Log,
    Repo,
    account,
    document,
    post,
    state,
    with_image,
)

PATHS = [f"{COLLECTION}/3mabcdefgh{a}{b}2" for a in "234567" for b in "abcdefgh"]
PATH, GONE = PATHS[20], f"{COLLECTION}/3mabcdefgh2zz"


def repo(**change: Any) -> tuple[Repo, Log]:
    """A repository of some fifty posts, and its account's log."""
    log = change.pop("log", None) or account()
    records = {path: post(f"bericht {number}") for number, path in enumerate(PATHS)}
    return Repo(**{"did": log.did, "key": SIGNING, "records": records, **change}), log


def report(made: Repo, log: Log | None, path: str = PATH, **more: Any) -> Any:
    return check_proof(
        made.car(path),
        did=made.did,
        path=path,
        log=log.json() if log is not None else None,
        document=more.pop("document", None),
        **more,
    )


def refused(match: str, made: Repo, log: Log | None, path: str = PATH, **more: Any) -> None:
    with pytest.raises(ProofError, match=match):
        report(made, log, path, **more)


class TestLog:
    def test_an_ordinary_log(self) -> None:
        log = account()
        told = check_log(log.json(), log.did)
        assert told.signing_key == SIGNING.public
        assert (told.handles, told.service) == (("jan.test",), "https://pds.invalid")
        assert (told.operations, told.nullified, told.closed) == (1, 0, False)

    def test_keys_that_were_replaced_are_told(self) -> None:
        first, second = Key(5), Key(6, "P-256")
        log = Log().add(ROTATION, **state([ROTATION], first))
        log.add(ROTATION, after=timedelta(days=1), **state([ROTATION], second))
        log.add(ROTATION, after=timedelta(days=2), **state([ROTATION], SIGNING))
        told = check_log(log.json(), log.did)
        assert told.signing_key == SIGNING.public
        assert told.earlier_keys == (second.public, first.public)

    def test_a_first_operation_of_the_old_form(self) -> None:
        recovery = Key(9)
        log = Log().add(
            SIGNING,
            type="create",
            signingKey=str(SIGNING),
            recoveryKey=str(recovery),
            handle="jan.test",
            service="pds.invalid",
        )
        told = check_log(log.json(), log.did)
        assert told.signing_key == SIGNING.public
        assert (told.handles, told.service) == (("jan.test",), "https://pds.invalid")
        log.add(recovery, **state([ROTATION], Key(4)))
        assert check_log(log.json(), log.did).signing_key == Key(4).public

    def test_a_closed_account_has_no_key(self) -> None:
        log = account().add(ROTATION, type="plc_tombstone")
        told = check_log(log.json(), log.did)
        assert told.closed
        assert told.signing_key is None
        assert told.earlier_keys == (SIGNING.public,)

    def _recovered(self, hours: float, by: Key, strong: Key, weak: Key) -> Log:
        log = Log().add(strong, **state([strong, weak], SIGNING))
        first = log.entries[0]["cid"]
        log.add(weak, after=timedelta(hours=1), **state([weak], Key(7)))
        log.entries[1]["nullified"] = True
        return log.add(by, after=timedelta(hours=1 + hours), prev=first, **state([strong], Key(8)))

    def test_an_account_that_was_recovered(self) -> None:
        strong, weak = Key(20), Key(21)
        log = self._recovered(71, strong, strong, weak)
        told = check_log(log.json(), log.did)
        assert (told.operations, told.nullified) == (2, 1)
        assert told.signing_key == Key(8).public
        assert Key(7).public not in told.earlier_keys

    def test_recovery_has_its_rules(self) -> None:
        strong, weak = Key(20), Key(21)
        late = self._recovered(73, strong, strong, weak)
        with pytest.raises(ProofError, match="too late"):
            check_log(late.json(), late.did)
        same = self._recovered(1, weak, strong, weak)
        with pytest.raises(ProofError, match="stronger"):
            check_log(same.json(), same.did)
        unmarked = self._recovered(1, strong, strong, weak)
        unmarked.entries[1]["nullified"] = False
        with pytest.raises(ProofError, match="undone"):
            check_log(unmarked.json(), unmarked.did)
        unmarked.entries[1]["nullified"] = unmarked.entries[2]["nullified"] = True
        with pytest.raises(ProofError, match="undone"):
            check_log(unmarked.json(), unmarked.did)
        after = self._recovered(1, strong, strong, weak)
        after.add(
            weak, after=timedelta(hours=3), prev=after.entries[1]["cid"], **state([weak], None)
        )
        with pytest.raises(ProofError, match="not in force"):
            check_log(after.json(), after.did)

    @pytest.mark.parametrize(
        ("match", "change"),
        [
            ("signed by a key", lambda log: log.add(Key(30), **state([ROTATION], Key(3)))),
            ("signed by a key", lambda log: log.add(SIGNING, **state([ROTATION], Key(3)))),
            (
                "signed by a key",
                lambda log: log.add(ROTATION, high=True, **state([ROTATION], Key(3))),
            ),
            (
                "not in the log",
                lambda log: log.add(ROTATION, prev="x", **state([ROTATION], Key(3))),
            ),
            (
                "right form",
                lambda log: log.add(ROTATION, change=_padded, **state([ROTATION], Key(3))),
            ),
            (
                "right form",
                lambda log: log.add(ROTATION, change=_loose_bits, **state([ROTATION], Key(3))),
            ),
            ("unknown type", lambda log: log.add(ROTATION, type="plc_other")),
            ("another form", lambda log: log.add(ROTATION, **state([], SIGNING))),
            ("another form", lambda log: log.add(ROTATION, rotationKeys=[str(ROTATION)])),
            ("another form", lambda log: log.add(ROTATION, type="create", signingKey="x")),
            (
                "did:key",
                lambda log: log.add(ROTATION, **{**state([ROTATION], None), "rotationKeys": ["x"]}),
            ),
            ("hash", lambda log: log.entries[0].update(cid=str(Cid.of(b"")))),
            ("another account", lambda log: log.entries[0].update(did="did:plc:" + "a" * 24)),
            ("another account", lambda log: log.entries[0].update(nullified=None)),
            ("cannot be read", lambda log: log.entries[0].update(createdAt="gisteren")),
            (
                "cannot be read",
                lambda log: log.entries[0].update(createdAt="0001-01-01T00:00:00+23:00"),
            ),
            (
                "out of order",
                lambda log: log.add(ROTATION, after=-timedelta(1), **state([ROTATION], Key(3))),
            ),
            ("has the form|another form", lambda log: log.entries.clear()),
            ("another form", lambda log: log.entries.insert(0, 7)),
            ("undone", lambda log: log.entries[0].update(nullified=True)),
        ],
    )
    def test_other_logs_are_refused(self, match: str, change: Callable[[Log], object]) -> None:
        log = account()
        change(log)
        with pytest.raises(ProofError, match=match):
            check_log(log.json(), log.did)

    def test_the_first_operation_must_be_the_one_of_the_did(self) -> None:
        mine, other = account(), account(Key(40))
        text = json.dumps(other.entries).replace(other.did, mine.did)
        with pytest.raises(ProofError, match="hash of"):
            check_log(text.encode(), mine.did)

    @given(st.binary(max_size=100))
    def test_nonsense_is_refused(self, data: bytes) -> None:
        with pytest.raises(ProofError):
            check_log(data, account().did)

    def test_every_changed_byte_is_noticed_or_is_a_time(self) -> None:
        log = account().add(ROTATION, after=timedelta(hours=1), **state([ROTATION], Key(3)))
        data = log.json()
        for at in range(len(data)):
            changed = bytearray(data)
            changed[at] ^= 1
            try:
                check_log(bytes(changed), log.did)
            except ProofError:
                continue
            assert b'"createdAt": "' in data[max(0, at - 40) : at]


def _padded(operation: dict[str, Any]) -> None:
    operation["sig"] += "=="


def _loose_bits(operation: dict[str, Any]) -> None:
    """The same signature with other unused bits in its last character."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(operation["sig"][-1])
    operation["sig"] = operation["sig"][:-1] + alphabet[last ^ 1]


class TestDocument:
    def test_reading(self) -> None:
        told = read_document(document("did:web:jan.test", SIGNING), "did:web:jan.test")
        assert told.signing_key == SIGNING.public
        assert (told.service, told.handles) == ("https://pds.invalid", ("jan.test",))

    @pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"id": "did:web:piet.test"}', b"\xff"])
    def test_other_documents_are_refused(self, data: bytes) -> None:
        with pytest.raises(ProofError):
            read_document(data, "did:web:jan.test")

    @pytest.mark.parametrize(
        "data",
        [
            {"verificationMethod": 7, "service": {}, "alsoKnownAs": "x"},
            {"verificationMethod": [7, {"id": "#atproto"}], "service": [{"id": "#atproto_pds"}]},
            {"verificationMethod": [{"id": "#other"}], "alsoKnownAs": [1, "https://x"]},
        ],
    )
    def test_what_is_not_there_is_empty(self, data: dict[str, Any]) -> None:
        raw = json.dumps({"id": "did:web:jan.test", **data}).encode()
        told = read_document(raw, "did:web:jan.test")
        assert (told.signing_key, told.service, told.handles) == (None, "", ())

    @pytest.mark.parametrize(
        ("did", "good", "host"),
        [
            ("did:plc:ewvi7nxzyoun6zhxrhs64oiz", True, ""),
            ("did:plc:EWVI7NXZYOUN6ZHXRHS64OIZ", False, ""),
            ("did:plc:short", False, ""),
            ("did:web:jan.test", True, "jan.test"),
            ("did:web:localhost%3A8080", True, "localhost:8080"),
            ("did:web:jan.test:pad", False, ""),
            ("did:web:jan.test/x", False, ""),
            ("did:web:jan@test", False, ""),
            ("did:key:z", False, ""),
        ],
    )
    def test_kinds_of_did(self, did: str, good: bool, host: str) -> None:
        assert (is_did(did), web_host(did)) == (good, host)


class TestProof:
    @pytest.mark.parametrize("curve", ["secp256k1", "P-256"])
    def test_included_and_absent(self, curve: str) -> None:
        key = Key(50, curve)
        made, log = repo(key=key, log=account(key))
        for number, path in enumerate(PATHS):
            told = report(made, log, path)
            assert told.present
            assert told.value == post(f"bericht {number}")
            assert (told.key_source, told.revision, told.operations) == (KeySource.LOG, REV, 1)
        told = report(made, log, GONE)
        assert (told.present, told.value, told.blobs) == (False, None, ())

    def test_an_empty_repository_holds_nothing(self) -> None:
        made, log = repo(records={})
        assert not report(made, log).present

    def test_expected_record(self) -> None:
        record = with_image("met plaatje", b"\x89PNG")
        made, log = repo(records={PATH: from_json(record)})
        told = report(made, log, expected=record)
        assert told.blobs == (Cid.of(b"\x89PNG", RAW),)
        refused("not the signed one", made, log, expected={**record, "text": "anders"})
        refused("not the signed one", made, log, GONE, expected=record)

    def test_a_key_that_was_replaced(self) -> None:
        log = account(Key(60)).add(ROTATION, after=timedelta(1), **state([ROTATION], SIGNING))
        made, _ = repo(log=log, key=Key(60))
        assert report(made, log).key_source is KeySource.LOG_EARLIER

    def test_keys_of_documents(self) -> None:
        made, log = repo(did="did:web:jan.test")
        told = report(made, None, document=document(made.did, SIGNING))
        assert told.key_source is KeySource.DOCUMENT
        made, log = repo(key=Key(61))
        refused("no key", made, log)
        told = report(made, log, document=document(made.did, Key(61)))
        assert told.key_source is KeySource.DOCUMENT
        refused("no key", made, None)

    @pytest.mark.parametrize(
        ("match", "change"),
        [
            ("no key", {"key": Key(70)}),
            ("no key", {"high": True}),
            ("another version", {"change": lambda commit: commit.update(version=2)}),
            ("another account", {"change": lambda commit: commit.update(did="did:plc:x")}),
            ("another form", {"change": lambda commit: commit.update(rev=1)}),
            ("missing", {"change": lambda commit: commit.update(data=Cid.of(b"other"))}),
            ("another form", {"change": lambda commit: commit.update(data=str(Cid.of(b"")))}),
            ("prove nothing", {"spoil": lambda blocks: blocks.update({Cid.of(b"\0"): b"\0"})}),
            ("missing", {"spoil": lambda blocks: blocks.pop(list(blocks)[-1])}),
            ("missing", {"spoil": lambda blocks: blocks.pop(next(iter(blocks)))}),
            ("missing", {"spoil": lambda blocks: blocks.pop(list(blocks)[1])}),
        ],
    )
    def test_other_proofs_are_refused(self, match: str, change: dict[str, Any]) -> None:
        made, log = repo(**change)
        refused(match, made, log)

    def test_a_sound_log_of_somebody_else_is_refused(self) -> None:
        made, _ = repo()
        refused("another account", made, account(Key(80)))

    @pytest.mark.parametrize("path", [PATH, GONE])
    def test_every_changed_byte_is_noticed(self, path: str) -> None:
        made, log = repo()
        car = made.car(path)
        for at in range(len(car)):
            changed = bytearray(car)
            changed[at] ^= 1 << at % 8
            with pytest.raises(ProofError):
                check_proof(bytes(changed), did=made.did, path=path, log=log.json(), document=None)

    def test_the_server_s_clock_in_a_revision(self) -> None:
        # 3jzfcijpj2z2a is the example of the TID specification, of June 2023.
        found = tid_time("3jzfcijpj2z2a")
        assert found is not None
        assert datetime(2023, 6, 1, tzinfo=UTC) < found < datetime(2023, 8, 1, tzinfo=UTC)
        for text in ("", "3jzfcijpj2z2", "3jzfcijpj2z21", "3JZFCIJPJ2Z2A", "3jzfcijpj2z2aa"):
            assert tid_time(text) is None
        assert tid_time("222" + "2" * 10) == datetime(1970, 1, 1, tzinfo=UTC)

    @given(st.binary(max_size=60), st.integers(0, 5000))
    def test_nonsense_in_place_of_a_part_is_refused(self, data: bytes, at: int) -> None:
        made, log = _STANDARD
        car = _STANDARD_CAR
        at %= len(car)
        changed = car[:at] + data + car[at + len(data) :]
        if changed == car:
            return
        with pytest.raises(ProofError):
            check_proof(changed, did=made.did, path=PATH, log=log.json(), document=None)


_STANDARD = repo()
_STANDARD_CAR = _STANDARD[0].car(PATH)
