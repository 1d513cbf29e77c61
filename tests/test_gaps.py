"""What a page or platform did not give is told, and "complete" is not said then."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evidence_kit.core.exchange import Exchange, Representation, Source
from evidence_kit.jobs.gaps import MAX_TOLD, page_errors, page_gaps, platform_gaps
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


def test_what_never_came_is_missing() -> None:
    assert page_gaps([PICTURE]) == []
    assert page_gaps([LOST]) == [{"what": LOST.url, "why": "ERR_CONNECTION_REFUSED"}]
    assert page_gaps([replace(PICTURE, truncated="disconnect")]) == [
        {"what": LOST.url, "why": "cut off: disconnect"}
    ]


def test_what_came_after_all_or_was_given_up_is_not_missing() -> None:
    assert page_gaps([LOST, PICTURE]) == []
    assert page_gaps([replace(LOST, error="ERR_ABORTED")]) == []
    assert page_gaps([replace(LOST, kind="document")]) == []
    # A stream that is open when the visit ends is cut off by us.
    assert page_gaps([replace(PICTURE, kind="empty", truncated="disconnect")]) == []


def test_an_error_page_for_a_picture_is_a_warning() -> None:
    refused = replace(PICTURE, status=404)
    (note,) = page_errors([refused])
    assert (note.code, note.subject) == ("page.part-refused", PICTURE.url)
    assert "404" in note.detail
    assert page_errors([refused, PICTURE]) == []
    assert page_errors([replace(refused, kind="script")]) == []


def test_a_long_list_says_how_many_more() -> None:
    lost = [replace(LOST, url=f"https://site.example/{n}") for n in range(MAX_TOLD + 7)]
    told = page_gaps(lost)
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
