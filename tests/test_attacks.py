"""Every attack is caught by the finding it is listed with, within stated time and memory."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from evidence_kit.cli.main import run
from evidence_kit.cli.output import emit_error
from evidence_kit.core.canonical_json import dumps, loads
from evidence_kit.core.errors import ExitCode
from evidence_kit.core.findings import RULES, Status
from evidence_kit.core.terminal_text import harmless_json, storable
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
from collections.abc import Callable
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
    case.files["data/post.json"] = b"[" + b"1," * (size // 2) + b"1]"
    return case.seal()


def _many_values() -> bytes:
    """A document of 7 million empty arrays: little to read, much to keep."""
    case = example()
    case.files["data/post.json"] = b'{"posts":[' + b"[]," * 7_000_000 + b"[]]}"
    return case.seal()


def _large_sources() -> bytes:
    """Fields without end that all point at the whole of one large answer."""
    case = example()
    case.files["data/api/0001-status.json"] = dumps({**STATUS, "more": ["x" * 20] * 60_000})
    document = post()
    source = {"file": "data/api/0001-status.json", "pointer": ""}
    fields = document["posts"][0]
    for name in [name for name, value in fields.items() if value is None]:
        fields[name] = {"value": 1, "source": source, "precision": ""}
    document["posts"] *= 20
    case.files["data/post.json"] = dumps(document)
    return case.seal()


def _many_records() -> bytes:
    """Ten megabytes of the smallest records there are."""
    case = example()
    digest = hashlib.sha256(b"x").hexdigest()
    case.files["data/api/exchanges.warc"] = b"".join(
        b"WARC/1.1\r\nWARC-Type: metadata\r\nWARC-Record-ID: <%d>\r\n"
        b"WARC-Date: 2026-11-23T10:00:00Z\r\nWARC-Block-Digest: sha256:%s\r\n"
        b"Content-Length: 1\r\n\r\nx\r\n\r\n" % (number, digest.encode())
        for number in range(50_000)
    )
    return case.seal()


def _many_lines() -> bytes:
    """A post of 100,000 lines, each of which is looked for on a page of a megabyte."""
    case = example()
    lines = "\n".join(f"{number:06}" for number in range(100_000))
    case.files["data/api/0001-status.json"] = dumps({**STATUS, "content": lines})
    document = post()
    document["posts"][0]["text_html"]["value"] = lines
    case.files["data/post.json"] = dumps(document)
    case.files["data/web/text.txt"] = b"a" * (1 << 20)
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


MADE: dict[str, Callable[[], bytes]] = {
    "large JSON": lambda: _huge_json(8 << 20),
    "certificate until the year 9926": _long_chain,
    "JSON of empty arrays": _many_values,
    "large sources": _large_sources,
    "small WARC records": _many_records,
    "text of short lines": _many_lines,
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(one, marks=[pytest.mark.slow] * (one in MADE)) for one in (*HOSTILE, *MADE)],
)
def test_hostile_files_stay_within_time_and_memory(name: str, tmp_path: Path) -> None:
    data = HOSTILE[name] if name in HOSTILE else MADE[name]()
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


def test_a_file_name_that_is_no_text_can_be_told_in_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    r"""Python gives a byte that is no UTF-8 as a lone surrogate, which JSON does not have."""
    emit_error("usage", "no \udcff.asice", "", ExitCode.USAGE)
    told = json.loads(capsys.readouterr().out)
    assert told["error"]["message"] == "no \\udcff.asice"
    assert storable([{"\udcfe": 1}, ("é",)]) == [{"\\udcfe": 1}, ["é"]]


def test_a_file_name_cannot_act_in_an_error(tmp_path: Path) -> None:
    said = _said(tmp_path / "a\u202egnp.asice", "show")
    assert "error" in said
    assert "\u202e" not in said
