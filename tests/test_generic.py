"""The generic adapter: what a page says about itself, and nothing beyond it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_kit.core.canonical_json import loads
from evidence_kit.core.events import Silent
from evidence_kit.platforms.base import ApiFolder, Page, PlatformResult, State
from evidence_kit.platforms.generic import GenericAdapter
from evidence_kit.platforms.html_metadata import MAX_BLOCKS, MAX_HTML, MAX_META, read_metadata
from evidence_kit.platforms.html_text import plain_text
from tests.platform_tools import check_result, playing, recording, routed, visited

URL = "https://forum.invalid/draad/12"


def script(value: Any) -> str:
    return f'<script type="application/ld+json">{json.dumps(value)}</script>'


def read(html: str | bytes, tmp_path: Path, charset: str = "") -> PlatformResult:
    data = html.encode() if isinstance(html, str) else html
    bag = tmp_path / "bag"
    out = ApiFolder(bag)
    adapter = GenericAdapter()
    target = adapter.recognise(URL)
    assert target is not None
    with recording(tmp_path / "wire") as session:
        result = adapter.fetch(target, session, out, Silent(), Page(URL, data, charset))
        assert session.exchanges == ()
    check_result(result, out, bag)
    for item in out.stored:
        loads((bag / item.path).read_bytes())
    return result


def values(result: PlatformResult, index: int = 0) -> dict[str, Any]:
    return {name: item.value for name, item in result.posts[index].fields.items()}


def codes(result: PlatformResult) -> set[str]:
    return {gap.code for gap in result.gaps}


POSTING = {
    "@context": "https://schema.org",
    "@type": "DiscussionForumPosting",
    "@id": f"{URL}#1",
    "url": URL,
    "datePublished": "2026-11-20T20:14:09+01:00",
    "inLanguage": "nl",
    "text": "Zij krijgt nog bezoek.",
    "author": {"@type": "Person", "name": "Jan", "url": "https://forum.invalid/jan"},
    "interactionStatistic": [
        {"interactionType": "https://schema.org/CommentAction", "userInteractionCount": 2},
        {"interactionType": {"@type": "LikeAction"}, "userInteractionCount": 5},
    ],
    "comment": [
        {
            "@type": "Comment",
            "text": "Doe normaal",
            "comment": {"@type": "Comment", "text": "Bemoei je er niet mee"},
        },
        {"@type": "Comment", "text": "Aangifte doen"},
    ],
}


def test_forum_post_with_comments(tmp_path: Path) -> None:
    result = read(script(POSTING), tmp_path)
    assert result.state is State.FOUND
    assert result.permalink == URL
    found = values(result)
    assert found["text"] == "Zij krijgt nog bezoek."
    assert (found["author_name"], found["likes"]) == ("Jan", 5)
    assert result.posts[0].fields["created"].precision == "second"
    assert [(post.role, values(result, i)["text"]) for i, post in enumerate(result.posts)][1:] == [
        ("reply", "Doe normaal"),
        ("reply", "Bemoei je er niet mee"),
        ("reply", "Aangifte doen"),
    ]


def test_graph_and_escaped_keys(tmp_path: Path) -> None:
    node = {"@type": ["Thing", "http://schema.org/Article"], "articleBody": "tekst"}
    result = read(script({"@graph": [{"@type": "WebSite", "a/b~c": [node]}]}), tmp_path)
    assert values(result)["text"] == "tekst"


def test_of_several_posts_the_one_at_this_address(tmp_path: Path) -> None:
    other = {"@type": "Article", "url": "/draad/13", "text": "anders"}
    result = read(script([other, POSTING]), tmp_path)
    assert values(result)["text"] == "Zij krijgt nog bezoek."


def test_of_several_posts_none_is_guessed(tmp_path: Path) -> None:
    posts = [{"@type": "Comment", "text": "een"}, {"@type": "Comment", "text": "twee"}]
    result = read(script(posts), tmp_path)
    assert result.posts == ()
    assert result.state is State.UNKNOWN
    assert codes(result) == {"jsonld.ambiguous", "post.not-described"}


def test_opengraph_alone_is_no_text(tmp_path: Path) -> None:
    html = (
        '<html lang="nl"><title>Draad 12</title><link rel=canonical href="/draad/12">'
        '<meta property="og:url" content="https://forum.invalid/draad/12">'
        '<meta property="og:site_name" content="Forum &amp; Co">'
        '<meta property="og:description" content="Misschien ingekort …">'
        '<meta property="article:published_time" content="2026-11-20">'
    )
    result = read(html, tmp_path)
    assert result.state is State.UNKNOWN
    assert values(result) == {
        "permalink": URL,
        "platform": "Forum & Co",
        "created": "2026-11-20",
    }
    assert result.posts[0].fields["created"].precision == "day"
    assert "post.not-described" in codes(result)


def test_relative_time_is_flagged_and_kept(tmp_path: Path) -> None:
    result = read(script({"@type": "Comment", "text": "x", "datePublished": "2 uur"}), tmp_path)
    created = result.posts[0].fields["created"]
    assert (created.value, created.precision) == ("2 uur", "relative-or-unreadable")
    assert "time.relative" in codes(result)


def test_structures_where_text_belongs_stay_out(tmp_path: Path) -> None:
    node = {"@type": "Comment", "text": {"a": 1}, "author": [1], "url": True, "image": ["a"]}
    assert values(read(script(node), tmp_path)) == {"media": ["a"]}


@pytest.mark.parametrize("bad", ['{"a":1', '{"a":1,"a":2}', "[" * 300, "NaN", '"\\ud800"', ""])
def test_broken_json_is_a_gap(tmp_path: Path, bad: str) -> None:
    result = read(f'<script type="application/ld+json">{bad}</script>' + script(POSTING), tmp_path)
    assert "jsonld.unreadable" in codes(result)
    assert values(result)["text"] == "Zij krijgt nog bezoek."


def test_deepest_json_that_may_be_read_can_be_read_again(tmp_path: Path) -> None:
    for depth in range(190, 203):
        block = "[" * depth + "]" * depth
        folder = tmp_path / str(depth)
        read(f'<script type="application/ld+json">{block}</script>', folder)


def test_charset_of_header_then_page_then_utf8() -> None:
    html = '<meta charset="iso-8859-1"><title>caf\u00e9</title>'.encode("latin-1")
    assert read_metadata(html).title == "caf\u00e9"
    assert read_metadata(html, "windows-1252").charset == "cp1252"
    assert read_metadata("<title>caf\u00e9</title>".encode(), "base64").title == "caf\u00e9"
    assert read_metadata("<title>caf\u00e9</title>".encode(), "x-niets").title == "caf\u00e9"


def test_bounds_are_said() -> None:
    many = script({}) * (MAX_BLOCKS + 1) + '<meta name="a" content="b">' * (MAX_META + 1)
    found = read_metadata(many.encode())
    assert (len(found.blocks), len(found.meta), len(found.cut)) == (MAX_BLOCKS, MAX_META, 2)
    assert read_metadata(b" " * (MAX_HTML + 1)).cut


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read(data: bytes) -> None:
    read_metadata(data)
    plain_text(data.decode("latin-1"))


_PIECES = [
    "<",
    ">",
    "<!--",
    "-->",
    "<![CDATA[",
    "<script",
    "</script",
    "&#x",
    '"',
    "=",
    "<p ",
    " a",
]


@given(st.lists(st.sampled_from(_PIECES), max_size=60))
@settings(max_examples=200, deadline=None)
def test_broken_markup_is_read(pieces: list[str]) -> None:
    read_metadata("".join(pieces).encode())
    plain_text("".join(pieces))


@pytest.mark.parametrize(
    "piece", ["<!--", "<", "</", "<a ", '<a b="', "&#", "<!", "<![CDATA[", "<?"]
)
def test_unfinished_markup_takes_no_quadratic_time(piece: str) -> None:
    started = time.process_time()
    text = piece * (400_000 // len(piece))
    read_metadata(text.encode())
    plain_text(text)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("fragment", "text"),
    [
        ("<p>Een</p><p>Twee<br>drie</p>", "Een\n\nTwee\ndrie"),
        ("<p>a &lt; b &amp; c</p>", "a < b & c"),
        ('<p>Dag <a href="x">@<span>jan</span></a></p>', "Dag @jan"),
        ("<script>alert(1)</script>hallo", "hallo"),
        ("los", "los"),
        ("", ""),
    ],
)
def test_plain_text(fragment: str, text: str) -> None:
    assert plain_text(fragment) == text


ENTRY = """<div class="h-entry"><h1 class="p-name">Kop</h1>
<a class="u-url" href="/draad/12">hier</a>
<div class="p-author h-card"><a class="p-name u-url" href="/jan">Jan</a></div>
<time class="dt-published" datetime="2026-11-20T20:14:09+01:00">gisteren</time>
<div class="e-content"><p>Zij krijgt nog <b>bezoek</b>.</p><p>Morgen.</p></div>
<div class="u-comment h-cite"><span class="p-name">antwoord</span>
<div class="e-content">van een ander</div></div></div>"""


def test_microformats(tmp_path: Path) -> None:
    result = read(ENTRY, tmp_path)
    assert (result.state, result.permalink) == (State.FOUND, URL)
    found = values(result)
    assert found["text"] == "Zij krijgt nog bezoek.\n\nMorgen."
    assert (found["title"], found["author_name"]) == ("Kop", "Jan")
    assert found["author_url"] == "https://forum.invalid/jan"
    assert result.posts[0].fields["created"].precision == "second"


def test_what_others_wrote_inside_an_entry_is_not_its_own(tmp_path: Path) -> None:
    cited = '<div class="u-comment h-cite"><div class="e-content">van een ander</div></div>'
    found = values(
        read(f'<div class="h-entry">{cited}<p class="e-content">eigen</p></div>', tmp_path)
    )
    assert found == {"text": "eigen"}


def test_of_several_entries_the_one_at_this_address(tmp_path: Path) -> None:
    other = ENTRY.replace("/draad/12", "/draad/13").replace("Zij", "Hij")
    assert "Zij" in values(read(other + ENTRY, tmp_path / "a"))["text"]
    result = read(other + other, tmp_path / "b")
    assert (result.state, result.posts) == (State.UNKNOWN, ())
    assert "microformats.ambiguous" in codes(result)


def test_json_ld_comes_before_microformats(tmp_path: Path) -> None:
    assert (
        values(read(ENTRY + script({"@type": "Comment", "text": "ld"}), tmp_path))["text"] == "ld"
    )


ATOM = """<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom">
<title>Forum</title><link href="{page}"/><author><name>Redactie</name></author>
<entry><title>Anders</title><link href="/draad/1"/><content>nee</content></entry>
<entry><id>tag:1</id><title>Kop &amp; staart</title><link rel="alternate" href="{page}"/>
<author><name>Jan</name></author><published>2026-11-20T20:14:09Z</published>
<content type="html">
&lt;p&gt;Zij krijgt nog&lt;/p&gt;&lt;p&gt;bezoek&lt;/p&gt;</content></entry></feed>"""
RSS = """<rss><channel><title>Forum</title><link>https://forum.invalid/</link>
<item><title>Kop &amp; staart</title><link>{page}</link><dc:creator><![CDATA[Jan]]></dc:creator>
<pubDate>Fri, 20 Nov 2026 20:14:09 +0000</pubDate><description>kort</description>
<content:encoded><![CDATA[<p>Zij krijgt nog</p><p>bezoek</p>]]></content:encoded></item>
</channel></rss>"""


def discovered(tmp_path: Path, links: str, answers: Any) -> PlatformResult:
    """A page on a local server, with links to further answers of that server."""
    seen: list[str] = []

    def answer(path: str, accept: str) -> Any:
        return routed(answers(seen[0]) if callable(answers) else answers)(path, accept)

    with playing(answer) as base:
        seen.append(base)
        page = Page(f"{base}/draad/12", links.encode())
        result, _ = visited(GenericAdapter(), page.url, tmp_path, page)
    return result


@pytest.mark.parametrize(("feed", "kind"), [(ATOM, "atom"), (RSS, "rss")])
def test_entry_of_the_feed(feed: str, kind: str, tmp_path: Path) -> None:
    def answers(base: str) -> dict[str, Any]:
        body = feed.format(page=f"{base}/draad/12").encode()
        return {"/feed": (200, f"application/{kind}+xml", body)}

    link = f'<link rel="alternate" type="application/{kind}+xml" href="/feed">'
    result = discovered(tmp_path, link, answers)
    assert result.state is State.FOUND
    found = values(result)
    assert found["text"] == "Zij krijgt nog\n\nbezoek"
    assert (found["title"], found["author_name"]) == ("Kop & staart", "Jan")
    assert result.posts[0].fields["created"].precision == "second"


@pytest.mark.parametrize(
    "feed", ["", "<feed>", ATOM.format(page="https://x/"), "<item>" * 3000, "<![CDATA[" * 3000]
)
def test_feed_without_the_page_is_no_answer(feed: str, tmp_path: Path) -> None:
    link = '<link rel="alternate" type="application/rss+xml" href="/feed">'
    played = (200, "application/rss+xml", feed.encode())
    result = discovered(tmp_path, link, {"/feed": played})
    assert (result.state, result.posts) == (State.UNKNOWN, ())


def test_oembed_adds_and_is_never_the_text(tmp_path: Path) -> None:
    answer = {"version": "1.0", "author_name": "Jan", "title": "Kop", "html": "<p>Zij"}
    link = '<link rel="alternate" type="application/json+oembed" href="/oembed?url=x">'
    result = discovered(tmp_path / "a", link, {"/oembed": answer})
    assert result.state is State.UNKNOWN
    assert values(result) == {"author_name": "Jan", "title": "Kop"}
    result = discovered(tmp_path / "b", link, {"/oembed": {"author_name": "Jan"}})
    assert result.posts == ()
    assert "oembed.not-fetched" in codes(discovered(tmp_path / "c", link, {}))
