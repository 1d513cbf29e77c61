"""Every attack is caught by the finding it is listed with, within stated time and memory."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from evidence_kit.cli.main import run
from evidence_kit.core.canonical_json import dumps, loads
from evidence_kit.core.findings import RULES, Status
from evidence_kit.core.terminal_text import harmless_json
from tests.attacks import ATTACKS, NO_FAULT, absurd, judged
from tests.bundles import STATUS, example, post

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs" / "attacks.md"

SECONDS = 20
"""Processor time of one verification of a small hostile file; ordinary ones take half a second."""

MEMORY = 512 << 20
"""Bytes of address space beyond what the libraries take; 64 MiB JSON is the largest that is
parsed."""


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_attack(name: str, tmp_path: Path) -> None:
    verdict, code = judged(name, tmp_path), ATTACKS[name][1]
    assert code in {finding.code for finding in verdict.findings}
    assert (verdict.status is Status.PASSED) is (name in NO_FAULT)
    if RULES[code].status is Status.FAILED:
        assert verdict.status is Status.FAILED


def test_the_document_lists_every_attack_and_every_code_that_fails() -> None:
    text = DOCS.read_text("utf-8")
    rows = dict(re.findall(r"^\| ([^|]+?) \| `([a-z.-]+)` \|", text, re.MULTILINE))
    assert {name: code for name, (_, code) in ATTACKS.items()}.items() <= rows.items()
    assert set(rows.values()) <= RULES.keys()


@pytest.mark.parametrize("document", ["attacks.md", "threat-model.md"])
def test_each_test_that_a_document_names_exists(document: str) -> None:
    text = (ROOT / "docs" / document).read_text("utf-8")
    named = re.findall(r"`(tests/[a-z_]+\.py)(?:::(test_\w+))?`", text)
    assert len(named) > 10
    for path, test in named:
        source = (ROOT / path).read_text("utf-8")
        assert not test or f"def {test}(" in source, test


def test_every_guarantee_names_a_test() -> None:
    text = (ROOT / "docs" / "threat-model.md").read_text("utf-8")
    table = text.split("## Guarantees")[1].split("##")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 10
    assert all("::test_" in row for row in rows)


BOUNDED = """
import sys
from datetime import datetime
from pathlib import Path
from evidence_kit.jobs.verify import verify_many
from evidence_kit.seal.anchors import TrustAnchors
import jsonschema, pyhanko_certvalidator
seconds, memory, now = int(sys.argv[2]), int(sys.argv[3]), datetime.fromisoformat(sys.argv[4])
if sys.platform == "linux":  # elsewhere the time limit of the test remains
    import resource
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + memory, used + memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
for verdict in verify_many([Path(sys.argv[1])], anchors=TrustAnchors(), now=now):
    print(verdict.status.value)
"""


def _huge_json(size: int) -> bytes:
    case = example()
    case.files["data/api/0002-large.json"] = b"[" + b"1," * (size // 2) + b"1]"
    return case.seal()


def _long_chain() -> bytes:
    case = example()
    case.sign_with, case.stamp = absurd("validity"), None
    return case.seal()


HOSTILE = {
    "100,000 empty headers": b"PK\x03\x04" + bytes(26) + (b"PK\x01\x02" + bytes(42)) * 100_000,
    "an end record that points everywhere": b"PK\x05\x06" + b"\xff" * 18,
    "nothing but end records": (b"PK\x05\x06" + bytes(18)) * 50_000,
    "zeros": bytes(8 << 20),
}


@pytest.mark.parametrize("name", [*HOSTILE, "large JSON", "certificate until the year 9926"])
def test_hostile_files_stay_within_time_and_memory(name: str, tmp_path: Path) -> None:
    made = {
        "large JSON": lambda: _huge_json(8 << 20),
        "certificate until the year 9926": _long_chain,
    }
    data = HOSTILE[name] if name in HOSTILE else made[name]()
    path = tmp_path / "x.asice"
    path.write_bytes(data)
    limits = [str(SECONDS), str(MEMORY), "2026-11-23T11:00:00+00:00"]
    ended = subprocess.run(
        [sys.executable, "-c", BOUNDED, str(path), *limits],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr[-500:]
    assert ended.stdout.strip() in ("FAILED", "INDETERMINATE")


ACTING = (
    "\x1b[2J\x1b]0;owned\x07 \u202egnp.exe \u2066x\u2069"
    " <script>alert(1)</script> [a](javascript:b)"
)
FORMULA = '=HYPERLINK("http://x";"y")'


def _said(bundle: Path, *arguments: str) -> str:
    import io
    from contextlib import redirect_stderr, redirect_stdout

    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        run([*arguments, str(bundle)])
    return out.getvalue() + err.getvalue()


@pytest.mark.parametrize("arguments", [("show",), ("verify", "--details"), ("extract", "--json")])
@pytest.mark.parametrize("as_json", [False, True])
def test_captured_text_never_acts(
    tmp_path: Path, arguments: tuple[str, ...], as_json: bool
) -> None:
    """Terminal commands and direction marks are shown as escapes; a formula begins no cell."""
    case = example()
    document = post()
    text = f"{FORMULA} {ACTING}"
    document["posts"][0]["text_html"]["value"] = text
    case.files["data/api/0001-status.json"] = dumps({**STATUS, "content": text})
    case.files["data/post.json"] = dumps(document)
    case.record["request"]["reason"] = text
    case.record["page"]["title"] = text
    case.record["warnings"] = [{"code": "x.y", "subject": text, "detail": text}]
    case.record["missing"] = [{"what": text, "why": text}]
    path = case.write(tmp_path)
    (tmp_path / f"{path.stem}.custody").mkdir()
    (tmp_path / f"{path.stem}.custody" / "0001-\x1b[2J\u202e.txt").write_text("x")
    if arguments[0] == "extract":
        arguments = ("extract", "--output", str(tmp_path / "out"))
    said = _said(path, *arguments, *(["--json"] if as_json else []))
    assert said
    acting = [char for char in said if unicodedata.category(char) in ("Cc", "Cf") and char != "\n"]
    assert acting == []
    if as_json and arguments[0] == "show":
        assert json.loads(said)["posts"][0]["text_html"]["value"] == text


def test_json_is_escaped_and_means_the_same() -> None:
    value = {"a": ACTING, "\U000e0001": "\u2028é😀"}
    shown = harmless_json(dumps(value).decode())
    assert loads(shown.encode()) == value
    assert "é😀" in shown
    assert all(unicodedata.category(char) not in ("Cf", "Zl") for char in shown)


def test_a_file_name_cannot_act_in_an_error(tmp_path: Path) -> None:
    said = _said(tmp_path / "a\u202egnp.asice", "show")
    assert "error" in said
    assert "\u202e" not in said
