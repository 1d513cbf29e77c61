"""Asking for a stamp over HTTP: every way of failing, the next in line, pace and log."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.core.errors import ConfigError, InputError, TimestampError
from evidence_kit.demo.tsa import DemoTsa, Fault, utc_now
from evidence_kit.gather import tsa_client
from evidence_kit.gather.tsa_client import TsaClient
from evidence_kit.gather.tsa_list import find_tsa, known_tsas, parse_list
from evidence_kit.seal.anchors import TrustAnchors
from tests.listening import dripping
from tests.openssl_tsa import OpensslTsa

DIGEST = hashlib.sha256(b"data").digest()


class Log:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def log(self, event: str, **fields: Any) -> None:
        self.events.append((event, fields))


def test_a_good_answer_is_logged_and_judged() -> None:
    log = Log()
    with DemoTsa() as tsa:
        known = TsaClient(utc_now, anchors=TrustAnchors(tsas=(tsa.root_der,)), log=log)
        answer = known.request_token(DIGEST, tsa.url)
        stranger = TsaClient(utc_now).request_token(DIGEST, tsa.url)
    assert answer.report.trusted
    assert not stranger.report.trusted
    assert (answer.url, answer.gen_time) == (tsa.url, answer.report.gen_time)
    assert log.events[0][0] == "timestamp"
    assert log.events[0][1]["url"] == tsa.url


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_each_digest(algorithm: str) -> None:
    digest = hashlib.new(algorithm, b"data").digest()
    with DemoTsa() as tsa:
        client = TsaClient(utc_now, anchors=TrustAnchors(tsas=(tsa.root_der,)))
        answer = client.request_token(digest, tsa.url, algorithm=algorithm)
    assert answer.report.info is not None
    assert answer.report.info.imprint == digest


FAULTS = {
    Fault.REFUSE: "refused: rejected, DEMO: not today",
    Fault.HANG: "did not answer within",
    Fault.HTTP_ERROR: "HTTP status 500",
    Fault.HTML: "answered with text/html",
    Fault.WRONG_NONCE: "another request",
    Fault.WRONG_IMPRINT: "another digest",
    Fault.FUTURE: "lies in the future",
    Fault.OVERSIZE: "more than",
    Fault.BAD_SIGNATURE: "does not verify",
    Fault.NO_CERTIFICATE: "certificate",
    Fault.REDIRECT: "HTTP status 302",
}


def test_every_fault_has_a_case() -> None:
    assert FAULTS.keys() == set(Fault) - {Fault.NONE}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_next_is_asked_when_one_fails(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tsa_client, "TIMEOUT", 1.0)
    log = Log()
    with DemoTsa(fault=fault) as bad, DemoTsa() as good:
        attempts = TsaClient(utc_now, log=log).first_token(DIGEST, [bad.url, good.url])
        assert (bad.requests, good.requests) == (1, 1)
    assert attempts.answer is not None
    assert attempts.answer.url == good.url
    assert [failure.url for failure in attempts.failures] == [bad.url]
    assert FAULTS[fault] in attempts.failures[0].reason
    assert [event for event, _ in log.events] == ["timestamp-failed", "timestamp"]


def test_all_fail() -> None:
    with DemoTsa(fault=Fault.REFUSE) as one, DemoTsa(fault=Fault.HTML) as two:
        attempts = TsaClient(utc_now).first_token(DIGEST, [one.url, two.url])
    assert attempts.answer is None
    assert [failure.url for failure in attempts.failures] == [one.url, two.url]
    assert TsaClient(utc_now).first_token(DIGEST, []).failures == ()


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        with pytest.raises(TimestampError, match="could not be reached: ") as caught:
            TsaClient(utc_now).request_token(DIGEST, url)
    assert "Error" not in caught.value.message, "the system's words, not the name of a class"


def test_a_server_that_drips_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, so only a limit on the whole helps."""
    monkeypatch.setattr(tsa_client, "TIMEOUT", 1.0)
    with (
        dripping() as url,
        pytest.raises(TimestampError, match="did not answer"),
    ):
        TsaClient(utc_now).request_token(DIGEST, url)


def test_stored_passwords_are_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            connection, _ = server.accept()
            with connection:
                seen.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=listen)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        with pytest.raises(TimestampError):
            TsaClient(utc_now).request_token(DIGEST, url)
        thread.join()
    assert b"application/timestamp-query" in seen[0]
    assert b"authorization" not in seen[0].lower()


def test_pace_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    times = iter([100.0, 104.0, 115.0])

    def post(url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        raise TimestampError("not today")

    client = TsaClient(utc_now, post=post, sleep=slept.append, steady=lambda: next(times))
    for _ in range(2):
        assert client.first_token(DIGEST, ["sectigo"]).answer is None
    assert slept == [11.0]


def test_the_list_holds_only_addresses() -> None:
    for name, tsa in known_tsas().items():
        assert tsa.qualified == "unknown", "needs a dated trusted list"
        assert tsa.checked
        assert tsa.source
        assert find_tsa(name) is tsa
        assert find_tsa(tsa.url) is tsa


@pytest.mark.parametrize("bad", ["nobody", "ftp://x/", "http://", "http://a:b@x/", "http://x:y/"])
def test_bad_names(bad: str) -> None:
    with pytest.raises(InputError):
        find_tsa(bad)
    with pytest.raises(InputError):
        TsaClient(utc_now).first_token(DIGEST, [bad])


@pytest.mark.parametrize(
    "text",
    [
        "x = 1",
        "[x]\nurl = 'http://x/'",
        "[x]\nurl = 'http://x/'\nsource = 's'\nroot = 'r'",
        "[x]\nurl = 'http://x/'\nsource = 's'\nqualified = 'perhaps'",
        "[x]\nurl = 'http://x/'\nsource = 's'\nmin_seconds = 'x'",
        "[",
    ],
)
def test_bad_lists(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_list(text)


@pytest.mark.outside
def test_the_real_openssl_over_http(tmp_path: Path) -> None:
    with OpensslTsa(tmp_path) as tsa:
        client = TsaClient(utc_now, anchors=TrustAnchors(tsas=(tsa.root,)))
        answers = [client.request_token(DIGEST, tsa.url) for _ in range(2)]
    assert all(answer.report.trusted for answer in answers)
    serials = {answer.report.info.serial for answer in answers if answer.report.info}
    assert len(serials) == 2
