"""Facebook, Instagram and Threads: one's own posts with a token, the page without one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.core.events import Silent
from evidence_kit.platforms.base import Adapter, ApiFolder, Page, PlatformResult, State
from evidence_kit.platforms.meta import (
    MAX_PAGES,
    VERSION,
    FacebookAdapter,
    InstagramAdapter,
    ThreadsAdapter,
)
from evidence_kit.platforms.registry import fetch_post
from tests.platform_tools import (
    check_result,
    codes,
    js,
    playing,
    recording,
    routed,
    values,
    visited,
)

FACEBOOK = "https://www.facebook.com/100064/posts/123456789"
INSTAGRAM = "https://www.instagram.com/p/DAbc123_x/"
THREADS = "https://www.threads.com/@jan/post/DAbc123_x"
GRAPH = f"/{VERSION}"


@pytest.mark.parametrize(
    ("url", "ident", "owner"),
    [
        (FACEBOOK, "123456789", "100064"),
        (
            "https://m.facebook.com/gemeente.x/posts/een-titel/123456789?ref=x",
            "123456789",
            "gemeente.x",
        ),
        (f"https://facebook.com/jan/posts/pfbid{'0' * 20}", f"pfbid{'0' * 20}", "jan"),
        (
            "https://www.facebook.com/story.php?story_fbid=123456789&id=100064",
            "123456789",
            "100064",
        ),
        ("https://www.facebook.com/permalink.php?story_fbid=123456&id=10006", "123456", "10006"),
        ("https://www.facebook.com/photo/?fbid=123456", "123456", ""),
        ("https://www.facebook.com/watch/?v=123456", "123456", ""),
        ("https://www.facebook.com/reel/123456", "123456", ""),
        ("https://www.facebook.com/groups/buurt/permalink/123456/", "123456", "buurt"),
        (FACEBOOK + "?comment_id=555555", "123456789/555555", "100064"),
        ("https://www.facebook.com/share/p/AbCdEf123/", "", ""),
        ("https://fb.watch/AbCdEf123/", "", ""),
    ],
)
def test_facebook_forms(url: str, ident: str, owner: str) -> None:
    target = FacebookAdapter().recognise(url)
    assert target is not None
    assert (target.ident, target.author) == (ident, owner)


@pytest.mark.parametrize(
    ("adapter", "url"),
    [
        (InstagramAdapter(), INSTAGRAM + "?igsh=x"),
        (InstagramAdapter(), "https://instagram.com/jan/reel/DAbc123_x/"),
        (ThreadsAdapter(), THREADS),
        (ThreadsAdapter(), "https://www.threads.net/t/DAbc123_x"),
    ],
)
def test_short_codes(adapter: Adapter, url: str) -> None:
    target = adapter.recognise(url)
    assert target is not None
    assert target.ident == "DAbc123_x"


@pytest.mark.parametrize(
    "url",
    [
        *("https://www.facebook.com/jan", "https://www.facebook.com/photo.php?fbid=x"),
        *("https://facebook.evil.nl/jan/posts/123456", "https://www.instagram.com/jan/"),
        "https://www.threads.net/@jan",
    ],
)
def test_leave_others_alone(url: str) -> None:
    for adapter in (FacebookAdapter(), InstagramAdapter(), ThreadsAdapter()):
        assert adapter.recognise(url) is None


def play(
    adapter: Any, url: str, answers: dict[str, Any], folder: Path
) -> tuple[PlatformResult, list[dict[str, str]]]:
    seen: list[dict[str, str]] = []
    with playing(routed(answers), seen) as base:
        result, _ = visited(adapter("zeer-geheim", base), url, folder)
    for item in seen:
        assert "zeer-geheim" not in item[":path"]
        assert item["authorization"] == "Bearer zeer-geheim"
    return result, seen


POST = {
    "id": "100064_123456789",
    "message": "Wij zijn open",
    "created_time": "2026-11-20T20:14:09+0000",
    "permalink_url": FACEBOOK,
    "from": {"id": "100064", "name": "Gemeente"},
    "reactions": {"summary": {"total_count": 4}},
}


def test_facebook_post_of_ones_own_with_comments(tmp_path: Path) -> None:
    comment = {"id": "123456789_5", "message": "Ik weet je te vinden", "parent": {"id": "x_1"}}
    answers = {
        f"{GRAPH}/100064_123456789": POST,
        f"{GRAPH}/100064_123456789/comments": {"data": [comment]},
    }
    result, _ = play(FacebookAdapter, FACEBOOK, answers, tmp_path)
    assert (result.state, result.permalink) == (State.FOUND, FACEBOOK)
    assert (values(result)["text"], values(result)["likes"]) == ("Wij zijn open", 4)
    assert result.posts[0].fields["created"].precision == "second"
    assert values(result, 1)["text"] == "Ik weet je te vinden"
    assert not result.gaps


def test_facebook_comment_is_the_post_where_the_address_says_so(tmp_path: Path) -> None:
    answers = {f"{GRAPH}/123456789_555555": {"id": "123456789_555555", "message": "dreiging"}}
    result, _ = play(FacebookAdapter, FACEBOOK + "?comment_id=555555", answers, tmp_path)
    assert (result.state, values(result)["text"]) == (State.FOUND, "dreiging")


def test_facebook_page_name_is_looked_up(tmp_path: Path) -> None:
    answers = {f"{GRAPH}/gemeente.x": {"id": "100064"}, f"{GRAPH}/100064_123456789": POST}
    url = "https://www.facebook.com/gemeente.x/posts/123456789"
    result, _ = play(FacebookAdapter, url, answers, tmp_path)
    assert result.state is State.FOUND


def test_facebook_address_without_a_number(tmp_path: Path) -> None:
    url = f"https://facebook.com/jan/posts/pfbid{'0' * 20}"
    result, seen = play(FacebookAdapter, url, {}, tmp_path)
    assert (result.state, codes(result), seen) == (State.UNKNOWN, {"post.no-number"}, [])


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (190, State.UNKNOWN),
        (4, State.RATE_LIMITED),
        (100, State.NOT_THERE),
        (10, State.NOT_THERE),
        (99999, State.ERROR),
    ],
)
def test_errors_of_the_graph_api(code: int, state: State, tmp_path: Path) -> None:
    answers = {f"{GRAPH}/100064_123456789": js({"error": {"code": code, "message": "x"}}, 400)}
    result, _ = play(FacebookAdapter, FACEBOOK, answers, tmp_path)
    assert (result.state, result.posts) == (state, ())


def test_instagram_post_is_found_by_its_code(tmp_path: Path) -> None:
    accounts = [{"id": "1"}, {"id": "2", "instagram_business_account": {"id": "77"}}]
    listed = {"data": [{"id": "88", "shortcode": "DAbc123_x"}]}
    post = {"id": "88", "caption": "Feest", "username": "gemeente", "permalink": INSTAGRAM}
    answers = {
        f"{GRAPH}/me/accounts": {"data": accounts},
        f"{GRAPH}/77/media": listed,
        f"{GRAPH}/88": post,
        f"{GRAPH}/88/comments": {"data": [{"id": "9", "text": "dreiging", "username": "jan"}]},
    }
    result, _ = play(InstagramAdapter, INSTAGRAM, answers, tmp_path)
    assert (result.state, result.permalink) == (State.FOUND, INSTAGRAM)
    assert [values(result, i)["text"] for i in (0, 1)] == ["Feest", "dreiging"]


def test_threads_post_is_found_by_its_link(tmp_path: Path) -> None:
    answers = {
        "/v1.0/me/threads": {"data": [{"id": "88", "permalink": THREADS}]},
        "/v1.0/88": {"id": "88", "text": "Hallo", "permalink": THREADS},
        "/v1.0/88/replies": {"data": [{"id": "9", "text": "dreiging"}]},
    }
    result, _ = play(ThreadsAdapter, THREADS, answers, tmp_path)
    assert [values(result, i)["text"] for i in (0, 1)] == ["Hallo", "dreiging"]


def test_search_among_ones_own_posts_is_bounded(tmp_path: Path) -> None:
    page = {"data": [{"id": "1"}], "paging": {"cursors": {"after": "x"}, "next": "http://x/"}}
    result, seen = play(ThreadsAdapter, THREADS, {"/v1.0/me/threads": page}, tmp_path)
    assert len(seen) == MAX_PAGES
    assert codes(result) == {"own-posts.bound", "post.not-own"}
    assert result.reached == ("pages",)


def test_without_a_token_the_page_is_read(tmp_path: Path) -> None:
    about = {"@type": "SocialMediaPosting", "articleBody": "Wat er staat", "url": FACEBOOK}
    html = f'<script type="application/ld+json">{json.dumps(about)}</script>'.encode()
    out = ApiFolder(tmp_path / "bag")
    with recording(tmp_path / "wire") as session:
        page = Page(FACEBOOK, html)
        result = fetch_post(FACEBOOK, session, out, Silent(), environ={}, page=page)
        assert session.exchanges == ()
    check_result(result, out, tmp_path / "bag")
    assert (result.adapter, result.state) == ("facebook", State.FOUND)
    assert values(result)["text"] == "Wat er staat"
    assert "token.missing" in codes(result)
    assert result.token_would_add
