"""The contract that every platform adapter holds, and what the floor shares."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.core.errors import StorageError
from evidence_kit.core.events import Silent
from evidence_kit.demo.site import DemoSite
from evidence_kit.platforms.base import (
    Adapter,
    ApiFolder,
    NotThisPlatformError,
    Page,
    State,
    base_of,
    post_document,
    precision_of,
)
from evidence_kit.platforms.generic import GenericAdapter
from evidence_kit.platforms.inert_names import inert_name
from evidence_kit.platforms.mastodon import MastodonAdapter
from evidence_kit.platforms.registry import adapters, fetch_post
from tests.fixtures_site import demo_site
from tests.platform_cases import CASES, Case
from tests.platform_tools import Played, check_result, playing, recording

__all__ = ["demo_site"]

ADAPTERS = adapters({})
IDS = [adapter.name for adapter in ADAPTERS]
PATH = "/@boze_bezoeker/115400000000000101"
LABELS = [case.label for case in CASES]

HOSTILE: list[tuple[str, Played]] = [
    ("404", (404, "application/json", b'{"error":"Record not found"}')),
    ("403", (403, "text/html", b"<h1>Forbidden</h1>")),
    ("429", (429, "application/json", b"{}")),
    ("html", (200, "text/html", b"<!doctype html><p>Geen JSON")),
    ("cut-json", (200, "application/json", b'{"id": "1154')),
    ("array", (200, "application/json", b"[1, 2, 3]")),
    ("null", (200, "application/json", b"null")),
    ("wrong-types", (200, "application/json", b'{"id": 7, "content": [], "account": 3}')),
    ("deep", (200, "application/json", b"[" * 5000 + b"]" * 5000)),
    ("twice", (200, "application/json", b'{"id":"1","id":"2"}')),
    ("charset", (200, "application/json; charset=utf-16", b"\xff\xfe{\x00}\x00")),
    ("empty", (200, "application/json", b"")),
    ("large", (200, "application/json", b'{"a":"' + b"x" * (50 << 20) + b'"}')),
]


def test_every_adapter_is_in_the_contract() -> None:
    assert {case.make("http://127.0.0.1").name for case in CASES} == set(IDS)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=IDS)
class TestRecognition:
    def test_recognises_without_contact_and_never_raises(self, adapter: Adapter) -> None:
        for url in ("", "x", "http://[", "ftp://a/@b/1", "javascript:1", "https://", "http://a:b/"):
            assert adapter.recognise(url) is None

    @given(url=st.text(max_size=60))
    def test_any_text_is_at_most_not_recognised(self, adapter: Adapter, url: str) -> None:
        for text in (url, "https://voorbeeld.invalid/" + url):
            target = adapter.recognise(text)
            assert target is None or (target.url == text and target.platform == adapter.name)


@pytest.mark.parametrize("case", CASES, ids=LABELS)
class TestEveryAdapter:
    @pytest.mark.parametrize(
        ("name", "played"),
        [
            pytest.param(name, played, id=name, marks=[pytest.mark.slow] if name == "large" else [])
            for name, played in HOSTILE
        ],
    )
    def test_hostile_answers_end_in_a_result(
        self, case: Case, name: str, played: Played, tmp_path: Path
    ) -> None:
        def answer(path: str, accept: str) -> Played:
            return case.answers.get(path.partition("?")[0], played)

        bag = tmp_path / "bag"
        out = ApiFolder(bag)
        with playing(answer) as base, recording(tmp_path / "wire") as session:
            adapter = case.make(base)
            url = case.url.format(base=base)
            target = adapter.recognise(url)
            assert target is not None
            page = Page(url, case.page.format(base=base).encode() or played[2][:1000])
            try:
                result = adapter.fetch(target, session, out, Silent(), page)
            except NotThisPlatformError:
                return
        check_result(result, out, bag)
        assert result.state is not State.FOUND
        assert result.posts == ()
        assert result.gaps

    def test_unreachable_is_unknown_or_another_platform(self, case: Case, tmp_path: Path) -> None:
        with playing(lambda path, accept: (200, "text/plain", b"")) as base:
            pass
        adapter = case.make(base)
        target = adapter.recognise(case.url.format(base=base))
        assert target is not None
        page = Page(target.url, case.page.format(base=base).encode()) if case.page else None
        with recording(tmp_path / "wire") as session:
            try:
                result = adapter.fetch(target, session, ApiFolder(tmp_path), Silent(), page)
            except NotThisPlatformError:
                return
        assert result.state is State.UNKNOWN
        assert result.gaps

    def test_too_many_questions_says_when_to_come_back(self, case: Case, tmp_path: Path) -> None:
        def answer(path: str, accept: str) -> Played:
            return case.answers.get(path.partition("?")[0], (429, "application/json", b"{}"))

        with playing(answer) as base, recording(tmp_path / "wire") as session:
            adapter = case.make(base)
            target = adapter.recognise(case.url.format(base=base))
            assert target is not None
            page = Page(target.url, case.page.format(base=base).encode()) if case.page else None
            try:
                result = adapter.fetch(target, session, ApiFolder(tmp_path), Silent(), page)
            except NotThisPlatformError:
                return
            asked = session.exchanges
        assert result.state in (State.RATE_LIMITED, State.UNKNOWN)
        if asked:
            assert any("try again after 2026-11-23T11:00:00Z" in gap.detail for gap in result.gaps)

    def test_no_secret_leaves_by_the_result(self, case: Case, tmp_path: Path) -> None:
        with playing(lambda path, accept: (401, "application/json", b"{}")) as base:
            adapter = case.make(base)
            target = adapter.recognise(case.url.format(base=base))
            assert target is not None
            out = ApiFolder(tmp_path / "bag")
            with recording(tmp_path / "wire") as session:
                try:
                    result = adapter.fetch(target, session, out, Silent())
                except NotThisPlatformError:
                    return
        assert "geheim" not in repr(adapter) + json.dumps(result.to_json())


@pytest.mark.parametrize("adapter", [MastodonAdapter(), GenericAdapter()], ids=lambda a: a.name)
@pytest.mark.parametrize("name", ["threat", "edited", "login", "deleted", "gone", "missing"])
def test_example_site(adapter: Adapter, name: str, demo_site: DemoSite, tmp_path: Path) -> None:
    url = demo_site.address(name)
    target = adapter.recognise(url)
    assert target is not None
    bag = tmp_path / "bag"
    out = ApiFolder(bag)
    with recording(tmp_path / "wire") as session:
        html = session.get(url).data
        result = adapter.fetch(target, session, out, Silent(), Page(url, html, "utf-8"))
    check_result(result, out, bag)
    assert result.adapter == adapter.name
    assert (result.state is State.FOUND) == (name in ("threat", "edited"))
    if result.state is State.FOUND:
        assert result.permalink == url
        assert result.posts[0].role == "post"
        text = result.posts[0].fields["text"].value
        assert ("Morgenavond" in text) == (name == "threat")
    else:
        assert result.gaps or result.state is State.GONE


def test_names_are_unique_and_generic_is_last() -> None:
    assert len(set(IDS)) == len(IDS)
    assert IDS[-1] == "generic"


@pytest.mark.parametrize("name", ["threat", "short", "users-form"])
def test_every_form_of_the_address_finds_the_adapter(
    name: str, demo_site: DemoSite, tmp_path: Path
) -> None:
    bag = tmp_path / "bag"
    out = ApiFolder(bag)
    with recording(tmp_path / "wire") as session:
        seen = session.get(demo_site.address(name))
        page = Page(seen.url, seen.data)
        asked = demo_site.address(name) + "?utm_source=x#boven"
        result = fetch_post(asked, session, out, Silent(), environ={}, page=page)
    check_result(result, out, bag)
    assert (result.adapter, result.state) == ("mastodon", State.FOUND)
    assert result.permalink == demo_site.address("threat")


def test_another_kind_of_site_falls_to_the_generic_adapter(tmp_path: Path) -> None:
    html = b'<script type="application/ld+json">{"@type":"Comment","text":"hoi"}</script>'
    bag = tmp_path / "bag"
    out = ApiFolder(bag)
    with (
        playing(lambda path, accept: (404, "text/html", b"nee")) as base,
        recording(tmp_path / "wire") as session,
    ):
        url = base + PATH
        result = fetch_post(url, session, out, Silent(), environ={}, page=Page(url, html))
    check_result(result, out, bag)
    assert (result.adapter, result.state) == ("generic", State.FOUND)
    assert result.posts[0].fields["text"].value == "hoi"


def test_not_a_web_address_is_nobodys(tmp_path: Path) -> None:
    with recording(tmp_path / "wire") as session:
        result = fetch_post("file:///x", session, ApiFolder(tmp_path), Silent(), environ={})
    assert (result.adapter, result.state) == ("none", State.UNKNOWN)


def test_post_document_follows_its_schema(demo_site: DemoSite, tmp_path: Path) -> None:
    from importlib.resources import files

    schema = json.loads(
        (files("evidence_kit") / "schemas" / "post-1.schema.json").read_text("utf-8")
    )
    with recording(tmp_path / "wire") as session:
        url = demo_site.address("edited")
        result = fetch_post(url, session, ApiFolder(tmp_path / "bag"), Silent(), environ={})
    document = post_document(result.posts)
    jsonschema.validate(document, schema)
    assert [post["role"] for post in document["posts"]] == ["post", "edit", "edit", "edit"]


@pytest.mark.parametrize(
    ("original", "kind", "inert"),
    [
        ("a.png", "image/png", "a.png"),
        ("a.svg", "image/svg+xml", "a.svg.txt"),
        ("a.png", "image/svg+xml", "a.png.txt"),
        ("a.svg", "image/png", "a.svg.txt"),
        ("a.html", "", "a.html.txt"),
        ("a.png", "text/html; charset=utf-8", "a.png.txt"),
        ("a.js", "application/javascript", "a.js.txt"),
        ("a.exe", "application/octet-stream", "a.exe.bin"),
        ("a.docm", "", "a.docm.bin"),
        ("a", "image/jpeg", "a.jpg"),
        ("", "", "media.bin"),
        ("../../etc/passwd", "", "etc_passwd.bin"),
        ("a\u202egnp.exe", "", "a_gnp.exe.bin"),
        ("x" * 300 + ".mp4", "video/mp4", "x" * 76 + ".mp4"),
    ],
)
def test_inert_names(original: str, kind: str, inert: str) -> None:
    assert inert_name(original, kind) == inert


@given(st.text(max_size=300), st.text(max_size=40))
def test_inert_names_are_always_safe(original: str, kind: str) -> None:
    name = inert_name(original, kind)
    assert len(name) <= 90
    assert not name.startswith(".")
    assert all(c.isascii() and (c.isalnum() or c in "._-") for c in name)
    assert not name.lower().endswith((".html", ".svg", ".js", ".exe", ".xml", ".lnk"))


@pytest.mark.parametrize(
    ("moment", "precision"),
    [
        ("2026-11-20T20:14:09.000Z", "millisecond"),
        ("2026-11-20T20:14:09+01:00", "second"),
        ("2026-11-20T20:14Z", "minute"),
        ("2026-11-20", "day"),
        ("2026-11-20T20:14:09", "second-no-zone"),
        ("2 h", "relative-or-unreadable"),
        ("gisteren", "relative-or-unreadable"),
        (1763669649, "relative-or-unreadable"),
        (None, "relative-or-unreadable"),
    ],
)
def test_precision(moment: object, precision: str) -> None:
    assert precision_of(moment) == precision


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://voorbeeld.nl/x?y", "https://voorbeeld.nl"),
        ("http://voorbeeld.nl:8080/", "http://voorbeeld.nl:8080"),
        ("https://jan:geheim@voorbeeld.nl/", "https://voorbeeld.nl"),
        ("https://[::1]:8443/", "https://[::1]:8443"),
        ("http://voorbeeld.nl:99999/", None),
        ("mailto:a@b", None),
    ],
)
def test_base_of(url: str, base: str | None) -> None:
    assert base_of(url) == base


def test_raw_answers_are_stored_as_they_came(tmp_path: Path) -> None:
    out = ApiFolder(tmp_path)
    body = b'{ "b":1,\n"a" : "\\u00e9"}'
    assert out.write("Status & meer", body) == "data/api/0001-status-meer.json"
    assert (tmp_path / "data/api/0001-status-meer.json").read_bytes() == body
    assert out.write("context", b"<html>") == "data/api/0002-context.txt"
    assert out.write("context", b"\xff\xfe") == "data/api/0003-context.bin"


def test_an_answer_never_replaces_a_file(tmp_path: Path) -> None:
    ApiFolder(tmp_path).write("status", b"{}")
    with pytest.raises(StorageError, match=r"^data/api/0001-status\.json cannot be written: "):
        ApiFolder(tmp_path).write("status", b"[]")
    assert (tmp_path / "data/api/0001-status.json").read_bytes() == b"{}"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://x.com/jan/status/1154?s=20", "x"),
        ("https://mobile.twitter.com/i/status/1154/photo/1", "x"),
        ("https://youtu.be/dQw4w9WgXcQ?si=x", "youtube"),
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ&lc=UgxKREWq8HBzMz4AaABAg", "youtube"),
        ("https://old.reddit.com/r/buurt/comments/2gmzqe/x/ckkn1xy/", "reddit"),
        ("https://www.reddit.com/r/buurt/s/AbC123xyz", "reddit"),
        ("https://m.facebook.com/story.php?story_fbid=123456&id=100064", "facebook"),
        ("https://www.instagram.com/reel/DAbc123_x/", "instagram"),
        ("https://www.threads.net/@jan/post/DAbc123_x", "threads"),
        ("https://vm.tiktok.com/ZMabc123/", "tiktok"),
        ("https://www.linkedin.com/posts/jan_x-activity-7123456789012345678-AbCd", "linkedin"),
        ("https://t.me/s/buurtnieuws/57", "telegram"),
        ("https://matrix.to/#/!kamer:voorbeeld.nl/$x", "matrix"),
        ("https://bsky.app/profile/jan.bsky.social/post/3kabc", "bluesky"),
        ("https://mastodon.invalid/@jan/115400000000000101", "mastodon"),
        ("https://forum.invalid/t/wat-ik-zag/57/2", "discourse"),
        ("https://forum.invalid/topic/12/wat-ik-zag/2", "nodebb"),
        ("https://www.x.com.voorbeeld.invalid/jan/status/1154", "wordpress"),
    ],
)
def test_the_form_of_an_address_picks_the_first_candidate(url: str, name: str) -> None:
    target = next(found for a in ADAPTERS if (found := a.recognise(url)) is not None)
    assert (target.platform, target.url) == (name, url)
