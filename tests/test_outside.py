"""Other people's tools on a real bundle: they judge us, and none of them may be missing."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import subprocess
import time
import zipfile
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.fixtures_capture import Captured, captured
from tests.outside import python_tool, system_tool

__all__ = ["captured"]

pytestmark = [pytest.mark.outside, pytest.mark.browser, pytest.mark.xdist_group("captured")]


def tool(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=120,
        check=False,
    )


def test_unzip_finds_no_error(captured: Captured) -> None:
    ended = tool(system_tool("unzip"), "-t", captured.bundle)
    assert ended.returncode == 0, ended.stdout
    assert "No errors detected" in ended.stdout


def test_sha256sum_over_the_manifests(captured: Captured) -> None:
    for name in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        ended = tool(system_tool("sha256sum"), "-c", "--strict", name, cwd=captured.opened)
        assert ended.returncode == 0, ended.stdout


def test_bagit_validates_the_folder(captured: Captured) -> None:
    ended = tool(python_tool("bagit.py"), "--validate", captured.opened)
    assert ended.returncode == 0, ended.stderr
    assert "is valid" in ended.stderr


def test_openssl_accepts_the_signature(captured: Captured) -> None:
    folder = captured.opened / "META-INF"
    ended = tool(
        *(system_tool("openssl"), "cms", "-verify", "-cades", "-inform", "DER", "-binary"),
        *("-purpose", "any", "-in", folder / "signature001.p7s"),
        *("-content", folder / "ASiCManifest001.xml", "-CAfile", captured.certificate),
        *("-out", "/dev/null"),
    )
    assert ended.returncode == 0, ended.stderr


def test_openssl_accepts_the_second_stamp_over_the_whole_file(captured: Captured) -> None:
    custody = captured.bundle.with_name(captured.bundle.name.removesuffix(".asice") + ".custody")
    ended = tool(
        *(system_tool("openssl"), "ts", "-verify", "-data", captured.bundle),
        *("-in", custody / "0001-sealed.tsr", "-CAfile", captured.tsa_root),
    )
    assert ended.returncode == 0, ended.stderr


def test_openssl_accepts_the_start_token_over_the_nonce(captured: Captured, tmp_path: Path) -> None:
    start = captured.record["start_token"]
    nonce = tmp_path / "nonce.bin"
    nonce.write_bytes(bytes.fromhex(start["nonce"]))
    ended = tool(
        *(system_tool("openssl"), "ts", "-verify", "-data", nonce, "-token_in"),
        *("-in", captured.opened / start["file"], "-CAfile", captured.tsa_root),
    )
    assert ended.returncode == 0, ended.stderr


def warcs(captured: Captured, folder: Path) -> list[Path]:
    with zipfile.ZipFile(captured.opened / "data/web/page.wacz") as wacz:
        wacz.extract("archive/data.warc", folder)
    api = folder / "exchanges.warc"
    shutil.copyfile(captured.opened / "data/api/exchanges.warc", api)
    return [folder / "archive/data.warc", api]


def test_warcio_checks_every_digest(captured: Captured, tmp_path: Path) -> None:
    for warc in warcs(captured, tmp_path):
        ended = tool(python_tool("warcio"), "check", "-v", warc)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "digest pass" in ended.stdout


def test_warcio_notices_a_changed_warc(captured: Captured, tmp_path: Path) -> None:
    """The check above can fail: the same tool on a record with one byte changed."""
    warc = warcs(captured, tmp_path)[0]
    data = warc.read_bytes()
    assert b"HTTP/1.1 200" in data
    warc.write_bytes(data.replace(b"HTTP/1.1 200", b"HTTP/1.1 201", 1))
    assert tool(python_tool("warcio"), "check", warc).returncode != 0


def test_wacz_validates(captured: Captured) -> None:
    ended = tool(python_tool("wacz"), "validate", "-f", captured.opened / "data/web/page.wacz")
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_pywb_replays_the_page_and_its_api_calls(captured: Captured, tmp_path: Path) -> None:
    collection = tmp_path / "collections" / "proof"
    (collection / "archive").mkdir(parents=True)
    (collection / "indexes").mkdir()
    with zipfile.ZipFile(captured.opened / "data/web/page.wacz") as wacz:
        (collection / "archive" / "data.warc").write_bytes(wacz.read("archive/data.warc"))
        (collection / "indexes" / "index.cdxj").write_bytes(wacz.read("indexes/index.cdx"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (tmp_path / "pywb.log").open("wb")
    server = subprocess.Popen(
        [str(python_tool("wayback")), "-p", str(port), "-b", "127.0.0.1", "--directory", "."],
        cwd=tmp_path,
        stdout=log,
        stderr=log,
    )
    try:
        wait_for(port, server)
        page = replay(port, captured.url)
        assert "Pleinpraat" in page
        urls = [
            json.loads(line.split(" ", 2)[2])["url"]
            for line in (collection / "indexes" / "index.cdxj").read_text("utf-8").splitlines()
        ]
        script = next(url for url in urls if "/api/v1/" in url)
        assert json.loads(replay(port, script))
    finally:
        server.terminate()
        server.wait(20)
        log.close()


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, "pywb ended by itself"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError("pywb does not answer")


def replay(port: int, url: str) -> str:
    path = f"/proof/mp_/{quote(url, safe=':/?&=@%')}"
    for _ in range(3):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        with closing(connection):
            connection.request("GET", path, headers={"Connection": "close"})
            response = connection.getresponse()
            body = response.read()
        if response.status in (301, 302, 307):
            path = re.sub(r"^https?://[^/]+", "", response.headers["Location"])
            continue
        assert response.status == 200, (response.status, body[:300])
        return body.decode("utf-8", "replace")
    raise AssertionError("redirects without end")
