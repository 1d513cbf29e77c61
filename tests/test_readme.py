"""The README shows what really happens: its transcript is the demo's own output.

With ``EVIDENCE_KIT_UPDATE=1`` in the environment the transcript and the picture are renewed.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from evidence_kit.cli.main import COMMANDS, cli

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "images" / "demo-post.png"
BEGIN = "<!-- transcript: written by tests/test_readme.py, do not edit by hand -->"
END = "<!-- /transcript -->"

VARYING = (
    (r"\d{8}T\d{6}Z-127\.0\.0\.1-[0-9a-f]{8}", "20261123T100000Z-127.0.0.1-1a2b3c4d"),
    (r"127\.0\.0\.1:\d+/tsa", "127.0.0.1:8081/tsa"),
    (r"127\.0\.0\.1:\d+/@", "127.0.0.1:8080/@"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(Z| UTC)", r"2026-11-23 10:00:00\1"),
    (r"(UTC to )\d{4}", r"\g<1>2031"),
    (r"([0-9A-F]{4} ){7}[0-9A-F]{4}", "A1B2 C3D4 " * 3 + "A1B2 C3D4"),
    (r"([0-9a-f]{4} ){15}[0-9a-f]{4}", "a1b2 c3d4 " * 7 + "a1b2 c3d4"),
    (r"\b[0-9a-f]{128}\b", "a1b2c3d4" * 16),
    (r"\b[0-9a-f]{64}\b", "a1b2c3d4" * 8),
    (r"Look in .*:", "Look in evidence-kit-demo:"),
)


def demo(folder: Path) -> str:
    ended = subprocess.run(
        [sys.executable, "-m", "evidence_kit", "demo", "--output", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
        text=True,
        encoding="utf-8",
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    text = ended.stdout
    for pattern, replacement in VARYING:
        text = re.sub(pattern, replacement, text)
    return text


@pytest.mark.browser
@pytest.mark.slow
def test_the_transcript_is_what_the_demo_prints(tmp_path: Path) -> None:
    real = f"{BEGIN}\n```\n$ evidence-kit demo\n{demo(tmp_path).strip()}\n```\n{END}"
    text = README.read_text("utf-8")
    start, end = text.index(BEGIN), text.index(END) + len(END)
    if os.environ.get("EVIDENCE_KIT_UPDATE"):
        README.write_text(text[:start] + real + text[end:], "utf-8")
        (picture,) = tmp_path.glob("evidence-kit-demo/opened/*/data/web/screenshot.png")
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        PICTURE.write_bytes(picture.read_bytes())
        return
    assert text[start:end] == real


def test_the_picture_is_there() -> None:
    assert PICTURE.read_bytes().startswith(b"\x89PNG")


def _documents() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "evidence_kit/FORMAT.md"]


@pytest.mark.parametrize("document", _documents(), ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([\w./-]+)\)", document.read_text("utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", _documents(), ids=lambda path: path.name)
def test_every_command_in_the_documents_exists(document: Path) -> None:
    text = document.read_text("utf-8")
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))
    for line in re.findall(r"(?:^|`|\$ )(evidence-kit [a-z][^`\n]*)", code, re.MULTILINE):
        words = shlex.split(line.rstrip("\\ ").split("#")[0].replace("'", "").replace('"', ""))[1:]
        assert words[0] in COMMANDS, line
        command = cli.get_command(click.Context(cli), words[0])
        options = {name for name in words if name.startswith("--")}
        if isinstance(command, click.Group) and len(words) > 1 and not words[1].startswith("-"):
            command = command.get_command(click.Context(command), words[1])
            assert command is not None, line
        known = {flag for item in (command.params if command else []) for flag in item.opts}
        known |= {
            flag for item in (command.params if command else []) for flag in item.secondary_opts
        }
        assert options <= known | {"--help"}, line


@pytest.mark.parametrize(
    ("name", "heading", "least"),
    [("manual.md", "## What may go wrong", 10), ("nl/handleiding.md", "## Wat kan er misgaan", 12)],
)
def test_the_messages_that_a_manual_explains_are_what_the_program_says(
    name: str, heading: str, least: int
) -> None:
    text = (ROOT / "docs" / name).read_text("utf-8").partition(heading)[2]
    source = "".join(path.read_text("utf-8") for path in (ROOT / "evidence_kit").rglob("*.py"))
    rows = re.findall(r"^\| (.*?) \|", text, re.MULTILINE)
    messages = [message for row in rows for message in re.findall(r"`([^`]+)`", row)]
    assert len(messages) > least
    for message in messages:
        assert all(part.strip() in source for part in message.split("…")), message


@pytest.mark.parametrize("name", ["manual.md", "nl/handleiding.md", "dossier.md"])
def test_a_command_of_the_manual_can_be_pasted_into_every_shell(name: str) -> None:
    """PowerShell knows no backslash at the end of a line."""
    text = (ROOT / "docs" / name).read_text("utf-8")
    for block in re.findall(r"```\n(.*?)```", text, re.DOTALL):
        assert "\\\n" not in block


def test_the_architecture_names_every_module() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    floors = re.split(r"^### ", text.partition("## Modules")[2], flags=re.MULTILINE)[1:]
    named = {part.split()[0]: set(re.findall(r"`(\w+)`", part)) for part in floors}
    for folder in (ROOT / "evidence_kit").iterdir():
        modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
        if modules:
            assert not modules - named[folder.name], folder.name


def test_every_document_is_in_the_table_of_the_readme_once() -> None:
    table = README.read_text("utf-8").partition("## Documents")[2]
    listed = [target for target in re.findall(r"\]\(([\w./-]+)\)", table) if target.endswith(".md")]
    documents = [
        *(path.name for path in ROOT.glob("*.md") if path != README),
        *(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")),
        *(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs" / "nl").glob("*.md")),
        "evidence_kit/FORMAT.md",
    ]
    assert sorted(listed) == sorted(documents)


def test_every_decision_has_a_number_of_its_own() -> None:
    found = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("0*.md"))
    assert [int(name[:4]) for name in found] == list(range(1, len(found) + 1))
    for name in found:
        head = (ROOT / "docs" / "decisions" / name).read_text("utf-8").partition("\n")[0]
        assert head.startswith(f"# {int(name[:4])}."), name
