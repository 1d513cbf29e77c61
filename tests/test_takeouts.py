"""The table of checks that are taken out: complete, not outdated, and a part of it tried."""

from __future__ import annotations

import re

import pytest

from evidence_kit.core.findings import RULES
from tests.attack_list import ATTACK_LIST, NO_CHECK
from tests.attack_page import DOCS, page
from tests.takeouts import ROOT, Edit, TakeOut, takeouts, without
from tests.takeouts.runner import Copy

ATTACKS = [row for part in ATTACK_LIST.values() for row in part]


@pytest.mark.parametrize("name", takeouts())
def test_each_source_text_stands_once_where_it_says(name: str) -> None:
    check = takeouts()[name]
    sources: dict[str, str] = {}
    for edit in check.edits:
        source = sources.get(edit.file) or (ROOT / edit.file).read_text("utf-8")
        sources[edit.file] = without(source, edit)
        if edit.file.endswith(".py"):
            compile(sources[edit.file], edit.file, "exec")
    assert check.red
    assert len(check.edits) == 1 or check.note, "say why one place is not enough"


def test_each_attack_has_a_check_that_holds_it() -> None:
    assert [row.name for row in ATTACKS if not row.taken_out() and row.name not in NO_CHECK] == []
    assert {row.code for row in ATTACKS} - {""} <= RULES.keys()
    names = [row.name for row in ATTACKS]
    assert len(names) == len(set(names))


def test_each_test_that_is_named_exists() -> None:
    named = {node.split("[")[0] for check in takeouts().values() for node in check.red}
    for test in named | {f"tests/{row.test}" for row in ATTACKS}:
        path, *_, function = test.split("::")
        assert re.search(rf"def {function}\(", (ROOT / path).read_text("utf-8")), test


def test_the_page_says_what_the_table_says() -> None:
    text = DOCS.read_text("utf-8")
    assert page(text) == text, "run: python -m tests.attack_page"


SAMPLE = list({check.table: name for name, check in takeouts().items()}.values())
"""One check of each table; ``make takeouts`` tries all."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("project"))


@pytest.mark.slow
@pytest.mark.xdist_group("takeouts")
@pytest.mark.parametrize("name", SAMPLE)
def test_its_tests_turn_red_without_it(name: str, copy: Copy) -> None:
    assert copy.fault(takeouts()[name]) == ""


@pytest.mark.slow
@pytest.mark.xdist_group("takeouts")
def test_neither_green_nor_broken_counts_as_red(copy: Copy) -> None:
    file, test = (
        "evidence_kit/core/layout.py",
        "tests/test_container.py::test_too_many_files_are_refused",
    )
    old = 'MIMETYPE = "mimetype"'
    idle = TakeOut("nothing", "", (Edit(file, old, old + "  # as before"),), (test,))
    assert "passed" in copy.fault(idle)
    broken = TakeOut("broken", "", (Edit(file, old, "MIMETYPE = ("),), (test,))
    assert "not run" in copy.fault(broken)
    assert copy.outcomes([test]) == {test: "passed"}, "the copy is whole again"


def test_a_text_that_stands_there_twice_or_not_is_refused() -> None:
    for old in ("a", "x"):
        with pytest.raises(ValueError, match="stands there"):
            without("a = a", Edit("f", old, ""))
