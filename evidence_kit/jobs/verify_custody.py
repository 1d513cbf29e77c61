"""What lies beside a sealed bundle: ``NAME.custody/``, judged apart from the bundle itself.

Stamps over the whole file (``NNNN-WHAT.tsr``) and events, each signed by whoever caused it
(``NNNN-EVENT.json`` and ``.p7s``; FORMAT.md section 7.1). What this version does not know is
named, never passed over. A stranger can add an event; it is shown as a stranger's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from evidence_kit.core.clock import iso
from evidence_kit.core.digests import Digests, digest_bytes
from evidence_kit.core.findings import Finding, Section, Status
from evidence_kit.core.layout import custody_folder
from evidence_kit.core.receipt import Receipt
from evidence_kit.jobs.verify_effort import CHECK, MAX_EFFORT, Effort, size_of, smallest_first
from evidence_kit.jobs.verify_stamps import (
    MAX_SIDECARS,
    LaterStamps,
    Sidecars,
    read_sidecar,
    sidecar_names,
)
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.cades_check import SignatureReport, check_signature
from evidence_kit.seal.custody import EVENTS, Chain, Event, Link, build_chain, read_event

CLOCKS = timedelta(minutes=5)
"""How far an event may lie before the one it follows: two workstations' clocks differ by this."""

MAX_NAMED = 5
"""Files that were not looked at and are named one by one."""

_STAMP = re.compile(r"([0-9]{4})-[a-z0-9-]{1,40}\.tsr")
_EVENT = re.compile(rf"([0-9]{{4}})-({'|'.join(EVENTS)})(-[0-9]{{1,2}})?\.(json|p7s)")


@dataclass(frozen=True)
class Custody:
    """The files beside a bundle, read and judged.

    Attributes:
        chain: stamps and events, joined.
        signers: by file name of the ``.p7s``: the judgement on its signature.
        stamps: the judgement on the time stamps.
        findings: everything that was found.
    """

    chain: Chain = field(default_factory=lambda: build_chain(()))
    signers: Mapping[str, SignatureReport] = field(default_factory=dict)
    stamps: LaterStamps = field(default_factory=lambda: LaterStamps({}))
    findings: tuple[Finding, ...] = ()


def check_custody(
    bundle: Path,
    file: Digests | None,
    stamps: LaterStamps,
    *,
    anchors: TrustAnchors,
    now: datetime,
    receipt: Receipt | None = None,
) -> Custody:
    """Every file beside the bundle, and whether the newest event of a receipt is still there.

    Args:
        bundle: the sealed file; it need not exist any more.
        file: its digests as a whole; None where it is gone, then the events are compared with
            each other.
        stamps: the judgement on the time stamps beside it.
        anchors: whom the user trusts.
        now: the verifier's clock.
        receipt: what was noted outside, if anything.
    """
    folder = custody_folder(bundle)
    try:
        names = sidecar_names(bundle)
    except OSError as error:
        detail = (error.strerror or "unknown error").lower()
        return Custody(findings=(Finding("custody.not-checked", folder.name, {"detail": detail}),))
    findings: list[Finding] = []
    if receipt is not None and receipt.custody is not None:
        mark = receipt.custody
        held = read_sidecar(folder / mark.file)
        if held is None or digest_bytes(held).sha512 != mark.sha512:
            findings.append(Finding("custody.behind-receipt", mark.file))
    if not names:
        findings.append(Finding("custody.none"))
    if len(names) > MAX_SIDECARS:
        detail = f"more than {MAX_SIDECARS} files"
        findings.append(Finding("custody.not-checked", folder.name, {"detail": detail}))
        names = names[:MAX_SIDECARS]
    reader = _Reader(folder, frozenset(names), file, stamps, anchors, now)
    reader.judge(names)
    for name in names:
        findings += reader.take(name)
    chain = build_chain(reader.links)
    findings += _about_chain(chain)
    skipped = list(dict.fromkeys((*stamps.skipped, *reader.skipped)))
    if skipped:
        named = ", ".join(skipped[:MAX_NAMED]) + (", …" if len(skipped) > MAX_NAMED else "")
        params = {"count": str(len(skipped)), "files": named}
        findings.append(Finding("custody.limit-reached", folder.name, params))
    return Custody(chain, reader.signers, stamps, tuple(findings))


def has_sidecars(bundle: Path) -> bool:
    """Whether anything lies beside the bundle, so that digests of the whole file are needed."""
    return custody_folder(bundle).is_dir()


class _Reader:
    """Reads the files of one custody folder, one after the other."""

    def __init__(
        self,
        folder: Path,
        names: frozenset[str],
        file: Digests | None,
        stamps: LaterStamps,
        anchors: TrustAnchors,
        now: datetime,
    ) -> None:
        self.links: list[Link] = []
        self.signers: dict[str, SignatureReport] = {}
        self._folder, self._names = folder, names
        self._there, self._sha512 = file is not None, file.sha512 if file else ""
        self._stamps = stamps
        self._anchors, self._now = anchors, now
        self._sidecars = Sidecars(folder)
        self._effort = Effort(MAX_EFFORT)
        self._judged: dict[str, tuple[bytes, SignatureReport]] = {}

    @property
    def skipped(self) -> tuple[str, ...]:
        """Files that were not looked at, since others had taken all that may be spent."""
        return (*self._effort.skipped, *self._sidecars.skipped)

    def judge(self, names: Iterable[str]) -> None:
        """Check the signatures of events, as far as there is effort left."""
        signatures = [name for name in names if _EVENT.fullmatch(name) and name.endswith(".p7s")]
        for name, size in smallest_first(self._folder, signatures):
            about = _content_of(name)
            if not self._effort.take(name, size + size_of(self._folder / about)):
                continue
            p7s, content = (read_sidecar(self._folder / one) for one in (name, about))
            if p7s is None or content is None:
                continue
            report = check_signature(p7s, content, anchors=self._anchors, now=self._now)
            self._effort.charge(report.tries * CHECK)
            self._judged[name] = content, report

    def take(self, name: str) -> Iterator[Finding]:
        """What one file says; an event is told with its ``.p7s``."""
        stamp, event = _STAMP.fullmatch(name), _EVENT.fullmatch(name)
        if stamp is not None:
            self._link_stamp(name, int(stamp[1]))
        if name in self._stamps.findings:
            yield from self._stamps.findings[name]
        elif name in self._stamps.skipped:
            return
        elif stamp is not None and not self._there:
            yield Finding("custody.not-checked", name, {"detail": "the sealed file is not there"})
        elif event is None:
            yield Finding("custody.unknown-file", name)
        elif event[4] == "json":
            if name.removesuffix(".json") + ".p7s" not in self._names:
                yield Finding("custody.event-incomplete", name)
        else:
            yield from self._event(name, int(event[1]), event[2])

    def _link_stamp(self, name: str, number: int) -> None:
        sha512 = self._sidecars.sha512(name)
        if sha512 is not None:
            self.links.append(Link(name, number, sha512))

    def _event(self, name: str, number: int, kind: str) -> Iterator[Finding]:
        sha512 = self._sidecars.sha512(name)
        if sha512 is None:
            if name not in self.skipped:
                yield Finding("custody.not-checked", name, {"detail": f"cannot read {name}"})
            return
        if name not in self._judged:
            self.links.append(Link(name, number, sha512))
            if name not in self._effort.skipped:
                yield Finding("custody.event-incomplete", name)
            return
        content, report = self._judged[name]
        event, fault = _signed_event(report, content)
        if event is None:
            self.links.append(Link(name, number, sha512))
            yield Finding("custody.event-edited", name, {"detail": fault})
            return
        self.signers[name] = report
        self._sha512 = self._sha512 or event.sha512
        if event.sha512 != self._sha512:
            yield Finding("custody.event-other-bundle", name, {"bundle": event.bundle})
            return
        self.links.append(Link(name, number, sha512, event))
        if (event.number, event.event) != (number, kind):
            signed = f"{event.number:04}-{event.event}"
            yield Finding("custody.event-misplaced", name, {"signed": signed})
        yield from _who_and_when(name, event, report)
        if event.event == "destroyed":
            yield Finding("custody.destroyed", name, {"time": iso(event.time)})


def _content_of(name: str) -> str:
    return name.removesuffix(".p7s") + ".json"


def _signed_event(report: SignatureReport, content: bytes) -> tuple[Event | None, str]:
    for finding in report.findings:
        if finding.rule.status is Status.FAILED:
            return None, finding.code
    try:
        event = read_event(content)
    except ValueError as error:
        return None, str(error)[:160]
    if report.signer is None or report.signer.fingerprint != event.certificate_sha256:
        return None, "it names another certificate than the one that signed"
    return event, ""


def _who_and_when(name: str, event: Event, report: SignatureReport) -> Iterator[Finding]:
    stamp = report.stamp
    stamped = stamp.gen_time if stamp is not None and stamp.trusted else None
    params = {
        "name": report.signer.name if report.signer else "",
        "time": iso(stamped or event.time),
    }
    doubts = [
        finding.code
        for finding in report.findings
        if finding.rule.section in (Section.SIGNER, Section.TRUST)
        and finding.rule.status is not Status.PASSED
        and finding.rule.status is not Status.INFO
    ]
    if doubts:
        yield Finding("custody.event-unknown-signer", name, {**params, "reason": doubts[0]})
    else:
        yield Finding("custody.event-ok", name, params)
    if stamped is None:
        yield Finding("custody.event-own-clock", name, params)
    elif abs(stamped - event.time) > timedelta(hours=1):
        yield Finding("custody.event-times", name, {"time": iso(event.time), "than": iso(stamped)})


def _about_chain(chain: Chain) -> Iterator[Finding]:
    events = {link.file: link.event for link in chain.links if link.event is not None}
    for file, after in chain.forks:
        yield Finding("custody.fork", file, {"events": ", ".join(after), "after": file or "-"})
    for file, missing in chain.gaps:
        what = f"SHA-512 {missing[:16]}…" if len(missing) == 128 else missing
        yield Finding("custody.gap", file, {"missing": what})
    for file, event in events.items():
        for parent in chain.parents[file]:
            before = events.get(parent)
            if before is not None and event.time + CLOCKS < before.time:
                params = {"time": iso(event.time), "than": iso(before.time)}
                yield Finding("custody.event-times", file, params)
