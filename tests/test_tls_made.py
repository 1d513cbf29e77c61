"""What ordinary peers seldom or never do, in TLS written by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evidence_kit.seal.tls_hello import MAX_MESSAGE
from evidence_kit.seal.tls_records import TlsError, TlsUnfinishedError
from tests.tls_made import (
    ALERT,
    CHANGE_CIPHER,
    CLOSE_NOTIFY,
    DATA,
    EARLY_ACCEPTED,
    EMPTY_EXTENSIONS,
    END_OF_EARLY_DATA,
    FINISHED,
    HANDSHAKE,
    KEY_UPDATE,
    Made,
    Sealer,
    clear,
    message,
    until_error,
)

CLIENT, SERVER = "CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"
EARLY = "CLIENT_EARLY_TRAFFIC_SECRET"
TICKET = message(4, bytes(60))
USER_CANCELED = b"\x01\x5a"


@pytest.mark.parametrize("cipher", [0x1301, 0x1302, 0x1303])
def test_the_suites(cipher: int) -> None:
    made = Made(cipher)
    client, server = made.begin()
    made.sent += client.seal(DATA, b"question")
    made.received += server.seal(HANDSHAKE, TICKET + TICKET) + server.seal(DATA, b"answer")
    assert made.recording().read() == (b"question", b"answer")
    assert made.recording().open().cipher == cipher


def test_padding_and_empty_records() -> None:
    made = Made()
    client, server = made.begin()
    for padding in (0, 1, 255, 16383):
        made.sent += client.seal(DATA, b"a", padding) + client.seal(DATA, b"", padding)
    made.received += server.seal(DATA, b"ends in zeros\0\0\0", 7)
    made.received += server.seal(DATA, bytes(1 << 14))
    connection = made.recording().open()
    assert list(connection.sent()) == [b"a"] * 4
    assert list(connection.received()) == [b"ends in zeros\0\0\0", bytes(1 << 14)]


def test_records_that_are_too_long() -> None:
    for content in (bytes((1 << 14) + 1), bytes(range(1, 256)) * 65):
        made = Made()
        client, _ = made.begin()
        made.sent += client.seal(DATA, b"a") + client.seal(DATA, content)
        assert until_error(made.recording().open().sent(), "more content") == b"a"
    made = Made()
    client, _ = made.begin()
    made.sent += client.seal(DATA, b"a") + b"\x17\x03\x03" + (0x4101).to_bytes(2, "big")
    assert until_error(made.recording().open().sent(), "no TLS record") == b"a"


def test_a_record_without_type_or_tag() -> None:
    for bad, words in (
        (lambda client: client.seal(0, b"", 10), "content type"),
        (lambda client: b"\x17\x03\x03\0\0", "does not open"),
        (lambda client: b"\x17\x03\x03\0\x0f" + bytes(15), "does not open"),
        (lambda client: b"\x17\x03\x03\0\x10" + bytes(16), "does not open"),
        (lambda client: client.seal(24, b"x"), "not in order"),
        (lambda client: client.seal(ALERT, b"\x01"), "alert"),
    ):
        made = Made()
        client, _ = made.begin()
        made.sent += client.seal(DATA, b"a") + bad(client) + client.seal(DATA, b"b")
        assert until_error(made.recording().open().sent(), words) == b"a"


def test_handshake_messages_split_and_shared() -> None:
    made = Made()
    for byte in made.client_hello():
        made.sent += clear(HANDSHAKE, bytes([byte]))
    made.sent += CHANGE_CIPHER
    hello = made.server_hello()
    made.received += clear(HANDSHAKE, hello[:3]) + clear(HANDSHAKE, b"") + CHANGE_CIPHER
    made.received += clear(HANDSHAKE, hello[3:])
    for way, label in ((made.sent, CLIENT), (made.received, SERVER)):
        sealer = made.sealer(label)
        flight = EMPTY_EXTENSIONS + message(11, bytes(40_000)) + FINISHED
        for at in range(0, len(flight), 9_999):
            way += sealer.seal(HANDSHAKE, flight[at : at + 9_999])
        sealer = made.sealer(label.replace("HANDSHAKE_TRAFFIC_SECRET", "TRAFFIC_SECRET_0"))
        way += sealer.seal(DATA, b"one") + sealer.seal(HANDSHAKE, TICKET[:10])
        way += sealer.seal(HANDSHAKE, TICKET[10:] + TICKET + KEY_UPDATE[:2])
        way += sealer.seal(HANDSHAKE, KEY_UPDATE[2:])
        way += sealer.next().seal(DATA, b" two")
    assert made.recording().read() == (b"one two", b"one two")


def test_new_keys_again_and_again() -> None:
    made = Made(0x1302)
    client, server = made.begin()
    for number in range(4):
        made.sent += client.seal(DATA, b"q%d" % number) + client.seal(HANDSHAKE, KEY_UPDATE)
        client = client.next()
        made.received += server.seal(DATA, b"a%d" % number)
    made.received += server.seal(HANDSHAKE, KEY_UPDATE) + server.next().seal(DATA, b"end")
    assert made.recording().read() == (b"q0q1q2q3", b"a0a1a2a3end")


OUT_OF_ORDER: dict[str, Callable[[Sealer], bytes]] = {
    "new keys, then a ticket": lambda one: one.seal(HANDSHAKE, KEY_UPDATE + TICKET),
    "new keys, then a byte": lambda one: one.seal(HANDSHAKE, KEY_UPDATE + b"\x04"),
    "new keys twice": lambda one: one.seal(HANDSHAKE, KEY_UPDATE * 2),
    "data in a message": lambda one: one.seal(HANDSHAKE, TICKET[:9]) + one.seal(DATA, b"b"),
    "an alert in a message": lambda one: (
        one.seal(HANDSHAKE, TICKET[:9]) + one.seal(ALERT, CLOSE_NOTIFY)
    ),
}


@pytest.mark.parametrize("name", OUT_OF_ORDER)
def test_messages_that_are_not_in_order(name: str) -> None:
    made = Made()
    client, _ = made.begin()
    made.sent += client.seal(DATA, b"a") + OUT_OF_ORDER[name](client)
    assert until_error(made.recording().open().sent(), "not in order") == b"a"


def test_data_before_the_handshake_is_done() -> None:
    made = Made()
    made.sent += clear(HANDSHAKE, made.client_hello())
    made.received += clear(HANDSHAKE, made.server_hello())
    made.sent += made.sealer(CLIENT).seal(DATA, b"too early")
    made.received += made.sealer(SERVER).seal(HANDSHAKE, FINISHED + TICKET)
    assert until_error(made.recording().open().sent(), "not in order") == b""
    assert until_error(made.recording().open().received(), "not in order") == b""


def test_what_is_in_the_clear_among_the_rest() -> None:
    for extra, words in (
        (CHANGE_CIPHER, "in the clear"),
        (clear(HANDSHAKE, TICKET), "in the clear"),
        (clear(ALERT, CLOSE_NOTIFY), "in the clear"),
        (clear(99, b""), "in the clear"),
    ):
        made = Made()
        client, _ = made.begin()
        made.sent += client.seal(DATA, b"a") + extra + client.seal(DATA, b"b")
        assert until_error(made.recording().open().sent(), words) == b"a"
    for extra, words in ((clear(20, b"\x02"), "change of cipher"), (clear(99, b""), "unknown")):
        made = Made()
        made.sent += clear(HANDSHAKE, made.client_hello()) + extra
        made.received += clear(HANDSHAKE, made.server_hello())
        assert until_error(made.recording().open().sent(), words) == b""
    made = Made()
    made.begin()
    at = len(clear(HANDSHAKE, made.client_hello()) + CHANGE_CIPHER)
    made.sent[at:at] = clear(ALERT, b"\x02\x2a")  # a client that takes no certificate
    assert made.recording().read() == (b"", b"")


def test_alerts() -> None:
    for alert, after in ((CLOSE_NOTIFY, b""), (b"\x02\x14", b""), (USER_CANCELED, b"b")):
        made = Made()
        client, _ = made.begin()
        made.sent += client.seal(DATA, b"a") + client.seal(ALERT, alert) + client.seal(DATA, b"b")
        assert made.recording().read()[0] == b"a" + after


def test_records_left_out_twice_or_in_another_order() -> None:
    made = Made()
    client, _ = made.begin()
    records = [client.seal(DATA, bytes([number])) for number in range(4)]
    for order, before in (((0, 2, 3), 1), ((0, 1, 1, 2), 2), ((1, 0), 0), ((0, 1, 3, 2), 2)):
        made = Made()
        made.begin()
        for number in order:
            made.sent += records[number]
        got = until_error(made.recording().open().sent(), "does not open")
        assert got == bytes(range(before))


def _early(made: Made, *data: bytes, retry: bool = False, cipher: int = 0) -> None:
    made.sent += clear(HANDSHAKE, made.client_hello(early=True)) + CHANGE_CIPHER
    sealer = made.sealer(EARLY, cipher)
    for one in data:
        made.sent += sealer.seal(DATA, one)
    if retry:
        made.received += clear(HANDSHAKE, made.server_hello(retry=True)) + CHANGE_CIPHER
        made.sent += clear(HANDSHAKE, made.client_hello())
    made.received += clear(HANDSHAKE, made.server_hello())
    answer = EMPTY_EXTENSIONS
    if b"accepted" in data:
        made.sent += sealer.seal(HANDSHAKE, END_OF_EARLY_DATA)
        answer = EARLY_ACCEPTED
    made.received += made.sealer(SERVER).seal(HANDSHAKE, answer + FINISHED)
    made.sent += made.sealer(CLIENT).seal(HANDSHAKE, FINISHED)
    made.sent += made.sealer("CLIENT_TRAFFIC_SECRET_0").seal(DATA, b"later")


@pytest.mark.parametrize("cipher", [0x1301, 0x1302, 0x1303])
def test_early_data(cipher: int) -> None:
    made = Made(cipher)
    _early(made, b"accepted", b"", b" and ")
    assert made.recording().read()[0] == b"accepted and later"
    made = Made(cipher)
    _early(made, b"refused", b" and forgotten")
    assert made.recording().read()[0] == b"later"
    made = Made(cipher)
    _early(made, b"refused", retry=True)
    assert made.recording().read()[0] == b"later"
    made = Made(cipher)
    _early(made)
    assert made.recording().read()[0] == b"later"


def test_refused_early_data_of_another_suite() -> None:
    made = Made(0x1301)
    _early(made, b"refused", b" too", cipher=0x1303)
    assert made.recording().read()[0] == b"later"


@pytest.mark.parametrize("word", [b"accepted", b"refused"])
def test_early_data_without_its_key(word: bytes) -> None:
    made = Made()
    _early(made, word)
    made.labels.remove(EARLY)
    until_error(made.recording().open().sent(), "no keys" if word == b"accepted" else "not open")


def test_early_data_that_was_touched_does_not_vanish() -> None:
    for word in (b"accepted", b"refused"):
        made = Made()
        _early(made, b"first", word)
        data = made.recording()
        at = data.sent.index(CHANGE_CIPHER) + len(CHANGE_CIPHER) + 8
        made.sent[at] ^= 1
        assert until_error(made.recording().open().sent(), "does not open") == b""


def test_early_data_that_stops() -> None:
    made = Made()
    _early(made, b"accepted")
    early = made.sealer(EARLY)
    hello = clear(HANDSHAKE, made.client_hello(early=True))
    for tail, words in (
        (early.seal(ALERT, CLOSE_NOTIFY) + b"\x17\x03\x03\0\x20" + bytes(32), ""),
        (clear(ALERT, b"\x02\x28") + b"\x17\x03\x03\0\x20" + bytes(32), ""),
        (made.sealer(EARLY).seal(HANDSHAKE, FINISHED), "not in order"),
        (made.sealer(EARLY).seal(99, b"x"), "not in order"),
    ):
        made.sent[:] = hello + tail
        sent = made.recording().open().sent()
        assert (until_error(sent, words) if words else b"".join(sent)) == b""


def test_early_data_whose_answer_is_not_there() -> None:
    """Nobody saw the server take it: it is left out, and the rest goes on."""
    for answer, words in (
        (b"", ""),
        (Made().sealer(SERVER).seal(ALERT, b"\x02\x28"), ""),
        (Made().sealer(SERVER).seal(HANDSHAKE, FINISHED), "not in order"),
        (clear(DATA, bytes(40)), "does not open"),
    ):
        made = Made()
        _early(made, b"accepted")
        made.received[:] = clear(HANDSHAKE, made.server_hello()) + CHANGE_CIPHER + answer
        sent = made.recording().open().sent()
        assert (until_error(sent, words) or b"later" if words else b"".join(sent)) == b"later"
    made = Made()
    _early(made, b"accepted")
    made.sent[-100:] = b""  # cut off before the end of early data
    assert made.recording().read()[0] == b"accepted"


def test_keys_that_came_late_or_not_at_all() -> None:
    made = Made()
    client, server = made.begin()
    made.labels = [CLIENT, SERVER]
    assert made.recording().read() == (b"", b"")
    made.sent += client.seal(DATA, b"a")
    made.received += server.seal(DATA, b"a")
    connection = made.recording().open()
    assert until_error(connection.sent(), "no keys") == b""
    assert until_error(connection.received(), "no keys") == b""
    for label in (CLIENT, SERVER):
        made.labels = [label]
        with pytest.raises(TlsError, match="no keys"):
            made.recording().open()


@pytest.mark.parametrize("early", [True, False])
def test_what_a_server_sends_to_a_client_that_leaves(early: bool) -> None:
    """Data right behind its Finished, which the client never had the keys for."""
    made = Made()
    made.begin()
    made.sent[:] = clear(HANDSHAKE, made.client_hello(early=early)) + CHANGE_CIPHER
    if early:
        made.sent += made.sealer(EARLY).seal(DATA, b"refused")
    server = made.sealer("SERVER_TRAFFIC_SECRET_0")
    made.received += server.seal(HANDSHAKE, TICKET) + server.seal(DATA, b"settings")
    assert made.recording().read() == (b"", b"settings")
    made.labels = [EARLY, CLIENT, SERVER]
    assert made.recording().read() == (b"", b"")
    handshake = made.sealer(CLIENT)
    made.sent += handshake.seal(ALERT, b"\x02\x2a")
    assert made.recording().read() == (b"", b"")
    made.sent += handshake.seal(HANDSHAKE, FINISHED[:9])
    made.sent += handshake.seal(HANDSHAKE, FINISHED[9:])
    assert until_error(made.recording().open().received(), "no keys") == b""


def test_keys_of_another_length() -> None:
    made = Made(0x1302)
    made.begin()
    made.size = 32
    with pytest.raises(TlsError, match="do not fit"):
        made.recording().open()


def test_versions_and_suites_that_are_not_read() -> None:
    for version, cipher, words in (
        (0x0302, 0x2F, "version 0x0302"),
        (0x0305, 0x1301, "version 0x0305"),
        (0x0304, 0x1304, "suite 0x1304"),
        (0x0303, 0x1301, "suite 0x1301"),
        (0x0304, 0xC02F, "suite 0xc02f"),
    ):
        made = Made(0x1301)
        made.cipher = cipher
        made.sent += clear(HANDSHAKE, made.client_hello())
        made.received += clear(HANDSHAKE, made.server_hello(version=version))
        with pytest.raises(TlsUnfinishedError, match=words):
            made.recording().open()  # nor did the client go on
        made.sent += CHANGE_CIPHER + clear(HANDSHAKE, bytes(40))
        with pytest.raises(TlsError, match=words) as raised:
            made.recording().open()
        assert not isinstance(raised.value, TlsUnfinishedError)


def test_hellos_that_are_not_in_order() -> None:
    made = Made()
    made.begin()
    good = made.recording()
    at = good.received.index(b"\x13\x01\0") + 2
    made.received[at] = 1
    with pytest.raises(TlsError, match="compression"):
        made.recording().open()
    for hello in (message(1, b""), message(1, bytes(70)), made.client_hello()[:-1]):
        made.sent[:] = clear(HANDSHAKE, hello)
        with pytest.raises(TlsError, match=r"not in order|no whole ClientHello"):
            made.recording().open()
    made = Made()
    made.begin()
    made.received[:] = clear(HANDSHAKE, made.server_hello(retry=True) * 2 + made.server_hello())
    with pytest.raises(TlsError, match="no whole ServerHello"):
        made.recording().open()
    made.sent[:] = clear(HANDSHAKE, b"\x01" + (MAX_MESSAGE + 1).to_bytes(3, "big"))
    with pytest.raises(TlsError, match="too long"):
        made.recording().open()
