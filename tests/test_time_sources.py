"""The clock's offset by NTP, HTTP Date and token time; every wrong answer is turned down."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.core.errors import EvidenceError, NetworkError
from evidence_kit.gather.time_sources import (
    ClockCheck,
    HttpDateSource,
    NtpSource,
    TsaMoment,
    TsaSource,
    measure_offset,
    read_ntp,
    system_clock,
)
from tests.platform_tools import recording

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
EPOCH = datetime(1900, 1, 1, tzinfo=UTC)


def stamp(moment: datetime) -> bytes:
    since = moment - EPOCH
    seconds = since.days * 86400 + since.seconds
    return struct.pack("!II", seconds % 2**32, since.microseconds * 2**32 // 1_000_000)


def packet(
    echo: bytes = b"nonce123",
    *,
    moment: datetime = NOW,
    left: datetime | None = None,
    first: int = 0 << 6 | 4 << 3 | 4,
    stratum: int = 2,
    root: tuple[int, int] = (0, 655),
    reference: bytes = b"GPS\0",
) -> bytes:
    head = struct.pack("!BBbb", first, stratum, 6, -20) + struct.pack("!II", *root) + reference
    return head + stamp(moment) + echo + stamp(moment) + stamp(left or moment)


@contextmanager
def ntp_server(answers: Callable[[bytes], list[bytes]]) -> Iterator[int]:
    """Answers one question with the packets that ``answers`` makes of it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)

        def serve() -> None:
            question, peer = sock.recvfrom(1024)
            for data in answers(question):
                sock.sendto(data, peer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield sock.getsockname()[1]
        thread.join(6)


def source(port: int, timeout: float = 2.0) -> NtpSource:
    return NtpSource("tijd.invalid", lambda host, p: "127.0.0.1", port, timeout)


@pytest.mark.parametrize("seconds", [0.0, 37.25, -3600.0])
def test_ntp_gives_the_offset(seconds: float) -> None:
    questions: list[bytes] = []

    def answers(question: bytes) -> list[bytes]:
        questions.append(question)
        return [packet(question[40:48], moment=NOW + timedelta(seconds=seconds))]

    with ntp_server(answers) as port:
        check = measure_offset([source(port)], lambda: NOW)
    assert check.offset == pytest.approx(seconds, abs=1e-5)
    assert check.uncertainty == pytest.approx(0.01, abs=0.001)
    assert (check.source, check.tried) == ("ntp:tijd.invalid", (("ntp:tijd.invalid", "answered"),))
    assert len(questions[0]) == 48
    assert questions[0][0] == 0x23
    assert questions[0][1:40] == bytes(39)
    assert questions[0][40:48] != bytes(8)


def test_ntp_ignores_answers_to_another_question() -> None:
    def answers(question: bytes) -> list[bytes]:
        forged = packet(b"\0" * 8, moment=NOW + timedelta(days=1))
        return [forged, b"", packet(question[40:48])]

    with ntp_server(answers) as port:
        assert source(port).measure(lambda: NOW).offset == pytest.approx(0, abs=1e-5)


def test_ntp_gives_up_on_strays() -> None:
    with (
        ntp_server(lambda question: [packet(b"\0" * 8)] * 10) as port,
        pytest.raises(NetworkError, match="answers something else"),
    ):
        source(port).measure(lambda: NOW)


def test_a_time_server_without_a_name_service_is_a_result_not_a_fault() -> None:
    def nowhere(host: str, port: int) -> str:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    check = measure_offset([NtpSource("time.invalid", nowhere)], system_clock)
    assert check.offset is None
    assert check.tried == (("ntp:time.invalid", "the time server time.invalid cannot be found"),)


def test_silent_time_server() -> None:
    with (
        ntp_server(lambda question: []) as port,
        pytest.raises(NetworkError, match=r"tijd\.invalid does not answer"),
    ):
        source(port, 0.2).measure(lambda: NOW)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (packet()[:47], "too short"),
        (packet(first=0x23), "not one of a server"),
        (packet(first=1 << 3 | 4), "not one of a server"),
        (packet(stratum=0, reference=b"RATE"), "refuses: RATE"),
        (packet(stratum=0, reference=b"\x1b[2J"), "refuses: J"),
        (packet(first=3 << 6 | 4 << 3 | 4), "no time of its own"),
        (packet(stratum=16), "no time of its own"),
        (packet(root=(0, 2 << 16)), "too uncertain"),
        (packet(left=NOW - timedelta(seconds=1)), "contradicts itself"),
        (packet()[:40] + bytes(8), "contradicts itself"),
    ],
)
def test_unusable_ntp_answers(data: bytes, reason: str) -> None:
    with pytest.raises(NetworkError, match=reason):
        read_ntp(data, NOW, NOW)


def test_ntp_uncertainty_is_half_the_travel_and_the_servers_own() -> None:
    data = packet(moment=NOW + timedelta(seconds=1), root=(1 << 15, 1 << 14))
    found = read_ntp(data, NOW, NOW + timedelta(seconds=2))
    assert found.offset == pytest.approx(0.0, abs=1e-5)
    assert found.uncertainty == pytest.approx(1.0 + 0.25 + 0.25, abs=1e-5)


def test_ntp_after_2036() -> None:
    later = datetime(2040, 1, 1, tzinfo=UTC)
    assert read_ntp(packet(moment=later), later, later).offset == pytest.approx(0, abs=1e-5)


@given(st.binary(max_size=80))
def test_any_ntp_bytes_give_a_reading_or_our_error(data: bytes) -> None:
    with suppress(EvidenceError):
        read_ntp(data, NOW, NOW)


@contextmanager
def date_server(*lines: str) -> Iterator[str]:
    """Answers one request with these header lines, exactly."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(5)

        def serve() -> None:
            with listening.accept()[0] as sock:
                sock.recv(4096)
                head = ["HTTP/1.1 200 OK", "Content-Length: 0", "Connection: close", *lines]
                sock.sendall("\r\n".join([*head, "", ""]).encode())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/tijd?x=geheim"
        thread.join(6)


def test_http_date(tmp_path: Path) -> None:
    date = format_datetime(NOW + timedelta(seconds=10), usegmt=True)
    with date_server(f"Date: {date}") as url, recording(tmp_path / "wire") as session:
        check = measure_offset([HttpDateSource(url, session)], lambda: NOW)
        assert session.exchanges[0].method == "HEAD"
    assert (check.offset, check.uncertainty) == (10.5, 0.5)
    assert check.source.startswith("http-date:http://127.0.0.1:")
    assert "geheim" not in check.source


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((), "no Date header"),
        (("Date: gisteren",), "no Date header"),
        (("Date: Mon, 23 Nov 2026 10:00:00 GMT", "Age: 30"), "stored copy"),
    ],
)
def test_unusable_http_dates(tmp_path: Path, lines: tuple[str, ...], reason: str) -> None:
    with (
        date_server(*lines) as url,
        recording(tmp_path / "wire") as session,
        pytest.raises(NetworkError, match=reason),
    ):
        HttpDateSource(url, session).measure(lambda: NOW)


@pytest.mark.parametrize(
    ("micro", "accuracy", "uncertainty"),
    [(0, None, 2.0), (0, 0.1, 2.0), (500, 0.1, 1.1), (500, None, 2.0), (500, 3.0, 4.0)],
)
def test_token_time(micro: int, accuracy: float | None, uncertainty: float) -> None:
    moment = NOW + timedelta(seconds=6, microseconds=micro)
    sent, received = NOW, NOW + timedelta(seconds=2)
    tsa = TsaSource("voorbeeld-tsa", lambda: TsaMoment(moment, accuracy, sent, received))
    found = tsa.measure(lambda: NOW)
    assert found.offset == pytest.approx(5 + micro / 1e6)
    assert found.uncertainty == pytest.approx(uncertainty)


def test_the_next_source_is_asked_and_all_are_named() -> None:
    def refuse() -> TsaMoment:
        raise NetworkError("no token")

    good = TsaSource("b", lambda: TsaMoment(NOW, 0.5, NOW, NOW))
    never = TsaSource("c", refuse)
    check = measure_offset([TsaSource("a", refuse), good, never], lambda: NOW)
    assert check == ClockCheck(0.0, 1.0, "tsa:b", (("tsa:a", "no token"), ("tsa:b", "answered")))


def test_none_reachable_says_so() -> None:
    def refuse() -> TsaMoment:
        raise NetworkError("no token")

    check = measure_offset([TsaSource("a", refuse)], lambda: NOW)
    assert check.to_json() == {
        "offset_seconds": None,
        "uncertainty_seconds": None,
        "source": None,
        "tried": [{"source": "tsa:a", "result": "no token"}],
    }
    assert measure_offset([], lambda: NOW).offset is None


def test_system_clock_is_utc() -> None:
    assert system_clock().tzinfo is UTC
