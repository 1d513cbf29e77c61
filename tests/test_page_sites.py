"""TikTok and LinkedIn: what can be had, and what is said about the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evidence_kit.platforms.base import Page, State
from evidence_kit.platforms.page_sites import LinkedInAdapter, TikTokAdapter
from tests.platform_tools import codes, js, playing, routed, values, visited

ID = "7123456789012345678"
URL = f"https://www.tiktok.com/@jan/video/{ID}"


@pytest.mark.parametrize(
    ("url", "ident"),
    [
        (URL + "?is_from_webapp=1", ID),
        (f"https://m.tiktok.com/@jan.x/photo/{ID}", ID),
        ("https://vm.tiktok.com/ZMabc123/", ""),
        ("https://www.tiktok.com/t/ZMabc123/", ""),
    ],
)
def test_tiktok_recognises(url: str, ident: str) -> None:
    target = TikTokAdapter().recognise(url)
    assert target is not None
    assert target.ident == ident


@pytest.mark.parametrize(
    ("url", "ident"),
    [
        (f"https://www.linkedin.com/feed/update/urn:li:activity:{ID}/?x=1", ID),
        (f"https://nl.linkedin.com/feed/update/urn%3Ali%3Ashare%3A{ID}", ID),
        (f"https://www.linkedin.com/posts/jan_wat-ik-zag-activity-{ID}-AbCd", ID),
        ("https://www.linkedin.com/pulse/wat-ik-zag-jan", ""),
    ],
)
def test_linkedin_recognises(url: str, ident: str) -> None:
    target = LinkedInAdapter().recognise(url)
    assert target is not None
    assert target.ident == ident


@pytest.mark.parametrize(
    "url",
    [
        "https://www.tiktok.com/@jan",
        "https://www.linkedin.com/in/jan",
        "https://tiktok.evil.nl/@a/video/1",
    ],
)
def test_leave_others_alone(url: str) -> None:
    assert TikTokAdapter().recognise(url) is None
    assert LinkedInAdapter().recognise(url) is None


def test_tiktok(tmp_path: Path) -> None:
    answer = {
        "embed_product_id": ID,
        "title": "wat ik zag #buurt",
        "author_unique_id": "jan",
        "author_name": "Jan",
    }
    with playing(routed({"/oembed": answer})) as base:
        result, _ = visited(TikTokAdapter(base), URL, tmp_path)
    assert (result.state, result.permalink) == (State.FOUND, URL)
    assert values(result) == {
        "text": "wat ik zag #buurt",
        "author_handle": "jan",
        "author_name": "Jan",
    }


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (js({"code": 400, "message": "Something went wrong"}, 400), State.UNKNOWN),
        ({"embed_product_id": "1", "title": "anders"}, State.ERROR),
    ],
)
def test_tiktok_refusals_are_not_called_removal(answer: Any, state: State, tmp_path: Path) -> None:
    with playing(routed({"/oembed": answer})) as base:
        result, _ = visited(TikTokAdapter(base), URL, tmp_path)
    assert (result.state, result.posts) == (state, ())


def test_tiktok_short_link(tmp_path: Path) -> None:
    short = "https://vm.tiktok.com/ZMabc123/"
    with playing(routed({"/oembed": {"embed_product_id": ID, "title": "x"}})) as base:
        result, _ = visited(TikTokAdapter(base), short, tmp_path / "a", Page(URL, b""))
        assert result.state is State.FOUND
        result, _ = visited(TikTokAdapter(base), short, tmp_path / "b")
    assert codes(result) == {"share.not-resolved"}


def test_linkedin_says_that_there_is_only_the_page(tmp_path: Path) -> None:
    url = f"https://www.linkedin.com/feed/update/urn:li:activity:{ID}/"
    result, out = visited(LinkedInAdapter(), url, tmp_path)
    assert (result.state, codes(result), out.stored) == (State.UNKNOWN, {"api.none"}, ())
