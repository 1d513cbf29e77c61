"""One page visit by a real browser: what is recorded, answered, limited, and told."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.core.errors import BrowserError, InputError
from evidence_kit.core.events import Silent
from evidence_kit.core.exchange import Representation
from evidence_kit.gather.cdp_watch import Seen
from evidence_kit.gather.chromium import BrowserFound
from evidence_kit.gather.cross_check import cross_check
from evidence_kit.gather.driver import Driver
from evidence_kit.gather.egress import Guard
from evidence_kit.gather.netlog_pipe import NetLogPipe
from evidence_kit.gather.page_session import PageSession
from evidence_kit.gather.page_types import Method, PageOptions
from evidence_kit.gather.recorder import record_page
from evidence_kit.gather.self_test import self_test
from evidence_kit.gather.visit import Visit
from evidence_kit.seal.netlog import NetLogReader
from evidence_kit.seal.tls_keys import KeyLog
from tests.fixtures_page import FAST, Record, browser, driver, nothing, record, site
from tests.page_site import PageSite

__all__ = ["browser", "driver", "record", "site"]

pytestmark = pytest.mark.browser


RICH = """<!DOCTYPE html><title>Voorbeeld ë</title><h1>Hallo</h1>
<img src="/picture.png"><iframe src="/frame"></iframe>
<script>new Worker('/worker.js'); fetch('/data');
  window.open('/pop-up'); alert('boe');</script>"""


@pytest.fixture
def rich(site: PageSite) -> PageSite:
    site.html("/", RICH)
    site.html("/frame", "<p>frame")
    site.html("/data", "{}")
    site.script("/worker.js", "fetch('/from-worker')")
    site.pages["/start"] = (302, {"Location": "/"}, b"moved")
    return site


@pytest.mark.parametrize("method", [Method.RELAY, Method.NETLOG])
@pytest.mark.parametrize("fifo", [True, False])
def test_a_visit_is_recorded_byte_for_byte(
    rich: PageSite, record: Record, tmp_path: Path, *, fifo: bool, method: Method
) -> None:
    found = record(rich.url("/start"), visit=lambda visit: visit.url, fifo=fifo, method=method)

    assert found.failure is None
    assert (found.status, found.title, found.final_url) == (200, "Voorbeeld ë", rich.url("/"))
    assert [(hop.url, hop.status, hop.location) for hop in found.redirects] == [
        (rich.url("/start"), 302, "/")
    ]
    recorded = {item.url: item for item in found.recording.exchanges}
    assert {rich.url(path) for path in rich.asked()} == set(recorded)
    assert {"/start", "/", "/picture.png", "/frame", "/worker.js", "/data", "/from-worker"} <= set(
        rich.asked()
    )
    page = recorded[rich.url("/")]
    assert page.representation is Representation.WIRE
    assert page.response is not None
    answer = rich.pages["/"]
    assert isinstance(answer, tuple)
    assert page.response.read_bytes().endswith(b"\r\n\r\n" + answer[2])
    assert recorded[rich.url("/picture.png")].status == 404
    assert found.cross_check.only_cdp == ()
    assert found.visited == rich.url("/")
    assert found.user_agent == rich.requests[0][1]["user-agent"]
    assert {headers["accept-encoding"] for _, headers in rich.requests} == {"gzip, deflate, br"}
    assert {item.name: item.detail for item in found.events} == {
        "dialog-dismissed": "alert: boe",
        "pop-up-asked-for": rich.url("/pop-up"),
    }
    assert found.problems == ()
    assert not any(limit.reached for limit in found.limits)
    assert [path.name for path in tmp_path.iterdir()] == ["work-1"]
    assert {"profile", "netlog.json", "connections", "keys.log"}.isdisjoint(
        path.name for path in tmp_path.rglob("*")
    )


def test_the_browser_is_named(rich: PageSite, record: Record, browser: BrowserFound) -> None:
    order: list[str] = []
    facts = record(
        rich.url("/"),
        visit=lambda _: order.append("visited"),
        meanwhile=lambda: order.append(f"after {len(rich.asked()) and 'the first request'}"),
    ).browser
    assert order == ["after the first request", "visited"]
    assert facts.sha256 == browser.sha256()
    assert facts.version == browser.version
    assert facts.options.locale == "nl-NL"
    assert any(flag.startswith("--proxy-server=socks5://127.0.0.1:") for flag in facts.flags)
    assert not any("work/" in flag or "work-1/" in flag for flag in facts.flags)
    assert "--ssl-key-log-file=(work folder)" in facts.flags
    assert facts.sandbox == (getattr(os, "geteuid", lambda: 1)() != 0)


def test_options_reach_the_page(site: PageSite, record: Record) -> None:
    site.html(
        "/",
        """<title>x</title><script>document.title = [navigator.language,
        Intl.DateTimeFormat().resolvedOptions().timeZone, innerWidth, innerHeight,
        matchMedia('(prefers-reduced-motion: reduce)').matches].join(' ')</script>""",
    )
    assert record(site.url()).title == "nl-NL Europe/Amsterdam 1280 1024 true"


def test_the_fallback_says_what_it_is(rich: PageSite, record: Record) -> None:
    found = record(rich.url("/start"), method=Method.CDP)
    assert found.method is Method.CDP
    recorded = {item.url: item for item in found.recording.exchanges}
    assert {item.representation for item in recorded.values()} == {Representation.CDP}
    page = recorded[rich.url("/")].response
    assert page is not None
    head, _, body = page.read_bytes().partition(b"\r\n\r\n")
    assert body == RICH.encode()
    assert b"X-Orig-Content-Encoding: gzip" in head
    assert b"\r\nContent-Encoding" not in head
    assert recorded[rich.url("/start")].truncated == "unspecified"


def test_an_error_page_keeps_its_status(site: PageSite, record: Record) -> None:
    site.html("/", "<p>weg", status=410)
    found = record(site.url())
    assert (found.status, found.failure) == (410, None)


def test_a_private_address_is_refused_and_named(site: PageSite, record: Record) -> None:
    site.html("/", "<p>secret")
    found = record(site.url("/", "127.0.0.1"))
    assert found.failure is not None
    assert found.failure.name == "ADDRESS_REFUSED"
    assert site.requests == []


def test_a_redirect_to_a_private_address_is_refused(site: PageSite, record: Record) -> None:
    site.pages["/"] = (302, {"Location": site.url("/inside", "127.0.0.1")}, b"")
    found = record(site.url())
    assert found.failure is not None
    assert found.failure.name == "ADDRESS_REFUSED"
    assert site.asked() == ["/"]
    assert found.redirects[0].location == site.url("/inside", "127.0.0.1")


def test_a_name_that_does_not_exist_is_named(record: Record) -> None:
    found = record("http://nowhere.invalid/")
    assert found.failure is not None
    assert found.failure.name == "ERR_NAME_NOT_RESOLVED"
    assert found.status is None


def test_a_download_is_denied(site: PageSite, record: Record) -> None:
    site.pages["/"] = (200, {"Content-Disposition": "attachment; filename=x.exe"}, b"MZ")
    found = record(site.url())
    assert found.failure is not None
    assert found.failure.name in ("DOWNLOAD", "ERR_ABORTED")
    assert [item.url for item in found.recording.exchanges] == [site.url()]


def test_a_navigation_loop_ends(site: PageSite, record: Record) -> None:
    site.html("/", "<title>loop</title><script>location.href = '/?' + Math.random()</script>")

    def page() -> tuple[int, dict[str, str], bytes]:
        answer = site.pages["/"]
        assert isinstance(answer, tuple)
        return answer

    class Every(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            return super().get(key.partition("?")[0], default)

    site.pages = Every(site.pages)
    found = record(site.url(), options=PageOptions(max_navigations=5, load_seconds=4.0))
    assert [limit.reached for limit in found.limits if limit.name == "navigations"] == [True]
    assert len(found.navigations) < 30


def test_the_time_limit_ends_the_visit(site: PageSite, record: Record) -> None:
    site.html("/", "<p>kort")
    start = time.monotonic()

    def wait(visit: Visit) -> None:
        visit.send(
            "Runtime.evaluate",
            {"expression": "new Promise(() => 0)", "awaitPromise": True},
            seconds=50,
        )

    found = record(site.url(), options=PageOptions(max_seconds=3.0), visit=wait)
    assert time.monotonic() - start < 20
    assert found.visited is None
    assert [limit.reached for limit in found.limits if limit.name == "visit-seconds"] == [True]
    assert [item.url for item in found.recording.exchanges][:1] == [site.url()]


def test_a_killed_browser_leaves_what_was_recorded(
    site: PageSite, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.html("/", "<p>kort")
    sessions: list[PageSession] = []
    original = PageSession.visit

    def remember(self: PageSession, driver: Driver) -> Visit:
        sessions.append(self)
        return original(self, driver)

    monkeypatch.setattr(PageSession, "visit", remember)

    def die(visit: Visit) -> None:
        sessions[0].kill()
        visit.send("Page.getLayoutMetrics", seconds=10)

    found = record(site.url(), visit=die)
    assert found.visited is None
    assert any("cut short" in text for text in found.problems)
    assert [item.url for item in found.recording.exchanges] == [site.url()]


def test_other_schemes_are_refused(record: Record) -> None:
    for url in ("file:///etc/passwd", "chrome://version", "example.org", "javascript:1"):
        with pytest.raises(InputError):
            record(url)


def test_a_browser_that_does_not_start_is_an_error_and_ends(tmp_path: Path) -> None:
    broken = BrowserFound(Path("/bin/false"), Path("/bin/false"), "chromium", "", "configured")
    with Guard([], Silent()) as guard, pytest.raises(BrowserError, match="did not start"):
        record_page(
            "http://localhost:1/",
            browser=broken,
            options=FAST,
            guard=guard,
            work=tmp_path,
            log=Silent(),
            progress=Silent(),
            visit=nothing,
        )


def test_the_self_test_passes_and_notices_a_changed_answer(
    browser: BrowserFound, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert self_test(browser, driver).why == ""
    assert self_test(browser, driver).drawn
    original = Path.read_bytes

    def changed(path: Path) -> bytes:
        return original(path).replace(b"self-test", b"self-tost")

    monkeypatch.setattr(Path, "read_bytes", changed)
    assert "differs" in self_test(browser, driver).why


class _Lines:
    def __init__(self, fault: bytes = b"") -> None:
        self.lines: list[bytes] = []
        self.fault = fault

    def feed(self, line: bytes) -> None:
        if self.fault and line == self.fault:
            raise ValueError("bad line")
        self.lines.append(line)


def test_a_browser_that_never_opens_the_pipe_gives_an_empty_log(tmp_path: Path) -> None:
    lines = _Lines()
    pipe = NetLogPipe(tmp_path, lines)
    pipe.start()
    assert pipe.finish() == 0
    assert lines.lines == []


@pytest.mark.parametrize("fifo", [True, False])
def test_the_pipe_is_emptied_even_after_a_fault(tmp_path: Path, *, fifo: bool) -> None:
    pipe = NetLogPipe(tmp_path, _Lines(b"bad\n"), fifo=fifo)
    pipe.start()
    with pipe.path.open("wb") as stream:
        stream.write(b"good\nbad\n" + b"x" * 1000 + b"\n")
        stream.write(b"y\n" * 500_000)  # more than a pipe holds: would block for ever
    with pytest.raises(ValueError, match="bad line"):
        pipe.finish()
    assert not pipe.path.exists()


def _hop(url: str, **more: Any) -> Seen:
    return Seen("1", url, "GET", 0.0, **more)


def test_the_cross_check_lists_what_one_side_lacks() -> None:
    a, b = _hop("http://x/a#part"), _hop("http://x/b")
    cached = _hop("http://x/c", from_cache=True, ended=True)
    found = cross_check([_hop("http://x/a"), _hop("http://x/z")], [a, b, cached, _hop("data:,x")])
    assert found.matched == 1
    assert [item.url for item in found.only_netlog] == ["http://x/z"]
    assert [(item.url, item.note) for item in found.only_cdp] == [
        ("http://x/b", "not-answered-when-the-visit-ended"),
        ("http://x/c", "from-cache"),
    ]
    answered = cross_check([], [_hop("http://x/b", status=200, ended=True)])
    assert answered.unexplained == 1


def test_a_way_of_recording_that_fails_gives_place_to_the_next(
    browser: BrowserFound, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser that writes no keys is recorded by its log; without that, by DevTools."""
    no_keys = KeyLog.parse(b"")
    monkeypatch.setattr(KeyLog, "parse", classmethod(lambda cls, data: no_keys))
    test = self_test(browser, driver)
    assert (test.method, test.exact) == (Method.NETLOG, True)
    assert test.why == "the log holds no exchange with our page's script inside TLS"
    monkeypatch.setattr(NetLogReader, "feed", lambda self, line: None)
    test = self_test(browser, driver)
    assert (test.method, test.exact) == (Method.CDP, False)
