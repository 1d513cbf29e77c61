"""The proof description: which files prove what an account's repository held, and what they prove.

It is written at capture, when the proof is checked for the first time, and ``verify`` repeats that
check from the files alone (FORMAT.md, 6.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evidence_kit.platforms.base import ApiFolder, KeptProof
from evidence_kit.platforms.reading import Raw
from evidence_kit.seal.atproto_cbor import ProofError
from evidence_kit.seal.atproto_proof import PROOF_KIND, PROOF_SCHEMA, ProofReport, check_proof


@dataclass(frozen=True)
class Proven:
    """What the files prove, and where that is written down.

    Attributes:
        claim: ``included``, ``absent`` or ``not-proven``.
        why: the reason where nothing is proven.
        revision: of the repository, empty where nothing is proven.
    """

    claim: str
    why: str
    revision: str
    kept: KeptProof


def make_proof(
    out: ApiFolder,
    *,
    did: str,
    collection: str,
    rkey: str,
    car: Raw,
    log: Raw | None,
    document: Raw | None,
    record: Raw | None,
    blobs: Mapping[str, str],
) -> Proven:
    """Check a proof and write its description.

    Args:
        out: gets the description.
        did: the account.
        collection: of the record.
        rkey: its key.
        car: answer of ``com.atproto.sync.getRecord``.
        log: the DID log.
        document: the DID document.
        record: answer of ``com.atproto.repo.getRecord``, None where it gave none.
        blobs: files by the CID that the record names; those with another hash are left out.

    Raises:
        StorageError: the description cannot be written.
    """
    report: ProofReport | None = None
    why = ""
    try:
        report = check_proof(
            car.body,
            did=did,
            path=f"{collection}/{rkey}",
            log=log.body if log is not None else None,
            document=document.body if document is not None else None,
            expected=record.get("/value") if record is not None else None,
        )
    except ProofError as error:
        why = str(error)
    files = {
        "car": car.path,
        "log": log.path if log is not None else None,
        "document": document.path if document is not None else None,
        "record": record.path if record is not None else None,
    }
    named = {str(cid) for cid in report.blobs} if report is not None else set()
    claim = "not-proven" if report is None else "included" if report.present else "absent"
    description: dict[str, Any] = {
        "schema": PROOF_SCHEMA,
        "did": did,
        "collection": collection,
        "rkey": rkey,
        "claim": claim,
        "why": why,
        "revision": report.revision if report is not None else None,
        "commit": str(report.commit) if report is not None else None,
        "record": str(report.record) if report is not None and report.record else None,
        "key": str(report.key) if report is not None else None,
        "key_source": str(report.key_source) if report is not None else None,
        "files": files,
        "blobs": [{"cid": cid, "file": file} for cid, file in blobs.items() if cid in named],
    }
    path = out.write_document("proof", description)
    parts = tuple(file for file in files.values() if file is not None)
    revision = report.revision if report is not None else ""
    return Proven(claim, why, revision, KeptProof(PROOF_KIND, path, (*parts, path)))
