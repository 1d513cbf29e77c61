"""Redaction: no planted secret survives in any coding, and no ordinary word ever disappears."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_kit.core.exchange import Exchange, Representation, Source
from evidence_kit.seal.http_message import body_chunks, decode, measure
from evidence_kit.seal.redact import Redactor
from evidence_kit.seal.redact_fields import in_json, in_url, is_secret_header
from evidence_kit.seal.redact_looks import looks_random
from evidence_kit.seal.redact_types import Content, RedactedExchange
from evidence_kit.seal.redact_websocket import redact_frames
from tests.netlog_site import chunked

SECRET = b"k2J9xQ7vLm4TzR8wPb3N"
SLASHED = b"aG9/x+Qz7=Rk2/Lm9Wq4Vt"
THREAT = b"jij-gaat-eraan-vandaag-nog"


def exchange(
    folder: Path,
    request: bytes = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
    response: bytes | None = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    *,
    url: str = "https://a.example/",
    number: int = 1,
) -> Exchange:
    folder.mkdir(exist_ok=True)
    first, second = folder / f"{number:04d}.request", folder / f"{number:04d}.response"
    first.write_bytes(request)
    if response is not None:
        second.write_bytes(response)
    return Exchange(
        number=number,
        url=url,
        method=request.split(b" ", 1)[0].decode(),
        started=datetime(2026, 11, 23, 10, tzinfo=UTC),
        request=first,
        response=second if response is not None else None,
        representation=Representation.WIRE,
        source=Source.NETLOG,
    )


def knowing(*values: bytes) -> Redactor:
    redactor = Redactor()
    for value in values:
        redactor.learn_value("header cookie: sid", value)
    return redactor


def run(tmp_path: Path, item: Exchange, redactor: Redactor | None = None) -> RedactedExchange:
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    redactor = redactor or Redactor()
    redactor.learn(item)
    return redactor.redact_exchange(item, out)


def content(done: RedactedExchange) -> tuple[bytes, bytes]:
    response = done.exchange.response
    return done.exchange.request.read_bytes(), response.read_bytes() if response else b""


def forms(value: bytes) -> dict[str, bytes]:
    plain = value.decode()
    every = "".join(f"%{byte:02x}" if chr(byte) in "/+=" else chr(byte) for byte in value)
    return {
        "raw": value,
        "percent": quote(plain, safe="").encode(),
        "percent lower": every.encode(),
        "percent twice": quote(quote(plain, safe=""), safe="").encode(),
        "json": json.dumps(plain).replace("/", "\\/").encode(),
        "json u": "".join(f"\\u{ord(c):04x}" if c in "/+=" else c for c in plain).encode(),
        "html": plain.replace("/", "&#x2F;").replace("+", "&#43;").replace("=", "&#61;").encode(),
        "base64 0": base64.b64encode(value),
        "base64 1": base64.b64encode(b"a" + value + b"t"),
        "base64 2": base64.b64encode(b"ab" + value + b"t"),
        "base64 url": base64.urlsafe_b64encode(b"{" + value + b"}"),
    }


def survives(data: bytes, form: bytes) -> bool:
    """Whether ten neighbouring bytes of a form are still there."""
    return any(form[start : start + 10] in data for start in range(4, len(form) - 14))


@pytest.mark.parametrize("value", [SECRET, SLASHED], ids=["plain", "signs"])
@pytest.mark.parametrize("form", list(forms(SECRET)))
def test_no_coding_hides_a_secret(value: bytes, form: str) -> None:
    hidden = forms(value)[form]
    data = b"before <a href='" + hidden + b"'> after"
    out, items = knowing(value).redact_bytes(data, "dom.txt")
    assert value not in out
    assert b"REDACTED#1" in out
    assert not survives(out, hidden)
    assert len(out) == len(data)
    assert out.startswith(b"before <a href='") and out.endswith(b" after")
    (item,) = items
    for start, end in item.ranges:
        assert out[start:end].startswith(b"REDACTED#1")
    assert item.record == "dom.txt"


@pytest.mark.parametrize("coding", ["", "gzip", "deflate", "raw-deflate", "br"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_bodies_of_every_coding(tmp_path: Path, coding: str, framing: str) -> None:
    text = b"Dit blijft staan. " * 5000 + b"token=" + SECRET + b" en dit ook. " * 5000
    raw = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = {
        "": text,
        "gzip": gzip.compress(text, mtime=0),
        "deflate": zlib.compress(text),
        "raw-deflate": raw.compress(text) + raw.flush(),
        "br": brotli.compress(text),
    }[coding]
    header = f"Content-Encoding: {coding.removeprefix('raw-')}\r\n".encode() if coding else b""
    if framing == "chunked":
        # 37 bytes a chunk: the secret lies in two of them
        message = header + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(body, step=37)
    else:
        message = header + b"content-LENGTH: %d\r\nX-Last: 1\r\n\r\n" % len(body) + body
    item = exchange(tmp_path / "in", response=b"HTTP/1.1 200 OK\r\n" + message)
    done = run(tmp_path, item, knowing(SECRET))
    assert done.response_content is (Content.RECODED if coding else Content.REDACTED)
    assert done.exchange.response is not None
    found = measure(done.exchange.response)
    assert found.complete and found.surplus == 0
    plain = b"".join(
        decode(body_chunks(done.exchange.response, found), found.head.codings, 1 << 24)
    )
    assert plain == text.replace(SECRET, b"REDACTED#1".ljust(len(SECRET), b"-"))
    assert item.response is not None
    if not coding:
        before, after = item.response.read_bytes(), done.exchange.response.read_bytes()
        assert len(before) == len(after)
        changed = [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
        ranges = [pair for entry in done.items for pair in entry.ranges]
        assert all(any(start <= i < end for start, end in ranges) for i in changed)


def test_a_body_without_secret_is_the_same_file(tmp_path: Path) -> None:
    body = gzip.compress(b"niets geheims")
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    item = exchange(tmp_path / "in", response=answer + body)
    done = run(tmp_path, item, knowing(SECRET))
    assert (done.request_content, done.response_content) == (Content.EXACT, Content.EXACT)
    assert done.exchange == item
    assert done.items == ()


def test_named_fields_are_masked_whatever_they_hold(tmp_path: Path) -> None:
    request = (
        b"POST /login?token=abc&page=2&sid=1 HTTP/1.1\r\n"
        b"Host: a.example\r\n"
        b"Cookie: taal=nl; sid=" + SECRET + b";leeg=; los\r\n"
        b"Authorization: Bearer " + SLASHED + b"\r\n"
        b"X-CSRF-Token: kort\r\n"
        b"x-api-KEY:  k1  \r\n"
        b"Referer: https://a.example/?access_token=xyz#code=9\r\n"
        b"X-Other: " + SECRET + b"\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 40\r\n\r\n"
        b"naam=Jan&password=geheim123456789012&x=1"
    )
    response = (
        b"HTTP/1.1 302 Found\r\n"
        b"Set-Cookie: sess=" + SECRET + b"; Path=/; HttpOnly\r\n"
        b"Set-Cookie: taal=nl; Secure\r\n"
        b"Location: /home?session=q1&ok=1\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    item = exchange(tmp_path / "in", request, response, url="https://a.example/login?token=abc&a=1")
    done = run(tmp_path, item)
    sent, received = content(done)
    for word in (SECRET, SLASHED, b"kort", b"k1", b"xyz", b"geheim", b"abc", b"=nl", b"q1"):
        assert word not in sent and word not in received, word
    for kept in (
        b"page=2",
        b"naam=Jan",
        b"&x=1",
        b"taal=REDACTED#",
        b"Bearer REDACTED#",
        b"leeg=;",
    ):
        assert kept in sent, kept
    assert b"; Path=/; HttpOnly\r\n" in received and b"; Secure\r\n" in received
    assert b"&ok=1" in received
    assert done.exchange.url.startswith("https://a.example/login?token=REDACTED#")
    assert done.exchange.url.endswith("&a=1")
    assert measure(done.exchange.request).complete
    for entry in done.items:
        if entry.side == "url":
            continue
        data = sent if entry.side == "request" else received
        for start, end in entry.ranges:
            assert data[start:end].startswith(b"REDACTED#"[: end - start]), entry
    markers = {entry.marker for entry in done.items if entry.length == len(SECRET)}
    assert len(markers) == 1  # one secret, one number


def test_login_forms_in_json_and_multipart(tmp_path: Path) -> None:
    body = b'{"user": {"name": "jan", "passWord" : "ge\\"heim"}, "apiKey":"a1", "text":"blijft"}'
    head = b"POST / HTTP/1.1\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
    item = exchange(tmp_path / "in", head % (b"application/json", len(body)) + body)
    sent, _ = content(run(tmp_path, item))
    assert b"heim" not in sent and b'"a1"' not in sent
    assert b'"name": "jan"' in sent and b'"blijft"' in sent
    body = (
        b'--X\r\nContent-Disposition: form-data; name="password"\r\n\r\ngeheim\r\n'
        b'--X\r\nContent-Disposition: form-data; name="text"\r\n\r\nblijft\r\n--X--\r\n'
    )
    item = exchange(
        tmp_path / "in", head % (b"multipart/form-data; boundary=X", len(body)) + body, number=2
    )
    sent, _ = content(run(tmp_path, item))
    assert b"geheim" not in sent and b"blijft" in sent


def test_a_hostile_page_blanks_nothing(tmp_path: Path) -> None:
    words = [
        THREAT,
        b"JijGaatEraanVandaagNog",
        b"jij%20gaat%20eraan%20vandaag",
        b"113456789012345678901",
        b"2026-11-23T10:00:00Z",
        b"https://a.example/@jan/bericht",
        b"doodmaken",
        b"e",
    ]
    text = b"<p>Bericht: " + b" ".join(words) + b"</p>"
    cookies = b"".join(b"Set-Cookie: c%d=%s\r\n" % (n, word) for n, word in enumerate(words))
    response = (
        b"HTTP/1.1 200 OK\r\n" + cookies + b"X-CSRF-Token: " + THREAT + b"\r\n"
        b"Content-Length: %d\r\n\r\n" % len(text) + text
    )
    redactor = Redactor()
    item = exchange(tmp_path / "in", response=response, url="https://a.example/@jan/bericht")
    done = run(tmp_path, item, redactor)
    _, received = content(done)
    assert received.endswith(text)
    assert done.exchange.url == item.url
    assert redactor.redact_bytes(text, "dom.txt") == (text, ())
    assert any("stands" in note for note in redactor.notes)


def test_mhtml_soft_breaks_do_not_hide_a_secret() -> None:
    def quoted(text: bytes, width: int) -> bytes:
        lines = [text[place : place + width] for place in range(0, len(text), width)]
        return b"=\r\n".join(lines)

    text = b"<a href=3D'/?t=3D" + SECRET + b"'>blijft</a>"
    for width in range(5, 40):
        data = (
            b'From: x\r\nContent-Type: multipart/related; boundary="--AB"\r\n\r\n'
            b"----AB\r\nContent-Type: text/html\r\n"
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + quoted(text, width) + b"\r\n"
            b"----AB\r\nContent-Type: text/css\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + base64.encodebytes(b"x" * width + SECRET + b"y").replace(b"\n", b"\r\n")
            + b"----AB\r\nContent-Type: text/plain\r\n\r\n"
            + THREAT
            + b"\r\n----AB--\r\n"
        )
        out, items = knowing(SECRET, THREAT).redact_bytes(data, "page.mhtml")
        flat = out.replace(b"=\r\n", b"")
        assert SECRET not in flat
        assert b"REDACTED#1" in flat and b"blijft" in flat and THREAT in flat
        part = out.split(b"base64\r\n\r\n")[1].split(b"----AB")[0]
        assert SECRET not in base64.b64decode(part)
        assert len(items) == 2


def test_a_large_file_is_masked_where_chunks_meet(tmp_path: Path) -> None:
    path = tmp_path / "groot.txt"
    size = 1 << 20
    data = bytearray(b"." * (3 * size))
    places = [size - 7, 2 * size - len(SECRET), 2 * size + 100, 3 * size - len(SECRET)]
    for place in places:
        data[place : place + len(SECRET)] = SECRET
    path.write_bytes(data)
    (item,) = knowing(SECRET).redact_file(path, "groot.txt")
    out = path.read_bytes()
    assert SECRET not in out and len(out) == len(data)
    assert item.ranges == tuple((place, place + len(SECRET)) for place in places)


@pytest.mark.parametrize("packed", [False, True])
def test_websocket_frames(tmp_path: Path, packed: bool) -> None:
    engine = zlib.compressobj(6, zlib.DEFLATED, -15)

    def frame(text: bytes, key: bytes) -> bytes:
        if packed:
            text = engine.compress(text) + engine.flush(zlib.Z_SYNC_FLUSH)
            text = text[:-4]
        body = bytes(byte ^ key[place % 4] for place, byte in enumerate(text)) if key else text
        head = bytes([0xC1 if packed else 0x81, (0x80 if key else 0) | len(text)])
        return head + key + body

    data = frame(b"hallo", b"abcd") + frame(b"t=" + SECRET, b"\x01\x02\x03\x04")
    data += frame(b"na " + SECRET, b"")
    path = tmp_path / "0001.ws-sent"
    path.write_bytes(data)
    out = tmp_path / "out"
    out.mkdir()
    redactor = knowing(SECRET)
    target, how, items = redact_frames(path, "1", "ws-sent", out, redactor.mask)
    assert how is (Content.RECODED if packed else Content.REDACTED)
    result = target.read_bytes()
    assert items and SECRET not in result
    if packed:
        assert result.startswith(b"\x81\x05hallo") and result.count(b"REDACTED#1") == 2
    else:
        assert len(result) == len(data) and result.startswith(frame(b"hallo", b"abcd"))
        body = result[-len(b"na ") - len(SECRET) :]
        assert body.startswith(b"na REDACTED#1")


@given(st.binary(max_size=400), st.integers(0, 400))
@settings(max_examples=200, deadline=None)
def test_a_secret_never_survives_among_any_bytes(noise: bytes, place: int) -> None:
    place = min(place, len(noise))
    data = noise[:place] + SLASHED + noise[place:]
    out, items = knowing(SLASHED).redact_bytes(data, "x")
    assert SLASHED not in out and len(out) == len(data) and items


@pytest.mark.parametrize(
    "word",
    [
        "ikgajevermoorden",
        "IkGaJeDoMaken2026",
        "Rechtsstaatgeschiedschrijving",
        "you-will-die-tomorrow",
        "Mozilla/5.0",
        "Wachtwoordbeveiliging123",
        "ik ga k2J9xQ7vLm4TzR8wPb3N",
        "0000000000000000",
        "k2J9xQ7vLm4TzR8",
    ],
)
def test_words_names_and_numbers_are_not_random(word: str) -> None:
    assert not looks_random(word.encode())


@pytest.mark.parametrize(
    "token",
    [
        "k2J9xQ7vLm4TzR8wPb3N",
        "9f86d081884c7d659a2feaa0c55ad015",
        "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
        "aG9%2Fx%2BQz7%3DRk2%2FLm9",
    ],
)
def test_tokens_are_random(token: str) -> None:
    assert looks_random(token.encode())


def test_what_everybody_knows_is_no_secret() -> None:
    redactor = knowing(SECRET, b"q8Zr4TnW2xVb7KpLm3Jd")
    redactor.learn_public(b'{"did": "' + SECRET + b'"}')
    text = b"both k2J9xQ7vLm4TzR8wPb3N and q8Zr4TnW2xVb7KpLm3Jd"
    data, items = redactor.redact_bytes(text, "x.txt")
    assert data.startswith(b"both " + SECRET + b" and REDACTED#2")
    assert len(items) == 1
    assert any("left" in note or "stand" in note for note in redactor.notes), redactor.notes


@pytest.mark.parametrize(
    "name", [b"next_token", b"nextPageToken", b"pageToken", b"pagination_token"]
)
def test_places_in_a_list_are_no_secrets(name: bytes) -> None:
    assert not list(in_json(b'{"%s": "QURTSl9pMzdZOUVzMkI0czlm"}' % name))
    assert not list(in_url(b"https://x.invalid/?%s=QURTSl9pMzdZOUVzMkI0czlm" % name))
    assert list(in_url(b"https://x.invalid/?token=QURTSl9pMzdZOUVzMkI0czlm"))


def test_fields_that_hold_tokens_whatever_their_prefix() -> None:
    for name in (b"X-Auth", b"Private-Token", b"X-Vault-Token", b"DPoP", b"X-CSRFToken", b"Token"):
        assert is_secret_header(name), name
    for name in (b"X-Author", b"Accept", b"Content-Type", b"X-Session-Count", b"ETag"):
        assert not is_secret_header(name), name


def test_pairs_in_json_within_json_and_in_graphql() -> None:
    body = json.dumps(
        {
            "query": 'mutation { login(user: "kees", password: "fiets band") { id } }',
            "body": json.dumps({"accessToken": "wiel", "text": "Ik weet waar je woont"}),
        }
    ).encode()
    assert {item.value for item in in_json(body)} == {b"fiets band", b"wiel"}
    for item in in_json(body):
        assert body[item.start : item.end] == item.value


@pytest.mark.parametrize("around", [b"", b"x" * 3_000_000])
def test_a_wordy_value_is_masked_in_its_own_address_only(around: bytes) -> None:
    redactor = Redactor()
    redactor.learn_url("https://site.example/p?a=1&token=fietsbel&b=2")
    address = b"https://site.example/p?a=1&token=fietsbel&b=2"
    escaped = address.replace(b"&", b"&amp;")
    words = b"\nDe fietsbel is weg; https://site.example/q?token=fietsbel\n"
    data, items = redactor.redact_bytes(around + address + words + escaped, "data/capture.log")
    assert len(data) == len(around + address + words + escaped)
    assert data.count(b"fietsbel") == 2
    assert data.count(b"token=REDACTED&") == 2
    assert words in data
    assert [len(item.ranges) for item in items] == [2]
