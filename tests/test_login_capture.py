"""Captures that are logged in: the post behind the wall, and no session in any file."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from warcio.archiveiterator import ArchiveIterator

from evidence_kit.core.exchange import Representation
from evidence_kit.core.findings import Section, Status
from evidence_kit.gather.page_types import Method
from evidence_kit.gather.session_state import MaskedLines, logged_in
from evidence_kit.jobs.sessions import Site, keep_session, new_key
from evidence_kit.jobs.trust import load_anchors
from evidence_kit.jobs.verify import examine
from evidence_kit.seal.netlog import NetLogReader
from tests.fixtures_capture import PASSPHRASE, evidence_kit, new_home
from tests.fixtures_page import Record, browser, driver, record, site
from tests.login_site import ACCOUNT, POST, SECRETS, SESSION, TOKEN, LoginSite, login_site
from tests.netlog_browser import record as record_log
from tests.netlog_site import run_site, tls_context
from tests.netlog_site_h2 import Http2Seen, serve_http2
from tests.processes import kill_group
from tests.test_redact_bundle import forms, warc

__all__ = ["browser", "driver", "record", "site"]

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("login")]

WAIT_SECONDS = 120.0


@dataclass(frozen=True)
class Place:
    """A home in which somebody is logged in to the running site."""

    folder: Path
    home: Path
    members: LoginSite

    @property
    def url(self) -> str:
        return f"{self.members.origin}/post/1"

    def arguments(self, output: Path, *more: str) -> list[str]:
        return [
            *("capture", self.url, "--allow-private", "--no-tsa", "--output", str(output)),
            *("--passphrase-fd", "0", *more),
        ]

    def capture(self, name: str, *more: str) -> tuple[subprocess.CompletedProcess[str], Path]:
        """Run it; what it gave back and the bundle."""
        output = self.folder / name
        ended = evidence_kit(*self.arguments(output, *more), home=self.home)
        found = list(output.glob("*.asice"))
        assert len(found) == 1, ended.stdout + ended.stderr
        return ended, found[0]

    @property
    def login(self) -> tuple[str, str]:
        return "--login", self.members.name


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Without a keyring, as on a server: the passphrase opens key and session."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setattr("evidence_kit.jobs.sessions.keep_in_keyring", lambda *_: False)
    home = new_home(tmp_path)
    with login_site() as members:
        key = new_key(home, "default", PASSPHRASE.encode, os.urandom)
        keep_session(
            home,
            Site(members.name, "", f"{members.origin}/login"),
            ACCOUNT,
            members.state(),
            key,
            clock=lambda: datetime.now(UTC),
            random=os.urandom,
        )
        yield Place(tmp_path, home, members)


def record_of(bundle: Path) -> dict[str, Any]:
    with zipfile.ZipFile(bundle) as archive:
        found: dict[str, Any] = json.loads(archive.read("data/capture.json"))
        return found


def shown_text(bundle: Path) -> str:
    with zipfile.ZipFile(bundle) as archive:
        return archive.read("data/web/text.txt").decode()


def streams(bundle: Path, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of a bundle, unpacked as far as it goes; pictures apart."""
    folder.mkdir()
    with zipfile.ZipFile(bundle) as archive:
        for name in archive.namelist():
            data = archive.read(name)
            if not name.endswith((".png", ".pdf")):
                yield name, data
            if name.endswith(".warc"):
                yield from warc(data, name, folder)
            if name.endswith(".wacz"):
                with zipfile.ZipFile(io.BytesIO(data)) as inner:
                    for part in inner.namelist():
                        yield f"{name}:{part}", inner.read(part)
                        if part.endswith(".warc"):
                            yield from warc(inner.read(part), part, folder)


def lies_about(*folders: Path) -> list[str]:
    """Files in which a secret stands as it is, or as base64 holds it."""
    found = []
    for path in (path for folder in folders for path in folder.rglob("*")):
        if not path.is_file():
            continue
        data = path.read_bytes()
        for secret in SECRETS:
            if any(form in data for form in forms(secret) if len(form) > 4):
                found.append(f"{path}: {secret}")
    return found


def sound(bundle: Path) -> None:
    anchors = load_anchors(bundle.parent, (), ())
    verdict = examine(bundle, anchors=anchors, now=datetime.now(UTC)).verdict
    assert verdict.section(Section.INTEGRITY) is Status.PASSED, verdict
    assert verdict.section(Section.CONTENT) is Status.PASSED, verdict


def test_a_visitor_meets_the_wall_and_a_member_the_post(place: Place) -> None:
    ended, bundle = place.capture("visitor")
    assert ended.returncode == 4
    assert "asks for a login first (see --login)" in ended.stdout
    assert record_of(bundle)["account"] == {"logged_in": False, "name": None}
    assert not any(cookie for _, _, cookie in place.members.requests)  # only when asked for

    ended, bundle = place.capture("member", *place.login)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert POST in shown_text(bundle)
    assert "dark" in shown_text(bundle)  # local storage was there before the first script ran
    found = record_of(bundle)
    account = found["account"]
    assert account["logged_in"] is True
    assert (account["name"], account["source"]) == (ACCOUNT, "operator")
    assert (account["site"], account["on_page"]) == (place.members.name, True)
    assert found["request"]["command"][-2:] == list(place.login)
    asked = [path for path in place.members.asked() if path in ("/", "/favicon.ico")]
    assert not asked  # filling the storage asked nothing of the site
    shown = evidence_kit("show", str(bundle), "--lang", "nl", home=place.home).stdout
    assert f"{ACCOUNT}, {place.members.name} (naam opgegeven door de vastlegger" in shown
    said = evidence_kit("verify", str(bundle), "--lang", "en", home=place.home).stdout
    assert f"Captured while logged in to {place.members.name} as {ACCOUNT}" in said
    sound(bundle)


def test_no_secret_of_the_session_is_in_the_bundle_or_anywhere_else(
    place: Place, tmp_path: Path
) -> None:
    ended, bundle = place.capture("member", *place.login)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for name, data in streams(bundle, tmp_path / "streams"):
        for secret in SECRETS:
            assert not [form for form in forms(secret) if len(form) > 4 and form in data], name
    assert not lies_about(place.home)
    assert not [secret for secret in SECRETS if secret in ended.stdout + ended.stderr]
    with zipfile.ZipFile(bundle) as archive:
        wacz = io.BytesIO(archive.read("data/web/page.wacz"))
    with zipfile.ZipFile(wacz) as archive, archive.open("archive/data.warc") as stream:
        records = ArchiveIterator(stream, no_record_parse=True)
        heads = [item.raw_stream.read() for item in records if item.rec_type == "request"]
    assert any(b"Cookie: sid=REDACTED#" in head for head in heads)
    assert any(b"Authorization: Bearer REDACTED#" in head for head in heads)


def test_the_same_secret_has_one_number(place: Place) -> None:
    _, bundle = place.capture("member", *place.login)
    numbers: dict[str, set[str]] = {}
    for item in record_of(bundle)["redactions"]:
        if item["field"] in ("header authorization", "decoded body"):  # both hold the token
            numbers.setdefault("token", set()).add(item["marker"])
    assert [len(markers) for markers in numbers.values()] == [1]


def test_a_session_that_ended_at_the_site_is_said(place: Place) -> None:
    place.members.valid = False
    ended, bundle = place.capture("ended", *place.login)
    assert ended.returncode == 4, ended.stdout + ended.stderr
    found = record_of(bundle)
    assert found["content_check"]["state"] == "login-wall"
    assert [item["code"] for item in found["warnings"]] == ["login.not-accepted"]
    assert found["account"]["on_page"] is False
    assert not lies_about(place.home)


def test_an_unknown_or_unfit_session_is_refused_before_anything_is_asked(place: Place) -> None:
    output = place.folder / "none"
    ended = evidence_kit(*place.arguments(output, "--login", "x"), home=place.home)
    assert ended.returncode == 2
    assert "nobody is logged in to x" in ended.stderr
    other = ("capture", "https://example.org/1", "--login", place.members.name)
    ended = evidence_kit(*other, home=place.home)
    assert ended.returncode == 2
    assert "is for 127.0.0.1, not for example.org" in ended.stderr
    wrong = evidence_kit(
        *place.arguments(output, *place.login), home=place.home, passphrase="een andere zin"
    )
    assert wrong.returncode == 23
    assert not place.members.requests
    assert not output.exists()


@pytest.mark.parametrize("method", list(Method))
def test_cookies_go_to_their_own_host_and_no_file_has_them(
    record: Record, site: Any, tmp_path: Path, method: Method
) -> None:
    """The page of another host embeds one of the session's: what is of it goes there only."""
    with login_site() as members:
        body = f'<img src="{members.origin}/post/1"><img src="/own.png">'
        site.html("/", f"<!doctype html><p>vreemd</p>{body}")
        login = logged_in(members.state(), os.urandom)
        found = record(
            site.url("/"), allow=(("127.0.0.1", members.port),), login=login, method=method
        )
        # Copies at the relay would have the session in them, so that way is never taken.
        assert found.method is (Method.NETLOG if method is Method.RELAY else method)
        assert not list(tmp_path.rglob("connections"))
        assert not any("cookie" in headers for _, headers in site.requests)
        again = record(
            f"{members.origin}/post/1",
            allow=(("127.0.0.1", members.port),),
            login=login,
            method=method,
        )
        # Which of picture and call comes last is the browser's choice.
        (call,) = [item for item in members.requests if item[1] == "/api"]
        assert SESSION in call[2]
    assert len(again.recording.exchanges) == 3
    assert not lies_about(tmp_path)
    assert not again.problems
    assert not again.cross_check.only_netlog
    assert not again.cross_check.only_cdp


def test_headers_of_http2_get_their_standins(tmp_path: Path) -> None:
    """They are packed on the wire; the log tells them unpacked, and that is what is exchanged."""
    page = f"<script>fetch('/b', {{headers: {{Authorization: 'Bearer {TOKEN}'}}}})</script>"
    cookies = [("set-cookie", f"sid={SESSION}"), ("set-cookie", "later=kort42")]
    fields = [(":status", "200"), ("content-type", "text/html"), *cookies]
    seen: list[Http2Seen] = []
    replies: list[tuple[list[tuple[str, str]], bytes, bool | None]] = [
        (fields, page.encode(), True),
        (fields, f"echo {TOKEN}".encode(), True),
    ]
    context, _ = tls_context(tmp_path, alpn=["h2"])
    log, wire = tmp_path / "log.json", tmp_path / "wire"
    with run_site({}, tls=context, serve=serve_http2(replies, seen)) as (_, port):
        record_log(f"https://localhost:{port}/", log, lambda: arrived(lambda: len(seen) >= 2))
    wire.mkdir()
    reader = NetLogReader(wire)
    login = logged_in(LoginSite(port=1).state(), os.urandom)
    masked = MaskedLines(reader, login)
    with log.open("rb") as stream:
        for line in stream:
            masked.feed(line)
    recording = reader.finish()
    first, second = (item for item in recording.exchanges[:2])
    assert second.representation is Representation.H2_REWRITTEN
    standins = login.standins.made
    assert first.response is not None
    assert b"set-cookie: sid=" + standins[SESSION.encode()] in first.response.read_bytes()
    sent = second.request.read_bytes()
    assert b"cookie: sid=" + standins[SESSION.encode()] in sent
    assert b"Bearer " + standins[TOKEN.encode()] in sent
    assert b"later=" in sent
    assert b"kort42" not in sent + first.response.read_bytes()  # too short to be searched for
    assert not recording.problems
    assert not lies_about(wire)


def arrived(ready: Callable[[], bool]) -> bool:
    end = time.monotonic() + WAIT_SECONDS
    while not ready() and time.monotonic() < end:
        time.sleep(0.02)
    return ready()


def start(place: Place, output: Path, tmp: Path) -> subprocess.Popen[bytes]:
    """A capture as a process group of its own, with its temporary files in ``tmp``."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("EVIDENCE_KIT_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "evidence_kit", *place.arguments(output, *place.login)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**kept, "EVIDENCE_KIT_HOME": str(place.home), "TMPDIR": str(tmp)},
        start_new_session=True,
    )
    assert process.stdin is not None
    process.stdin.write(f"{PASSPHRASE}\n".encode())
    process.stdin.close()
    return process


def wait_for(process: subprocess.Popen[bytes], pattern: str, folder: Path) -> None:
    """Until a file of that name is there; the capture must not end before."""
    end = time.monotonic() + WAIT_SECONDS
    while not list(folder.glob(pattern)):
        assert process.poll() is None, f"the capture ended before {pattern}"
        assert time.monotonic() < end, pattern
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("moment", "slow"),
    [
        ("netlog.json", True),  # the browser is about to start
        ("wire/spool-*", True),  # the page is coming in
        ("bag/data/web/dom.txt", False),  # it is drawn
        ("wire/*.response", False),  # the recording is being written
        ("state/page.json", False),  # the visit is over
        ("bag/data/web/page.wacz", False),  # it is being converted
    ],
)
def test_a_killed_capture_leaves_no_session(place: Place, moment: str, slow: bool) -> None:
    place.members.slow = threading.Event() if slow else None
    output, tmp = place.folder / "killed", place.folder / "tmp"
    tmp.mkdir()
    process = start(place, output, tmp)
    try:
        wait_for(process, f"*/{moment}", place.home / "work")
        if slow and moment != "netlog.json":
            end = time.monotonic() + WAIT_SECONDS
            while "/api" not in place.members.asked() and time.monotonic() < end:
                time.sleep(0.01)
    finally:
        kill_group(process)
        process.wait()
    if hasattr(os, "mkfifo"):  # elsewhere the browser's log is a file until the recovery
        assert not lies_about(place.home, tmp)
    (left,) = (path.name for path in (place.home / "work").iterdir())
    kept = place.home / "work" / left / "unfinished.netlog"
    assert not kept.exists() or not kept.stat().st_size  # packed headers would be in it
    recovered = evidence_kit("recover", left, "--passphrase-fd", "0", home=place.home)
    assert not lies_about(place.home, tmp)
    if recovered.returncode == 21:
        assert "nothing had come in" in recovered.stderr
        return
    assert recovered.returncode in (0, 3), recovered.stdout + recovered.stderr
    (bundle,) = output.glob("*.asice")
    sound(bundle)
    assert record_of(bundle)["account"]["name"] == ACCOUNT
    for name, data in streams(bundle, place.folder / "streams"):
        for secret in SECRETS:  # also within what is compressed, which no stand-in reaches
            assert not [form for form in forms(secret) if len(form) > 4 and form in data], name
