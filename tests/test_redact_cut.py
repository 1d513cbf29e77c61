"""Redaction where bytes were cut off: half a secret at the end is none the less a secret."""

from __future__ import annotations

import base64
import gzip
import time
import zlib
from dataclasses import replace
from pathlib import Path

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.core.limits import CHUNK
from evidence_kit.seal.redact import Redactor
from evidence_kit.seal.redact_looks import begins_random
from evidence_kit.seal.redact_types import Content
from evidence_kit.seal.redact_values import MAX_SECRETS
from tests.test_redact import SECRET, SLASHED, content, exchange, forms, knowing, run, survives

WORDS = "Ik weet waar je woont. "


def enough(value: bytes, form: str) -> int:
    """Characters of a form in which eight bytes of the value stand."""
    if form.startswith("base64"):
        return 14  # those that hold a neighbour's bits do not count
    return len(forms(value[:8])[form].removesuffix(b'"'))


@pytest.mark.parametrize("value", [SECRET, SLASHED], ids=["plain", "signs"])
@pytest.mark.parametrize("form", list(forms(SECRET)))
def test_half_a_secret_at_the_end_is_masked_in_every_coding(value: bytes, form: str) -> None:
    hidden = forms(value)[form]
    redactor = knowing(value)
    for length in range(1, len(hidden)):
        data = WORDS.encode() + hidden[:length]
        out, items = redactor.redact_bytes(data, "dom.txt")
        assert len(out) == len(data)
        assert out.startswith(WORDS.encode())
        if length < 8:
            assert out == data
        elif length >= enough(value, form):
            (item,) = items
            assert not survives(out, hidden[:length])
            assert hidden[4:length] not in out
            assert item.ranges[0][1] == len(data) or not item.field.endswith("cut off")


@given(st.binary(max_size=60), st.integers(8, len(SLASHED)))
def test_whatever_stands_before_it(noise: bytes, length: int) -> None:
    data = noise + SLASHED[:length]
    out, _ = knowing(SLASHED).redact_bytes(data, "x")
    assert len(out) == len(data)
    assert not out.endswith(SLASHED[:length]) or not begins_random(SLASHED[:length])


@pytest.mark.parametrize("place", [0, 1, 7, 8, 11, 100])
def test_where_chunks_meet(tmp_path: Path, place: int) -> None:
    path = tmp_path / "page.txt"
    path.write_bytes(b"." * (2 * CHUNK - place) + SECRET[:12])
    items = knowing(SECRET).redact_file(path, "page.txt")
    start = 2 * CHUNK - place
    assert [item.ranges for item in items] == [((start, start + 12),)]
    assert path.read_bytes().endswith(b".REDACTED#1--")


BODY = WORDS.encode() * 40 + b"token=" + SECRET
CUT = len(BODY) - 9
SIDES = ("request", "response")


def coded(coding: str) -> bytes:
    """The body under a coding, cut off within the secret."""
    if coding == "gzip":
        return gzip.compress(BODY, 0)[: 10 + 5 + CUT]  # stored: header, block head, bytes
    if coding == "deflate":
        return zlib.compress(BODY, 0)[: 2 + 5 + CUT]
    if coding == "br":
        engine = brotli.Compressor(quality=5)
        return bytes(engine.process(BODY[:CUT]) + engine.flush())
    return BODY[:CUT]


@pytest.mark.parametrize("coding", ["", "gzip", "deflate", "br"])
@pytest.mark.parametrize(
    ("side", "framing"),  # a request is never ended by the end of its connection
    [(side, framing) for side in SIDES for framing in ("length", "chunked")]
    + [("response", "close")],
)
def test_messages_in_both_directions(tmp_path: Path, coding: str, framing: str, side: str) -> None:
    body = coded(coding)
    head = f"Content-Encoding: {coding}\r\n" if coding else ""
    if framing == "chunked":
        head += "Transfer-Encoding: chunked\r\n"
        body = b"%x\r\n" % (len(body) + 99) + body
    elif framing == "length":
        head += f"Content-Length: {len(body) + 99}\r\n"
    message = head.encode() + b"\r\n" + body
    request = b"POST / HTTP/1.1\r\nHost: a.example\r\n" + message
    response = b"HTTP/1.1 200 OK\r\n" + message
    made = (
        exchange(tmp_path / "in", request)
        if side == "request"
        else replace(exchange(tmp_path / "in", response=response), truncated="disconnect")
    )
    done = run(tmp_path, made, knowing(SECRET))
    sent, received = content(done)
    out = sent if side == "request" else received
    if coding:
        assert (done.request_content, done.response_content)[side == "response"] is Content.RECODED
        (item,) = done.items
        assert item.field == "decoded body cut off"
        start, end = item.ranges[0]
        assert (start, end) == (CUT - 11, CUT)
    else:
        assert out.endswith(b"token=REDACTED#1-")
        assert len(out) == len(request if side == "request" else response)
    assert SECRET[:8] not in out


def test_what_is_whole_stays_exact(tmp_path: Path) -> None:
    """That a whole answer ends like this is what its server meant to say."""
    body = WORDS.encode() + SECRET[:12]
    response = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    made = exchange(tmp_path / "in", response=response)
    assert run(tmp_path, made, knowing(SECRET)).response_content is Content.EXACT
    cut = run(tmp_path, replace(made, truncated="unspecified"), knowing(SECRET))
    assert cut.response_content is Content.REDACTED


@pytest.mark.parametrize(
    "words",
    [
        "vermoord",
        "doodmaken-jullie",
        "IkWeetWaarJeWoont",
        "Lindelaan12",
        "jij%20gaat%20eraan",
        "kees1985",
        "0612345678",
        "rechtsstaatgeschiedenis",
        "jan.de.vries@example",
    ],
)
def test_a_page_that_is_cut_off_on_purpose_blanks_no_word(tmp_path: Path, words: str) -> None:
    """The cookie begins with the words and goes on at random, so that it is searched for."""
    text = f"{WORDS}{words}".encode()
    for tail in ("-" + SECRET.decode(), "/" + SLASHED.decode(), SECRET.decode() * 3):
        for cookie in (words + tail, words.replace("%20", "_") + tail):
            response = (
                f"HTTP/1.1 200 OK\r\nSet-Cookie: a={cookie}\r\nX-Csrf-Token: {cookie}\r\n"
                f"Content-Length: 9999\r\n\r\n{text.decode()}"
            ).encode()
            made = replace(exchange(tmp_path / "in", response=response), truncated="disconnect")
            redactor = Redactor()
            _, received = content(run(tmp_path, made, redactor))
            assert received.endswith(text)
            assert redactor.redact_bytes(text, "text.txt") == (text, ())
            coded = base64.b64encode(text)
            assert redactor.redact_bytes(coded, "text.txt") == (coded, ())


def test_a_value_that_only_its_address_tells_is_masked_there_alone() -> None:
    redactor = Redactor()
    redactor.learn_url("https://site.example/p?token=eenfietsbel-en-wiel")
    out, _ = redactor.redact_bytes(b"x https://site.example/p?token=eenfietsbel", "capture.log")
    assert out == b"x https://site.example/p?token=REDACTED#1-"
    for kept in (b"de eenfietsbel", b"https://site.example/q?token=eenfietsbel"):
        assert redactor.redact_bytes(kept, "x") == (kept, ())


def test_what_is_the_operators_own_or_public() -> None:
    redactor = knowing(SECRET)
    redactor.learn_private("address", "jan.jansen@voorbeeld.nl")
    out, _ = redactor.redact_bytes(b"van jan.jansen@voor", "a.json")
    assert out == b"van REDACTED#2-----"
    redactor.learn_public(b"<" + SECRET + b">")
    text = b"ook " + SECRET[:12]
    assert redactor.redact_bytes(text, "a.json") == (text, ())


HEADS = {
    "request": b"POST /?token=eenfiets&b=2 HTTP/1.1\r\nHost: a.example\r\nCookie: taal=nl; sid=",
    "response": b"HTTP/1.1 200 OK\r\nServer: x\r\nSet-Cookie: sid=",
}


@pytest.mark.parametrize("side", HEADS)
@pytest.mark.parametrize("value", [b"kort", SECRET, SECRET + b"; Path=/\r\nX-Las"])
def test_a_head_that_was_cut_off_hides_no_field(tmp_path: Path, side: str, value: bytes) -> None:
    head = HEADS[side] + value
    made = (
        exchange(tmp_path / "in", head, None)
        if side == "request"
        else replace(exchange(tmp_path / "in", response=head), truncated="disconnect")
    )
    redactor = Redactor()
    sent, received = content(run(tmp_path, made, redactor))
    out = sent if side == "request" else received
    assert len(out) == len(head)
    for secret in (b"=kort", SECRET[:8], b"eenfiets", b"=nl"):
        assert secret not in out
    assert side == "request" or out.endswith(value[20:])
    early = Redactor()
    early.learn(made)  # before the first file is written
    assert (SECRET in early.redact_bytes(b"ook hier: " + SECRET, "x")[0]) == (value == b"kort")


def test_text_that_only_looks_like_a_head_is_left_alone(tmp_path: Path) -> None:
    """Fields are those of a head; in other text they are words."""
    for text in (b"Lees dit\r\nCookie: eenfietsbel\r\n", b"<p>\r\nCookie: eenfietsbel"):
        made = exchange(tmp_path / "in", response=text)
        assert content(run(tmp_path, made))[1] == text


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"application/json", b'{"user": "kees", "password": "fiets'),
        (b"application/json", b'{"user": "kees", "password": "fiets\\'),
        (b"application/x-www-form-urlencoded", b"user=kees&password=fiets"),
        (b"multipart/form-data; boundary=X",
         b'--X\r\nContent-Disposition: form-data; name="password"\r\n\r\nfiets'),
    ],
)  # fmt: skip
def test_a_form_that_was_cut_off(tmp_path: Path, kind: bytes, body: bytes) -> None:
    head = b"POST / HTTP/1.1\r\nContent-Type: %s\r\nContent-Length: 900\r\n\r\n" % kind
    made = exchange(tmp_path / "in", head + body)
    sent, _ = content(run(tmp_path, made))
    assert b"fiets" not in sent
    assert len(sent) == len(head + body)


def test_many_secrets_cost_little_at_each_end() -> None:
    redactor = Redactor()
    for number in range(MAX_SECRETS):
        redactor.learn_value("sid", f"q{number}x9Kz/{number * 7919}Rv2Ym9Kp4Ln6Bh1")
    redactor.redact_bytes(b"", "x")
    started = time.process_time()
    for _ in range(10):
        redactor.redact_bytes(WORDS.encode() + b"q1999x9Kz/15", "x")
    took = time.process_time() - started
    assert took < 5
    assert redactor.redact_bytes(b"q1999x9Kz/15", "x")[0] == b"REDACTED#200"
