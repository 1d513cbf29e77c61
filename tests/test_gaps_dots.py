"""Dead pictures of one dot: a warning where it is known that nothing of them would be seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from evidence_kit.core.events import Silent
from evidence_kit.core.exchange import Exchange
from evidence_kit.gather.artefacts import make_artefacts
from evidence_kit.jobs.gaps import page_losses
from tests.fixtures_page import Capture, Record, browser, driver, page_home, record, sealed, site
from tests.page_site import PageSite
from tests.test_gaps import COUNTER, LOST, PAGE, PICTURE

__all__ = ["browser", "driver", "page_home", "record", "sealed", "site"]

DOT = replace(LOST, url="https://counter.example/dot.gif")


def aside(*exchanges: Exchange, dots: tuple[str, ...] = (DOT.url,)) -> list[str]:
    found = page_losses(exchanges, [PAGE], dots)
    told = [item["what"] for item in found.missing] + [note.subject for note in found.aside]
    assert len(told) == len(set(told))
    return [note.subject for note in found.aside]


def test_a_dead_dot_of_another_site_is_a_warning() -> None:
    assert aside(DOT) == [DOT.url]
    assert aside(DOT, dots=()) == []
    # The counter's script is lost with it: what that host shows is a dot.
    assert aside(DOT, replace(COUNTER, number=2)) == [DOT.url, COUNTER.url]
    assert page_losses([DOT], [], [DOT.url]).aside == ()


@pytest.mark.parametrize(
    "lost",
    [
        replace(DOT, url="https://www.site.example/dot.gif"),
        replace(DOT, url="https://media.site.example/dot.gif"),
        replace(DOT, url="https://shows.example/dot.gif"),
        replace(DOT, kind="frame"),
        replace(DOT, kind=""),
        replace(DOT, response=PICTURE.response, status=200, truncated="disconnect"),
    ],
    ids=["page", "site", "host-that-shows", "frame", "unknown", "cut-off"],
)
def test_what_is_not_known_to_be_a_strangers_dead_dot_is_missing(lost: Exchange) -> None:
    shown = replace(PICTURE, number=2, url="https://shows.example/a.png")
    assert aside(lost, shown, dots=(lost.url,)) == []
    assert aside(lost, replace(lost, number=3, kind="style"), dots=(lost.url,)) == []


def test_a_dot_that_was_led_on_is_one_still() -> None:
    away = replace(DOT, response=PICTURE.response, status=302, error=None)
    end = replace(DOT, number=2, url="https://other.example/x", redirected_from=1)
    assert aside(away, end) == [end.url]
    assert aside(away, end, dots=(end.url,)) == []
    assert aside(away, replace(end, redirected_from=7)) == []


IMAGES = {
    '<img src="{}" width=1 height=1>': True,
    '<img src="{}" width=1 height=1 alt="">': True,
    '<img src="{}" style="width:1px;height:1px;position:absolute;left:-999px">': True,
    '<img srcset="{} 1x" width=1 height=1>': True,
    '<img src="{}" width=1 height=1 style="display:none">': True,
    '<img src="{}" width=0 height=0 style="display:none">': True,
    '<img src="{}#part" width=1 height=1>': True,
    '<iframe srcdoc="<img src={} width=1 height=1>"></iframe>': True,
    '<img src="{}">': False,
    '<img src="{}" alt="">': False,
    '<img src="{}" style="display:none">': False,
    '<img src="{}" width=1 height=900>': False,
    '<img src="{}" width=1 height=1 alt="een foto van je huis">': False,
    '<img class=free src="{}" width=1 height=1 alt="">': False,
    '<img class=wide src="{}" width=1 height=1>': False,
    '<img src="{}" width=1 height=1><img src="{}">': False,
    '<img src="{}" width=1 height=1><iframe srcdoc="<img src={}>"></iframe>': False,
    '<p style="background:url({});height:9px">': False,
    "<script>new Image().src = '{}'</script>": False,
}
STYLE = "<style>.free{width:auto;height:auto}.wide{width:100%;height:auto}</style>"


@pytest.mark.browser
@pytest.mark.slow
def test_which_pictures_of_a_page_are_dots(site: PageSite, record: Record, tmp_path: Any) -> None:
    """All of them fail, as those that are asked about do."""
    urls = {f"http://localhost:{site.port}/{n}.gif": html for n, html in enumerate(IMAGES)}
    parts = (html.replace("{}", url) for url, html in urls.items())
    site.html("/", f"<!doctype html><title>x</title>{STYLE}{''.join(parts)}")
    drawn: list[Any] = []

    def visit(page: Any) -> None:
        drawn.append(make_artefacts(page, tmp_path, Silent(), Silent()))

    record(site.url(), visit=visit)
    assert set(urls) <= {f"http://localhost:{site.port}{path}" for path in site.asked()}
    assert {urls[url] for url in drawn[0].dots} == {html for html, dot in IMAGES.items() if dot}


@pytest.mark.browser
@pytest.mark.slow
def test_a_dead_counters_dot_leaves_the_post_complete(site: PageSite, sealed: Capture) -> None:
    site.html(
        "/",
        '<title>Bericht</title><meta property="og:description" content="'
        'Ik weet waar je woont, en dat van je moeder ook."><article class="h-entry">'
        '<p class="e-content">Ik weet waar je woont, en dat van je moeder ook.</p></article>'
        '<img src="http://counter.invalid/dot.gif" width=1 height=1>',
    )
    found = sealed(site.url())
    warned = {item["subject"]: item["code"] for item in found.record["warnings"]}
    assert warned["http://counter.invalid/dot.gif"] == "page.aside-lost"
    assert (found.record["missing"], found.result.state) == ([], "complete")
