"""The WARC: bytes in are bytes out, the same input gives the same file, others' tools accept it."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from warcio.archiveiterator import ArchiveIterator

from evidence_kit.core.errors import StorageError
from evidence_kit.core.exchange import Exchange, TlsSeen
from evidence_kit.seal import warc as warc_module
from evidence_kit.seal.redact_types import Content, RedactedExchange
from evidence_kit.seal.warc import FRAMES_TYPE, WarcWriter, chain_id, warc_uri
from tests.test_redact import exchange

WHEN = datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC)
ODD = "HTTP/1.1 200 J\u00fcrgen\r\nx-ODD: a\u20acb\r\nContent-Length: 4\r\n\r\nbody".encode()
CHECK = """
import sys
sys.modules["brotli"] = sys.modules["brotlicffi"] = None  # its checker fails on br where installed
from warcio.cli import main
main(["check", "-v", sys.argv[1]])
"""


def ids() -> Callable[[], str]:
    count = iter(range(10_000))
    return lambda: f"00000000-0000-4000-8000-{next(count):012d}"


def write(path: Path, *items: RedactedExchange) -> WarcWriter:
    with path.open("wb") as stream:
        writer = WarcWriter(stream, ids())
        fields = [("software", "evidence-kit"), ("format", "WARC File Format 1.1")]
        writer.warcinfo(fields, WHEN, "data.warc")
        for item in items:
            writer.exchange(item)
    return writer


def sample(folder: Path) -> list[Exchange]:
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=1\r\nWiki\r\n0\r\n\r\n"
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    tls = TlsSeen("TLS 1.3", "0x1302", (b"leaf", b"root"), "http/1.1", "trusted")
    return [
        replace(
            exchange(folder, response=ODD, number=1),
            status=200,
            protocols=("http/1.1", "tls/1.3"),
            remote_address="192.0.2.1",
            address_source="guard",
            tls=tls,
        ),
        replace(exchange(folder, response=chunks, number=2), tls=tls),
        exchange(folder, response=early + ODD, number=3),
        replace(exchange(folder, response=ODD[:-2], number=4), truncated="disconnect"),
        replace(exchange(folder, response=None, number=5), error="ERR_NAME_NOT_RESOLVED"),
        exchange(folder, response=b"no http at all", number=6),
        exchange(folder, b"HEAD /x HTTP/1.1\r\n\r\n", ODD[:-4], number=7),
    ]


def test_blocks_are_the_bytes_that_were_recorded(tmp_path: Path) -> None:
    path = tmp_path / "data.warc"
    items = sample(tmp_path / "in")
    writer = write(path, *map(RedactedExchange, items))
    data = path.read_bytes()
    blocks: dict[tuple[str, int], bytes] = {}
    for record in writer.records:
        raw = data[record.offset : record.offset + record.length]
        head, _, block = raw.partition(b"\r\n\r\n")
        assert raw.endswith(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.startswith(b"X-Evidence-Exchange: "):
                key = (record.kind, int(line.split(b": ")[1]))
                blocks[key] = blocks.get(key, b"") + block[:-4]
    assert sum(record.length for record in writer.records) == len(data)
    for item in items:
        assert blocks["request", item.number] == item.request.read_bytes()
        if item.response is not None:
            assert blocks["response", item.number] == item.response.read_bytes()
    assert b"ERR_NAME_NOT_RESOLVED" in blocks["metadata", 5]
    assert ("response", 5) not in blocks
    assert data.count(b"application/pem-certificate-chain") == 1
    assert data.count(f"X-Evidence-TLS-Chain: {chain_id((b'leaf', b'root'))}".encode()) == 4
    assert b"WARC-Truncated: disconnect" in data
    assert b"WARC-Date: 2026-11-23T10:00:00.000000Z" in data
    # readers disagree on the payload of a chunked or cut-off message (warcio issue 74)
    for record in writer.records:
        raw = data[record.offset : record.offset + record.length]
        plain = b"chunked" not in raw and b"WARC-Truncated" not in raw and b"no http" not in raw
        if record.kind == "response" and record.status != 103:
            assert (b"WARC-Payload-Digest" in raw) is plain
    # an interim response is a record of its own, the final one can be replayed
    assert [r.status for r in writer.records if r.kind == "response"][2:4] == [103, 200]


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    items = [RedactedExchange(item) for item in sample(tmp_path / "in")]
    write(tmp_path / "a.warc", *items)
    write(tmp_path / "b.warc", *items)
    assert (tmp_path / "a.warc").read_bytes() == (tmp_path / "b.warc").read_bytes()


@pytest.mark.outside
def test_warcio_accepts_every_record(tmp_path: Path) -> None:
    path = tmp_path / "data.warc"
    writer = write(path, *map(RedactedExchange, sample(tmp_path / "in")))
    done = subprocess.run(
        [sys.executable, "-c", CHECK, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "digest pass" in done.stdout
    with path.open("rb") as stream:
        found = [
            (record.rec_type, record.rec_headers.get_header("WARC-Record-ID"))
            for record in ArchiveIterator(stream, no_record_parse=True)
        ]
    assert found == [(record.kind, record.id) for record in writer.records]
    broken = path.read_bytes().replace(b"Wiki", b"Wika")
    path.write_bytes(broken)
    done = subprocess.run(
        [sys.executable, "-c", CHECK, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0


def test_no_value_begins_a_line_of_its_own(tmp_path: Path) -> None:
    item = replace(
        exchange(tmp_path / "in", url="https://a.example/\r\nWARC-Type: x<>\u00e9"),
        notes=("a\r\nWARC-Evil: 1",),
    )
    path = tmp_path / "data.warc"
    writer = write(path, RedactedExchange(item, Content.REDACTED, Content.RECODED))
    data = path.read_bytes()
    assert b"\r\nWARC-Evil" not in data and b"\r\nWARC-Type: x" not in data
    assert writer.records[1].url == warc_uri(item.url)
    assert b"X-Evidence-Content: redacted-recoded" in data


def test_a_file_that_changes_meanwhile_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = exchange(tmp_path / "in", response=ODD)
    original = warc_module._Block.sha256

    def change(block: object, start: int = 0) -> str:
        digest = original(block, start)  # type: ignore[arg-type]
        assert item.response is not None
        item.response.write_bytes(ODD[:-1] + b"!")
        return digest

    monkeypatch.setattr(warc_module._Block, "sha256", change)
    with pytest.raises(StorageError):
        WarcWriter(io.BytesIO(), ids()).exchange(RedactedExchange(item))


def test_websocket_frames_are_resources(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"\x81\x01a")
    (tmp_path / "r").write_bytes(b"\x81\x01b")
    out = io.BytesIO()
    writer = WarcWriter(out, ids())
    sent, received = writer.websocket(
        "wss://a.example/x", WHEN, tmp_path / "s", tmp_path / "r", exchange=4
    )
    assert (sent.kind, received.kind) == ("resource", "resource")
    assert out.getvalue().count(FRAMES_TYPE.encode()) == 2
    assert b"X-Evidence-Direction: received" in out.getvalue()
