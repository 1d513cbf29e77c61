"""A secret planted everywhere is nowhere in a bundle; words of a post stay."""

from __future__ import annotations

import base64
import email
import email.policy
import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import brotli
import pytest
from warcio.archiveiterator import ArchiveIterator

from evidence_kit.seal.http_message import BadMessageError, body_chunks, decode, measure
from evidence_kit.seal.redact_websocket import _frames, _unmasked
from tests.fixtures_page import Bundle, Capture, page_home, sealed
from tests.netlog_site import Reply, Request, Route, accept_websocket, chunked, reply, run_site

__all__ = ["page_home", "sealed"]

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SESSION = "k2J9xQ7vLm4TzR8wPb3NcY6hFs1Dg5Ua"
CSRF = "Zt8Qw3Xe7Rv2Ym9Kp4Ln6Bh1"
TOKEN = "9fJ3kL0pQ8sV2xZ7cN4mB6tR1wY5"
PASSWORD = "Gv7#wachtwoord-Xq2Zp9Lk4"
SECRETS = (SESSION, CSRF, TOKEN)
HTML = ("Content-Type", "text/html; charset=utf-8")

PAGE = f"""<!doctype html><title>Bericht {SESSION}</title>
<meta name=csrf-token content="{CSRF}"><p>Ik weet waar je woont.</p><p>sessie {SESSION}</p>
<img src="/picture?access_token={TOKEN}&size=1" alt="{TOKEN}">
<script type="application/json" id=state>{json.dumps({"csrf": CSRF, "s": SESSION})}</script>
<script>(async () => {{
  const password = [{", ".join(str(ord(char)) for char in PASSWORD)}]
    .map(code => String.fromCharCode(code)).join('');
  const f = (u, o) => fetch(u, o).then(r => r.text()).catch(() => 0);
  for (const name of ['gzip', 'br', 'deflate', 'chunked', 'forms']) await f('/' + name);
  await f('/api', {{headers: {{'X-CSRF-Token': '{CSRF}', Authorization: 'Bearer {TOKEN}'}}}});
  await f('/login', {{method: 'POST', body: new URLSearchParams(
    {{user: 'kees', password, csrf_token: '{CSRF}'}})}});
  await f('/login', {{method: 'POST', headers: {{'Content-Type': 'application/json'}},
    body: JSON.stringify({{password, note: btoa('x{SESSION}')}})}});
  const form = new FormData(); form.append('password', password); form.append('t', '{TOKEN}');
  await f('/login', {{method: 'POST', body: form}});
  await f('/away?session=' + encodeURIComponent('{SESSION}'));
  await new Promise(ready => {{
    const socket = new WebSocket(location.origin.replace('http', 'ws') + '/socket?token={TOKEN}');
    socket.onmessage = () => {{ socket.send('mijn {SESSION}'); socket.close(); }};
    socket.onclose = ready; }});
  document.body.append('klaar');
}})();</script>"""


def planted_forms(value: str) -> list[bytes]:
    """What a value looks like in text: plain and as the usual encoders of the web write it."""
    raw = value.encode()
    found = [raw, quote(value, safe="").encode(), json.dumps(value).encode()]
    return found + [base64.b64encode(b"x" * shift + raw + b"yz") for shift in range(3)]


def forms(value: str) -> list[bytes]:
    """What must not be found: inside base64 only the characters that hold nothing else."""
    raw = value.encode()
    inner = [base64.b64encode(b"x" * shift + raw + b"yz")[4:-8] for shift in range(3)]
    return [raw, quote(value, safe="").encode(), *inner]


def routes() -> dict[str, Route]:
    text = f"Ik weet waar je woont. {SESSION} {CSRF} {TOKEN} ".encode() * 30
    coded = b"\n".join(form for secret in SECRETS for form in planted_forms(secret))
    chunks = reply("200 OK", [HTML, ("Transfer-Encoding", "chunked")], length=False).raw
    fixed = {
        "/gzip": reply("200 OK", [HTML, ("Content-Encoding", "gzip")], gzip.compress(text)),
        "/br": reply("200 OK", [HTML, ("Content-Encoding", "br")], brotli.compress(text)),
        "/deflate": reply("200 OK", [HTML, ("Content-Encoding", "deflate")], zlib.compress(text)),
        "/chunked": Reply(chunks + chunked(text, step=33)),
        "/forms": reply("200 OK", [HTML], coded),
        "/api": reply("200 OK", [("Content-Type", "application/json")], b'{"ok": true}'),
        "/login": reply("200 OK", [HTML, ("Set-Cookie", f"auth={TOKEN}; HttpOnly")], b"welkom"),
        "/away": reply("302 Found", [("Location", f"/end?token={TOKEN}")], SESSION.encode()),
        "/end": reply("200 OK", [HTML], b"einde"),
        "/picture": reply("404 Weg", [HTML], TOKEN.encode()),
        "/": reply(
            "200 OK",
            [HTML, ("Set-Cookie", f"sid={SESSION}; Path=/"), ("X-CSRF-Token", CSRF)],
            PAGE.encode(),
        ),
    }
    found: dict[str, Route] = {"/socket": accept_websocket}
    for path, answer in fixed.items():

        def give(_: Request, answer: Reply = answer) -> Reply:
            return answer

        found[path] = give
    return found


def streams(bundle: Bundle, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Everything in a bundle that can be read as bytes, unpacked as far as it goes."""
    for path in sorted(bundle.opened.rglob("*")):
        if not path.is_file() or path.suffix in (".png", ".pdf"):  # pictures are not searched
            continue
        data = path.read_bytes()
        yield path.name, data
        if path.suffix == ".wacz":
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    inner = archive.read(name)
                    yield f"{path.name}:{name}", inner
                    if name.endswith(".warc"):
                        yield from warc(inner, name, folder)
        elif path.suffix == ".warc":
            yield from warc(data, path.name, folder)
        elif path.suffix == ".mhtml":
            message = email.message_from_bytes(data, policy=email.policy.default)
            for part in message.walk():
                content = part.get_payload(decode=True)
                yield f"{path.name}:part", content if isinstance(content, bytes) else b""
                yield f"{path.name}:head", str(part.items()).encode()


def warc(data: bytes, name: str, folder: Path) -> Iterator[tuple[str, bytes]]:
    for number, record in enumerate(ArchiveIterator(io.BytesIO(data), no_record_parse=True)):
        block = record.raw_stream.read()
        label = f"{name}:{number}:{record.rec_type}"
        if record.rec_type == "resource" and b"websocket" in str(record.rec_headers).encode():
            yield label, b" ".join(_unmasked(block, frame) for frame in _frames(block))
        if record.rec_type not in ("request", "response"):
            continue
        file = folder / f"{name.replace('/', '-')}-{number}"
        file.write_bytes(block)
        try:
            message = measure(file)
            body = b"".join(body_chunks(file, message))
            yield f"{label}:body", body
            codings = message.head.codings
            yield f"{label}:decoded", b"".join(decode([body], codings, 1 << 26))
        except BadMessageError:
            continue


@pytest.fixture
def planted(sealed: Capture) -> Bundle:
    with run_site(routes()) as (served, port):
        url = f"http://localhost:{port}/?access_token={TOKEN}"
        found = sealed(url, reason=f"melding: {url} en {SESSION}", case=TOKEN)
        assert {"/br", "/forms", "/login"} <= {seen.path for seen in served.seen}
    return found


def test_no_secret_in_any_stream_or_coding(planted: Bundle, tmp_path: Path) -> None:
    seen = set()
    found = []
    for name, data in streams(planted, tmp_path):
        seen.add(name.rsplit(":", 1)[-1])
        for secret in SECRETS:
            found += [(name, form[:40]) for form in forms(secret) if form in data]
        found += [(name, b"password") for form in forms(PASSWORD) if form in data]
    assert not found, "\n".join(sorted({f"{n} {s!r}" for n, s in found}))
    assert {"body", "decoded", "part"} <= seen
    contents = {item["field"] for item in planted.record["redactions"]}
    assert any(field.startswith("decoded ") for field in contents)
    for field in ("cookie", "set-cookie", "authorization", "x-csrf-token", "password"):
        assert any(field in item.lower() for item in contents), (field, contents)


def test_the_test_sees_what_is_there(planted: Bundle, tmp_path: Path) -> None:
    """The words of the post are found in every stream where the secrets stood."""
    words = b"Ik weet waar je woont"
    names = {name for name, data in streams(planted, tmp_path) if words in data}
    for part in ("dom.txt", "text.txt", "aria.yaml", "page.mhtml:part"):
        assert part in names
    assert sum(name.endswith(":decoded") for name in names) >= 5


def test_a_hostile_page_blanks_no_word_of_the_post(sealed: Capture, tmp_path: Path) -> None:
    threat = "Ik steek vanavond je huis in brand, Lindelaan 12, 1234567890123456"
    joined = "IkSteekVanavondJeHuisInBrand"
    words = [*threat.replace(",", "").split(), joined, quote(threat), "vanavond-je-huis-in-brand"]
    cookies = [("Set-Cookie", f"c{n}={word}") for n, word in enumerate(words)]
    page = f"""<meta charset=utf-8><title>x</title><p>{threat}</p><p>{joined}</p>
    <p>vanavond-je-huis-in-brand</p><script>fetch('/x?token=vanavond&access_token={joined}',
    {{headers: {{'X-CSRF-Token': 'Lindelaan', Authorization: 'Bearer vanavond'}}}})</script>"""
    answer = reply("200 OK", [HTML, *cookies], page.encode())
    with run_site({"/": lambda _: answer, "/x": lambda _: answer}) as (_, port):
        found = sealed(f"http://localhost:{port}/")
    for name in ("text.txt", "dom.txt"):
        data = (found.opened / "data/web" / name).read_text("utf-8")
        for part in (threat, joined, "vanavond-je-huis-in-brand"):
            assert part in data, (name, part)
    bodies = [data for name, data in streams(found, tmp_path) if name.endswith(":decoded")]
    assert sum(threat.encode() in data and joined.encode() in data for data in bodies) >= 2
    assert b"vanavond" not in b"".join(
        line
        for _, data in streams(found, tmp_path)
        for line in data.split(b"\r\n")
        if line.lower().startswith((b"set-cookie:", b"cookie:", b"authorization:"))
    )
    notes = [item["detail"] for item in found.record["redaction_notes"]]
    assert any("stands" in note for note in notes)


CREDENTIALS = {
    "address": "kattenbrood",  # looks like words: masked in its own address, and as a field
    "frame": "wsQ7vLm4TzR8wPb3NcY6hFs1Dg5Ua9",
    "short": "geheim12",
    "subprotocol": "prJ9xQ7vLm4TzR8wPb3NcY6hFs1Dg5",
    "field": "xaK3jd92LsPq0ZmR7vTy4WbN8cHf",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiIsIm4iOiJ4In0.q8Zr5Kx1Nf7Wd3Tb9Yg2Vc6Hs4Mj0Lp",
    "query": "broodrooster",
    "fragment": "frU7yT3rE9wQ1aS5dF8gH2jK4lZ6",
}


def test_credentials_that_scripts_send_by_other_ways(sealed: Capture, tmp_path: Path) -> None:
    """Set by script, so that they stand nowhere in the page: whatever is found was sent."""
    js = {
        name: f"String.fromCharCode({','.join(str(ord(char)) for char in value)})"
        for name, value in CREDENTIALS.items()
    }
    page = f"""<!doctype html><title>t</title><p>Ik weet waar je woont.</p><script>(async () => {{
      const type = {{'Content-Type': 'application/json'}};
      const f = (headers, body) => fetch('/a', {{method: 'POST', headers, body}}).catch(() => 0);
      await f({{'X-Auth': {js["field"]}, 'X-Whatever': {js["jwt"]}}}, 'x');
      await f(type, JSON.stringify({{query: 'mutation {{login(password: "' + {js["query"]} + '")}}',
        variables: {{input: {{password: {js["query"]}}}}}}}));
      await f(type, JSON.stringify({{body: JSON.stringify({{user_password: {js["query"]}}})}}));
      history.replaceState(0, '', location.search + '#access_token=' + {js["fragment"]});
      const open = (how, message) => new Promise(ready => {{
        const socket = new WebSocket(location.origin.replace('http', 'ws') + '/socket', how);
        socket.onmessage = () => {{ socket.send(message); setTimeout(() => socket.close(), 200); }};
        socket.onclose = ready; }});
      const message = {{type: 'auth', token: {js["frame"]}, password: {js["short"]}}};
      await open([], JSON.stringify(message));
      await open(['access_token', {js["subprotocol"]}], '');
      document.body.append({js["fragment"]}, ' ', {js["frame"]}, ' ', {js["subprotocol"]});
    }})();</script>"""
    given: dict[str, Route] = {
        "/": lambda _: reply("200 OK", [HTML], page.encode()),
        "/a": lambda _: reply("200 OK", [("Content-Type", "application/json")], b"{}"),
        "/socket": accept_websocket,
    }
    with run_site(given) as (_, port):
        found = sealed(f"http://localhost:{port}/?access_token={CREDENTIALS['address']}&x=1")
    everything = list(streams(found, tmp_path))
    leaks = {
        f"{name}: {key}"
        for name, data in everything
        for key, value in CREDENTIALS.items()
        if value.encode() in data
    }
    assert not leaks, "\n".join(sorted(leaks))
    fields = " ".join(item["field"] for item in found.record["redactions"])
    for field in ("x-auth", "jwt", "sec-websocket-protocol", "json token", "json user_password"):
        assert field in fields, (field, fields)
    assert any(item["side"] == "ws-sent" for item in found.record["redactions"])
    assert any(b"Ik weet waar je woont" in data for name, data in everything if "dom" in name)
