"""Nothing but what was said comes out of a recording, whatever was done to its bytes."""

from __future__ import annotations

import io
import ssl
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.seal.tls_hello import MAX_MESSAGE
from evidence_kit.seal.tls_keys import KeyLog
from evidence_kit.seal.tls_records import TlsError, open_tls
from evidence_kit.seal.tls_stream import BLOCK
from tests.tls_made import ALERT, CHANGE_CIPHER, DATA, HANDSHAKE, KEY_UPDATE, Made, clear
from tests.tls_made_12 import Cbc, Gcm, connection, recording
from tests.tls_peers import Ends, Recording, Talk

ENCRYPT_FIRST = b"\0\x04\0\x16\0\0"


def short_13(cipher: int) -> Recording:
    made = Made(cipher)
    client, server = made.begin()
    made.sent += client.seal(DATA, b"ask") + client.seal(HANDSHAKE, KEY_UPDATE)
    made.sent += client.next().seal(DATA, b"more", 3)
    made.received += server.seal(DATA, b"answer") + server.seal(ALERT, b"\x01\0")
    return replace(made.recording(), said=b"askmore", answered=b"answer")


def short_12(client: Gcm | Cbc, server: Gcm | Cbc, extensions: bytes = b"") -> Recording:
    sent, received = connection(client, server, client.cipher, extensions=extensions)
    for one in (b"ask", b"more"):
        sent += client.seal(DATA, one)
    received += server.seal(DATA, b"answer") + server.seal(ALERT, b"\x01\0")
    return replace(recording(sent, received), said=b"askmore", answered=b"answer")


SHORT: dict[str, Callable[[], Recording]] = {
    "1.3 AES-128-GCM": lambda: short_13(0x1301),
    "1.3 AES-256-GCM": lambda: short_13(0x1302),
    "1.3 ChaCha20": lambda: short_13(0x1303),
    "1.2 GCM": lambda: short_12(Gcm(0), Gcm(1)),
    "1.2 CBC": lambda: short_12(Cbc(0), Cbc(1)),
    "1.2 CBC, encrypted first": lambda: short_12(
        Cbc(0, encrypt_first=True), Cbc(1, encrypt_first=True), ENCRYPT_FIRST
    ),
}


def parts(data: Iterator[bytes]) -> bytes:
    """What is given on, up to the end or an error."""
    got = b""
    try:
        for one in data:
            got += one
    except TlsError:
        pass
    return got


def direction(one: Recording, way: str) -> bytes:
    try:
        connection = one.open()
    except TlsError:
        return b""
    return parts(connection.sent() if way == "sent" else connection.received())


def outcome(one: Recording) -> tuple[bytes, bytes]:
    return direction(one, "sent"), direction(one, "received")


def assert_nothing_else(original: Recording, changed: Recording) -> None:
    sent, received = outcome(changed)
    assert original.said.startswith(sent)
    assert original.answered.startswith(received)


@pytest.mark.parametrize("name", SHORT)
def test_each_bit_turned(name: str) -> None:
    good = SHORT[name]()
    assert good.read() == (good.said, good.answered)
    for way in ("sent", "received"):
        data: bytes = getattr(good, way)
        whole = good.said if way == "sent" else good.answered
        protected = data.index(CHANGE_CIPHER) + len(CHANGE_CIPHER)
        last = data.rindex(b"\x17\x03\x03")
        for bit in range(len(data) * 8):
            turned = bytearray(data)
            turned[bit // 8] ^= 1 << bit % 8
            got = direction(good.changed(way, bytes(turned)), way)
            assert whole.startswith(got)
            if protected <= bit // 8 < last:
                assert got != whole, f"bit {bit} does not count"


def test_each_bit_turned_of_a_real_connection(tmp_path: Path) -> None:
    """ChaCha20 of TLS 1.2, as OpenSSL speaks it."""

    def talk(one: Talk) -> None:
        one.say(b"ask")
        one.answer(b"answer")
        one.say(b"more")

    ends = Ends(
        tmp_path, version=ssl.TLSVersion.TLSv1_2, suite="ECDHE-RSA-CHACHA20-POLY1305", kind="rsa"
    )
    good = ends.connect(talk)
    start = good.sent.index(CHANGE_CIPHER) + len(CHANGE_CIPHER)
    for bit in range(start * 8, len(good.sent) * 8):
        turned = bytearray(good.sent)
        turned[bit // 8] ^= 1 << bit % 8
        got = outcome(replace(good, sent=bytes(turned)))
        assert got[0] in (b"", b"ask")
        assert got[1] == b"answer"


@pytest.mark.parametrize("name", SHORT)
@given(data=st.data())
def test_any_mutation(name: str, data: st.DataObject) -> None:
    """Pieces left out, repeated, exchanged between the directions, bytes put in."""
    good = SHORT[name]()
    way = data.draw(st.sampled_from(["sent", "received"]))
    old: bytes = getattr(good, way)
    at = data.draw(st.integers(0, len(old)))
    end = data.draw(st.integers(at, len(old)))
    other = good.received if way == "sent" else good.sent
    piece = data.draw(
        st.one_of(
            st.binary(max_size=40),
            st.just(old[at:end] * 2),
            st.integers(0, len(other)).map(lambda start: other[start:]),
        )
    )
    assert_nothing_else(good, good.changed(way, old[:at] + piece + old[end:]))


@pytest.mark.parametrize("name", SHORT)
@given(cut=st.integers(0, 400))
def test_cut_off_is_the_end_and_no_error(name: str, cut: int) -> None:
    good = SHORT[name]()
    try:
        connection = replace(good, sent=good.sent[:cut], received=good.received).open()
    except TlsError as error:
        assert str(error) == "no whole ClientHello"
        return
    assert good.said.startswith(b"".join(connection.sent()))
    connection = replace(good, received=good.received[: max(cut, 130)]).open()
    assert good.answered.startswith(b"".join(connection.received()))


@given(st.binary(max_size=400), st.binary(max_size=400), st.binary(max_size=300))
def test_any_bytes(sent: bytes, received: bytes, keys: bytes) -> None:
    with pytest.raises(TlsError):
        open_tls(io.BytesIO(sent), io.BytesIO(received), KeyLog.parse(keys))


@given(st.lists(st.tuples(st.sampled_from([20, 21, 22, 23, 24]), st.binary(max_size=40))))
def test_a_peer_who_says_anything(records: list[tuple[int, bytes]]) -> None:
    """Authentic records with any content: the data among them, or the project's own error."""
    said = b"".join(content for kind, content in records if kind == DATA)
    made = Made()
    client, _ = made.begin()
    for kind, content in records:
        made.sent += client.seal(kind, content)
    sealer = Gcm(0)
    sent, received = connection(sealer, Gcm(1), 0x9C)
    for kind, content in records:
        sent += sealer.seal(kind, content)
    for one in (made.recording(), recording(sent, received)):
        assert said.startswith(parts(one.open().sent()))


def test_memory_does_not_grow_with_the_stream() -> None:
    made = Made()
    client, _ = made.begin()
    made.sent += b"".join(client.seal(DATA, bytes(1 << 14)) for _ in range(800))
    sent, received = io.BytesIO(bytes(made.sent)), io.BytesIO(bytes(made.received))
    tracemalloc.start()
    try:
        total = sum(map(len, open_tls(sent, received, KeyLog.parse(made.keys())).sent()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == 800 << 14
    assert peak < 3 * BLOCK


def test_memory_does_not_grow_with_a_hello_without_end() -> None:
    hello = b"\x01" + MAX_MESSAGE.to_bytes(3, "big") + bytes(MAX_MESSAGE - 1)
    records = b"".join(
        clear(HANDSHAKE, hello[at : at + 1000]) for at in range(0, len(hello), 1000)
    ) + clear(HANDSHAKE, b"") * (1 << 13)
    sent = io.BytesIO(records)
    tracemalloc.start()
    try:
        with pytest.raises(TlsError, match="no whole ClientHello"):
            open_tls(sent, io.BytesIO(), KeyLog.parse(b""))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * MAX_MESSAGE + 2 * BLOCK
