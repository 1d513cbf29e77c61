"""The full browser, as desktops have it: it opens windows where a headless shell cannot."""

from __future__ import annotations

import pytest

from evidence_kit.gather.chromium import BrowserFound, find_browser
from evidence_kit.gather.visit import Visit
from tests.fixtures_page import FAST, Record, driver, record, site
from tests.outside import system_tool
from tests.page_site import PageSite

__all__ = ["driver", "record", "site"]

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.outside]

POP = "<title>reclame</title><script>open('/pop?again'); alert('koop')</script>"
PAGE = """<title>Bericht</title><p>Ik weet waar je woont.</p><a id=a href=/pop?a target=_blank>x</a>
<iframe src='http://127.0.0.1:%d/frame'></iframe>
<script>for (let i = 0; i < 3; i++) open('/pop?' + i, '_blank', 'popup');
a.click(); setTimeout(() => open('/pop?late'), 100)</script>"""


@pytest.fixture(scope="session")
def browser() -> BrowserFound:
    return find_browser(system_tool("chromium"))


def pages(visit: Visit) -> list[str]:
    """Titles of all pages that are open."""
    found = visit.send("Target.getTargets", seconds=10)["targetInfos"]
    return [str(one["title"]) for one in found if one["type"] == "page"]


def test_pop_ups_are_not_opened_and_the_page_stays_whole(site: PageSite, record: Record) -> None:
    site.html("/frame", "<title>kader</title><p>kader</p>")
    for name in ("0", "1", "2", "a", "late", "again"):
        site.html(f"/pop?{name}", POP)
    site.html("/", PAGE % site.port)
    found = record(site.url(), allow=(("127.0.0.1", site.port),), visit=pages)
    asked = {event.detail for event in found.events if event.name == "pop-up-asked-for"}
    assert asked >= {site.url(f"/pop?{name}") for name in ("0", "1", "2", "a")}
    assert not [path for path in site.asked() if path.startswith("/pop")]
    assert found.visited == ["Bericht"]
    assert (found.title, found.final_url) == ("Bericht", site.url())
    assert found.problems == ()
    frame = f"http://127.0.0.1:{site.port}/frame"
    assert frame in {item.url for item in found.recording.exchanges}, "frames load all the same"


def test_what_the_browser_asks_for_itself_is_no_part_of_the_page(
    site: PageSite, record: Record
) -> None:
    """It asks its maker who is logged in, in a partition of its maker's site."""
    site.html("/", "<title>Bericht</title><p>Ik weet waar je woont.</p>")
    found = record(site.url(), options=FAST)
    asked = [*found.recording.exchanges, *found.recording.failed]
    assert {item.url.split("/")[2] for item in asked} == {f"localhost:{site.port}"}
    for host in found.recording.background_hosts:
        assert host.endswith((".google.com", ".googleapis.com")), host
