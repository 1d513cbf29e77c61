"""Bluesky end to end: a real PDS and PLC directory, the real program, the proof checked offline."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.core.events import Silent
from evidence_kit.platforms.base import ApiFolder, PlatformResult, State
from evidence_kit.platforms.bluesky import BlueskyAdapter
from evidence_kit.seal.atproto_cbor import ProofError
from evidence_kit.seal.atproto_proof import KeySource, check_proof
from tests.fixtures_atproto import Network, atproto, with_picture
from tests.fixtures_capture import evidence_kit, new_home
from tests.platform_tools import check_result, recording

__all__ = ["atproto"]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("atproto")]


def fetched(network: Network, url: str, folder: Path) -> tuple[PlatformResult, Path]:
    """What the adapter finds out about a post, and the bag."""
    adapter = BlueskyAdapter(api=network.front.address, plc=network.front.address)
    target = adapter.recognise(url)
    assert target is not None
    bag = folder / "bag"
    out = ApiFolder(bag)
    with recording(folder / "wire") as session:
        result = adapter.fetch(target, session, out, Silent())
    check_result(result, out, bag)
    return result, bag


def described(result: PlatformResult, bag: Path) -> dict[str, Any]:
    """The description of the proof."""
    assert result.proof is not None
    found: dict[str, Any] = json.loads((bag / result.proof.file).read_bytes())
    return found


def proven(network: Network, uri: str) -> Any:
    """The report on a record, with everything straight from the servers."""
    car, log, document = network.proof(uri)
    did, path = uri.removeprefix("at://").split("/", 1)
    return check_proof(car, did=did, path=path, log=log, document=document)


def test_a_post_is_proven_with_everything_around_it(atproto: Network, tmp_path: Path) -> None:
    root = with_picture(atproto, "Hé, dit is een tést-bericht 🚲 met plaatje")
    ref = {"root": root, "parent": root}
    reply = atproto.post(atproto.piet, "Ik weet waar je woont", reply=ref)
    answer = atproto.post(atproto.jan, "antwoord", reply={"root": root, "parent": reply})
    result, bag = fetched(atproto, atproto.page(atproto.piet, reply["uri"]), tmp_path)
    assert result.state is State.FOUND
    assert [post.role for post in result.posts] == ["post", "ancestor", "reply"]
    values = {name: found.value for name, found in result.posts[0].fields.items()}
    assert values["text"] == "Ik weet waar je woont"
    assert values["id"] == reply["uri"]
    assert values["author_handle"] == "piet.test"
    assert values["author_id"] == atproto.piet.did
    assert values["reply_to"] == values["conversation"] == root["uri"]
    assert (values["language"], values["likes"], values["replies"]) == ("nl", 3, 1)
    assert result.posts[2].fields["id"].value == answer["uri"]
    told = described(result, bag)
    assert (told["claim"], told["key_source"], told["record"]) == ("included", "log", reply["cid"])
    assert result.permalink is not None
    assert atproto.piet.did in result.permalink


def test_pictures_come_from_the_author_and_have_the_signed_hash(
    atproto: Network, tmp_path: Path
) -> None:
    root = with_picture(atproto, "met plaatje")
    result, bag = fetched(atproto, atproto.page(atproto.jan, root["uri"]), tmp_path)
    (media,) = result.media
    assert media.alt == "een kleurvlak"
    assert (bag / media.path).read_bytes().startswith(b"\x89PNG")
    (blob,) = described(result, bag)["blobs"]
    assert blob["file"] == media.path


def test_a_quoted_post_is_read(atproto: Network, tmp_path: Path) -> None:
    root = atproto.post(atproto.jan, "wordt geciteerd")
    embed = {"$type": "app.bsky.embed.record", "record": root}
    quoting = atproto.post(atproto.piet, "Kijk hier", embed=embed)
    result, _ = fetched(atproto, atproto.page(atproto.piet, quoting["uri"]), tmp_path)
    quoted = [post for post in result.posts if post.role == "quoted"]
    assert [post.fields["text"].value for post in quoted] == ["wordt geciteerd"]
    assert quoted[0].fields["author_handle"].value == "jan.test"


def test_records_are_found_at_any_depth_and_only_there(atproto: Network) -> None:
    posts = [atproto.post(atproto.piet, f"bericht {number}") for number in range(40)]
    for post in posts:
        report = proven(atproto, post["uri"])
        assert (str(report.record), report.key_source) == (post["cid"], KeySource.LOG)
        assert report.value["text"].startswith("bericht ")
    for post in posts[::4]:
        atproto.delete(atproto.piet, post["uri"])
    for number, post in enumerate(posts):
        assert proven(atproto, post["uri"]).present == (number % 4 != 0)


def test_a_proof_of_one_thing_proves_no_other(atproto: Network) -> None:
    one = atproto.post(atproto.jan, "een")
    two = atproto.post(atproto.jan, "twee")
    car, log, document = atproto.proof(one["uri"])
    path = one["uri"].split("/", 3)[3]
    other_log, other_document = atproto.proof(atproto.post(atproto.piet, "drie")["uri"])[1:]
    did = atproto.jan.did
    with pytest.raises(ProofError):
        check_proof(car, did=did, path=two["uri"].split("/", 3)[3], log=log, document=document)
    with pytest.raises(ProofError, match="belongs to another account"):
        check_proof(car, did=did, path=path, log=other_log, document=document)
    with pytest.raises(ProofError, match="commit belongs to another account"):
        check_proof(car, did=atproto.piet.did, path=path, log=other_log, document=other_document)
    with pytest.raises(ProofError, match="not the signed one"):
        check_proof(
            car, did=did, path=path, log=log, document=document, expected={"text": "anders"}
        )


def test_without_the_log_only_the_document_names_the_key(atproto: Network) -> None:
    uri = atproto.post(atproto.jan, "zonder logboek")["uri"]
    car, _, document = atproto.proof(uri)
    path = uri.split("/", 3)[3]
    report = check_proof(car, did=atproto.jan.did, path=path, log=None, document=document)
    assert report.key_source is KeySource.DOCUMENT
    with pytest.raises(ProofError, match="no key of the account"):
        check_proof(car, did=atproto.jan.did, path=path, log=None, document=None)


def _every_flip_is_noticed(network: Network, uri: str) -> None:
    """Each changed byte of CAR and log is refused; the message never comes from elsewhere."""
    car, log, document = network.proof(uri)
    did, path = uri.removeprefix("at://").split("/", 1)
    good = check_proof(car, did=did, path=path, log=log, document=document)
    for at in range(len(car)):
        for bit in (1, 0x80):
            changed = bytearray(car)
            changed[at] ^= bit
            with pytest.raises(ProofError):
                check_proof(bytes(changed), did=did, path=path, log=log, document=document)
    for at in range(len(log)):
        changed = bytearray(log)
        changed[at] ^= 1
        try:
            report = check_proof(car, did=did, path=path, log=bytes(changed), document=None)
        except ProofError:
            continue
        # What is left is the directory's own word: the time that it noted, in its entries.
        assert b'"createdAt":"' in log[max(0, at - 40) : at]
        assert report == good
    for cut in range(len(car)):
        with pytest.raises(ProofError):
            check_proof(car[:cut], did=did, path=path, log=log, document=document)


@pytest.mark.parametrize("present", [True, False], ids=["included", "absent"])
def test_every_changed_byte_of_a_real_proof_is_noticed(atproto: Network, present: bool) -> None:
    uri = atproto.post(atproto.jan, "elke byte telt")["uri"]
    if not present:
        atproto.delete(atproto.jan, uri)
    _every_flip_is_noticed(atproto, uri)


def test_a_deactivated_account_is_named_so(atproto: Network, tmp_path: Path) -> None:
    post = atproto.post(atproto.piet, "wordt slapend")
    atproto.call("com.atproto.server.deactivateAccount", atproto.piet.token, {})
    try:
        rkey = post["uri"].rpartition("/")[2]
        url = f"{atproto.front.address}/profile/{atproto.piet.did}/post/{rkey}"
        result, _ = fetched(atproto, url, tmp_path)
    finally:
        atproto.call("com.atproto.server.activateAccount", atproto.piet.token, None)
    assert result.state is State.NOT_THERE
    codes = {gap.code for gap in result.gaps}
    assert "record-proof.deactivated" in codes


@dataclass(frozen=True)
class Sealed:
    """A bundle made by the real program, and what it was trusted with."""

    bundle: Path
    stdout: str
    exit_code: int

    def read(self, name: str) -> bytes:
        with zipfile.ZipFile(self.bundle) as archive:
            return archive.read(name)

    @property
    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.read("data/capture.json"))
        return found


def sealed(network: Network, url: str, folder: Path, home: Path) -> Sealed:
    """Capture with the program as a user runs it."""
    ended = evidence_kit(
        *("capture", url, "--allow-private", "--no-tsa", "--output", str(folder)),
        *("--passphrase-fd", "0", "--json"),
        home=home,
        **network.environ,
    )
    assert ended.stdout, ended.stderr
    (bundle,) = folder.glob("*.asice")
    return Sealed(bundle, ended.stdout, ended.returncode)


def verified(bundle: Path, home: Path, *, lang: str = "en") -> tuple[int, dict[str, str]]:
    """Exit code and finding codes with their sentences; no server is asked."""
    pem = home / "signer.pem"
    pem.write_text(evidence_kit("identity", "show", "--pem", home=home).stdout, "utf-8")
    ended = evidence_kit(
        *("verify", str(bundle), "--trust", str(pem), "--accept", "no-timestamp"),
        *("--lang", lang, "--json"),
        home=home,
    )
    found = json.loads(ended.stdout)["bundles"][0]["findings"]
    return ended.returncode, {item["code"]: item["text"] for item in found}


@pytest.mark.browser
def test_capture_prove_delete_and_prove_the_absence(atproto: Network, tmp_path: Path) -> None:
    """The whole way: posted, captured, verified offline; deleted, captured, absence verified."""
    home = new_home(tmp_path)
    post = with_picture(atproto, "Pas maar op, ik weet waar je woont")
    url = atproto.page(atproto.jan, post["uri"])
    # A page that names its cookie after the proof must not get any of it masked.
    atproto.front.cookie = atproto.jan.did.rpartition(":")[2]
    first = sealed(atproto, url, tmp_path / "first", home)
    atproto.front.cookie = ""
    assert first.record["platform"]["state"] == "found"
    assert first.record["content_check"]["state"] == "present"
    code, said = verified(first.bundle, home, lang="nl")
    assert code == 0, said
    assert atproto.jan.did in said["atproto.proof-ok"]
    assert "Meestal beheert die server de sleutel" in said["atproto.proof-ok"]
    assert "atproto.media-ok" in said
    shown = evidence_kit("show", str(first.bundle), "--lang", "nl", home=home).stdout
    assert "Ondertekend door het platform" in shown
    told = evidence_kit("verify", str(first.bundle), "--lang", "en", home=home).stdout
    assert "The author's server signed this post with the key" in told

    atproto.delete(atproto.jan, post["uri"])
    second = sealed(atproto, url, tmp_path / "second", home)
    assert second.exit_code == 4
    assert second.record["platform"]["state"] == "not-there"
    code, said = verified(second.bundle, home)
    assert code == 0, said
    proof = json.loads(second.read(second.record["platform"]["proof"]["file"]))
    assert proof["claim"] == "absent"
    assert proof["revision"] in said["atproto.absence-ok"]
    assert "nor who removed it" in said["atproto.absence-ok"]
    assert first.record["platform"]["proof"]["kind"] == "atproto-record/1"


@pytest.mark.browser
def test_with_an_app_password_a_post_for_accounts_only_is_had(
    atproto: Network, tmp_path: Path
) -> None:
    """A real session at the real server, used once, ended, and no secret of it in the bundle."""
    made = atproto.call("com.atproto.server.createAppPassword", atproto.piet.token, {"name": "kit"})
    post = atproto.post(atproto.jan, "alleen voor wie is aangemeld")
    atproto.front.hidden.add(post["uri"])
    home = new_home(tmp_path)
    folder = tmp_path / "out"
    ended = evidence_kit(
        *("capture", atproto.page(atproto.jan, post["uri"]), "--allow-private", "--no-tsa"),
        *("--output", str(folder), "--passphrase-fd", "0", "--json"),
        home=home,
        **atproto.environ,
        BLUESKY_IDENTIFIER=atproto.piet.handle,
        BLUESKY_APP_PASSWORD=made["password"],
        BLUESKY_SERVICE=atproto.front.address,
    )
    (bundle,) = folder.glob("*.asice")
    found = Sealed(bundle, ended.stdout, ended.returncode)
    platform = found.record["platform"]
    assert platform["token_used"], platform
    assert "session.used" in {gap["code"] for gap in platform["gaps"]}
    posts = json.loads(found.read("data/post.json"))["posts"]
    assert posts[0]["likes"]["value"] == 3
    assert "thread-as-account" in posts[0]["likes"]["source"]["file"]
    warc = found.read("data/api/exchanges.warc")
    assert b"createSession" in warc
    assert b"deleteSession" in warc
    assert b'"accessJwt":"REDACTED#' in warc
    everything = bundle.read_bytes() + ended.stdout.encode() + ended.stderr.encode()
    assert made["password"].encode() not in everything
    assert b"eyJ" not in everything
    assert b"piet@example.com" not in everything
    assert verified(bundle, home)[0] == 0
