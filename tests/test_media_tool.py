"""yt-dlp as a second source: fenced in, labelled, bounded; what it does never spoils a capture."""

from __future__ import annotations

import importlib.util
import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.core.clock import parse_iso
from evidence_kit.core.errors import ConfigError, ExitCode
from evidence_kit.core.events import Silent
from evidence_kit.core.schemas import schema_fault
from evidence_kit.gather import media_tool
from evidence_kit.gather.media_tool import MAX_LOG, tool_version
from evidence_kit.gather.proxy import Proxies
from evidence_kit.jobs.capture import CaptureRequest, capture
from evidence_kit.jobs.secondary import Secondary, fetch_secondary
from evidence_kit.platforms.base import ApiFolder
from evidence_kit.seal.anchors import TrustAnchors
from tests.bundles import signer
from tests.fixtures_page import Capture, page_home, sealed
from tests.stream_tools import HLS, StreamSite, media_list, piece, stream_site

__all__ = ["page_home", "sealed"]

pytestmark = pytest.mark.slow  # Python starts anew for each run of the program

FILM = b"\x00\x00\x00\x18ftypmp42" + piece("film", 60_000)
PAGE = "<title>Ik weet waar je woont</title><p>Ik weet waar je woont.</p>"


class Log(Silent):
    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def log(self, event: str, **fields: Any) -> None:
        self.lines.append({"event": event, **fields})


def film_site(site: StreamSite, source: str = "/film.mp4") -> str:
    kind = HLS if source.endswith("m3u8") else "video/mp4"
    site.put(
        "/", f'{PAGE}<video controls><source src="{source}" type="{kind}"></video>', "text/html"
    )
    site.put("/film.mp4", FILM, "video/mp4")
    return site.url("/")


def fetched(
    site: StreamSite, folder: Path, log: Log | None = None, *, private: bool = True
) -> tuple[Secondary, dict[str, bytes]]:
    """One run of the program, and what lies in the bag."""
    bag = folder / "bag"
    scratch = folder / "scratch"
    scratch.mkdir()
    found = fetch_secondary(
        CaptureRequest(site.url("/"), folder, allow_private=private),
        ("127.0.0.1", site.port),
        ApiFolder(bag),
        log or Log(),
        scratch,
        proxies=Proxies(),
        environ=dict(os.environ),
        clock=lambda: parse_iso("2026-11-23T10:00:00Z"),
    )
    assert list(scratch.iterdir()) == []
    files = {path.name: path.read_bytes() for path in bag.rglob("*") if path.is_file()}
    return found, files


def provenance(files: dict[str, bytes]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(files["provenance.json"])
    assert schema_fault(document, "secondary-1") is None
    return document


def test_the_film_is_kept_with_where_it_comes_from(tmp_path: Path) -> None:
    log = Log()
    with stream_site() as site:
        film_site(site)
        found, files = fetched(site, tmp_path, log)
    assert found.missing == ()
    assert FILM in files.values()
    document = provenance(files)
    assert document["source"] == f"secondary source: yt-dlp {tool_version()}"
    assert document["exit_code"] == 0
    text = files["provenance.json"].decode()
    assert str(tmp_path) not in text
    assert "socks5h://GUARD" in document["command"]
    (described,) = [json.loads(data) for name, data in files.items() if "info" in name]
    assert described["webpage_url"] == site.url("/")
    assert not {"url", "formats", "http_headers", "cookies"} & described.keys()
    assert {item.purpose for item in found.contacts} == {"media-tool"}
    assert {line["purpose"] for line in log.lines if line["event"] == "contact"} == {"media-tool"}
    assert not any(limit.reached for limit in found.limits)


def test_a_stream_is_had_whole_or_not_at_all(tmp_path: Path) -> None:
    with stream_site() as site:
        film_site(site, "/f.m3u8")
        site.put("/f.m3u8", media_list("/a.ts", "/b.ts"), HLS)
        site.put("/a.ts", piece("a"))
        site.put("/b.ts", piece("b"))
        (tmp_path / "whole").mkdir()
        _, files = fetched(site, tmp_path / "whole")
        assert piece("a") + piece("b") in files.values()
        del site.files["/b.ts"]
        (tmp_path / "half").mkdir()
        found, files = fetched(site, tmp_path / "half")
    assert found.missing
    assert not any(data.startswith(piece("a")) for data in files.values())


def test_settings_plugins_and_proxies_of_the_user_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "executed"
    home = tmp_path / "home-of-user"
    for folder in ("yt-dlp", ".config/yt-dlp", ".yt-dlp"):
        (home / folder).mkdir(parents=True)
        (home / folder / "config").write_text(f"--exec 'touch {mark}'\n--skip-download\n")
    plugin = home / "yt_dlp_plugins" / "extractor"
    plugin.mkdir(parents=True)
    (plugin / "mine.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    for name in ("HOME", "XDG_CONFIG_HOME", "APPDATA", "PYTHONPATH"):
        old = os.environ.get("PYTHONPATH", "") if name == "PYTHONPATH" else ""
        monkeypatch.setenv(name, f"{home}{os.pathsep}{old}" if old else str(home))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with stream_site() as site:
        film_site(site)
        _, files = fetched(site, tmp_path)
    assert FILM in files.values()
    assert not mark.exists()


def test_the_guard_stands_between_it_and_the_network(tmp_path: Path) -> None:
    with stream_site() as site, stream_site() as inside:
        inside.put("/film.mp4", FILM, "video/mp4")
        film_site(site, inside.url("/film.mp4"))
        found, files = fetched(site, tmp_path)
        assert inside.asked == []
    assert FILM not in files.values()
    assert found.missing
    assert ("127.0.0.1", inside.port, "loopback") in {
        (item.host, item.port, item.refused) for item in found.contacts
    }


@pytest.mark.parametrize(
    ("name", "value", "said"), [("MAX_SECONDS", 0.0, "seconds"), ("MAX_BYTES", 10, "bytes")]
)
def test_its_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: float, said: str
) -> None:
    monkeypatch.setattr(media_tool, name, value)
    with stream_site() as site:
        film_site(site)
        found, files = fetched(site, tmp_path)
    assert f"stopped at its limit of {said}" in found.missing[0]["why"]
    assert [limit.name for limit in found.limits if limit.reached] == [f"yt-dlp {said}"]
    assert provenance(files)["exit_code"] is None


def test_of_endless_messages_only_the_end_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to MAX_BYTES of them may lie on the disk when the program ends."""
    package = tmp_path / "programs" / "yt_dlp"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "import os\nline = os.getcwd() + ' says nothing of use\\n'\n"
        "for _ in range(40):\n    print(line * (1_000_000 // len(line)), end='')\n"
        "print('the end')\n"
    )
    spec = importlib.util.spec_from_file_location("yt_dlp", package / "__init__.py")
    monkeypatch.setattr(media_tool, "find_spec", lambda name: spec)
    monkeypatch.setattr(media_tool, "version", lambda name: "2026.1.1")
    folder = tmp_path / "run"
    folder.mkdir()
    tracemalloc.start()
    try:
        found = media_tool.run_tool("https://a.example/", folder, 9, os.environ)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (folder / "messages.txt").stat().st_size > 30_000_000
    assert peak < 4_000_000
    assert found.exit_code == 0
    assert found.messages.endswith(" says nothing of use\nthe end\n")
    assert MAX_LOG // 4 < len(found.messages) <= MAX_LOG
    lines = set(found.messages.splitlines()[:-1])
    assert lines == {f"WORK{os.sep}out says nothing of use"}  # no half path at the beginning


@pytest.mark.browser
def test_a_bundle_with_a_second_source(sealed: Capture) -> None:
    with stream_site() as site:
        found = sealed(film_site(site), media_tool=True)
    assert found.result.exit_code is ExitCode.OK, found.record["missing"]
    kinds = {item["file"]: item["kind"] for item in found.record["artefacts"]}
    second = {file for file, kind in kinds.items() if kind == "secondary"}
    assert "data/secondary/provenance.json" in second
    assert FILM in {(found.opened / file).read_bytes() for file in second}
    assert found.record["request"]["options"]["media_tool"] is True


@pytest.mark.browser
def test_its_failure_does_not_spoil_a_capture(sealed: Capture) -> None:
    with stream_site() as site:
        site.put("/", PAGE, "text/html")
        found = sealed(site.url("/"), media_tool=True)
    assert found.result.exit_code is ExitCode.GAPS
    (missing,) = found.record["missing"]
    assert missing["what"] == "films by yt-dlp"
    assert "Unsupported URL" in missing["why"]


def test_without_the_program_nothing_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_tool, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="not installed") as caught:
        capture(
            CaptureRequest("https://voorbeeld.nl/", tmp_path, media_tool=True),
            signer(),
            anchors=TrustAnchors(),
            home=tmp_path,
            progress=Silent(),
        )
    assert caught.value.hint is not None
    assert "evidence-kit[media]" in caught.value.hint
    assert list(tmp_path.iterdir()) == []
