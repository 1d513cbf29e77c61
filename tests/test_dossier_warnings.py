"""The warnings of a dossier: each field, each finding, and nothing unsaid."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.core.errors import ConfigError
from evidence_kit.core.layout import custody_folder
from evidence_kit.core.words import LANGUAGES, Words
from evidence_kit.jobs.dossier import (
    note_item,
    warnings,
)
from evidence_kit.jobs.dossier_file import (
    NAME,
    read_dossier,
)
from evidence_kit.jobs.verify import verify
from tests.bundles import NOW, example, trusted
from tests.custody_tools import record
from tests.dossier_tools import (
    FILLED,
    PRIVATE,
    TODAY,
    dossier,
    post_case,
    put,
    rows,
)
from tests.test_supplied import bring_in


def codes(folder: Path, today: date = TODAY, verdicts: Any = None) -> list[str]:
    found = warnings(read_dossier(folder), rows(folder), verdicts or {}, today)
    for language in LANGUAGES:
        for one in found:
            assert "{" not in Words(language).say("dossier-warning", one.code, one.params)
    return [one.code for one in found]


def test_a_complete_dossier_has_no_warnings(tmp_path: Path) -> None:
    dossier(tmp_path / "z", FILLED)
    assert codes(tmp_path / "z") == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (line, "empty-field")
        for line in FILLED.splitlines()
        if "=" in line and not line.startswith(("official", "when", "retain", "["))
    ],
)
def test_each_field_that_is_left_empty_is_named(tmp_path: Path, line: str, code: str) -> None:
    dossier(tmp_path / "z", FILLED.replace(line, ""))
    assert codes(tmp_path / "z") == [code]


@pytest.mark.parametrize(
    ("old", "new", "today", "code"),
    [
        ("when = 2026-11-21\n", "", TODAY, "complaint-unknown"),
        ("", "", date(2027, 1, 22), "complaint-warn-30"),
        ("", "", date(2027, 2, 7), "complaint-warn-14"),
        ("", "", date(2027, 2, 18), "complaint-warn-3"),
        ("", "", date(2027, 2, 21), "complaint-warn-3"),
        ("", "", date(2027, 2, 22), "complaint-past"),
        ("[privacy]", "[complaint]\nfiled = 2027-02-22\n[privacy]", TODAY, "complaint-filed-late"),
        ("retain_until = 2027-11-21", "", TODAY, "no-retention"),
        ("2027-11-21", "2026-11-22", TODAY, "retention-past"),
        ("2027-11-21", "2026-12-20", TODAY, "retention-soon"),
        ("[privacy]", "[privacy]\nlegal_hold = true", TODAY, "legal-hold"),
        ('"aangifte"', '"over Marijke verzonnen"', TODAY, "private-in-shared"),
        ("", "\n[[item]]\nbundle = 'bundles/no.asice'\n", TODAY, "bundle-missing"),
        (
            "[privacy]",
            "[[item]]\nbundle = 'b'\nbehaviours = ['schelden']\n[victim.x]\n",
            TODAY,
            "",
        ),
    ],
)
def test_each_warning(tmp_path: Path, old: str, new: str, today: date, code: str) -> None:
    text = (FILLED.replace(old, new) if old else FILLED + new) + PRIVATE
    if not code:
        dossier(tmp_path / "z")
        (tmp_path / "z" / NAME).write_text(text, "utf-8")
        with pytest.raises(ConfigError):
            read_dossier(tmp_path / "z")
        return
    dossier(tmp_path / "z", text)
    assert codes(tmp_path / "z", today) == [code]


def test_warnings_about_an_old_list_of_articles_and_the_question_of_office(tmp_path: Path) -> None:
    folder = tmp_path / "z"
    dossier(folder, FILLED.replace('official = "no"\n', ""))
    put(folder, example(), "a.asice")
    text = (folder / NAME).read_text("utf-8") + 'behaviours = ["schelden"]\n'
    (folder / NAME).write_text(text, "utf-8")
    assert codes(folder) == ["ask-official"]
    assert "offences-old" in codes(folder, date(2027, 7, 2))


def test_warnings_about_bundles(tmp_path: Path) -> None:
    folder = tmp_path / "z"
    dossier(folder, FILLED)
    put(folder, post_case(1, "2 h", precision="relative-or-unreadable"), "a.asice")
    put(folder, post_case(2, "2026-11-20", state="partial"), "b.asice")
    put(folder, post_case(3, "2026-11-20", state="not-there"), "c.asice")
    example().write(folder / "bundles", "d.asice")
    (folder / "bundles" / "e.asice").write_bytes(b"?")
    found = codes(folder)
    for code in (
        *("relative-time", "content-partial", "content-not-there", "bundle-not-named"),
        *("bundle-unreadable", "no-behaviour"),
    ):
        assert code in found
    sound = verify(folder / "bundles/a.asice", anchors=trusted(), now=NOW)
    unknown = verify(folder / "bundles/b.asice", anchors=type(trusted())(), now=NOW)
    failed = verify(folder / "bundles/e.asice", anchors=trusted(), now=NOW)
    verdicts = {"a": sound, "b": unknown, "e": failed}
    told = [one for one in codes(folder, verdicts=verdicts) if one.startswith("verdict")]
    assert told == ["verdict-indeterminate", "verdict-failed"]


def test_a_failing_chain_of_custody_is_a_warning(tmp_path: Path) -> None:
    folder = tmp_path / "z"
    dossier(folder, FILLED)
    bundle = put(folder, example(), "a.asice")
    record(bundle)
    next(custody_folder(bundle).glob("*.json")).write_bytes(b"{}")
    verdict = verify(bundle, anchors=trusted(), now=NOW)
    assert "custody-failed" in codes(folder, verdicts={"bundles/a.asice": verdict})


def test_an_incident_with_only_a_screenshot_is_a_warning(tmp_path: Path) -> None:
    folder = tmp_path / "z"
    dossier(folder, FILLED)
    inside = bring_in(tmp_path, ("a.png", b"x"))
    shutil.copy(inside.sealed.path, folder / "supplied" / "a.asice")
    note_item(folder, folder / "supplied" / "a.asice", incident="een")
    assert "only-screenshot" in codes(folder)
    put(folder, example(), "b.asice", incident="een")
    assert "only-screenshot" not in codes(folder)


def test_all_warnings_have_been_seen() -> None:
    """The words are no more than what the code can say, and the same in both languages."""
    import inspect
    import re

    from evidence_kit.jobs import dossier as job

    source = inspect.getsource(job)
    said = set(re.findall(r'Warned\(f?"([a-z0-9{}.-]+)', source))
    keys = Words("nl").keys("dossier-warning")
    for key in keys:
        known = key in said or key.startswith(("complaint-", "content-"))
        assert known, key
    assert keys == Words("en").keys("dossier-warning")
