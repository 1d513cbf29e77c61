"""Bluesky: whose handle it is, by service, site and DNS; a session where visitors see less."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.core.errors import NetworkError
from evidence_kit.core.events import Silent
from evidence_kit.gather.dns_txt import TxtQuery, TxtRecords
from evidence_kit.gather.http import RecordingSession
from evidence_kit.gather.http_answer import Answer
from evidence_kit.platforms.base import ApiFolder, PlatformResult, State
from evidence_kit.platforms.bluesky import BlueskyAdapter
from evidence_kit.platforms.bluesky_session import AppPassword, own_addresses
from evidence_kit.platforms.registry import adapters
from evidence_kit.platforms.visit import Visit
from tests.platform_tools import Played, check_result, js, playing, recording
from tests.test_bluesky import RKEY, World, fetch, gaps


class OwnSite:
    """A session to which the handle's own site is a server on this machine."""

    def __init__(self, session: RecordingSession, base: str) -> None:
        self._session = session
        self._base = base

    def get(self, url: str, **more: Any) -> Answer:
        return self._session.get(url.replace("https://jan.voorbeeld.nl", self._base), **more)

    def send(self, method: str, url: str, **more: Any) -> Answer:
        return self._session.send(method, url, **more)


def of_own_domain(
    world: World, folder: Path, query: TxtQuery | None = TxtRecords
) -> tuple[PlatformResult, Path]:
    """A visit of a post by a handle with a site and a DNS name of its own."""
    out = ApiFolder(folder / "bag")
    with playing(world.answer) as base, recording(folder / "wire") as session:
        world.base = base
        adapter = BlueskyAdapter(api=base, plc=base, txt=query)
        target = adapter.recognise(f"https://bsky.app/profile/jan.voorbeeld.nl/post/{RKEY}")
        assert target is not None
        result = adapter.fetch(target, OwnSite(session, base), out, Silent())
    check_result(result, out, folder / "bag")
    return result, folder / "bag"


REFUSAL = js({"error": "InvalidRequest", "message": "Unable to resolve handle"}, 400)
OTHER = "did:plc:" + "a" * 24


@pytest.mark.parametrize(
    ("said", "service", "code"),
    [
        (b"did:plc:%s\n", True, ""),
        (OTHER.encode(), True, "handle.disagreement"),
        (b"<html>did:plc:%s", True, ""),
        (b"did:plc:%s", False, "handle.not-found"),
    ],
    ids=["agrees", "another", "no-did", "only-the-site"],
)
def test_what_the_handle_s_own_site_says(
    said: bytes, service: bool, code: str, tmp_path: Path
) -> None:
    world = World()
    plain = world.did.rpartition(":")[2].encode()
    world.answers["atproto-did"] = (200, "text/plain", said.replace(b"%s", plain))
    if not service:
        world.answers["com.atproto.identity.resolveHandle"] = REFUSAL
    result, _ = of_own_domain(world, tmp_path)
    assert result.state is State.FOUND
    assert result.posts[0].fields["author_id"].value == world.did
    found = set(gaps(result)) - {"handle.not-confirmed"}
    assert found == ({code} if code else set())


def unreachable(name: str) -> TxtRecords:
    raise NetworkError(f"DNS gave no answer about {name}: Timeout")


@pytest.mark.parametrize(
    ("texts", "service", "code"),
    [
        (("v=spf1", "did=%s"), True, ""),
        ((f"did={OTHER}",), True, "handle.disagreement"),
        (("did=%s", f"did={OTHER}"), True, "handle-dns.ambiguous"),
        (("did=geen",), True, ""),
        ((), True, ""),
        (("did=%s",), False, "handle.not-found"),
        (unreachable, True, "handle-dns.not-checked"),
        (None, True, "handle-dns.not-checked"),
    ],
)
def test_what_dns_says_of_a_handle(texts: Any, service: bool, code: str, tmp_path: Path) -> None:
    world = World()
    asked: list[str] = []
    if not service:
        world.answers["com.atproto.identity.resolveHandle"] = REFUSAL

    def query(name: str) -> TxtRecords:
        asked.append(name)
        return TxtRecords(name, tuple(text.replace("%s", world.did) for text in texts), "::1")

    usual = query if isinstance(texts, tuple) else texts
    result, bag = of_own_domain(world, tmp_path, usual)
    assert result.posts[0].fields["author_id"].value == world.did
    assert set(gaps(result)) - {"handle.not-confirmed"} == ({code} if code else set())
    kept = list((bag / "data/api").glob("*-handle-dns.json"))
    assert bool(kept) is isinstance(texts, tuple)
    if kept:
        assert asked == ["_atproto.jan.voorbeeld.nl"]
        document = json.loads(kept[0].read_bytes())
        assert (len(document["texts"]), document["server"]) == (len(texts), "::1")


def test_dns_is_not_asked_behind_a_proxy_and_for_names_of_no_public_kind(tmp_path: Path) -> None:
    def made(environ: dict[str, str]) -> BlueskyAdapter:
        (found,) = [one for one in adapters(environ) if isinstance(one, BlueskyAdapter)]
        return found

    assert made({}).txt is not None
    assert made({"HTTPS_PROXY": "http://proxy.invalid:3128"}).txt is None
    result, _ = fetch(World(), tmp_path)  # jan.test
    assert "handle-dns.not-checked" not in gaps(result)


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJkaWQ6cGxjOngifQ.c2lnbmF0dXJl"


def logged_in(world: World, folder: Path, *, service: str = "") -> PlatformResult:
    """A visit with an app password at hand."""
    out = ApiFolder(folder / "bag")
    with playing(world.answer) as base, recording(folder / "wire") as session:
        world.base = base
        account = AppPassword("ict@voorbeeld.nl", "abcd-efgh-ijkl-mnop", service or base)
        adapter = BlueskyAdapter(api=base, plc=base, account=account)
        target = adapter.recognise(f"https://bsky.app/profile/jan.test/post/{RKEY}")
        assert target is not None
        result = adapter.fetch(target, session, out, Silent())
    check_result(result, out, folder / "bag")
    for item in out.stored:
        assert JWT.encode() not in (folder / "bag" / item.path).read_bytes()
    mails = {value for exchange in session.exchanges for value in own_addresses(exchange)}
    opened = "com.atproto.server.createSession" in world.asked
    assert mails == ({"ict@voorbeeld.nl"} if opened else set())
    return result


def test_no_login_where_visitors_see_everything(tmp_path: Path) -> None:
    world = World()
    result = logged_in(world, tmp_path)
    assert "com.atproto.server.createSession" not in world.asked
    assert (result.token_used, "BLUESKY_APP_PASSWORD" in result.token_would_add) == (False, True)


def test_a_session_is_opened_used_and_ended_where_visitors_see_less(tmp_path: Path) -> None:
    world = World()
    world.thread = {"replies": [{"$type": "app.bsky.feed.defs#blockedPost", "blocked": True}]}
    session = {"accessJwt": JWT, "refreshJwt": JWT, "did": "did:plc:ict", "handle": "ict.test"}
    world.answers["com.atproto.server.createSession"] = js(session)
    world.answers["com.atproto.server.deleteSession"] = js({})
    result = logged_in(world, tmp_path)
    sessions = [name.rpartition(".")[2] for name in world.asked if ".server." in name]
    assert sessions == ["createSession", "deleteSession"]
    assert world.asked.count("app.bsky.feed.getPostThread") == 2
    assert result.token_used
    assert gaps(result)["session.used"].startswith("visitors are shown less")


def test_a_session_is_ended_also_where_the_question_breaks_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    world.thread = {"replies": [{"$type": "app.bsky.feed.defs#blockedPost", "blocked": True}]}
    session = {"accessJwt": JWT, "refreshJwt": JWT, "did": "did:plc:ict", "handle": "ict.test"}
    world.answers["com.atproto.server.createSession"] = js(session)
    world.answers["com.atproto.server.deleteSession"] = js({})
    ask = Visit.ask

    def broken(visit: Visit, what: str, *more: Any) -> Any:
        if what == "thread-as-account":
            raise KeyboardInterrupt
        return ask(visit, what, *more)

    monkeypatch.setattr(Visit, "ask", broken)
    with pytest.raises(KeyboardInterrupt):
        logged_in(world, tmp_path)
    assert "com.atproto.server.deleteSession" in world.asked


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (js({"error": "AuthenticationRequired", "message": "Invalid"}, 401), "HTTP 401 Auth"),
        (js({"accessJwt": "kort", "refreshJwt": JWT, "did": "x"}), "HTTP 200"),
        (js({"accessJwt": f"{JWT}\r\nX: y", "refreshJwt": JWT, "did": "x"}), "HTTP 200"),
        (js({"error": "<script>", "message": JWT}, 400), "HTTP 400 script"),
    ],
)
def test_a_login_that_fails_costs_nothing_else(answer: Played, said: str, tmp_path: Path) -> None:
    world = World()
    world.thread = {"replies": [{"$type": "app.bsky.feed.defs#notFoundPost"}]}
    world.answers["com.atproto.server.createSession"] = answer
    result = logged_in(world, tmp_path)
    assert result.state is State.FOUND
    assert gaps(result)["session.not-opened"].startswith(said)
    assert not result.token_used


def test_the_password_goes_over_tls_only(tmp_path: Path) -> None:
    world = World()
    world.thread = {"replies": [{"$type": "app.bsky.feed.defs#notFoundPost"}]}
    result = logged_in(world, tmp_path, service="http://pds.voorbeeld.nl")
    assert "over TLS only" in gaps(result)["session.not-opened"]
    assert "com.atproto.server.createSession" not in world.asked


def test_a_handle_s_site_that_cannot_be_reached_is_said(tmp_path: Path) -> None:
    url = f"https://bsky.app/profile/jan.voorbeeld.nl/post/{RKEY}"
    result, _ = fetch(World(), tmp_path, url)
    assert result.state is State.FOUND
    assert "handle-statement.not-fetched" in gaps(result)
