"""The example post kept by other tools too: seconds, bytes, and what each of them holds on to.

What a tool keeps is read from its output and compared with what passed the site's own socket in
that very run; nothing here is taken from anybody's documentation.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from warcio.archiveiterator import ArchiveIterator

from benchmarks.bench_capture import new_home
from benchmarks.peer_tools import MissingError, Tool, peers
from benchmarks.timing import process, python
from evidence_kit import __version__
from evidence_kit.demo.site import DemoSite, WireExchange
from evidence_kit.demo.tsa import DemoTsa
from evidence_kit.gather.chromium import find_browser

PNG = b"\x89PNG\r\n\x1a\n"
TIMESTAMP = bytes.fromhex("060b2a864886f70d0109100104")
"""Object identifier id-ct-TSTInfo (RFC 3161): stands in every time-stamp token."""

SIGNED = bytes.fromhex("06092a864886f70d010702")
"""Object identifier id-signedData (RFC 5652): stands in every CMS signature."""

MIN_PICTURE = 700
"""Pixels of width from which a PNG that the site did not send counts as picture of the page."""


@dataclass(frozen=True)
class Kept:
    """What one tool kept of one visit.

    Attributes:
        seconds: median of whole runs.
        size: bytes of everything that it wrote.
        answers: of how many answers of the site, and how many of them are kept byte for byte;
            ``masked`` are kept with credentials blanked and that said in the record.
        requests: the same of what the site was sent.
        api: whether the platform's own JSON of the post is kept.
        picture: whether there is a picture of the rendered page.
        stamped, signed: whether a time-stamp token and a signature are in it.
        leaks: whether the session cookie stands in it in the clear.
    """

    name: str
    seconds: float
    size: int
    answers: tuple[int, int, int]
    requests: tuple[int, int, int]
    api: bool
    picture: bool
    stamped: bool
    signed: bool
    leaks: bool


@dataclass(frozen=True)
class Missing:
    """A tool that could not be measured, and why."""

    name: str
    why: str


def measure(runs: int = 3) -> list[Kept | Missing]:
    """Every tool that can be had here, and this program, in turn; all on one site."""
    with tempfile.TemporaryDirectory() as name, DemoSite(keep_wire=True) as site, DemoTsa() as tsa:
        place = Path(name)
        place.chmod(0o755)  # one of them runs as another user
        tools: list[Tool | Missing] = [_ourselves(place, tsa.url)]
        for peer, install in peers(find_browser()).items():
            try:
                tools.append(install())
            except MissingError as error:
                tools.append(Missing(peer, str(error)))
        return [
            tool if isinstance(tool, Missing) else _measure(tool, site, place, runs)
            for tool in tools
        ]


def _ourselves(place: Path, tsa: str) -> Tool:
    home = new_home(place)

    def keep(url: str, folder: Path) -> None:
        process(
            python(
                *("-m", "evidence_kit", "capture", url, "--allow-private", "--no-scroll"),
                *("--tsa", tsa, "--output", str(folder), "--passphrase-fd", "0"),
            ),
            home.environment,
            stdin=home.secret,
        )

    return Tool(f"evidence-kit {__version__}", keep)


def _measure(tool: Tool, site: DemoSite, place: Path, runs: int) -> Kept | Missing:
    seconds: list[float] = []
    folder = place / "kept"
    try:
        for _ in range(runs + 1):  # the first warms the disk's cache up
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            site.wire.clear()
            began = time.perf_counter()
            tool.keep(site.address("threat"), folder)
            seconds.append(time.perf_counter() - began)
    except MissingError as error:
        return Missing(tool.name, str(error))
    return _kept(tool.name, statistics.median(seconds[1:]), folder, list(site.wire))


def _kept(name: str, seconds: float, folder: Path, wire: list[WireExchange]) -> Kept:
    files = [path for path in folder.rglob("*") if path.is_file()]
    parts = [part for path in files for part in _parts(path.read_bytes())]
    wire = [item for item in wire if item.response]
    records = [record for part in parts for record in _records(part)]
    responses = [bytes(item.response) for item in wire]
    answers = _count(records, "response", responses)
    api = [item for item in wire if b" /api/v1/statuses/" in item.request.split(b"\r\n", 1)[0]]
    posts = {bytes(item.response) for item in api if b"/context " not in item.request}
    cookies = [_cookie(item) for item in responses if _cookie(item)]
    return Kept(
        name=name,
        seconds=seconds,
        size=sum(path.stat().st_size for path in files),
        answers=answers,
        requests=_count(records, "request", [bytes(item.request) for item in wire]),
        api=any(block in posts for kind, block, _ in records if kind == "response"),
        picture=any(_is_picture(part, responses) for part in parts),
        stamped=any(TIMESTAMP in part for part in parts),
        signed=any(SIGNED in part for part in parts),
        leaks=any(cookie in part for cookie in cookies for part in parts)
        or any(cookie in block for cookie in cookies for _, block, _ in records),
    )


def _parts(data: bytes) -> Iterator[bytes]:
    """A file, and what is inside where it is a container; bundles hold archives in a container."""
    yield data
    if data.startswith(b"PK") and zipfile.is_zipfile(BytesIO(data)):
        with zipfile.ZipFile(BytesIO(data)) as container:
            for entry in container.namelist():
                yield from _parts(container.read(entry))


def _records(part: bytes) -> Iterator[tuple[str, bytes, bool]]:
    """Kind, block and whether it says that something was masked, of each record of a WARC file."""
    if not part.startswith((b"WARC/", b"\x1f\x8b")):
        return
    stream: BinaryIO = BytesIO(part)
    for record in ArchiveIterator(stream, no_record_parse=True):
        masked = record.rec_headers.get_header("X-Evidence-Content", "exact") != "exact"
        yield record.rec_type, record.raw_stream.read(), masked


def _count(
    records: list[tuple[str, bytes, bool]], kind: str, wire: list[bytes]
) -> tuple[int, int, int]:
    """How many passed the socket, how many are kept byte for byte, how many masked and said so."""
    kept = Counter(block for found, block, masked in records if found == kind and not masked)
    exact = sum((Counter(wire) & kept).values())
    masked = sum(1 for found, _, hidden in records if found == kind and hidden)
    return len(wire), exact, masked


def _cookie(response: bytes) -> bytes:
    for line in response.partition(b"\r\n\r\n")[0].split(b"\r\n"):
        if line.lower().startswith(b"set-cookie:"):
            return line.partition(b"=")[2].partition(b";")[0]
    return b""


def _is_picture(part: bytes, responses: list[bytes]) -> bool:
    if not part.startswith(PNG) or any(part in response for response in responses):
        return False
    return int.from_bytes(part[16:20], "big") >= MIN_PICTURE


COLUMNS: tuple[tuple[str, Callable[[Kept], str]], ...] = (
    ("seconds", lambda kept: f"{kept.seconds:.2f}"),
    ("KB", lambda kept: f"{kept.size / 1000:.0f}"),
    ("answers exact", lambda kept: _share(kept.answers)),
    ("requests exact", lambda kept: _share(kept.requests)),
    ("API JSON", lambda kept: _yes(there=kept.api)),
    ("picture", lambda kept: _yes(there=kept.picture)),
    ("time stamp", lambda kept: _yes(there=kept.stamped)),
    ("signature", lambda kept: _yes(there=kept.signed)),
    ("session cookie", lambda kept: "in the clear" if kept.leaks else "not in it"),
)


def _share(counts: tuple[int, int, int]) -> str:
    total, exact, masked = counts
    return f"{exact} of {total}" + (f", {masked} masked" if masked else "")


def _yes(*, there: bool) -> str:
    return "yes" if there else "no"


def table(found: list[Kept | Missing]) -> Iterator[str]:
    """The comparison as lines of Markdown."""
    yield "| tool | " + " | ".join(name for name, _ in COLUMNS) + " |"
    yield "|---|---:|---:|" + "---|" * (len(COLUMNS) - 2)
    for item in found:
        if isinstance(item, Missing):
            yield f"| {item.name} | not measured: {item.why} |" + " |" * (len(COLUMNS) - 1)
        else:
            yield f"| {item.name} | " + " | ".join(show(item) for _, show in COLUMNS) + " |"


def main() -> None:
    """Measure and print the table."""
    for line in table(measure()):
        print(line, flush=True)


if __name__ == "__main__":
    main()
