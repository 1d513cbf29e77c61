"""What the comparison with other tools says of their output is read correctly from it."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

from benchmarks.bench_peers import PNG, SIGNED, TIMESTAMP, Kept, Missing, _kept, table
from evidence_kit.demo.site import WireExchange

PAGE = b"HTTP/1.1 200 OK\r\nSet-Cookie: session=GEHEIM123; Path=/\r\n\r\n<p>"
POST = b"HTTP/1.1 200 OK\r\n\r\n{}"
WIRE = [
    WireExchange(bytearray(b"GET /post HTTP/1.1\r\n\r\n"), bytearray(PAGE)),
    WireExchange(bytearray(b"GET /api/v1/statuses/1 HTTP/1.1\r\n\r\n"), bytearray(POST)),
    WireExchange(bytearray(b"GET /cut-off HTTP/1.1\r\n\r\n")),
]


def warc(*records: tuple[str, bytes, str]) -> bytes:
    made = b""
    for kind, block, content in records:
        lines = ["WARC/1.1", f"WARC-Type: {kind}", "WARC-Record-ID: <urn:uuid:0>"]
        lines += ["WARC-Date: 2026-11-23T00:00:00Z", "Content-Type: application/http"]
        lines += [f"Content-Length: {len(block)}"]
        lines += [f"X-Evidence-Content: {content}"] if content else []
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        made += gzip.compress(head + block + b"\r\n\r\n")
    return made


def picture(width: int) -> bytes:
    return PNG + bytes(8) + width.to_bytes(4, "big") + bytes(8)


def test_everything_is_found_inside_containers_too(tmp_path: Path) -> None:
    inner = warc(
        ("response", PAGE.replace(b"GEHEIM123", b"REDACTED#1"), "redacted"),
        ("response", POST, "exact"),
        ("request", bytes(WIRE[0].request), ""),
    )
    with zipfile.ZipFile(tmp_path / "bundle.asice", "w") as bundle:
        wacz = io.BytesIO()
        with zipfile.ZipFile(wacz, "w") as archive:
            archive.writestr("archive/data.warc.gz", inner)
        bundle.writestr("data/web/page.wacz", wacz.getvalue())
        bundle.writestr("data/web/screenshot.png", picture(1280))
        bundle.writestr("META-INF/signature.p7s", b"0" + SIGNED + TIMESTAMP)
    found = _kept("tool", 1.5, tmp_path, WIRE)
    size = (tmp_path / "bundle.asice").stat().st_size
    good = Kept("tool", 1.5, size, (2, 1, 1), (2, 1, 0), True, True, True, True, False)
    assert found == good
    assert list(table([found, Missing("other", "it ended")]))[2:] == [
        f"| tool | 1.50 | {size / 1000:.0f} | 1 of 2, 1 masked | 1 of 2 | yes | yes | yes | yes | "
        "not in it |",
        "| other | not measured: it ended | | | | | | | | |",
    ]


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "page.warc.gz").write_bytes(warc(("response", PAGE, ""), ("response", PAGE, "")))
    (tmp_path / "small.png").write_bytes(picture(64))
    found = _kept("tool", 1.0, tmp_path, WIRE)
    assert (found.answers, found.requests) == ((2, 1, 0), (2, 0, 0))
    assert (found.api, found.picture, found.stamped, found.signed) == (False,) * 4
    assert found.leaks


def test_a_picture_of_the_site_is_none_of_the_page(tmp_path: Path) -> None:
    sent = picture(1280)
    (tmp_path / "media.png").write_bytes(sent)
    wire = [WireExchange(bytearray(b"GET /m.png"), bytearray(b"HTTP/1.1 200 OK\r\n\r\n" + sent))]
    assert not _kept("tool", 1.0, tmp_path, wire).picture
