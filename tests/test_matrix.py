"""Matrix: a real homeserver, and what the adapter does without an account."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence_kit.platforms.base import PlatformResult, State
from evidence_kit.platforms.matrix import MatrixAdapter
from tests.platform_tools import codes, js, playing, routed, values, visited
from tests.servers import matrix

LINK = "https://matrix.to/#/!kamer:voorbeeld.nl/$gebeurtenis"


@pytest.fixture(scope="module")
def server() -> Iterator[matrix.Matrix]:
    with matrix.running() as running:
        yield running


@pytest.mark.parametrize(
    ("url", "ident"),
    [
        (LINK, "!kamer:voorbeeld.nl/$gebeurtenis"),
        (LINK + "?via=voorbeeld.nl&via=elders.nl", "!kamer:voorbeeld.nl/$gebeurtenis"),
        ("https://matrix.to/#/%23buurt:voorbeeld.nl/%24abc", "#buurt:voorbeeld.nl/$abc"),
        ("https://matrix.to/#/#buurt:voorbeeld.nl/$abc", "#buurt:voorbeeld.nl/$abc"),
    ],
)
def test_recognises(url: str, ident: str) -> None:
    target = MatrixAdapter().recognise(url)
    assert target is not None
    assert target.ident == ident


@pytest.mark.parametrize(
    "url",
    [
        *("https://matrix.to/#/@jan:voorbeeld.nl", "https://matrix.to/#/!kamer:voorbeeld.nl"),
        "https://voorbeeld.nl/#/!kamer:voorbeeld.nl/$x",
    ],
)
def test_leaves_others_alone(url: str) -> None:
    assert MatrixAdapter().recognise(url) is None


@pytest.mark.slow
@pytest.mark.outside
class TestRealServer:
    def ask(
        self, server: matrix.Matrix, name: str, folder: Path, room: str = ""
    ) -> tuple[PlatformResult, Path]:
        event = server.events.get(name, name)
        url = f"https://matrix.to/#/{room or server.room}/{event}?via=localhost"
        result, _ = visited(MatrixAdapter(server.token, server.base), url, folder)
        return result, folder

    @pytest.mark.parametrize("room", ["", "#buurt:localhost"])
    def test_edited_event_with_what_stands_around_it(
        self, server: matrix.Matrix, room: str, tmp_path: Path
    ) -> None:
        result, _ = self.ask(server, "post", tmp_path, room)
        assert result.state is State.FOUND
        assert [values(result, i)["text"] for i in (0, 1, 2)] == [
            *("Zij krijgt nog bezoek 🚲", "eerste bewerking", "tweede bewerking")
        ]
        assert [post.role for post in result.posts][:4] == ["post", "edit", "edit", "ancestor"]
        assert values(result, 3)["text"] == "ervoor"
        replies = [i for i, post in enumerate(result.posts) if post.role == "reply"]
        assert "doe normaal" in [values(result, i).get("text") for i in replies]
        found = values(result)
        assert (found["author_id"], found["conversation"]) == ("@jan:localhost", server.room)
        assert result.posts[0].fields["created"].precision == "unix-milliseconds"
        assert not result.gaps

    def test_redacted_event(self, server: matrix.Matrix, tmp_path: Path) -> None:
        result, _ = self.ask(server, "gone", tmp_path)
        assert (result.state, codes(result)) == (State.GONE, {"event.redacted"})

    def test_picture(self, server: matrix.Matrix, tmp_path: Path) -> None:
        result, folder = self.ask(server, "picture", tmp_path)
        (picture,) = result.media
        assert (folder / "bag" / picture.path).read_bytes() == b"\x89PNG"

    def test_unknown_event(self, server: matrix.Matrix, tmp_path: Path) -> None:
        result, _ = self.ask(server, "$bestaatniet", tmp_path)
        assert (result.state, result.posts) == (State.NOT_THERE, ())

    def test_wrong_token(self, server: matrix.Matrix, tmp_path: Path) -> None:
        url = f"https://matrix.to/#/{server.room}/{server.events['post']}"
        result, _ = visited(MatrixAdapter("onzin", server.base), url, tmp_path)
        assert (result.state, codes(result)) == (State.UNKNOWN, {"token.refused"})


def test_token_goes_to_the_named_homeserver_over_tls_only(tmp_path: Path) -> None:
    for number, home in enumerate([None, "http://voorbeeld.nl", "onzin"]):
        result, _ = visited(MatrixAdapter("geheim", home), LINK, tmp_path / str(number))
        assert codes(result) == {"token.not-sent", "token.missing"}
        assert not result.token_used
    seen: list[dict[str, str]] = []
    with playing(routed({}), seen) as base:
        visited(MatrixAdapter("geheim", base), LINK, tmp_path / "b")
    assert seen[0]["authorization"] == "Bearer geheim"


def test_without_a_token_nothing_is_asked(tmp_path: Path) -> None:
    result, _ = visited(MatrixAdapter(), LINK, tmp_path)
    assert (result.state, codes(result)) == (State.UNKNOWN, {"token.missing"})
    assert result.token_would_add


def test_encrypted_event_has_no_text(tmp_path: Path) -> None:
    event = {"event_id": "$gebeurtenis", "type": "m.room.encrypted", "content": {}}
    path = "/_matrix/client/v3/rooms/%21kamer%3Avoorbeeld.nl/event/%24gebeurtenis"
    with playing(routed({path: js(event)})) as base:
        result, _ = visited(MatrixAdapter("geheim", base), LINK, tmp_path)
    assert (result.state, codes(result)) == (State.UNKNOWN, {"event.encrypted"})
