"""DAG-CBOR, CID and base32 as AT Protocol repositories use them: read strictly, written one way.

One value has one encoding (RFC 8949 section 4.2 with the rules of IPLD's DAG-CBOR: integers and
lengths as short as they can be, definite lengths, map keys as text in the order of length, then
bytes, tag 42 for links and no other). Whatever differs is refused, so that bytes which hash and
verify cannot be read in two ways.
"""

from __future__ import annotations

import base64
import math
import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

MAX_DEPTH = 64
"""Levels of nesting; real records have about 10, and a recursive reader must have a bound."""

DAG_CBOR = 0x71
RAW = 0x55
_SHA256 = b"\x12\x20"
_LINK_TAG = 42


class ProofError(ValueError):
    """These bytes do not prove what they should; the text says why in a few words."""


@dataclass(frozen=True, order=True)
class Cid:
    """A content identifier, version 1 with SHA-256: what a block is called, and its hash.

    Attributes:
        codec: :data:`DAG_CBOR` for repository blocks, :data:`RAW` for blobs.
        digest: SHA-256 of the block, 32 bytes.
    """

    codec: int
    digest: bytes

    @classmethod
    def of(cls, data: bytes, codec: int = DAG_CBOR) -> Cid:
        """The identifier of a block."""
        return cls(codec, sha256(data).digest())

    @classmethod
    def from_bytes(cls, raw: bytes) -> Cid:
        """Read the 36 bytes of a binary CID.

        Raises:
            ProofError: another version, codec or hash than AT Protocol uses.
        """
        if len(raw) != 36 or raw[0] != 1 or raw[1] not in (DAG_CBOR, RAW) or raw[2:4] != _SHA256:
            raise ProofError("a link has not the form that this protocol uses")
        return cls(raw[1], raw[4:])

    @classmethod
    def from_text(cls, text: str) -> Cid:
        """Read the base32 form (``bafy…``).

        Raises:
            ProofError: not that form.
        """
        if not (text.isascii() and text.startswith("b") and len(text) == 59):
            raise ProofError("a link has not the form that this protocol uses")
        try:
            raw = base64.b32decode(text[1:].upper() + "======")
        except ValueError as error:
            raise ProofError("a link has not the form that this protocol uses") from error
        found = cls.from_bytes(raw)
        if str(found) != text:
            raise ProofError("a link has not the form that this protocol uses")
        return found

    def to_bytes(self) -> bytes:
        """The binary form, 36 bytes."""
        return bytes((1, self.codec)) + _SHA256 + self.digest

    def __str__(self) -> str:
        return "b" + base32(self.to_bytes())


def base32(data: bytes) -> str:
    """RFC 4648 base32 in lower case without padding, as CIDs and ``did:plc`` use it."""
    return base64.b32encode(data).decode("ascii").lower().rstrip("=")


def decode(data: bytes) -> Any:
    """Read one value that fills ``data`` exactly.

    Returns:
        None, bool, int, float, str, bytes, :class:`Cid`, or lists and dicts of these.

    Raises:
        ProofError: not DAG-CBOR in its one form, or nested too deeply.
    """
    reader = _Reader(data)
    value = reader.value(0)
    if reader.at != len(data):
        raise ProofError("bytes stand behind a CBOR value")
    return value


def encode(value: Any) -> bytes:
    """Write a value in the one form.

    Raises:
        ProofError: a type, number or text that the form does not have, or nested too deeply.
    """
    out = bytearray()
    _write(out, value, 0)
    return bytes(out)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.data):
            raise ProofError("a CBOR value is cut off")
        found = self.data[self.at : end]
        self.at = end
        return found

    def head(self) -> tuple[int, int, int]:
        """Major type, additional information, argument."""
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        if info < 24:
            return major, info, info
        if info > 27:
            raise ProofError("a CBOR length is indefinite or reserved")
        width = 1 << (info - 24)
        argument = int.from_bytes(self.take(width), "big")
        least = 24 if width == 1 else 1 << (4 * width)
        if major != 7 and argument < least:
            raise ProofError("a CBOR number is longer than needed")
        return major, info, argument

    def value(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ProofError(f"CBOR nested deeper than {MAX_DEPTH}")
        major, info, argument = self.head()
        if major == 0:
            return argument
        if major == 1:
            return -1 - argument
        if major == 2:
            return self.take(argument)
        if major == 3:
            return self.text(argument)
        if major == 4:
            # The bound is what is left: each item takes a byte at least.
            self.check_room(argument)
            return [self.value(depth + 1) for _ in range(argument)]
        if major == 5:
            return self.map(argument, depth)
        if major == 6:
            return self.link(argument)
        return self.simple(info, argument)

    def check_room(self, count: int) -> None:
        if count > len(self.data) - self.at:
            raise ProofError("a CBOR value is cut off")

    def text(self, length: int) -> str:
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError as error:
            raise ProofError("a CBOR text is not UTF-8") from error

    def map(self, count: int, depth: int) -> dict[str, Any]:
        self.check_room(2 * count)
        found: dict[str, Any] = {}
        last: tuple[int, bytes] | None = None
        for _ in range(count):
            major, _, length = self.head()
            if major != 3:
                raise ProofError("a CBOR map key is not text")
            key = self.text(length)
            order = (length, key.encode("utf-8"))
            if last is not None and order <= last:
                raise ProofError("CBOR map keys are out of order or twice")
            last = order
            found[key] = self.value(depth + 1)
        return found

    def link(self, tag: int) -> Cid:
        if tag != _LINK_TAG:
            raise ProofError(f"CBOR tag {tag} is not allowed")
        major, _, length = self.head()
        raw = self.take(length) if major == 2 else b""
        if raw[:1] != b"\0":
            raise ProofError("a link has not the form that this protocol uses")
        return Cid.from_bytes(raw[1:])

    def simple(self, info: int, argument: int) -> Any:
        if info in (20, 21):
            return info == 21
        if info == 22:
            return None
        if info == 27:
            number = struct.unpack(">d", argument.to_bytes(8, "big"))[0]
            if math.isfinite(number):
                return number
        raise ProofError("a CBOR value has a type that is not allowed")


def _head(out: bytearray, major: int, argument: int) -> None:
    if argument < 24:
        out.append(major << 5 | argument)
        return
    for info, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << (8 * width):
            out.append(major << 5 | info)
            out += argument.to_bytes(width, "big")
            return
    raise ProofError("a number is too large for CBOR")


def _write(out: bytearray, value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ProofError(f"CBOR nested deeper than {MAX_DEPTH}")
    if value is None:
        out.append(0xF6)
    elif isinstance(value, bool):
        out.append(0xF5 if value else 0xF4)
    elif isinstance(value, int):
        _head(out, 0 if value >= 0 else 1, value if value >= 0 else -1 - value)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ProofError("a CBOR value has a type that is not allowed")
        out += b"\xfb" + struct.pack(">d", value)
    elif isinstance(value, str):
        raw = _utf8(value)
        _head(out, 3, len(raw))
        out += raw
    elif isinstance(value, bytes):
        _head(out, 2, len(value))
        out += value
    elif isinstance(value, Cid):
        out += b"\xd8\x2a\x58\x25\x00" + value.to_bytes()
    elif isinstance(value, list):
        _head(out, 4, len(value))
        for item in value:
            _write(out, item, depth + 1)
    elif isinstance(value, dict):
        _write_map(out, value, depth)
    else:
        raise ProofError(f"{type(value).__name__} does not exist in CBOR")


def _write_map(out: bytearray, value: dict[Any, Any], depth: int) -> None:
    keys: list[tuple[int, bytes, str]] = []
    for key in value:
        if not isinstance(key, str):
            raise ProofError("a CBOR map key is not text")
        raw = _utf8(key)
        keys.append((len(raw), raw, key))
    _head(out, 5, len(keys))
    for length, raw, key in sorted(keys):
        _head(out, 3, length)
        out += raw
        _write(out, value[key], depth + 1)


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ProofError("a text holds a lone surrogate") from error


def from_json(value: Any) -> Any:
    """AT Protocol's JSON form of a value: ``{"$link": …}`` and ``{"$bytes": …}`` resolved.

    Raises:
        ProofError: a link or bytes that cannot be read, or nested too deeply.
    """
    return _from_json(value, 0)


def _from_json(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise ProofError(f"JSON nested deeper than {MAX_DEPTH}")
    if isinstance(value, list):
        return [_from_json(item, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"$link"} and isinstance(value["$link"], str):
        return Cid.from_text(value["$link"])
    if value.keys() == {"$bytes"} and isinstance(value["$bytes"], str):
        text = value["$bytes"]
        try:
            return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except ValueError as error:
            raise ProofError("bytes in JSON are not base64") from error
    return {key: _from_json(item, depth + 1) for key, item in value.items()}
