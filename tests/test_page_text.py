"""The platform's words beside the page's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.core.page_text import Compared, compare_post, compare_text, id_in_address


@pytest.mark.parametrize(
    ("said", "shown", "pieces", "missing"),
    [
        ("Zij krijgt nog bezoek", "Jan\nZij krijgt\nnog bezoek 20:14", 1, 0),
        ("Dag 🚲 allemaal", "dag  allemaal", 1, 0),
        ("a &lt; b &amp; c wat", "A < b & c wat", 1, 0),
        ("Kijk https://t.co/abc hier", "Kijk voorbeeld.nl/lan… hier", 2, 0),
        ("een regel\n\nnog een regel", "een regel", 2, 1),
        ("Café", "Cafe\u0301", 1, 0),
        ("Zij krijgt nog bezoek", "Log in om verder te lezen", 1, 1),
        ("🚲", "", 0, 0),
        ("ja", "nee", 0, 0),
    ],
)
def test_compare_text(said: str, shown: str, pieces: int, missing: int) -> None:
    assert compare_text(said, shown) == Compared(pieces, missing)


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=200))
def test_what_stands_on_the_page_is_found(before: str, said: str, after: str) -> None:
    assert compare_text(said, f"{before}\n{said}\n{after}").missing == 0 or "&" in said


@pytest.mark.parametrize(
    ("ident", "address", "found"),
    [
        ("1154", "https://x.com/jan/status/1154", True),
        (1154, "https://x.com/jan/status/1154?s=1", True),
        ("115", "https://x.com/jan/status/1154", False),
        ("at://did:plc:a/app.bsky.feed.post/3k", "https://bsky.app/profile/jan/post/3k", True),
        ("$abc", "https://matrix.to/#/!k/%24abc", True),
        ("", "https://x.com/", False),
    ],
)
def test_id_in_address(ident: object, address: str, found: bool) -> None:
    assert id_in_address(ident, address) is found


def post(**fields: Any) -> dict[str, Any]:
    return {name: {"value": value} for name, value in fields.items()}


def test_findings() -> None:
    both = post(text="Zij krijgt nog bezoek", id="1154")
    assert [item.code for item in compare_post(both, "Zij krijgt nog bezoek", "http://x/1154")] == [
        *("post.page-agrees", "post.id-in-address")
    ]
    assert [item.code for item in compare_post(both, "anders", "http://x/9")] == [
        *("post.page-differs", "post.id-not-in-address")
    ]
    assert list(compare_post(both, None, None)) == []
    assert list(compare_post({}, "x", "http://x/")) == []
    markup = post(text_html="<p>Zij krijgt</p><p>nog bezoek</p>", id=True)
    (only,) = compare_post(markup, "Zij krijgt nog bezoek", "http://x/")
    assert (only.code, only.params["pieces"]) == ("post.page-agrees", "2")
