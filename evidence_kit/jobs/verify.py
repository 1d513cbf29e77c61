"""Verify sealed bundles: offline, read-only, nothing trusted for being in the bundle.

Integrity, signer, trust, time, content and custody are judged apart (requirement V2); every check
yields findings, a check that could not run says so, and what is left unsaid is never a pass.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from evidence_kit.core.clock import iso
from evidence_kit.core.errors import InputError, UnreadableFileError
from evidence_kit.core.events import Progress, Silent
from evidence_kit.core.findings import Finding, Section, Status
from evidence_kit.core.layout import MANIFEST, SIGNATURE
from evidence_kit.core.limits import MAX_MANIFEST, MAX_SIGNATURE
from evidence_kit.core.receipt import Receipt
from evidence_kit.core.verdict import ACCEPTABLE, ListFacts, SignerFacts, TimeFacts, Verdict
from evidence_kit.jobs.verify_content import check_content
from evidence_kit.jobs.verify_custody import Custody, check_custody, has_sidecars
from evidence_kit.jobs.verify_stamps import (
    LaterStamp,
    LaterStamps,
    contradictions,
    judge_stamps,
    valid_until,
)
from evidence_kit.jobs.verify_time import check_bracket, check_start_token
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.bagit import check_bag
from evidence_kit.seal.cades_check import SignatureReport, check_signature
from evidence_kit.seal.container_read import Walk, check_time, read_entry, walk
from evidence_kit.seal.manifest import check_manifest
from evidence_kit.seal.timestamp import CLOCK_SLACK
from evidence_kit.seal.trusted_list import TrustedList

CHUNK_OF_FILES = 4
"""Files that one process gets at a time: fewer cost messages, more leave processes idle."""


@dataclass(frozen=True)
class Examined:
    """A verdict with what it was reached on, so that nobody reads the file a second time.

    Attributes:
        verdict: the outcome.
        walked: the container; its entries have the digests that were judged.
        record: the capture record where it conforms to its schema.
        custody: what lies beside the file.
        supplied: the record of files that a person handed in, where it conforms.
    """

    verdict: Verdict
    walked: Walk
    record: Mapping[str, Any] | None
    custody: Custody
    supplied: Mapping[str, Any] | None = None


def verify(
    path: Path,
    *,
    anchors: TrustAnchors,
    now: datetime,
    receipt: Receipt | None = None,
    accept: frozenset[str] = frozenset(),
    progress: Progress | None = None,
) -> Verdict:
    """Judge one file. Every readable file gets a verdict, whatever it holds.

    Args:
        path: the sealed file; sidecars are looked for beside it.
        anchors: whom the caller trusts; nothing else is trusted.
        now: the verifier's clock, aware.
        receipt: what was noted when the bundle was sealed, to compare with.
        accept: keys of :data:`evidence_kit.core.verdict.ACCEPTABLE` that the caller relaxes.
        progress: told what is going on.

    Raises:
        UnreadableFileError: no regular file, or it cannot be read to its end.
        InputError: ``accept`` holds an unknown word.
    """
    return examine(
        path, anchors=anchors, now=now, receipt=receipt, accept=accept, progress=progress
    ).verdict


def examine(
    path: Path,
    *,
    anchors: TrustAnchors,
    now: datetime,
    receipt: Receipt | None = None,
    accept: frozenset[str] = frozenset(),
    progress: Progress | None = None,
) -> Examined:
    """:func:`verify`, for callers that go on to read what was judged; same arguments."""
    unknown = sorted(accept - ACCEPTABLE.keys())
    if unknown:
        raise InputError(
            f"'{unknown[0]}' cannot be accepted", hint=f"choose from {', '.join(ACCEPTABLE)}"
        )
    progress = progress or Silent()
    walked = walk(path, whole=receipt is not None or has_sidecars(path), progress=progress)
    findings = [*walked.findings]
    if receipt is not None and walked.file is not None:
        fits = receipt.matches(walked.file)
        findings.append(Finding("receipt.ok" if fits else "receipt.differs", path.name))
    report = SignatureReport(())
    stamps = judge_stamps(path, walked.file, anchors=anchors, now=now)
    if walked.entries:
        manifest, about_files = check_manifest(walked)
        findings += about_files
        findings += check_bag(walked, manifest)
        report = _check_signature(walked, anchors, now, _proof(stamps))
        findings += _with_later(report, stamps, now)
        if report.signing_time is not None:
            findings += check_time(walked, report.signing_time)
    else:
        findings += map(Finding, ("manifest.not-checked", "bag.not-checked"))
        findings += _no_signature("signature.not-checked")
    record, start, supplied = None, None, None
    if Verdict(str(path), tuple(findings)).section(Section.INTEGRITY) is Status.PASSED:
        by = report.signer.fingerprint if report.signer else ""
        content = check_content(walked, by, report.signing_time)
        findings += content.findings
        record, supplied = content.record, content.supplied
        if record is not None:
            start = check_start_token(walked, record, anchors, now)
            findings += start.findings
            findings += check_bracket(start.gen_time, report.signing_time, _trusted_time(report))
    else:
        findings.append(Finding("content.not-checked"))
    custody = check_custody(path, walked.file, stamps, anchors=anchors, now=now, receipt=receipt)
    findings += custody.findings
    verdict = Verdict(
        path=str(path),
        findings=tuple(findings),
        accepted=accept,
        signer=_signer(report),
        time=_time(report, start.gen_time if start else None, stamps, now),
        file=walked.file,
    )
    return Examined(verdict, walked, record, custody, supplied)


def verify_many(
    paths: Iterable[Path],
    *,
    anchors: TrustAnchors,
    now: datetime,
    receipt: Receipt | None = None,
    accept: frozenset[str] = frozenset(),
    progress: Progress | None = None,
    workers: int = 1,
) -> Iterator[Verdict]:
    """Judge several files, in order; one that cannot be read becomes a verdict of its own.

    Args:
        paths: the sealed files.
        anchors: as for :func:`verify`, like all that follow.
        now: the verifier's clock.
        receipt: what was noted; sensible for one file only.
        accept: what is relaxed.
        progress: told the name of each file and its bytes; with several workers, how many are
            done.
        workers: processes that share the work; what they find does not depend on it.

    Raises:
        InputError: ``accept`` holds an unknown word.
    """
    progress = progress or Silent()
    judge = partial(_judge_one, anchors=anchors, now=now, receipt=receipt, accept=accept)
    listed = list(paths)
    workers = min(workers, len(listed))
    if workers <= 1:
        for path in listed:
            progress.step(path.name)
            yield judge(path, progress=progress)
        return
    # A fresh interpreter on every system: a forked one would share our threads' locks.
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    try:
        progress.step(f"{len(listed)} files")
        for done, verdict in enumerate(pool.map(judge, listed, chunksize=CHUNK_OF_FILES), 1):
            progress.advance(done, len(listed))
            yield verdict
    finally:
        pool.shutdown(cancel_futures=True)


def _judge_one(
    path: Path,
    *,
    anchors: TrustAnchors,
    now: datetime,
    receipt: Receipt | None,
    accept: frozenset[str],
    progress: Progress | None = None,
) -> Verdict:
    try:
        return verify(
            path, anchors=anchors, now=now, receipt=receipt, accept=accept, progress=progress
        )
    except UnreadableFileError as error:
        finding = Finding("container.unreadable", path.name, {"detail": error.message})
        return Verdict(str(path), (finding,), accept)


def _check_signature(
    walked: Walk, anchors: TrustAnchors, now: datetime, proved: datetime | None
) -> SignatureReport:
    if SIGNATURE not in walked.entries:
        return SignatureReport(tuple(_no_signature("signature.missing")))
    if MANIFEST not in walked.entries:
        return SignatureReport(tuple(_no_signature("signature.not-checked")))
    try:
        content = read_entry(walked, MANIFEST, limit=MAX_MANIFEST)
        p7s = read_entry(walked, SIGNATURE, limit=MAX_SIGNATURE)
    except ValueError as error:  # larger than anything this program signs
        params = {"reason": str(error)}
        return SignatureReport(
            (Finding("signature.malformed", SIGNATURE, params), *_no_signature(None))
        )
    report = check_signature(p7s, content, anchors=anchors, now=now, proved=proved)
    if all(f.rule.status is not Status.FAILED for f in report.findings if _is_integrity(f)):
        return report
    # Whose certificate lies beside a broken signature is the forger's choice: neither its name
    # nor its stamp says anything.
    kept = [f for f in report.findings if _is_integrity(f) or f.rule.status is Status.FAILED]
    return SignatureReport((*kept, *_no_signature(None)))


def _is_integrity(finding: Finding) -> bool:
    return finding.rule.section is Section.INTEGRITY


def _no_signature(code: str | None) -> Iterator[Finding]:
    if code is not None:
        yield Finding(code, SIGNATURE)
    yield Finding("signer.not-checked", "", {"reason": "there is no usable signature"})
    yield Finding("timestamp.not-checked", "", {"reason": "there is no usable signature"})


def _signer(report: SignatureReport) -> SignerFacts | None:
    info = report.signer
    if info is None:
        return None
    return SignerFacts(
        name=info.name,
        organisation=info.fields.get("organisation", ""),
        fingerprint=info.fingerprint,
        self_signed=info.self_signed,
        not_before=info.not_before,
        not_after=info.not_after,
    )


def _proof(stamps: LaterStamps) -> datetime | None:
    """The oldest time at which a trusted stamp beside the bundle saw the whole file."""
    return stamps.trusted[0].gen_time if stamps.trusted else None


def _trusted_time(report: SignatureReport) -> datetime | None:
    stamp = report.stamp
    return stamp.gen_time if stamp is not None and stamp.trusted else None


def _with_later(report: SignatureReport, stamps: LaterStamps, now: datetime) -> Iterator[Finding]:
    """The signature's findings, in the light of the trusted stamps beside the bundle."""
    usable = report.signer is not None
    until = _until(report, stamps)
    for finding in report.findings:
        if finding.code == "timestamp.missing" and usable and stamps.trusted:
            first = stamps.trusted[0]
            params = {"time": iso(first.gen_time), "tsa": first.tsa_name}
            yield Finding("timestamp.later", first.name, params)
            yield from (f for f in first.report.findings if f.rule.status is Status.INFO)
        elif finding.code == "timestamp.renew" and until is not None and now <= until:
            yield Finding("timestamp.renewed", "", {"until": iso(until)})
        else:
            yield finding
    if not usable:
        return
    own = report.stamp
    slack = CLOCK_SLACK + ((own.accuracy if own else None) or timedelta())
    yield from contradictions(_trusted_time(report), slack, stamps.trusted)
    expired = _trusted_time(report) is None and until is not None and now > until
    if expired and until is not None:
        yield Finding("timestamp.renew", "", {"until": iso(until)})


def _until(report: SignatureReport, stamps: LaterStamps) -> datetime | None:
    own = report.stamp
    first = own.certificate.not_after if own and own.trusted and own.certificate else None
    return valid_until(first, stamps.trusted)


def _time(
    report: SignatureReport, start: datetime | None, stamps: LaterStamps, now: datetime
) -> TimeFacts:
    stamp = report.stamp
    later: LaterStamp | None = None
    if stamp is None and report.signer is not None and stamps.trusted:
        later = stamps.trusted[0]
    judged = later.report if later else stamp
    return TimeFacts(
        signing_time=report.signing_time,
        stamp_time=later.gen_time if later else stamp.gen_time if stamp else None,
        stamp_by=later.tsa_name if later else stamp.tsa_name if stamp else "",
        stamp_trusted=later is not None or (stamp.trusted if stamp else False),
        qualified=judged.qualified if judged else None,
        qualified_by=_quoted(judged.qualified_by, now) if judged else None,
        not_before_time=start,
        renew_before=_until(report, stamps) if report.signer is not None else None,
    )


def _quoted(one: TrustedList | None, now: datetime) -> ListFacts | None:
    if one is None:
        return None
    return ListFacts(
        territory=one.territory,
        sequence=one.sequence,
        issued=one.issued,
        next_update=one.next_update,
        age=one.age(now),
        sha256=one.sha256,
    )
