"""Pages that attack: each has its signal, its limit, and a bundle that says what happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.core.errors import ExitCode
from evidence_kit.gather import artefacts, page_session, visit
from evidence_kit.gather.artefacts import _Maker
from evidence_kit.gather.driver import Driver
from evidence_kit.gather.page_session import PageSession
from evidence_kit.gather.visit import Visit
from tests.fixtures_page import FAST, Capture, page_home, sealed, site
from tests.page_site import PageSite

__all__ = ["page_home", "sealed", "site"]

pytestmark = [pytest.mark.browser, pytest.mark.slow]

POST = "<title>bericht</title><p>Ik weet waar je woont.</p>"
ALL = {"screenshot.png", "page.mhtml", "dom.txt", "text.txt", "aria.yaml", "page.pdf", "page.wacz"}


def any_query(site: PageSite) -> None:
    """Let every address answer whatever its query."""

    class Pages(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            return super().get(key.partition("?")[0], default)

    site.pages = Pages(site.pages)


def test_dialogs_are_dismissed_and_listed(site: PageSite, sealed: Capture) -> None:
    site.html(
        "/",
        POST
        + """<script>onbeforeunload = e => { e.preventDefault(); return 'blijf'; };
        for (let i = 0; i < 4; i++) alert('nummer ' + i);
        document.title = confirm('zeker?') + ' ' + prompt('geheim?');</script>""",
    )
    found = sealed(site.url())
    assert found.result.state == "complete"
    details = [item["detail"] for item in found.record["events"]]
    assert details[:4] == [f"alert: nummer {i}" for i in range(4)]
    assert {"confirm: zeker?", "prompt: geheim?"} <= set(details)
    assert found.record["page"]["title"] == "false null"
    assert found.made() == ALL


def test_pop_ups_are_not_opened(site: PageSite, sealed: Capture) -> None:
    site.html("/pop", "<title>reclame</title>")
    site.html(
        "/",
        POST
        + """<a id=a href=/pop target=_blank>x</a><script>
        for (let i = 0; i < 3; i++) open('/pop?' + i); a.click();</script>""",
    )
    found = sealed(site.url())
    assert found.result.state == "complete"
    assert "pop-up-asked-for" in found.events()
    assert not any(path.startswith("/pop") for path in site.asked())
    assert found.made() == ALL


def test_downloads_are_denied(site: PageSite, sealed: Capture, tmp_path: Path) -> None:
    attachment = {"Content-Disposition": "attachment; filename=rekening.exe"}
    site.pages["/file"] = (200, attachment, b"MZ\x90 hostile program")
    site.html("/", POST + "<a id=a href=/file download>x</a><script>a.click()</script>")
    found = sealed(site.url())
    assert found.result.state == "complete"
    assert "download-denied" in found.events()
    assert not [path for path in tmp_path.rglob("*") if path.suffix == ".exe"]
    assert found.made() == ALL


def test_a_navigation_loop_is_stopped(site: PageSite, sealed: Capture) -> None:
    site.html("/", POST + "<script>location.href = '/?' + Math.random()</script>")
    any_query(site)
    found = sealed(site.url(), options=replace(FAST, max_navigations=5, load_seconds=4.0))
    assert found.result.exit_code is ExitCode.GAPS
    assert "navigations" in found.missing()
    assert "navigation-limit" in found.events()
    assert 5 <= len(site.asked()) < 60


@pytest.mark.parametrize(
    ("script", "event"),
    [
        ("setTimeout(() => { for (;;); }, 50)", "script-stopped"),
        ("setInterval(() => { for (;;); }, 50)", "script-switched-off"),
    ],
)
def test_script_without_end_is_stopped(
    site: PageSite, sealed: Capture, monkeypatch: pytest.MonkeyPatch, script: str, event: str
) -> None:
    monkeypatch.setattr(visit, "ALIVE_SECONDS", 1.0)
    site.html("/", f"{POST}<script>{script}</script>")
    found = sealed(site.url())
    assert found.result.exit_code is ExitCode.GAPS
    assert event in found.events()
    assert "script-seconds" in found.missing()
    assert found.made() == ALL
    assert "Ik weet waar je woont." in (found.opened / "data/web/text.txt").read_text("utf-8")


def test_half_a_million_nodes(
    site: PageSite, sealed: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What takes too long is listed as failed; what can be drawn is there."""
    monkeypatch.setattr(artefacts, "PICTURES_SECONDS", 1.0)
    monkeypatch.setattr(artefacts, "DOM_SECONDS", 1.0)
    monkeypatch.setattr(artefacts, "ARIA_SECONDS", 1.0)
    monkeypatch.setattr(artefacts, "PDF_SECONDS", 1.0)
    monkeypatch.setattr(visit, "ALIVE_SECONDS", 20.0)
    site.html(
        "/",
        POST
        + """<script>document.body.insertAdjacentHTML('beforeend',
        '<div><b>x</b></div>'.repeat(250000))</script>""",
    )
    found = sealed(site.url(), options=replace(FAST, max_seconds=40.0))
    states = {item["file"]: item for item in found.record["artefacts"]}
    failed = {name for name, item in states.items() if item["state"] == "failed"}
    assert {"data/web/page.pdf"} <= failed
    assert any(name.startswith("data/web/screenshot") for name in failed)
    assert all(states[name]["why"] for name in failed)
    assert failed <= found.missing()
    assert found.result.exit_code is ExitCode.GAPS
    assert "page.wacz" in found.made()


def test_a_memory_bomb_ends_the_page_and_not_the_capture(
    site: PageSite, sealed: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = page_session.launch_flags
    small = "--js-flags=--max-old-space-size=64"  # the crash is what matters, not filling memory
    monkeypatch.setattr(page_session, "launch_flags", lambda *given: (*original(*given), small))
    site.html("/next", "{}")
    site.html(
        "/",
        POST
        + """<script>fetch('/next').then(() => {
        const all = []; for (;;) all.push(new Array(10000).fill({})); });</script>""",
    )
    found = sealed(site.url(), options=replace(FAST, max_seconds=20.0))
    assert "page-crashed" in found.events()
    assert found.result.state in ("partial", "not-there")
    assert "recording" in found.missing() or any("web/" in name for name in found.missing())
    assert found.record["recording"]["exchanges"] >= 2
    assert "page.wacz" in found.made()


def test_a_crashed_renderer(site: PageSite, sealed: Capture, monkeypatch: Any) -> None:
    """The page dies after its first picture: that is kept, the rest is said to be missing."""
    site.html("/", POST)
    original = _Maker._mhtml

    def crash(self: _Maker) -> None:
        with pytest.raises(Exception, match=r".*"):
            self._visit.send("Page.crash", seconds=3)
        original(self)

    monkeypatch.setattr(_Maker, "_mhtml", crash)
    for name in ("MHTML_SECONDS", "DOM_SECONDS", "ARIA_SECONDS", "PDF_SECONDS", "FRAMES_SECONDS"):
        monkeypatch.setattr(artefacts, name, 2.0)
    monkeypatch.setattr(visit, "ALIVE_SECONDS", 1.0)
    found = sealed(site.url())
    assert "page-crashed" in found.events()
    assert found.made() == {"screenshot.png", "page.wacz"}
    assert {"data/web/page.mhtml", "data/web/dom.txt"} <= found.missing()
    assert found.result.exit_code is not ExitCode.OK


def test_a_killed_browser(site: PageSite, sealed: Capture, monkeypatch: Any) -> None:
    site.html("/", POST)
    sessions: list[PageSession] = []
    original: Callable[[PageSession, Driver], Visit] = PageSession.visit

    def remember(self: PageSession, driver: Driver) -> Visit:
        sessions.append(self)
        return original(self, driver)

    draw = _Maker._mhtml

    def kill(self: _Maker) -> None:
        sessions[-1].kill()
        draw(self)

    monkeypatch.setattr(PageSession, "visit", remember)
    monkeypatch.setattr(_Maker, "_mhtml", kill)
    found = sealed(site.url())
    assert found.made() == {"screenshot.png", "page.wacz"}
    assert {"data/web/page.mhtml", "recording"} <= found.missing()
    assert found.result.exit_code is not ExitCode.OK
    assert found.record["recording"]["exchanges"] >= 1


def test_a_redirect_loop_is_kept_as_it_was(site: PageSite, sealed: Capture) -> None:
    site.pages["/"] = (302, {"Location": "/"}, b"rond en rond")
    found = sealed(site.url())
    assert (found.result.state, found.result.exit_code) == ("not-there", ExitCode.NOT_THERE)
    assert found.record["page"]["failure"]["name"] == "ERR_TOO_MANY_REDIRECTS"
    assert 15 <= len(found.record["page"]["redirects"]) <= 25
    assert found.record["recording"]["exchanges"] >= 20


def test_an_endless_feed_is_scrolled_to_a_bound(site: PageSite, sealed: Capture) -> None:
    site.html(
        "/",
        POST
        + """<div id=d style="height:3000px"></div><script>addEventListener('scroll', () => {
        d.insertAdjacentHTML('beforeend', '<p style="height:2000px">meer</p>');
        d.style.height = 'auto'; });</script>""",
    )
    found = sealed(site.url(), scroll=True)
    (scroll,) = [item for item in found.record["behaviours"] if item["name"] == "scroll"]
    assert scroll["outcome"] in ("pixels", "time")
    assert scroll["changed"]
    assert 3000 < scroll["detail"]["pixels"] <= scroll["detail"]["max_pixels"]
    assert found.result.state == "complete"
    assert "screenshot-after-scroll.png" in found.made()


def test_files_and_other_schemes_stay_closed(
    site: PageSite, sealed: Capture, tmp_path: Path
) -> None:
    secret = tmp_path / "geheim.txt"
    secret.write_text("inhoud van een bestand van de gebruiker", "utf-8")
    site.html(
        "/",
        f"""{POST}<iframe src="{secret.as_uri()}"></iframe><img src="{secret.as_uri()}">
        <iframe src="chrome://version"></iframe><script>
        fetch('{secret.as_uri()}').then(r => r.text()).then(t => document.title = t);
        setTimeout(() => location.href = '{secret.as_uri()}', 100);
        setTimeout(() => location.href = 'mailto:iemand@example.org', 200);
        setTimeout(() => location.href = 'ms-msdt:/id PCWDiagnostic', 300);</script>""",
    )
    found = sealed(site.url(), options=replace(FAST, quiet_seconds=0.6))
    assert found.record["page"]["final_url"] == site.url()
    assert found.record["page"]["title"] == "bericht"
    assert found.made() == ALL
    for path in found.opened.rglob("*"):
        if path.is_file():
            assert b"inhoud van een bestand" not in path.read_bytes(), path
