"""Recorded TLS opened with its client's keys: both ends are real, what they said is known."""

from __future__ import annotations

import io
import ssl
from pathlib import Path

import pytest

from evidence_kit.seal.tls_keys import KeyLog
from evidence_kit.seal.tls_records import TlsError, TlsUnfinishedError, open_tls
from evidence_kit.seal.tls_suites import SUITES_12
from tests.tls_peers import (
    NAME,
    NO_ENCRYPT_THEN_MAC,
    NO_EXTENDED_MASTER_SECRET,
    Ends,
    Recording,
    Talk,
    certificate_file,
)

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3

OFFERED = {0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x9C, 0x9D, 0x2F, 0x35}
"""What Chromium offers of TLS 1.2."""


def _names() -> dict[int, str]:
    """Suites of TLS 1.2 by number, as OpenSSL calls them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:@SECLEVEL=0")
    return {int(one["id"]) & 0xFFFF: str(one["name"]) for one in context.get_ciphers()}


NAMES = _names()
CBC = [number for number, suite in SUITES_12.items() if suite.bulk == "cbc"]


def ends_12(folder: Path, number: int, options: int = 0) -> Ends:
    kind = "ec" if "ECDSA" in NAMES[number] else "rsa"
    return Ends(folder, version=V12, suite=NAMES[number], kind=kind, options=options)


def assert_exact(recording: Recording) -> None:
    assert recording.read() == (recording.said, recording.answered)
    assert recording.said
    assert recording.answered


def _server_hello_has(recording: Recording, extension: int) -> bool:
    """Whether the ServerHello, first in its record, names an extension."""
    size = int.from_bytes(recording.received[6:9], "big")
    body = recording.received[9 : 9 + size]
    at = 35 + body[34] + 3 + 2
    while at < len(body):
        if int.from_bytes(body[at : at + 2], "big") == extension:
            return True
        at += 4 + int.from_bytes(body[at + 2 : at + 4], "big")
    return False


def test_every_suite_that_browsers_offer_is_read() -> None:
    assert set(SUITES_12) >= OFFERED


def test_tls_13(tmp_path: Path) -> None:
    recording = Ends(tmp_path).connect()
    assert_exact(recording)
    connection = recording.open()
    assert (connection.version, connection.cipher) == ("TLS 1.3", 0x1302)
    assert connection.client_random == recording.sent[11:43]


@pytest.mark.parametrize("number", SUITES_12, ids=lambda number: NAMES[number])
def test_tls_12(number: int, tmp_path: Path) -> None:
    recording = ends_12(tmp_path, number).connect()
    assert recording.suite == NAMES[number]
    assert_exact(recording)
    connection = recording.open()
    assert (connection.version, connection.cipher) == ("TLS 1.2", number)
    assert _server_hello_has(recording, 22) == (number in CBC)  # encrypt-then-MAC


@pytest.mark.parametrize("number", CBC, ids=lambda number: NAMES[number])
def test_mac_then_encrypt(number: int, tmp_path: Path) -> None:
    recording = ends_12(tmp_path, number, NO_ENCRYPT_THEN_MAC).connect()
    assert not _server_hello_has(recording, 22)
    assert_exact(recording)


@pytest.mark.parametrize("options", [0, NO_EXTENDED_MASTER_SECRET])
def test_extended_master_secret(options: int, tmp_path: Path) -> None:
    recording = ends_12(tmp_path, 0xC02F, options).connect()
    assert _server_hello_has(recording, 23) == (not options)
    assert_exact(recording)


@pytest.mark.parametrize("number", [0xC02F, 0xCCA8, 0xC013])
@pytest.mark.parametrize("ticket", [True, False])
def test_resumed_tls_12(number: int, ticket: bool, tmp_path: Path) -> None:
    ends = ends_12(tmp_path, number, 0 if ticket else ssl.OP_NO_TICKET)
    kept: list[ssl.SSLSession | None] = []

    def talk(one: Talk) -> None:
        one.chat()
        one.close()  # a server forgets the session of a connection that just stops
        kept.append(one.client.session)

    first = ends.connect(talk)
    assert kept[0] is not None
    assert kept[0].has_ticket == ticket
    second = ends.connect(session=kept[0])
    assert (first.resumed, second.resumed) == (False, True)
    assert_exact(second)
    # The key log of both: each connection finds its own.
    assert_exact(
        Recording(first.sent, first.received, second.keys, first.said, first.answered),
    )


def test_resumed_tls_13(tmp_path: Path) -> None:
    ends = Ends(tmp_path)
    kept: list[ssl.SSLSession | None] = []

    def talk(one: Talk) -> None:
        one.chat()
        kept.append(one.client.session)

    ends.connect(talk)
    second = ends.connect(session=kept[0])
    assert second.resumed
    assert_exact(second)


def test_the_server_asks_for_another_group(tmp_path: Path) -> None:
    ends = Ends(tmp_path)
    ends.server.set_ecdh_curve("secp384r1")
    recording = ends.connect()
    assert bytes.fromhex("cf21ad74e59a6111be1d8c02") in recording.received[:50]
    assert_exact(recording)


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize("given", [True, False])
def test_client_certificate(version: ssl.TLSVersion, given: bool, tmp_path: Path) -> None:
    ends = Ends(tmp_path, version=version)
    pem = certificate_file(tmp_path, "rsa")
    ends.server.load_verify_locations(pem)
    ends.server.verify_mode = ssl.CERT_REQUIRED if given else ssl.CERT_OPTIONAL
    if given:
        ends.client.load_cert_chain(pem)

    def talk(one: Talk) -> None:
        one.chat()
        assert bool(one.server.getpeercert()) == given

    assert_exact(ends.connect(talk))


def test_asked_for_a_certificate_afterwards(tmp_path: Path) -> None:
    ends = Ends(tmp_path)
    pem = certificate_file(tmp_path, "rsa")
    ends.server.load_verify_locations(pem)
    ends.client.load_cert_chain(pem)
    ends.client.post_handshake_auth = True
    ends.server.verify_mode = ssl.CERT_REQUIRED
    ends.server.post_handshake_auth = True

    def talk(one: Talk) -> None:
        one.say(b"before")
        one.server.verify_client_post_handshake()
        one.answer(b"asked")
        one.say(b"after")
        assert one.server.getpeercert()
        one.answer(b"thanks")

    assert_exact(ends.connect(talk))


@pytest.mark.parametrize("version", [V12, V13])
def test_large_bodies_both_ways(version: ssl.TLSVersion, tmp_path: Path) -> None:
    body = bytes(range(251)) * 5000

    def talk(one: Talk) -> None:
        one.say(body)
        one.answer(body[::-1])

    recording = Ends(tmp_path, version=version).connect(talk)
    assert_exact(recording)
    assert {len(one) for one in list(recording.open().sent())[:-1]} == {1 << 14}


@pytest.mark.parametrize("version", [V12, V13])
def test_what_follows_the_end_is_no_data(version: ssl.TLSVersion, tmp_path: Path) -> None:
    def talk(one: Talk) -> None:
        one.chat()
        one.close()

    recording = Ends(tmp_path, version=version).connect(talk)
    assert_exact(recording)
    more = Recording(recording.sent + b"\x17\x03\x03\0\x20" + bytes(32), recording.received, b"")
    connection = open_tls(
        io.BytesIO(more.sent), io.BytesIO(more.received), KeyLog.parse(recording.keys)
    )
    assert b"".join(connection.sent()) == recording.said


def test_directions_can_be_read_apart_again_and_at_once(tmp_path: Path) -> None:
    recording = Ends(tmp_path).connect()
    before = b"CONNECT example.test:443 HTTP/1.1\r\n\r\n"
    sent, received = io.BytesIO(before + recording.sent), io.BytesIO(recording.received)
    sent.seek(len(before))
    connection = open_tls(sent, received, KeyLog.parse(recording.keys))
    assert b"".join(connection.received()) == recording.answered
    assert b"".join(connection.sent()) == recording.said
    pairs = zip(connection.sent(), connection.sent(), strict=True)
    assert b"".join(one for one, other in pairs if one == other) == recording.said


class _Trickle(io.RawIOBase):
    """A file that gives a few bytes at once, as raw streams may."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        assert whence == 0
        self._at = offset
        return offset

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        found = self._data[self._at : self._at + min(size, 700)]
        self._at += len(found)
        return found


def test_a_stream_that_gives_little_at_once(tmp_path: Path) -> None:
    recording = Ends(tmp_path).connect()
    connection = open_tls(
        _Trickle(recording.sent),  # type: ignore[arg-type]
        _Trickle(recording.received),  # type: ignore[arg-type]
        KeyLog.parse(recording.keys),
    )
    assert b"".join(connection.sent()) == recording.said
    assert b"".join(connection.received()) == recording.answered


@pytest.mark.parametrize("version", [V12, V13])
def test_keys_of_another_connection(version: ssl.TLSVersion, tmp_path: Path) -> None:
    ends = Ends(tmp_path, version=version)
    first = ends.connect()
    (tmp_path / "keys.log").write_bytes(b"")
    other = Ends(tmp_path, version=version).connect()
    with pytest.raises(TlsError, match="no keys"):
        Recording(first.sent, first.received, other.keys).read()
    with pytest.raises(TlsError, match="no keys"):
        Recording(first.sent, first.received, b"").read()
    # The other's secrets under the name of this one open nothing.
    renamed = other.keys.replace(
        other.open().client_random.hex().encode(), first.open().client_random.hex().encode()
    )
    with pytest.raises(TlsError, match="does not open"):
        Recording(first.sent, first.received, renamed).read()
    # The answer of one connection to the hello of another.
    with pytest.raises(TlsError, match="does not open"):
        Recording(first.sent, other.received, first.keys).read()


@pytest.mark.parametrize("number", [0xC02F, 0xCCA8, 0xC013])
def test_cut_off_anywhere(number: int, tmp_path: Path) -> None:
    recording = ends_12(tmp_path, number, NO_ENCRYPT_THEN_MAC).connect()
    _cut_everywhere(recording)


def test_cut_off_anywhere_13(tmp_path: Path) -> None:
    _cut_everywhere(Ends(tmp_path).connect())


def _cut_everywhere(recording: Recording) -> None:
    """A recording that stops early has less of the data, and nothing else."""
    seen = set()
    for end in range(0, len(recording.sent) + 1, 7):
        cut = Recording(recording.sent[:end], recording.received, recording.keys)
        try:
            data = b"".join(cut.open().sent())
        except TlsError as error:
            assert str(error) == "no whole ClientHello"
            continue
        assert recording.said.startswith(data)
        seen.add(data)
    assert len(seen) >= 3


def test_no_tls_at_all() -> None:
    for sent, received, words in (
        (b"", b"", "no whole ClientHello"),
        (b"GET / HTTP/1.1\r\n\r\n", b"", "no TLS record"),
        (b"\x16\x03\x01\0\x04\x02\0\0\0", b"", "no whole ClientHello"),
    ):
        with pytest.raises(TlsError, match=words):
            Recording(sent, received, b"").open()


def test_the_server_refuses(tmp_path: Path) -> None:
    recording = Ends(tmp_path).connect()
    with pytest.raises(TlsError, match="no whole ServerHello"):
        Recording(recording.sent, b"\x15\x03\x03\0\x02\x02\x28", recording.keys).open()
    with pytest.raises(TlsError, match="no whole ServerHello"):
        Recording(recording.sent, recording.received[:40], recording.keys).open()
    # A warning is no refusal (RFC 6066 section 3: unrecognized_name).
    warned = b"\x15\x03\x03\0\x02\x01\x70" + recording.received
    assert_exact(
        Recording(recording.sent, warned, recording.keys, recording.said, recording.answered)
    )


@pytest.mark.parametrize("version", [V12, V13])
def test_a_client_that_does_not_trust_the_server(version: ssl.TLSVersion, tmp_path: Path) -> None:
    ends = Ends(tmp_path, version=version)
    ends.client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ends.client.keylog_filename = str(tmp_path / "keys.log")
    one = Talk(ends, None)
    with pytest.raises(ssl.SSLCertVerificationError):
        one.handshake()
    one.pass_on()
    recording = one.recording((tmp_path / "keys.log").read_bytes())
    assert recording.sent[-7:-5] == b"\x15\x03"  # why it leaves, in the clear
    with pytest.raises(TlsUnfinishedError, match="broke off"):
        recording.open()


def test_clients_that_go_no_further(tmp_path: Path) -> None:
    whole = Ends(tmp_path).connect()
    hello = whole.sent[: 5 + int.from_bytes(whole.sent[3:5], "big")]
    refusal = b"\x15\x03\x03\0\x02\x02\x28"
    for sent, received in (
        (b"", b""),
        (hello, b""),
        (hello, refusal),
        (hello + refusal, whole.received),
        (hello, whole.received[:99]),
    ):
        with pytest.raises(TlsUnfinishedError):
            Recording(sent, received, b"").open()
    for sent, received in ((hello[:99], b""), (refusal, b""), (whole.sent, refusal)):
        with pytest.raises(TlsError, match="no whole") as raised:
            Recording(sent, received, b"").open()
        assert isinstance(raised.value, TlsUnfinishedError) == (len(sent) == 99)


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    recording = Ends(tmp_path).connect()
    connection = recording.open()
    log = KeyLog.parse(recording.keys)
    secret = log.secret("CLIENT_TRAFFIC_SECRET_0", connection.client_random)
    assert secret is not None
    for shown in (repr(log), repr(connection)):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown
    assert "TLS 1.3" in repr(connection)
    assert NAME not in repr(connection)
