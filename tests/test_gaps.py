"""What a page or platform did not give is told, and "complete" is not said then."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from evidence_kit.core.exchange import Exchange, Representation, Source
from evidence_kit.gather import artefacts, recorder
from evidence_kit.gather.cross_check import CrossCheck, OneSided
from evidence_kit.jobs.gaps import (
    MAX_TOLD,
    page_errors,
    page_losses,
    platform_gaps,
    platform_warnings,
    stream_gaps,
)
from evidence_kit.jobs.record import Parts, _limits
from evidence_kit.platforms.base import Gap, PlatformResult, State
from tests.fixtures_page import Capture, page_home, sealed, site
from tests.page_site import PageSite

__all__ = ["page_home", "sealed", "site"]

PICTURE = Exchange(
    number=1,
    url="https://site.example/a.png",
    method="GET",
    started=datetime(2026, 11, 23, tzinfo=UTC),
    request=Path("1.request"),
    response=Path("1.response"),
    representation=Representation.WIRE,
    source=Source.NETLOG,
    status=200,
    kind="image",
)
LOST = replace(PICTURE, response=None, status=None, error="ERR_CONNECTION_REFUSED")


PAGE = "https://www.site.example/post/1"
COUNTER = replace(LOST, url="https://counter.example/c.js", kind="script")


def missing(exchanges: list[Exchange]) -> list[Mapping[str, str]]:
    found = page_losses(exchanges)
    assert found.aside == ()
    return list(found.missing)


def test_what_never_came_is_missing() -> None:
    assert missing([PICTURE]) == []
    assert missing([LOST]) == [{"what": LOST.url, "why": "ERR_CONNECTION_REFUSED"}]
    assert missing([replace(PICTURE, truncated="disconnect")]) == [
        {"what": LOST.url, "why": "cut off: disconnect"}
    ]


def test_what_came_after_all_or_was_given_up_is_not_missing() -> None:
    assert missing([LOST, PICTURE]) == []
    assert missing([replace(LOST, error="ERR_ABORTED")]) == []
    assert missing([replace(LOST, kind="document")]) == []
    # A stream that is open when the visit ends is cut off by us.
    assert missing([replace(PICTURE, kind="empty", truncated="disconnect")]) == []


def test_a_dead_helper_of_another_site_is_a_warning_where_the_post_is_there() -> None:
    found = page_losses([COUNTER, PICTURE], [PAGE])
    assert found.missing == ()
    (note,) = found.aside
    assert (note.code, note.subject) == ("page.aside-lost", COUNTER.url)
    assert note.detail == "ERR_CONNECTION_REFUSED"


@pytest.mark.parametrize(
    "lost",
    [
        replace(COUNTER, url="https://www.site.example/app.js"),
        replace(COUNTER, url="https://api.site.example/post/1", kind="xhr"),
        replace(COUNTER, url="https://media.example/video.m4s", kind="fetch"),
        replace(COUNTER, url="https://cdn.example/part.js"),
        replace(COUNTER, kind="image"),
        replace(COUNTER, kind="frame"),
        replace(COUNTER, kind="font"),
        replace(COUNTER, kind=""),
    ],
    ids=["page", "site", "media", "host-that-shows", "image", "frame", "font", "unknown"],
)
def test_what_may_hold_the_post_or_is_looked_at_is_missing(lost: Exchange) -> None:
    shown = replace(PICTURE, url="https://cdn.example/a.png")
    found = page_losses([lost, shown], [PAGE, "https://media.example/1.mp4"])
    assert found.aside == ()
    assert [item["what"] for item in found.missing] == [lost.url]


def test_without_a_known_post_every_loss_counts() -> None:
    assert [item["what"] for item in missing([COUNTER])] == [COUNTER.url]
    assert page_losses([COUNTER], [""]).aside == ()


def test_an_address_lost_both_ways_counts_once() -> None:
    found = page_losses([COUNTER, replace(COUNTER, kind="image")], [PAGE])
    assert [item["what"] for item in found.missing] == [COUNTER.url]
    assert found.aside == ()


def test_an_error_page_for_a_picture_is_a_warning() -> None:
    refused = replace(PICTURE, status=404)
    (note,) = page_errors([refused])
    assert (note.code, note.subject) == ("page.part-refused", PICTURE.url)
    assert "404" in note.detail
    assert page_errors([refused, PICTURE]) == []
    assert page_errors([replace(refused, kind="script")]) == []


def test_a_long_list_says_how_many_more() -> None:
    lost = [replace(LOST, url=f"https://site.example/{n}") for n in range(MAX_TOLD + 7)]
    told = missing(lost)
    assert len(told) == MAX_TOLD + 1
    assert told[-1]["why"].startswith("7 more")


def test_what_an_adapter_could_not_have() -> None:
    gaps = (
        Gap("media.not-fetched", "https://site.example/a.png", "HTTP 500"),
        Gap("context.replies-missing", "data/api/0002-context.json", "75 of 60"),
        Gap("comments.bound", "data/api/0002-context.json", "100 comments are asked for"),
        Gap("post.edited", "data/api/0001-post.json", "it was edited"),
    )
    told = platform_gaps(PlatformResult("mastodon", State.FOUND, gaps=gaps))
    assert [item["what"].split(" ")[0] for item in told] == [gap.code for gap in gaps[:3]]
    assert platform_gaps(None) == []


@pytest.mark.browser
@pytest.mark.slow
def test_a_dead_counter_leaves_the_post_complete(site: PageSite, sealed: Capture) -> None:
    site.html(
        "/",
        '<title>Bericht</title><meta property="og:description" content="'
        'Ik weet waar je woont, en dat van je moeder ook."><article class="h-entry">'
        '<p class="e-content">Ik weet waar je woont, en dat van je moeder ook.</p></article>'
        '<script src="http://counter.invalid/c.js"></script>',
    )
    found = sealed(site.url())
    warned = {item["subject"]: item["code"] for item in found.record["warnings"]}
    assert warned["http://counter.invalid/c.js"] == "page.aside-lost"
    lost = [item["url"] for item in found.record["recording"]["without_response"]]
    assert "http://counter.invalid/c.js" in lost
    assert (found.record["missing"], found.result.state) == ([], "complete")


@pytest.mark.browser
@pytest.mark.slow
def test_a_page_with_holes_is_never_complete(site: PageSite, sealed: Capture) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = unused.getsockname()[1]
        site.html(
            "/",
            "<title>Bericht</title><p>Ik weet waar je woont, en dat van je moeder ook.</p>"
            f'<img src="http://localhost:{closed}/lost.png"><img src="/gone.png">'
            '<iframe src="http://10.0.0.1/frame"></iframe>',
        )
        found = sealed(site.url())
    assert found.result.state == "partial"
    lost = {f"http://localhost:{closed}/lost.png", "http://10.0.0.1/frame"}
    assert lost <= found.missing()
    warned = {item["subject"]: item["detail"] for item in found.record["warnings"]}
    assert "HTTP 404" in warned[site.url("/gone.png")]


def test_two_sources_that_contradict_each_other_are_a_warning() -> None:
    codes = ("handle.disagreement", "record.differs", "media.other-content", "api.decoded")
    found = PlatformResult("x", State.FOUND, gaps=tuple(Gap(code, "s", "d") for code in codes))
    assert [note.code for note in platform_warnings(found)] == list(codes[:3])
    assert platform_warnings(None) == []


def test_a_bound_of_a_platform_says_whether_it_was_reached() -> None:
    platform = PlatformResult(
        "x", State.FOUND, bounds={"pages": 5, "files": 40}, reached=("pages",)
    )
    parts = cast(Parts, SimpleNamespace(page=None, limits=(), platform=platform))
    assert [(item["name"], item["reached"]) for item in _limits(parts)] == [
        ("x: pages", True),
        ("x: files", False),
    ]


@pytest.mark.browser
@pytest.mark.slow
def test_what_one_recorder_lacks_is_a_gap_and_a_cut_picture_a_warning(
    site: PageSite, sealed: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = CrossCheck(1, (), (OneSided("GET", site.url("/lost"), "Script"),))
    monkeypatch.setattr(recorder, "cross_check", lambda recorded, seen: lacking)
    monkeypatch.setattr(artefacts, "MAX_HEIGHT", 2_000)
    site.html("/", "<title>Bericht</title><p>Ik weet waar je woont.<p style='height:5000px'>")
    found = sealed(site.url())
    assert found.result.state == "partial"
    assert {"what": "network log", "why": "requests that DevTools saw and it lacks: 1"} in (
        found.record["missing"]
    )
    remarks = [item for item in found.record["warnings"] if item["code"] == "artefact.remark"]
    assert "data/web/screenshot.png" in {item["subject"] for item in remarks}


def test_a_stream_that_is_not_whole_is_told_once() -> None:
    streams = [
        {"url": "https://x/a.m3u8", "kept": 3, "parts": 9, "complete": False},
        {"url": "https://x/b.m3u8", "kept": 9, "parts": 9, "complete": True},
    ]
    (found,) = stream_gaps(streams, [])
    assert found["what"] == "stream https://x/a.m3u8"
    assert found["why"].startswith("3 of 9 parts")
    assert stream_gaps(streams, [{"what": "stream https://x/a.m3u8", "why": "HTTP 403"}]) == []
