"""The normalised post names a source for each value and invents none."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.core.post import FIELDS, Place, Post, Sourced, resolve_pointer

DOCUMENT = {"a": [{"b/c": 1, "d~e": "x"}], "": 0, "m~1n": 2}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", DOCUMENT),
        ("/a/0/b~1c", 1),
        ("/a/0/d~0e", "x"),
        ("/", 0),
        ("/m~01n", 2),
    ],
)
def test_pointers_of_rfc_6901(pointer: str, value: object) -> None:
    assert resolve_pointer(DOCUMENT, pointer) == value


@pytest.mark.parametrize("pointer", ["a", "/x", "/a/1", "/a/00", "/a/-1", "/a/-", "/a/0/b~1c/0"])
def test_a_pointer_to_nowhere(pointer: str) -> None:
    with pytest.raises(KeyError):
        resolve_pointer(DOCUMENT, pointer)


@given(st.text())
def test_any_text_as_pointer_resolves_or_raises_key_error(pointer: str) -> None:
    with contextlib.suppress(KeyError):
        resolve_pointer(DOCUMENT, pointer)


def test_fields_not_given_are_null() -> None:
    source = Place("data/api/0001-status.json", "/created_at")
    post = Post("post", {"created": Sourced("2026-01-01T00:00:00Z", source, "second")})
    document = post.to_json()
    assert set(document) == {"role", *FIELDS}
    assert document["text"] is None
    assert document["created"] == {
        "value": "2026-01-01T00:00:00Z",
        "source": {"file": "data/api/0001-status.json", "pointer": "/created_at"},
        "precision": "second",
    }
