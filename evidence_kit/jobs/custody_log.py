"""The chain of custody for people: its lines, branches and gaps, and a verdict of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from evidence_kit.core.clock import iso
from evidence_kit.core.digests import Digests, digest_file
from evidence_kit.core.errors import ExitCode, UnreadableFileError
from evidence_kit.core.findings import Finding, Status, worst
from evidence_kit.core.layout import custody_folder
from evidence_kit.core.receipt import Receipt
from evidence_kit.core.terminal_text import harmless
from evidence_kit.core.verdict_words import finding_sentence, moment
from evidence_kit.core.words import Words
from evidence_kit.jobs.verify_custody import Custody, check_custody
from evidence_kit.jobs.verify_stamps import judge_stamps
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.custody import Link

_EXIT = {Status.FAILED: ExitCode.FAILED, Status.INDETERMINATE: ExitCode.INDETERMINATE}


@dataclass(frozen=True)
class CustodyLog:
    """The chain beside one bundle.

    Attributes:
        bundle: the sealed file.
        there: whether it exists.
        custody: what lies beside it.
        findings: all of them, the receipt's comparison with the file included.
    """

    bundle: Path
    there: bool
    custody: Custody
    findings: tuple[Finding, ...]

    @property
    def status(self) -> Status:
        """Of the chain alone; without any event there is nothing to doubt."""
        if all(finding.rule.status is Status.INFO for finding in self.findings):
            return Status.PASSED
        return worst(finding.rule.status for finding in self.findings)

    @property
    def exit_code(self) -> ExitCode:
        """0, 10 or 11."""
        return _EXIT.get(self.status, ExitCode.OK)


def read_log(
    bundle: Path, *, anchors: TrustAnchors, now: datetime, receipt: Receipt | None = None
) -> CustodyLog:
    """Read and judge the chain beside a bundle, also beside one that was destroyed.

    Args:
        bundle: the sealed file.
        anchors: whom the user trusts.
        now: the verifier's clock.
        receipt: what was kept elsewhere.

    Raises:
        UnreadableFileError: neither the file nor anything beside it is there.
    """
    file: Digests | None = None
    try:
        file = digest_file(bundle)
    except OSError as error:
        if not custody_folder(bundle).is_dir():
            reason = (error.strerror or "unknown error").lower()
            raise UnreadableFileError(
                f"cannot read {bundle.name}: {reason}",
                hint="give the bundle's own name, NAME.asice, also where it is gone"
                if bundle.is_dir()
                else "check the path and your rights to the file",
            ) from error
    stamps = judge_stamps(bundle, file, anchors=anchors, now=now)
    custody = check_custody(bundle, file, stamps, anchors=anchors, now=now, receipt=receipt)
    findings = list(custody.findings)
    if receipt is not None and file is not None and not receipt.matches(file):
        findings.insert(0, Finding("receipt.differs", bundle.name))
    return CustodyLog(bundle, file is not None, custody, tuple(findings))


def chain_lines(log: CustodyLog, words: Words) -> Iterator[str]:
    """The drawing, harmless for a terminal: indented where the chain branches."""
    gone = "" if log.there else f" ({words.say('custody', 'not-there')})"
    yield f"{harmless(log.bundle.name)}{gone}"
    chain = log.custody.chain
    depth = _depths(log.custody)
    gaps = dict(chain.gaps)
    branched = {file: number for _, after in chain.forks for number, file in enumerate(after, 1)}
    for link in chain.links:
        indent = "  " + "│ " * depth[link.file]
        if link.file in gaps:
            yield f"{indent}┆ {words.say('custody', 'gap')}"
        sign = "├─" if link.file in branched else "●"
        yield f"{indent}{sign} {_line(link, log.custody, words)}"
    for finding in log.findings:
        if finding.rule.status is not Status.PASSED:
            yield f"  {finding_sentence(finding, words)} [{finding.code}]"
    yield f"{words.say('custody', 'verdict')}: {words.say('custody', log.status.value)}"


def _depths(custody: Custody) -> dict[str, int]:
    """How many branchings lie before each file."""
    branched = {file for _, after in custody.chain.forks for file in after[1:]}
    depth: dict[str, int] = {}
    for link in custody.chain.links:
        above = [depth.get(parent, 0) for parent in custody.chain.parents[link.file]]
        depth[link.file] = max(above, default=0) + (link.file in branched)
    return depth


def _line(link: Link, custody: Custody, words: Words) -> str:
    event = link.event
    if event is None:
        for stamp in custody.stamps.trusted:
            if stamp.name == link.file:
                when, by = moment(stamp.gen_time), harmless(stamp.tsa_name)
                return f"{link.number:04} {words.say('custody', 'stamp')} {when} {by}"
        kind = _unusable(link.file, custody)
        return f"{link.number:04} {harmless(link.file)}: {words.say('custody', kind)}"
    report = custody.signers.get(link.file)
    who = harmless(report.signer.name) if report and report.signer else "?"
    known = any(f.code == "custody.event-ok" and f.subject == link.file for f in custody.findings)
    mark = "" if known else f" [{words.say('custody', 'unknown')}]"
    what = words.say("custody-event", event.event)
    details = event.details
    more = [details.recipient, details.medium, details.pv_number, details.reason]
    told = "; ".join(harmless(text) for text in more if text)
    end = f": {told}" if told else ""
    return f"{event.number:04} {what} {moment(event.time)} {who}{mark}{end}"


def _unusable(file: str, custody: Custody) -> str:
    """Why a file counts for nothing: an event, or a stamp that is wrong, or of a stranger."""
    if file.endswith(".p7s"):
        return "unusable"
    codes = {finding.code for finding in custody.findings if finding.subject == file}
    if "custody.stamp-invalid" in codes:
        return "stamp-invalid"
    return "stamp-untrusted" if "custody.stamp-untrusted" in codes else "stamp-not-checked"


def chain_json(log: CustodyLog, words: Words) -> dict[str, Any]:
    """The same as JSON values."""
    chain = log.custody.chain
    return {
        "bundle": str(log.bundle),
        "there": log.there,
        "status": log.status.value,
        "links": [_link_json(link, log.custody) for link in chain.links],
        "forks": [{"after": file, "events": list(after)} for file, after in chain.forks],
        "gaps": [{"event": file, "missing": missing} for file, missing in chain.gaps],
        "findings": [
            {
                "code": finding.code,
                "status": finding.rule.status.value,
                "subject": finding.subject,
                "params": dict(finding.params),
                "text": finding_sentence(finding, words),
            }
            for finding in log.findings
        ],
    }


def _link_json(link: Link, custody: Custody) -> dict[str, Any]:
    event, report = link.event, custody.signers.get(link.file)
    result: dict[str, Any] = {
        "file": link.file,
        "number": link.number,
        "sha512": link.sha512,
        "after": list(custody.chain.parents[link.file]),
        "event": None,
        "time": None,
        "signer": report.signer.name if report and report.signer else None,
        "fingerprint": report.signer.fingerprint if report and report.signer else None,
    }
    if event is not None:
        result |= {"event": event.event, "time": iso(event.time), **vars(event.details)}
    return result
