"""The key log and the derivations, against the published values."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.seal.tls_keys import KeyLog, expand_label, pseudo_random

RANDOM = bytes(range(32))
SECRET = b"\xaa" * 32
LINE = b"CLIENT_TRAFFIC_SECRET_0 " + RANDOM.hex().encode() + b" " + SECRET.hex().encode() + b"\n"


def test_lines_that_count() -> None:
    master = b"CLIENT_RANDOM " + RANDOM.hex().upper().encode() + b" " + b"0b" * 48 + b"\r\n"
    log = KeyLog.parse(b"# made by hand\n\n" + LINE + master)
    assert log.secret("CLIENT_TRAFFIC_SECRET_0", RANDOM) == SECRET
    assert log.secret("CLIENT_RANDOM", RANDOM) == b"\x0b" * 48
    assert log.secret("CLIENT_RANDOM", bytes(32)) is None
    assert log.secret("SERVER_TRAFFIC_SECRET_0", RANDOM) is None
    assert repr(log) == "KeyLog(2 secrets)"


def test_lines_that_do_not() -> None:
    for line in (
        LINE[:-1],  # cut off, perhaps
        LINE.replace(b"CLIENT", b"CLIENT_OF"),
        LINE.replace(b" ", b"  "),
        LINE[:-3] + b"\n",
        b"x" + LINE,
        LINE.replace(b"aa\n", b"ag\n"),
        LINE.replace(b"CLIENT_TRAFFIC_SECRET_0", b"EXPORTER_SECRET"),
        LINE.replace(b"\n", b"aa\n"),
    ):
        assert len(KeyLog.parse(line)) == 0, line
        assert len(KeyLog.parse(line.rstrip() + b"\n" + LINE)) >= 1, line


def test_the_first_of_two_counts() -> None:
    log = KeyLog.parse(LINE + LINE.replace(b"aa", b"bb"))
    assert log.secret("CLIENT_TRAFFIC_SECRET_0", RANDOM) == SECRET


@given(st.binary(max_size=300))
def test_any_bytes_are_a_key_log(data: bytes) -> None:
    KeyLog.parse(data)
    assert len(KeyLog.parse(data + b"\n" + LINE)) >= 1


def test_derivation_of_tls_13() -> None:
    """RFC 8448 section 3: the server's handshake traffic secret and its write key and IV."""
    secret = bytes.fromhex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38")
    assert expand_label(secret, "key", 16, SHA256()).hex() == "3fce516009c21727d0f2e4e86ee403bc"
    assert expand_label(secret, "iv", 12, SHA256()).hex() == "5d313eb2671276ee13000b30"


def test_derivation_of_tls_12() -> None:
    """The vector for P_SHA256 that was sent to the TLS working group's list."""
    out = pseudo_random(
        bytes.fromhex("9bbe436ba940f017b17652849a71db35"),
        b"test label",
        bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c"),
        100,
        SHA256(),
    )
    assert out.hex().startswith("e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a")
    assert len(out) == 100
