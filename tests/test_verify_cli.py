"""``verify`` on the command line: words, JSON, options, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from evidence_kit.cli import verdict_print
from evidence_kit.cli.main import run
from evidence_kit.core.digests import digest_bytes
from evidence_kit.core.receipt import Receipt, write_receipt
from evidence_kit.core.schemas import schema_fault
from tests.bundles import CAPTURE_ID, WHEN, forged
from tests.test_show import real


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(["verify", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    code, out, err = asked(capsys, *arguments, "--json")
    document: dict[str, Any] = json.loads(out)
    assert err == ""
    assert document["exit_code"] == code
    assert schema_fault(document, "verify-1") is None
    return document


def test_a_good_bundle_in_words_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case, options = real(tmp_path)
    path = str(case.write(tmp_path))
    code, out, _ = asked(capsys, path, *options)
    assert code == 0
    assert "ONGEWIJZIGD  (PASSED)" in out
    assert "Deze controle zegt niet wie het bericht heeft geschreven" in out
    assert "Bewaarketen: geen latere gebeurtenissen" in out
    assert "[signature.ok]" not in out and "[answer.unnamed]" not in out
    _, details, _ = asked(capsys, path, *options, "--details")
    assert "[signature.ok]" in details and "[answer.unnamed]" in details
    document = answer(capsys, path, *options)
    (bundle,) = document["bundles"]
    assert "answer.unnamed" in [item["code"] for item in bundle["findings"]]
    assert (document["exit_code"], bundle["status"]) == (0, "PASSED")
    assert bundle["states"][0] == "unchanged"
    assert bundle["signer"]["name"] == "Ziekenhuis Voorbeeld"


def test_trust_comes_from_outside_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case, options = real(tmp_path)
    path = str(case.write(tmp_path))
    code, out, _ = asked(capsys, path, "--lang", "en")
    assert code == 11
    assert "SIGNER UNKNOWN  (INDETERMINATE)" in out
    assert asked(capsys, path, *options[:2])[0] == 11
    assert asked(capsys, path, *options[:2], "--accept", "no-timestamp")[0] == 0
    assert asked(capsys, path, "--accept", "unknown-signer")[0] == 11
    code, out, _ = asked(capsys, path, "--accept", "unknown-signer,no-timestamp")
    assert code == 0
    assert "ONGEWIJZIGD" not in out
    assert "U hebt zelf gekozen" in out


def test_a_changed_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case, options = real(tmp_path)
    path = tmp_path / "changed.asice"

    def change(files: dict[str, bytes]) -> None:
        files["data/web/text.txt"] = b"Fijne dag nog"

    path.write_bytes(forged(case.seal(), change))
    code, out, _ = asked(capsys, str(path), *options)
    assert code == 10
    assert "Het gaat om: data/web/text.txt." in out
    assert answer(capsys, str(path), *options)["bundles"][0]["states"][0] == "changed"


def test_several(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case, options = real(tmp_path)
    good = str(case.write(tmp_path))
    gone, bad = str(tmp_path / "gone.asice"), tmp_path / "bad.asice"
    bad.write_bytes(b"x")
    code, out, _ = asked(capsys, good, gone, *options, "--lang", "en")
    assert code == 20
    assert "2 files checked" in out
    assert "CANNOT BE CHECKED" in out
    document = answer(capsys, good, gone, str(bad), *options)
    assert document["exit_code"] == 10
    assert [one["exit_code"] for one in document["bundles"]] == [0, 20, 10]


def test_the_summary_names_a_post_that_was_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict_print, "console", lambda: Console(width=300))
    case, options = real(tmp_path)
    good = case.write(tmp_path)
    case.record["state"] = "not-there"
    (tmp_path / "later.asice").write_bytes(case.seal())
    code, out, _ = asked(capsys, str(good), str(tmp_path / "later.asice"), *options, "--lang", "en")
    assert code == 0
    table = out.partition("Summary")[2]
    assert table.count("PASSED: UNCHANGED") == 2
    assert table.count("POST WAS NOT THERE") == 1


def test_lines_that_do_not_fit_stay_below_their_beginning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    case, options = real(tmp_path)
    path = case.write(tmp_path).name
    monkeypatch.chdir(tmp_path)
    _, piped, _ = asked(capsys, path, *options)
    monkeypatch.setattr(
        verdict_print, "console", lambda: Console(width=70, force_terminal=True, color_system=None)
    )
    _, shown, _ = asked(capsys, path, *options)
    name, *lines = shown.splitlines()
    assert name == path
    assert all(line.startswith("  ") and len(line) <= 70 for line in lines)
    assert "".join(shown.split()) == "".join(piped.split()), "the same words, otherwise broken"


def test_a_receipt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case, options = real(tmp_path)
    path = case.write(tmp_path)
    digests = digest_bytes(path.read_bytes())
    receipt = Receipt(
        path.name, CAPTURE_ID, WHEN, digests.sha256, digests.sha512, digests.size, "tests"
    )
    noted = tmp_path / "noted.receipt.json"
    noted.write_bytes(write_receipt(receipt))
    code, out, _ = asked(capsys, str(path), *options, "--receipt", str(noted))
    assert code == 0
    assert digests.sha512 in out
    path.write_bytes(case.seal())  # sealed again by the same hand: another file
    code, out, _ = asked(capsys, str(path), *options, "--receipt", str(noted))
    assert code == 10
    assert "WIJKT AF VAN ONTVANGSTBEWIJS" in out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["a", "--accept", "everything"], 2, "cannot be accepted"),
        (["a", "b", "--receipt", "r"], 2, "--receipt goes with one bundle"),
        (["a", "--receipt", "nowhere"], 20, "cannot read the receipt"),
        (["a", "--trust", "nowhere"], 20, "nowhere"),
        (["a", "--lang", "fr"], 2, "fr"),
    ],
)
def test_what_cannot_be_asked(
    arguments: list[str],
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    ended, out, err = asked(capsys, *arguments)
    assert ended == code
    assert out == ""
    assert said in err


def test_a_file_that_is_no_receipt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case, _ = real(tmp_path)
    path = case.write(tmp_path)
    code, _, err = asked(capsys, str(path), "--receipt", str(path))
    assert code == 2
    assert err.startswith("error: not a receipt")
