"""Answers that were cut off: data asked for by a script, the page itself, the platform's own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evidence_kit.core.exchange import Exchange
from evidence_kit.jobs.gaps import api_gaps, page_losses
from tests.fixtures_page import Capture, page_home, sealed
from tests.netlog_site import Reply, Route, reply, run_site
from tests.test_gaps import PAGE, PICTURE

__all__ = ["page_home", "sealed"]

CUT = replace(
    PICTURE,
    url="https://api.site.example/post/1",
    kind="xhr",
    truncated="disconnect",
    error="ERR_CONTENT_LENGTH_MISMATCH",
)
WHOLE = replace(CUT, truncated=None, error=None)


def missing(*exchanges: Exchange, needed: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    found = page_losses(exchanges, needed)
    assert found.aside == ()
    return [(item["what"], item["why"]) for item in found.missing]


@pytest.mark.parametrize("kind", ["xhr", "fetch", "script", "worker", ""])
def test_data_that_the_network_cut_off_is_missing(kind: str) -> None:
    cut = replace(CUT, kind=kind)
    told = [(CUT.url, "cut off: ERR_CONTENT_LENGTH_MISMATCH")]
    assert missing(cut) == missing(cut, needed=(PAGE,)) == told
    assert missing(cut, WHOLE) == []


def test_leave_to_ask_is_no_answer() -> None:
    """Before data of another site a browser asks that one whether it may (CORS preflight)."""
    leave = replace(WHOLE, method="OPTIONS", kind="preflight")
    assert missing(leave, CUT) == missing(CUT)
    never = replace(CUT, response=None, truncated=None, error="ERR_CONNECTION_RESET")
    assert missing(leave, never) == [(CUT.url, "ERR_CONNECTION_RESET")]


@pytest.mark.parametrize("error", [None, "ERR_ABORTED"])
def test_what_the_visit_or_the_page_ended_is_not(error: str | None) -> None:
    """A stream of events is open as long as its page is."""
    assert missing(replace(CUT, error=error)) == []


def test_cut_off_data_of_a_strangers_site_is_a_warning_where_the_post_is_there() -> None:
    cut = replace(CUT, url="https://counter.example/hit")
    found = page_losses([cut], [PAGE])
    assert found.missing == ()
    assert [(note.code, note.detail) for note in found.aside] == [
        ("page.aside-lost", "cut off: ERR_CONTENT_LENGTH_MISMATCH")
    ]
    shown = replace(PICTURE, url="https://counter.example/seen.png")
    assert missing(cut, shown, needed=(PAGE,)) == missing(cut)


def test_sound_and_video_are_told_by_what_is_fetched_again() -> None:
    for kind in ("video", "audio", "media"):
        assert missing(replace(CUT, kind=kind)) == []


def test_the_page_itself_cut_off_is_missing() -> None:
    page = replace(CUT, url=PAGE, kind="document", error="ERR_INCOMPLETE_CHUNKED_ENCODING")
    assert missing(page) == [(PAGE, "cut off: ERR_INCOMPLETE_CHUNKED_ENCODING")]
    assert missing(page, needed=(PAGE,)) == missing(page)
    assert missing(replace(page, error="ERR_ABORTED")) == []
    # The body of a redirect is not what is looked at; DevTools never give it.
    assert missing(replace(page, status=302, truncated="unspecified", error=None)) == []


def test_a_platforms_answer_cut_off_is_missing() -> None:
    cut = replace(CUT, error=None)
    (told,) = api_gaps([cut])
    assert told == {"what": f"answer to GET {CUT.url}", "why": "cut off: disconnect"}
    assert api_gaps([cut, WHOLE]) == api_gaps([WHOLE, cut]) == []
    lost = replace(CUT, response=None, truncated=None, status=None, error="timed-out")
    assert api_gaps([lost]) == [{"what": told["what"], "why": "timed-out"}]
    assert api_gaps([lost, cut]) == [told]
    assert api_gaps([replace(lost, method="HEAD"), replace(cut, method="HEAD")]) == []
    assert api_gaps([replace(cut, truncated="length")])[0]["why"] == "cut off: length"
    # How an error page or a redirect ends does not matter.
    assert api_gaps([replace(cut, status=code, truncated="length") for code in (404, 302)]) == []


POST = "Ik weet waar je woont, en dat van je moeder ook."


@pytest.mark.browser
@pytest.mark.slow
def test_a_capture_whose_data_were_cut_off_is_partial(sealed: Capture) -> None:
    html = [("Content-Type", "text/html; charset=utf-8")]
    page = f"""<title>Bericht</title><p>{POST}<script>(async () => {{
      for (const path of ['/length', '/chunk', '/whole'])
        await fetch(path).then(r => r.text()).catch(() => 0);
      fetch('/open'); document.body.append('klaar'); }})()</script>"""
    short = reply("200 OK", [*html, ("Content-Length", "900")], POST.encode(), length=False)
    chunked = [*html, ("Transfer-Encoding", "chunked")]
    piece = reply("200 OK", chunked, b"%x\r\n%s\r\n" % (len(POST), POST.encode()), length=False)
    fixed = {
        "/": reply("200 OK", html, page.encode()),
        "/length": replace(short, close=True, cut=True),
        "/chunk": replace(piece, close=True, cut=True),
        "/whole": reply("200 OK", html, POST.encode()),
        "/open": piece,
    }
    with run_site({path: given(answer) for path, answer in fixed.items()}) as (_, port):
        found = sealed(f"http://localhost:{port}/")
    site = f"http://localhost:{port}"
    told = {item["what"]: item["why"] for item in found.record["missing"]}
    assert found.result.state == "partial"
    assert told[f"{site}/length"] == "cut off: ERR_CONTENT_LENGTH_MISMATCH"
    assert told[f"{site}/chunk"] == "cut off: ERR_INCOMPLETE_CHUNKED_ENCODING"
    assert not {f"{site}/whole", f"{site}/open", f"{site}/"} & told.keys()


@pytest.mark.browser
@pytest.mark.slow
def test_a_page_that_was_cut_off_is_partial(sealed: Capture) -> None:
    html = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", "9000")]
    page = f"<title>Bericht</title><p>{POST}</p>".encode() + b"<p>tekst</p>" * 50
    cut = replace(reply("200 OK", html, page, length=False), close=True, cut=True)
    with run_site({"/": given(cut)}) as (_, port):
        found = sealed(f"http://localhost:{port}/")
    assert POST in (found.opened / "data/web/text.txt").read_text("utf-8")
    assert found.result.state == "partial"
    told = {item["what"]: item["why"] for item in found.record["missing"]}
    assert told[f"http://localhost:{port}/"].startswith("cut off")


def given(answer: Reply) -> Route:
    return lambda _: answer
