"""Discourse and NodeBB: forums that are asked what they are before anything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evidence_kit.platforms.base import Adapter, NotThisPlatformError, Page, PlatformResult, State
from evidence_kit.platforms.discourse import DiscourseAdapter
from evidence_kit.platforms.nodebb import NodeBbAdapter
from tests.platform_tools import codes, js, playing, routed, values, visited

ABOUT = {"about": {"version": "3.4.0"}}
CONFIG = {"relative_path": "", "upload_url": "/assets/uploads"}


@pytest.mark.parametrize(
    ("path", "ident"),
    [
        ("/t/wat-ik-zag/57", "57/1"),
        ("/t/wat-ik-zag/57/3?u=jan", "57/3"),
        ("/t/57", "57/1"),
        ("/t/57/3/", "57/3"),
    ],
)
def test_discourse_recognises(path: str, ident: str) -> None:
    target = DiscourseAdapter().recognise("https://forum.invalid" + path)
    assert target is not None
    assert (target.ident, target.base) == (ident, "https://forum.invalid")


def test_forum_below_a_folder() -> None:
    target = DiscourseAdapter().recognise("https://voorbeeld.invalid/praat/t/x/57/3")
    assert target is not None
    assert target.base == "https://voorbeeld.invalid/praat"
    found = NodeBbAdapter().recognise("https://voorbeeld.invalid/praat/topic/12/x/3")
    assert found is not None
    assert (found.base, found.ident) == ("https://voorbeeld.invalid/praat", "12/3")


@pytest.mark.parametrize("path", ["/t/wat-ik-zag", "/t/", "/topic/x", "/c/nieuws/5"])
def test_leave_others_alone(path: str) -> None:
    assert DiscourseAdapter().recognise("https://forum.invalid" + path) is None
    assert NodeBbAdapter().recognise("https://forum.invalid" + path) is None


def post(number: int, text: str, **changes: Any) -> dict[str, Any]:
    made = {
        "id": 100 + number,
        "post_number": number,
        "username": "jan",
        "name": "Jan",
        "user_id": 7,
        "cooked": f"<p>{text}</p>",
        "created_at": "2026-11-20T20:14:09.000Z",
        "updated_at": "2026-11-21T20:14:09.000Z",
        "version": 1,
        "topic_id": 57,
        "actions_summary": [{"id": 3, "count": 9}, {"id": 2, "count": 4}],
    }
    return {**made, **changes}


def topic(*posts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    made = {"id": 57, "title": "Wat ik zag", "posts_count": 3, "post_stream": {"posts": posts}}
    return {**made, **changes}


def discourse(tmp_path: Path, answers: dict[str, Any], path: str = "/t/x/57/2") -> PlatformResult:
    with playing(routed({"/about.json": ABOUT, **answers})) as base:
        return visited(DiscourseAdapter(), base + path, tmp_path)[0]


def test_discourse_post_in_its_topic(tmp_path: Path) -> None:
    picture = (
        '<a class="lightbox" href="/groot.png"><img src="/klein.png"></a>'
        '<img class="emoji" src="/e">'
    )
    mine = post(2, "mijn" + picture, version=2)
    answers = {
        "/t/57/2.json": topic(post(1, "eerste"), mine, post(3, "derde")),
        "/posts/102.json": {**mine, "raw": "mijn *getypte* tekst"},
        "/posts/102/revisions/latest.json": {"post_id": 102},
        "/u/jan.json": {"user": {}},
        "/groot.png": (200, "image/png", b"\x89PNG"),
        "/klein.png": (200, "image/png", b"\x89PNG"),
    }
    result = discourse(tmp_path, answers)
    assert result.state is State.FOUND
    assert [post.role for post in result.posts] == ["post", "ancestor", "reply"]
    found = values(result)
    assert (found["text"], found["title"]) == ("mijn *getypte* tekst", "Wat ik zag")
    assert (found["likes"], found["author_handle"]) == (4, "jan")
    assert found["edited"] == "2026-11-21T20:14:09.000Z"
    assert "edited" not in result.posts[1].fields
    assert values(result, 1)["text"] == "eerste"
    assert [item.original_name for item in result.media] == ["groot.png", "klein.png"]
    assert codes(result) == {"post.edited"}


def test_discourse_shows_a_part_of_a_long_topic(tmp_path: Path) -> None:
    result = discourse(tmp_path, {"/t/57/2.json": topic(post(2, "mijn"), posts_count=900)})
    assert any(gap.detail.startswith("1 of the topic's 900") for gap in result.gaps)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (topic(post(2, "x", user_deleted=True)), State.GONE),
        (topic(post(2, "x", deleted_at="2026-11-22T00:00:00Z")), State.GONE),
        (topic(post(1, "x")), State.NOT_THERE),
        (js({"errors": ["x"]}, 403), State.PRIVATE),
        (js({"errors": ["x"]}, 404), State.NOT_THERE),
        (js({"errors": ["x"]}, 410), State.GONE),
        (topic(post(2, "x"), id=58), State.ERROR),
    ],
)
def test_discourse_absence(answer: Any, state: State, tmp_path: Path) -> None:
    result = discourse(tmp_path, {"/t/57/2.json": answer})
    assert (result.state, result.posts) == (state, ())
    assert result.gaps


def test_closed_discourse_is_known_by_its_page(tmp_path: Path) -> None:
    page = b'<meta name="generator" content="Discourse 3.4.0">'
    answers = {"/about.json": js({}, 403), "/t/57/2.json": js({}, 403)}
    with playing(routed(answers)) as base:
        url = base + "/t/x/57/2"
        result, _ = visited(DiscourseAdapter(), url, tmp_path / "a", Page(url, page))
        assert result.state is State.PRIVATE
        with pytest.raises(NotThisPlatformError):
            visited(DiscourseAdapter(), url, tmp_path / "b")


def bb(place: int, text: str, **changes: Any) -> dict[str, Any]:
    made = {
        "pid": 200 + place,
        "index": place,
        "tid": 12,
        "uid": 7,
        "content": f"<p>{text}</p>",
        "timestamp": 1763669649000,
        "edited": 0,
        "upvotes": 2,
        "user": {"username": "Jan", "userslug": "jan"},
        "deleted": 0,
    }
    return {**made, **changes}


def nodebb(tmp_path: Path, answer: Any, path: str = "/topic/12/x/2") -> PlatformResult:
    answers = {"/api/config": CONFIG, "/api/topic/12/x/2": answer, "/api/user/jan": {}}
    with playing(routed(answers)) as base:
        return visited(NodeBbAdapter(), base + path, tmp_path)[0]


def test_nodebb_post_in_its_topic(tmp_path: Path) -> None:
    answer = {"tid": 12, "title": "Wat ik zag", "postcount": 3}
    answer["posts"] = [bb(0, "eerste"), bb(1, "mijn", edited=1763669700000), bb(2, "derde")]
    result = nodebb(tmp_path, answer)
    assert result.state is State.FOUND
    assert [post.role for post in result.posts] == ["post", "ancestor", "reply"]
    found = values(result)
    assert (found["text"], found["id"], found["likes"]) == ("mijn", 201, 2)
    assert result.posts[0].fields["edited"].precision == "unix-milliseconds"
    assert "edited" not in result.posts[1].fields
    assert (result.permalink or "").endswith("/post/201")


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"deleted": 1}, State.GONE),
        ({"content": "[[topic:post-is-deleted]]"}, State.GONE),
        ({"content": "[[topic:post_is_deleted]]"}, State.GONE),
        ({"index": 5}, State.NOT_THERE),
    ],
)
def test_nodebb_absence(changes: dict[str, Any], state: State, tmp_path: Path) -> None:
    result = nodebb(tmp_path, {"tid": 12, "posts": [bb(1, "mijn", **changes)]})
    assert (result.state, result.posts) == (state, ())


@pytest.mark.parametrize("config", [{}, {"relative_path": 7}, [1], {"relative_path": ""}])
def test_other_sites_with_the_same_form_are_left_alone(config: Any, tmp_path: Path) -> None:
    cases: list[tuple[Adapter, str]] = [
        (NodeBbAdapter(), "/topic/12/x/2"),
        (DiscourseAdapter(), "/t/x/57/2"),
    ]
    with playing(routed({"/api/config": config, "/about.json": config})) as base:
        for number, (adapter, path) in enumerate(cases):
            with pytest.raises(NotThisPlatformError):
                visited(adapter, base + path, tmp_path / str(number))
