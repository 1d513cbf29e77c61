"""The dossier: facts and their checks, the index, access log, hold and working copy."""

from __future__ import annotations

import json
import os
import shutil
import stat
import time
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.cli.dossier import KINDS
from evidence_kit.core.errors import ConfigError, InputError, StorageError, UnreadableFileError
from evidence_kit.core.layout import custody_folder
from evidence_kit.core.words import LANGUAGES, Words
from evidence_kit.jobs import supplied as supplied_job
from evidence_kit.jobs.dossier import (
    add_bundle,
    log_access,
    new_dossier,
    read_access_log,
    refuse_if_held,
)
from evidence_kit.jobs.dossier_copy import working_copy
from evidence_kit.jobs.dossier_file import (
    BEHAVIOURS,
    DEFAULT_BASIS,
    LISTS,
    NAME,
    TABLES,
    append_item,
    read_dossier,
)
from evidence_kit.jobs.dossier_index import CACHE, list_bundles
from tests.bundles import NOW, example
from tests.custody_tools import record
from tests.dossier_tools import (
    FILLED,
    PRIVATE,
    SECRET_ADDRESS,
    SECRET_NAME,
    STAFF,
    TODAY,
    dossier,
    post_case,
    put,
    rows,
)
from tests.supplied_tools import supplied_case


def test_the_kinds_are_those_of_the_format() -> None:
    assert supplied_job.KINDS == KINDS


def test_a_new_dossier_holds_every_field_and_explains_it(tmp_path: Path) -> None:
    made = dossier(tmp_path / "zaak")
    text = (tmp_path / "zaak" / NAME).read_text("utf-8")
    for table, keys in {**TABLES, **LISTS}.items():
        assert f"[{table}]" in text or f"[[{table}]]" in text
        for key in keys:
            assert key in text, f"{table}.{key}"
    assert made.text("dossier", "title") == "Afdeling B"
    assert made.day("dossier", "opened") == TODAY
    assert made.text("privacy", "basis") == DEFAULT_BASIS == "UAVG art. 33 lid 2 sub b"
    assert sorted(path.name for path in (tmp_path / "zaak").iterdir()) == [
        "bundles",
        NAME,
        "out",
        "supplied",
    ]


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "zaak"
    dossier(folder)
    put(folder, example(), "a.asice")
    log_access(folder, when=NOW, who="ict", what="list")
    rows(folder)
    if os.name != "posix":
        return  # Windows has no modes: the rights of the user's own folder apply
    for path in (folder, folder / "bundles", folder / CACHE.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    for path in (folder / NAME, folder / "access.log", folder / "bundles/a.asice", folder / CACHE):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_titles_with_quotes_and_controls_are_kept(tmp_path: Path) -> None:
    title = 'Zaak "B" \\ \x7f\n[private]'
    new_dossier(tmp_path / "z", title=title, case="", today=TODAY)
    assert read_dossier(tmp_path / "z").text("dossier", "title") == title


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(StorageError, match="not empty"):
        new_dossier(tmp_path, title="x", case="", today=TODAY)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[dosier]\n", "unknown table 'dosier'"),
        ("[dossier]\ntitel = 'x'\n", "unknown key 'titel' under 'dossier'"),
        ("[[item]]\nbundel = 'x'\n", "unknown key 'bundel' under 'item 1'"),
        ("[knowledge]\nwhen = 'gisteren'\n", "must be a date"),
        ("[dossier]\ntitle = 3\n", "must be a text"),
        ("[victim]\nofficial = true\n", '"yes", "no" or "unknown"'),
        ("[privacy]\nlegal_hold = 'ja'\n", "true or false"),
        ("[[item]]\nintensity = 6\n", "1 to 5"),
        ("[[item]]\nintensity = true\n", "1 to 5"),
        ("[[item]]\nbehaviours = ['dreigen']\n", "from this list: bedreiging"),
        ("[[item]]\nbehaviours = 'stalken'\n", "a list of texts"),
        ("[item]\nbundle = 'x'\n", r"written as \[\[item\]\]"),
        ("dossier = 1\n", "must be a table"),
        ("[dossier\n", "not TOML"),
    ],
)
def test_what_is_not_known_or_not_valid_is_an_error(
    tmp_path: Path, text: str, message: str
) -> None:
    dossier(tmp_path / "z")
    (tmp_path / "z" / NAME).write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=message):
        read_dossier(tmp_path / "z")


def test_a_folder_that_is_no_dossier(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="cannot read"):
        read_dossier(tmp_path)


def test_adding_keeps_every_byte_that_a_person_wrote(tmp_path: Path) -> None:
    folder = tmp_path / "z"
    dossier(folder, '# van mij\r\n[dossier]\ntitle = "x" # let op\n\n[[earlier]]\nwhat = "y"\n')
    before = (folder / NAME).read_bytes()
    append_item(folder, {"bundle": "bundles/a.asice", "incident": 'de "eerste"'})
    append_item(folder, {"bundle": "bundles/b.asice", "behaviours": ["stalken"]})
    after = (folder / NAME).read_bytes()
    assert after.startswith(before)
    items = tomllib.loads(after.decode())["item"]
    assert [item["bundle"] for item in items] == ["bundles/a.asice", "bundles/b.asice"]
    assert (folder / f"{NAME}.bak").exists()
    with pytest.raises(InputError, match="already"):
        append_item(folder, {"bundle": "bundles/a.asice"})
    with pytest.raises(ConfigError, match="unknown key"):
        append_item(folder, {"bundle": "c", "colour": "blue"})
    assert (folder / NAME).read_bytes() == after


def test_a_bundle_is_copied_with_its_events_and_not_moved(tmp_path: Path) -> None:
    folder = tmp_path / "z"
    dossier(folder)
    bundle = example().write(tmp_path)
    record(bundle)
    copy = add_bundle(folder, bundle, incident="een", victim="verpleegkundige", account="account 1")
    assert copy.read_bytes() == bundle.read_bytes()
    assert len(list(custody_folder(copy).iterdir())) == 2
    (item,) = read_dossier(folder).lists["item"]
    assert item == {
        "bundle": f"bundles/{bundle.name}",
        "incident": "een",
        "victim": "verpleegkundige",
        "account": "account 1",
    }
    with pytest.raises(StorageError, match="exists"):
        add_bundle(folder, bundle)
    with pytest.raises(InputError, match="no sealed file"):
        add_bundle(folder, tmp_path / "x.zip")


def test_the_index_reads_new_and_changed_files_and_forgets_removed_ones(tmp_path: Path) -> None:
    folder = tmp_path / "z"
    dossier(folder)
    first = put(folder, post_case(1, "2026-11-20T20:14:09.000Z"), "a.asice")
    put(folder, post_case(2, "2 h", precision="relative-or-unreadable"), "b.asice")
    supplied_case().write(folder / "supplied", "c.asice")
    (folder / "bundles" / "d.asice").write_bytes(b"not a bundle")
    found = {row.bundle: row for row in rows(folder)}
    one = found["bundles/a.asice"]
    assert (one.state, one.author, one.posted) == ("captured", "boos", "2026-11-20T20:14:09.000Z")
    assert one.permalink.endswith("/@boos/1")
    assert found["supplied/c.asice"].state == "supplied"
    assert found["supplied/c.asice"].kind == "mail"
    assert found["bundles/d.asice"].state == "unreadable"
    first.unlink()
    (folder / "bundles" / "d.asice").write_bytes(example().seal())
    found = {row.bundle: row for row in rows(folder)}
    assert "bundles/a.asice" not in found
    assert found["bundles/d.asice"].state == "captured"


@pytest.mark.parametrize("damage", [b"", b"not a database at all, but long enough for one" * 40])
def test_the_index_can_be_thrown_away(tmp_path: Path, damage: bytes) -> None:
    folder = tmp_path / "z"
    dossier(folder)
    put(folder, example(), "a.asice")
    before = rows(folder)
    (folder / CACHE).write_bytes(damage)
    assert rows(folder) == before
    (folder / CACHE).unlink()
    assert rows(folder) == before


@pytest.mark.slow
def test_a_thousand_bundles_list_in_under_a_second(tmp_path: Path) -> None:
    folder = tmp_path / "z"
    dossier(folder)
    first = put(folder, example(), "0000.asice")
    for number in range(1, 1000):
        try:
            os.link(first, folder / "bundles" / f"{number:04}.asice")
        except OSError:
            shutil.copyfile(first, folder / "bundles" / f"{number:04}.asice")
    assert len(list_bundles(folder)) == 1000
    start = time.perf_counter()
    assert len(list_bundles(folder)) == 1000
    assert time.perf_counter() - start < 1.0


def test_every_look_is_logged(tmp_path: Path) -> None:
    folder = tmp_path / "z"
    dossier(folder)
    assert read_access_log(folder) == []
    log_access(folder, when=NOW, who="ict", what="list")
    log_access(folder, when=NOW, who="hr", what="check")
    assert [(line["who"], line["what"]) for line in read_access_log(folder)] == [
        ("ict", "list"),
        ("hr", "check"),
    ]
    (folder / "access.log").write_bytes(b"{broken\n")
    with pytest.raises(UnreadableFileError):
        read_access_log(folder)


def test_a_dossier_on_hold_keeps_its_bundles(tmp_path: Path) -> None:
    folder = tmp_path / "z"
    dossier(folder, FILLED)
    bundle = put(folder, example(), "a.asice")
    refuse_if_held(bundle)
    text = (folder / NAME).read_text("utf-8")
    held = text.replace("[privacy]", '[privacy]\nlegal_hold = true\nlegal_hold_reason = "zaak"')
    (folder / NAME).write_text(held, "utf-8")
    with pytest.raises(InputError, match="on legal hold: zaak"):
        refuse_if_held(bundle)
    refuse_if_held(tmp_path / "outside" / "a.asice")
    (folder / NAME).write_text("broken", "utf-8")
    with pytest.raises(ConfigError):
        refuse_if_held(bundle)


def test_nothing_private_appears_in_a_working_copy(tmp_path: Path) -> None:
    folder = tmp_path / "z"
    dossier(
        folder,
        FILLED.replace('"slaapt slecht"', f'"{SECRET_NAME} slaapt slecht op {SECRET_ADDRESS}"')
        + f"""
[[account]]
handle = "@boos"
id = "77889900"
[[earlier]]
date = 2026-10-01
what = "belde {SECRET_NAME.upper()} op 0612345678"
"""
        + PRIVATE,
    )
    private = {"sealed_as": "Waarmerk", "user_name": STAFF, "host_name": "pc-balie-3"}
    threat = f"{SECRET_NAME}, {STAFF} van pc-balie-3, ik ken {SECRET_ADDRESS}. Groet, Boze Buur"
    put(folder, post_case(1, "2026-11-20T20:14:09.000Z", text=threat, private=private), "a.asice")
    put(folder, post_case(2, "2026-11-21T20:14:09.000Z", handle="kwaad"), f"{STAFF[:6]}-boos.asice")
    for language in LANGUAGES:
        out = tmp_path / language
        made = working_copy(read_dossier(folder), rows(folder), out, Words(language))
        assert sorted(path.name for path in made) == [
            "patroon.svg",
            "tijdlijn.csv",
            "werkkopie.json",
        ]
        everything = "".join(path.read_text("utf-8") for path in made).casefold()
        hidden = [SECRET_NAME, SECRET_ADDRESS, "0612345678", "@boos", "boze buur", "77889900"]
        hidden += [*private.values(), ".asice", "plein.example"]
        for value in hidden:
            assert value.casefold() not in everything, value
        assert "account 1" in everything
        assert "account 2" in everything
        assert "slaapt slecht" in everything


def test_a_working_copy_never_lands_among_the_facts(tmp_path: Path) -> None:
    folder = tmp_path / "z"
    dossier(folder, FILLED)
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    inside = (folder, folder / "kopie", tmp_path / "link" / "kopie", folder / "out" / "..")
    for place in (*inside, folder / "bundles" / "kopie"):
        with pytest.raises(StorageError, match="among the facts"):
            working_copy(read_dossier(folder), rows(folder), place, Words("nl"))
    assert not (folder / "kopie").exists()
    assert working_copy(read_dossier(folder), rows(folder), folder / "out" / "kopie", Words("nl"))


@pytest.mark.slow
def test_on_the_command_line(tmp_path: Path) -> None:
    from tests.fixtures_capture import evidence_kit, new_home

    home = new_home(tmp_path)
    folder = tmp_path / "zaak"

    def run(*arguments: str) -> Any:
        ended = evidence_kit(*arguments, home=home)
        assert ended.returncode == 0, ended.stderr + ended.stdout
        return ended.stdout

    run("dossier", "new", str(folder), "--title", "Afdeling B", "--case", "17")
    bundle = post_case(1, "2026-11-20T20:14:09.000Z", text="=1+1 \x1b[2J").write(
        tmp_path, "a.asice"
    )
    run("dossier", "add", str(folder), str(bundle), "--incident", "een")
    (tmp_path / "schermafdruk.png").write_bytes(b"png")
    told = run(
        *("dossier", "import", str(folder), str(tmp_path / "schermafdruk.png")),
        *("--kind", "screenshot", "--supplier", "de medewerker", "--source", "telefoon"),
        *("--received", "2026-11-20", "--no-tsa", "--passphrase-fd", "0", "--json"),
    )
    assert Path(json.loads(told)["bundle"]).is_file()
    text = (folder / NAME).read_text("utf-8").replace("# when = 2026", "when = 2026")
    (folder / NAME).write_text(text, "utf-8")
    listed = run("dossier", "list", str(folder))
    assert "boos" in listed
    assert "\x1b" not in listed
    assert len(json.loads(run("dossier", "list", str(folder), "--json"))["bundles"]) == 2
    shown = run("dossier", "timeline", str(folder), "--output", str(folder / "out"))
    assert "geplaatst volgens het platform" in shown
    assert "'=1+1" in (folder / "out/tijdlijn.csv").read_text("utf-8")
    terms = json.loads(run("dossier", "terms", str(folder), "--json"))
    assert terms["complaint"]["last_day"] == "2027-02-20"
    assert "geen juridisch advies" in run("dossier", "terms", str(folder))
    checked = evidence_kit("dossier", "check", str(folder), "--json", home=home)
    assert checked.returncode == 11
    assert {"empty-field", "no-behaviour"} <= {
        one["code"] for one in json.loads(checked.stdout)["warnings"]
    }
    run("dossier", "copy", str(folder), "--output", str(tmp_path / "werkkopie"))
    looked = [line["what"] for line in read_access_log(folder)]
    assert looked == [
        "add",
        "import",
        "list",
        "list",
        "timeline",
        "terms",
        "terms",
        "check",
        "copy",
    ]
    now = datetime.now(UTC).isoformat()
    assert all(line["time"][:4] == now[:4] for line in read_access_log(folder))
    lines = evidence_kit("dossier", "check", str(folder), home=home).stdout.splitlines()
    assert lines[-1].startswith("- Nog niet ingevuld: dossier.public_task, ")
    assert sum("Nog niet ingevuld" in line for line in lines) == 1


def test_the_guidelines_behaviours(tmp_path: Path) -> None:
    dossier(tmp_path / "z")
    text = (tmp_path / "z" / NAME).read_text("utf-8").replace("#", "").split()
    assert all(set(one.split()) <= {word.strip(",") for word in text} for one in BEHAVIOURS)
    assert len(BEHAVIOURS) == 15
    assert len(set(BEHAVIOURS)) == 15
