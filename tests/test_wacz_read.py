"""WARC and WACZ checks: sound files pass, every attack on them has its finding."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.seal.stored_zip import StoredZipError, read_directory
from evidence_kit.seal.wacz_read import check_wacz, check_warc
from evidence_kit.seal.warc_read import read_records

URL = "http://127.0.0.1:1/post"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>Ik weet waar je woont</p>"


def sha(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def record(kind: str, number: int, block: bytes, url: str = URL, **more: str) -> bytes:
    fields = {
        "WARC-Type": kind,
        "WARC-Record-ID": f"<urn:uuid:{number:08d}-0000-4000-8000-000000000000>",
        "WARC-Date": "2026-11-23T10:00:00.000000Z",
        "WARC-Target-URI": url,
        "Content-Type": "application/http; msgtype=response",
        "Content-Length": str(len(block)),
        "WARC-Block-Digest": sha(block),
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return b"WARC/1.1\r\n" + head.encode() + b"\r\n" + block + b"\r\n\r\n"


def warc() -> bytes:
    return (
        record("warcinfo", 1, b"software: test\r\n", Content_Type="application/warc-fields")
        + record("response", 2, ANSWER, WARC_Payload_Digest=sha(ANSWER.split(b"\r\n\r\n", 1)[1]))
        + record("request", 3, b"GET /post HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n")
    )


def index_line(data: bytes, **change: str) -> bytes:
    offset = data.index(b"WARC-Type: response") - len(b"WARC/1.1\r\n")
    length = data.index(b"WARC-Type: request") - len(b"WARC/1.1\r\n") - offset
    entry = {
        "url": URL,
        "mime": "text/html",
        "status": "200",
        "offset": str(offset),
        "length": str(length),
        "filename": "data.warc",
        **change,
    }
    return f"1,0,0,127:1)/post 20261123100000 {json.dumps(entry)}\n".encode()


def package(files: Mapping[str, bytes], edit: Callable[[dict[str, bytes]], None]) -> bytes:
    """A WACZ whose lists are made from ``files`` and whose contents are then edited."""
    resources = [
        {"name": path.split("/")[-1], "path": path, "hash": sha(data), "bytes": len(data)}
        for path, data in files.items()
    ]
    document = json.dumps({"profile": "data-package", "resources": resources}).encode()
    digest = json.dumps({"path": "datapackage.json", "hash": sha(document)}).encode()
    every = {**files, "datapackage.json": document, "datapackage-digest.json": digest}
    edit(every)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as bundle:
        for path, data in every.items():
            bundle.writestr(zipfile.ZipInfo(path), data)
    return target.getvalue()


def files(data: bytes | None = None, **change: str) -> dict[str, bytes]:
    data = data or warc()
    return {
        "archive/data.warc": data,
        "indexes/index.cdx": index_line(data, **change),
        "pages/pages.jsonl": b'{"format": "json-pages-1.0"}\n',
    }


def wacz_codes(data: bytes) -> set[str]:
    return {finding.code for finding in check_wacz(io.BytesIO(data), len(data), "page.wacz")}


def warc_codes(data: bytes) -> set[str]:
    return {finding.code for finding in check_warc(io.BytesIO(data), "exchanges.warc")}


def keep(_: dict[str, bytes]) -> None:
    """No edit."""


def test_sound_files_pass() -> None:
    assert warc_codes(warc()) == {"warc.ok"}
    assert wacz_codes(package(files(), keep)) == {"warc.ok", "wacz.ok"}


def test_records_say_where_they_are() -> None:
    data = warc()
    found = list(read_records(io.BytesIO(data)))
    assert [item.kind for item in found] == ["warcinfo", "response", "request"]
    assert sum(item.length for item in found) == len(data)
    for item in found:
        assert data[item.offset : item.offset + item.length].startswith(b"WARC/1.1\r\n")


def test_a_record_larger_than_any_buffer_is_streamed() -> None:
    block = b"HTTP/1.1 200 OK\r\n\r\n" + bytes(5 << 20)
    data = record("response", 1, block, WARC_Payload_Digest=sha(bytes(5 << 20)))
    assert warc_codes(data) == {"warc.ok"}


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"waar je woont", b"waar jij bent", "warc.digest-differs"),
        (b"GET /post", b"GET /p0st", "warc.digest-differs"),
        (b"WARC/1.1\r\nWARC-Type: request", b"WARC/1.0\r\nWARC-Type: request", "warc.malformed"),
        (b"WARC-Block-Digest: sha256:", b"WARC-Block-Digest: sha1:", "warc.malformed"),
        (b"WARC-Block-Digest", b"X-Block-Digest", "warc.malformed"),
        (b"WARC-Type: request", b"WARC-Type: unknown", "warc.malformed"),
        (b"00000003-", b"00000002-", "warc.malformed"),
        (b"WARC-Date", b"WARC-Date: x\r\nWARC-Date", "warc.malformed"),
        (b"Content-Length: 16", b"Content-Length: +16", "warc.malformed"),
        (b"Content-Length: 16", b"Content-Length: 99999999999", "warc.malformed"),
        (b"\r\n\r\n\r\n\r\n", b"\r\n\r\n\r\n", "warc.malformed"),
    ],
)
def test_attacks_on_a_warc(old: bytes, new: bytes, code: str) -> None:
    data = warc()
    assert old in data
    assert warc_codes(data.replace(old, new)) >= {code}
    assert "warc.ok" not in warc_codes(data.replace(old, new))


def test_a_payload_digest_is_recomputed_too() -> None:
    data = record("response", 1, ANSWER, WARC_Payload_Digest=sha(b"another payload"))
    assert warc_codes(data) == {"warc.digest-differs"}


def test_nothing_is_no_warc() -> None:
    assert warc_codes(b"") == {"warc.malformed"}


@pytest.mark.parametrize("cut", range(0, len(warc()), 37))
def test_a_warc_cut_off_anywhere_is_noticed(cut: int) -> None:
    data = warc()
    starts = [item.offset for item in read_records(io.BytesIO(data))]
    expected = "warc.ok" if cut in starts and cut else "warc.malformed"
    assert warc_codes(data[:cut]) == {expected}


def _swap(path: str, data: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda every: every.__setitem__(path, data)


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (_swap("pages/pages.jsonl", b"{}\n"), "wacz.hash-differs"),
        (_swap("extra.txt", b"unlisted"), "wacz.hash-differs"),
        (lambda every: every.pop("pages/pages.jsonl"), "wacz.hash-differs"),
        (_swap("archive/data.warc", warc().replace(b"woont", b"werkt")), "warc.digest-differs"),
        (_swap("datapackage.json", b'{"resources": []}'), "wacz.malformed"),
        (lambda every: every.pop("datapackage-digest.json"), "wacz.malformed"),
        (_swap("datapackage-digest.json", b"{"), "wacz.malformed"),
    ],
)
def test_attacks_on_a_wacz(edit: Callable[[dict[str, bytes]], None], code: str) -> None:
    codes = wacz_codes(package(files(), edit))
    assert code in codes
    assert "wacz.ok" not in codes


@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://127.0.0.1:1/other"},
        {"offset": "0"},
        {"offset": "7"},
        {"offset": "-1"},
        {"offset": "\u0663"},
        {"length": "10"},
        {"filename": "other.warc"},
    ],
)
def test_an_index_that_points_elsewhere(change: dict[str, str]) -> None:
    assert wacz_codes(package(files(None, **change), keep)) == {"warc.ok", "wacz.index-differs"}


@pytest.mark.parametrize("line", [b"x\n", b"a b c\n", b"a b []\n", b"a b {}\n", b"no line end"])
def test_an_index_line_that_is_none(line: bytes) -> None:
    made = {**files(), "indexes/index.cdx": line}
    assert "wacz.index-differs" in wacz_codes(package(made, keep))


def test_a_compressed_wacz_is_refused() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("archive/data.warc", warc())
    assert wacz_codes(target.getvalue()) == {"wacz.malformed"}


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"x" + data,
        lambda data: data + b"x",
        lambda data: data + data,
        lambda data: data[:-1],
        lambda data: data.replace(b"pages/pages.jsonl", b"pages/pages.jsonx", 1),
        lambda data: b"",
    ],
)
def test_a_zip_of_another_shape_is_refused(change: Callable[[bytes], bytes]) -> None:
    data = change(package(files(), keep))
    with pytest.raises(StoredZipError):
        read_directory(io.BytesIO(data), len(data))


@given(place=st.integers(0, 10_000), value=st.integers(1, 255))
def test_any_changed_byte_of_a_wacz_gives_findings_only(place: int, value: int) -> None:
    data = bytearray(package(files(), keep))
    data[place % len(data)] ^= value
    assert wacz_codes(bytes(data))


@given(st.binary(max_size=400))
def test_hostile_bytes_give_findings_only(data: bytes) -> None:
    assert warc_codes(data) == {"warc.malformed"}
    assert wacz_codes(data) == {"wacz.malformed"}
