"""The session for direct requests: answers that are too long, too slow, broken or a lie."""

from __future__ import annotations

import gzip
import http.server
import time
from pathlib import Path

import pytest

from evidence_kit.core.errors import (
    CaptureError,
    NetworkError,
)
from evidence_kit.demo.site import DemoSite
from evidence_kit.gather import http_exchange
from tests.fixtures_http import Make, answer, make, server
from tests.fixtures_site import demo_site

__all__ = ["demo_site", "make"]


def test_too_long_is_cut_off_and_says_so(make: Make) -> None:
    with server(lambda h: answer(h, b"x" * 5000)) as port:
        session = make()
        found = session.get(f"http://127.0.0.1:{port}/", max_bytes=1000)
        session.close()
    assert found.exchange.truncated == "length"
    assert not found.complete
    assert found.body == b"x" * 1000


def test_chunk_framing_counts_too(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_exchange, "WIRE_OVERHEAD", 16_384)  # more than one read takes

    def play(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for _ in range(500):
            handler.wfile.write(b"1;" + b"f" * 1000 + b"\r\nx\r\n")
        handler.wfile.write(b"0\r\n\r\n")

    with server(play) as port:
        session = make()
        found = session.get(f"http://127.0.0.1:{port}/", max_bytes=1000)
        session.close()
    assert found.exchange.truncated == "length"
    assert found.exchange.response is not None
    assert found.exchange.response.stat().st_size < 60_000


def test_cut_off_body_keeps_what_came(make: Make) -> None:
    def play(handler: http.server.BaseHTTPRequestHandler) -> None:
        answer(handler, b"half", Content_Length="100")
        handler.close_connection = True

    with server(play) as port:
        session = make()
        found = session.get(f"http://127.0.0.1:{port}/")
        session.close()
    assert found.exchange.truncated == "disconnect"
    assert found.exchange.response is not None
    assert found.exchange.response.read_bytes().endswith(b"\r\n\r\nhalf")
    assert found.body == b"half"


def test_dripping_answer_ends_in_time(make: Make) -> None:
    def play(handler: http.server.BaseHTTPRequestHandler) -> None:
        answer(handler, b"", Content_Length="1000")
        for _ in range(40):
            handler.wfile.write(b"x")
            time.sleep(0.1)

    with server(play) as port:
        session = make()
        started = time.monotonic()
        found = session.get(f"http://127.0.0.1:{port}/", max_seconds=0.6)
        session.close()
    assert found.exchange.truncated == "time"
    assert time.monotonic() - started < 5


def test_compressed_against_our_wish(make: Make) -> None:
    packed = gzip.compress(b'{"a": 1}')
    with server(lambda h: answer(h, packed, Content_Encoding="gzip")) as port:
        session = make()
        found = session.get(f"http://127.0.0.1:{port}/")
        session.close()
    assert (found.body, found.decoded) == (b'{"a": 1}', "gzip")
    assert found.exchange.response is not None
    assert found.exchange.response.read_bytes().endswith(packed)
    assert "content-coding-removed: gzip" in found.exchange.notes


def test_compression_bomb_stops_at_the_limit(make: Make) -> None:
    packed = gzip.compress(b"0" * 50_000_000)
    with server(lambda h: answer(h, packed, Content_Encoding="gzip")) as port:
        session = make()
        found = session.get(f"http://127.0.0.1:{port}/", max_bytes=100_000)
        session.close()
    assert found.exchange.truncated == "length"
    assert len(found.data) == 100_000


@pytest.mark.parametrize(("coding", "note"), [("br", "kept: br"), ("gzip", "broken")])
def test_other_codings_are_noted(make: Make, coding: str, note: str) -> None:
    with server(lambda h: answer(h, b"\x0b\x02\x80", Content_Encoding=coding)) as port:
        session = make()
        found = session.get(f"http://127.0.0.1:{port}/")
        session.close()
    assert any(note in item for item in found.exchange.notes)


def test_media_goes_to_a_file_and_never_over_one(
    demo_site: DemoSite, make: Make, tmp_path: Path
) -> None:
    session = make()
    target = tmp_path / "ingang.png"
    found = session.get(demo_site.url + "/media/ingang.png", to=target)
    assert found.body == target
    assert bytes(demo_site.wire[0].response).endswith(target.read_bytes())
    with pytest.raises(TypeError):
        _ = found.data
    with pytest.raises(FileExistsError):
        session.get(demo_site.url + "/media/ingang.png", to=target)
    missing = session.get(demo_site.url + "/media/niets.png", to=tmp_path / "niets.png")
    assert missing.status == 404
    assert b"niet gevonden" in missing.data
    assert not (tmp_path / "niets.png").exists()


def test_garbage_is_a_network_error_with_its_bytes_kept(make: Make) -> None:
    def play(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"geen http\r\n\r\n")
        handler.close_connection = True

    with server(play) as port:
        session = make()
        with pytest.raises(NetworkError):
            session.get(f"http://127.0.0.1:{port}/")
        session.close()
    response = session.exchanges[0].response
    assert response is not None
    assert response.read_bytes() == b"geen http\r\n\r\n"


def test_record_that_does_not_match_is_an_error(
    demo_site: DemoSite, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_exchange, "status_on_file", lambda path: 404)
    with pytest.raises(CaptureError, match="does not match"):
        make().get(demo_site.url)


def test_the_body_of_a_redirect_is_bounded_too(make: Make) -> None:
    packed = gzip.compress(b"0" * 20_000_000)

    def play(handler: http.server.BaseHTTPRequestHandler) -> None:
        answer(handler, packed, 302, Location="mailto:x", Content_Encoding="gzip")

    with server(play) as port:
        session = make()
        found = session.get(f"http://127.0.0.1:{port}/", max_bytes=1000)
        session.close()
    assert (len(found.data), found.exchange.truncated) == (1000, "length")
