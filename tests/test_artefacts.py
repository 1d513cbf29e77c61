"""Picture, MHTML, DOM, text, tree and PDF of a page, each with its own failure."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.core.digests import digest_file
from evidence_kit.core.errors import BrowserError, StorageError
from evidence_kit.core.events import Silent
from evidence_kit.gather.aria_tree import render_tree
from evidence_kit.gather.artefacts import Artefacts, Kind, State, make_artefacts
from evidence_kit.gather.chromium import find_browser
from evidence_kit.gather.dom_snapshot import Snapshot
from evidence_kit.gather.egress import Guard
from evidence_kit.gather.page_types import PageOptions, PageRecording
from evidence_kit.gather.recorder import record_page
from evidence_kit.gather.visit import Failure, Visit
from tests.page_site import page_site

PAGE = """<!DOCTYPE html><title>Voorbeeld</title><body style="margin:0;height:9500px">
<h1>Kop <b>vet</b></h1><div id="open"></div><div id="closed"></div>
<p style="visibility:hidden">verborgen</p><p style="display:none">weg</p>
<p style="opacity:0">doorzichtig</p><input value="oud" id="field">
<input type="password" value="geheim1">
<img src="x" alt="een plaatje"><iframe src="/frame"></iframe>
<script>
open.attachShadow({mode: 'open'}).innerHTML = '<p>open schaduw';
closed.attachShadow({mode: 'closed'}).innerHTML = '<p>dichte schaduw';
field.value = 'nieuw & <b>';
</script>""".replace("open.attach", "document.getElementById('open').attach").replace(
    "closed.attach", "document.getElementById('closed').attach"
)


def visit_page(folder: Path, draw: Any) -> PageRecording[Artefacts]:
    with page_site() as site, Guard([("localhost", site.port)], Silent()) as guard:
        site.html("/", PAGE)
        site.html("/frame", "<p>tekst in frame")
        return record_page(
            site.url(),
            browser=find_browser(),
            options=PageOptions(quiet_seconds=0.2),
            guard=guard,
            work=folder / "work",
            log=Silent(),
            progress=Silent(),
            visit=draw,
        )


@pytest.mark.browser
def test_everything_is_drawn(tmp_path: Path) -> None:
    out = tmp_path / "web"
    out.mkdir()
    page = visit_page(tmp_path, lambda visit: make_artefacts(visit, out, Silent(), Silent()))
    drawn = page.visited
    assert drawn is not None
    assert [(item.kind, item.state) for item in drawn.results] == [
        (Kind.SCREENSHOT, State.MADE),
        (Kind.SCREENSHOT, State.MADE),
        (Kind.MHTML, State.MADE),
        (Kind.DOM, State.MADE),
        (Kind.TEXT, State.MADE),
        (Kind.ARIA, State.MADE),
        (Kind.PDF, State.MADE),
    ]
    for item in drawn.results:
        assert digest_file(out / item.name) == item.digests
    assert {item.name for item in drawn.results} == {path.name for path in out.iterdir()}
    sizes = [_png_size(out / name) for name in ("screenshot.png", "screenshot-002.png")]
    assert sizes[0] == (1280, 8000)
    assert sizes[1][0] == 1280
    assert 1500 <= sizes[1][1] < 1600
    text = (out / "text.txt").read_text("utf-8")
    assert text.splitlines()[0] == "Kop vet"
    for shown in ("open schaduw", "dichte schaduw", "tekst in frame", "nieuw & <b>"):
        assert shown in text
    for hidden in ("verborgen", "weg", "doorzichtig"):
        assert hidden not in text.split()
    dom = (out / "dom.txt").read_text("utf-8")
    assert '<template shadowrootmode="open"><p>open schaduw</p></template>' in dom
    assert '<template shadowrootmode="closed"><p>dichte schaduw</p></template>' in dom
    assert "verborgen" in dom
    assert "geheim1" not in dom + text
    assert 'value="nieuw &amp; &lt;b&gt;"' in dom
    tree = (out / "aria.yaml").read_text("utf-8")
    assert '- heading "Kop vet" [level=1]' in tree
    assert '- image "een plaatje"' in tree
    assert "dichte schaduw" in tree
    assert (out / "page.pdf").read_bytes().startswith(b"%PDF-")
    assert drawn.counts is not None
    assert (drawn.counts.images, drawn.counts.frames, drawn.counts.password_fields) == (1, 1, 1)
    assert drawn.visible_text == text


def _png_size(path: Path) -> tuple[int, int]:
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


class _Broken(Visit):
    """A page of which some calls fail and one answers nonsense."""

    def __init__(self, failing: frozenset[str]) -> None:
        self.failure = None
        self.headless = True
        self.scale = 1.0
        self.failing = failing

    def revive(self) -> bool:
        return True

    @property
    def url(self) -> str:
        return "http://x/"

    def frame_sessions(self, *, seconds: float) -> list[Any]:
        return []

    def send(
        self, method: str, params: Mapping[str, Any] | None = None, *, seconds: float
    ) -> dict[str, Any]:
        if method in self.failing:
            raise BrowserError(f"{method}: no answer within {seconds:g} seconds")
        answers: dict[str, dict[str, Any]] = {
            "Page.getLayoutMetrics": {"cssContentSize": {"width": 100, "height": 70_000}},
            "Page.captureScreenshot": {"data": "iVBORw=="},
            "Page.captureSnapshot": {"data": "MHTML"},
            "Accessibility.getFullAXTree": {"nodes": []},
            "Page.printToPDF": {"data": 5},
        }
        return answers[method]


def test_a_failure_stops_only_itself_and_the_cap_is_said(tmp_path: Path) -> None:
    visit = _Broken(frozenset({"DOMSnapshot.captureSnapshot"}))
    found = make_artefacts(visit, tmp_path, Silent(), Silent())
    pictures = [item for item in found.results if item.kind is Kind.SCREENSHOT]
    assert len(pictures) == 8
    assert all("cut at 60000 of 70000" in item.why for item in pictures)
    rest = {item.kind: item for item in found.results if item.kind is not Kind.SCREENSHOT}
    assert rest[Kind.MHTML].state is State.MADE
    assert rest[Kind.DOM].state is State.FAILED
    assert "no answer within" in rest[Kind.DOM].why
    assert rest[Kind.TEXT].state is State.FAILED
    assert rest[Kind.ARIA].state is State.MADE
    assert rest[Kind.PDF].state is State.FAILED
    assert not (tmp_path / "page.pdf").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "page.mhtml").write_bytes(b"evidence")
    with pytest.raises(StorageError):
        make_artefacts(_Broken(frozenset()), tmp_path, Silent(), Silent())
    assert (tmp_path / "page.mhtml").read_bytes() == b"evidence"


def test_no_page_no_artefacts(tmp_path: Path) -> None:
    visit = _Broken(frozenset())
    visit.failure = Failure("ERR_NAME_NOT_RESOLVED", "x has no address")
    found = make_artefacts(visit, tmp_path, Silent(), Silent())
    assert {item.state for item in found.results} == {State.NOT_APPLICABLE}
    assert list(tmp_path.iterdir()) == []


def snapshot(names: list[str], parents: list[int], values: list[str]) -> Snapshot:
    """A small snapshot of elements and text, all shown as blocks."""
    strings = ["block", "visible", "1", "http://x/", *names, *values]
    first, second = 4, 4 + len(names)
    kinds = [3 if name == "#text" else 1 for name in names]
    count = range(len(names))
    nodes = {
        "parentIndex": parents,
        "nodeType": kinds,
        "nodeName": [first + index for index in count],
        "nodeValue": [second + index for index in count],
        "attributes": [[] for _ in count],
    }
    layout = {
        "nodeIndex": list(count),
        "styles": [[0, 1, 2] for _ in count],
        "text": [second + index if kinds[index] == 3 else -1 for index in count],
    }
    return Snapshot(
        {"strings": strings, "documents": [{"documentURL": 3, "nodes": nodes, "layout": layout}]}
    )


def test_depth_is_no_danger() -> None:
    depth = 50_000
    html = snapshot(["DIV"] * depth, [-1, *range(depth - 1)], [""] * depth).html()
    assert html.count("<div>") == html.count("</div>") == depth


@given(st.text(min_size=1))
def test_text_stays_text(value: str) -> None:
    html = snapshot(["P", "#text"], [-1, 0], ["", value]).html()
    inner = html.split("<p>", 1)[1].rsplit("</p>", 1)[0]
    assert "<" not in inner
    assert ">" not in inner


def test_a_tree_that_turns_back_on_itself_ends() -> None:
    nodes = [
        {"nodeId": "1", "role": {"value": "main"}, "childIds": ["2"]},
        {"nodeId": "2", "parentId": "1", "role": {"value": "link"}, "childIds": ["1", "2", "9"]},
    ]
    assert render_tree(nodes, "http://x/") == '# "http://x/"\n- main\n  - link\n'
