"""CAR files, version 1: the blocks of a repository in one stream, each under its hash.

Libraries that read CAR files commonly take a block's name on trust. Here every block is hashed,
every length must fit exactly, and nothing may stand behind the last block.
Source: IPLD's CARv1 specification; AT Protocol's repository specification (one root, SHA-256).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evidence_kit.seal.atproto_cbor import DAG_CBOR, Cid, ProofError, decode

MAX_CAR = 8 << 20
"""Bytes; a record is at most 1 MiB, and the blocks on the way to it some KiB each."""

MAX_BLOCKS = 512
"""Blocks; the way through a tree of a million records has about 12."""

_CID_LENGTH = 36
_MAX_VARINT = 5
"""Bytes of a length: 35 bits, far beyond MAX_CAR."""


@dataclass(frozen=True)
class Car:
    """The root that the file names and its blocks, each of which has the hash it is called by."""

    root: Cid
    blocks: Mapping[Cid, bytes]


def read_car(data: bytes) -> Car:
    """Read a CAR file and hash every block.

    Raises:
        ProofError: another version or form, a block with another hash, twice the same block,
            bytes too few or too many.
    """
    if len(data) > MAX_CAR:
        raise ProofError(f"the CAR file is larger than {MAX_CAR} bytes")
    length, at = _varint(data, 0)
    header = decode(_slice(data, at, length))
    at += length
    if not isinstance(header, dict) or header.keys() != {"roots", "version"}:
        raise ProofError("the header of the CAR file has another form")
    roots = header["roots"]
    if header["version"] != 1 or isinstance(header["version"], bool):
        raise ProofError("the CAR file is not of version 1")
    if not isinstance(roots, list) or len(roots) != 1 or not isinstance(roots[0], Cid):
        raise ProofError("the CAR file has not exactly one root")
    blocks: dict[Cid, bytes] = {}
    while at < len(data):
        if len(blocks) == MAX_BLOCKS:
            raise ProofError(f"the CAR file has more than {MAX_BLOCKS} blocks")
        length, at = _varint(data, at)
        section = _slice(data, at, length)
        at += length
        cid = Cid.from_bytes(section[:_CID_LENGTH])
        block = section[_CID_LENGTH:]
        if cid.codec != DAG_CBOR or Cid.of(block) != cid:
            raise ProofError(f"a block does not have the hash that it is called by: {cid}")
        if cid in blocks:
            raise ProofError(f"a block stands twice in the CAR file: {cid}")
        blocks[cid] = block
    return Car(roots[0], blocks)


def _slice(data: bytes, at: int, length: int) -> bytes:
    if length > len(data) - at:
        raise ProofError("the CAR file is cut off")
    return data[at : at + length]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number in its shortest form, and where it ends."""
    number = 0
    for place in range(_MAX_VARINT):
        if at + place >= len(data):
            raise ProofError("the CAR file is cut off")
        byte = data[at + place]
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            if byte == 0 and place:
                raise ProofError("a length in the CAR file is longer than needed")
            return number, at + place + 1
    raise ProofError("a length in the CAR file is too large")
