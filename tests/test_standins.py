"""Stand-ins: no secret of a logged-in visit is written, and nothing else changes."""

from __future__ import annotations

import base64
import json
import os
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.seal.redact_looks import looks_random
from evidence_kit.seal.standins import StandIns
from tests.login_site import REFRESH, SECRETS, SESSION, SHORT, TOKEN

SIGNED = "a+b/k2J9xQ7vLm4TzR8wPb3Nc=="
RANDOM = (SESSION, TOKEN, REFRESH, SIGNED, "ab%2Bk2J9xQ7vLm4TzR8wPb3Nc%3D")


def known(*secrets: str) -> StandIns:
    made = StandIns(os.urandom)
    for secret in secrets:
        made.learn(secret.encode())
    return made


def ways(value: str) -> list[bytes]:
    """How a value is written in pages, addresses and messages."""
    raw = value.encode()
    return [
        raw,
        quote(value, safe="").encode(),
        json.dumps(value).replace("/", "\\/").encode(),
        value.replace("+", "\\u002b").encode(),
        *(base64.b64encode(b"x" * shift + raw + b"yz") for shift in range(3)),
        base64.urlsafe_b64encode(raw + b"yz"),
    ]


@pytest.mark.parametrize("value", RANDOM)
def test_a_secret_is_exchanged_however_it_is_written(value: str) -> None:
    standins = known(value)
    for way in ways(value):
        out = standins.anywhere(b"<p>" + way + b"</p>")
        assert len(out) == len(way) + 7
        assert value.encode() not in out
        assert way[4:-6] not in out
        assert standins.anywhere(out) == out


@pytest.mark.parametrize("value", RANDOM)
def test_a_standin_is_of_the_same_length_and_kind(value: str) -> None:
    standin = known(value).made[value.encode()]
    assert len(standin) == len(value)
    assert looks_random(standin)
    for old, new in zip(value.encode(), standin, strict=True):
        assert chr(old).isalnum() == chr(new).isalnum()
        assert chr(old).isdigit() == chr(new).isdigit()
    assert standin.startswith(b"eyJ") == value.startswith("eyJ")


def test_words_stay_wherever_a_page_uses_them_as_a_cookie() -> None:
    standins = known("jij-gaat-eraan-kees")
    text = b"Ik zei: jij-gaat-eraan-kees"
    assert standins.anywhere(text) == text


def test_credential_fields_of_a_message_are_exchanged_whatever_they_hold() -> None:
    standins = StandIns(os.urandom)
    request = (
        f"GET /post HTTP/1.1\r\nHost: example.org\r\nCookie: pin={SHORT}; sid={SESSION}\r\n"
        f"Authorization: Bearer {TOKEN}\r\nX-Session: {REFRESH}\r\n\r\n"
    ).encode()
    out = standins.message(request)
    assert len(out) == len(request)
    assert not [value for value in SECRETS if value.encode() in out]
    assert out.startswith(b"GET /post HTTP/1.1\r\nHost: example.org\r\nCookie: pin=")
    answer = (
        f"HTTP/1.1 200 OK\r\nSet-Cookie: new={SHORT}x; Path=/\r\n\r\n{SESSION} {SHORT}".encode()
    )
    out = standins.message(answer)
    assert len(out) == len(answer)
    assert SESSION.encode() not in out
    assert f"{SHORT}x".encode() not in out
    assert out.endswith(f" {SHORT}".encode())  # a short value is not searched for (rule 6)
    assert b"; Path=/\r\n" in out


def test_bytes_and_headers_of_the_log_get_the_same_standin() -> None:
    standins = StandIns(os.urandom)
    cookie = f'pin={SHORT}; sid="{SESSION}"'
    message = f"GET / HTTP/1.1\r\nCookie: {cookie}\r\n\r\n".encode()
    headers = json.dumps({"params": {"headers": [f"Cookie: {cookie}", "x: y"]}, "phase": 0})
    logged = standins.line(headers.replace(": [", ":[").encode() + b",\n")
    coded = base64.b64encode(message)
    line = standins.line(b'{"params":{"byte_count":9,"bytes":"' + coded + b'"},"phase":0},\n')
    assert len(line) == len(coded) + 35 + 15
    inner = base64.b64decode(json.loads(line.rstrip(b",\n"))["params"]["bytes"])
    (header, other) = json.loads(logged.rstrip(b",\n"))["params"]["headers"]
    assert header.encode() in inner
    assert other == "x: y"
    assert SHORT not in header
    assert SESSION not in header


def test_a_line_that_is_no_log_stays() -> None:
    standins = known(SESSION)
    for line in (b'{"params":{"bytes":"A"},', b'{"headers":["Cookie: \\uZZ"]}', b"", b"]}\n"):
        assert standins.line(line) == line


_LETTERS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", min_size=1)


@given(names=st.lists(_LETTERS, min_size=1, max_size=4), body=st.binary(max_size=300))
def test_any_message_keeps_its_length_and_its_shape(names: list[str], body: bytes) -> None:
    standins = known(*RANDOM)
    fields = "".join(f"Set-Cookie: {name}={SESSION}{name}; Path=/\r\n" for name in names)
    message = f"HTTP/1.1 200 OK\r\n{fields}\r\n".encode() + body
    out = standins.message(message)
    assert len(out) == len(message)
    assert out.count(b"\r\n") == message.count(b"\r\n")
    assert SESSION.encode() not in out
    assert standins.message(message) == out


@given(data=st.binary(max_size=400))
def test_what_holds_no_secret_stays_byte_for_byte(data: bytes) -> None:
    standins = known(*RANDOM)
    assert standins.anywhere(data) == data
    assert standins.mhtml(b'boundary="x"\r\n\r\n--x\r\n\r\n' + data) == (
        b'boundary="x"\r\n\r\n--x\r\n\r\n' + data
    )
