"""The WACZ: what replay needs and nothing else, in the same bytes each time."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.jobs.convert import with_addresses
from evidence_kit.seal.cdxj import canonical_body, index_lines
from evidence_kit.seal.redact_types import RedactedExchange
from evidence_kit.seal.surt import surt
from evidence_kit.seal.wacz import Page, write_wacz
from evidence_kit.seal.wacz_read import check_wacz
from evidence_kit.seal.warc import RecordInfo, warc_uri
from tests.test_redact import SECRET, exchange
from tests.test_warc import ODD, write

WHEN = datetime(2026, 11, 23, 10, tzinfo=UTC)


def make(folder: Path, name: str = "page.wacz") -> Path:
    source = folder / "in"
    form = b"naam=Jan&b+c=d%26e"
    post = (
        b"POST /f HTTP/1.1\r\nCookie: sid=" + SECRET + b"\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 18\r\n\r\n" + form
    )
    switch = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
    items = [
        replace(exchange(source, response=ODD, number=1), status=200),
        replace(exchange(source, post, ODD, url="https://a.example/f", number=2), status=200),
        replace(exchange(source, b"HEAD / HTTP/1.1\r\n\r\n", ODD[:-4], number=3), status=200),
        replace(exchange(source, b"OPTIONS / HTTP/1.1\r\n\r\n", ODD, number=4), status=200),
        replace(exchange(source, response=switch, url="wss://a.example/", number=5), status=101),
        replace(exchange(source, response=None, number=6), error="ERR_FAILED"),
    ]
    writer = write(folder / "data.warc", *map(RedactedExchange, items))
    pages = [Page("p1", "https://a.example/", WHEN, "Titel", "t\u00e9kst")]
    target = folder / name
    write_wacz(
        target,
        folder / "data.warc",
        writer.records,
        pages,
        software="evidence-kit",
        created=WHEN,
    )
    return target


def test_the_index_points_at_what_can_be_replayed(tmp_path: Path) -> None:
    with zipfile.ZipFile(make(tmp_path)) as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        index = archive.read("indexes/index.cdx")
        warc = archive.read("archive/data.warc")
        package = json.loads(archive.read("datapackage.json"))
        digest = json.loads(archive.read("datapackage-digest.json"))
        about = archive.read("datapackage.json")
        listed = {entry["path"] for entry in package["resources"]}
        for entry in package["resources"]:
            data = archive.read(entry["path"])
            assert entry["hash"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
            assert entry["bytes"] == len(data)
        assert listed == set(archive.namelist()) - {"datapackage.json", "datapackage-digest.json"}
    assert digest["hash"] == f"sha256:{hashlib.sha256(about).hexdigest()}"
    assert warc == (tmp_path / "data.warc").read_bytes()
    assert SECRET not in index
    lines = index.splitlines()
    assert len(lines) == 2 and lines == sorted(lines)
    for line in lines:
        _, stamp, text = line.split(b" ", 2)
        entry = json.loads(text)
        start = int(entry["offset"])
        record = warc[start : start + int(entry["length"])]
        assert record.startswith(b"WARC/1.1\r\nWARC-Type: response\r\n")
        assert f"WARC-Target-URI: {entry['url']}\r\n".encode() in record
        assert record.endswith(ODD + b"\r\n\r\n")
        assert stamp == b"20261123100000"
    assert lines[1].startswith(b"example,a)/f?__wb_method=post&b%20c=d&e&naam=jan ")
    assert json.loads(lines[1].split(b" ", 2)[2])["requestBody"] == "naam=Jan&b c=d&e"


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    first, second = make(tmp_path), make(tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()
    with pytest.raises(FileExistsError):
        make(tmp_path)


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://www.Example.org/A/B/?b=2&a=1", "org,example)/a/b?a=1&b=2"),
        ("https://example.org:8443/x", "org,example:8443)/x"),
        ("http://127.0.0.1:8080/a%20b?q=%C3%A9&z", "1,0,0,127:8080)/a%20b?q=%c3%a9&z"),
        ("https://ex.org/a%2Fb//c/../d/", "org,ex)/a/b/d"),
        ("https://m\u00fcller.example/", "example,xn--mller-kva)/"),
        ("https://www2.ex.org", "org,ex)/"),
    ],
)
def test_keys_are_those_of_the_internet_archive(url: str, key: str) -> None:
    assert surt(url) == key


@pytest.mark.parametrize(
    ("kind", "body", "query"),
    [
        ("application/json", b'{"a":{"b":[1,2,{"b":"x"}]},"c":null}', "b=1&b.2_=2&b.3_=x&c=None"),
        ("application/json", b"[" * 100_000, ""),
        ("text/plain", b"abc", "__wb_post_data=YWJj"),
        ("image/png", b"\x00\x01", "__wb_post_data=AAE="),
        (
            "multipart/form-data; boundary=XX",
            b'--XX\r\nContent-Disposition: form-data; name="veld"\r\n\r\nwaarde\r\n--XX--\r\n',
            "veld=waarde",
        ),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Disposition: x; name*=\0tf-8''%e2\r\n\r\nv\r\n--x--\r\n",
            "__wb_post_data=LS14DQpDb250ZW50LURpc3Bvc2l0aW9uOiB4OyBuYW1lKj0AdGYtOCcnJWUyDQoNCnYNCi0t"
            "eC0tDQo=",
        ),
    ],
)
def test_request_bodies_become_keys(kind: str, body: bytes, query: str) -> None:
    assert canonical_body(kind, body) == query


HOSTILE = [
    "http://[::1/x",
    "https://[v1.x]/",
    "https://a[b]c.example/",
    "http://[::1%25eth0]/",
    "https://a.example:99999/",
    "http://a.example:x/",
    "https://\u2100.example/",
    "https://" + "a" * 300 + ".example/",
    "https://xn--\udcff.example/",
]


@pytest.mark.parametrize("url", HOSTILE)
def test_an_address_that_no_key_can_be_made_of_stops_nothing(tmp_path: Path, url: str) -> None:
    """The answer stands in the WARC; other answers keep their lines, and the check agrees."""
    source = tmp_path / "in"
    items = [
        replace(exchange(source, response=ODD, url=url, number=1), status=200),
        replace(exchange(source, response=ODD, number=2), status=200),
    ]
    writer = write(tmp_path / "data.warc", *map(RedactedExchange, items))
    lines = index_lines(writer.records, "data.warc")
    assert any(b'"https://a.example/' in line for line in lines)
    assert (tmp_path / "data.warc").read_bytes().count(b"WARC-Type: response") == 2
    target = tmp_path / "page.wacz"
    write_wacz(target, tmp_path / "data.warc", writer.records, [], software="x", created=WHEN)
    with target.open("rb") as stream:
        found = {item.code for item in check_wacz(stream, target.stat().st_size, "page.wacz")}
    assert found == {"warc.ok", "wacz.ok"}


@pytest.mark.parametrize("url", HOSTILE)
def test_such_an_address_has_no_port_of_its_own(tmp_path: Path, url: str) -> None:
    seen = replace(exchange(tmp_path / "in", url=url), local_port=1, remote_port=7)
    (found,) = with_addresses([seen], [])
    assert found.remote_port == 7


@given(st.text("[]:/?#@%.v1x\\aé\udc80", max_size=30))
def test_whatever_the_address_the_index_is_written(rest: str) -> None:
    one = RecordInfo("<x>", "response", warc_uri(f"http://{rest}"), WHEN, 0, 1, "sha256:", 200)
    index_lines([one], "data.warc")


def test_an_empty_capture_gives_an_empty_index() -> None:
    assert index_lines([], "data.warc") == []
