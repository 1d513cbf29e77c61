"""Strict DER: what is refused, that valid values pass, and that BER becomes DER."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.seal import der
from evidence_kit.seal.der import DerError

REFUSED = {
    "nothing": "",
    "trailing byte": "0500 00",
    "two values": "0500 0500",
    "cut off in the tag": "30",
    "cut off in the content": "0405 01",
    "cut off in the length": "0482 01",
    "indefinite length": "3080 0500 0000",
    "long form where short fits": "048101 00",
    "leading zero in the length": "04820080 " + "00" * 128,
    "length of five octets": "0485 0000000001 00",
    "high tag number": "1f8100 00",
    "constructed octet string": "2403 040100",
    "primitive sequence": "1000",
    "boolean 01": "010101",
    "boolean of two octets": "0102ffff",
    "null with content": "050100",
    "empty integer": "0200",
    "integer 00 7f": "0202007f",
    "integer ff 80": "0202ff80",
    "empty bit string": "0300",
    "eight unused bits": "03020800",
    "unused bits without octets": "030101",
    "unused bit set": "03020101",
    "empty object identifier": "0600",
    "object identifier cut off": "06022a86",
    "object identifier with padding": "06032a8001",
    "set out of order": "3106 020102 020101",
    "set with one twice": "3106 020101 020101",
    "UTCTime without seconds": "170b 323631313233313030305a",
    "UTCTime with offset": "1711 3236313132333130303030302b30313030",
    "GeneralizedTime with trailing zero": "1811 32303236313132333130303030302e305a",
    "end of contents": "0000",
    "unknown universal type": "0f00",
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    with pytest.raises(DerError):
        der.require_der(bytes.fromhex(REFUSED[case]))


@pytest.mark.parametrize(
    "value",
    [
        *("0500", "0101ff", "020100", "02020080", "0201ff", "03020780", "030100", "3000"),
        *("3106 020101 020102", "a003 020101", "8001ff", "06032a8648"),
        "180f 32303236313132333130303030305a",
        "1811 32303236313132333130303030302e355a",
    ],
)
def test_accepted(value: str) -> None:
    der.require_der(bytes.fromhex(value))


def test_depth_and_size_are_bounded() -> None:
    value = b"\x05\x00"
    for _ in range(der.MAX_DEPTH + 2):
        value = der.encode(der.SEQUENCE, value)
    with pytest.raises(DerError, match="deeper"):
        der.parse(value)
    with pytest.raises(DerError, match="larger"):
        der.parse(der.encode(der.OCTET_STRING, bytes(100)), max_bytes=99)
    with pytest.raises(DerError, match="too many"):
        der.parse(der.encode(der.SEQUENCE, b"\x05\x00" * (der.MAX_NODES + 1)))


def test_ber_becomes_der() -> None:
    chunks = bytes.fromhex("2480 040141 04820001 42 0000")
    assert der.to_der(chunks) == bytes.fromhex("04024142")
    unsorted = bytes.fromhex("3180 020102 020101 0000")
    assert der.to_der(unsorted) == bytes.fromhex("3106 020101 020102")
    for bad in ("3080 0500", "2480 020141 0000", "0500 00", "048200", "1f00", ""):
        with pytest.raises(DerError):
            der.to_der(bytes.fromhex(bad))


@given(st.integers(min_value=-(2**70), max_value=2**70))
def test_integers_round_trip(value: int) -> None:
    encoded = der.encode_integer(value)
    assert der.integer(der.parse(encoded)) == value


@given(
    st.tuples(st.integers(0, 2), st.integers(0, 39)), st.lists(st.integers(0, 2**40), max_size=6)
)
def test_object_identifiers_round_trip(first: tuple[int, int], rest: list[int]) -> None:
    dotted = ".".join(map(str, (*first, *rest)))
    assert der.oid(der.parse(der.encode_oid(dotted)).content) == dotted


@given(st.binary(max_size=200))
def test_any_bytes_only_ever_raise_our_error(data: bytes) -> None:
    for read in (der.parse, der.to_der):
        try:
            result = read(data)
        except DerError:
            continue
        if isinstance(result, der.Node):
            assert result.raw == data
            assert der.to_der(data) == data
