"""Strict DER (X.690): one value has one encoding, so a changed bit cannot hide in the encoding.

Libraries for certificates and CMS read BER as well, and hand back what they understood of it.
For evidence that is too kind: here everything that is not the one encoding is refused.
:func:`to_der` is the only lenient part, for answers of strangers that are then checked strictly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from evidence_kit.core.limits import MAX_SIGNATURE

MAX_DEPTH = 32
"""Levels of nesting; a signature with a stamp and its certificates needs 20."""

MAX_NODES = 200_000
"""Values in one file; a signature with stamp has some 400, a large CRL some 100,000."""

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
ENUMERATED, UTF8_STRING, UTC_TIME, GENERALIZED_TIME = 0x0A, 0x0C, 0x17, 0x18
SEQUENCE, SET = 0x30, 0x31

_STRINGS = frozenset({UTF8_STRING, 0x12, 0x13, 0x14, 0x16, 0x1A, 0x1B, 0x1C, 0x1E})
_PRIMITIVE = _STRINGS | {
    BOOLEAN,
    INTEGER,
    BIT_STRING,
    OCTET_STRING,
    NULL,
    OID,
    ENUMERATED,
    UTC_TIME,
    GENERALIZED_TIME,
}
_UTC = re.compile(rb"[0-9]{12}Z")
_GENERALIZED = re.compile(rb"[0-9]{14}(\.[0-9]*[1-9])?Z")
_CONSTRUCTED = 0x20
_CLASS = 0xC0
_HIGH_TAG = 0x1F


class DerError(ValueError):
    """Not DER, or larger than a signature can be; the text says what in a few words."""


@dataclass(frozen=True)
class Node:
    """One value.

    Attributes:
        tag: the identifier octet.
        raw: the whole encoding.
        content: the content octets.
        children: the values inside, for constructed ones.
    """

    tag: int
    raw: bytes
    content: bytes
    children: tuple[Node, ...]


@dataclass
class _Budget:
    nodes: int = MAX_NODES

    def spend(self) -> None:
        self.nodes -= 1
        if self.nodes < 0:
            raise DerError("too many values")


def parse(data: bytes, *, max_bytes: int = MAX_SIGNATURE) -> Node:
    """Read one DER value that fills ``data`` exactly.

    Sets are taken as SET OF (the only kind in CMS and X.509): their members must be in ascending
    order of encoding. Implicitly tagged sets are only known to the reader of the structure, which
    calls :func:`require_sorted`.

    Raises:
        DerError: not DER (X.690 clauses 8, 10 and 11), too large or too deep.
    """
    if len(data) > max_bytes:
        raise DerError(f"larger than {max_bytes} bytes")
    nodes = _parse_all(data, 0, _Budget())
    if len(nodes) != 1:
        raise DerError("not exactly one value")
    return nodes[0]


def require_der(data: bytes, *, max_bytes: int = MAX_SIGNATURE) -> None:
    """Refuse what :func:`parse` refuses.

    Raises:
        DerError: not strict DER.
    """
    parse(data, max_bytes=max_bytes)


def _parse_all(data: bytes, depth: int, budget: _Budget) -> tuple[Node, ...]:
    if depth > MAX_DEPTH:
        raise DerError(f"nested deeper than {MAX_DEPTH}")
    nodes = []
    at = 0
    while at < len(data):
        budget.spend()
        tag = data[at]
        if tag & _HIGH_TAG == _HIGH_TAG:
            raise DerError("a tag number above 30")
        start, end = _span(data, at + 1)
        content = data[start:end]
        children: tuple[Node, ...] = ()
        if tag & _CONSTRUCTED:
            if not tag & _CLASS and tag not in (SEQUENCE, SET):
                raise DerError("a primitive type in constructed form")
            children = _parse_all(content, depth + 1, budget)
            if tag == SET:
                require_sorted(children)
        elif not tag & _CLASS:
            _check_primitive(tag, content)
        nodes.append(Node(tag, data[at:end], content, children))
        at = end
    return tuple(nodes)


def _span(data: bytes, at: int) -> tuple[int, int]:
    """Where the content begins and ends, from the length octets at ``at`` (clause 10.1)."""
    if at >= len(data):
        raise DerError("cut off in a length")
    first = data[at]
    start = at + 1
    length = first
    if first >= 0x80:
        count = first & 0x7F
        if not 1 <= count <= 4:
            raise DerError("an indefinite or absurd length")
        octets = data[start : start + count]
        start += count
        length = int.from_bytes(octets, "big")
        if len(octets) != count or octets[0] == 0 or length < 0x80:
            raise DerError("a length that is not the shortest")
    if start + length > len(data):
        raise DerError("a value longer than what holds it")
    return start, start + length


def _check_primitive(tag: int, content: bytes) -> None:
    if tag not in _PRIMITIVE:
        raise DerError(f"the unknown type {tag:#04x}")
    if tag == BOOLEAN and content not in (b"\x00", b"\xff"):
        raise DerError("a boolean that is neither 00 nor FF")
    if tag == NULL and content:
        raise DerError("a NULL with content")
    if tag in (INTEGER, ENUMERATED):
        _check_integer(content)
    elif tag == BIT_STRING:
        _check_bits(content)
    elif tag == OID:
        oid(content)
    elif tag == UTC_TIME and not _UTC.fullmatch(content):
        raise DerError("a UTCTime that is not YYMMDDhhmmssZ")
    elif tag == GENERALIZED_TIME and not _GENERALIZED.fullmatch(content):
        raise DerError("a GeneralizedTime that is not in its shortest form")


def _check_integer(content: bytes) -> None:
    if not content:
        raise DerError("an empty integer")
    if len(content) > 1 and (content[0], content[1] >> 7) in ((0x00, 0), (0xFF, 1)):
        raise DerError("an integer that is not the shortest")


def _check_bits(content: bytes) -> None:
    if not content:
        raise DerError("an empty bit string")
    unused = content[0]
    if unused > 7 or (unused and len(content) == 1):
        raise DerError("a bit string with a wrong count of unused bits")
    if unused and content[-1] & ((1 << unused) - 1):
        raise DerError("a bit string with unused bits set")


def require_sorted(members: Iterable[Node]) -> None:
    """Clause 11.6: members of a SET OF stand in ascending order, and ours are never equal.

    Raises:
        DerError: out of order, or one twice.
    """
    previous = b""
    for member in members:
        if member.raw <= previous:
            raise DerError("a set that is out of order or holds one member twice")
        previous = member.raw


def oid(content: bytes) -> str:
    """The dotted form of an object identifier's content octets.

    Raises:
        DerError: cut off, empty or not the shortest form (clause 8.19.2).
    """
    if not content or content[-1] & 0x80:
        raise DerError("an object identifier that is cut off")
    arcs: list[int] = []
    value, fresh = 0, True
    for octet in content:
        if fresh and octet == 0x80:
            raise DerError("an object identifier that is not the shortest")
        value = value << 7 | octet & 0x7F
        fresh = not octet & 0x80
        if fresh:
            arcs.append(value)
            value = 0
        elif value >> 256:
            raise DerError("an object identifier with an absurd number")
    first = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (first, arcs[0] - 40 * first, *arcs[1:]))


def integer(node: Node) -> int:
    """The value of an INTEGER.

    Raises:
        DerError: something else.
    """
    if node.tag != INTEGER:
        raise DerError("no integer where one belongs")
    return int.from_bytes(node.content, "big", signed=True)


def encode(tag: int, content: bytes) -> bytes:
    """One value with the shortest definite length."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def encode_integer(value: int) -> bytes:
    """An INTEGER in its shortest form."""
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return encode(INTEGER, value.to_bytes(size, "big", signed=True))


def encode_oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER from its dotted form."""
    first, second, *rest = (int(part) for part in dotted.split("."))
    content = b""
    for arc in (first * 40 + second, *rest):
        octets = [arc & 0x7F]
        while arc := arc >> 7:
            octets.append(arc & 0x7F | 0x80)
        content += bytes(reversed(octets))
    return encode(OID, content)


def encode_set(tag: int, members: Iterable[bytes]) -> bytes:
    """A SET OF under ``tag`` (0x31, or the implicit tag), its members sorted and single."""
    return encode(tag, b"".join(sorted(set(members))))


def to_der(data: bytes, *, max_bytes: int = MAX_SIGNATURE) -> bytes:
    """Re-encode BER as DER as far as form goes: lengths, chunked strings, order of sets.

    The values inside are not judged; whoever calls this checks the result with :func:`parse`.

    Raises:
        DerError: not BER either, too large or too deep.
    """
    if len(data) > max_bytes:
        raise DerError(f"larger than {max_bytes} bytes")
    encoded, end = _convert(data, 0, 0, _Budget())
    if end != len(data):
        raise DerError("bytes after the value")
    return encoded


def _convert(data: bytes, at: int, depth: int, budget: _Budget) -> tuple[bytes, int]:
    if depth > MAX_DEPTH:
        raise DerError(f"nested deeper than {MAX_DEPTH}")
    budget.spend()
    if at + 1 >= len(data):
        raise DerError("cut off")
    tag = data[at]
    if tag & _HIGH_TAG == _HIGH_TAG:
        raise DerError("a tag number above 30")
    start, end = _lenient_span(data, at + 1)
    if not tag & _CONSTRUCTED:
        if end is None:
            raise DerError("a primitive value of indefinite length")
        return encode(tag, data[start:end]), end
    members = []
    at = start
    while data[at : at + 2] != b"\x00\x00" if end is None else at < end:
        member, at = _convert(data if end is None else data[:end], at, depth + 1, budget)
        members.append(member)
    after = at + 2 if end is None else end
    if tag == OCTET_STRING | _CONSTRUCTED:
        return encode(OCTET_STRING, b"".join(_chunk(member) for member in members)), after
    if tag == SET:
        return encode_set(SET, members), after
    return encode(tag, b"".join(members)), after


def _chunk(member: bytes) -> bytes:
    if member[0] != OCTET_STRING:
        raise DerError("a chunk of another type in an octet string")
    start, end = _span(member, 1)
    return member[start:end]


def _lenient_span(data: bytes, at: int) -> tuple[int, int | None]:
    first = data[at]
    start = at + 1
    if first == 0x80:
        return start, None
    length = first
    if first > 0x80:
        count = first & 0x7F
        octets = data[start : start + count]
        if len(octets) != count:
            raise DerError("cut off in a length")
        start += count
        length = int.from_bytes(octets, "big")
    if start + length > len(data):
        raise DerError("a value longer than what holds it")
    return start, start + length
