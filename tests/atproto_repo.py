"""Repositories and DID logs of AT Protocol, made and signed here: small, and wrong where wanted."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from evidence_kit.seal.atproto_cbor import RAW, Cid, base32, encode
from evidence_kit.seal.atproto_keys import PublicKey
from evidence_kit.seal.atproto_mst import layer_of

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
REV = "3m65cqzzs2k2a"
LAST = "last"
COLLECTION = "app.bsky.feed.post"
_ORDERS = {
    "secp256k1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
    "P-256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
}


class Key:
    """A key pair.

    Args:
        number: the private key; the same number gives the same key.
        curve: ``secp256k1`` or ``P-256``.
    """

    def __init__(self, number: int, curve: str = "secp256k1") -> None:
        kind = ec.SECP256K1() if curve == "secp256k1" else ec.SECP256R1()
        self._private = ec.derive_private_key(number + 1000, kind)
        self._order = _ORDERS[curve]
        point = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        self.public = PublicKey(curve, point)

    def __str__(self) -> str:
        return str(self.public)

    def sign(self, message: bytes, *, high: bool = False) -> bytes:
        """The compact signature, low-S unless told otherwise."""
        r, s = decode_dss_signature(self._private.sign(message, ec.ECDSA(hashes.SHA256())))
        if (s > self._order // 2) != high:
            s = self._order - s
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@dataclass
class Log:
    """An account's log; the first operation that is added makes the DID."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    did: str = ""

    def add(
        self,
        by: Key,
        *,
        after: timedelta = timedelta(),
        prev: str | None = LAST,
        change: Callable[[dict[str, Any]], object] = lambda operation: None,
        high: bool = False,
        **values: Any,
    ) -> Log:
        """Sign an operation and append it.

        Args:
            by: who signs.
            after: its time since :data:`START`.
            prev: predecessor, by default the last entry.
            change: of the operation after signing.
            high: sign with a high S.
            values: fields of the operation.
        """
        last = self.entries[-1]["cid"] if self.entries else None
        operation = {"type": "plc_operation", **values, "prev": last if prev == LAST else prev}
        raw = by.sign(encode(operation), high=high)
        operation["sig"] = base64.urlsafe_b64encode(raw).decode().rstrip("=")
        change(operation)
        signed = encode(operation)
        if not self.entries:
            self.did = "did:plc:" + base32(sha256(signed).digest())[:24]
        self.entries.append(
            {
                "did": self.did,
                "operation": operation,
                "cid": str(Cid.of(signed)),
                "nullified": False,
                "createdAt": (START + after).isoformat().replace("+00:00", "Z"),
            }
        )
        return self

    def json(self) -> bytes:
        """As the directory answers ``/log/audit``."""
        return json.dumps(self.entries).encode()


def state(rotation: Sequence[Key], signing: Key | None, handle: str = "jan.test") -> dict[str, Any]:
    """The fields of an ordinary operation."""
    return {
        "rotationKeys": [str(key) for key in rotation],
        "verificationMethods": {"atproto": str(signing)} if signing is not None else {},
        "alsoKnownAs": [f"at://{handle}"],
        "services": {
            "atproto_pds": {
                "type": "AtprotoPersonalDataServer",
                "endpoint": "https://pds.invalid",
            }
        },
    }


def post(text: str, **more: Any) -> dict[str, Any]:
    """A post's record."""
    return {
        "$type": COLLECTION,
        "text": text,
        "createdAt": "2026-11-20T20:14:09.000Z",
        "langs": ["nl"],
        **more,
    }


def with_image(text: str, data: bytes) -> dict[str, Any]:
    """A post's record that names one picture, in the JSON form."""
    blob = {
        "$type": "blob",
        "ref": {"$link": str(Cid.of(data, RAW))},
        "mimeType": "image/png",
        "size": len(data),
    }
    images = [{"alt": "een kleurvlak", "image": blob}]
    return post(text, embed={"$type": "app.bsky.embed.images", "images": images})


def tree(records: Mapping[str, Cid]) -> tuple[Cid, dict[Cid, bytes]]:
    """The tree of a repository: its root and all nodes."""
    nodes: dict[Cid, bytes] = {}
    keys = sorted(path.encode() for path in records)

    def node(part: list[bytes], layer: int) -> Cid | None:
        if not part:
            return None
        value: dict[str, Any] = {"l": None, "e": []}
        below: list[bytes] = []
        before = b""
        for key in [*part, None]:
            if key is not None and layer_of(key) < layer:
                below.append(key)
                continue
            child = node(below, layer - 1)
            below = []
            if value["e"]:
                value["e"][-1]["t"] = child
            else:
                value["l"] = child
            if key is not None:
                shared = 0
                while shared < min(len(key), len(before)) and key[shared] == before[shared]:
                    shared += 1
                entry = {"p": shared, "k": key[shared:], "v": records[key.decode()], "t": None}
                value["e"].append(entry)
                before = key
        block = encode(value)
        nodes[Cid.of(block)] = block
        return Cid.of(block)

    root = node(keys, max((layer_of(key) for key in keys), default=0))
    if root is None:
        block = encode({"l": None, "e": []})
        nodes[Cid.of(block)] = block
        root = Cid.of(block)
    return root, nodes


def varint(number: int) -> bytes:
    """Unsigned LEB128."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def car_of(root: Cid, blocks: Mapping[Cid, bytes], header: Any = None) -> bytes:
    """A CAR file of these blocks under these names, whether they fit or not."""
    head = encode(header if header is not None else {"version": 1, "roots": [root]})
    parts = [varint(len(head)), head]
    for cid, block in blocks.items():
        parts += [varint(36 + len(block)), cid.to_bytes(), block]
    return b"".join(parts)


@dataclass
class Repo:
    """A repository with one signed commit.

    Attributes:
        records: by path, in the protocol's JSON form with links resolved.
        change: of the commit before it is signed.
        spoil: of the blocks before they are packed.
    """

    did: str
    key: Key
    records: dict[str, Any]
    rev: str = REV
    change: Callable[[dict[str, Any]], object] = lambda commit: None
    spoil: Callable[[dict[Cid, bytes]], object] = lambda blocks: None
    high: bool = False

    def car(self, path: str) -> bytes:
        """The answer of ``com.atproto.sync.getRecord``."""
        from evidence_kit.seal.atproto_mst import find

        encoded = {name: encode(value) for name, value in self.records.items()}
        root, nodes = tree({name: Cid.of(block) for name, block in encoded.items()})
        commit: dict[str, Any] = {
            "did": self.did,
            "version": 3,
            "data": root,
            "rev": self.rev,
            "prev": None,
        }
        self.change(commit)
        commit["sig"] = self.key.sign(encode(commit), high=self.high)
        block = encode(commit)
        way = find(nodes, root, path)
        blocks = {Cid.of(block): block, **{cid: nodes[cid] for cid in way.nodes}}
        if way.record is not None:
            blocks[way.record] = encoded[path]
        self.spoil(blocks)
        return car_of(Cid.of(block), blocks)


def document(did: str, key: Key, *, kind: str = "Multikey") -> bytes:
    """A DID document as the directory or a site serves it."""
    return json.dumps(
        {
            "@context": ["https://www.w3.org/ns/did/v1"],
            "id": did,
            "alsoKnownAs": ["at://jan.test"],
            "verificationMethod": [
                {
                    "id": f"{did}#atproto",
                    "type": kind,
                    "controller": did,
                    "publicKeyMultibase": str(key).removeprefix("did:key:"),
                }
            ],
            "service": [
                {
                    "id": "#atproto_pds",
                    "type": "AtprotoPersonalDataServer",
                    "serviceEndpoint": "https://pds.invalid",
                }
            ],
        }
    ).encode()


ROTATION = Key(1)
SIGNING = Key(2)


def account(signing: Key = SIGNING) -> Log:
    """The log of an ordinary account."""
    return Log().add(ROTATION, **state([ROTATION], signing))
