"""What the platform tests share: a small server that plays answers, and checks of a result."""

from __future__ import annotations

import http.server
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evidence_kit.core.digests import digest_file
from evidence_kit.core.events import Silent
from evidence_kit.core.post import resolve_pointer
from evidence_kit.gather.http import RecordingSession
from evidence_kit.platforms.base import Adapter, ApiFolder, Page, PlatformResult, post_document
from tests.listening import answering

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
Played = tuple[int, str, bytes]


@contextmanager
def recording(
    folder: Path, resolve: Callable[[str, int], str] = lambda host, port: "127.0.0.1"
) -> Iterator[RecordingSession]:
    """A session that may reach loopback and nothing else, and does not really wait."""
    folder.mkdir(parents=True)
    with RecordingSession(
        folder,
        resolve=resolve,
        clock=lambda: NOW,
        environ={},
        sleep=lambda seconds: None,
    ) as session:
        yield session


@contextmanager
def playing(
    answer: Callable[[str, str], Played], seen: list[dict[str, str]] | None = None
) -> Iterator[str]:
    """A server whose answers come from ``answer(path, accept)``; gives its address.

    ``seen`` gets the header fields of each request, names in lower case, with ``:path``.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.do_GET()

        def do_GET(self) -> None:
            if seen is not None:
                fields = {name.lower(): value for name, value in self.headers.items()}
                seen.append({":path": self.path, **fields})
            status, kind, body = answer(self.path, self.headers.get("Accept", ""))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if status == 429:
                self.send_header("Retry-After", "3600")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with answering(Handler) as port:
        yield f"http://127.0.0.1:{port}"


def routed(answers: Mapping[str, Any], seen: list[str] | None = None) -> Callable[..., Played]:
    """Answers by path with query, or by path alone; anything else is a 404."""

    def answer(asked: str, accept: str) -> Played:
        if seen is not None:
            seen.append(asked)
        found = answers.get(asked, answers.get(asked.partition("?")[0]))
        if found is None:
            return js({"error": "nee"}, 404)
        return found if isinstance(found, tuple) else js(found)

    return answer


def visited(
    adapter: Adapter, url: str, folder: Path, page: Page | None = None
) -> tuple[PlatformResult, ApiFolder]:
    """One visit of an adapter, with the contract checked."""
    target = adapter.recognise(url)
    assert target is not None, url
    out = ApiFolder(folder / "bag")
    with recording(folder / "wire") as session:
        result = adapter.fetch(target, session, out, Silent(), page)
    check_result(result, out, folder / "bag")
    return result, out


def values(result: PlatformResult, index: int = 0) -> dict[str, Any]:
    """Field values of one of the posts."""
    return {name: item.value for name, item in result.posts[index].fields.items()}


def codes(result: PlatformResult) -> set[str]:
    """Codes of the gaps."""
    return {gap.code for gap in result.gaps}


def js(value: Any, status: int = 200) -> Played:
    """A JSON answer."""
    return status, "application/json", json.dumps(value).encode()


def check_result(result: PlatformResult, out: ApiFolder, bag: Path) -> None:
    """The contract of every result: pointers resolve, files are there, names are inert."""
    for post in post_document(result.posts)["posts"]:
        for name, entry in post.items():
            if name == "role" or entry is None:
                continue
            document = json.loads((bag / entry["source"]["file"]).read_bytes())
            assert resolve_pointer(document, entry["source"]["pointer"]) == entry["value"], name
    on_disk = {p.relative_to(bag).as_posix() for p in bag.rglob("*") if p.is_file()}
    assert on_disk == {item.path for item in out.stored}
    for item in out.stored:
        assert digest_file(bag / item.path) == item.digests
        assert not item.path.endswith((".html", ".svg", ".js", ".part"))
    for media in result.media:
        assert digest_file(bag / media.path).sha256 == media.sha256
    for gap in result.gaps:
        assert gap.code == gap.code.lower()
        assert gap.detail
    json.dumps(result.to_json())
