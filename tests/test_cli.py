"""The command line as a whole: help, errors, JSON, exit codes."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest

from evidence_kit.cli.main import COMMANDS, cli, run


def program(*arguments: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "evidence_kit", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "EVIDENCE_KIT_HOME": str(home), **environment},
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_exists_and_its_help_begins_as_the_table_says(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name
    first = (command.help or "").split("\n\n")[0]
    assert " ".join(first.split()) == COMMANDS[name]


def _all_commands() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        found.append((name,))
        if isinstance(command, click.Group):
            found += [(name, inner) for inner in command.list_commands(click.Context(command))]
    return found


@pytest.mark.parametrize("path", _all_commands(), ids=" ".join)
def test_help_of_every_command(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*path, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Usage: evidence-kit" in shown
    assert "\\b" not in shown, "a mark of click's that must not be seen"
    assert "..." not in shown.partition("\nCommands:")[2], "a sentence is cut off"


def test_help_imports_nothing_heavy(own_home: Path) -> None:
    code = (
        "import sys, evidence_kit.cli.main as m; m.run(['--help']);"
        "heavy = {'rich', 'requests', 'playwright', 'pyhanko', 'cryptography', 'asn1crypto',"
        " 'jsonschema', 'warcio', 'keyring', 'platformdirs'} & set(sys.modules);"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "evidence-kit verify" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "no such command"),
        (["verify"], "missing argument"),
        (["--nonsense"], "no such option"),
        (["config", "nonsense"], "no such command"),
        (["verfy"], "no such command 'verfy'; did you mean 'verify'?"),
        (["identity", "crate"], "no such command 'crate'; did you mean 'create'?"),
        (["custody", "add", "given", "x.asice"], "'EVENT': 'given' is not one of 'viewed'"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_a_hint(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert "hint: see 'evidence-kit" in captured.err


def test_with_json_an_error_is_one_object_on_stdout(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["verify", "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.err == ""
    document = json.loads(captured.out)
    assert document["schema"] == "evidence-kit/error/1"
    assert document["exit_code"] == 2
    assert set(document["error"]) == {"code", "message", "hint"}


def test_a_fault_of_ours_ends_with_1_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(cli, "main", broken)
    assert run(["config", "show"]) == 1
    assert "unexpected RuntimeError: boom" in capsys.readouterr().err


def test_a_file_that_is_not_there(own_home: Path) -> None:
    ended = program("verify", "nowhere.asice", home=own_home)
    assert ended.returncode == 20
    assert ended.stderr.startswith("error: ")
    assert "Traceback" not in ended.stderr


def test_config_shows_each_origin(own_home: Path) -> None:
    ended = program("config", "show", "--json", home=own_home)
    document = json.loads(ended.stdout)
    assert ended.returncode == 0
    assert document["settings"]["output"] == {"value": ".", "origin": "default"}
    assert program("config", "init", home=own_home).returncode == 0
    again = program("config", "init", home=own_home)
    assert again.returncode == 25
    assert "never overwritten" in again.stderr


def test_unknown_settings_end_with_26(own_home: Path) -> None:
    (own_home / "config.toml").write_text("colour = 'blue'\n", "utf-8")
    ended = program("config", "show", home=own_home)
    assert ended.returncode == 26
    assert "unknown setting 'colour'" in ended.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert "_EVIDENCE_KIT_COMPLETE" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["custody"], ["config"]])
def test_a_command_alone_prints_its_help_in_lines(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Usage: evidence-kit")
    assert "\nCommands:\n" in captured.err


@pytest.mark.parametrize("command", [["verify"], ["show"], ["extract", "--output", "out"]])
def test_a_folder_in_the_place_of_a_bundle(
    command: list[str],
    own_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in (".", "..", str(tmp_path), "/"):
        assert run([*command, folder]) == 20
        assert "is not a regular file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["recover", "nothing"], 2, "no unfinished capture"),
        (["discard", "nothing"], 2, "no unfinished capture"),
        (["custody", "add", "viewed", "nowhere.asice"], 20, "cannot read nowhere.asice"),
        (["custody", "destroy", "nowhere.asice", "--reason", "x"], 20, "cannot read nowhere"),
    ],
)
def test_what_is_not_there_is_said_before_anything_is_asked(
    arguments: list[str], code: int, message: str, own_home: Path
) -> None:
    ended = program(*arguments, home=own_home)
    assert ended.returncode == code
    assert message in ended.stderr
    assert "hint: " in ended.stderr
    assert "passphrase" not in ended.stderr
    assert "[y/N]" not in ended.stderr


def test_a_file_to_import_that_is_not_there(own_home: Path, tmp_path: Path) -> None:
    folder = str(tmp_path / "case")
    assert program("dossier", "new", folder, "--title", "x", home=own_home).returncode == 0
    words = ("--kind", "screenshot", "--supplier", "x", "--source", "y")
    ended = program("dossier", "import", folder, "nowhere.png", *words, home=own_home)
    assert ended.returncode == 20
    assert "nowhere.png is not there" in ended.stderr
    assert "passphrase" not in ended.stderr


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("cp1252", b"* -> \xe9 \x96 \\u4e2d |-"),
        ("ascii", b"* -> \\xe9 \\u2013 \\u4e2d |-"),
        ("utf-8", "● → é – 中 ├─".encode()),
    ],
)
def test_a_terminal_that_lacks_characters(
    encoding: str, shown: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    held = io.BytesIO()
    stream = Terminal(held, encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    assert run(["config", "path"]) == 0
    held.seek(0)
    held.truncate()
    print("● → é – 中 ├─", end="", file=stream, flush=True)
    assert held.getvalue() == shown


def test_nobody_to_ask(own_home: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "x.asice"
    bundle.write_bytes(b"x")
    ended = program("custody", "destroy", str(bundle), "--reason", "x", home=own_home)
    assert ended.returncode == 2
    assert "--yes answers" in ended.stderr
    assert bundle.exists()


def test_an_answer_through_a_pipe_counts(own_home: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "x.asice"
    bundle.write_bytes(b"x")
    ended = subprocess.run(
        [sys.executable, "-m", "evidence_kit", "custody", "destroy", str(bundle), "--reason", "x"],
        input="n\n",
        capture_output=True,
        text=True,
        env={**os.environ, "EVIDENCE_KIT_HOME": str(own_home)},
        timeout=60,
        check=False,
    )
    assert ended.returncode == 130
    assert bundle.exists()


def test_the_home_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    assert program("config", "init", home=home).returncode == 0
    if os.name == "posix":
        assert home.stat().st_mode & 0o777 == 0o700
        assert home.parent.stat().st_mode & 0o777 == 0o700


def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    ended = program("config", "init", home=tmp_path / "file" / "home")
    assert ended.returncode in (25, 26)  # Windows does not see a file in the way at first
    assert "EVIDENCE_KIT_HOME" in ended.stderr


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_output_that_cannot_be_written(flags: list[str], own_home: Path) -> None:
    code = (
        "import errno, os, sys\n"
        "from evidence_kit.cli.main import run\n"
        "class Full(type(sys.stdout)):\n"
        "    def write(self, text):\n"
        "        raise OSError(errno.ENOSPC, 'No space left on device')\n"
        "sys.stdout = Full(os.fdopen(os.dup(1), 'wb'))\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, "config", "show", *flags],
        capture_output=True,
        text=True,
        env={**os.environ, "EVIDENCE_KIT_HOME": str(own_home)},
        timeout=60,
        check=False,
    )
    assert ended.returncode == 25
    assert ended.stderr.startswith("error: the output cannot be written")
    assert "Traceback" not in ended.stderr


def test_doctor_tries_the_authorities_by_name_and_by_address(own_home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        places = {
            "EVIDENCE_KIT_TSA": f"freetsa http://127.0.0.1:{port}/tsa",
            "HTTPS_PROXY": f"http://127.0.0.1:{port}",
            "EVIDENCE_KIT_BROWSER": str(own_home / "none"),  # what it says of browsers: elsewhere
        }
        ended = program("doctor", "--network", "--json", home=own_home, **places)
    checks = json.loads(ended.stdout)["checks"]
    found = [(check["state"], check["found"]) for check in checks if check["name"] == "tsa"]
    assert found == [
        ("ok", f"freetsa.org: the proxy http://127.0.0.1:{port} answers"),
        ("ok", "127.0.0.1 answers"),
    ]


def test_doctor_asks_each_host_once_and_says_why_in_words(own_home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    closed = f"http://127.0.0.1:{port}"
    places = {
        "EVIDENCE_KIT_TSA": f"{closed}/one {closed}/two",
        "EVIDENCE_KIT_BROWSER": str(own_home / "none"),
    }
    ended = program("doctor", "--network", "--json", home=own_home, **places)
    checks = {check["name"]: check["found"] for check in json.loads(ended.stdout)["checks"]}
    assert ended.stdout.count('"tsa"') == 1
    assert checks["tsa"].startswith(f"no connection to 127.0.0.1 port {port}: ")
    assert "Errno" not in checks["tsa"]
    assert checks["clock"].endswith(" UTC")
