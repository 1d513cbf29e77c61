"""The egress guard: which addresses may be contacted, pinning, and its list of contacts."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.core.errors import NetworkError
from evidence_kit.core.events import Silent
from evidence_kit.gather.addresses import normal_host, why_not_global
from evidence_kit.gather.contacts import of_port
from evidence_kit.gather.egress import Guard


class Kept(Silent):
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def log(self, event: str, **fields: Any) -> None:
        self.events.append((event, fields))


@contextmanager
def echo_server(family: socket.AddressFamily = socket.AF_INET) -> Iterator[int]:
    """Answers each connection with its first bytes, turned round."""
    server = socket.socket(family, socket.SOCK_STREAM)
    server.bind(("127.0.0.1", 0))
    server.listen()

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.sendall(connection.recv(100)[::-1])

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        with suppress(OSError):  # only Linux wakes accept() by it; others do by the closing
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)


def ask(guard: Guard, host: str, port: int, *, command: int = 1) -> tuple[int, socket.socket]:
    """A SOCKS5 request for a name; the reply code and the connection."""
    client = socket.create_connection(("127.0.0.1", guard.port), 10)
    client.sendall(b"\x05\x01\x00")
    assert client.recv(2) == b"\x05\x00"
    name = host.encode()
    client.sendall(bytes((5, command, 0, 3, len(name))) + name + port.to_bytes(2, "big"))
    answer = b""
    while len(answer) < 10:
        part = client.recv(10 - len(answer))
        if not part:
            break
        answer += part
    return answer[1], client


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.9",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.251",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:0808:0808::",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "2a00:1450:1:1:0:5efe:7f00:1",
        "not an address",
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert why_not_global(address) is not None


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "145.131.1.1", "2a00:1450:400e::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses_pass(address: str) -> None:
    assert why_not_global(address) is None


@given(st.integers(0, 2**32 - 1))
def test_a_hidden_ipv4_address_is_judged_as_itself(number: int) -> None:
    plain = ipaddress.IPv4Address(number)
    mapped = ipaddress.IPv6Address((0xFFFF << 32) | number)
    assert (why_not_global(str(mapped)) is None) == (why_not_global(str(plain)) is None)
    if not plain.is_global:
        assert why_not_global(str(plain)) is not None


def test_hosts_compare_in_one_form() -> None:
    assert normal_host("LocalHost.") == "localhost"
    assert normal_host("[::1]") == "::1"
    assert normal_host("Bücher.example") == "xn--bcher-kva.example"


def test_only_the_allowed_pair_reaches_loopback() -> None:
    log = Kept()
    with echo_server() as port, echo_server() as other, Guard([("localhost", port)], log) as guard:
        code, client = ask(guard, "localhost", port)
        with client:
            assert code == 0
            own = client.getsockname()[1]
            client.sendall(b"abc")
            assert client.recv(10) == b"cba"
        for host, wanted in (("localhost", other), ("127.0.0.1", port)):
            code, client = ask(guard, host, wanted)
            client.close()
            assert code == 2
        contact = of_port(guard.contacts, own)
        assert contact is not None
        assert contact.used == "127.0.0.1"
        assert of_port(guard.contacts, 1) is None
        deadline = time.monotonic() + 5
        while guard.contacts[0].ended is None and time.monotonic() < deadline:
            time.sleep(0.01)
        first, second, third = guard.contacts
    assert (first.sent, first.received, first.refused) == (3, 3, None)
    assert second.refused == third.refused == "loopback"
    assert second.used is third.used is None
    assert [fields["refused"] for _, fields in log.events] == [None, "loopback", "loopback"]


def test_a_name_is_resolved_once_and_the_checked_address_is_used() -> None:
    answers = [["127.0.0.1"], ["10.0.0.1"]]
    with (
        echo_server() as port,
        Guard([("rebind.example", port)], Silent(), resolve=lambda *_: answers.pop(0)) as guard,
    ):
        code, client = ask(guard, "rebind.example", port)
        client.close()
        assert code == 0
        assert len(answers) == 1
        assert guard.contacts[0].used == "127.0.0.1"


def test_of_mixed_answers_only_the_public_ones_are_used() -> None:
    guard = Guard([], Silent(), resolve=lambda *_: ["10.0.0.1", "8.8.8.8"])
    assert guard.resolve_checked("mixed.example", 443) == "8.8.8.8"


def test_direct_connections_get_the_same_judgement() -> None:
    guard = Guard([("ok.example", 80)], Silent(), resolve=lambda *_: ["127.0.0.1"])
    assert guard.resolve_checked("OK.example.", 80) == "127.0.0.1"
    with pytest.raises(NetworkError, match=r"on a private network at 127\.0\.0\.1: loopback"):
        guard.resolve_checked("ok.example", 81)
    assert [item.purpose for item in guard.contacts] == ["session", "session"]


def test_what_will_be_refused_can_be_asked_before() -> None:
    answers = {"in.example": ["10.0.0.1"], "out.example": ["8.8.8.8"]}

    def resolve(host: str, port: int) -> list[str]:
        if host not in answers:
            raise OSError("no such name")
        return answers[host]

    guard = Guard([("in.example", 80)], Silent(), resolve=resolve)
    for host, port in (("in.example", 80), ("out.example", 443), ("gone.example", 443)):
        guard.refuse_private(host, port)
    with pytest.raises(NetworkError, match=r"in\.example port 81 .* at 10\.0\.0\.1: private"):
        guard.refuse_private("in.example", 81)
    assert guard.contacts == ()  # nothing was contacted


def test_a_name_without_address_is_told_apart() -> None:
    def nothing(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    with Guard([], Silent(), resolve=nothing) as guard:
        code, client = ask(guard, "nowhere.example", 80)
        client.close()
        assert code == 4
        assert guard.contacts[0].error == "name-not-resolved"
        with pytest.raises(NetworkError, match="no address"):
            guard.resolve_checked("nowhere.example", 80)


def test_a_closed_port_is_a_failed_connection() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with Guard([("127.0.0.1", port)], Silent()) as guard:
            code, client = ask(guard, "127.0.0.1", port)
            client.close()
            assert code == 5
            assert guard.contacts[0].error == "connection-failed"


def test_commands_other_than_connect_are_refused() -> None:
    with Guard([], Silent()) as guard:
        code, client = ask(guard, "example.org", 80, command=3)
        client.close()
        assert code == 7
        assert guard.contacts == ()


@pytest.mark.parametrize("noise", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x04\x01", b"\x05\x00"])
def test_noise_ends_without_a_contact(noise: bytes) -> None:
    with Guard([], Silent()) as guard:
        with socket.create_connection(("127.0.0.1", guard.port), 10) as client:
            client.sendall(noise)
            client.shutdown(socket.SHUT_WR)
            while client.recv(100):
                pass
        assert guard.contacts == ()


def test_the_relay_ends_while_connections_are_open(caplog: pytest.LogCaptureFixture) -> None:
    with echo_server() as port:
        start = time.monotonic()
        with Guard([("127.0.0.1", port)], Silent()) as guard:
            code, client = ask(guard, "127.0.0.1", port)
            assert code == 0
        assert time.monotonic() - start < 5
        assert client.recv(10) == b""
        client.close()
    assert caplog.text == ""
