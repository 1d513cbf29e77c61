"""The way through a repository's tree (MST) to a record, or to the place where it would stand.

Each node's keys are in order and stand on the layer that their own hash gives them, so a record
has exactly one place in a tree: what is not on the way there is not in the tree.
Source: AT Protocol's repository specification, "Merkle Search Tree".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from evidence_kit.seal.atproto_cbor import Cid, ProofError, decode

MAX_NODES = 130
"""Nodes on one way: a SHA-256 has at most 128 pairs of leading zero bits."""

MAX_KEY = 1024
"""Bytes of a record's path, as the specification bounds it."""


@dataclass(frozen=True)
class _Entry:
    key: bytes
    value: Cid
    right: Cid | None


@dataclass(frozen=True)
class _Node:
    left: Cid | None
    entries: tuple[_Entry, ...]


@dataclass(frozen=True)
class Way:
    """What was found at the record's only possible place.

    Attributes:
        record: its CID, None where the tree does not hold it.
        nodes: that were passed, the root first.
    """

    record: Cid | None
    nodes: tuple[Cid, ...]


def find(blocks: Mapping[Cid, bytes], root: Cid, path: str) -> Way:
    """Follow ``path`` down from ``root``.

    Args:
        blocks: that were hashed (see :func:`evidence_kit.seal.atproto_car.read_car`).
        root: the ``data`` link of a commit.
        path: collection and record key, ``app.bsky.feed.post/3k…``.

    Raises:
        ProofError: a node is missing or not as the protocol makes it.
    """
    wanted = path.encode("utf-8")
    low: bytes | None = None
    high: bytes | None = None
    above: int | None = None
    passed: list[Cid] = []
    link: Cid | None = root
    while link is not None:
        if len(passed) == MAX_NODES:
            raise ProofError("the tree is deeper than it can be")
        if link not in blocks:
            raise ProofError(f"a node of the tree is missing: {link}")
        passed.append(link)
        node = _read_node(blocks[link])
        above = _check_place(node, above, low, high)
        link = node.left
        for entry in node.entries:
            if entry.key == wanted:
                return Way(entry.value, tuple(passed))
            if entry.key > wanted:
                high = entry.key
                break
            low, link = entry.key, entry.right
    return Way(None, tuple(passed))


def layer_of(key: bytes) -> int:
    """The layer that a key stands on: pairs of leading zero bits of its SHA-256."""
    zeros = 256 - int.from_bytes(sha256(key).digest(), "big").bit_length()
    return zeros // 2


def _check_place(node: _Node, above: int | None, low: bytes | None, high: bytes | None) -> int:
    """The layer of a node, whose keys must all be of it and lie between their neighbours.

    A node without keys has the layer below its parent's; at the root it is an empty tree, or its
    layer shows only further down.
    """
    layers = {layer_of(entry.key) for entry in node.entries}
    if len(layers) > 1:
        raise ProofError("the keys of a node belong to different layers")
    for entry in node.entries:
        if (low is not None and entry.key <= low) or (high is not None and entry.key >= high):
            raise ProofError("a key stands outside the part of the tree that it is in")
    if above is None:
        if not layers:
            if node.left is not None:
                raise ProofError("the root of the tree is a node without keys")
            return 0
        return layers.pop()
    if above == 0 or (layers and layers != {above - 1}):
        raise ProofError("a node stands on another layer than its keys")
    if not layers and node.left is None:
        raise ProofError("a node of the tree is empty")
    return above - 1


def _read_node(block: bytes) -> _Node:
    value = decode(block)
    if not isinstance(value, dict) or value.keys() != {"l", "e"} or not _is_link(value["l"]):
        raise ProofError("a node of the tree has another form")
    if not isinstance(value["e"], list):
        raise ProofError("a node of the tree has another form")
    entries: list[_Entry] = []
    for item in value["e"]:
        entries.append(_read_entry(item, entries[-1].key if entries else None))
    return _Node(value["l"], tuple(entries))


def _read_entry(item: Any, before: bytes | None) -> _Entry:
    if not isinstance(item, dict) or item.keys() != {"p", "k", "v", "t"}:
        raise ProofError("an entry of the tree has another form")
    shared, rest = item["p"], item["k"]
    if (
        not isinstance(shared, int)
        or isinstance(shared, bool)
        or not isinstance(rest, bytes)
        or not isinstance(item["v"], Cid)
        or not _is_link(item["t"])
    ):
        raise ProofError("an entry of the tree has another form")
    previous = before or b""
    if not 0 <= shared <= len(previous) or shared + len(rest) > MAX_KEY:
        raise ProofError("a key of the tree is out of bounds")
    key = previous[:shared] + rest
    if before is not None:
        if key <= before:
            raise ProofError("the keys of a node are out of order")
        if shared < len(before) and key[shared : shared + 1] == before[shared : shared + 1]:
            raise ProofError("a key of the tree is not written in its short form")
    return _Entry(key, item["v"], item["t"])


def _is_link(value: Any) -> bool:
    return value is None or isinstance(value, Cid)
