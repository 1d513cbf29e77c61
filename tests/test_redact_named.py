"""Short and plain session cookies: masked where they are named, and nowhere else."""

from __future__ import annotations

import json
import time
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest

from evidence_kit.core.limits import CHUNK
from evidence_kit.seal.redact import Redactor
from evidence_kit.seal.redact_named import REACH, is_session_name
from tests.fixtures_page import Capture, page_home, sealed
from tests.netlog_site import Route, reply, run_site
from tests.test_redact import content, exchange, run
from tests.test_redact_bundle import HTML, streams

__all__ = ["page_home", "sealed"]

DIGITS, SHORT, LONG = "73920184", "q7Lm4TzR8", "7392018465738291047385"
VALUES = [DIGITS, SHORT, LONG]
ECHO = '{"sid": "%s"}'
NAMED = [
    "sid=%s; Path=/",
    "document.cookie = 'a=b; sid=%s'",
    "https://a.example/?x=1&sid=%s&y=2",
    quote("https://a.example/?sid=") + "%s",
    ECHO,
    '{"sid":%s,"x":1}',
    escape(ECHO),
    json.dumps(ECHO),
    json.dumps(json.dumps(ECHO)),
    "{sid: '%s'}",
    'var sid = "%s";',
    '<p data-sid="%s">',
    '<input type="hidden" name="sid" value="%s">',
    "<input type=hidden value=%s id=x name=sid>",
    "<INPUT NAME='sid' class='a b' VALUE='%s'/>",
    '<meta name="sid" content="x"><input name=sid\n value="%s">',
]
PLAIN = [
    "bel %s",
    "sid: %s",
    "de sid %s",
    "insid=%s",
    "sid=%s1",
    "sid=1%s",
    "sid=%s-abc",
    '{"tel": "%s"}',
    '{"sidebar": "%s"}',
    '<input name="tel" value="%s"><input name="sid">',
    '<input value="%s"><p>name="sid"',
    '<input name="sid-2" value="%s">',
    f'<input name="sid" {"x" * REACH} value="%s">',
]


def knowing(value: str, name: str = "sid") -> Redactor:
    """After an answer that set the cookie."""
    return learnt({name: value})


def learnt(cookies: dict[str, str]) -> Redactor:
    redactor = Redactor()
    head = "".join(f"Set-Cookie: {name}={value}; Path=/\r\n" for name, value in cookies.items())
    with TemporaryDirectory() as folder:
        answer = f"HTTP/1.1 200 OK\r\n{head}\r\n".encode()
        redactor.learn(exchange(Path(folder), response=answer))
    return redactor


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("text", NAMED)
def test_where_its_name_stands(value: str, text: str) -> None:
    data = text.replace("%s", value).encode()
    for around in (b"", b"<p>", b"\n" * 2_000):
        out, items = knowing(value).redact_bytes(around + data + around, "dom.txt")
        want = text.replace("%s", "REDACTED#1".ljust(len(value), "-")[: len(value)]).encode()
        assert out == around + want + around
        assert [item.field for item in items] == ["body named"]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("text", PLAIN)
def test_and_nowhere_else(value: str, text: str) -> None:
    data = text.replace("%s", value).encode()
    assert knowing(value).redact_bytes(data, "dom.txt") == (data, ())


def test_where_chunks_meet(tmp_path: Path) -> None:
    echo = f'<input type="hidden" value="{DIGITS}" class="een twee" name="sid">'.encode()
    for place in range(0, len(echo) + REACH, 7):
        path = tmp_path / f"{place}.txt"
        path.write_bytes(b"." * (2 * CHUNK - place) + echo + b"." * CHUNK)
        (item,) = knowing(DIGITS).redact_file(path, path.name)
        assert DIGITS.encode() not in path.read_bytes()
        assert item.length == len(DIGITS)


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("sid", True),
        ("connect.sid", True),
        ("PHPSESSID", True),
        ("ASP.NET_SessionId", True),
        ("__Host-session", True),
        ("_forum_session", True),
        ("bb_sess", True),
        ("XSRF-TOKEN", True),
        ("text", False),
        ("message", False),
        ("tel", False),
        ("id", False),
        ("naam", False),
        ("assess", False),
        ("date", False),
    ],
)
def test_which_names_are_those_of_a_session(name: str, own: bool) -> None:
    assert is_session_name(name.encode()) is own
    data = f"{name}={DIGITS}&".encode()
    assert (DIGITS.encode() in knowing(DIGITS, name).redact_bytes(data, "x")[0]) is not own


@pytest.mark.parametrize(
    "words",
    [
        "vermoorden",
        "ik-ga-je-doden",
        "IkGaJeDoden",
        "Lindelaan12",
        "kees1985",
        "jij%20gaat%20eraan",
        "0612345",
        "2026-11-23",
    ],
)
def test_a_page_blanks_no_word_by_calling_it_a_session(tmp_path: Path, words: str) -> None:
    cookies = {"sid": words, "session": words, "token": words, "text": words, "content": words}
    text = f'<p>{words}</p><a href="?sid={words}">{{"text": "{words}", "sid": "{words}"}}'
    head = "".join(f"Set-Cookie: {name}={value}\r\n" for name, value in cookies.items())
    size = len(text)
    response = f"HTTP/1.1 200 OK\r\n{head}Content-Length: {size}\r\n\r\n{text}".encode()
    redactor = Redactor()
    _, received = content(run(tmp_path, exchange(tmp_path / "in", response=response), redactor))
    assert received.endswith(text.encode())
    assert redactor.redact_bytes(text.encode(), "dom.txt") == (text.encode(), ())


def test_a_number_of_the_post_stays_whatever_the_cookies_are_called() -> None:
    """A telephone number, the post's own number, a date: also where they are cookies."""
    numbers = {"sid": "0612345678", "session": "1234567890123456", "token": "20261123"}
    text = json.dumps(
        {"id": numbers["session"], "text": "bel 0612345678", "date": 20261123, "tel": "0612345678"}
    ).encode()
    redactor = learnt(numbers)
    assert redactor.redact_bytes(text, "0001-post.json") == (text, ())


def test_what_stands_for_a_cookie_leads_to_the_cookie_itself(tmp_path: Path) -> None:
    """Of a visit that is logged in the headers hold stand-ins, and an echo holds the value."""
    redactor = Redactor()
    redactor.learn_standin(DIGITS.encode(), b"11223344")
    request = b"GET / HTTP/1.1\r\nHost: a.example\r\nCookie: sid=11223344\r\n\r\n"
    redactor.learn(exchange(tmp_path / "in", request))
    data = f'{{"sid": "{DIGITS}", "x": "{DIGITS}"}} sid=11223344'.encode()
    out, _ = redactor.redact_bytes(data, "dom.txt")
    assert out == f'{{"sid": "REDACTED", "x": "{DIGITS}"}} sid=REDACTED'.encode()


@pytest.mark.parametrize("text", [f"{DIGITS} ", f"sid {DIGITS} ", f"sid='x' value='{DIGITS}' <p>"])
def test_a_page_full_of_it_costs_no_time(text: str) -> None:
    data = text.encode() * 50_000
    redactor = knowing(DIGITS)
    started = time.process_time()
    assert redactor.redact_bytes(data, "dom.txt") == (data, ())
    assert time.process_time() - started < 10


def test_that_it_stands_elsewhere_is_noted() -> None:
    redactor = knowing(LONG)
    redactor.redact_bytes(f"sid={LONG}".encode(), "a.txt")
    before = len(redactor.notes)
    redactor.redact_bytes(f"sid={LONG} en {LONG}".encode(), "b.txt")
    (note,) = redactor.notes[before:]
    assert (before, "b.txt" in note) == (0, True)


PAGE = f"""<!doctype html><title>Bericht</title>
<p>Ik weet waar je woont. bel {DIGITS} of {SHORT}</p>
<form><input type=hidden name=sid value={DIGITS}>
<input type=hidden name="PHPSESSID" value="{SHORT}"></form>
<script type="application/json">{{"sid": "{DIGITS}", "PHPSESSID": "{SHORT}"}}</script>
<script>fetch('/api?sid={DIGITS}').then(r => r.text())
  .then(text => document.body.append(text))</script>"""


@pytest.mark.browser
@pytest.mark.slow
def test_no_named_echo_is_left_in_a_bundle(sealed: Capture, tmp_path: Path) -> None:
    cookies = [("Set-Cookie", f"sid={DIGITS}; Path=/"), ("Set-Cookie", f"PHPSESSID={SHORT}")]
    data = json.dumps({"sid": int(DIGITS), "PHPSESSID": SHORT, "tel": f"bel {DIGITS}"}).encode()
    page = reply("200 OK", [HTML, *cookies], PAGE.encode())
    api = reply("200 OK", [("Content-Type", "application/json")], data)
    routes: dict[str, Route] = {"/": lambda _: page, f"/api?sid={DIGITS}": lambda _: api}
    with run_site(routes) as (served, port):
        found = sealed(f"http://localhost:{port}/")
        assert f"/api?sid={DIGITS}" in {seen.path for seen in served.seen}
    stood = 0
    for name, text in streams(found, tmp_path):
        for value, words in ((DIGITS, b"bel "), (SHORT, b"of ")):
            for part in text.split(value.encode())[:-1]:
                assert part.endswith(words), (name, part[-60:])
                stood += 1
    assert stood > 10
    fields = {item["field"] for item in found.record["redactions"]}
    assert "body named" in fields
