"""YouTube: videos and comments with a key, oEmbed without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evidence_kit.platforms.base import PlatformResult, State
from evidence_kit.platforms.youtube import MAX_PAGES, YouTubeAdapter
from tests.platform_tools import codes, js, playing, routed, values, visited

VIDEO = "dQw4w9WgXcQ"
COMMENT = "UgxKREWq8HBzMz4AaABAg"
URL = f"https://www.youtube.com/watch?v={VIDEO}"
API = "/youtube/v3/"


@pytest.mark.parametrize(
    "url",
    [
        URL,
        f"https://m.youtube.com/watch?app=desktop&v={VIDEO}&t=3s",
        f"https://youtu.be/{VIDEO}?si=abc",
        f"https://www.youtube.com/shorts/{VIDEO}",
        f"https://youtube.com/live/{VIDEO}?feature=share",
        f"https://music.youtube.com/watch?v={VIDEO}",
        f"https://www.youtube-nocookie.com/embed/{VIDEO}",
    ],
)
def test_recognises_videos(url: str) -> None:
    target = YouTubeAdapter().recognise(url)
    assert target is not None
    assert target.ident == VIDEO


def test_recognises_comments_and_replies() -> None:
    for comment in (COMMENT, f"{COMMENT}.9abcDEF-gh_12345"):
        target = YouTubeAdapter().recognise(f"{URL}&lc={comment}")
        assert target is not None
        assert target.ident == f"{VIDEO}#{comment}"


@pytest.mark.parametrize(
    "url",
    [
        *("https://www.youtube.com/@kanaal", "https://www.youtube.com/watch?v=kort"),
        *("https://youtu.be/", f"https://youtube.evil.nl/watch?v={VIDEO}"),
        f"https://www.youtube.com/watch?{'a=1&' * 200}v={VIDEO}",
    ],
)
def test_leaves_others_alone(url: str) -> None:
    assert YouTubeAdapter().recognise(url) is None


def video(base: str = "", **changes: Any) -> dict[str, Any]:
    item = {
        "id": VIDEO,
        "snippet": {
            "publishedAt": "2026-11-20T20:14:09Z",
            "channelId": "UC7",
            "channelTitle": "Jan",
            "title": "Wat ik zag",
            "description": "Bij het ziekenhuis",
            "thumbnails": {"default": {"url": f"{base}/a.jpg"}, "high": {"url": f"{base}/b.jpg"}},
        },
        "status": {"privacyStatus": "unlisted"},
        "statistics": {"viewCount": "12", "likeCount": "3", "commentCount": "2"},
        **changes,
    }
    return {"items": [item]}


def comment(ident: str, text: str, parent: str = "") -> dict[str, Any]:
    snippet = {
        "textDisplay": text,
        "authorDisplayName": "@piet",
        "authorChannelId": {"value": "UC9"},
        "publishedAt": "2026-11-20T21:00:00Z",
        "updatedAt": "2026-11-20T22:00:00Z",
        **({"parentId": parent} if parent else {}),
    }
    return {"id": ident, "snippet": snippet}


def play(
    tmp_path: Path, answers: Any, url: str = URL, key: str | None = "zeer-geheim"
) -> tuple[PlatformResult, list[dict[str, str]]]:
    seen: list[dict[str, str]] = []
    base: list[str] = []

    def answer(path: str, accept: str) -> Any:
        return routed(answers(base[0]) if callable(answers) else answers)(path, accept)

    with playing(answer, seen) as address:
        base.append(address)
        result, _ = visited(YouTubeAdapter(key, api=address, site=address), url, tmp_path)
    return result, seen


def test_video_with_comments(tmp_path: Path) -> None:
    thread = {
        "id": "T1",
        "snippet": {"topLevelComment": comment("T1", "eerste"), "totalReplyCount": 5},
        "replies": {"comments": [comment("T1.1", "antwoord", "T1")]},
    }

    def answers(base: str) -> dict[str, Any]:
        return {
            f"{API}videos": video(base),
            f"{API}channels": {"items": [{}]},
            f"{API}commentThreads": {"items": [thread]},
            "/oembed": {"title": "Wat ik zag"},
            "/b.jpg": (200, "image/jpeg", b"\xff\xd8"),
        }

    result, seen = play(tmp_path, answers)
    assert (result.state, result.permalink) == (State.FOUND, URL)
    found = values(result)
    assert (found["title"], found["text"]) == ("Wat ik zag", "Bij het ziekenhuis")
    assert (found["visibility"], found["views"]) == ("unlisted", "12")
    assert [values(result, i)["text"] for i in (1, 2)] == ["eerste", "antwoord"]
    assert values(result, 2)["reply_to"] == "T1"
    assert [item.original_name for item in result.media] == ["b.jpg"]
    assert codes(result) == {"comments.replies-missing", "media.video"}
    for item in seen:
        assert "zeer-geheim" not in item[":path"]
        asked = item[":path"].startswith(API)
        assert item.get("x-goog-api-key") == ("zeer-geheim" if asked else None)


def test_comment_with_what_stands_above_and_below(tmp_path: Path) -> None:
    reply = f"{COMMENT}.9abcDEF"
    answers = {
        f"{API}videos": video(),
        f"{API}comments": {"items": [comment(COMMENT, "erboven"), comment(reply, "mijn", COMMENT)]},
    }

    def by_id(path: str, accept: str) -> Any:
        for ident, text, parent in ((reply, "mijn", COMMENT), (COMMENT, "erboven", "")):
            if f"id={ident}&" in path and "parentId" not in path:
                return js({"items": [comment(ident, text, parent)]})
        if "parentId=" in path:
            return js({"items": [comment(reply, "mijn", COMMENT), comment("z", "nog een")]})
        return routed(answers)(path, accept)

    with playing(by_id) as base:
        adapter = YouTubeAdapter("zeer-geheim", api=base, site=base)
        result, _ = visited(adapter, f"{URL}&lc={reply}", tmp_path)
    assert result.permalink == f"{URL}&lc={reply}"
    assert [(post.role, values(result, i)["text"]) for i, post in enumerate(result.posts)] == [
        ("post", "mijn"),
        ("ancestor", "erboven"),
        ("reply", "nog een"),
        ("quoted", "Bij het ziekenhuis"),
    ]


def test_comment_that_is_not_there(tmp_path: Path) -> None:
    answers = {f"{API}videos": video(), f"{API}comments": {"items": []}}
    result, _ = play(tmp_path, answers, f"{URL}&lc={COMMENT}")
    assert (result.state, result.posts) == (State.NOT_THERE, ())


def test_paging_is_bounded(tmp_path: Path) -> None:
    page = {"items": [{"snippet": {"topLevelComment": comment("a", "x")}}], "nextPageToken": "n"}
    result, seen = play(tmp_path, {f"{API}videos": video(), f"{API}commentThreads": page})
    assert sum("commentThreads" in item[":path"] for item in seen) == MAX_PAGES
    assert "comments.bound" in codes(result)
    assert result.reached == ("pages of comments",)


@pytest.mark.parametrize(
    ("status", "oembed", "state"),
    [
        ({"items": []}, js({}, 404), State.NOT_THERE),
        ({"items": []}, js({}, 401), State.NOT_THERE),
        (js({"error": {"errors": [{"reason": "quotaExceeded"}]}}, 403), None, State.RATE_LIMITED),
        (js({"error": {"errors": [{"reason": "forbidden"}]}}, 403), None, State.UNKNOWN),
        (video(id="andere-vide"), None, State.ERROR),
    ],
)
def test_what_the_api_means(status: Any, oembed: Any, state: State, tmp_path: Path) -> None:
    answers = {f"{API}videos": status, "/oembed": oembed}
    result, _ = play(tmp_path, answers)
    assert result.state is state


def test_comments_switched_off_is_no_error(tmp_path: Path) -> None:
    off = js({"error": {"errors": [{"reason": "commentsDisabled"}]}}, 403)
    result, _ = play(tmp_path, {f"{API}videos": video(), f"{API}commentThreads": off})
    assert result.state is State.FOUND
    assert any("switched off" in gap.detail for gap in result.gaps)


@pytest.mark.parametrize(
    ("oembed", "state"),
    [
        (js({"title": "Wat ik zag", "author_name": "Jan"}), State.FOUND),
        (js({}, 400), State.NOT_THERE),
        (js({}, 404), State.NOT_THERE),
        (js({}, 401), State.UNKNOWN),
        (js({}, 403), State.UNKNOWN),
    ],
)
def test_without_a_key(oembed: Any, state: State, tmp_path: Path) -> None:
    result, _ = play(tmp_path, {"/oembed": oembed}, key=None)
    assert result.state is state
    assert result.token_would_add
    if state is State.FOUND:
        assert values(result) == {"title": "Wat ik zag", "author_name": "Jan"}


def test_without_a_key_a_comment_is_not_found(tmp_path: Path) -> None:
    answers = {"/oembed": {"title": "Wat ik zag"}}
    result, _ = play(tmp_path, answers, f"{URL}&lc={COMMENT}", key=None)
    assert result.state is State.UNKNOWN
    assert "comment.not-asked" in codes(result)
