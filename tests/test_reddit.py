"""Reddit: an app's token, a thread, a comment in it, and what was taken away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evidence_kit.platforms.base import Page, PlatformResult, State
from evidence_kit.platforms.reddit import RedditAdapter
from tests.platform_tools import codes, js, playing, routed, values, visited

URL = "https://www.reddit.com/r/buurt/comments/2gmzqe/wat_ik_zag/"
TOKEN = "/api/v1/access_token"
THREAD = "/comments/2gmzqe"


@pytest.mark.parametrize(
    ("url", "ident"),
    [
        (URL, "2gmzqe"),
        ("https://old.reddit.com/r/buurt/comments/2gmzqe", "2gmzqe"),
        ("https://m.reddit.com/user/jan/comments/2gmzqe/x/?utm_source=share", "2gmzqe"),
        ("https://reddit.com/comments/2GMZQE", "2gmzqe"),
        ("https://redd.it/2gmzqe", "2gmzqe"),
        (URL + "ckkn1xy/?context=3", "2gmzqe/ckkn1xy"),
        ("https://www.reddit.com/r/buurt/comments/2gmzqe/comment/ckkn1xy/", "2gmzqe/ckkn1xy"),
        ("https://www.reddit.com/r/buurt/s/AbC123xyz", ""),
    ],
)
def test_recognises(url: str, ident: str) -> None:
    target = RedditAdapter().recognise(url)
    assert target is not None
    assert target.ident == ident


@pytest.mark.parametrize(
    "url",
    [
        "https://www.reddit.com/r/buurt/",
        "https://reddit.com.evil.nl/comments/2g",
        "https://redd.it/",
    ],
)
def test_leaves_others_alone(url: str) -> None:
    assert RedditAdapter().recognise(url) is None


def comment(ident: str, text: str, parent: str, below: list[Any] | None = None) -> dict[str, Any]:
    data = {
        "id": ident,
        "name": f"t1_{ident}",
        "author": "piet",
        "body": text,
        "parent_id": parent,
        "link_id": "t3_2gmzqe",
        "created_utc": 1763669649.0,
        "edited": False,
        "replies": {"kind": "Listing", "data": {"children": below}} if below else "",
    }
    return {"kind": "t1", "data": data}


def thread(**changes: Any) -> list[Any]:
    data = {
        "id": "2gmzqe",
        "name": "t3_2gmzqe",
        "author": "jan",
        "title": "Wat ik zag",
        "selftext": "Bij het ziekenhuis",
        "created_utc": 1763669649.0,
        "edited": 1763669700.0,
        "score": 3,
        "num_comments": 4,
        "permalink": "/r/buurt/comments/2gmzqe/wat_ik_zag/",
        **changes,
    }
    more = {"kind": "more", "data": {"count": 7}}
    deep = comment("c", "diep", "t1_b")
    middle = comment("b", "midden", "t1_a", [deep])
    top = comment("a", "bovenaan", "t3_2gmzqe", [middle, more])
    return [
        {"kind": "Listing", "data": {"children": [{"kind": "t3", "data": data}]}},
        {"kind": "Listing", "data": {"children": [top, comment("d", "ernaast", "t3_2gmzqe")]}},
    ]


def play(
    tmp_path: Path, answers: dict[str, Any], url: str = URL
) -> tuple[PlatformResult, list[dict[str, str]]]:
    seen: list[dict[str, str]] = []
    given = {TOKEN: {"access_token": "uur-geheim"}, **answers}
    with playing(routed(given), seen) as base:
        adapter = RedditAdapter("app", "zeer-geheim", site=base, api=base)
        result, out = visited(adapter, url, tmp_path)
    for item in out.stored:
        assert b"uur-geheim" not in (tmp_path / "bag" / item.path).read_bytes()
    return result, seen


def test_submission_with_its_thread(tmp_path: Path) -> None:
    result, seen = play(tmp_path, {THREAD: thread(), "/user/jan/about": {"data": {}}})
    assert result.state is State.FOUND
    assert result.permalink == URL
    found = values(result)
    assert (found["title"], found["text"], found["likes"]) == (
        "Wat ik zag",
        "Bij het ziekenhuis",
        3,
    )
    assert result.posts[0].fields["created"].precision == "unix-seconds"
    assert found["edited"] == 1763669700.0
    assert [values(result, i)["text"] for i in range(1, 5)] == [
        *("bovenaan", "midden", "diep", "ernaast")
    ]
    assert "edited" not in result.posts[1].fields
    assert any("7 further" in gap.detail for gap in result.gaps)
    assert seen[0]["authorization"].startswith("Basic ")
    assert {item["authorization"] for item in seen[1:]} == {"Bearer uur-geheim"}


def test_comment_with_what_stands_above_and_below(tmp_path: Path) -> None:
    result, seen = play(tmp_path, {THREAD: thread()}, URL + "b/")
    assert [(post.role, values(result, i)["text"]) for i, post in enumerate(result.posts)] == [
        ("post", "midden"),
        ("ancestor", "Bij het ziekenhuis"),
        ("ancestor", "bovenaan"),
        ("reply", "diep"),
        ("reply", "ernaast"),
    ]
    assert "comment=b" in seen[1][":path"]


def test_comment_that_is_not_there(tmp_path: Path) -> None:
    result, _ = play(tmp_path, {THREAD: thread()}, URL + "zzz/")
    assert (result.state, result.posts) == (State.NOT_THERE, ())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"selftext": "[deleted]"}, "post.deleted"),
        ({"selftext": "[removed]"}, "post.removed"),
        ({"removed_by_category": "moderator"}, "post.removed"),
        ({"removed_by_category": "deleted"}, "post.deleted"),
    ],
)
def test_marks_of_what_was_taken_away(changes: dict[str, str], code: str, tmp_path: Path) -> None:
    result, _ = play(tmp_path, {THREAD: thread(**changes)})
    assert result.state is State.GONE
    assert code in codes(result)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (js({"reason": "private"}, 403), State.PRIVATE),
        (js({"message": "Forbidden"}, 403), State.UNKNOWN),
        (js({}, 404), State.NOT_THERE),
        (thread(id="anders"), State.ERROR),
        ((429, "application/json", b"{}"), State.RATE_LIMITED),
    ],
)
def test_what_the_api_means(answer: Any, state: State, tmp_path: Path) -> None:
    result, _ = play(tmp_path, {THREAD: answer})
    assert result.state is state


@pytest.mark.parametrize("token", [js({}, 401), {"access_token": "a\r\nX: y"}, {}])
def test_refused_app(token: Any, tmp_path: Path) -> None:
    result, seen = play(tmp_path, {TOKEN: token})
    assert (result.state, len(seen)) == (State.UNKNOWN, 1)
    assert "token.refused" in codes(result)


def test_without_an_app_nothing_is_asked_and_that_is_said(tmp_path: Path) -> None:
    seen: list[dict[str, str]] = []
    with playing(routed({}), seen) as base:
        result, _ = visited(RedditAdapter(site=base, api=base), URL, tmp_path)
    assert (result.state, seen) == (State.UNKNOWN, [])
    assert codes(result) == {"token.missing"}
    assert result.token_would_add


def test_share_link_is_resolved_by_the_page(tmp_path: Path) -> None:
    share = "https://www.reddit.com/r/buurt/s/AbC123xyz"
    with playing(routed({TOKEN: {"access_token": "t"}, THREAD: thread()})) as base:
        adapter = RedditAdapter("app", "zeer-geheim", site=base, api=base)
        result, _ = visited(adapter, share, tmp_path / "a", Page(URL + "?share_id=1", b""))
        assert result.state is State.FOUND
        result, _ = visited(adapter, share, tmp_path / "b", Page(share, b""))
    assert (result.state, codes(result)) == (State.UNKNOWN, {"share.not-resolved"})
