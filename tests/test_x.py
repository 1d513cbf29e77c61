"""X: both field namings, errors inside a 200, tombstones, and what is asked when it costs money."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from evidence_kit.platforms.base import PlatformResult, State
from evidence_kit.platforms.x import MAX_THREAD, XAdapter
from evidence_kit.platforms.x_read import embed_token
from tests.platform_tools import Played, codes, js, playing, routed, values, visited

URL = "https://x.com/jan/status/1154"
LOOKUP = "/2/tweets/1154"
SEARCH = "/2/tweets/search/recent"
SYNDICATION = "/tweet-result"


@pytest.mark.parametrize(
    ("url", "author"),
    [
        ("https://x.com/jan/status/1154", "jan"),
        ("https://twitter.com/jan/status/1154", "jan"),
        ("https://mobile.twitter.com/jan/status/1154?s=20&t=abc", "jan"),
        ("https://m.twitter.com/jan/statuses/1154", "jan"),
        ("https://www.x.com/jan/status/1154/photo/1", "jan"),
        ("https://x.com/jan/status/1154/video/1#m", "jan"),
        ("https://x.com/i/status/1154", ""),
        ("https://x.com/i/web/status/1154", ""),
    ],
)
def test_recognises(url: str, author: str) -> None:
    target = XAdapter().recognise(url)
    assert target is not None
    assert (target.ident, target.author, target.url) == ("1154", author, url)


@pytest.mark.parametrize(
    "url",
    [
        *("https://x.com/jan", "https://x.com/jan/status/", "https://x.com/jan/status/12a"),
        *("https://xx.com/jan/status/1", "https://x.com.evil.nl/jan/status/1"),
        *("https://t.co/abc", "https://x.com:8443/jan/status/1", "https://x.com/a/b/status/1"),
    ],
)
def test_leaves_others_alone(url: str) -> None:
    assert XAdapter().recognise(url) is None


def lookup(word: str, base: str, **changes: Any) -> dict[str, Any]:
    """An answer of the lookup in one of the two namings."""
    plural = f"{word}s"
    data = {
        "id": "1154",
        "text": "Eerste stuk van een lang bericht…",
        f"note_{word}": {"text": "Eerste stuk van een lang bericht, en de rest."},
        "author_id": "7",
        "created_at": "2026-11-20T20:14:09.000Z",
        "lang": "nl",
        "conversation_id": "1150",
        f"edit_history_{word}_ids": ["1153", "1154"],
        f"referenced_{plural}": [
            {"type": "replied_to", "id": "1150"},
            {"type": "quoted", "id": "99"},
        ],
        "attachments": {"media_keys": ["3_1", "7_2"], "poll_ids": ["5"]},
        "public_metrics": {"reply_count": 3, "retweet_count": 2, "like_count": 4},
        **changes,
    }
    includes = {
        "users": [{"id": "8", "username": "piet"}, {"id": "7", "username": "jan", "name": "Jan"}],
        "polls": [{"id": "5", "options": [{"position": 1, "label": "ja", "votes": 2}]}],
        "media": [
            {"media_key": "3_1", "type": "photo", "url": f"{base}/foto.jpg", "alt_text": "deur"},
            {
                "media_key": "7_2",
                "type": "video",
                "variants": [
                    {"content_type": "application/x-mpegURL", "url": f"{base}/v.m3u8"},
                    {"content_type": "video/mp4", "bit_rate": 1, "url": f"{base}/klein.mp4"},
                    {"content_type": "video/mp4", "bit_rate": 9, "url": f"{base}/groot.mp4"},
                ],
            },
        ],
        plural: [
            {"id": "1153", "text": "Eerste versie", "author_id": "7"},
            {"id": "1150", "text": "Waar het op antwoordt", "author_id": "8"},
            {"id": "99", "text": "Aangehaald", "author_id": "8"},
            {"id": "1", "text": "Iets anders"},
        ],
    }
    return {"data": data, "includes": includes}


def play(
    tmp_path: Path, answers: Any, *, token: str | None = "zeer-geheim", **given: Any
) -> tuple[PlatformResult, list[dict[str, str]]]:
    seen: list[dict[str, str]] = []
    base: list[str] = []

    def answer(path: str, accept: str) -> Played:
        made = answers(base[0]) if callable(answers) else answers
        return routed(made)(path, accept)

    with playing(answer, seen) as address:
        base.append(address)
        adapter = XAdapter(token, api=address, oembed=address, syndication=address, **given)
        result, _ = visited(adapter, URL, tmp_path)
    return result, seen


@pytest.mark.parametrize("word", ["tweet", "post"])
def test_whole_post_in_both_namings(word: str, tmp_path: Path) -> None:
    def answers(base: str) -> dict[str, Any]:
        media = (200, "image/jpeg", b"\xff\xd8")
        return {
            LOOKUP: lookup(word, base),
            "/foto.jpg?name=orig": media,
            "/groot.mp4": (200, "video/mp4", b"mp4"),
        }

    result, seen = play(tmp_path, answers, naming=word)
    assert result.state is State.FOUND
    assert result.permalink == URL
    assert result.token_used
    found = values(result)
    assert found["text"] == "Eerste stuk van een lang bericht, en de rest."
    assert (found["author_handle"], found["author_name"]) == ("jan", "Jan")
    assert (found["reply_to"], found["conversation"]) == ("1150", "1150")
    assert found["poll"]["options"][0]["votes"] == 2
    assert result.posts[0].fields["created"].precision == "millisecond"
    assert [(post.role, values(result, i)["text"]) for i, post in enumerate(result.posts)][1:] == [
        ("edit", "Eerste versie"),
        ("ancestor", "Waar het op antwoordt"),
        ("quoted", "Aangehaald"),
    ]
    assert [(item.original_name, item.alt) for item in result.media] == [
        ("foto.jpg", "deur"),
        ("groot.mp4", None),
    ]
    assert codes(result) == {"post.edited", "thread.not-asked"}
    asked = parse_qs(urlsplit(seen[0][":path"]).query)
    assert f"note_{word}" in asked[f"{word}.fields"][0].split(",")
    assert seen[0]["authorization"] == "Bearer zeer-geheim"
    assert all("authorization" not in item for item in seen[1:])
    assert all(SEARCH not in item[":path"] for item in seen)


def test_the_other_naming_is_tried_where_the_first_is_refused(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(path: str, accept: str) -> Played:
        asked.append(path)
        return js({"title": "Invalid Request"}, 400) if "tweet.fields" in path else js(good)

    good = lookup("post", "http://127.0.0.1:1")
    with playing(answer) as base:
        adapter = XAdapter("zeer-geheim", api=base, oembed=base, syndication=base)
        result, _ = visited(adapter, URL, tmp_path)
    assert result.state is State.FOUND
    assert [("post.fields" in path) for path in asked] == [False, True]


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("resource-not-found", State.NOT_THERE),
        ("not-authorized-for-resource", State.PRIVATE),
        ("resource-unavailable", State.NOT_THERE),
        ("iets-nieuws", State.ERROR),
    ],
)
def test_errors_inside_a_200(kind: str, state: State, tmp_path: Path) -> None:
    error = {"type": f"https://api.x.com/2/problems/{kind}", "title": "x", "resource_id": "1154"}
    result, seen = play(tmp_path, {LOOKUP: {"errors": [error]}})
    assert result.state is state
    assert len(seen) == 1
    assert "deleted" not in json.dumps(result.to_json())


def test_refused_token_falls_back_and_says_so(tmp_path: Path) -> None:
    answers = {LOOKUP: js({"title": "Unauthorized"}, 401), SYNDICATION: syndicated()}
    result, seen = play(tmp_path, answers)
    assert result.state is State.FOUND
    assert "token.refused" in codes(result)
    assert "zeer-geheim" not in "".join(item[":path"] for item in seen)


def test_rate_limit_says_when(tmp_path: Path) -> None:
    result, _ = play(tmp_path, {LOOKUP: (429, "application/json", b"{}")})
    assert result.state is State.RATE_LIMITED
    assert "try again after" in result.gaps[0].detail


def test_thread_is_bounded_in_posts(tmp_path: Path) -> None:
    items = [{"id": str(i), "text": f"antwoord {i}", "author_id": "8"} for i in range(10)]
    answers = {
        LOOKUP: lookup("tweet", "http://127.0.0.1:1"),
        SEARCH: {"data": items, "meta": {"next_token": "verder"}},
    }
    result, seen = play(tmp_path, answers, thread=15)
    assert sum(post.role == "reply" for post in result.posts) == 15
    assert sum(SEARCH in item[":path"] for item in seen) == 2
    assert {"thread.bound", "thread.seven-days"} <= codes(result)
    assert result.bounds["posts of the thread"] == 15
    assert result.reached == ("posts of the thread",)
    result, _ = play(tmp_path / "b", {LOOKUP: {"errors": []}}, thread=10**9)
    assert result.bounds["posts of the thread"] == MAX_THREAD
    assert result.reached == ()


def syndicated(**changes: Any) -> dict[str, Any]:
    made = {
        "__typename": "Tweet",
        "id_str": "1154",
        "text": "Hallo",
        "lang": "nl",
        "created_at": "2026-11-20T20:14:09.000Z",
        "user": {"id_str": "7", "screen_name": "jan", "name": "Jan"},
        "favorite_count": 4,
        "parent": {"__typename": "Tweet", "id_str": "1150", "text": "Erboven"},
        "quoted_tweet": {"__typename": "Tweet", "id_str": "99", "text": "Aangehaald"},
    }
    return {**made, **changes}


def test_without_a_token(tmp_path: Path) -> None:
    answers = {SYNDICATION: syndicated(), "/oembed": {"html": "<blockquote>Hallo</blockquote>"}}
    result, seen = play(tmp_path, answers, token=None)
    assert result.state is State.FOUND
    assert [post.role for post in result.posts] == ["post", "ancestor", "quoted"]
    assert values(result)["author_handle"] == "jan"
    assert result.token_would_add
    assert not result.gaps
    assert parse_qs(urlsplit(seen[0][":path"]).query)["url"] == [URL]


def test_long_and_edited_posts_without_a_token_are_said_to_be_incomplete(tmp_path: Path) -> None:
    changed = syndicated(note_tweet={"id": "x"}, edit_control={"edit_tweet_ids": ["1153", "1154"]})
    result, _ = play(tmp_path, {SYNDICATION: changed}, token=None)
    assert {"text.shortened", "post.edited", "oembed.not-fetched"} == codes(result)


def test_a_tombstone_is_not_called_deleted(tmp_path: Path) -> None:
    words = "This Post is from an account that no longer exists."
    stone = {"__typename": "TweetTombstone", "tombstone": {"text": {"text": words}}}
    result, _ = play(tmp_path, {SYNDICATION: stone}, token=None)
    assert result.state is State.NOT_THERE
    detail = next(gap.detail for gap in result.gaps if gap.code == "post.tombstone")
    assert words in detail
    assert "age-restricted" in detail


def test_another_post_than_asked_for_is_no_answer(tmp_path: Path) -> None:
    result, _ = play(tmp_path / "a", {SYNDICATION: syndicated(id_str="9")}, token=None)
    assert result.state is State.ERROR
    result, _ = play(tmp_path / "b", {LOOKUP: lookup("tweet", "", id="9")})
    assert (result.state, "post.other-id" in codes(result)) == (State.ERROR, True)


def test_parameter_of_embeds_is_as_browsers_make_it() -> None:
    assert embed_token("1697322795510759929") == "444aooo9l2p"
    assert embed_token("0") == "0"
    assert all(embed_token(str(10**n + 7)).isalnum() for n in range(20))


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (js({}, 403), State.UNKNOWN),
        (js({}, 404), State.NOT_THERE),
        ({}, State.ERROR),
    ],
)
def test_refusals_without_a_token(answer: Any, state: State, tmp_path: Path) -> None:
    result, _ = play(tmp_path, {SYNDICATION: answer}, token=None)
    assert (result.state, result.posts) == (state, ())


@pytest.mark.parametrize("token", ["zeer-geheim", None])
def test_a_video_without_a_file_leads_to_its_stream(token: str | None, tmp_path: Path) -> None:
    def answers(base: str) -> dict[str, Any]:
        stream = {"content_type": "application/x-mpegURL", "url": f"{base}/v.m3u8"}
        found = lookup("tweet", base)
        found["includes"]["media"][1]["variants"] = [stream]
        shown = {"__typename": "Tweet", "id_str": "1154", "text": "Hallo", "user": {"id_str": "7"}}
        details = [{"type": "video", "video_info": {"variants": [stream]}}]
        return {LOOKUP: found, "/tweet-result": {**shown, "mediaDetails": details}}

    result, seen = play(tmp_path, answers, token=token)
    (stream,) = result.streams
    assert stream.endswith("/v.m3u8")
    assert not any("m3u8" in item[":path"] for item in seen)
