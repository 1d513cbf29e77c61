"""Mastodon's API: what the adapter asks, reads, and admits not to have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.core.events import Silent
from evidence_kit.demo import pictures
from evidence_kit.demo.site import DemoSite
from evidence_kit.platforms.base import ApiFolder, NotThisPlatformError, PlatformResult, State
from evidence_kit.platforms.mastodon import MastodonAdapter
from tests.fixtures_site import demo_site
from tests.platform_tools import Played, check_result, js, playing, recording

__all__ = ["demo_site"]

ULID = "01HF7YAT00ZZZZZZZZZZZZZZZZ"
UUID = "0190b0c4-7d6e-7000-8000-0123456789ab"
INSTANCE = {"domain": "voorbeeld.invalid", "version": "4.3.0"}


@pytest.mark.parametrize(
    ("path", "author", "ident"),
    [
        ("/@jan/115400000000000101", "jan", "115400000000000101"),
        ("/@jan@elders.nl/1154", "jan@elders.nl", "1154"),
        ("/users/jan/statuses/1154", "jan", "1154"),
        ("/users/jan/statuses/1154/activity", "jan", "1154"),
        (f"/@jan/statuses/{ULID}", "jan", ULID),
        (f"/@jan/{ULID}", "jan", ULID),
        (f"/@jan/{UUID}", "jan", UUID),
        ("/web/@jan/1154", "jan", "1154"),
        ("/@jan/1154/embed", "jan", "1154"),
        ("/@jan/1154?utm_source=app&s=1#x", "jan", "1154"),
        ("/notice/AkD2f7Qm1xYz0000aB", "", "AkD2f7Qm1xYz0000aB"),
    ],
)
def test_recognises(path: str, author: str, ident: str) -> None:
    target = MastodonAdapter().recognise("https://voorbeeld.nl" + path)
    assert target is not None
    assert (target.base, target.author, target.ident) == ("https://voorbeeld.nl", author, ident)


@pytest.mark.parametrize(
    "path",
    [
        *("/@jan", "/@jan/video/712", "/@kanaal/videos", "/@jan/titel-van-een-stuk-1a2b3c"),
        *("/jan/1", "/@jan/1154/reblogs", "/@jan/../1154", "/@jan/" + "1" * 21),
        "/users/jan/statuses/",
    ],
)
def test_leaves_others_alone(path: str) -> None:
    assert MastodonAdapter().recognise("https://voorbeeld.nl" + path) is None


def fetch(
    url: str, tmp_path: Path, adapter: MastodonAdapter | None = None
) -> tuple[PlatformResult, ApiFolder]:
    adapter = adapter or MastodonAdapter()
    target = adapter.recognise(url)
    assert target is not None
    out = ApiFolder(tmp_path / "bag")
    with recording(tmp_path / "wire") as session:
        result = adapter.fetch(target, session, out, Silent())
    check_result(result, out, tmp_path / "bag")
    return result, out


def codes(result: PlatformResult) -> set[str]:
    return {gap.code for gap in result.gaps}


def test_raw_files_are_the_bodies_that_the_server_sent(demo_site: DemoSite, tmp_path: Path) -> None:
    _, out = fetch(demo_site.address("threat"), tmp_path)
    bodies = [bytes(seen.response).split(b"\r\n\r\n", 1)[1] for seen in demo_site.wire]
    raw = [item for item in out.stored if "derived-text" not in item.path]
    for item in raw:
        assert (tmp_path / "bag" / item.path).read_bytes() in bodies
    assert [item.path.split("/", 2)[2] for item in out.stored] == [
        "0001-instance.json",
        "0002-status.json",
        "0003-context.json",
        "0004-history.json",
        "0005-account.json",
        "0006-activitypub.json",
        "0007-derived-text.json",
        "0001-ingang.png",
        "0002-parkeerplaats.png",
        "0003-boze_bezoeker.svg.txt",
    ]


def test_post_thread_and_media(demo_site: DemoSite, tmp_path: Path) -> None:
    result, _ = fetch(demo_site.address("threat"), tmp_path)
    assert result.state is State.FOUND
    assert [post.role for post in result.posts] == ["post", "ancestor", "reply", "reply", "reply"]
    fields = {name: item.value for name, item in result.posts[0].fields.items()}
    assert fields["author_handle"] == "boze_bezoeker"
    assert fields["author_name"] == "Boze Bezoeker"
    assert fields["text"].endswith("\n\nZe zal nog aan mij denken, “regels” of geen regels.")
    assert fields["created"] == "2026-11-20T20:14:09.000Z"
    assert result.posts[0].fields["created"].precision == "millisecond"
    assert (fields["replies"], fields["reposts"], fields["likes"]) == (2, 1, 2)
    assert "edited" not in fields
    pictured, parked, avatar = result.media
    assert pictured.alt == "De ingang van een ziekenhuis in de avond"
    assert (tmp_path / "bag" / pictured.path).read_bytes() == pictures.entrance()
    assert parked.alt
    assert (avatar.kind, avatar.original_name) == ("avatar", "boze_bezoeker.svg")
    assert result.bounds == {"ancestors": 40, "descendants": 60, "depth": 20, "media files": 40}
    assert result.reached == ()
    assert result.gaps == ()
    assert not result.token_used
    assert result.token_would_add


def test_edit_history_and_what_earlier_versions_showed(demo_site: DemoSite, tmp_path: Path) -> None:
    result, _ = fetch(demo_site.address("edited"), tmp_path)
    edits = [post for post in result.posts if post.role == "edit"]
    assert ["parkeerplaats" in post.fields["text"].value for post in edits] == [True, False, False]
    assert edits[0].fields["created"].value == "2026-11-21T21:40:00.000Z"
    assert "edited" not in edits[0].fields
    assert edits[2].fields["edited"].value == "2026-11-22T06:10:05.000Z"
    assert edits[2].fields["content_warning"].value == "humor"
    assert "parkeerplaats.png" in {media.original_name for media in result.media}


@pytest.mark.parametrize(
    ("name", "state", "code"),
    [
        ("login", State.PRIVATE, "status.login-needed"),
        ("deleted", State.NOT_THERE, "status.not-there"),
        ("missing", State.NOT_THERE, "status.not-there"),
        ("gone", State.GONE, None),
    ],
)
def test_absence_is_told_apart_only_where_the_platform_does(
    demo_site: DemoSite, tmp_path: Path, name: str, state: State, code: str | None
) -> None:
    result, out = fetch(demo_site.address(name), tmp_path)
    assert result.state is state
    assert code is None or code in codes(result)
    assert result.posts == ()
    assert any("status" in item.path for item in out.stored)


def status(base: str, **changes: Any) -> dict[str, Any]:
    account = {"id": "7", "acct": "jan", "display_name": "Jan", "url": f"{base}/@jan"}
    made = {
        "id": "1154",
        "content": "<p>Hallo</p>",
        "created_at": "2026-11-20T20:14:09.000Z",
        "replies_count": 0,
        "account": account,
        "media_attachments": [],
        "url": f"{base}/@jan/1154",
    }
    return {**made, **changes}


def play(
    tmp_path: Path,
    answers: Mapping[str, Any],
    path: str = "/@jan/1154",
    adapter: MastodonAdapter | None = None,
) -> PlatformResult:
    """One visit to a server with these answers; a callable gets the base address."""
    address: list[str] = []

    def answer(asked: str, accept: str) -> Played:
        found = answers.get(asked)
        if callable(found):
            found = found(address[0])
        if found is None:
            return js(INSTANCE) if asked == "/api/v2/instance" else js({"error": "nee"}, 404)
        return found if isinstance(found, tuple) else js(found)

    with playing(answer) as base:
        address.append(base)
        result, _ = fetch(base + path, tmp_path, adapter)
    return result


STATUS = "/api/v1/statuses/1154"


def test_missing_extras_are_gaps(tmp_path: Path) -> None:
    result = play(tmp_path, {STATUS: status})
    assert result.state is State.FOUND
    assert codes(result) == {"context.not-fetched", "history.not-fetched", "account.not-fetched"}
    assert result.posts[0].fields["text"].value == "Hallo"


def test_a_thread_as_deep_as_is_shown_reaches_that_bound(tmp_path: Path) -> None:
    for levels, reached in ((20, ("depth",)), (19, ())):
        below = [status("", id=str(i), in_reply_to_id=str(i - 1)) for i in range(1, levels + 1)]
        answers = {
            STATUS: lambda base: status(base),
            f"{STATUS}/context": {"ancestors": [], "descendants": below},
        }
        assert play(tmp_path / str(levels), answers).reached == reached


def test_thread_at_the_anonymous_bound_is_said(tmp_path: Path) -> None:
    below = [status("", id=str(i), in_reply_to_id="1154") for i in range(60)]
    result = play(
        tmp_path,
        {
            STATUS: lambda base: status(base, replies_count=75),
            f"{STATUS}/context": {"ancestors": [], "descendants": below},
        },
    )
    details = {gap.code: gap.detail for gap in result.gaps}
    assert "at most 60" in details["context.descendants-bound"]
    assert result.reached == ("descendants",)
    assert details["context.replies-missing"] == (
        "the platform counts 75 direct replies and shows 60"
    )
    assert sum(post.role == "reply" for post in result.posts) == 60


def test_other_author_and_other_id_are_said(tmp_path: Path) -> None:
    result = play(tmp_path / "a", {STATUS: status}, "/@piet/1154")
    assert "status.other-author" in codes(result)
    result = play(tmp_path / "b", {STATUS: lambda base: status(base, id="9")})
    assert (result.state, codes(result)) == (State.ERROR, {"status.other-id"})


def test_media_that_cannot_be_had_is_a_gap(tmp_path: Path) -> None:
    def with_media(base: str) -> dict[str, Any]:
        items = [{"type": "image", "url": f"{base}/weg.png", "description": None}]
        return status(base, media_attachments=[*items, {"url": "file:///etc/passwd"}, 7])

    result = play(tmp_path, {STATUS: with_media})
    found = {gap.subject.rsplit("/", 1)[-1]: gap for gap in result.gaps}
    assert found["weg.png"].detail == "HTTP 404"
    assert found["passwd"].code == "media.not-fetched"
    assert result.media == ()


def test_rate_limit_says_when(tmp_path: Path) -> None:
    result = play(tmp_path, {STATUS: (429, "application/json", b"{}")})
    assert result.state is State.RATE_LIMITED
    assert "try again after 2026-11-23T11:00:00Z" in result.gaps[-1].detail


def test_confirmed_by_nodeinfo(tmp_path: Path) -> None:
    answers = {
        "/api/v2/instance": js({}, 404),
        "/.well-known/nodeinfo": lambda base: {"links": [{"href": f"{base}/nodeinfo/2.0"}]},
        "/nodeinfo/2.0": {"software": {"name": "GoToSocial", "version": "0.17"}},
        STATUS: status,
    }
    assert play(tmp_path, answers).state is State.FOUND


@pytest.mark.parametrize(
    "href", ["https://elders.invalid/nodeinfo", "http://127.0.0.1:1/nodeinfo", 7, None]
)
def test_nodeinfo_elsewhere_is_not_followed(tmp_path: Path, href: object) -> None:
    answers = {
        "/api/v2/instance": js({}, 404),
        "/.well-known/nodeinfo": {"links": [{"href": href}, "x"]},
    }
    with pytest.raises(NotThisPlatformError):
        play(tmp_path, answers)


def test_token_goes_to_its_own_host_over_tls_only() -> None:
    adapter = MastodonAdapter("geheim", "voorbeeld.nl")
    assert adapter.bearer("https://voorbeeld.nl") == {"Authorization": "Bearer geheim"}
    for base in ("http://voorbeeld.nl", "https://anders.nl", "https://voorbeeld.nl:8443"):
        assert adapter.bearer(base) == {}
    assert MastodonAdapter("geheim").bearer("https://voorbeeld.nl") == {}
    assert "geheim" not in repr(adapter)


def test_token_for_another_host_is_said_and_not_sent(tmp_path: Path) -> None:
    adapter = MastodonAdapter("zeer-geheim", "elders.nl")
    result = play(tmp_path, {STATUS: status}, adapter=adapter)
    assert "token.not-sent" in codes(result)
    assert not result.token_used
    assert "zeer-geheim" not in json.dumps(result.to_json())
    for file in (tmp_path / "wire").iterdir():
        assert b"zeer-geheim" not in file.read_bytes()


def note(base: str, **changes: Any) -> dict[str, Any]:
    made = {
        "id": f"{base}/users/jan/statuses/1154",
        "type": "Note",
        "url": f"{base}/@jan/1154",
        "attributedTo": f"{base}/users/jan",
        "content": "<p>Hallo</p>",
        "published": "2026-11-20T20:14:09Z",
        "summary": "let op",
        "attachment": [{"url": f"{base}/foto.png", "mediaType": "image/png", "name": "een deur"}],
    }
    return {**made, **changes}


CLOSED = js({"error": "This API requires an authenticated user"}, 401)


def test_where_the_api_is_closed_the_activitypub_object_speaks(tmp_path: Path) -> None:
    answers = {STATUS: CLOSED, "/@jan/1154": note, "/foto.png": (200, "image/png", b"\x89PNG")}
    result = play(tmp_path, answers)
    assert result.state is State.FOUND
    assert codes(result) == {"status.not-fetched"}
    fields = {name: item.value for name, item in result.posts[0].fields.items()}
    assert (fields["text"], fields["content_warning"]) == ("Hallo", "let op")
    assert fields["author_id"].endswith("/users/jan")
    assert [(item.alt, item.kind) for item in result.media] == [("een deur", "image")]


def test_a_closed_api_says_nothing_of_the_post(tmp_path: Path) -> None:
    result = play(tmp_path, {STATUS: CLOSED, "/api/v1/timelines/public?limit=1": CLOSED})
    assert result.state is State.UNKNOWN
    assert "status.api-closed" in codes(result)


def test_remote_post_brings_the_object_of_its_home_server(tmp_path: Path) -> None:
    with playing(lambda path, accept: js(note("", id=f"{home[0]}{path}"))) as elsewhere:
        home = [elsewhere]
        uri = f"{elsewhere}/users/jan/statuses/99"
        account = {"id": "7", "acct": "jan@elders.nl"}
        result = play(
            tmp_path,
            {STATUS: lambda base: status(base, uri=uri, url=uri, account=account)},
            "/@jan@elders.nl/1154",
        )
    assert result.state is State.FOUND
    assert result.permalink == uri
    assert {"status.other-author", "activitypub.not-fetched", "activitypub.other-id"}.isdisjoint(
        codes(result)
    )
    (found,) = (tmp_path / "bag/data/api").glob("*-activitypub.json")
    assert json.loads(found.read_bytes())["id"] == uri


def test_home_server_that_gives_another_object_is_said(tmp_path: Path) -> None:
    with playing(lambda path, accept: js({"id": "https://anders.invalid/1"})) as elsewhere:
        result = play(tmp_path, {STATUS: lambda base: status(base, uri=f"{elsewhere}/o/1")})
    assert "activitypub.other-id" in codes(result)


@pytest.mark.parametrize("where", ["mastodon", "pleroma"])
def test_quoted_post_and_poll(where: str, tmp_path: Path) -> None:
    quoted = status("", id="9", content="<p>aangehaald</p>")
    poll = {"id": "3", "options": [{"title": "ja", "votes_count": 2}], "expires_at": None}
    quote = {"quote": {"state": "accepted", "quoted_status": quoted}}
    if where == "pleroma":
        quote = {"pleroma": {"quote": quoted}}
    result = play(tmp_path, {STATUS: lambda base: status(base, poll=poll, **quote)})
    assert [post.role for post in result.posts] == ["post", "quoted"]
    assert result.posts[0].fields["poll"].value == poll
    assert result.posts[1].fields["text"].value == "aangehaald"


@pytest.mark.parametrize(("path", "ident"), [("/p/jan/7123", "7123"), (f"/p/jan/{ULID}", ULID)])
def test_pixelfed_form(path: str, ident: str) -> None:
    target = MastodonAdapter().recognise("https://foto.invalid" + path)
    assert target is not None
    assert (target.author, target.ident) == ("jan", ident)
