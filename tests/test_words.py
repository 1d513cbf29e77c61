"""The sentences: complete in both languages, plain, and without claims that must never be made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evidence_kit.core.findings import RULES, Section, Status
from evidence_kit.core.verdict import State
from evidence_kit.core.verdict_words import TOLD_FIRST
from evidence_kit.core.words import LANGUAGES, Words
from evidence_kit.gather.content_check import ContentState

ROOT = Path(__file__).parent.parent

# Requirements V3, word for word; {names} stand where the requirement has its {placeholders}.
REQUIRED = {
    State.UNCHANGED: (
        "ONGEWIJZIGD",
        "Alle bestanden zijn precies gelijk aan de bestanden waarover deze handtekening is gezet.",
    ),
    State.PARTLY_DISCLOSED: (
        "GEDEELTELIJK VERSTREKT",
        "Dit is een deel van het pakket. Wat erin zit is ongewijzigd; "
        "niet verstrekt zijn: {files}.",
    ),
    State.CHANGED: (
        "GEWIJZIGD",
        "Minstens één bestand is na het verzegelen veranderd. Gebruik dit pakket niet zonder "
        "uitleg. Het gaat om: {files}.",
    ),
    State.INCOMPLETE: (
        "ONVOLLEDIG",
        "Er ontbreken bestanden die er bij het verzegelen wel waren: {files}.",
    ),
    State.SIGNER_UNKNOWN: (
        "ONDERTEKENAAR ONBEKEND",
        "De bestanden passen bij de handtekening, maar wij kunnen niet vaststellen van wie die is.",
    ),
    State.SIGNATURE_INVALID: (
        "HANDTEKENING ONGELDIG",
        "De handtekening past niet bij dit pakket.",
    ),
    State.CERTIFICATE_EXPIRED: (
        "CERTIFICAAT VERLOPEN",
        "Het certificaat is nu niet meer geldig. Op het moment van ondertekenen was het "
        "{validity} geldig.",
    ),
    State.CERTIFICATE_REVOKED: (
        "CERTIFICAAT INGETROKKEN",
        "Het certificaat is nu niet meer geldig. Op het moment van ondertekenen was het "
        "{validity} geldig.",
    ),
    State.TIMESTAMP_MISSING: (
        "TIJDSTEMPEL ONTBREEKT",
        "Het tijdstip komt alleen van de eigen computer.",
    ),
    State.TIMESTAMP_NOT_QUALIFIED: (
        "TIJDSTEMPEL NIET GEKWALIFICEERD",
        "Een externe dienst bevestigt het tijdstip, maar het wettelijk vermoeden van juistheid "
        "geldt niet.",
    ),
    State.NOT_CHECKABLE: (
        "NIET TE CONTROLEREN",
        "De controle kon niet worden uitgevoerd: {reason}. Dit zegt niets over de echtheid.",
    ),
}

FORBIDDEN = (
    "rechtsgeldig bewijs",
    "onweerlegbaar",
    "goedgekeurd door om",
    "goedgekeurd door politie",
    "goedgekeurd door de politie",
    "goedgekeurd door het om",
    "iso 27037-gecertificeerd",
    "iso 27037 gecertificeerd",
    "legally valid evidence",
    "irrefutable",
    "incontrovertible",
    "approved by the police",
    "court-proof",
    "tamper-proof",
    "iso 27037 certified",
    "iso 27037-certified",
)


def _tables(language: str) -> dict[str, dict[str, str]]:
    words = Words(language)
    names = ("state-name", "state", "sentence", "validity", "status", "section", "label", "reason")
    more = ("content-name", "content-state", "warning", "dossier", "dossier-warning", "custody")
    return {
        table: {key: words.say(table, key) for key in words.keys(table)}
        for table in (*names, *more, "finding")
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_a_sentence_and_no_sentence_is_left_over(language: str) -> None:
    assert Words(language).keys("finding") == set(RULES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_section_and_status_has_its_words(language: str) -> None:
    words = Words(language)
    assert words.keys("state") == set(State)
    assert words.keys("state-name") == set(State)
    assert words.keys("section") == set(Section)
    assert words.keys("status") == set(Status)
    assert words.keys("content-name") == set(TOLD_FIRST)
    assert words.keys("content-state") == set(ContentState)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_warning_that_a_capture_writes_has_words(language: str) -> None:
    written: set[str] = set()
    for path in (ROOT / "evidence_kit" / "jobs").glob("*.py"):
        written |= set(re.findall(r"Note\(\s*\"([a-z.-]+)\"", path.read_text("utf-8")))
    assert len(written) > 8
    assert Words(language).keys("warning") == written - {"redaction.remark"}


@pytest.mark.parametrize("state", REQUIRED)
def test_dutch_states_have_the_required_wording(state: State) -> None:
    words = Words("nl")
    assert (words.say("state-name", state), words.say("state", state)) == REQUIRED[state]


def test_dutch_sentences_about_time_and_authorship_have_the_required_wording() -> None:
    words = Words("nl")
    assert words.say("sentence", "stamped") == (
        "Het verzegelde pakket bestond op {date} (tijdstip van verzegelen, niet van plaatsen)."
    )
    assert words.say("sentence", "own-clock") == "{date} volgens de ondertekenaar zelf."
    assert words.say("sentence", "always") == (
        "Deze controle zegt niet wie het bericht heeft geschreven en niet of de inhoud waar is."
    )


def test_both_languages_have_the_same_keys_and_parameters() -> None:
    dutch, english = _tables("nl"), _tables("en")
    for table, sentences in dutch.items():
        assert sentences.keys() == english[table].keys()
        for key, sentence in sentences.items():
            params = set(re.findall(r"\{(\w+)[:}]", sentence))
            assert params == set(re.findall(r"\{(\w+)[:}]", english[table][key])), (table, key)


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_sentences(language: str) -> None:
    tables = _tables(language)
    for table in ("state", "sentence", "finding"):
        for key, sentence in tables[table].items():
            assert sentence.endswith("."), (table, key)
            assert len(sentence.split()) <= 40, f"too long for plain language: {key}"
            assert sentence[0].isupper() or sentence.startswith(("{", "… ")), (table, key)


def test_params_are_put_in_as_they_are_and_missing_ones_stay_visible() -> None:
    words = Words("en")
    said = words.say("finding", "post.source-differs", {"subject": "{source}"})
    assert said == "{source} is not what the source named for it says: {source}."


def _public_files() -> list[Path]:
    kinds = ("*.py", "*.toml", "*.md", "*.txt", "*.json", "*.html", "*.js", "*.css")
    files = [path for kind in kinds for path in (ROOT / "evidence_kit").rglob(kind)]
    files += (ROOT / "docs").rglob("*.md")
    files += ROOT.glob("*.md")
    return files


def test_no_claim_that_must_never_be_made() -> None:
    """Nobody can promise what a court or the police will think of a bundle."""
    files = _public_files()
    assert len(files) > 20
    for path in files:
        text = " ".join(path.read_text("utf-8").lower().split())
        for claim in FORBIDDEN:
            assert claim not in text, f"{path.relative_to(ROOT)} claims {claim!r}"
