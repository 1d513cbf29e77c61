"""JSON is written in one form and read strictly."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.core.canonical_json import JsonError, dumps, dumps_line, loads, same_json
from evidence_kit.core.limits import MAX_JSON_DEPTH, MAX_JSON_DIGITS, MAX_JSON_VALUES

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


@given(values)
def test_what_is_written_is_read_back(value: object) -> None:
    assert loads(dumps(value)) == value
    assert loads(dumps_line(value)) == value
    assert dumps_line(value).count(b"\n") == 1


def test_one_form_whatever_the_order() -> None:
    assert dumps({"b": 1, "a": "é"}) == dumps({"a": "é", "b": 1})
    assert "é".encode() in dumps({"a": "é"})


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"a":1,"a":2}', "twice"),
        (b'{"x":{"a":1,"a":1}}', "twice"),
        (b"NaN", "NaN"),
        (b"[Infinity]", "Infinity"),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\udfff":1}', "surrogate"),
        (b"\xef\xbb\xbf{}", ""),
        (b"\xff", ""),
        (b"", ""),
        (b"{} {}", ""),
        (b"[" * 10_000 + b"]" * 10_000, "deeper"),
        (b"[" * (MAX_JSON_DEPTH + 1), "deeper"),
        (b"9" * (MAX_JSON_DIGITS + 1), "digits"),
        (b"[1." + b"1" * 5000 + b"]", "digits"),
        (b'"' + b"\\" * 99_999, ""),
    ],
)
def test_refused(data: bytes, why: str) -> None:
    with pytest.raises(JsonError) as caught:
        loads(data)
    assert why in str(caught.value)


def test_digits_and_brackets_inside_text_are_fine() -> None:
    text = "[" * 5000 + "1" * 5000 + '\\"{'
    assert loads(json.dumps([text]).encode()) == [text]


def test_too_large_is_refused_before_parsing() -> None:
    with pytest.raises(JsonError, match="larger"):
        loads(b"[" + b"1," * 100 + b"1]", max_bytes=100)


@given(st.binary(max_size=200))
def test_hostile_bytes_only_raise_our_error(data: bytes) -> None:
    with contextlib.suppress(JsonError):
        loads(data)


def test_unclosed_strings_take_linear_time() -> None:
    started = time.perf_counter()
    with pytest.raises(JsonError):
        loads(b'"\\' * 200_000)
    assert time.perf_counter() - started < 2


def test_numbers_that_json_lacks_are_not_written() -> None:
    with pytest.raises(JsonError):
        dumps(float("nan"))
    with pytest.raises(JsonError):
        dumps("\ud800")


def test_a_document_of_too_many_values_is_refused() -> None:
    with pytest.raises(JsonError, match="values"):
        loads(b"[" + b"[]," * MAX_JSON_VALUES + b"[]]")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": [1, "x", None]}, {"a": [1, "x", None]}, True),
        (1, 1.0, False),
        (1, True, False),
        (0.0, -0.0, False),
        ([1], [1, 2], False),
        ({"a": 1}, {"b": 1}, False),
        ({"a": [{"b": 1}]}, {"a": [{"b": "1"}]}, False),
    ],
)
def test_same_json_means_written_the_same(one: Any, other: Any, same: bool) -> None:
    assert same_json(one, other) is same
    assert (dumps(one) == dumps(other)) is same
