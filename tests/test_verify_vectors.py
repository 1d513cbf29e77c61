"""Every finding code can be brought about, and each verdict that it leads to makes sense."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from evidence_kit.core.canonical_json import dumps, loads
from evidence_kit.core.findings import RULES, Section, Status
from evidence_kit.core.schemas import schema_fault
from evidence_kit.core.verdict import State, Verdict, exit_code_of
from evidence_kit.core.verdict_json import SCHEMA, verdict_json
from evidence_kit.core.verdict_words import verdict_lines
from evidence_kit.core.words import LANGUAGES, Words
from tests.vectors import VECTORS


def test_every_code_has_a_vector() -> None:
    assert set(VECTORS) == set(RULES)


Judge = Callable[[str], Verdict]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """The verdict on the vector of a code, reached once for all tests here."""

    @cache
    def verdict(code: str) -> Verdict:
        return VECTORS[code](tmp_path_factory.mktemp("vector"))

    return verdict


@pytest.mark.parametrize("code", sorted(VECTORS))
def test_the_vector_brings_its_code_about(code: str, judge: Judge) -> None:
    verdict = judge(code)
    found = {finding.code: finding for finding in verdict.findings}
    assert code in found, sorted(found)
    rule = RULES[code]
    if rule.section is not Section.CUSTODY and rule.status is Status.FAILED:
        assert verdict.status is Status.FAILED
        assert verdict.exit_code == 10
        assert State.UNCHANGED not in verdict.states
    if rule.section is not Section.CUSTODY and rule.status is Status.INDETERMINATE:
        assert verdict.status is not Status.PASSED


@pytest.mark.parametrize("code", sorted(VECTORS))
def test_its_sentences_are_complete(code: str, judge: Judge) -> None:
    """No ``{name}`` is left open: each finding carries what its sentences need."""
    for finding in judge(code).findings:
        for language in LANGUAGES:
            params = {**finding.params, "subject": finding.subject}
            assert "{" not in Words(language).say("finding", finding.code, params), finding


@pytest.mark.parametrize("code", sorted(VECTORS))
def test_its_json_conforms_to_the_published_schema(code: str, judge: Judge) -> None:
    verdict = judge(code)
    for language in LANGUAGES:
        member = verdict_json(verdict, Words(language))
        document = {
            "schema": SCHEMA,
            "exit_code": int(exit_code_of([verdict])),
            "bundles": [member],
        }
        assert schema_fault(loads(dumps(document)), "verify-1") is None
        assert all(text for _, text in verdict_lines(verdict, Words(language)))
        assert "{" not in "".join(text for _, text in verdict_lines(verdict, Words(language)))
