"""Logs that only count: the same exchanges come out, cut from copies of the connections."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_kit.core.exchange import Source
from evidence_kit.seal.connection_copies import KEYS, RECEIVED, SENT, has_answers, stem
from evidence_kit.seal.netlog import NetLogReader, Recording
from tests.netlog_made import HEADER, NUMBERS, data, event, one_exchange, read
from tests.tls_peers import Ends, Talk

GET = b"GET /1 HTTP/1.1\r\nHost: a.example\r\n\r\n"
AGAIN = GET.replace(b"/1", b"/2")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"
PORT = 50123
GREETING, WELCOME = b"\x05\x01\x00", b"\x05\x00"
NAMES = {number: name for name, number in NUMBERS.items()}


def connected(source: int, port: int = PORT) -> bytes:
    """The end of a TCP handshake with the relay, as the browser logs it."""
    return event(
        "TCP_CONNECT",
        source,
        2,
        local_address=f"127.0.0.1:{port}",
        remote_address="127.0.0.1:1080",
    )


def counted(line: bytes) -> bytes:
    """The line without its bytes, as a log in another mode has it."""
    value = json.loads(line.rstrip(b",\n"))
    value["params"].pop("bytes", None)
    return json.dumps(value, separators=(",", ":")).encode() + b",\n"


def passed(lines: list[bytes], name: str) -> bytes:
    """Everything that a log's lines of this name hold."""
    found = [json.loads(line.rstrip(b",\n")) for line in lines]
    return b"".join(
        base64.b64decode(item["params"]["bytes"]) for item in found if NAMES[item["type"]] == name
    )


def copy(folder: Path, sent: bytes, received: bytes, *, number: int = 1, port: int = PORT) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / stem(number, port)
    path.with_suffix(SENT).write_bytes(sent)
    path.with_suffix(RECEIVED).write_bytes(received)


def read_counted(folder: Path, lines: list[bytes]) -> Recording:
    wire = folder / "wire"
    wire.mkdir()
    reader = NetLogReader(wire, copies=folder / "connections")
    for line in lines:
        reader.feed(line)
    return reader.finish()


def answers(found: Recording) -> list[tuple[bytes, bytes]]:
    return [
        (item.request.read_bytes(), item.response.read_bytes())
        for item in found.exchanges
        if item.response
    ]


def plain() -> list[bytes]:
    """A proxy's handshake, then two exchanges on one connection."""
    return [
        connected(7),
        data("SOCKET_BYTES_SENT", 7, GREETING),
        data("SOCKET_BYTES_RECEIVED", 7, WELCOME),
        *one_exchange(1, 11, 7, GET, OK),
        data("SOCKET_BYTES_RECEIVED", 7, b"between two uses"),
        *one_exchange(2, 12, 7, AGAIN, OK + b"!"),
    ]


def both_sides(lines: list[bytes], prefix: str = "") -> tuple[bytes, bytes]:
    return passed(lines, f"{prefix}SOCKET_BYTES_SENT"), passed(
        lines, f"{prefix}SOCKET_BYTES_RECEIVED"
    )


def test_the_same_exchanges_as_from_a_log_that_holds_the_bytes(tmp_path: Path) -> None:
    lines = plain()
    (tmp_path / "whole").mkdir()
    whole = read(tmp_path / "whole", [HEADER, *lines])
    copy(tmp_path / "connections", *both_sides(lines))
    found = read_counted(tmp_path, [HEADER, *map(counted, lines)])
    assert answers(found) == answers(whole) == [(GET, OK), (AGAIN, OK + b"!")]
    assert found.problems == whole.problems == ("the network log is cut off",)
    assert {item.source for item in whole.exchanges} == {Source.NETLOG}
    assert {item.source for item in found.exchanges} == {Source.RELAY}
    assert {item.local_port for item in found.exchanges} == {PORT}
    assert not list((tmp_path / "wire").glob("spool-*"))


def test_a_repeat_within_one_use_is_cut_where_the_next_request_begins(tmp_path: Path) -> None:
    no = b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"
    first = one_exchange(1, 11, 7, GET, no)
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
    copy(tmp_path / "connections", GET + GET, no + OK)
    lines = [connected(7), *map(counted, [*first[:-1], *again, first[-1]])]
    found = read_counted(tmp_path, [HEADER, *lines])
    assert answers(found) == [(GET, no), (GET, OK)]


def test_a_port_that_is_used_again_is_another_connection(tmp_path: Path) -> None:
    folder = tmp_path / "connections"
    copy(folder, b"x" * 9, b"y" * 9, number=1, port=PORT + 1)
    copy(folder, GET, OK, number=2)
    copy(folder, AGAIN, OK + b"!", number=3)
    lines = [connected(7), *one_exchange(1, 11, 7, GET, OK)]
    lines += [connected(8), *one_exchange(2, 12, 8, AGAIN, OK + b"!")]
    found = read_counted(tmp_path, [HEADER, *map(counted, lines)])
    assert answers(found) == [(GET, OK), (AGAIN, OK + b"!")]


def test_another_connections_copy_is_noticed(tmp_path: Path) -> None:
    copy(tmp_path / "connections", AGAIN, OK)
    lines = [connected(7), *one_exchange(1, 11, 7, GET, OK)]
    found = read_counted(tmp_path, [HEADER, *map(counted, lines)])
    assert "a request differs from what its connection sent" in found.problems


@pytest.mark.parametrize("kept", [0, 1, len(OK) - 4, len(OK) - 1])
def test_a_copy_that_is_cut_off_gives_what_there_is(tmp_path: Path, kept: int) -> None:
    copy(tmp_path / "connections", GET, OK[:kept])
    lines = [connected(7), *one_exchange(1, 11, 7, GET, OK)]
    found = read_counted(tmp_path, [HEADER, *map(counted, lines)])
    assert "a connection's copy is shorter than the network log says" in found.problems
    if kept:
        (item,) = found.exchanges
        assert item.response is not None
        assert item.response.read_bytes() == OK[:kept]
        assert item.truncated == "disconnect" if kept >= len(OK) - 4 else item.status is None
    else:
        assert found.exchanges == ()
        assert found.failed[0].request.read_bytes() == GET


def test_a_connection_that_nobody_copied_is_told(tmp_path: Path) -> None:
    lines = [HEADER, *map(counted, [connected(7), *one_exchange(1, 11, 7, GET, OK)])]
    assert "a connection of the network log of which there is no copy" in (
        read_counted(tmp_path, lines).problems
    )
    (tmp_path / "alone").mkdir()
    assert "the network log counts bytes, and nobody copied them" in (
        read(tmp_path / "alone", lines).problems
    )


def test_a_silent_connection_is_no_problem(tmp_path: Path) -> None:
    lines = [connected(7), data("SOCKET_BYTES_SENT", 7, GREETING)]
    found = read_counted(tmp_path, [HEADER, *map(counted, lines), b"],\n"])
    assert found.problems == ()


def secure(folder: Path, lines: list[bytes]) -> list[bytes]:
    """The same within TLS by two real ends: the copy has what they made of it, and their keys."""
    talk = Talk(Ends(folder), None)
    talk.handshake()
    for line in lines:
        name = NAMES[json.loads(line.rstrip(b",\n"))["type"]]
        if name == "SSL_SOCKET_BYTES_SENT":
            talk.say(passed([line], name))
        elif name == "SSL_SOCKET_BYTES_RECEIVED":
            talk.answer(passed([line], name))
    copies = folder / "connections"
    copy(copies, GREETING + bytes(talk.sent), WELCOME + bytes(talk.received))
    shutil.copyfile(folder / KEYS, copies / KEYS)  # the library holds its own open
    return [
        connected(7),
        counted(data("SOCKET_BYTES_SENT", 7, GREETING)),
        counted(data("SOCKET_BYTES_RECEIVED", 7, WELCOME)),
        event("SSL_CONNECT", 7, 1),
        counted(data("SOCKET_BYTES_SENT", 7, b"a handshake")),
        event("SSL_CONNECT", 7, 2, version="TLS 1.3", cipher_suite=0x1302, next_proto="http/1.1"),
        *map(counted, lines),
    ]


def inside(lines: list[bytes]) -> list[bytes]:
    """Socket lines as they are called inside TLS."""
    known = [name for name in NUMBERS if name.startswith("SOCKET_BYTES")]
    out = []
    for line in lines:
        value = json.loads(line.rstrip(b",\n"))
        name = NAMES[value["type"]]
        value["type"] = NUMBERS[f"SSL_{name}"] if name in known else value["type"]
        out.append(json.dumps(value, separators=(",", ":")).encode() + b",\n")
    return out


def in_tls() -> list[bytes]:
    return inside([*one_exchange(1, 11, 7, GET, OK), *one_exchange(2, 12, 7, AGAIN, OK + b"!")])


def test_inside_tls_the_plaintext_counts(tmp_path: Path) -> None:
    found = read_counted(tmp_path, [HEADER, *secure(tmp_path, in_tls())])
    assert answers(found) == [(GET, OK), (AGAIN, OK + b"!")]
    assert found.problems == ("the network log is cut off",)
    assert {item.source for item in found.exchanges} == {Source.RELAY}


def test_without_keys_there_is_nothing_and_that_is_told(tmp_path: Path) -> None:
    lines = secure(tmp_path, in_tls())
    (tmp_path / "connections" / KEYS).unlink()
    found = read_counted(tmp_path, [HEADER, *lines])
    assert found.exchanges == ()
    assert "the TLS of a connection: no keys for this connection" in found.problems
    assert [item.error for item in found.failed] == ["ERR_EMPTY_RESPONSE"] * 2


def test_a_handshake_that_was_given_up_is_no_problem(tmp_path: Path) -> None:
    lines = secure(tmp_path, in_tls())
    path = tmp_path / "connections" / stem(1, PORT)
    sent = path.with_suffix(SENT).read_bytes()
    hello = len(GREETING) + 5 + int.from_bytes(sent[len(GREETING) + 3 : len(GREETING) + 5], "big")
    path.with_suffix(SENT).write_bytes(sent[:hello])
    path.with_suffix(RECEIVED).write_bytes(WELCOME)
    found = read_counted(tmp_path, [HEADER, *lines])
    # No fault of the TLS; but the log says that something came, and it is missing.
    assert found.problems == (
        "the network log is cut off",
        "a connection's copy is shorter than the network log says",
        "a request differs from what its connection sent",
    )


def test_a_changed_byte_inside_tls_never_becomes_an_answer(tmp_path: Path) -> None:
    lines = secure(tmp_path, in_tls())
    path = (tmp_path / "connections" / stem(1, PORT)).with_suffix(RECEIVED)
    raw = bytearray(path.read_bytes())
    raw[-5] ^= 1
    path.write_bytes(raw)
    found = read_counted(tmp_path, [HEADER, *lines])
    assert answers(found)[0] == (GET, OK)
    assert found.exchanges[1].truncated == "disconnect"
    assert answers(found)[1][1] == OK[:20]  # the record before it
    assert any(text.startswith("the TLS of a connection: ") for text in found.problems)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(0, 30))
def test_however_the_log_counts_the_bytes_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], lost: int
) -> None:
    folder = tmp_path_factory.mktemp("counted")
    body = bytes(number % 251 for number in range(sum(sizes)))
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    lines = one_exchange(1, 11, 7, GET, answer)
    place = 0
    for size in sizes:
        lines.insert(-1, data("SOCKET_BYTES_RECEIVED", 7, body[place : place + size]))
        place += size
    copy(folder / "connections", GET, (answer + body)[: len(answer) + len(body) - lost])
    found = read_counted(folder, [HEADER, connected(7), *map(counted, lines)])
    kept = (answer + body)[: max(0, len(answer) + len(body) - lost)]
    assert answers(found) == [(GET, kept)]
    short = "a connection's copy is shorter than the network log says" in found.problems
    assert short is bool(lost)


def test_whether_anything_came_from_outside(tmp_path: Path) -> None:
    folder = tmp_path / "connections"
    assert not has_answers(folder)
    copy(folder, GET, b"\x05\x00\x05\x00\x00\x01" + bytes(6))
    assert not has_answers(folder)
    copy(folder, GET, b"\x05\x00\x05\x00\x00\x01" + bytes(6) + b"H", number=2)
    assert has_answers(folder)
