"""The example site answers as a network with Mastodon's API would."""

from __future__ import annotations

import gzip
import http.client
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates

from evidence_kit.demo import pictures, site_data
from evidence_kit.demo.site import COOKIE, DemoSite
from evidence_kit.demo.tsa import utc_now
from evidence_kit.gather.tsa_client import TsaClient
from evidence_kit.seal.anchors import TrustAnchors
from tests.fixtures_site import demo_site

__all__ = ["demo_site"]


def ask(
    site: DemoSite,
    path: str,
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    body: bytes | None = None,
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
    try:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


STATES = [
    ("threat", 200, "Morgenavond sta ik bij de ingang"),
    ("edited", 200, "Grapje natuurlijk"),
    ("login", 200, "Log in om dit bericht te bekijken"),
    ("deleted", 200, "niet (meer) beschikbaar"),
    ("gone", 410, "niet (meer) beschikbaar"),
    ("missing", 404, "Pagina niet gevonden"),
    ("profile", 200, "Verzonnen account"),
    ("home", 200, "bezoektijden"),
]


@pytest.mark.parametrize(("name", "status", "words"), STATES)
def test_pages(demo_site: DemoSite, name: str, status: int, words: str) -> None:
    found, headers, body = ask(demo_site, demo_site.posts[name])
    assert (found, headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    text = body.decode()
    assert words in text
    assert "Voorbeeldsite van evidence-kit" in text


@pytest.mark.parametrize(
    ("name", "status"),
    [("threat", 200), ("login", 401), ("deleted", 404), ("gone", 404), ("missing", 404)],
)
def test_api_states(demo_site: DemoSite, name: str, status: int) -> None:
    ident = demo_site.posts[name].rsplit("/", 1)[1]
    found, headers, body = ask(demo_site, f"/api/v1/statuses/{ident}")
    assert (found, headers["Content-Type"]) == (status, "application/json; charset=utf-8")
    answer = json.loads(body)
    assert answer["id"] == ident if status == 200 else "error" in answer


def test_hidden_posts_appear_nowhere(demo_site: DemoSite) -> None:
    hidden = [note.ident for note in site_data.NOTES.values() if note.state != "public"]
    for path in ("/", "/@boze_bezoeker"):
        body = ask(demo_site, path)[2].decode()
        assert not [ident for ident in hidden if ident in body]


def test_context_and_history(demo_site: DemoSite) -> None:
    ident = demo_site.posts["threat"].rsplit("/", 1)[1]
    context = json.loads(ask(demo_site, f"/api/v1/statuses/{ident}/context")[2])
    assert [s["id"][-3:] for s in context["ancestors"]] == ["100"]
    assert [s["id"][-3:] for s in context["descendants"]] == ["102", "103", "104"]
    edited = demo_site.posts["edited"].rsplit("/", 1)[1]
    history = json.loads(ask(demo_site, f"/api/v1/statuses/{edited}/history")[2])
    assert len(history) == 3
    assert "parkeerplaats" in history[0]["content"]
    assert history[0]["media_attachments"]


def test_short_link_and_other_form_lead_to_the_permalink(demo_site: DemoSite) -> None:
    for name in ("short", "users-form"):
        status, headers, _ = ask(demo_site, demo_site.posts[name])
        assert (status, headers["Location"]) == (302, demo_site.address("threat"))


def test_activitypub_object(demo_site: DemoSite) -> None:
    accept = {"Accept": "application/activity+json"}
    status, headers, body = ask(demo_site, demo_site.posts["users-form"], accept)
    assert status == 200
    assert headers["Content-Type"].startswith("application/activity+json")
    assert json.loads(body)["type"] == "Note"
    status, _, body = ask(demo_site, demo_site.posts["gone"], accept)
    assert (status, json.loads(body)["type"]) == (410, "Tombstone")


def test_cookie_once_and_its_token_in_the_page(demo_site: DemoSite) -> None:
    _, headers, _ = ask(demo_site, "/")
    cookie = headers["Set-Cookie"].split(";")[0]
    name, _, value = cookie.partition("=")
    assert name == COOKIE
    assert len(value) >= 40
    _, again, body = ask(demo_site, "/", {"Cookie": cookie})
    assert again["Set-Cookie"] is None
    assert f"csrf-{value[::-1]}".encode() in body
    assert value.encode() not in body


def test_gzip_only_where_asked(demo_site: DemoSite) -> None:
    _, plain_headers, plain = ask(demo_site, "/static/site.css")
    assert plain_headers["Content-Encoding"] is None
    _, headers, packed = ask(demo_site, "/static/site.css", {"Accept-Encoding": "gzip"})
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed) == plain


def test_every_local_link_in_a_post_is_served(demo_site: DemoSite) -> None:
    paths = ["/static/site.js", "/static/icons.ttf", "/static/header.svg"]
    paths += [f"/media/{picture.file}" for picture in site_data.PICTURES.values()]
    paths += [f"/avatars/{a.handle}.{a.picture}" for a in site_data.ACCOUNTS.values()]
    assert [ask(demo_site, path)[0] for path in paths] == [200] * len(paths)
    assert ask(demo_site, "/static/../site.py")[0] == 404
    assert ask(demo_site, "/static/site.py")[0] == 404


def test_head_keep_alive_and_wire(demo_site: DemoSite) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", demo_site.port, timeout=10)
    try:
        for method in ("HEAD", "GET"):
            connection.request(method, "/media/ingang.png")
            answer = connection.getresponse()
            body = answer.read()
            assert int(answer.headers["Content-Length"]) == len(pictures.entrance())
    finally:
        connection.close()
    head, get = demo_site.wire
    assert head.peer_port == get.peer_port
    assert bytes(head.request).startswith(b"HEAD /media/ingang.png HTTP/1.1\r\n")
    assert bytes(head.response).endswith(b"\r\n\r\n")
    assert bytes(get.response).endswith(b"\r\n\r\n" + body)


def test_login_form_never_lets_in(demo_site: DemoSite) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, _ = ask(demo_site, "/login", form, method="POST", body=b"email=a&password=b")
    assert status == 403
    assert ask(demo_site, "/", method="POST", body=b"")[0] == 405


@pytest.mark.parametrize("draw", [pictures.entrance, pictures.car_park])
def test_pictures_are_whole_png(draw: object) -> None:
    assert callable(draw)
    data = draw()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    at, raw = 8, b""
    while at < len(data):
        length = struct.unpack(">I", data[at : at + 4])[0]
        kind, chunk = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(
            kind + chunk
        )
        raw += chunk if kind == b"IDAT" else b""
        at += 12 + length
    assert len(zlib.decompress(raw)) == height * (1 + 3 * width)


def test_the_example_authority_runs_by_itself(tmp_path: Path) -> None:
    """``python -m evidence_kit.demo.tsa``: it says where it listens, and its root is a file."""
    root = tmp_path / "root.pem"
    command = [sys.executable, "-m", "evidence_kit.demo.tsa", "--root", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            output = process.stdout
            assert output is not None
            url = output.readline().decode().strip()
            assert url.startswith("http://127.0.0.1:")
            assert str(root) in output.readline().decode()
            (pinned,) = load_pem_x509_certificates(root.read_bytes())
            anchors = TrustAnchors(tsas=(pinned.public_bytes(Encoding.DER),))
            answer = TsaClient(utc_now, anchors=anchors).request_token(bytes(32), url)
            assert answer.report.trusted
        finally:
            process.kill()
