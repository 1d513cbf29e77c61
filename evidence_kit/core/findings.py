"""Findings: what a check found, under a code whose meaning never changes.

The code alone fixes the status, in the words of ETSI EN 319 102-1 (PASSED, FAILED,
INDETERMINATE); the sentence in Dutch and English stands in ``text/*.toml`` under the same code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """Main indications of ETSI EN 319 102-1 clause 5.1.3, and INFO for what changes no verdict."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    INDETERMINATE = "INDETERMINATE"
    INFO = "INFO"


class Section(StrEnum):
    """What is judged separately (requirement V2): a good seal says nothing about trust or time."""

    INTEGRITY = "integrity"
    SIGNER = "signer"
    TRUST = "trust"
    TIME = "time"
    CONTENT = "content"
    CUSTODY = "custody"


@dataclass(frozen=True)
class Rule:
    """What a finding code means for the verdict."""

    section: Section
    status: Status


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    Attributes:
        code: a key of :data:`RULES`.
        subject: the file, host or certificate that it is about; may be empty.
        params: values for the sentence, all text.
    """

    code: str
    subject: str = ""
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def rule(self) -> Rule:
        """Section and status that the code stands for; KeyError for an unknown code is a bug."""
        return RULES[self.code]


def _rules(section: Section, status: Status, *codes: str) -> dict[str, Rule]:
    return {code: Rule(section, status) for code in codes}


RULES: Mapping[str, Rule] = {
    **_rules(
        Section.INTEGRITY,
        Status.FAILED,
        "container.not-canonical",
        "container.bad-name",
        "container.duplicate-name",
        "container.crc",
        "container.truncated",
        "container.too-many-entries",
        "container.trailing-data",
        "container.gap",
        "container.time",
        "container.mimetype",
        "manifest.malformed",
        "manifest.missing",
        "file.changed",
        "file.missing",
        "file.unlisted",
        "bag.malformed",
        "bag.disagrees",
        "signature.missing",
        "signature.malformed",
        "signature.wrong-digest",
        "signature.invalid",
        "signature.weak",
        "signature.unused-material",
        "receipt.differs",
    ),
    **_rules(
        Section.INTEGRITY,
        Status.PASSED,
        "container.ok",
        "manifest.ok",
        "bag.ok",
        "signature.ok",
        "receipt.ok",
    ),
    **_rules(
        Section.INTEGRITY,
        Status.INDETERMINATE,
        "container.unreadable",
        "manifest.not-checked",
        "bag.not-checked",
        "signature.not-checked",
    ),
    **_rules(Section.SIGNER, Status.PASSED, "signer.valid"),
    **_rules(
        Section.SIGNER,
        Status.INDETERMINATE,
        "signer.expired",
        "signer.not-yet-valid",
        "signer.wrong-usage",
    ),
    **_rules(
        Section.SIGNER,
        Status.INFO,
        "signer.expired-since",
        "signer.revoked-since",
        "signer.not-revoked",
        "signer.revocation-unknown",
        "signer.responder-no-check",
        "signer.responder-unchecked",
        "signer.responder-withdrawn",
    ),
    **_rules(Section.TRUST, Status.PASSED, "signer.trusted"),
    **_rules(
        Section.TRUST,
        Status.INDETERMINATE,
        "signer.unknown",
        "signer.path-invalid",
        "signer.revoked",
        "signer.not-checked",
    ),
    **_rules(Section.TIME, Status.PASSED, "timestamp.ok", "timestamp.later"),
    **_rules(Section.TIME, Status.INDETERMINATE, "timestamp.missing", "timestamp.untrusted"),
    **_rules(
        Section.TIME,
        Status.FAILED,
        "timestamp.malformed",
        "timestamp.wrong-imprint",
        "timestamp.invalid",
        "timestamp.weak",
        "timestamp.unused-material",
    ),
    **_rules(
        Section.TIME,
        Status.INDETERMINATE,
        "timestamp.not-checked",
        "timestamp.future",
        "timestamp.claimed-future",
        "timestamp.before-claimed-time",
        "timestamp.stamps-contradict",
        "start-token.contradicts",
    ),
    **_rules(
        Section.TIME,
        Status.INFO,
        "timestamp.long-after-claimed-time",
        "timestamp.renew",
        "timestamp.renewed",
        "timestamp.revocation-unknown",
        "timestamp.qualification-unknown",
        "timestamp.qualified",
        "timestamp.not-qualified",
        "timestamp.not-listed",
        "timestamp.list-outdated",
    ),
    **_rules(
        Section.TIME,
        Status.INFO,
        "start-token.ok",
        "start-token.none",
        "start-token.untrusted",
    ),
    **_rules(Section.TIME, Status.FAILED, "start-token.differs"),
    **_rules(Section.TIME, Status.INDETERMINATE, "start-token.not-checked"),
    **_rules(
        Section.CONTENT,
        Status.PASSED,
        "capture.ok",
        "first-event.ok",
        "answer.ok",
        "post.ok",
        "warc.ok",
        "wacz.ok",
        "tls.ok",
        "stream.ok",
        "supplied.ok",
        "atproto.proof-ok",
        "atproto.absence-ok",
        "atproto.media-ok",
    ),
    **_rules(
        Section.CONTENT,
        Status.FAILED,
        "capture.missing",
        "capture.malformed",
        "capture.other-signer",
        "answer.differs",
        "first-event.malformed",
        "first-event.differs",
        "artefact.missing",
        "artefact.differs",
        "data.unmentioned",
        "post.malformed",
        "post.source-missing",
        "post.source-differs",
        "warc.malformed",
        "warc.digest-differs",
        "wacz.malformed",
        "wacz.hash-differs",
        "wacz.index-differs",
        "tls.malformed",
        "stream.malformed",
        "stream.differs",
        "supplied.malformed",
        "atproto.proof-broken",
        "atproto.media-differs",
    ),
    **_rules(
        Section.CONTENT,
        Status.INDETERMINATE,
        "content.not-checked",
        "atproto.not-checked",
        "answer.not-checked",
    ),
    **_rules(
        Section.CONTENT,
        Status.INFO,
        "stream.address-open",
        "answer.unnamed",
        "supplied.not-captured",
        "supplied.dkim-ok",
        "supplied.dkim-fails",
        "supplied.dkim-not-checked",
        "content.complete",
        "content.partial",
        "content.not-there",
        "capture.missing-part",
        "capture.warning",
        "capture.limit-reached",
        "capture.fallback-recorder",
        "capture.redacted",
        "capture.logged-in",
        "post.page-agrees",
        "post.page-differs",
        "post.id-in-address",
        "post.id-not-in-address",
        "atproto.not-proven",
        "atproto.proof-without-log",
        "atproto.absence-without-log",
        "atproto.key-superseded",
        "atproto.key-not-in-log",
        "atproto.key-of-web-site",
    ),
    **_rules(Section.CUSTODY, Status.PASSED, "custody.stamp-ok", "custody.event-ok"),
    **_rules(
        Section.CUSTODY,
        Status.FAILED,
        "custody.stamp-invalid",
        "custody.renewed-differs",
        "custody.behind-receipt",
        "custody.event-edited",
        "custody.event-incomplete",
        "custody.event-other-bundle",
        "custody.event-misplaced",
        "custody.gap",
    ),
    **_rules(
        Section.CUSTODY,
        Status.INDETERMINATE,
        "custody.stamp-untrusted",
        "custody.event-unknown-signer",
        "custody.event-times",
        "custody.fork",
        "custody.unknown-file",
        "custody.limit-reached",
        "custody.not-checked",
    ),
    **_rules(
        Section.CUSTODY,
        Status.INFO,
        "custody.none",
        "custody.event-own-clock",
        "custody.destroyed",
    ),
}


def worst(statuses: Iterable[Status]) -> Status:
    """FAILED > INDETERMINATE > PASSED; nothing checked is INDETERMINATE, never a pass."""
    found = {status for status in statuses if status is not Status.INFO}
    for status in (Status.FAILED, Status.INDETERMINATE):
        if status in found:
            return status
    return Status.PASSED if found else Status.INDETERMINATE
