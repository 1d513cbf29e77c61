"""The main job with real parts: browser, site, time-stamping authority, seal."""

from __future__ import annotations

import gzip
import json
import re
import socket
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from warcio.archiveiterator import ArchiveIterator

from evidence_kit.demo.site import DemoSite
from evidence_kit.demo.tsa import DemoTsa
from tests.fixtures_capture import Captured, captured, evidence_kit, new_home

__all__ = ["captured"]

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("captured")]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_home(tmp_path_factory.mktemp("capture"))


@pytest.fixture(scope="module")
def site() -> Iterator[DemoSite]:
    with DemoSite() as running:
        yield running


@pytest.fixture(scope="module")
def tsa() -> Iterator[DemoTsa]:
    with DemoTsa() as running:
        yield running


def capture(
    url: str, *more: str, home: Path, output: Path, **environment: str
) -> tuple[int, dict[str, Any]]:
    ended = evidence_kit(
        *("capture", url, "--output", str(output), "--passphrase-fd", "0", "--json", *more),
        home=home,
        **environment,
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def test_what_a_newcomer_sees(captured: Captured) -> None:
    assert captured.stdout.startswith("complete: everything asked for is in the bundle\n")
    assert captured.bundle.name in captured.stdout
    assert "- loading the page" in captured.stderr
    assert not list((captured.home / "work").iterdir())
    assert (captured.home / "receipts" / captured.receipt.name).exists()


def test_verify_unknown_then_trusted(captured: Captured) -> None:
    unknown = evidence_kit("verify", str(captured.bundle), home=captured.home)
    assert unknown.returncode == 11
    assert "ONDERTEKENAAR ONBEKEND" in unknown.stdout
    assert "ONGEWIJZIGD" not in unknown.stdout.split("\n")[0]
    trusted = evidence_kit(
        *("verify", str(captured.bundle), "--trust", str(captured.certificate)),
        *("--tsa-trust", str(captured.tsa_root), "--receipt", str(captured.receipt)),
        home=captured.home,
    )
    assert trusted.returncode == 0, trusted.stdout
    assert "ONGEWIJZIGD" in trusted.stdout


def test_the_record_tells_what_was_asked_and_done(captured: Captured) -> None:
    record = captured.record
    assert record["request"]["url"] == captured.url
    assert record["request"]["reason"] == "bedreiging van een medewerker"
    assert record["page"]["status"] == 200
    assert record["page"]["final_url"] == captured.url
    assert record["operator"]["staff_code"] == "ICT-07"
    assert record["account"] == {"logged_in": False, "name": None}
    assert record["recording"]["method"] == "evidence-kit-relay"
    assert record["recording"]["cross_check"]["only_devtools"] == []
    assert record["recording"]["problems"] == []
    assert record["platform"]["adapter"] == "mastodon"
    assert record["state"] == "complete"
    assert record["missing"] == []
    assert record["clock"]["offset_seconds"] is not None
    made = {item["kind"] for item in record["artefacts"] if item["state"] == "made"}
    assert made >= {"screenshot", "mhtml", "dom", "text", "aria", "pdf", "wacz", "warc", "api"}
    hosts = {contact["host"] for contact in record["network"]["contacts"]}
    assert hosts == {"127.0.0.1"}


def test_no_name_of_user_or_machine_outside_the_private_part(captured: Captured) -> None:
    private = json.loads((captured.opened / "data/private.json").read_bytes())
    host = private["host_name"]
    assert host
    for path in captured.opened.rglob("*"):
        if path.is_file() and path.name != "private.json" and len(host) > 3:
            assert host.encode() not in path.read_bytes(), path


def test_the_post_names_its_sources(captured: Captured) -> None:
    post = json.loads((captured.opened / "data/post.json").read_bytes())["posts"][0]
    raw = json.loads((captured.opened / post["text_html"]["source"]["file"]).read_bytes())
    assert post["text_html"]["value"] == raw["content"]
    assert post["created"]["value"] == raw["created_at"]
    text = (captured.opened / "data/web/text.txt").read_text("utf-8")
    assert post["text"]["value"].split("\n")[0][:40] in text


def test_no_cookie_value_is_anywhere_in_the_bundle(captured: Captured) -> None:
    secrets = {
        match[1]
        for exchange in captured.wire
        for match in re.finditer(rb"[Ss]et-[Cc]ookie: [^=]+=([^;\r\n]{16,})", exchange.response)
    }
    assert secrets, "the example site sets a cookie with a random value"
    for path in captured.opened.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            for secret in secrets:
                assert secret not in data, path
    assert captured.record["redactions"]


def records(captured: Captured, folder: Path) -> Iterator[tuple[str, Any, bytes]]:
    """(part, record, block) of every HTTP record of both WARCs."""
    with zipfile.ZipFile(captured.opened / "data/web/page.wacz") as wacz:
        wacz.extract("archive/data.warc", folder)
    for part, path in (
        ("page", folder / "archive/data.warc"),
        ("api", captured.opened / "data/api/exchanges.warc"),
    ):
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream, no_record_parse=True):
                if record.rec_type in ("request", "response"):
                    yield part, record, record.raw_stream.read()


def unmasked(block: bytes, wire: bytes, items: list[dict[str, Any]]) -> bytes:
    """The block with each listed marker replaced by what the wire has in that place."""
    spots = sorted((tuple(spot), item["length"]) for item in items for spot in item["ranges"])
    out, at = bytearray(), 0
    for (start, end), length in spots:
        out += block[at:start]
        out += wire[len(out) : len(out) + length]
        at = end
    return bytes(out + block[at:])


def same(record: Any, block: bytes, wire: bytes, items: list[dict[str, Any]]) -> bool:
    """Whether a record is what passed the socket, the listed redactions aside."""
    if record.rec_headers.get_header("X-Evidence-Content") != "redacted-recoded":
        return unmasked(block, wire, items) == wire
    decoded = [item for item in items if item["field"].startswith("decoded ")]
    head, _, body = block.partition(b"\r\n\r\n")
    wire_head, _, wire_body = wire.partition(b"\r\n\r\n")
    plain = unmasked(head, wire_head, [item for item in items if item not in decoded])
    if without_length(plain) != without_length(wire_head):
        return False
    before = gzip.decompress(wire_body)
    return unmasked(gzip.decompress(body), before, decoded) == before


def without_length(head: bytes) -> bytes:
    """A body that was coded again may have another length, and its header says so."""
    return re.sub(rb"(?im)^content-length: \d+", b"content-length: n", head)


def test_every_exchange_stands_in_the_warc_byte_for_byte(
    captured: Captured, tmp_path: Path
) -> None:
    """As logged at the site's sockets, listed redactions aside."""
    left = {
        "request": Counter(bytes(item.request) for item in captured.wire),
        "response": Counter(bytes(item.response) for item in captured.wire),
    }
    for part, record, block in records(captured, tmp_path):
        side = record.rec_type
        number = record.rec_headers.get_header("X-Evidence-Exchange")
        items = [
            item
            for item in captured.record["redactions"]
            if item["record"] == f"{part} exchange {number}" and item["side"] == side
        ]
        match = next((wire for wire in left[side] if same(record, block, wire, items)), None)
        assert match is not None, (part, side, number, block[:300])
        left[side][match] -= 1
        if not left[side][match]:
            del left[side][match]
    assert not left["request"]
    assert not left["response"]
    assert len(captured.wire) > 15


@pytest.mark.parametrize("name", ["login", "deleted", "gone", "missing"])
def test_a_post_that_is_not_there_is_sealed_and_ends_with_4(
    name: str, site: DemoSite, tsa: DemoTsa, home: Path, tmp_path: Path
) -> None:
    code, result = capture(
        site.address(name), "--allow-private", "--tsa", tsa.url, home=home, output=tmp_path
    )
    assert code == 4
    assert result["state"] == "not-there"
    with zipfile.ZipFile(result["bundle"]) as bundle:
        record = json.loads(bundle.read("data/capture.json"))
    assert record["state"] == "not-there"
    assert record["content_check"]["signals"]
    expected = {"login": "login-wall", "deleted": "not-available", "gone": "http-error"}
    assert record["content_check"]["state"] == expected.get(name, "http-error")


def test_a_short_link_is_followed_and_its_redirect_kept(
    site: DemoSite, tsa: DemoTsa, home: Path, tmp_path: Path
) -> None:
    code, result = capture(
        site.address("short"), "--allow-private", "--tsa", tsa.url, home=home, output=tmp_path
    )
    assert code == 0
    with zipfile.ZipFile(result["bundle"]) as bundle:
        page = json.loads(bundle.read("data/capture.json"))["page"]
    assert page["requested_url"] == site.address("short")
    assert page["redirects"]
    assert page["final_url"] == site.address("threat")
    assert page["permalink"] == site.address("threat")


def test_no_tsa_on_purpose_is_no_gap(site: DemoSite, home: Path, tmp_path: Path) -> None:
    code, result = capture(
        site.address("threat"), "--allow-private", "--no-tsa", home=home, output=tmp_path
    )
    assert (code, result["state"]) == (0, "complete")
    checked = evidence_kit("verify", result["bundle"], "--json", home=home)
    assert "timestamp-missing" in json.loads(checked.stdout)["bundles"][0]["states"]


def test_a_dead_tsa_is_a_gap_and_said(site: DemoSite, home: Path, tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
        code, result = capture(
            site.address("threat"), "--allow-private", "--tsa", dead, home=home, output=tmp_path
        )
    assert (code, result["state"]) == (3, "partial")
    assert [item["what"] for item in result["missing"]] == ["time stamp"]
    receipt = json.loads(Path(result["receipt"]).read_bytes())
    assert receipt["contacts"][0]["url"] == dead


def test_the_next_tsa_is_tried(site: DemoSite, tsa: DemoTsa, home: Path, tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
        code, result = capture(
            *(site.address("threat"), "--allow-private", "--tsa", dead, "--tsa", tsa.url),
            home=home,
            output=tmp_path,
        )
    assert (code, result["missing"]) == (0, [])


def test_a_private_address_needs_a_flag(
    site: DemoSite, tsa: DemoTsa, home: Path, tmp_path: Path
) -> None:
    before = tsa.requests
    code, result = capture(site.address("threat"), "--tsa", tsa.url, home=home, output=tmp_path)
    assert code == 22
    assert "is on a private network at 127.0.0.1: loopback" in result["error"]["message"]
    assert "--allow-private" in result["error"]["hint"]
    assert not list(tmp_path.iterdir())
    assert tsa.requests == before  # refused before anything is contacted or started


def test_a_site_that_does_not_answer_is_sealed_as_not_there(home: Path, tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/post/1"
        code, result = capture(url, "--allow-private", "--no-tsa", home=home, output=tmp_path)
    assert (code, result["state"]) == (4, "not-there")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("example.org/post", "not a web address"),
        ("file:///etc/passwd", "not a web address"),
        ("https://user:geheim@example.org/", "user name or password"),
        ("https://[::1", "not a web address"),
        ("https://evil.example\\.forum.example/1", "not a web address"),
    ],
)
def test_a_wrong_address_ends_with_2(url: str, why: str, home: Path, tmp_path: Path) -> None:
    code, result = capture(url, home=home, output=tmp_path)
    assert code == 2
    assert why in result["error"]["message"]
    assert "geheim" not in json.dumps(result)


def test_a_wrong_passphrase_ends_with_23_before_anything_is_asked(
    site: DemoSite, home: Path, tmp_path: Path
) -> None:
    work = home / "work"
    before = sorted(work.iterdir()) if work.exists() else []
    ended = evidence_kit(
        *("capture", site.address("threat"), "--output", str(tmp_path), "--passphrase-fd", "0"),
        home=home,
        passphrase="verkeerd",
    )
    assert ended.returncode == 23
    assert (sorted(work.iterdir()) if work.exists() else []) == before


def test_no_browser_ends_with_21_and_says_what_to_do(
    site: DemoSite, home: Path, tmp_path: Path
) -> None:
    code, result = capture(
        *(site.address("threat"), "--allow-private", "--no-tsa"),
        home=home,
        output=tmp_path,
        EVIDENCE_KIT_BROWSER=str(tmp_path / "none"),
    )
    assert code == 21
    assert result["error"]["hint"]


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_asked(
    site: DemoSite, home: Path, tmp_path: Path
) -> None:
    output = tmp_path / "taken"
    output.write_text("a file where the folder should be", "utf-8")
    code, result = capture(
        site.address("threat"), "--allow-private", "--no-tsa", home=home, output=output / "out"
    )
    assert code == 25
    assert "cannot make the folder" in result["error"]["message"]
