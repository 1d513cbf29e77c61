"""A site with streams (HLS and DASH), a player that loads some of it, and bundles that hold one."""

from __future__ import annotations

import hashlib
import http.server
import io
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evidence_kit.core.canonical_json import dumps
from evidence_kit.core.events import Silent
from evidence_kit.core.exchange import Exchange
from evidence_kit.core.streams import FILE, summary
from evidence_kit.gather.http import RecordingSession
from evidence_kit.jobs.stream_index import stream_index
from evidence_kit.jobs.streams import Completed, complete_streams
from evidence_kit.seal.redact_types import RedactedExchange
from evidence_kit.seal.warc import WarcWriter
from tests.bundles import WHEN, Case
from tests.listening import answering
from tests.platform_tools import recording

HLS = "application/vnd.apple.mpegurl"
DASH = "application/dash+xml"

MASTER = """#EXTM3U
#EXT-X-VERSION:6
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="nl",LANGUAGE="nl",DEFAULT=YES,URI="audio.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",LANGUAGE="en",URI="audio-en.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1000,RESOLUTION=320x180,CODECS="avc1.42c01e,mp4a.40.2",AUDIO="a"
low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=5000,RESOLUTION=1280x720,CODECS="avc1.42c01e,mp4a.40.2",AUDIO="a"
high.m3u8
"""
MPD = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT10S">
 <Period><AdaptationSet contentType="video" mimeType="video/mp4">
  <SegmentTemplate media="$RepresentationID$-$Number%03d$.m4s"
   initialization="$RepresentationID$-init.mp4" duration="4000" timescale="1000"/>
  <Representation id="v1" bandwidth="1000"/><Representation id="v2" bandwidth="2000"/>
 </AdaptationSet><AdaptationSet contentType="audio" mimeType="audio/mp4">
  <Representation id="a1" bandwidth="100"><BaseURL>sound.mp4</BaseURL>
  <SegmentList timescale="1" duration="5"><Initialization range="0-9"/>
   <SegmentURL mediaRange="10-59"/><SegmentURL mediaRange="60-99"/></SegmentList>
  </Representation></AdaptationSet></Period></MPD>
"""


def piece(name: str, size: int = 3000) -> bytes:
    """Bytes that belong to this name and no other."""
    seed = hashlib.sha256(name.encode()).digest()
    return (seed * (size // 32 + 1))[:size]


def media_list(*names: str, initial: str = "", end: bool = True, head: str = "") -> str:
    """A playlist of parts of two seconds."""
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2", *([head] if head else [])]
    lines += [f'#EXT-X-MAP:URI="{initial}"'] if initial else []
    for name in names:
        lines += ["#EXTINF:2.0,", name]
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if end else []), ""])


@dataclass
class StreamSite:
    """Files by path with their type; ``moved`` leads elsewhere, ``broken`` gives a status."""

    port: int = 0
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def put(self, path: str, body: str | bytes, kind: str = "video/mp2t") -> None:
        self.files[path] = (kind, body if isinstance(body, bytes) else body.encode())

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def hls(self, folder: str = "/hls") -> None:
        """Two qualities; sound in ranges of one file, in two languages."""
        self.put(f"{folder}/master.m3u8", MASTER, HLS)
        for name, parts in (("low", 4), ("high", 4)):
            names = [f"{name}-{number}.m4s" for number in range(parts)]
            self.put(f"{folder}/{name}.m3u8", media_list(*names, initial=f"{name}.mp4"), HLS)
            for one in (*names, f"{name}.mp4"):
                self.put(f"{folder}/{one}", piece(one), "video/mp4")
        ranges = "".join(f"#EXTINF:4,\n#EXT-X-BYTERANGE:{size}\nsound.aac\n" for size in (200, 300))
        first = "#EXTM3U\n#EXTINF:4,\n#EXT-X-BYTERANGE:100@50\nsound.aac\n"
        self.put(f"{folder}/audio.m3u8", f"{first}{ranges}#EXT-X-ENDLIST\n", HLS)
        self.put(f"{folder}/sound.aac", piece("sound", 650), "audio/aac")

    def dash(self, folder: str = "/dash") -> None:
        """Two qualities from a template; sound in ranges of one file."""
        self.put(f"{folder}/film.mpd", MPD, DASH)
        for name in ("v1", "v2"):
            for one in (f"{name}-init.mp4", *(f"{name}-{n:03d}.m4s" for n in (1, 2, 3))):
                self.put(f"{folder}/{one}", piece(one), "video/iso.segment")
        self.put(f"{folder}/sound.mp4", piece("sound", 100), "audio/mp4")


@contextmanager
def stream_site() -> Iterator[StreamSite]:
    """Run a site that knows ranges until the block ends."""
    site = StreamSite()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_GET(self) -> None:
            site.asked.append((self.path, self.headers.get("Range", "")))
            path = self.path.partition("?")[0]
            if path in site.moved:
                self._answer(302, {"Location": site.moved[path]}, b"")
            elif path in site.broken:
                self._answer(site.broken[path], {}, b"no")
            elif path not in site.files:
                self._answer(404, {}, b"no")
            else:
                self._file(*site.files[path])

        def _file(self, kind: str, body: bytes) -> None:
            found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            fields = {"Content-Type": kind, "Accept-Ranges": "bytes"}
            if found is None:
                self._answer(200, fields, body)
                return
            first = int(found[1])
            last = min(int(found[2] or len(body)), len(body) - 1)
            fields["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
            self._answer(206, fields, body[first : last + 1])

        def _answer(self, status: int, fields: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with answering(Handler) as site.port:
        yield site


@dataclass
class Played:
    """What a player loaded, and what was fetched after it."""

    page: tuple[Exchange, ...]
    own: tuple[Exchange, ...]
    completed: Completed
    log: list[dict[str, Any]]

    @property
    def index(self) -> dict[str, Any] | None:
        """The index over both sides, nothing redacted."""
        known = {("page", item.number): item for item in self.page}
        known |= {("api", item.number): item for item in self.own}
        return stream_index(self.page, self.own, lambda side, number: known.get((side, number)))

    def chosen(self, stream: int = 0) -> list[dict[str, Any]]:
        """The tracks of the best quality."""
        assert self.index is not None
        return [one for one in self.index["streams"][stream]["tracks"] if one["chosen"]]

    def why(self) -> str:
        """Every gap in one text."""
        return "\n".join(f"{item['what']}: {item['why']}" for item in self.completed.missing)


def load(session: RecordingSession, *asked: str | tuple[str, str]) -> None:
    """A player's requests: addresses, or addresses with a range."""
    for item in asked:
        url, span = (item, "") if isinstance(item, str) else item
        session.get(url, headers={"range": f"bytes={span}"} if span else {})


def play(
    folder: Path, *asked: str | tuple[str, str], given: tuple[str, ...] = (), **session: Any
) -> Played:
    """Let a player ask for some addresses, then complete what it left."""
    with recording(folder / "page") as player:
        load(player, *asked)
        page = player.exchanges
    scratch = folder / "scratch"
    scratch.mkdir()
    lines: list[dict[str, Any]] = []

    class Log(Silent):
        def log(self, event: str, **fields: Any) -> None:
            lines.append({"event": event, **fields})

    with recording(folder / "own", **session) as own:
        completed = complete_streams(page, given, own, Log(), scratch, Silent())
        assert not list(scratch.iterdir())
        return Played(page, own.exchanges, completed, lines)


def add_stream(
    case: Case, *, urls: Sequence[str] = (), forge: bool = False, index: bytes = b""
) -> None:
    """Put whole streams into a bundle, by default one of two parts.

    Args:
        case: gets archive, index and the record's part.
        urls: of lists on a running site.
        forge: one digest of the index is wrong.
        index: in the place of the right one.
    """
    with tempfile.TemporaryDirectory() as name, stream_site() as site:
        site.put("/film.m3u8", media_list("a.ts", "b.ts"), HLS)
        site.put("/a.ts", piece("a"))
        site.put("/b.ts", piece("b"))
        played = play(Path(name), given=tuple(urls) or (site.url("/film.m3u8"),))
        found = played.index
        assert found is not None
        target = io.BytesIO()
        count = iter(range(1000))
        writer = WarcWriter(target, lambda: f"00000000-0000-4000-8000-{next(count):012d}")
        writer.warcinfo([("software", "tests")], WHEN, "exchanges.warc")
        for exchange in played.own:
            writer.exchange(RedactedExchange(exchange))
    if forge:
        found["streams"][0]["tracks"][0]["parts"][1]["sha256"] = "00" * 32
    case.files["data/api/exchanges.warc"] = target.getvalue()
    case.files[FILE] = index or dumps(found)
    case.record["streams"] = summary(found)
