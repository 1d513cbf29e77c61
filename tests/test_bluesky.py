"""Bluesky's adapter against answers of our own making: the server plays what can go wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from evidence_kit.core.events import Silent
from evidence_kit.platforms import bluesky_read
from evidence_kit.platforms.base import ApiFolder, NotThisPlatformError, PlatformResult, State
from evidence_kit.platforms.bluesky import BlueskyAdapter
from evidence_kit.platforms.bluesky_address import page_address
from evidence_kit.seal.atproto_cbor import from_json
from tests.atproto_repo import COLLECTION, SIGNING, Key, Repo, account, document, post, with_image
from tests.platform_tools import Played, check_result, js, playing, recording

RKEY = "3mabcdefghabc"
PATH = f"{COLLECTION}/{RKEY}"
PICTURE = b"\x89PNG\r\n\x1a\n a picture"
AUTHOR = {"handle": "jan.test", "displayName": "Jan"}


class World:
    """A service, a directory and a server at one address, with one account and one post."""

    def __init__(self, record: dict[str, Any] | None = None) -> None:
        self.base = ""
        self.log = account()
        self.did = self.log.did
        self.uri = f"at://{self.did}/{PATH}"
        self.record: dict[str, Any] | None = record or post("Ik weet waar je woont")
        self.signing: Key = SIGNING
        self.shown: Any = None
        self.thread: dict[str, Any] = {}
        self.answers: dict[str, Played] = {}
        self.asked: list[str] = []

    def answer(self, target: str, accept: str) -> Played:
        parts = urlsplit(target)
        name = parts.path.rpartition("/")[2]
        self.asked.append(name)
        if name in self.answers:
            return self.answers[name]
        query = {key: found[0] for key, found in parse_qs(parts.query).items()}
        made: dict[str, Callable[[], Played]] = {
            "com.atproto.identity.resolveHandle": lambda: js({"did": self.did}),
            self.did: self._document,
            "audit": lambda: (200, "application/json", self.log.json()),
            "com.atproto.repo.getRecord": self._record,
            "com.atproto.sync.getRecord": self._car,
            "com.atproto.sync.getRepoStatus": lambda: js({"did": self.did, "active": True}),
            "com.atproto.sync.getLatestCommit": lambda: js({"cid": "x", "rev": "y"}),
            "com.atproto.sync.getBlob": lambda: (200, "image/png", PICTURE),
            "app.bsky.feed.getPostThread": self._thread,
            "app.bsky.feed.getPosts": lambda: js({"posts": []}),
            "app.bsky.actor.getProfile": lambda: js({"did": query["actor"], **AUTHOR}),
        }
        return made[name]() if name in made else (404, "text/plain", b"")

    def _document(self) -> Played:
        text = document(self.did, self.signing).replace(b"https://pds.invalid", self.base.encode())
        return 200, "application/did+ld+json", text

    def _record(self) -> Played:
        if self.record is None:
            return js({"error": "RecordNotFound", "message": "no"}, 400)
        return js({"uri": self.uri, "cid": "x", "value": self.record})

    def _car(self) -> Played:
        records = {PATH: from_json(self.record)} if self.record is not None else {}
        car = Repo(self.did, self.signing, records).car(PATH)
        return 200, "application/vnd.ipld.car", car

    def view(self, record: Any = None, rkey: str = RKEY) -> dict[str, Any]:
        uri = f"at://{self.did}/{COLLECTION}/{rkey}"
        author = {"did": self.did, **AUTHOR}
        return {"uri": uri, "author": author, "record": record or self.record, "likeCount": 3}

    def _thread(self) -> Played:
        shown = self.shown or self.record
        if shown is None:
            return js({"error": "NotFound", "message": "Post not found"}, 400)
        node = {"$type": "app.bsky.feed.defs#threadViewPost", "post": self.view(shown)}
        return js({"thread": {**node, **self.thread}})


def fetch(world: World, folder: Path, url: str = "") -> tuple[PlatformResult, Path]:
    bag = folder / "bag"
    out = ApiFolder(bag)
    with playing(world.answer) as base, recording(folder / "wire") as session:
        world.base = base
        adapter = BlueskyAdapter(api=base, plc=base)
        target = adapter.recognise(url or f"https://bsky.app/profile/jan.test/post/{RKEY}")
        assert target is not None
        result = adapter.fetch(target, session, out, Silent())
    check_result(result, out, bag)
    return result, bag


def gaps(result: PlatformResult) -> dict[str, str]:
    found = {gap.code: gap.detail for gap in result.gaps}
    found.pop("endpoint.configured")
    return found


def proof(result: PlatformResult, bag: Path) -> dict[str, Any]:
    assert result.proof is not None
    found: dict[str, Any] = json.loads((bag / result.proof.file).read_bytes())
    return found


DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"


@pytest.mark.parametrize(
    ("url", "actor", "base"),
    [
        (f"https://bsky.app/profile/jan.test/post/{RKEY}", "jan.test", "https://bsky.app"),
        (f"https://bsky.app/profile/{DID}/post/{RKEY}", DID, "https://bsky.app"),
        (f"https://bsky.app/profile/@jan.test/post/{RKEY}/", "jan.test", "https://bsky.app"),
        (f"https://bsky.app/profile/jan.test/post/{RKEY}?ref_src=embed#x", "jan.test", None),
        (f"https://bsky.app/profile/jan.test/post/{RKEY}/quotes", "jan.test", None),
        ("https://bsky.app/profile/jan.test/post/my-own_key", "jan.test", None),
        (f"https://staging.bsky.app/profile/jan.test/post/{RKEY}", "jan.test", None),
        (
            f"https://elders.invalid/profile/jan.test/post/{RKEY}",
            "jan.test",
            "https://elders.invalid",
        ),
        (f"https://embed.bsky.app/embed/{DID}/app.bsky.feed.post/{RKEY}", DID, "https://bsky.app"),
        (f"at://{DID}/app.bsky.feed.post/{RKEY}", DID, "https://bsky.app"),
        (f"at://jan.test/app.bsky.feed.post/{RKEY}", "jan.test", "https://bsky.app"),
        ("https://bsky.app/profile/did:web:jan.test/post/3k", "did:web:jan.test", None),
    ],
)
def test_every_form_of_the_address(url: str, actor: str, base: str | None) -> None:
    target = BlueskyAdapter().recognise(url)
    assert target is not None
    assert (target.url, target.author) == (url, actor)
    assert base is None or target.base == base


@pytest.mark.parametrize(
    "url",
    [
        "https://bsky.app/profile/jan.test",
        "https://bsky.app/profile/jan/post/3k",
        "https://elders.invalid/profile/jan.test/post/12",
        "https://elders.invalid/profile/jan/post/" + RKEY,
        f"https://bsky.app/profile/jan.test/feed/{RKEY}",
        f"at://{DID}/app.bsky.feed.like/{RKEY}",
        "https://embed.bsky.app/embed/x",
        "at://",
    ],
)
def test_other_addresses_are_left_alone(url: str) -> None:
    assert BlueskyAdapter().recognise(url) is None


def test_an_at_address_has_a_page() -> None:
    page = f"https://bsky.app/profile/{DID}/post/{RKEY}"
    assert page_address(f"at://{DID}/app.bsky.feed.post/{RKEY}") == page
    assert page_address(page) == page
    assert page_address("at://x/y/z") == "at://x/y/z"


def test_found_and_proven(tmp_path: Path) -> None:
    world = World()
    result, bag = fetch(world, tmp_path)
    assert result.state is State.FOUND
    assert gaps(result) == {}
    told = proof(result, bag)
    assert (told["claim"], told["key_source"], told["did"]) == ("included", "log", world.did)
    fields = result.posts[0].fields
    assert fields["text"].source.file == told["files"]["record"]
    assert fields["created"].precision == "millisecond"
    assert fields["author_name"].value == "Jan"
    assert result.permalink == f"https://bsky.app/profile/{world.did}/post/{RKEY}"
    assert told["files"]["car"].endswith(".car")
    assert result.proof is not None
    assert set(result.proof.files) == {*told["files"].values(), result.proof.file}


def test_a_removed_post_is_proven_absent(tmp_path: Path) -> None:
    world = World()
    world.record = None
    result, bag = fetch(world, tmp_path)
    assert result.state is State.NOT_THERE
    assert proof(result, bag)["claim"] == "absent"
    found = gaps(result)
    assert {"record.not-there", "thread.not-shown", "record.absent"} <= found.keys()
    assert "may have led to another" in found["handle.may-have-moved"]
    assert result.posts == ()


def test_the_service_may_still_show_what_the_server_does_not_hold(tmp_path: Path) -> None:
    world = World()
    world.record, world.shown = None, post("nog te zien")
    result, bag = fetch(world, tmp_path)
    assert result.state is State.FOUND
    assert proof(result, bag)["claim"] == "absent"
    assert result.posts[0].fields["text"].value == "nog te zien"
    assert "record.absent" in gaps(result)


def test_the_server_may_hold_what_the_service_does_not_show(tmp_path: Path) -> None:
    world = World()
    world.answers["app.bsky.feed.getPostThread"] = js({"error": "NotFound"}, 400)
    result, bag = fetch(world, tmp_path)
    assert result.state is State.FOUND
    assert proof(result, bag)["claim"] == "included"
    assert "thread.not-shown" in gaps(result)
    assert result.posts[0].fields["author_handle"].value == "jan.test"


def test_service_and_server_that_tell_different_things(tmp_path: Path) -> None:
    world = World()
    world.shown = post("iets anders")
    result, _ = fetch(world, tmp_path)
    assert result.posts[0].fields["text"].value == "Ik weet waar je woont"
    assert "record.differs" in gaps(result)


@pytest.mark.parametrize(
    ("name", "status", "state", "code"),
    [
        ("RepoTakendown", 400, State.GONE, "record.taken-down"),
        ("AccountTakedown", 403, State.GONE, "record.taken-down"),
        ("RepoDeactivated", 400, State.NOT_THERE, "record.deactivated"),
        ("RepoSuspended", 400, State.NOT_THERE, "record.suspended"),
        ("RepoNotFound", 400, State.NOT_THERE, "record.not-here"),
        ("AuthRequired", 401, State.PRIVATE, "record.login-needed"),
        ("InternalServerError", 500, State.ERROR, "record.unreadable"),
    ],
)
def test_errors_mean_what_the_platform_means(
    name: str, status: int, state: State, code: str, tmp_path: Path
) -> None:
    world = World()
    refusal = js({"error": name, "message": "x"}, status)
    for method in ("com.atproto.repo.getRecord", "com.atproto.sync.getRecord"):
        world.answers[method] = refusal
    world.answers["app.bsky.feed.getPostThread"] = refusal
    result, _ = fetch(world, tmp_path)
    assert result.state is state
    assert code in gaps(result)
    assert result.proof is None


def test_a_bad_proof_is_kept_and_said(tmp_path: Path) -> None:
    world = World()
    world.answers["com.atproto.sync.getRecord"] = (200, "application/vnd.ipld.car", b"\0nonsense")
    result, bag = fetch(world, tmp_path)
    assert result.state is State.FOUND
    told = proof(result, bag)
    assert (told["claim"], told["revision"]) == ("not-proven", None)
    assert gaps(result)["proof.not-proven"] == told["why"] != ""


def test_a_record_that_is_not_the_signed_one(tmp_path: Path) -> None:
    world = World()
    value = {"uri": world.uri, "value": post("vervalst")}
    world.answers["com.atproto.repo.getRecord"] = js(value)
    result, bag = fetch(world, tmp_path)
    assert "not the signed one" in proof(result, bag)["why"]


def test_pictures_are_the_signed_ones_or_it_is_said(tmp_path: Path) -> None:
    world = World(with_image("plaatje", PICTURE))
    result, bag = fetch(world, tmp_path / "good")
    assert [item.alt for item in result.media] == ["een kleurvlak"]
    assert [item["file"] for item in proof(result, bag)["blobs"]] == [result.media[0].path]
    world.answers["com.atproto.sync.getBlob"] = (200, "image/png", b"\x89PNG other")
    result, bag = fetch(world, tmp_path / "bad")
    assert proof(result, bag)["blobs"] == []
    assert "media.other-content" in gaps(result)
    world.answers["com.atproto.sync.getBlob"] = (404, "application/json", b"{}")
    result, _ = fetch(world, tmp_path / "none")
    assert result.media == ()
    assert "media.not-fetched" in gaps(result)


def test_threads_with_hidden_places(tmp_path: Path) -> None:
    world = World()
    gone = {"$type": "app.bsky.feed.defs#notFoundPost", "uri": "at://x", "notFound": True}
    blocked = {"$type": "app.bsky.feed.defs#blockedPost", "uri": "at://y", "blocked": True}
    reply = {"post": world.view(post("reactie"), "3mabcdefghabd"), "replies": [blocked]}
    world.thread = {"parent": gone, "replies": [reply, 7, None]}
    result, _ = fetch(world, tmp_path)
    assert [item.role for item in result.posts] == ["post", "reply"]
    (hidden,) = {gaps(result)["thread.hidden"]}
    assert "1 posts" in hidden
    assert sum(gap.code == "thread.hidden" for gap in result.gaps) == 2


def test_very_long_threads_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bluesky_read, "MAX_THREAD_POSTS", 20)
    world = World()
    replies = [{"post": world.view(post("x"), f"3mabcdefg{n:04d}")} for n in range(30)]
    world.thread = {"replies": replies}
    result, _ = fetch(world, tmp_path)
    assert len(result.posts) == 21
    assert "thread.bound" in gaps(result)
    assert "posts-read" in result.reached


def test_a_handle_that_leads_elsewhere_is_said(tmp_path: Path) -> None:
    url = f"https://bsky.app/profile/piet.test/post/{RKEY}"
    result, _ = fetch(World(), tmp_path, url)
    assert "handle.not-confirmed" in gaps(result)


def test_an_unknown_handle(tmp_path: Path) -> None:
    world = World()
    refusal = js({"error": "InvalidRequest", "message": "Unable to resolve handle"}, 400)
    world.answers["com.atproto.identity.resolveHandle"] = refusal
    result, _ = fetch(world, tmp_path / "known")
    assert result.state is State.NOT_THERE
    assert "handle.not-found" in gaps(result)
    with pytest.raises(NotThisPlatformError):
        fetch(world, tmp_path / "other", f"https://elders.invalid/profile/jan.test/post/{RKEY}")


@pytest.mark.parametrize(("status", "state"), [(410, State.GONE), (404, State.NOT_THERE)])
def test_a_closed_or_unknown_account(status: int, state: State, tmp_path: Path) -> None:
    world = World()
    world.answers[world.did] = js({"message": "DID not available"}, status)
    world.answers["app.bsky.feed.getPostThread"] = js({"error": "NotFound"}, 400)
    result, _ = fetch(world, tmp_path)
    assert result.state is state
    assert result.proof is None


def test_a_log_that_cannot_be_had_leaves_the_document(tmp_path: Path) -> None:
    world = World()
    world.answers["audit"] = (500, "text/plain", b"")
    result, bag = fetch(world, tmp_path)
    told = proof(result, bag)
    assert (told["claim"], told["key_source"], told["files"]["log"]) == (
        "included",
        "document",
        None,
    )
    assert "did-log.not-fetched" in gaps(result)


def test_a_document_without_server_is_said(tmp_path: Path) -> None:
    world = World()
    world.answers[world.did] = js({"id": world.did})
    result, _ = fetch(world, tmp_path)
    assert result.state is State.FOUND  # as the service shows it
    assert "server.unknown" in gaps(result)
    assert result.proof is None


def test_a_kind_of_account_that_is_not_used(tmp_path: Path) -> None:
    url = f"https://bsky.app/profile/did:key:z6Mk/post/{RKEY}"
    result, _ = fetch(World(), tmp_path, url)
    assert result.state is State.UNKNOWN
    assert "account.unknown-kind" in gaps(result)


@pytest.mark.parametrize("place", ["plain", "with-record"])
def test_a_video_that_the_author_s_server_lacks_leads_to_its_stream(
    place: str, tmp_path: Path
) -> None:
    playlist = {"playlist": "https://video.invalid/watch/x/playlist.m3u8"}
    world = World()
    shown = world.view()
    shown["embed"] = playlist if place == "plain" else {"media": playlist}
    world.thread = {"post": shown}
    result, _ = fetch(world, tmp_path)
    assert result.streams == (playlist["playlist"],)
