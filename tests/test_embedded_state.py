"""An application's state in its page: kept byte for byte with its place, never run, bounded."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.platforms import embedded_state
from evidence_kit.platforms.embedded_state import MAX_STATES, EmbeddedState, find_states
from tests.test_generic import codes, read

STATE = {"props": {"post": {"text": "Ik weet waar je woont \u00e9 </b> 🚲", "tijd": 1}}}
TEXT = json.dumps(STATE, ensure_ascii=False)


def element(body: str, name: str = "__NEXT_DATA__", kind: str = "application/json") -> str:
    return f'<p>\u00e9<script id="{name}" type="{kind}" nonce=a>{body}</script>'


def kept(page: str, charset: str = "utf-8") -> list[EmbeddedState]:
    data = page.encode(charset, "xmlcharrefreplace")
    found = list(find_states(data, charset))
    for state in found:
        if not state.error:
            assert data[state.offset : state.offset + len(state.body)] == state.body
    return found


@pytest.mark.parametrize(
    ("page", "name"),
    [
        (element(f"\n {TEXT}\n"), "__NEXT_DATA__"),
        (element(TEXT, "__NUXT_DATA__"), "__NUXT_DATA__"),
        (element(TEXT, "initial-state", "application/JSON"), "initial-state"),
        (f"<script>window.__INITIAL_STATE__ = {TEXT};run(1)</script>", "__INITIAL_STATE__"),
        (f"<script>a=1;window['__APOLLO_STATE__']={TEXT}\n</script>", "__APOLLO_STATE__"),
        (f"<script type=module>self.__NUXT__ ={TEXT}</script>", "__NUXT__"),
    ],
)
def test_a_state_is_found_with_its_bytes(page: str, name: str) -> None:
    (state,) = kept(f"<!doctype html>\n<p>\u20ac 🚲\r\n<!-- x -->{page}<p>na")
    assert (state.name, state.error) == (name, "")
    assert json.loads(state.body) == STATE


@pytest.mark.parametrize(
    ("page", "error"),
    [
        ("<script>window.__NUXT__=(function(a){return {a}}(1))</script>", "a program makes it"),
        ("<script>window.__INITIAL_STATE__={a:1}</script>", "not plain JSON"),
        ('<script>window.__INITIAL_STATE__={"a":undefined}</script>', "not plain JSON"),
        ('<script>window.__INITIAL_STATE__={"a":[1}</script>', "a program makes it"),
        ('<script>window.__INITIAL_STATE__={"a":1</script>', "a program makes it"),
        (element('{"a":1,"a":2}'), "not plain JSON"),
        (element("[" * 5000 + "]" * 5000), "not plain JSON"),
    ],
)
def test_what_is_not_plain_json_is_named_and_not_kept(page: str, error: str) -> None:
    (state,) = kept(page)
    assert error in state.error
    assert state.body == b""


@pytest.mark.parametrize(
    "page",
    [
        f"<!-- {element(TEXT)} -->",
        element(TEXT, "anders"),
        element(TEXT, kind="text/template"),
        f'<script src="/x.js">window.__NUXT__={TEXT}</script>',
        "<script>if (window.__NUXT__ == 1) {}</script>",
        f"<textarea>window.__NUXT__={TEXT}</textarea>",
    ],
)
def test_what_is_none_is_left_alone(page: str) -> None:
    assert kept(page) == []


def test_a_page_in_another_charset_keeps_its_own_bytes() -> None:
    (state,) = kept(f"<p>\u00e9\u00e9{element(json.dumps({'a': 1}))}", "latin-1")
    assert state.body == b'{"a": 1}'
    broken = b"<p>\xff\xfe\x80" + element('{"a": "%s"}').encode().replace(b"%s", b"\xff")
    (state,) = find_states(broken, "utf-8")
    assert state.error == "its characters do not fit the page's charset"


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(kept(element("{}") * 50)) == MAX_STATES
    monkeypatch.setattr(embedded_state, "MAX_STATE", 100)
    for page in (element('"' + "x" * 200 + '"'), f'<script>self.__NUXT__={{"a":"{"x" * 200}"}}'):
        assert [state.body for state in kept(f"{page}</script>")] in ([b""], [])


@pytest.mark.parametrize(
    "page",
    [
        "<script>" + "window.__NUXT__=" * 100_000 + "</script>",
        "<script>" + 'window.__NUXT__={"' * 50_000 + "</script>",
        "<script>window.__NUXT__=" + '{"a":' * 300_000 + "</script>",
        "<script>window.__NUXT__=1</script>" * 20_000,
        element('"' + "\\" * 1_000_001),
    ],
)
def test_hostile_pages_cost_little(page: str) -> None:
    start = time.process_time()
    kept(page)
    assert time.process_time() - start < 10


@given(st.text(max_size=300), st.text(max_size=60))
def test_any_page_gives_values_and_no_error(before: str, inside: str) -> None:
    page = f"{before}{element(inside)}<script>window.__NUXT__={inside}</script>"
    data = page.encode("utf-8", "replace")
    for state in find_states(data, "utf-8"):
        assert bool(state.error) is not bool(state.body)
        assert not state.body or data[state.offset :].startswith(state.body)


def test_states_stand_in_the_bundle_and_give_no_fields(tmp_path: Path) -> None:
    page = f"{element(TEXT)}<script>window.__NUXT__=f()</script>"
    result = read(page, tmp_path)
    assert result.posts == ()
    assert "state.not-kept" in codes(result)
    files = {path.name: path for path in (tmp_path / "bag/data/api").iterdir()}
    document: dict[str, Any] = json.loads(files["0002-embedded-state.json"].read_bytes())
    first, second = document["states"]
    assert (tmp_path / "bag" / first["file"]).read_bytes() == TEXT.encode()
    assert page.encode()[first["offset"] :].startswith(TEXT.encode())
    assert (second["file"], second["name"]) == (None, "__NUXT__")
