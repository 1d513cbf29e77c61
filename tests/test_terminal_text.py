from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.core.terminal_text import MAX_MARKS, harmless


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ik weet waar je woont é 漢字 👍🏽", "Ik weet waar je woont é 漢字 👍🏽"),
        ("\x1b[2J\x1b[1;32mPASSED", "\\x1b[2J\\x1b[1;32mPASSED"),
        ("\x9b31m", "\\x9b31m"),
        ("a\rb\x08c\x00", "a\\x0db\\x08c\\x00"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\u2066x\u2069\u061c", "\\u2066x\\u2069\\u061c"),
        ("\u200bz\ufeff", "\\u200bz\\ufeff"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("een\ntwee", "een twee"),
        ("regel\u2028regel", "regel\\u2028regel"),
        ("👩\u200d⚕️", "👩\u200d⚕️"),
        ("\ud83d", "\\ud83d"),
        ("\u3164leeg", "\\u3164leeg"),
    ],
)
def test_what_could_act_is_shown(text: str, shown: str) -> None:
    assert harmless(text) == shown


def test_lines_are_kept_where_asked() -> None:
    assert harmless("een\ntwee\r\x1b", one_line=False) == "een\ntwee\\x0d\\x1b"


def test_piled_up_marks_are_cut() -> None:
    shown = harmless("o" + "\u0301" * 50)
    assert shown.count("\u0301") == MAX_MARKS
    assert shown.count("\\u0301") == 50 - MAX_MARKS


@given(st.text(alphabet=st.characters(), max_size=200))
def test_no_text_acts(text: str) -> None:
    for char in harmless(text):
        assert char == "\t" or unicodedata.category(char) != "Cc"
        assert unicodedata.category(char) not in {"Cs", "Co", "Cn", "Zl", "Zp"}
        assert char in "\u200c\u200d" or unicodedata.category(char) != "Cf"
        assert unicodedata.bidirectional(char) not in {"RLO", "LRO", "RLE", "LRE", "PDF"}
