"""Does this account's repository hold this record, by the account's own signature?

From the bytes alone: the DID is the hash of the log's first operation, the log leads to the
signing key, that key signed the commit, the commit names the tree, and the tree's one possible
place for the record holds it or not. What follows from it is that whoever had the key signed this
state; usually the hosting server has it. That a record is absent says neither that it was ever
there nor who removed it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from evidence_kit.seal.atproto_car import read_car
from evidence_kit.seal.atproto_cbor import RAW, Cid, ProofError, decode, encode, from_json
from evidence_kit.seal.atproto_did import is_plc, read_document
from evidence_kit.seal.atproto_keys import PublicKey
from evidence_kit.seal.atproto_mst import find
from evidence_kit.seal.atproto_plc import check_log

PROOF_KIND = "atproto-record/1"
"""How a capture record names this kind of proof."""

PROOF_SCHEMA = "evidence-kit/atproto-proof/1"
"""Of the description that lies beside the files (``schemas/atproto-proof-1.schema.json``)."""

COMMIT_VERSION = 3
"""Of AT Protocol's repository format; version 2 repositories were all converted in 2023."""

_TID_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
_TID_LENGTH = 13
_CLOCK_BITS = 10


class KeySource(StrEnum):
    """Who names the key that signed, the strongest first."""

    LOG = "log"
    """The account's DID log, as today's signing key."""
    LOG_EARLIER = "log-earlier"
    """The log, but as a key that was replaced since."""
    DOCUMENT = "document"
    """Only the DID document: a did:web, or a log that was not had or does not name it."""


@dataclass(frozen=True)
class ProofReport:
    """What the bytes prove.

    Attributes:
        did: the account.
        path: collection and record key.
        record: CID of the record, None where the repository does not hold it.
        value: the record, decoded from the signed bytes; None where absent.
        blobs: CIDs of pictures and videos that the record names.
        revision: of the commit, a TID.
        commit: its CID.
        key: that signed it.
        key_source: who names that key.
        operations: of the DID log that count; 0 without a log.
    """

    did: str
    path: str
    record: Cid | None
    value: Any
    blobs: tuple[Cid, ...]
    revision: str
    commit: Cid
    key: PublicKey
    key_source: KeySource
    operations: int

    @property
    def present(self) -> bool:
        """Whether the repository holds the record at this revision."""
        return self.record is not None

    @property
    def revised(self) -> datetime | None:
        """The time inside the revision, by the server's own clock; None where it is no TID."""
        return tid_time(self.revision)


def check_proof(
    car: bytes,
    *,
    did: str,
    path: str,
    log: bytes | None,
    document: bytes | None,
    expected: Any = None,
) -> ProofReport:
    """Check a record proof (``com.atproto.sync.getRecord``) down to the DID.

    Args:
        car: the server's answer.
        did: the account.
        path: collection and record key, ``app.bsky.feed.post/3k…``.
        log: the directory's audit log; None where there is none or it was not had.
        document: the DID document; looked at only for a key that the log does not name.
        expected: the record in AT Protocol's JSON form, None to compare with nothing.

    Raises:
        ProofError: it does not prove anything, and why.
    """
    read = read_car(car)
    commit = _read_commit(read.blocks, read.root, did)
    unsigned = encode({name: value for name, value in commit.items() if name != "sig"})
    key, source, operations = _key(commit["sig"], unsigned, did, log, document)
    way = find(read.blocks, commit["data"], path)
    used = {read.root, *way.nodes}
    value = None
    if way.record is not None:
        if way.record not in read.blocks:
            raise ProofError("the record itself is missing from the CAR file")
        used.add(way.record)
        value = decode(read.blocks[way.record])
    if read.blocks.keys() != used:
        raise ProofError("the CAR file holds blocks that prove nothing")
    if expected is not None and (
        way.record is None or Cid.of(encode(from_json(expected))) != way.record
    ):
        raise ProofError("the record in the answer is not the signed one")
    return ProofReport(
        did=did,
        path=path,
        record=way.record,
        value=value,
        blobs=tuple(dict.fromkeys(_blobs(value))),
        revision=commit["rev"],
        commit=read.root,
        key=key,
        key_source=source,
        operations=operations,
    )


def tid_time(tid: str) -> datetime | None:
    """The moment in a TID (AT Protocol's timestamp identifier), None where it is none.

    A TID is written by whoever makes the record or revision: a claim, not a proof of time.
    """
    if len(tid) != _TID_LENGTH or any(c not in _TID_ALPHABET for c in tid):
        return None
    number = 0
    for character in tid:
        number = number << 5 | _TID_ALPHABET.index(character)
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=number >> _CLOCK_BITS)
    except OverflowError:
        return None


def _read_commit(blocks: Any, root: Cid, did: str) -> dict[str, Any]:
    if root not in blocks:
        raise ProofError("the commit is missing from the CAR file")
    commit = decode(blocks[root])
    if not isinstance(commit, dict) or commit.get("did") != did:
        raise ProofError("the commit belongs to another account")
    if commit.get("version") != COMMIT_VERSION:
        raise ProofError("the commit is of another version")
    for name, kind in (("data", Cid), ("rev", str), ("sig", bytes)):
        if not isinstance(commit.get(name), kind):
            raise ProofError("the commit has another form")
    return commit


def _key(
    signature: bytes, message: bytes, did: str, log: bytes | None, document: bytes | None
) -> tuple[PublicKey, KeySource, int]:
    """The key that made the signature, and who names it."""
    operations = 0
    if is_plc(did) and log is not None:
        report = check_log(log, did)
        operations = report.operations
        if report.signing_key is not None and report.signing_key.verify(signature, message):
            return report.signing_key, KeySource.LOG, operations
        for key in report.earlier_keys:
            if key.verify(signature, message):
                return key, KeySource.LOG_EARLIER, operations
    if document is not None:
        named = read_document(document, did).signing_key
        if named is not None and named.verify(signature, message):
            return named, KeySource.DOCUMENT, operations
    raise ProofError("no key of the account made the signature of the commit")


def _blobs(value: Any) -> list[Cid]:
    """Files that a record names; the bound of nesting is the decoder's."""
    found: list[Cid] = []
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            ref = item.get("ref")
            if item.get("$type") == "blob" and isinstance(ref, Cid) and ref.codec == RAW:
                found.append(ref)
            stack.extend(reversed(item.values()))
        elif isinstance(item, list):
            stack.extend(reversed(item))
    return found
