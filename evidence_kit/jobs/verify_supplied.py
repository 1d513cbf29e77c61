"""Bundles of what a person handed in: ``data/supplied.json`` against the files, DKIM once more.

Such a bundle proves that the files existed when it was sealed and who sealed them; not where they
come from. That is said every time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evidence_kit.core.canonical_json import JsonError, loads
from evidence_kit.core.findings import Finding
from evidence_kit.core.limits import MAX_JSON_BYTES
from evidence_kit.core.schemas import schema_fault
from evidence_kit.seal.container_read import Walk, read_entry
from evidence_kit.seal.dkim import check_dkim, find_signatures

SUPPLIED = "data/supplied.json"

MAX_MAIL = 64 << 20
"""Bytes of a mail that is read whole; providers refuse mails above 25 to 50 MiB."""


@dataclass(frozen=True)
class Supplied:
    """The record where it conforms, and the findings."""

    record: Mapping[str, Any] | None
    findings: tuple[Finding, ...]


def check_supplied(walked: Walk, signer: str) -> Supplied:
    """Check everything in ``data/`` of such a bundle.

    Args:
        walked: a container whose files were found to be the signed ones.
        signer: SHA-256 of the certificate that signed, hexadecimal.
    """
    record, fault = read_supplied(walked)
    if record is None:
        return Supplied(None, (Finding("supplied.malformed", SUPPLIED, {"detail": fault}),))
    against = list(_check_files(walked, record))
    if record["operator"]["certificate_sha256"] != signer:
        against.append(Finding("capture.other-signer", SUPPLIED))
    findings = against or [Finding("supplied.ok", SUPPLIED)]
    params = {"supplier": record["supplier"], "received": record["received"]}
    findings.append(Finding("supplied.not-captured", SUPPLIED, params))
    findings += _check_mails(walked, record)
    return Supplied(record, tuple(findings))


def read_supplied(walked: Walk) -> tuple[Mapping[str, Any] | None, str]:
    """The record where it conforms to its schema, else None and why not."""
    try:
        record = loads(read_entry(walked, SUPPLIED, limit=MAX_JSON_BYTES))
    except (KeyError, JsonError, ValueError) as error:
        return None, str(error)[:160]
    fault = schema_fault(record, "supplied-1")
    return (None, fault) if fault is not None else (record, "")


def _check_files(walked: Walk, record: Mapping[str, Any]) -> Iterator[Finding]:
    mentioned = {SUPPLIED}
    if record["operator"]["private"] is not None:
        mentioned.add(record["operator"]["private"])
        if record["operator"]["private"] not in walked.entries:
            yield Finding("artefact.missing", record["operator"]["private"])
    for item in record["files"]:
        mentioned.add(item["file"])
        entry = walked.entries.get(item["file"])
        if entry is None:
            yield Finding("artefact.missing", item["file"])
        elif (entry.digests.sha256, entry.size) != (item["sha256"], item["size"]):
            yield Finding("artefact.differs", item["file"])
    for name in walked.entries:
        if name.startswith("data/") and name not in mentioned:
            yield Finding("data.unmentioned", name)


def _check_mails(walked: Walk, record: Mapping[str, Any]) -> Iterator[Finding]:
    """What the keys that were kept say of each mail; nobody's earlier word is taken for it."""
    for name in sorted({item["file"] for item in record["dkim"]} & walked.entries.keys()):
        try:
            mail = read_entry(walked, name, limit=MAX_MAIL)
        except ValueError:
            yield Finding("supplied.dkim-not-checked", name, {"domain": "-", "detail": "too large"})
            continue
        kept = {
            (one["domain"], one["selector"]): one["key"]
            for one in record["dkim"]
            if one["file"] == name
        }
        for signature in find_signatures(mail):
            key = kept.get((signature.domain, signature.selector))
            result = check_dkim(mail, signature, key)
            params = {"domain": signature.domain, "detail": result.reason}
            code = {"passed": "ok", "failed": "fails"}.get(result.state, "not-checked")
            yield Finding(f"supplied.dkim-{code}", name, params)
