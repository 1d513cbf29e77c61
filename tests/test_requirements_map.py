"""Each point that investigators ask of a capture has its place in the bundle."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.fixtures_capture import PASSPHRASE, Captured, captured

__all__ = ["captured"]

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("captured")]

Check = Callable[[Captured, dict[str, Any]], object]


def warc(captured: Captured) -> bytes:
    with zipfile.ZipFile(captured.opened / "data/web/page.wacz") as wacz:
        return wacz.read("archive/data.warc")


def made(record: dict[str, Any]) -> set[str]:
    return {item["kind"] for item in record["artefacts"] if item["state"] == "made"}


def post(captured: Captured) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((captured.opened / "data/post.json").read_bytes())["posts"][
        0
    ]
    return found


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


CHECKS: dict[str, Check] = {
    "C1 requested address": lambda c, r: r["page"]["requested_url"] == c.url,
    "C1 redirects": lambda c, r: isinstance(r["page"]["redirects"], list),
    "C1 final address": lambda c, r: r["page"]["final_url"] == c.url,
    "C1 permalink": lambda c, r: r["page"]["permalink"] == c.url,
    "C2 exchanges with digests, address and time": lambda c, r: all(
        re.search(pattern, warc(c))
        for pattern in (
            rb"WARC-Type: warcinfo",
            rb"WARC-Block-Digest: sha256:",
            rb"WARC-Payload-Digest: sha256:",
            rb"WARC-IP-Address: 127\.0\.0\.1",
            rb"WARC-Date: 20\d\d-",
        )
    ),
    "C2 failures too": lambda c, r: "without_response" in r["recording"],
    "C3 addresses and who says so": lambda c, r: all(
        contact["addresses"] and contact["says"] == "guard" and contact["port"]
        for contact in r["network"]["contacts"]
    ),
    "C3 TLS and proxy": lambda c, r: {"tls", "proxy"} <= set(r["network"]),
    "C4 picture, PDF, snapshot, DOM, text, tree": lambda c, r: (
        made(r) >= {"screenshot", "pdf", "mhtml", "dom", "text", "aria"}
    ),
    "C5 media byte for byte, failures listed": lambda c, r: (
        "media" in made(r) and isinstance(r["missing"], list)
    ),
    "C6 text, ids, author, visibility, counts": lambda c, r: all(
        post(c)[name] is not None
        for name in ("text", "id", "author_id", "author_handle", "visibility", "likes")
    ),
    "C7 time as given, with source and precision": lambda c, r: (
        post(c)["created"]["precision"] and post(c)["created"]["source"]["pointer"]
    ),
    "C8 organisation and staff code": lambda c, r: (
        r["operator"]["organisation"] == "Testziekenhuis" and r["operator"]["staff_code"]
    ),
    "C8 names in the part that can be withheld": lambda c, r: (
        r["operator"]["private"] == "data/private.json"
        and json.loads((c.opened / "data/private.json").read_bytes())["host_name"]
    ),
    "C8 machine and system": lambda c, r: all(r["machine"].values()),
    "C8 software and libraries": lambda c, r: (
        r["software"]["version"] and "playwright" in r["software"]["libraries"]
    ),
    "C8 browser with digest": lambda c, r: (
        re.fullmatch("[0-9a-f]{64}", r["browser"]["sha256"]) and r["browser"]["version"]
    ),
    "C8 command line": lambda c, r: r["request"]["command"][:2] == ["evidence-kit", "capture"],
    "C8 locale and time zone": lambda c, r: r["browser"]["locale"] and r["browser"]["time_zone"],
    "C8 account": lambda c, r: r["account"] == {"logged_in": False, "name": None},
    "C9 clock against an independent source": lambda c, r: (
        r["clock"]["source"] and r["clock"]["offset_seconds"] is not None
    ),
    "C10 content check": lambda c, r: (
        r["content_check"]["state"] == "present" and r["content_check"]["signals"]
    ),
    "C11 what was removed is declared": lambda c, r: all(
        item["record"] and item["field"] and item["ranges"] for item in r["redactions"]
    ),
    "C12 fresh profile": lambda c, r: any(
        flag.startswith("--user-data-dir=(work folder)") for flag in r["browser"]["flags"]
    ),
    "C13 conversions, limits, warnings, gaps": lambda c, r: (
        {*("warnings", "limits", "missing", "events", "redaction_notes")} <= set(r)
    ),
}


@pytest.mark.parametrize("point", CHECKS)
def test_the_point_has_its_field(point: str, captured: Captured) -> None:
    assert CHECKS[point](captured, captured.record)


def test_every_point_is_there() -> None:
    assert {point.split()[0] for point in CHECKS} == {f"C{number}" for number in range(1, 14)}


def test_no_secret_of_the_command_line(captured: Captured) -> None:
    for path in captured.opened.rglob("*"):
        if path.is_file():
            assert PASSPHRASE.encode() not in path.read_bytes(), path


def test_the_delay_until_the_seal_is_told(captured: Captured) -> None:
    custody = json.loads((captured.opened / "custody/0001-captured.json").read_bytes())
    assert custody["recovered"] is False
    delay = (moment(custody["time"]) - moment(custody["captured_until"])).total_seconds()
    assert custody["seconds_until_sealing"] == pytest.approx(delay, abs=0.001)
    assert moment(captured.record["times"]["ended"]) <= moment(custody["captured_until"])


def test_every_answer_of_the_platform_is_named(captured: Captured) -> None:
    """All but the text that the program derived; the media of the post too."""
    named = {item["file"] for item in captured.record["answers"]}
    held = {
        path.relative_to(captured.opened).as_posix()
        for folder in ("data/api", "data/media")
        for path in (captured.opened / folder).iterdir()
    }
    rest = {name.rpartition("/")[2][5:] for name in held - named}
    assert rest == {"nges.warc", "derived-text.json"}
    assert len(named) == len(captured.record["answers"]) > 6
