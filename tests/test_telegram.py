"""Telegram: the page behind embedded posts of public channels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evidence_kit.platforms.base import PlatformResult, State
from evidence_kit.platforms.telegram import TelegramAdapter
from tests.platform_tools import codes, playing, values, visited

URL = "https://t.me/buurtnieuws/57"


@pytest.mark.parametrize(
    ("url", "author"),
    [
        (URL, "buurtnieuws"),
        ("https://t.me/s/buurtnieuws/57?before=60", "buurtnieuws"),
        ("https://t.me/buurtnieuws/57?single&comment=3", "buurtnieuws"),
        ("https://telegram.me/Buurtnieuws/57/", "Buurtnieuws"),
        ("https://buurtnieuws.t.me/57", "buurtnieuws"),
        ("https://t.me/buurtnieuws/3/57", "buurtnieuws"),
    ],
)
def test_recognises(url: str, author: str) -> None:
    target = TelegramAdapter().recognise(url)
    assert target is not None
    assert (target.ident, target.author) == ("57", author)


@pytest.mark.parametrize(
    "url",
    [
        "https://t.me/c/123456/57",
        "https://t.me/+AbCd/57",
        "https://t.me/buurtnieuws",
        "https://t.mee/a/1",
    ],
)
def test_leaves_others_alone(url: str) -> None:
    assert TelegramAdapter().recognise(url) is None


def page(
    base: str, *, post: str = "buurtnieuws/57", text: str = "Zij krijgt nog<br>bezoek &amp; meer"
) -> str:
    return f"""<html><body><div class="tgme_widget_message js-widget_message" data-post="{post}">
    <a class="tgme_widget_message_owner_name" href="https://t.me/buurtnieuws"><span>Buurt</span></a>
    <a class="tgme_widget_message_reply" href="https://t.me/buurtnieuws/50">
      <div class="tgme_widget_message_text">waar het op antwoordt</div></a>
    <a class="tgme_widget_message_photo_wrap x"
      style="width:9px;background-image:url('{base}/a.jpg')"></a>
    <video src="{base}/b.mp4"></video><video src="javascript:x"></video>
    <div class="tgme_widget_message_text js-message_text" dir="auto">{text}</div>
    <div class="tgme_widget_message_footer"><span class="tgme_widget_message_views">1.2K</span>
    <span class="tgme_widget_message_meta">edited <a class="tgme_widget_message_date" href="#">
    <time datetime="2026-11-20T20:14:09+00:00">20:14</time></a></span></div></div>"""


def play(tmp_path: Path, make: Any) -> tuple[PlatformResult, list[dict[str, str]]]:
    seen: list[dict[str, str]] = []
    base: list[str] = []

    def answer(path: str, accept: str) -> Any:
        if path == "/a.jpg":
            return 200, "image/jpeg", b"\xff\xd8"
        return make(base[0]) if path.startswith("/buurtnieuws") else (404, "text/plain", b"")

    with playing(answer, seen) as address:
        base.append(address)
        result, _ = visited(TelegramAdapter(address), URL, tmp_path)
    return result, seen


def html(text: str, status: int = 200) -> Any:
    return status, "text/html; charset=utf-8", text.encode()


def test_post(tmp_path: Path) -> None:
    result, seen = play(tmp_path, lambda base: html(page(base)))
    assert (result.state, result.permalink) == (State.FOUND, URL)
    found = values(result)
    assert found["text"] == "Zij krijgt nog\nbezoek & meer"
    assert (found["author_name"], found["author_handle"]) == ("Buurt", "buurtnieuws")
    assert (found["reply_to"], found["views"]) == ("https://t.me/buurtnieuws/50", "1.2K")
    assert result.posts[0].fields["created"].precision == "second"
    assert [item.kind for item in result.media] == ["image"]
    assert codes(result) == {"post.edited", "media.not-fetched"}
    assert seen[0][":path"] == "/buurtnieuws/57?embed=1&mode=tme"


def test_what_is_not_there(tmp_path: Path) -> None:
    gone = '<div class="tgme_widget_message_error">Post not found</div>'
    result, _ = play(tmp_path, lambda base: html(gone))
    assert result.state is State.NOT_THERE
    assert result.gaps[0].detail == "the platform says: Post not found"


@pytest.mark.parametrize("text", ["", "<p>iets anders", page("", post="anders/57")])
def test_another_page_is_no_answer(text: str, tmp_path: Path) -> None:
    result, _ = play(tmp_path, lambda base: html(text))
    assert (result.state, result.posts) == (State.ERROR, ())


def test_deep_markup_is_read(tmp_path: Path) -> None:
    deep = page("", text="<b>" * 20_000 + "diep")
    result, _ = play(tmp_path, lambda base: html(deep))
    assert result.state is State.FOUND
    assert values(result)["text"].endswith("diep")
