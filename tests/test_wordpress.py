"""WordPress: a real one, and what a site may answer that ours does not."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from evidence_kit.core.events import Silent
from evidence_kit.platforms.base import ApiFolder, NotThisPlatformError, Page, PlatformResult, State
from evidence_kit.platforms.registry import fetch_post
from evidence_kit.platforms.wordpress import WordPressAdapter
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
from tests.servers import wordpress


@pytest.fixture(scope="module")
def site() -> Iterator[wordpress.WordPress]:
    with wordpress.running() as server:
        yield server


def captured(url: str, folder: Path) -> PlatformResult:
    """As a capture does it: the page first, then the adapter that fits."""
    out = ApiFolder(folder / "bag")
    with recording(folder / "wire") as session:
        seen = session.get(url)
        page = Page(seen.url, seen.data, "utf-8")
        result = fetch_post(url, session, out, Silent(), environ={}, page=page)
    check_result(result, out, folder / "bag")
    return result


@pytest.mark.slow
@pytest.mark.outside
class TestRealServer:
    @pytest.mark.parametrize(
        "form", ["{post_path}?utm_source=x", "/?p={post}", "{post_path}#boven"]
    )
    def test_post(self, site: wordpress.WordPress, form: str, tmp_path: Path) -> None:
        result = captured(site.base + form.format(**site.seed), tmp_path)
        assert (result.adapter, result.state) == ("wordpress", State.FOUND)
        assert result.permalink == site.base + site.seed["post_path"]
        found = values(result)
        assert (found["id"], found["text"]) == (site.seed["post"], "Tweede versie 🚲 & meer")
        assert found["title"] == "Een bericht met ë"
        assert result.posts[0].fields["created"].precision == "second-utc"
        assert sum(post.role == "reply" for post in result.posts) == 107
        (picture,) = result.media
        assert picture.alt == "een deur"
        wanted = base64.b64decode(site.seed["picture"])
        assert (tmp_path / "bag" / picture.path).read_bytes() == wanted
        assert codes(result) == {"post.revisions"}

    def test_comment_with_what_stands_around_it(
        self, site: wordpress.WordPress, tmp_path: Path
    ) -> None:
        address = f"{site.base}{site.seed['post_path']}#comment-{site.seed['deep']}"
        result = captured(address, tmp_path / "a")
        assert [(post.role, values(result, i)["text"]) for i, post in enumerate(result.posts)] == [
            ("post", "antwoord op een antwoord"),
            ("ancestor", "antwoord 0"),
            ("ancestor", "Zij krijgt nog bezoek"),
            ("quoted", "Tweede versie 🚲 & meer"),
        ]
        assert urlsplit(result.permalink or "").fragment == f"comment-{site.seed['deep']}"
        address = f"{site.base}{site.seed['post_path']}#comment-{site.seed['comment']}"
        result = captured(address, tmp_path / "b")
        assert sum(post.role == "reply" for post in result.posts) == 106

    def test_page(self, site: wordpress.WordPress, tmp_path: Path) -> None:
        result = captured(site.base + site.seed["page_path"], tmp_path)
        assert (result.adapter, values(result)["text"]) == ("wordpress", "Waar wij zijn")

    def test_post_behind_a_password(self, site: wordpress.WordPress, tmp_path: Path) -> None:
        result = captured(site.base + site.seed["locked_path"], tmp_path)
        assert (result.adapter, result.state) == ("wordpress", State.PRIVATE)
        assert "post.protected" in codes(result)

    @pytest.mark.parametrize(
        ("name", "state"),
        [("trashed", State.PRIVATE), ("private", State.PRIVATE), ("unknown", State.NOT_THERE)],
    )
    def test_absence(
        self, site: wordpress.WordPress, name: str, state: State, tmp_path: Path
    ) -> None:
        result = captured(f"{site.base}/?p={site.seed[name]}", tmp_path)
        assert (result.adapter, result.state, result.posts) == ("wordpress", state, ())

    def test_comment_that_is_held_back(self, site: wordpress.WordPress, tmp_path: Path) -> None:
        address = f"{site.base}{site.seed['post_path']}#comment-{site.seed['held']}"
        result = captured(address, tmp_path)
        assert (result.adapter, result.state) == ("wordpress", State.PRIVATE)

    def test_front_page_is_no_post(self, site: wordpress.WordPress, tmp_path: Path) -> None:
        assert captured(site.base + "/", tmp_path).adapter == "generic"


def html(base: str, rest: str = "/wp-json/", ident: int = 4) -> bytes:
    return (
        f'<link rel="https://api.w.org/" href="{base}{rest}">'
        f'<link rel="alternate" type="application/json" href="{base}{rest}wp/v2/posts/{ident}">'
    ).encode()


def post(ident: int, text: str, **changes: Any) -> dict[str, Any]:
    made = {
        "id": ident,
        "date_gmt": "2026-11-20T20:14:09",
        "content": {"rendered": f"<p>{text}</p>", "protected": False},
    }
    return {**made, **changes}


def play(tmp_path: Path, answers: dict[str, Any], rest: str = "/wp-json/", tail: str = "/") -> Any:
    with playing(routed(answers)) as base:
        page = Page(base + "/", html(base, rest))
        return visited(WordPressAdapter(), base + tail, tmp_path, page)[0]


def test_site_without_rewriting(tmp_path: Path) -> None:
    route = "/?rest_route=/wp/v2/"
    answers = {f"{route}posts/4": post(4, "hallo"), "/": [post(5, "antwoord", parent=0)]}
    result = play(tmp_path, answers, "/?rest_route=/")
    assert [values(result, i)["text"] for i in (0, 1)] == ["hallo", "antwoord"]
    assert "reply_to" not in result.posts[1].fields


def test_comments_are_bounded(tmp_path: Path) -> None:
    full = [post(i, "x") for i in range(100, 200)]
    answers = {"/wp-json/wp/v2/posts/4": post(4, "hallo"), "/wp-json/wp/v2/comments": full}
    result = play(tmp_path, answers)
    assert len(result.posts) == 501
    assert "comments.bound" in codes(result)
    assert result.reached == ("pages of comments",)


def test_comments_that_answer_each_other_end(tmp_path: Path) -> None:
    ring = [post(7, "een", parent=8), post(8, "twee", parent=7)]
    answers = {
        "/wp-json/wp/v2/posts/4": post(4, "hallo"),
        "/wp-json/wp/v2/comments": ring,
        "/wp-json/wp/v2/comments/7": ring[0],
    }
    result = play(tmp_path, answers, tail="/#comment-7")
    assert {item.role for item in result.posts} == {"post", "ancestor", "quoted"}


def test_another_post_than_asked_for_is_no_answer(tmp_path: Path) -> None:
    result = play(tmp_path, {"/wp-json/wp/v2/posts/4": post(5, "anders")})
    assert result.state is State.ERROR


@pytest.mark.parametrize(
    "page",
    [
        b"<p>niets",
        b'<link rel="https://api.w.org/" href="/wp-json/">',
        b'<link rel="https://api.w.org/" href="javascript:x"><link rel=shortlink href="/?p=4">',
        b'<link rel="alternate" type="application/json" href="/wp-json/wp/v2/posts/4">',
    ],
)
def test_other_sites_are_left_alone(page: bytes, tmp_path: Path) -> None:
    address = "http://voorbeeld.invalid/"
    with pytest.raises(NotThisPlatformError):
        visited(WordPressAdapter(), address, tmp_path, Page(address, page))
    with pytest.raises(NotThisPlatformError):
        visited(WordPressAdapter(), address, tmp_path / "b")


def test_refusal_says_what_it_can_mean(tmp_path: Path) -> None:
    refused = js({"code": "rest_forbidden"}, 401)
    result = play(tmp_path, {"/wp-json/wp/v2/posts/4": refused})
    assert result.state is State.PRIVATE
    assert "in the bin" in result.gaps[0].detail
