"""The example dossier, built by its one command and looked at as a reader would."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures_capture import evidence_kit

ROOT = Path(__file__).parent.parent
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("example")]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example")
    ended = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "build.py"), str(folder)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return folder / "dossier"


def _run(built: Path, home: Path, *arguments: str, code: int = 0) -> Any:
    out = built / "out"
    trust = [*("--trust", str(out / "hospital.pem"), "--trust", str(out / "police.pem"))]
    trust += ["--tsa-trust", str(out / "tsa-root.pem")]
    more = trust if arguments[1] in ("check", "log") else []
    ended = evidence_kit(*arguments, *more, "--json", home=home)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return json.loads(ended.stdout)


def test_it_holds_three_posts_a_screenshot_and_a_mail(built: Path, own_home: Path) -> None:
    rows = _run(built, own_home, "dossier", "list", str(built))["bundles"]
    assert [row["state"] for row in rows] == ["captured"] * 3 + ["supplied"] * 2
    assert {row["kind"] for row in rows if row["kind"]} == {"screenshot", "mail"}
    checked = _run(built, own_home, "dossier", "check", str(built))
    assert {one["status"] for one in checked["bundles"]} == {"PASSED"}
    codes = {one["code"] for one in checked["warnings"]}
    assert {"only-screenshot", "custody-failed"} <= codes
    assert not codes & {"empty-field", "private-in-shared", "bundle-missing"}


def test_the_mails_signature_holds(built: Path, own_home: Path) -> None:
    mails = [
        path for path in (built / "supplied").glob("*.asice") if b"melding.eml" in path.read_bytes()
    ]
    shown = _run(built, own_home, "show", str(mails[0]))
    codes = {one["code"] for one in shown["verdict"]["findings"]}
    assert "supplied.dkim-ok" in codes


def test_the_branch_and_the_gap_show(built: Path, own_home: Path) -> None:
    branch = (built / "out" / "bewaarketen-tak.txt").read_text("utf-8")
    assert branch.count("├─") == 2
    assert "DEMO politie" in branch
    gap = (built / "out" / "bewaarketen-gat.txt").read_text("utf-8")
    assert "┆ hier ontbreekt iets" in gap
    assert "fout gevonden" in gap


def test_timeline_and_working_copy(built: Path, own_home: Path) -> None:
    found = _run(built, own_home, "dossier", "timeline", str(built))
    whats = {one["what"] for one in found["entries"]}
    assert {"posted", "captured", "supplied", "knowledge"} <= whats
    assert "bedreiging (3)" in str(found["pattern"])
    texts = [path.read_text("utf-8") for path in (built / "out" / "werkkopie").iterdir()]
    for secret in ("Marijke", "Zeemeeuwlaan", "boze_bezoeker"):
        assert not any(secret in text for text in texts)


def test_it_leaves_no_keys_behind(built: Path) -> None:
    assert not (built.parent / "dossier-work").exists()
    assert not list(built.rglob("key.pem"))
