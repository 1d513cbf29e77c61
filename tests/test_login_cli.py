"""``login`` and ``logout`` at the command line: what is refused, said, and never printed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backends.fail import Keyring as NoKeyring

from evidence_kit.cli.main import run
from evidence_kit.core.errors import BrowserError
from evidence_kit.core.schemas import schema_fault
from evidence_kit.gather.chromium import find_window_browser
from evidence_kit.gather.tokens import KEPT, SECRETS
from evidence_kit.jobs.sessions import Site, keep_session, new_key
from tests.keyring_file import VARIABLE, FileKeyring
from tests.login_site import ACCOUNT, TOKEN, LoginSite
from tests.login_site import SECRETS as VALUES

Printed = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "ring.json"
    monkeypatch.setenv(VARIABLE, str(path))
    monkeypatch.setattr(keyring.core, "_keyring_backend", FileKeyring())  # type: ignore[no-untyped-call]
    for name in KEPT:
        monkeypatch.delenv(name, raising=False)
    return path


@pytest.fixture
def line() -> Iterator[Any]:
    """Makes a descriptor from which lines can be read."""
    opened: list[int] = []

    def make(*values: str) -> str:
        reading, writing = os.pipe()
        os.write(writing, "".join(f"{value}\n" for value in values).encode())
        os.close(writing)
        opened.append(reading)
        return str(reading)

    yield make
    for descriptor in opened:
        os.close(descriptor)


def as_json(capsys: Printed, schema: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert schema_fault(found, schema) is None, schema_fault(found, schema)
    return found


def stored(home: Path) -> None:
    key = new_key(home, "default", lambda: b"", os.urandom)
    site = Site("x", "x", "https://x.com/login")
    when = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    state = LoginSite(port=1).state()
    keep_session(home, site, ACCOUNT, state, key, clock=lambda: when, random=os.urandom)


def test_an_empty_list(capsys: Printed) -> None:
    assert run(["login"]) == 0
    assert capsys.readouterr().out == "nobody is logged in, and no token is set\n"
    assert run(["login", "--json"]) == 0
    assert as_json(capsys, "login-1")["sessions"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--account", "a"], "name the platform"),
        (["--token"], "name the platform"),
        (["x"], "name the account"),
        (["x", "--token", "--account", "a"], "cannot go with --token"),
        (["x", "--token"], "no terminal to ask on"),
        (["tiktok", "--token"], "there is no token for tiktok"),
        (["forum.example", "--token"], "there is no token for forum.example"),
        (["mastodon", "--account", "a"], "no login page of its own"),
        (["een naam", "--account", "a"], "neither a platform nor a host"),
    ],
)
def test_what_is_refused(arguments: list[str], words: str, capsys: Printed) -> None:
    assert run(["login", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_token_is_kept_shown_by_name_and_forgotten(
    line: Any, capsys: Printed, ring: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["login", "reddit", "--token-fd", line("app-id", TOKEN)]) == 0
    printed = capsys.readouterr()
    assert printed.out == "kept in the keyring: REDDIT_CLIENT_ID, REDDIT_CLIENT_SECRET\n"
    assert json.loads(ring.read_text()) == {
        "evidence-kit/REDDIT_CLIENT_ID": "app-id",
        "evidence-kit/REDDIT_CLIENT_SECRET": TOKEN,
    }
    assert run(["login"]) == 0
    listed = capsys.readouterr().out
    assert listed == "reddit: token REDDIT_CLIENT_ID (keyring), REDDIT_CLIENT_SECRET (keyring)\n"
    monkeypatch.setenv("YOUTUBE_API_KEY", TOKEN)
    assert run(["login", "youtube", "--json", "--token-fd", line(TOKEN)]) == 0
    kept = as_json(capsys, "login-1")
    assert kept["tokens"] == [{"platform": "youtube", "tokens": {"YOUTUBE_API_KEY": "environment"}}]
    assert TOKEN not in printed.out + printed.err + listed + json.dumps(kept)
    assert run(["logout", "youtube", "--json"]) == 0
    gone = as_json(capsys, "logout-1")
    assert (gone["removed"], gone["environment"]) == (["YOUTUBE_API_KEY"], ["YOUTUBE_API_KEY"])
    assert run(["logout", "reddit"]) == 0
    assert "removed: REDDIT_CLIENT_ID, REDDIT_CLIENT_SECRET" in capsys.readouterr().out
    assert json.loads(ring.read_text()) == {}
    assert run(["logout", "youtube"]) == 2
    assert "set in the environment: YOUTUBE_API_KEY" in capsys.readouterr().err


def test_a_token_that_does_not_come_keeps_nothing(line: Any, capsys: Printed, ring: Path) -> None:
    assert run(["login", "reddit", "--token-fd", line("app-id")]) == 23
    assert "no token of" in capsys.readouterr().err
    assert not ring.exists()


def test_a_token_without_a_keyring(
    line: Any, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring.core, "_keyring_backend", NoKeyring())  # type: ignore[no-untyped-call]
    assert run(["login", "x", "--token-fd", line(TOKEN), "--json"]) == 25
    printed = capsys.readouterr()
    assert "X_BEARER_TOKEN" in printed.out
    assert TOKEN not in printed.out + printed.err


def test_every_platform_with_a_token_can_be_given_one(line: Any, ring: Path) -> None:
    names = ("x", "youtube", "reddit", "facebook", "threads", "matrix", "mastodon", "bluesky")
    for name in names:
        assert run(["login", name, "--token-fd", line("een", "twee")]) == 0
    held = {name.partition("/")[2] for name in json.loads(ring.read_text())}
    assert held == KEPT
    assert held > SECRETS


def test_a_session_is_listed_and_forgotten(own_home: Path, capsys: Printed) -> None:
    stored(own_home)
    assert run(["login"]) == 0
    listed = capsys.readouterr().out
    assert listed == "x: @gemeente_x, since 2026-11-23 09:00 UTC, key in the keyring\n"
    assert run(["login", "--json"]) == 0
    document = as_json(capsys, "login-1")
    assert document["sessions"][0]["site"] == "https://x.com/login"
    assert not [value for value in VALUES if value in listed + json.dumps(document)]
    assert run(["logout", "X"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "removed: session\n"
    assert "the platform still knows that session" in printed.err
    assert run(["logout", "x"]) == 2
    assert "nothing is kept of x" in capsys.readouterr().err


def test_a_session_of_another_site_is_refused_first(own_home: Path, capsys: Printed) -> None:
    stored(own_home)
    assert run(["capture", "https://t.co/abc", "--login", "x", "--no-tsa"]) == 2
    printed = capsys.readouterr().err
    assert "the session of x is for x.com, not for t.co" in printed
    assert "the address that it leads to" in printed


def test_a_window_needs_a_screen_and_a_browser_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    monkeypatch.setattr("evidence_kit.gather.chromium._SYSTEM", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert run(["login", "x", "--account", "a"]) == 21
    assert "no screen" in capsys.readouterr().err
    shell = tmp_path / "chromium-headless-shell"
    shell.write_text("#!/bin/sh\necho HeadlessShell 131.0.1.2\n")
    shell.chmod(0o755)
    seen = {"DISPLAY": ":9", "PATH": str(tmp_path), "EVIDENCE_KIT_BROWSER": str(shell)}
    monkeypatch.setattr("evidence_kit.gather.chromium._LINUX", ())
    with pytest.raises(BrowserError, match="a headless shell cannot") as caught:
        find_window_browser("", seen)
    assert "apt-get install chromium" in caught.value.hint
    full = tmp_path / "chromium"
    full.write_text("#!/bin/sh\necho Chromium 131.0.1.2\n")
    full.chmod(0o755)
    assert find_window_browser("", seen).path == full  # a configured shell is for captures
