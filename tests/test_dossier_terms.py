"""Terms, articles, timeline and pattern."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.core.words import LANGUAGES, Words
from evidence_kit.jobs.dossier_file import BEHAVIOURS, NAME, read_dossier
from evidence_kit.jobs.dossier_terms import (
    complaint_term,
    last_day,
    load_offences,
    possible_offences,
)
from evidence_kit.jobs.dossier_timeline import (
    Entry,
    Pattern,
    pattern_rows,
    pattern_svg,
    patterns,
    safe_cell,
    timeline,
    timeline_csv,
)
from tests.dossier_tools import dossier, post_case, put, rows
from tests.supplied_tools import supplied_case


@pytest.mark.parametrize(
    ("known", "last"),
    [
        (date(2026, 11, 21), date(2027, 2, 21)),
        (date(2026, 11, 30), date(2027, 2, 28)),
        (date(2027, 11, 30), date(2028, 2, 29)),
        (date(2026, 1, 31), date(2026, 4, 30)),
        (date(2026, 10, 31), date(2027, 1, 31)),
    ],
)
def test_the_last_day_for_a_complaint(known: date, last: date) -> None:
    assert last_day(known) == last


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_three_months_are_never_longer_nor_much_shorter(known: date) -> None:
    assert 88 <= (last_day(known) - known).days <= 92


@pytest.mark.parametrize(
    ("left", "state"),
    [
        (31, "open"),
        (30, "warn-30"),
        (15, "warn-30"),
        (14, "warn-14"),
        (4, "warn-14"),
        (3, "warn-3"),
        (0, "warn-3"),
        (-1, "past"),
    ],
)
def test_warnings_come_at_30_14_and_3_days(left: int, state: str) -> None:
    known = date(2026, 11, 21)
    term = complaint_term(known, last_day(known) - timedelta(days=left))
    assert (term.state, term.days_left) == (state, left)


def test_an_unknown_day_is_said_and_not_guessed() -> None:
    term = complaint_term(None, date(2026, 11, 23))
    assert (term.state, term.last_day, term.days_left) == ("unknown", None, None)


def test_a_complaint_that_was_made() -> None:
    known, today = date(2026, 11, 21), date(2027, 6, 1)
    assert complaint_term(known, today, date(2027, 2, 21)).state == "filed-in-time"
    assert complaint_term(known, today, date(2027, 2, 22)).state == "filed-late"


def test_the_articles_have_a_date_a_source_and_known_behaviours() -> None:
    data = load_offences()
    assert data.reference_date == date(2026, 7, 1)
    assert "BWBR0001854" in data.source
    articles = [one.article for one in data.offences]
    assert len(articles) == len(set(articles)) == 13
    assert "147" not in articles
    for one in data.offences:
        assert set(one.behaviours) <= set(BEHAVIOURS)
        assert one.complaint in ("yes", "no", "partly")
    on_complaint = {one.article for one in data.offences if one.complaint != "no"}
    assert on_complaint == {"285b", "261/262", "266/267", "284", "318"}
    covered = {behaviour for one in data.offences for behaviour in one.behaviours}
    assert covered == set(BEHAVIOURS)


def test_articles_follow_from_behaviour_or_from_what_a_person_named() -> None:
    assert [one.article for one in possible_offences(["stalken"])] == ["285b"]
    assert [one.article for one in possible_offences([], ["131"])] == ["131"]
    assert possible_offences([]) == ()


def test_no_word_of_guilt_in_anything_that_is_said() -> None:
    package = Path(__file__).parent.parent / "evidence_kit"
    texts = [package / "text" / f"{language}.toml" for language in LANGUAGES]
    texts += [package / "text" / "offences-2026-07-01.toml", package / "text/dossier-template.toml"]
    texts += [*sorted((package / "jobs").glob("dossier*.py")), package / "cli" / "dossier.py"]
    for path in texts:
        text = path.read_text("utf-8").lower()
        without = text.replace("strafbaar feit", "")  # as art. 131 words it
        for word in ("strafbaar", "dader", "schuldig", "perpetrator", "guilty"):
            assert word not in without, (path.name, word)


def _filled(folder: Path) -> None:
    dossier(
        folder,
        '[knowledge]\nwhen = 2026-11-21\nhow = "zelf"\n[complaint]\nfiled = 2026-12-01\n'
        "[[earlier]]\ndate = 2026-10-01\nwhat = 'belde'\n[[earlier]]\nwhat = 'ooit'\n",
    )
    put(folder, post_case(1, "2026-11-20T20:14:09.000+01:00"), "a.asice", incident="een")
    put(folder, post_case(1, "2026-11-20T20:14:09.000+01:00"), "a2.asice", incident="een")
    put(folder, post_case(2, "2 h", precision="relative-or-unreadable"), "b.asice")
    put(folder, post_case(3, "2026-11-27", precision="day", handle="kwaad"), "c.asice")
    put(folder, post_case(4, "2026-11-24T10:00", precision="minute-no-zone"), "d.asice")
    supplied_case().write(folder / "supplied", "e.asice")


def test_the_timeline_is_in_order_and_places_no_uncertain_time(tmp_path: Path) -> None:
    _filled(tmp_path / "z")
    entries = timeline(read_dossier(tmp_path / "z"), rows(tmp_path / "z"))
    days = [one.day for one in entries]
    dated = [day for day in days if day is not None]
    assert dated == sorted(dated)
    assert days == [*dated, None, None], "what has no day stands at the end"
    by_name = {one.bundle: one for one in entries if one.what == "posted"}
    one = by_name["bundles/a.asice"]
    assert one.when == datetime(2026, 11, 20, 19, 14, 9, tzinfo=UTC)
    assert one.shown == "2026-11-20T20:14:09.000+01:00"
    assert (by_name["bundles/b.asice"].when, by_name["bundles/b.asice"].shown) == (None, "2 h")
    assert (by_name["bundles/d.asice"].when, by_name["bundles/d.asice"].day) == (
        None,
        date(2026, 11, 24),
    )
    assert {one.what for one in entries} == {
        "posted",
        "captured",
        "supplied",
        "earlier",
        "knowledge",
        "complaint",
    }
    assert all(len(one.sha256) == 64 for one in entries if one.bundle)
    ours = [one.shown for one in entries if one.what in ("captured", "supplied")]
    assert ours
    assert not any("." in shown for shown in ours), "whole seconds of our own clock"


@pytest.mark.parametrize(
    ("language", "one", "several"), [("nl", "1 dag", "2 dagen"), ("en", "1 day", "2 days")]
)
def test_numbers_of_days_are_said_as_people_say_them(language: str, one: str, several: str) -> None:
    words = Words(language)
    for days, said in (("1", one), ("2", several)):
        params = {"days": days, "gap": days, "rate": "1", "first": "a", "last": "b"}
        for key in ("duration-value", "frequency-value", "term-open", "picture-step"):
            assert said in words.say("dossier", key, params).replace(";", ",").replace(".", ",")


def test_nature_duration_frequency_and_intensity(tmp_path: Path) -> None:
    folder = tmp_path / "z"
    _filled(folder)
    text = (folder / NAME).read_text("utf-8")
    facts = 'behaviours = ["bedreiging", "stalken"]\nintensity = {}\n'
    for name, level in (("a", 4), ("c", 2)):
        line = f'bundle = "bundles/{name}.asice"\n'
        text = text.replace(line, line + facts.format(level))
    (folder / NAME).write_text(text, "utf-8")
    everyone, *each = patterns(timeline(read_dossier(folder), rows(folder)))
    assert (everyone.count, everyone.undated) == (4, 1), "the same post twice counts once"
    assert (everyone.first, everyone.last) == (date(2026, 11, 20), date(2026, 11, 27))
    assert (everyone.days, everyone.per_week, everyone.longest_gap) == (8, 2.62, 4)
    assert dict(everyone.nature) == {"bedreiging": 2, "stalken": 2}
    assert (everyone.intensity, everyone.rated) == ((2, 4), 2)
    assert [one.account for one in each] == ["boos", "kwaad"]
    for language in LANGUAGES:
        table = pattern_rows([everyone, *each], Words(language))
        assert len(table) == 4
        assert all(len(row) == 6 for row in table)
        assert "{" not in str(table)
    assert "niet vastgelegd" in str(pattern_rows(patterns([]), Words("nl")))


def test_figures_of_the_pattern_as_the_language_writes_them() -> None:
    one = Pattern("", 3, 0, (), date(2026, 11, 20), date(2026, 11, 27), 8, 2.62, 4, (4, 4), 2)
    for language, rate, rating in (("nl", "2,62 ", "4 op een "), ("en", "2.62 ", "4 on a ")):
        cells = pattern_rows([one], Words(language))[1]
        assert rate in f" {cells[4]}"
        assert cells[5].startswith(rating)
    whole = replace(one, per_week=3.0)
    assert " 3 " in pattern_rows([whole], Words("nl"))[1][4]


HOSTILE = '<script>alert(1)</script>&"\x1b]0;x\x07=cmd()'


def test_the_picture_is_plain_and_well_formed(tmp_path: Path) -> None:
    _filled(tmp_path / "z")
    entries = timeline(read_dossier(tmp_path / "z"), rows(tmp_path / "z"))
    long_ago = Entry(None, date(1990, 1, 1), "", "posted", bundle="x", account=HOSTILE)
    for shown in (entries, [], [*entries, long_ago]):
        for language in LANGUAGES:
            root = ET.fromstring(pattern_svg(shown, Words(language)))
            tags = {element.tag.rpartition("}")[2] for element in root.iter()}
            assert tags <= {"svg", "title", "rect", "line", "text"}
            attributes = {name for element in root.iter() for name in element.attrib}
            assert not {name for name in attributes if name.startswith("on") or "href" in name}
    bars = [e for e in ET.fromstring(pattern_svg(entries, Words("nl"))) if len(e)]
    assert bars[0][0].text == "2026-11-20: 1"
    assert len(bars) == 8


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", " =1", "\r=1", "\n=1", "\x00=1"])
def test_no_cell_becomes_a_formula(text: str) -> None:
    assert safe_cell(text) == "'" + text
    entry = Entry(None, None, text, "posted", account=text, text=text, incident=text)
    data = timeline_csv([entry], Words("nl")).decode("utf-8")
    assert data.startswith("\ufeff")
    assert ";" + text not in data


def test_ordinary_cells_stay_as_they_are() -> None:
    assert safe_cell("2026-11-20") == "2026-11-20"
    assert safe_cell("a=b") == "a=b"
