"""The log's lines: hostile, cut-off and strange ones are told, never believed and never fatal."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_kit.seal.netlog_http2 import PREFACE, Http2Session
from evidence_kit.seal.netlog_lines import LineError, read_bytes, read_tail, strip_line
from evidence_kit.seal.netlog_requests import raw_line
from evidence_kit.seal.netlog_sockets import Spool
from tests.netlog_made import CONSTANTS, HEADER, data, event, one_exchange, read

GET = b"GET /1 HTTP/1.1\r\nHost: a.example\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"


def test_one_use_of_a_socket_is_one_exchange(tmp_path: Path) -> None:
    lines = [HEADER, b'"events": [\n', *one_exchange(1, 11, 7, GET, OK)]
    lines += one_exchange(2, 12, 7, GET, OK + b"!")
    lines[-1] = lines[-1].rstrip(b",\n") + b"],\n"
    found = read(tmp_path, lines)
    assert [item.response.read_bytes() for item in found.exchanges if item.response] == [
        OK,
        OK + b"!",
    ]
    assert found.exchanges[0].url == "http://a.example/1"
    assert found.exchanges[1].notes == ("bytes-behind-response",)
    assert found.problems == ()
    assert found.events == 16


def test_a_repeat_on_the_same_connection_is_cut(tmp_path: Path) -> None:
    first = one_exchange(1, 11, 7, GET, b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
    again = [
        event("HTTP_TRANSACTION_READ_RESPONSE_HEADERS", 1, headers=["HTTP/1.1 401 No"]),
        event(
            "HTTP_TRANSACTION_SEND_REQUEST_HEADERS",
            1,
            headers=["Host: a.example"],
            line="GET /1 HTTP/1.1\r\n",
        ),
        data("SOCKET_BYTES_SENT", 7, GET),
        data("SOCKET_BYTES_RECEIVED", 7, OK),
    ]
    found = read(tmp_path, [HEADER, *first[:-1], *again, first[-1]])
    assert [item.status for item in found.exchanges] == [401, 200]
    assert [item.request.read_bytes() for item in found.exchanges] == [GET, GET]


def test_a_request_that_differs_from_the_connection_is_told(tmp_path: Path) -> None:
    lines = one_exchange(1, 11, 7, GET, OK)
    lines[4] = data("SOCKET_BYTES_SENT", 7, GET.replace(b"/1", b"/2"))
    found = read(tmp_path, [HEADER, *lines])
    assert "a request differs from what its connection sent" in found.problems


def started(source: int, url: str, **more: str) -> bytes:
    of_the_browser = {"initiator": "not an origin", "request_type": "other"}
    return event(
        "URL_REQUEST_START_JOB", source, 1, url=url, method="GET", **{**of_the_browser, **more}
    )


@pytest.mark.parametrize("partition", ["null null", "https://maker.example https://maker.example"])
def test_background_traffic_is_counted_and_dropped(tmp_path: Path, partition: str) -> None:
    lines = one_exchange(1, 11, 7, GET, OK)
    lines[0] = started(1, "https://update.example/x", network_isolation_key=partition)
    page = "https://site.example https://site.example"
    lines.append(
        started(
            2,
            "https://www.site.example/",
            network_isolation_key=page,
            request_type="main frame",
        )
    )
    found = read(tmp_path, [HEADER, *lines])
    assert found.exchanges == ()
    assert [item.url for item in found.cached] == ["https://www.site.example/"]
    assert (found.background, found.background_hosts) == (1, ("update.example",))
    assert not any("belongs to no request" in text for text in found.problems)


@pytest.mark.parametrize(
    ("page", "more"),
    [
        ("https://site.example", {}),
        ("https://site.example", {"initiator": "https://site.example"}),
        ("https://other.example", {"initiator": "null"}),
        ("https://other.example", {"request_type": "sub frame"}),
        ("", {}),
    ],
)
def test_what_a_page_may_have_asked_for_is_kept(
    tmp_path: Path, page: str, more: dict[str, str]
) -> None:
    lines = one_exchange(1, 11, 7, GET, OK)
    partition = "https://site.example https://site.example"
    lines[0] = started(1, "https://site.example/1", network_isolation_key=partition, **more)
    if page:
        main = {"network_isolation_key": f"{page} {page}", "request_type": "main frame"}
        lines.append(started(2, f"{page}/", **main))
    found = read(tmp_path, [HEADER, *lines])
    assert [item.status for item in found.exchanges] == [200]
    assert found.background == 0


def test_no_answer_is_a_failed_request(tmp_path: Path) -> None:
    lines = one_exchange(1, 11, 7, GET, b"")
    lines.append(event("REQUEST_ALIVE", 1, 2, net_error=-324))
    found = read(tmp_path, [HEADER, *lines])
    assert found.exchanges == ()
    (item,) = found.failed
    assert (item.response, item.error) == (None, "ERR_EMPTY_RESPONSE")
    assert item.request.read_bytes() == GET


def test_a_log_without_constants_says_so(tmp_path: Path) -> None:
    assert read(tmp_path, []).problems == ("the network log has no constants",)
    assert read(tmp_path, [b'{"constants": 3}\n']).exchanges == ()
    missing = {**CONSTANTS, "logEventTypes": {"SOCKET_IN_USE": 1}}
    line = json.dumps({"constants": missing})[:-1].encode() + b",\n"
    assert any("does not know" in text for text in read(tmp_path, [line]).problems)


def test_bytes_must_be_as_many_as_the_line_says() -> None:
    good = strip_line(data("SOCKET_BYTES_SENT", 1, b"abcdef"))
    assert read_bytes(good) == (6, b"abcdef")
    with pytest.raises(LineError):
        read_bytes(good.replace(b'"byte_count":6', b'"byte_count":7'))
    with pytest.raises(LineError):
        read_bytes(b'{"params":{"bytes":"a"},')


def test_the_tail_survives_another_key_order() -> None:
    text = b'{"type":5,"time":"9","source":{"type":2,"id":3},"phase":1,"params":{}}'
    tail = read_tail(text)
    assert (tail.type, tail.ticks, tail.source, tail.phase) == (5, 9, 3, 1)
    # a page's own text cannot pass for a tail: its quotes are escaped
    inner = json.dumps({"x": '"phase":1,"source":{"id":66,"type":2},"time":"9","type":5}'})
    with pytest.raises(LineError):
        read_tail(inner.encode())


def test_escaped_header_lines() -> None:
    assert (
        raw_line("%ESCAPED:\u200b x-name: J%C3%BCrgen 10%25") == "x-name: J\u00fcrgen 10%".encode()
    )
    assert raw_line("x-name: 10%25") == b"x-name: 10%25"


@given(st.lists(st.binary(max_size=120), max_size=20), st.integers(0, 10), st.integers(0, 400))
@settings(max_examples=60, deadline=None)
def test_garbage_never_raises_and_a_cut_log_keeps_what_it_had(
    noise: list[bytes], at: int, cut: int
) -> None:
    lines = [HEADER, *one_exchange(1, 11, 7, GET, OK)]
    place = min(at, len(lines))
    if place == 0:
        place = len(lines)
    mixed = lines[:place] + [b"{" + text for text in noise] + noise + lines[place:]
    with tempfile.TemporaryDirectory() as folder:
        found = read(Path(folder), mixed)
        assert [item.status for item in found.exchanges] == [200]
    whole = b"".join(lines)
    with tempfile.TemporaryDirectory() as folder:
        read(Path(folder), whole[: len(HEADER) + cut].splitlines(keepends=True))


@given(st.lists(st.integers(1, 60), max_size=30), st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_http2_frames_are_cut_whatever_the_pieces(steps: list[int], body: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        count = iter(range(1000))
        problems: list[str] = []
        session = Http2Session(lambda: Spool(Path(folder) / str(next(count))), problems)
        raw = b""
        for start in range(0, len(body), 50):
            part = body[start : start + 50]
            raw += (len(part) + 4).to_bytes(3, "big") + b"\x00\x08\x00\x00\x00\x05"
            raw += b"\x03" + part + b"\0\0\0"
        raw += b"\0\0\0\x00\x01\x00\x00\x00\x05"
        for sent, stream in ((False, raw), (True, PREFACE + raw)):
            place = 0
            for step in [*steps, 10_000]:
                session.feed(stream[place : place + step], sent=sent)
                place += step
        session.finish()
        for side in (session.sent, session.received):
            assert side.ended == {5}
            sink = side.bodies.get(5)
            found = sink.path.read_bytes() if isinstance(sink, Spool) else b""
            assert found == body
        assert problems == []
