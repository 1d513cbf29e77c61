"""Check again, offline, what a platform itself signed: today the records of AT Protocol.

What the capture record claims about a proof is believed no more than the rest of it: everything
is computed anew from the files, and a claim that they do not bear out is a contradiction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from evidence_kit.core.canonical_json import JsonError, loads
from evidence_kit.core.clock import iso
from evidence_kit.core.findings import Finding
from evidence_kit.core.limits import MAX_JSON_BYTES
from evidence_kit.core.schemas import schema_fault
from evidence_kit.seal.atproto_car import MAX_CAR
from evidence_kit.seal.atproto_cbor import Cid, ProofError
from evidence_kit.seal.atproto_did import MAX_DOCUMENT, is_plc, read_document, web_host
from evidence_kit.seal.atproto_plc import MAX_LOG, check_log
from evidence_kit.seal.atproto_proof import (
    PROOF_KIND,
    KeySource,
    ProofReport,
    check_proof,
)
from evidence_kit.seal.container_read import Walk, read_entry

POST = "data/post.json"
_LIMITS = {"car": MAX_CAR, "log": MAX_LOG, "document": MAX_DOCUMENT, "record": MAX_JSON_BYTES}


_ASKED = re.compile(
    r"(?:^at://|/profile/@?|/embed/)([^/?#]+)/(?:post|app\.bsky\.feed\.post)/([^/?#]+)"
)
"""Account and record key in an address of a post: as pages, frames and AT Protocol write it."""


class _NotCheckedError(Exception):
    """Something that the check needs is not there; the text says what."""


def check_platform_proof(walked: Walk, record: Mapping[str, Any]) -> Iterator[Finding]:
    """Findings about the platform's own signature; none where the capture has no such proof.

    Args:
        walked: a container whose files were found to be the signed ones.
        record: the capture record, conforming to its schema.
    """
    proof = record["platform"]["proof"] if record["platform"] is not None else None
    if proof is None:
        return
    file = proof["file"]
    if proof["kind"] != PROOF_KIND:
        yield Finding("atproto.not-checked", file, {"detail": f"of the kind {proof['kind'][:40]}"})
        return
    try:
        told = _description(walked, file)
        if told["claim"] == "not-proven":
            yield Finding("atproto.not-proven", file, {"detail": told["why"][:200]})
            return
        parts = {
            name: _bytes(walked, told["files"][name], limit) for name, limit in _LIMITS.items()
        }
        report = _checked(told, parts)
        _check_subject(walked, record, told, parts)
    except _NotCheckedError as error:
        yield Finding("atproto.not-checked", file, {"detail": str(error)})
        return
    except (ProofError, JsonError) as error:
        yield Finding("atproto.proof-broken", file, {"detail": str(error)[:200]})
        return
    yield from _told(report, file)
    yield from _check_blobs(walked, report, told["blobs"])


def _description(walked: Walk, file: str) -> dict[str, Any]:
    data = _bytes(walked, file, MAX_JSON_BYTES)
    document: dict[str, Any] = loads(data or b"")
    fault = schema_fault(document, "atproto-proof-1")
    if fault is not None:
        raise ProofError(f"the description has another form: {fault}")
    return document


def _bytes(walked: Walk, name: str | None, limit: int) -> bytes | None:
    """A file of the bundle; None where none is named."""
    if name is None:
        return None
    if name not in walked.entries:
        raise _NotCheckedError(f"{name} is not in the bundle")
    if walked.entries[name].size > limit:
        raise ProofError(f"{name} is larger than {limit} bytes")
    return read_entry(walked, name, limit=limit)


def _checked(told: Mapping[str, Any], parts: Mapping[str, bytes | None]) -> ProofReport:
    """Compute the proof anew and compare it with what was claimed."""
    car = parts["car"]
    if car is None:
        raise ProofError("the description names no CAR file")
    answer = loads(parts["record"]) if parts["record"] is not None else None
    if answer is not None and not (isinstance(answer, dict) and "value" in answer):
        raise ProofError("the answer with the record has another form")
    report = check_proof(
        car,
        did=told["did"],
        path=f"{told['collection']}/{told['rkey']}",
        log=parts["log"],
        document=parts["document"],
        expected=answer["value"] if answer is not None else None,
    )
    found = {
        "claim": "included" if report.present else "absent",
        "revision": report.revision,
        "commit": str(report.commit),
        "record": str(report.record) if report.record is not None else None,
        "key": str(report.key),
        "key_source": str(report.key_source),
    }
    for name, value in found.items():
        if told[name] != value:
            raise ProofError(f"the files prove another {name} than was recorded")
    return report


def _check_subject(
    walked: Walk,
    record: Mapping[str, Any],
    told: Mapping[str, Any],
    parts: Mapping[str, bytes | None],
) -> None:
    """The proof is about the post that was asked for and that ``post.json`` shows."""
    page, rkey = record["page"], told["rkey"]
    asked = (page["requested_url"], page["final_url"], page["permalink"])
    named = [found for url in asked if url is not None and (found := _ASKED.search(url))]
    accounts = {unquote(found[1]).lower() for found in named if found[2] == rkey}
    if not accounts:
        raise ProofError("the proof is about another post than was asked for")
    if told["did"].lower() not in accounts and not accounts & _handles(told["did"], parts):
        raise _NotCheckedError("nothing in it ties the account to the address that was asked for")
    data = _bytes(walked, POST if POST in walked.entries else None, MAX_JSON_BYTES)
    document = loads(data) if data is not None else None
    if document is None or schema_fault(document, "post-1") is not None:
        return  # said by the check of that file
    uri = f"at://{told['did']}/{told['collection']}/{rkey}"
    for post in document["posts"]:
        if post["role"] == "post" and (post["id"] is None or post["id"]["value"] != uri):
            raise ProofError("the proof is about another post than post.json shows")


def _handles(did: str, parts: Mapping[str, bytes | None]) -> frozenset[str]:
    """Names that the account claims, in its log or its document."""
    claimed: list[str] = []
    log, document = parts["log"], parts["document"]
    if log is not None and is_plc(did):
        claimed += check_log(log, did).handles
    if document is not None:
        with suppress(ProofError, JsonError):  # only looked at where the log does not do
            claimed += read_document(document, did).handles
    return frozenset(name.lower() for name in claimed)


def _told(report: ProofReport, file: str) -> Iterator[Finding]:
    """What is proven, and how strong the tie to the account's log is."""
    when = report.revised
    params = {
        "did": report.did,
        "revision": report.revision,
        "time": iso(when.replace(microsecond=0)) if when is not None else "?",
        "key": str(report.key),
        "record": str(report.record),
        "operations": str(report.operations),
        "host": web_host(report.did) or report.did,
    }
    word = "proof" if report.present else "absence"
    if report.key_source is KeySource.LOG:
        yield Finding(f"atproto.{word}-ok", file, params)
        return
    yield Finding(f"atproto.{word}-without-log", file, params)
    if report.key_source is KeySource.LOG_EARLIER:
        yield Finding("atproto.key-superseded", file, params)
    elif web_host(report.did):
        yield Finding("atproto.key-of-web-site", file, params)
    else:
        yield Finding("atproto.key-not-in-log", file, params)


def _check_blobs(
    walked: Walk, report: ProofReport, blobs: list[Mapping[str, str]]
) -> Iterator[Finding]:
    """Pictures and videos: the signed record names each by its SHA-256."""
    named = {str(cid): cid for cid in report.blobs}
    good = 0
    for blob in blobs:
        cid: Cid | None = named.get(blob["cid"])
        if blob["file"] not in walked.entries:
            yield Finding(
                "atproto.not-checked", blob["file"], {"detail": "it is not in the bundle"}
            )
        elif cid is None or walked.entries[blob["file"]].digests.sha256 != cid.digest.hex():
            yield Finding("atproto.media-differs", blob["file"])
        else:
            good += 1
    if good:
        yield Finding("atproto.media-ok", "", {"count": str(good), "named": str(len(named))})
