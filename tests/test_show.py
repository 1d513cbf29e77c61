"""``show``: the verdict first, everything else marked unless it was verified."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evidence_kit.cli.main import run
from evidence_kit.core.canonical_json import dumps
from evidence_kit.core.schemas import schema_fault
from evidence_kit.demo.tsa import make_authority
from evidence_kit.jobs.show import show
from evidence_kit.seal.anchors import TrustAnchors
from tests.bundles import (
    NAME,
    NOW,
    STATUS,
    Case,
    example,
    example_of,
    forged,
    make_signer,
    root_of,
    trusted,
)
from tests.bundles import post as example_post

HOSTILE = "\x1b[2J\x1b[31mok\u202ednuor\nPASSED"


def real(folder: Path) -> tuple[Case, list[str]]:
    """A bundle sealed an hour ago by the real clock, and the options that trust it."""
    now = datetime.now(UTC)
    sign_with = make_signer(start=now - timedelta(days=1))
    tsa = make_authority(now - timedelta(days=1))
    (folder / "signer.der").write_bytes(sign_with.certificate)
    (folder / "tsa.der").write_bytes(root_of(tsa))
    options = ["--trust", str(folder / "signer.der"), "--tsa-trust", str(folder / "tsa.der")]
    return example_of(now - timedelta(hours=1), sign_with, tsa), options


def test_what_a_good_bundle_holds(tmp_path: Path) -> None:
    found = show(example().write(tmp_path), anchors=trusted(), now=NOW)
    assert found.sealed
    assert found.coherent
    assert found.verified
    assert found.record is not None
    assert found.record["request"]["case"] == "2026-001"
    assert found.posts[0]["author_handle"]["value"] == "boos"
    assert {file.name for file in found.files} >= {"mimetype", "data/post.json", "README.txt"}


def test_an_unknown_signer_is_sealed_but_not_verified(tmp_path: Path) -> None:
    found = show(example().write(tmp_path), anchors=TrustAnchors(), now=NOW)
    assert found.sealed
    assert not found.verified


def test_a_changed_bundle_is_neither(tmp_path: Path) -> None:
    path = tmp_path / NAME

    def change(files: dict[str, bytes]) -> None:
        files["data/post.json"] = files["data/post.json"].replace(b"boos", b"lief")

    path.write_bytes(forged(example().seal(), change))
    found = show(path, anchors=trusted(), now=NOW)
    assert not found.sealed
    assert not found.coherent
    assert not found.verified


def test_a_file_that_is_no_bundle_has_nothing_to_show(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"<html>")
    found = show(path, anchors=trusted(), now=NOW)
    assert (found.record, found.posts, found.files) == (None, (), ())


@pytest.mark.parametrize("damaged", [b"{}", b"[", b'{"schema": "evidence-kit/post/1"}'])
def test_posts_of_another_form_are_not_shown(damaged: bytes, tmp_path: Path) -> None:
    case = example()
    case.files["data/post.json"] = damaged
    found = show(case.write(tmp_path), anchors=trusted(), now=NOW)
    assert found.posts == ()
    assert not found.coherent


def test_the_marks_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case, options = real(tmp_path)
    path = str(case.write(tmp_path))
    assert run(["show", path, *options]) == 0
    shown = capsys.readouterr().out
    assert "niet gecontroleerd" not in shown
    assert shown.index("ONGEWIJZIGD") < shown.index("Ik weet waar je woont")
    assert "data/api/0001-status.json#/content" in shown
    assert "Vastgelegd: 20" in shown
    assert " UTC – 20" in shown
    assert "\nStaat het bericht erin? ja, het staat erin" in shown
    assert run(["show", path, "--lang", "en"]) == 0
    shown = capsys.readouterr().out
    assert shown.index("SIGNER UNKNOWN") < shown.index("Ik weet waar je woont")
    for label in ("Address asked for", "Organisation", "Post", "Files"):
        assert f"{label} [not verified]" in shown


def test_captured_text_cannot_act_in_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case, options = real(tmp_path)
    status = {**STATUS, "content": HOSTILE, "account": {"id": "7", "acct": HOSTILE}}
    document = example_post()
    document["posts"][0]["text_html"]["value"] = HOSTILE
    document["posts"][0]["author_handle"]["value"] = HOSTILE
    case.files["data/api/0001-status.json"] = dumps(status)
    case.files["data/post.json"] = dumps(document)
    case.record["request"]["reason"] = HOSTILE
    case.record["page"]["final_url"] = "http://127.0.0.1/" + HOSTILE
    path = str(case.write(tmp_path))
    for arguments in ([], ["--json"]):
        assert run(["show", path, *options, *arguments]) == 0
        shown = capsys.readouterr().out
        assert "\x1b" not in shown
    assert run(["show", path, *options]) == 0
    shown = capsys.readouterr().out
    assert "\u202e" not in shown
    assert "\nPASSED" not in shown
    assert "\\x1b[2J" in shown


def test_the_json_conforms_to_the_published_schema(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case, options = real(tmp_path)
    path = case.write(tmp_path)
    for given in ([str(path), *options], [str(path)]):
        assert run(["show", *given, "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert schema_fault(document, "show-1") is None
        assert document["verified"] == (len(given) > 1)
    path.write_bytes(b"<html>")
    assert run(["show", str(path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert schema_fault(document, "show-1") is None
    assert document["verdict"]["status"] == "FAILED"


def test_a_file_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", str(tmp_path / "gone.asice")]) == 20
    assert capsys.readouterr().err.startswith("error: ")
