"""What is done to a page on purpose: scrolling, refusing consent, fetching media again."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from warcio.archiveiterator import ArchiveIterator

from evidence_kit.core.errors import ExitCode
from evidence_kit.gather.behaviour import Treated
from evidence_kit.gather.consent import reject_consent
from evidence_kit.gather.refetch import incomplete_media
from evidence_kit.gather.scroll import ScrollLimits, scroll_page
from evidence_kit.gather.visit import Visit
from tests.fixtures_page import Capture, Record, browser, driver, page_home, record, sealed, site
from tests.netlog_site import Reply, Request, reply, run_site
from tests.page_site import PageSite

__all__ = ["browser", "driver", "page_home", "record", "sealed", "site"]

pytestmark = pytest.mark.browser

LAZY = "".join(
    f'<div style="height:700px"><img loading=lazy src="/p{number}.png" height=10></div>'
    for number in range(20)
)


def treated(found: Any) -> Treated:
    assert isinstance(found.visited, Treated), found.problems
    return found.visited


def test_lazy_pictures_load_and_the_page_is_back_at_its_top(site: PageSite, record: Record) -> None:
    site.html("/", LAZY)

    def visit(page: Visit) -> tuple[Treated, Any]:
        result = scroll_page(page)
        place = page.send("Page.getLayoutMetrics", seconds=5)["cssVisualViewport"]["pageY"]
        return result, place

    found = record(site.url(), visit=visit)
    assert found.visited is not None
    result, place = found.visited
    assert (result.outcome, result.changed, place) == ("bottom", True, 0)
    assert {f"/p{number}.png" for number in range(20)} <= set(site.asked())


def test_a_short_page_is_not_changed(site: PageSite, record: Record) -> None:
    site.html("/", "<p>kort")
    result = treated(record(site.url(), visit=scroll_page))
    assert (result.outcome, result.changed) == ("bottom", False)


@pytest.mark.parametrize(
    ("limits", "outcome"),
    [
        (ScrollLimits(pixels=3000), "pixels"),
        (ScrollLimits(seconds=0.6), "time"),
    ],
)
def test_bounds(site: PageSite, record: Record, limits: ScrollLimits, outcome: str) -> None:
    site.html("/", LAZY * 10)
    result = treated(record(site.url(), visit=lambda page: scroll_page(page, limits)))
    assert result.outcome == outcome
    assert int(result.detail["pixels"]) <= limits.pixels


def test_the_page_must_stay_at_its_address(site: PageSite, record: Record) -> None:
    move = "<script>onscroll = () => scrollY > 2000 && history.pushState(0, '', '/b')</script>"
    site.html("/", LAZY + move)
    result = treated(record(site.url(), visit=scroll_page))
    assert result.outcome == "address-changed"
    assert int(result.detail["pixels"]) < 5000


def test_a_column_of_its_own_is_scrolled(site: PageSite, record: Record) -> None:
    site.html("/", f'<main style="height:100vh;overflow-y:scroll">{LAZY}</main>')
    result = treated(record(site.url(), visit=scroll_page))
    assert result.detail["scrolled"] == "element"
    assert "/p19.png" in site.asked()


def test_a_page_cannot_pretend_to_scroll(site: PageSite, record: Record) -> None:
    """The page's own functions are not those that we call."""
    site.html("/", LAZY + "<script>Element.prototype.scrollTo = () => 0</script>")
    assert int(treated(record(site.url(), visit=scroll_page)).detail["pixels"]) > 10_000


ONETRUST = """<p>Ik weet waar je woont.</p><div id="onetrust-consent-sdk">
<div id="onetrust-banner-sdk" class="otFlat" style="position:fixed;bottom:0;height:200px;width:99%">
<p>Wij gebruiken cookies</p><button id="onetrust-accept-btn-handler">Alles accepteren</button>
<button id="onetrust-reject-all-handler">Alles weigeren</button></div></div><script>
window.OnetrustActiveGroups = ',C0001,';
const end = word => { document.title = word;
  document.getElementById('onetrust-banner-sdk').style.display = 'none'; };
document.getElementById('onetrust-reject-all-handler').onclick = () => end('geweigerd');
document.getElementById('onetrust-accept-btn-handler').onclick = () => end('geaccepteerd');
</script>"""


def test_a_consent_banner_is_refused_and_nothing_else_is_asked(
    site: PageSite, record: Record
) -> None:
    site.html("/", ONETRUST)
    found = record(site.url(), visit=reject_consent)
    result = treated(found)
    assert (result.outcome, result.changed) == ("rejected", True)
    assert "netrust" in str(result.detail["banner"])
    assert found.title == "geweigerd"
    assert set(site.asked()) <= {"/", "/favicon.ico"}


def test_without_a_banner_nothing_is_done(site: PageSite, record: Record) -> None:
    site.html("/", "<p>Ik weet waar je woont.</p><button>Alles weigeren</button>")
    result = treated(record(site.url(), visit=reject_consent))
    assert (result.outcome, result.changed) == ("not-found", False)


@pytest.mark.slow
def test_pictures_before_and_after_stand_in_the_bundle(site: PageSite, sealed: Capture) -> None:
    site.html("/", ONETRUST)
    found = sealed(site.url(), consent="reject")
    assert {"screenshot.png", "screenshot-after-consent.png"} <= found.made()
    before, after = (
        (found.opened / "data/web" / name).read_bytes()
        for name in ("screenshot.png", "screenshot-after-consent.png")
    )
    assert before != after
    assert [item["outcome"] for item in found.record["behaviours"]] == ["rejected", "left"]
    assert found.record["request"]["options"]["consent"] == "reject"
    log = (found.opened / "data/capture.log").read_text("utf-8")
    assert '"treated"' in log
    site.html("/", ONETRUST)
    left = sealed(site.url())
    assert "screenshot-after-consent.png" not in left.made()
    assert [item["outcome"] for item in left.record["behaviours"]] == ["left", "left"]


def test_the_vendored_script_is_the_published_one() -> None:
    folder = files("evidence_kit") / "vendor"
    listed = re.findall(r"`([0-9a-f]{64})`", (folder / "README.md").read_text("utf-8"))
    script = (folder / "autoconsent.standalone.js").read_bytes()
    assert [hashlib.sha256(script).hexdigest()] == listed
    assert b"Mozilla Public License" in (folder / "autoconsent.LICENSE.txt").read_bytes()


VIDEO = bytes(range(256)) * 2000


def media_site(request: Request) -> Reply:
    """Serves whole files, and of ranges the beginning only."""
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    kind = ("Content-Type", "video/mp4")
    if found is None:
        return reply("200 OK", [kind, ("Accept-Ranges", "bytes")], VIDEO)
    first = int(found[1])
    if first:  # the player does not come further than the first part
        return reply("503 Service Unavailable", [])
    last = min(first + 50_000, len(VIDEO) - 1)
    span = ("Content-Range", f"bytes {first}-{last}/{len(VIDEO)}")
    return reply("206 Partial Content", [kind, span], VIDEO[first : last + 1])


@pytest.mark.slow
def test_media_left_incomplete_are_fetched_again_and_labelled(sealed: Capture) -> None:
    page = b"<title>film</title><p>Ik weet waar je woont.</p><video src=/film.mp4 preload=metadata>"
    html = [("Content-Type", "text/html")]
    routes = {"/": lambda _: reply("200 OK", html, page), "/film.mp4": media_site}
    with run_site(routes) as (served, port):
        found = sealed(f"http://localhost:{port}/")
        asked = [seen for seen in served.seen if seen.path == "/film.mp4"]
    assert found.result.exit_code is ExitCode.OK
    assert any(b"range: bytes=" in seen.request.lower() for seen in asked)
    assert b"range:" not in asked[-1].request.lower()
    assert b"\r\nreferer: http://localhost" in asked[-1].request.lower()
    media = [item for item in found.record["artefacts"] if item["kind"] == "media"]
    assert [(found.opened / item["file"]).read_bytes() for item in media] == [VIDEO]
    notes = []
    with (found.opened / "data/api/exchanges.warc").open("rb") as stream:
        for item in ArchiveIterator(stream, no_record_parse=True):
            if (
                item.rec_type == "response"
                and b"film.mp4" in item.rec_headers.get_header("WARC-Target-URI").encode()
            ):
                notes.append(item.rec_headers.get_header("X-Evidence-Notes"))
    assert notes
    assert all("refetched" in str(note) for note in notes)


def test_what_counts_as_complete(tmp_path: Path) -> None:
    from dataclasses import replace
    from datetime import UTC, datetime

    from evidence_kit.core.exchange import Exchange, Representation, Source

    def part(number: int, first: int, last: int, body: int | None = None) -> Exchange:
        request = tmp_path / f"{number}.request"
        request.write_bytes(b"GET /f HTTP/1.1\r\nReferer: http://x/\r\nCookie: a=b\r\n\r\n")
        size = last - first + 1
        head = f"HTTP/1.1 206 P\r\nContent-Range: bytes {first}-{last}/100\r\n"
        head += f"Content-Type: video/mp4\r\nContent-Length: {size}\r\n\r\n"
        response = tmp_path / f"{number}.response"
        response.write_bytes(head.encode() + b"x" * (size if body is None else body))
        return Exchange(
            number=number,
            url="http://x/f",
            method="GET",
            started=datetime(2026, 1, 1, tzinfo=UTC),
            request=request,
            response=response,
            representation=Representation.WIRE,
            source=Source.NETLOG,
            status=206,
            kind="video",
        )

    whole = [part(1, 0, 59), part(2, 40, 99)]
    assert incomplete_media(whole) == []
    (gap,) = incomplete_media([part(3, 0, 39), part(4, 41, 99)])
    assert (gap.had, gap.total) == (99, 100)
    assert gap.headers == (("referer", "http://x/"),)
    (cut,) = incomplete_media([part(5, 0, 99, body=70)])
    assert (cut.had, cut.total) == (70, 100)
    assert incomplete_media([replace(part(6, 0, 9), kind="image")]) != []  # its type says video
    assert incomplete_media([replace(part(7, 0, 9), method="HEAD")]) == []
