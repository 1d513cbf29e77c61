"""``evidence-kit platforms`` and where tokens come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.cli.main import run
from evidence_kit.core.errors import NetworkError
from evidence_kit.core.events import Silent
from evidence_kit.gather.http_answer import Answer
from evidence_kit.gather.tokens import KEPT, SECRETS, Tokens, ask_keyring
from evidence_kit.jobs.platforms import supported
from evidence_kit.platforms.base import ApiFolder
from evidence_kit.platforms.catalogue import ROWS
from evidence_kit.platforms.registry import adapters, cost_of, fetch_post
from evidence_kit.platforms.x import XAdapter

DOCUMENT = Path(__file__).parent.parent / "docs" / "platforms.md"


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring

    monkeypatch.setattr(keyring, "get_password", lambda service, user: None)
    for name in KEPT:
        monkeypatch.delenv(name, raising=False)


def test_catalogue_lists_the_adapters_in_their_order() -> None:
    assert [row.name for row in ROWS] == [adapter.name for adapter in adapters({})]


def test_every_variable_is_one_that_tokens_knows() -> None:
    assert {name for row in ROWS for name in row.token} == KEPT


def test_document_has_a_row_for_each_platform_and_names_each_variable() -> None:
    text = DOCUMENT.read_text("utf-8")
    for row in ROWS:
        assert f"| **{row.title}**" in text, row.title
        for name in row.token:
            assert f"`{name}`" in text, name


def test_tokens_come_from_the_environment_then_from_the_keyring() -> None:
    asked: list[str] = []

    def stored(name: str) -> str | None:
        asked.append(name)
        return {"YOUTUBE_API_KEY": "uit-de-ring\n", "X_BEARER_TOKEN": "niet deze"}.get(name)

    tokens = Tokens({"X_BEARER_TOKEN": " uit-de-omgeving ", "HOME": "/x"}, stored)
    assert tokens["X_BEARER_TOKEN"] == "uit-de-omgeving"
    assert (tokens["YOUTUBE_API_KEY"], tokens["YOUTUBE_API_KEY"]) == ("uit-de-ring",) * 2
    assert tokens.get("META_ACCESS_TOKEN") is None
    assert tokens["HOME"] == "/x"
    assert tokens.get("PAD") is None
    assert asked == ["YOUTUBE_API_KEY", "META_ACCESS_TOKEN"]
    assert (tokens.where("X_BEARER_TOKEN"), tokens.where("YOUTUBE_API_KEY")) == (
        "environment",
        "keyring",
    )
    assert set(tokens) == {"X_BEARER_TOKEN", "YOUTUBE_API_KEY", "HOME"}
    assert len(tokens) == 3


class Unreachable:
    """A network in which nobody answers."""

    def get(self, url: str, **_: Any) -> Answer:
        raise NetworkError(f"{url} cannot be reached")

    def send(self, method: str, url: str, **_: Any) -> Answer:
        raise NetworkError(f"{method} {url} cannot be reached")


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://krant.example/artikel", set()),
        ("https://x.com/jan/status/1154", {"X_BEARER_TOKEN"}),
        ("https://www.youtube.com/watch?v=abcdefghijk", {"YOUTUBE_API_KEY"}),
    ],
)
def test_the_keyring_is_asked_for_the_platform_at_hand_only(
    url: str, wanted: set[str], tmp_path: Path
) -> None:
    asked: list[str] = []

    def stored(name: str) -> str | None:
        asked.append(name)
        return None

    tokens = Tokens({}, stored)
    cost_of(url, tokens)
    fetch_post(url, Unreachable(), ApiFolder(tmp_path), Silent(), environ=tokens)
    assert set(asked) == wanted
    assert len(asked) == len(wanted)


def test_without_a_keyring_there_are_no_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring
    from keyring.errors import NoKeyringError

    def none(service: str, user: str) -> str | None:
        raise NoKeyringError

    monkeypatch.setattr(keyring, "get_password", none)
    assert ask_keyring("X_BEARER_TOKEN") is None


def test_adapters_get_the_tokens() -> None:
    given = dict.fromkeys(SECRETS, "zeer-geheim")
    shown = repr(adapters(given))
    assert "zeer-geheim" not in shown
    x = next(item for item in adapters(given) if isinstance(item, XAdapter))
    assert x.token == "zeer-geheim"


def test_command_names_tokens_and_never_shows_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "zeer-geheim")
    assert run(["platforms"]) == 0
    printed = capsys.readouterr().out
    assert "X_BEARER_TOKEN (set in the environment)" in printed
    assert "REDDIT_CLIENT_ID (not set)" in printed
    assert run(["platforms", "--json"]) == 0
    as_json = capsys.readouterr().out
    assert "zeer-geheim" not in printed + as_json
    document = json.loads(as_json)
    assert document["schema"] == "evidence-kit/platforms/1"
    found = {item["name"]: item for item in document["platforms"]}
    assert found["x"]["tokens"] == {"X_BEARER_TOKEN": "environment"}
    assert (found["x"]["token_usable"], found["reddit"]["token_usable"]) == (True, False)
    assert found["linkedin"]["token_usable"] is False


def test_supported_reads_nothing_but_what_it_is_given() -> None:
    assert not any(item.usable for item in supported({}, lambda name: None))


def test_cost_is_known_before_it_is_spent() -> None:
    url = "https://x.com/jan/status/1154"
    assert cost_of(url, {"X_BEARER_TOKEN": "x"}) == "at most 8 posts, $0.04"
    assert cost_of(url, {"X_BEARER_TOKEN": "x", "X_THREAD_POSTS": "100"}) == (
        "at most 108 posts, $0.54"
    )
    assert cost_of(url, {}) == ""
    assert cost_of("https://voorbeeld.invalid/", {"X_BEARER_TOKEN": "x"}) == ""
