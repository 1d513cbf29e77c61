"""A verdict as JSON values, the form of ``verify --json`` (``verify-1.schema.json``)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from evidence_kit.core.clock import iso
from evidence_kit.core.findings import Finding, Section
from evidence_kit.core.verdict import ListFacts, Verdict
from evidence_kit.core.verdict_words import finding_sentence
from evidence_kit.core.words import Words

SCHEMA = "evidence-kit/verify/1"


def verdict_json(verdict: Verdict, words: Words) -> dict[str, Any]:
    """One member of ``bundles``; texts in the language of ``words``, codes in none."""
    signer, time = verdict.signer, verdict.time
    return {
        "path": verdict.path,
        "status": verdict.status.value,
        "exit_code": int(verdict.exit_code),
        "states": [state.value for state in verdict.states],
        "accepted": sorted(verdict.accepted),
        "integrity": {"status": verdict.section(Section.INTEGRITY).value},
        "signer": {
            "status": verdict.section(Section.SIGNER).value,
            "name": signer.name if signer else None,
            "organisation": signer.organisation if signer else None,
            "fingerprint": signer.fingerprint if signer else None,
            "self_signed": signer.self_signed if signer else None,
            "not_before": _iso(signer.not_before) if signer else None,
            "not_after": _iso(signer.not_after) if signer else None,
        },
        "trust": {"status": verdict.section(Section.TRUST).value},
        "time": {
            "status": verdict.section(Section.TIME).value,
            "signing_time": _iso(time.signing_time),
            "stamp_time": _iso(time.stamp_time),
            "stamp_by": time.stamp_by or None,
            "stamp_trusted": time.stamp_trusted,
            "qualified": time.qualified,
            "trusted_list": _list(time.qualified_by),
            "made_after": _iso(time.not_before_time),
            "renew_before": _iso(time.renew_before),
        },
        "content": {"status": verdict.section(Section.CONTENT).value},
        "custody": {"status": verdict.section(Section.CUSTODY).value},
        "findings": [_finding(finding, words) for finding in verdict.findings],
    }


def _finding(finding: Finding, words: Words) -> dict[str, Any]:
    return {
        "code": finding.code,
        "section": finding.rule.section.value,
        "status": finding.rule.status.value,
        "subject": finding.subject,
        "params": dict(finding.params),
        "text": finding_sentence(finding, words),
    }


def _list(found: ListFacts | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "territory": found.territory,
        "sequence": found.sequence,
        "issued": iso(found.issued),
        "next_update": _iso(found.next_update),
        "age_days": found.age,
        "sha256": found.sha256,
    }


def _iso(when: datetime | None) -> str | None:
    return iso(when) if when is not None else None
