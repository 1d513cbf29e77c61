"""Recorded answers of real platforms, where a folder of them is named in the environment.

They hold real people's posts and are no part of this project, which is why their absence is the one
reason for which a test here may be skipped.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.platforms.base import State
from evidence_kit.platforms.discourse import DiscourseAdapter
from evidence_kit.platforms.mastodon import MastodonAdapter
from evidence_kit.platforms.meta import VERSION, FacebookAdapter
from evidence_kit.platforms.reddit import RedditAdapter
from evidence_kit.platforms.x import XAdapter
from evidence_kit.platforms.youtube import YouTubeAdapter
from tests.platform_tools import Played, js, playing, routed, values, visited

VARIABLE = "EVIDENCE_KIT_RECORDINGS"
FOLDER = Path(os.environ.get(VARIABLE) or "no-recordings")
pytestmark = pytest.mark.skipif(
    not os.environ.get(VARIABLE), reason=f"{VARIABLE} names no folder of recorded answers"
)


def load(name: str) -> Any:
    return json.loads((FOLDER / name).read_bytes())


@pytest.mark.parametrize("name", ["edited_before.jsonl", "media_tweet.jsonl"])
def test_x(name: str, tmp_path: Path) -> None:
    answer = json.loads((FOLDER / "x" / name).read_text("utf-8").splitlines()[0])
    data = answer["data"][0]
    lookup = {**answer, "data": data}
    with playing(routed({f"/2/tweets/{data['id']}": lookup})) as base:
        adapter = XAdapter("geheim", api=base, oembed=base, syndication=base)
        # Nothing is fetched from the real addresses in it: the session reaches loopback alone.
        result, _ = visited(adapter, f"https://x.com/i/status/{data['id']}", tmp_path)
    assert result.state is State.FOUND
    found = values(result)
    assert (found["text"], found["created"]) == (data["text"], data["created_at"])
    assert found["author_handle"] in {user["username"] for user in answer["includes"]["users"]}
    assert found["likes"] == data["public_metrics"]["like_count"]


def cassette(text: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first JSON body in a recording of which ``wanted`` holds."""
    for body in re.findall(r"string: '((?:[^']|'')*)'", text):
        plain = re.sub(r"\n *\n *", "\\n", body.replace("''", "'"))
        try:
            found = json.loads(re.sub(r"\n +", " ", plain))
        except ValueError:
            continue
        if isinstance(found, dict) and wanted(found):
            return found
    raise AssertionError("the recording holds no such answer")


def test_mastodon(tmp_path: Path) -> None:
    text = (FOLDER / "mastodon" / "test_status_edit.yaml").read_text("utf-8")
    status = cassette(text, lambda item: "content" in item and "account" in item)
    answers = {
        "/api/v2/instance": {"domain": "localhost", "version": "4.5.0"},
        f"/api/v1/statuses/{status['id']}": status,
    }
    with playing(routed(answers)) as base:
        path = f"/@{status['account']['acct']}/{status['id']}"
        result, _ = visited(MastodonAdapter(), base + path, tmp_path)
    assert result.state is State.FOUND
    assert values(result)["text_html"] == status["content"]
    assert values(result)["author_handle"] == status["account"]["acct"]


def test_reddit(tmp_path: Path) -> None:
    recorded = load("reddit/TestSubmission.test_comments.json")["interactions"]
    bodies = [item["response"]["body"]["string"] for item in recorded]
    thread = next(json.loads(body) for body in bodies if body.startswith("["))
    post = thread[0]["data"]["children"][0]["data"]
    answers = {
        "/api/v1/access_token": {"access_token": "t"},
        f"/comments/{post['id']}": thread,
    }
    with playing(routed(answers)) as base:
        adapter = RedditAdapter("a", "b", site=base, api=base)
        result, _ = visited(adapter, f"https://redd.it/{post['id']}", tmp_path)
    assert result.state is State.FOUND
    assert values(result)["text"] == post["selftext"]
    assert len(result.posts) > 1


def test_youtube(tmp_path: Path) -> None:
    video = load("youtube/videos_info_single.json")
    pages = [load(f"youtube/comment_threads_by_video_paged_{i}.json") for i in (1, 2)]
    pages[1].pop("nextPageToken", None)
    ident = video["items"][0]["id"]

    def answer(path: str, accept: str) -> Played:
        if "/commentThreads" in path:
            return js(pages["pageToken=" in path])
        return js(video) if "/videos" in path else js({}, 404)

    with playing(answer) as base:
        adapter = YouTubeAdapter("geheim", api=base, site=base)
        result, _ = visited(adapter, f"https://youtu.be/{ident}", tmp_path)
    assert result.state is State.FOUND
    assert values(result)["title"] == video["items"][0]["snippet"]["title"]
    first = pages[0]["items"][0]["snippet"]["topLevelComment"]["snippet"]
    assert values(result, 1)["text"] == first["textOriginal"]
    assert sum(post.role == "reply" for post in result.posts) >= sum(
        len(page["items"]) for page in pages
    )


def test_discourse(tmp_path: Path) -> None:
    topic = load("discourse/topic.json")
    first = topic["post_stream"]["posts"][0]
    number = first["post_number"]
    answers = {
        "/about.json": {"about": {"version": "3"}},
        f"/t/{topic['id']}/{number}.json": topic,
    }
    with playing(routed(answers)) as base:
        url = f"{base}/t/{topic['slug']}/{topic['id']}/{number}"
        result, _ = visited(DiscourseAdapter(), url, tmp_path)
    assert result.state is State.FOUND
    assert values(result)["text_html"] == first["cooked"]
    assert values(result)["author_handle"] == first["username"]


def test_facebook(tmp_path: Path) -> None:
    post = load("facebook/single_post_data.json")
    owner, ident = post["id"].split("_")
    with playing(routed({f"/{VERSION}/{post['id']}": post})) as base:
        url = f"https://www.facebook.com/{owner}/posts/{ident}"
        result, _ = visited(FacebookAdapter("geheim", base), url, tmp_path)
    assert (result.state, values(result)["text"]) == (State.FOUND, post["message"])
    assert result.permalink == post["permalink_url"]
