"""The same of TLS 1.2: what ordinary peers seldom or never do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from evidence_kit.seal.tls_records import TlsError
from tests.tls_made import ALERT, CHANGE_CIPHER, DATA, HANDSHAKE, clear, message, until_error
from tests.tls_made_12 import Cbc, Gcm, connection, recording

AGREED = b"\0\x04\0\x16\0\0"
"""Extensions of a ServerHello: encrypt-then-MAC."""


def test_tls_12_empty_records_and_warnings() -> None:
    client, server = Gcm(0), Gcm(1)
    sent, received = connection(client, server, 0x9C)
    sent += client.seal(DATA, b"a") + client.seal(DATA, b"")
    sent += client.seal(ALERT, b"\x01\x64") + client.seal(DATA, b"b")
    received += server.seal(HANDSHAKE, message(0, b"")) + server.seal(DATA, b"c")
    received += server.seal(ALERT, b"\x02\x50") + server.seal(DATA, b"d")
    made = recording(sent, received).open()
    assert list(made.sent()) == [b"a", b"b"]
    assert list(made.received()) == [b"c"]


REFUSED_12: dict[str, tuple[Callable[[Gcm | Cbc], bytes], str]] = {
    "a ClientHello": (lambda one: one.seal(HANDSHAKE, message(1, bytes(50))), "negotiated anew"),
    "a ServerHello": (lambda one: one.seal(HANDSHAKE, message(2, bytes(50))), "negotiated anew"),
    "new ciphers": (lambda one: one.seal(20, b"\x01"), "not in order"),
    "no alert": (lambda one: one.seal(ALERT, b""), "alert"),
    "too much": (lambda one: one.seal(DATA, bytes((1 << 14) + 1)), "more content"),
    "in the clear": (lambda one: CHANGE_CIPHER, "does not open"),
    "too short": (lambda one: clear(DATA, bytes(23)), "does not open"),
    "zeros": (lambda one: clear(DATA, bytes(48)), "does not open"),
    "nothing": (lambda one: clear(DATA, b""), "does not open"),
    "too long": (lambda one: b"\x17\x03\x03\x48\x01", "no TLS record"),
}


@pytest.mark.parametrize("name", REFUSED_12)
@pytest.mark.parametrize("kind", [Gcm, Cbc])
def test_tls_12_records_that_are_refused(kind: type[Gcm] | type[Cbc], name: str) -> None:
    client, server = kind(0), kind(1)
    sent, received = connection(client, server, kind.cipher)
    bad, words = REFUSED_12[name]
    sent += client.seal(DATA, b"a") + bad(client) + client.seal(DATA, b"b")
    assert until_error(recording(sent, received).open().sent(), words) == b"a"


def test_tls_12_data_before_the_keys() -> None:
    client, server = Gcm(0), Gcm(1)
    sent, received = connection(client, server, 0x9C)
    sent[sent.index(CHANGE_CIPHER) :] = client.seal(DATA, b"a")
    assert until_error(recording(sent, received).open().sent(), "before there are keys") == b""
    at = received.index(CHANGE_CIPHER)
    received[at:] = clear(ALERT, b"\x01\x70") + clear(ALERT, b"\x02\x28") + received[at:]
    assert list(recording(sent, received).open().received()) == []


@pytest.mark.parametrize("encrypt_first", [True, False])
@pytest.mark.parametrize("extra", [0, 1, 15])
def test_cbc_of_every_length(encrypt_first: bool, extra: int) -> None:
    """The first byte apart, as clients send it; lengths around the blocks, padding of any size."""
    client = Cbc(0, encrypt_first=encrypt_first, extra=extra if extra < 15 else 14)
    server = Cbc(1, encrypt_first=encrypt_first)
    agreed = AGREED if encrypt_first else b""
    sent, received = connection(client, server, 0x2F, extensions=agreed)
    parts = [bytes([length]) * length for length in range(40)]
    for one in parts:
        sent += client.seal(DATA, one)
    assert list(recording(sent, received).open().sent()) == parts[1:]


def test_cbc_padding_and_mac_both_count() -> None:
    client, server = Cbc(0, extra=1), Cbc(1)
    sent, received = connection(client, server, 0x2F)
    sent += client.seal(DATA, b"a") + client.seal(DATA, b"b", spoiled=True)
    assert until_error(recording(sent, received).open().sent(), "does not open") == b"a"
    sent, received = connection(Cbc(0, encrypt_first=True), server, 0x2F, extensions=AGREED)
    sent += clear(DATA, bytes(51))
    assert until_error(recording(sent, received).open().sent(), "does not open") == b""
    # Told that encryption came first, the same records do not authenticate, and the reverse.
    other = Cbc(0, encrypt_first=True)
    for one, agreed in ((Cbc(0), AGREED), (other, b"")):
        sent, received = connection(one, server, 0x2F, extensions=agreed)
        assert until_error(recording(sent, received).open().sent(), "does not open") == b""


def test_a_master_secret_of_another_length() -> None:
    short = recording(*connection(Gcm(0), Gcm(1), 0x9C))
    with pytest.raises(TlsError, match="do not fit"):
        replace(short, keys=short.keys[:-33] + b"\n").open()
