"""Logs and copies that were broken off, or have far more in them than files may be open."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from evidence_kit.seal.connection_copies import RECEIVED, SENT, stem
from evidence_kit.seal.netlog_http2 import PREFACE, Http2Session
from evidence_kit.seal.netlog_sockets import MAX_OPEN, Spool, Spools
from tests.netlog_made import HEADER, depends, event, one_exchange, read
from tests.test_netlog_copied import (
    AGAIN,
    GET,
    OK,
    PORT,
    connected,
    copy,
    counted,
    inside,
    read_counted,
    secure,
)

SHORT = "a connection's copy is shorter than the network log says"
DATA, HEADERS, RST_STREAM = 0, 1, 3
STREAMS = range(1, 6 * MAX_OPEN, 2)
POST = b"POST /1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\nnegen ja!"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + payload


def test_streams_that_never_end_do_not_stay_open(tmp_path: Path) -> None:
    """The browser's resets are in the other direction, which is read first as a whole."""
    spools, problems = Spools(tmp_path), list[str]()
    session = Http2Session(spools.make, problems)
    session.feed(PREFACE, sent=True)
    for stream in STREAMS:
        session.feed(frame(RST_STREAM, 0, stream, b"\0\0\0\x08"), sent=True)
    most = 0
    for part in (b"een ", b"twee"):
        for stream in STREAMS:
            session.feed(frame(DATA, 0, stream, part + b"%d" % stream), sent=False)
            found = [item for item in session.received.bodies.values() if isinstance(item, Spool)]
            most = max(most, sum(item.stream is not None for item in found))
    assert most == MAX_OPEN
    session.finish()
    assert problems == []
    for stream, sink in session.received.bodies.items():
        assert isinstance(sink, Spool)
        assert sink.path.read_bytes() == b"een %dtwee%d" % (stream, stream)
        assert sink.stream is None


def over_http2(folder: Path) -> list[bytes]:
    """One exchange in frames, in TLS; its body in two of them."""
    asked = PREFACE + frame(HEADERS, 5, 1, b"\x82")
    answer = frame(HEADERS, 4, 1, b"\x88") + frame(DATA, 0, 1, b"body") + frame(DATA, 1, 1, b" end")
    lines = one_exchange(1, 11, 7, GET, answer)
    again = one_exchange(1, 11, 7, asked, b"")
    lines[4] = again[4]
    lines[3] = event(
        "HTTP_TRANSACTION_HTTP2_SEND_REQUEST_HEADERS", 1, headers=[":path: /1", ":method: GET"]
    )
    lines.insert(4, event("HTTP2_SESSION_INITIALIZED", 9, source_dependency=depends(7)))
    session = depends(11)
    lines.insert(5, event("HTTP2_SESSION_SEND_HEADERS", 9, source_dependency=session, stream_id=1))
    status = ["HTTP/1.1 200"]
    lines.append(event("HTTP_TRANSACTION_READ_RESPONSE_HEADERS", 1, headers=status))
    made = secure(folder, inside(lines))
    return [line.replace(b'"http/1.1"', b'"h2"') for line in made]


@pytest.mark.parametrize("lost", [0, 1], ids=["whole", "without its last record"])
def test_an_http2_copy_that_is_cut_between_records_is_told(tmp_path: Path, lost: int) -> None:
    lines = over_http2(tmp_path)
    path = (tmp_path / "connections" / stem(1, PORT)).with_suffix(RECEIVED)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) - lost])
    found = read_counted(tmp_path, [HEADER, *lines])
    (item,) = found.exchanges
    assert item.response is not None
    assert (SHORT in found.problems) is bool(lost)
    assert item.truncated == ("disconnect" if lost else None)
    assert item.notes == ()


def hello(client_random: bytes) -> bytes:
    """The log's word on the ClientHello of connection 7."""
    message = b"\x01\0\1\0\3\3" + client_random + bytes(220)
    coded = base64.b64encode(message).decode()
    return event("SSL_HANDSHAKE_MESSAGE_SENT", 7, bytes=coded, type=1)


@pytest.mark.parametrize("own", [True, False])
def test_the_copy_must_begin_with_the_hello_that_the_log_has_seen(
    tmp_path: Path, own: bool
) -> None:
    """Nothing else would tell two connections with the same requests apart."""
    lines = over_http2(tmp_path)
    path = (tmp_path / "connections" / stem(1, PORT)).with_suffix(SENT)
    sent = path.read_bytes()
    start = sent.index(b"\x16\3\1") + 5 + 6  # behind the record's head and the message's
    seen = sent[start : start + 32] if own else bytes(32)
    lines[4:4] = [hello(seen), hello(b"a second one, after a retry" + bytes(5))]
    found = read_counted(tmp_path, [HEADER, *lines])
    other = "a connection's copy is that of another connection"
    assert (other in found.problems) is not own
    (item,) = found.exchanges
    assert item.response is not None
    assert item.response.read_bytes().endswith(b"body end") is own


def test_an_http2_request_that_is_cut_off_is_told(tmp_path: Path) -> None:
    lines = over_http2(tmp_path)
    path = (tmp_path / "connections" / stem(1, PORT)).with_suffix(SENT)
    path.write_bytes(path.read_bytes()[:-1])
    (item,) = read_counted(tmp_path, [HEADER, *lines]).exchanges
    assert item.notes == ("request-cut-off",)


def test_an_answer_that_ends_with_its_connection_is_not_whole_where_the_copy_is_not(
    tmp_path: Path,
) -> None:
    answer = b"HTTP/1.1 200 OK\r\n\r\ntot het einde"
    lines = [connected(7), *one_exchange(1, 11, 7, GET, answer)]
    lines += one_exchange(2, 12, 7, AGAIN, OK)
    for number, (kept, truncated) in enumerate([(answer + OK, None), (answer[:-3], "unspecified")]):
        folder = tmp_path / str(number)
        folder.mkdir()
        copy(folder / "connections", GET + AGAIN, kept)
        found = read_counted(folder, [HEADER, *map(counted, lines)])
        assert found.exchanges[0].truncated == truncated
        assert (SHORT in found.problems) is bool(number)


@pytest.mark.parametrize("lost", [0, 1, 9])
def test_an_upload_that_never_left_whole_is_told(tmp_path: Path, lost: int) -> None:
    copy(tmp_path / "connections", POST[: len(POST) - lost], OK)
    lines = [connected(7), *one_exchange(1, 11, 7, POST, OK)]
    found = read_counted(tmp_path, [HEADER, *map(counted, lines)])
    (item,) = found.exchanges
    assert item.request.read_bytes() == POST[: len(POST) - lost]
    assert item.notes == (("request-cut-off",) if lost else ())


@pytest.mark.parametrize(
    ("events", "error"),
    [
        (["CANCELLED"], "ERR_ABORTED"),
        (["URL_REQUEST_DELEGATE_RESPONSE_STARTED", "CANCELLED"], None),
        ([], None),
    ],
    ids=["called off", "called off when the cache had answered", "answered by the cache"],
)
def test_what_the_page_called_off_was_not_answered_by_the_cache(
    tmp_path: Path, events: list[str], error: str | None
) -> None:
    asked = one_exchange(1, 11, 7, GET, OK)[0]
    found = read(tmp_path, [HEADER, asked, *(event(name, 1) for name in events)])
    assert [item.reason for item in found.cached] == ([] if error else ["cache"])
    assert [(item.error, item.notes) for item in found.failed] == (
        [(error, ("not-sent",))] if error else []
    )


def test_what_was_sent_and_never_answered_is_not_said_to_be_called_off(tmp_path: Path) -> None:
    """The log has one word for a page that takes it back and for a visit that ends."""
    lines = one_exchange(1, 11, 7, GET, b"")
    found = read(tmp_path, [HEADER, *lines, event("CANCELLED", 1)])
    assert [item.error for item in found.failed] == ["ERR_EMPTY_RESPONSE"]
