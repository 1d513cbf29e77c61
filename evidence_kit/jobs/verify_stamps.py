"""Time stamps beside a sealed bundle: of the whole file, and renewals over everything before.

``NNNN-sealed.tsr`` is over the sealed file itself. ``NNNN-renewed.tsr`` is over the list
``NNNN-renewed.sha512`` beside it, which names the sealed file and every earlier sidecar (FORMAT.md
section 7.1). Neither needs a key, so anybody can add one; only a trusted authority's counts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from evidence_kit.core.clock import iso
from evidence_kit.core.digests import Digests, digest_bytes
from evidence_kit.core.errors import TimestampError
from evidence_kit.core.findings import Finding
from evidence_kit.core.layout import custody_folder
from evidence_kit.core.limits import MAX_SIGNATURE, MAX_TOKEN
from evidence_kit.jobs.verify_effort import (
    MAX_DIGESTED,
    MAX_STAMP_EFFORT,
    STAMP,
    Effort,
    size_of,
    smallest_first,
)
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.der import DerError, parse, to_der
from evidence_kit.seal.timestamp import CLOCK_SLACK, TokenReport, check_token, normalise_token

MAX_SIDECARS = 1_000
"""Files beside one bundle that are looked at; a few events per hand-over are usual."""

SEALED_FILE = "-"
"""The sealed file's name in a renewal's list: ``sha512sum -c`` reads it from standard input, so
the bundle may be renamed."""

_STAMP = re.compile(r"([0-9]{4})-(sealed|renewed)\.tsr")
_LIST = re.compile(r"([0-9]{4})-renewed\.sha512")
_LINE = re.compile(r"([0-9a-f]{128})  ([A-Za-z0-9_.-]+)\n")


@dataclass(frozen=True)
class LaterStamp:
    """One trusted stamp beside the bundle.

    Attributes:
        name: its file.
        gen_time: stated time, UTC.
        slack: by how much it may be off: its own accuracy and that of ordinary clocks.
        tsa_name: who stamped.
        until: end of validity of the authority's certificate.
        report: the whole judgement.
    """

    name: str
    gen_time: datetime
    slack: timedelta
    tsa_name: str
    until: datetime
    report: TokenReport


@dataclass(frozen=True)
class LaterStamps:
    """What the stamps beside a bundle say.

    Attributes:
        findings: by file name, the lists of renewals included.
        trusted: those that count, the oldest first.
        skipped: files that were not looked at, since others had taken all that may be spent.
    """

    findings: Mapping[str, tuple[Finding, ...]]
    trusted: tuple[LaterStamp, ...] = ()
    skipped: tuple[str, ...] = ()


def sidecar_names(bundle: Path) -> list[str]:
    """Names of everything beside the bundle, sorted; empty where there is no folder.

    Raises:
        OSError: the folder cannot be read.
    """
    folder = custody_folder(bundle)
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir())


def read_sidecar(path: Path) -> bytes | None:
    """The bytes of a small regular file; None where it is none or cannot be read."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_SIGNATURE:
            return None
        return path.read_bytes()
    except OSError:
        return None


class Sidecars:
    """Digests of the files of one folder: each taken once, and not without end.

    Attributes:
        folder: where they stand.
        skipped: files that were not read, since others had taken all that may be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._left = Effort(MAX_DIGESTED)
        self._known: dict[str, str | None] = {}

    @property
    def skipped(self) -> tuple[str, ...]:
        """See the class."""
        return tuple(self._left.skipped)

    def sha512(self, name: str) -> str | None:
        """In hexadecimal; None of what is no small regular file, or was not read."""
        if name not in self._known:
            path, found = self.folder / name, None
            if self._left.take(name, min(size_of(path), MAX_SIGNATURE)):
                held = read_sidecar(path)
                found = None if held is None else hashlib.sha512(held).hexdigest()
            self._known[name] = found
        return self._known[name]


def judge_stamps(
    bundle: Path, file: Digests | None, *, anchors: TrustAnchors, now: datetime
) -> LaterStamps:
    """Judge every time stamp beside ``bundle``.

    Args:
        bundle: the sealed file.
        file: its digests as a whole; None where they were not taken.
        anchors: whom the user trusts; ``tsas`` are used.
        now: the verifier's clock.
    """
    try:
        names = sidecar_names(bundle)[:MAX_SIDECARS]
    except OSError:
        return LaterStamps({})  # the custody check says so
    if file is None:
        return LaterStamps({})
    folder = custody_folder(bundle)
    findings: dict[str, tuple[Finding, ...]] = {}
    trusted: list[LaterStamp] = []
    effort, sidecars = Effort(MAX_STAMP_EFFORT), Sidecars(folder)
    for name, size in smallest_first(folder, filter(_STAMP.fullmatch, names)):
        lines = size_of(folder / name.replace(".tsr", ".sha512"))
        if not effort.take(name, STAMP + min(size, MAX_TOKEN) + lines):
            continue
        data = read_sidecar(folder / name)
        if data is None:
            detail = {"detail": f"cannot read {name}"}
            findings[name] = (Finding("custody.not-checked", name, detail),)
            continue
        number, _, kind = name.removesuffix(".tsr").partition("-")
        about, covered = (file, ()) if kind == "sealed" else _listed(sidecars, number, file)
        finding, stamp = _judge(name, data, about, anchors, now)
        findings[name] = (finding, *covered)
        if stamp is not None:
            trusted.append(stamp)
    for name in names:
        if _LIST.fullmatch(name) and name.replace(".sha512", ".tsr") in findings:
            findings[name] = ()  # told with its stamp
    trusted.sort(key=lambda stamp: (stamp.gen_time, stamp.name))
    return LaterStamps(findings, tuple(trusted), (*effort.skipped, *sidecars.skipped))


def _judge(
    name: str, data: bytes, about: Digests | None, anchors: TrustAnchors, now: datetime
) -> tuple[Finding, LaterStamp | None]:
    report = stamp_report(data, about, anchors=anchors, now=now) if about is not None else None
    if report is None or any(f.rule.status == "FAILED" for f in report.findings):
        return Finding("custody.stamp-invalid", name), None
    if not report.trusted or report.gen_time is None or report.certificate is None:
        return Finding("custody.stamp-untrusted", name), None
    params = {"time": iso(report.gen_time), "tsa": report.tsa_name}
    stamp = LaterStamp(
        name=name,
        gen_time=report.gen_time,
        slack=(report.accuracy or timedelta()) + CLOCK_SLACK,
        tsa_name=report.tsa_name,
        until=report.certificate.not_after,
        report=report,
    )
    return Finding("custody.stamp-ok", name, params), stamp


def renewal_list(file: Digests, sidecars: Mapping[str, bytes]) -> bytes:
    """What a renewal stamps: digest of the sealed file, then of each sidecar by name.

    The form is that of ``sha512sum``; :data:`SEALED_FILE` stands for the sealed file.
    """
    lines = [f"{file.sha512}  {SEALED_FILE}\n"]
    lines += [
        f"{hashlib.sha512(sidecars[name]).hexdigest()}  {name}\n" for name in sorted(sidecars)
    ]
    return "".join(lines).encode("ascii")


def _listed(
    sidecars: Sidecars, number: str, file: Digests
) -> tuple[Digests | None, tuple[Finding, ...]]:
    """Digests of a renewal's list where it is over this very file, and what it finds changed.

    A sidecar that somebody added is not in the list and spoils nothing; one that was removed or
    changed since is named.
    """
    data = read_sidecar(sidecars.folder / f"{number}-renewed.sha512")
    lines = None if data is None else read_renewal_list(data)
    if data is None or lines is None or lines.get(SEALED_FILE) != file.sha512:
        return None, ()
    changed = []
    for name, stated in lines.items():
        if name == SEALED_FILE:
            continue
        if sidecars.sha512(name) != stated and name not in sidecars.skipped:
            changed.append(Finding("custody.renewed-differs", name))
    return digest_bytes(data), tuple(changed)


def read_renewal_list(data: bytes) -> dict[str, str] | None:
    """SHA-512 by name, or None where it has another form than :func:`renewal_list` gives."""
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        return None
    lines = [_LINE.fullmatch(line) for line in text.splitlines(keepends=True)]
    if not lines or len(lines) > MAX_SIDECARS or None in lines:
        return None
    found = {line[2]: line[1] for line in lines if line is not None}
    return found if len(found) == len(lines) else None


def stamp_report(
    response: bytes, file: Digests, *, anchors: TrustAnchors, now: datetime
) -> TokenReport | None:
    """Judge a TimeStampResp over a whole file (``openssl ts -verify -data`` does the same).

    Returns:
        The report on the token, for whichever of SHA-256 and SHA-512 it is over; None where the
        file is no granted response.
    """
    try:
        root = parse(to_der(response, max_bytes=MAX_TOKEN), max_bytes=MAX_TOKEN)
        if len(root.children) != 2 or root.children[0].children[0].content not in (b"\0", b"\1"):
            return None
        # As delivered it may be BER and carry certificates that nothing holds in place.
        token = normalise_token(root.children[1].raw, roots=anchors.tsas)
    except (DerError, IndexError, TimestampError):
        return None
    reports = [
        check_token(token, imprint=bytes.fromhex(digest), anchors=anchors, now=now)
        for digest in (file.sha512, file.sha256)
    ]
    for report in reports:
        if all(finding.code != "timestamp.wrong-imprint" for finding in report.findings):
            return report
    return reports[0]


def valid_until(first: datetime | None, later: Sequence[LaterStamp]) -> datetime | None:
    """Until when the proof of time holds without a further stamp.

    Each stamp counts only where it was made while the proof before it still held (EN 319 102-1
    clause 5.6.2.4 takes the same step for each archive time stamp); None without any stamp.

    Args:
        first: end of validity behind the signature's own stamp; None without a trusted one.
        later: the trusted stamps beside the bundle, the oldest first.
    """
    until = first
    for stamp in later:
        if until is None or stamp.gen_time <= until:
            until = stamp.until if until is None else max(until, stamp.until)
    return until


def contradictions(
    own: datetime | None, own_slack: timedelta, later: Sequence[LaterStamp]
) -> Iterator[Finding]:
    """The sealed file holds its own stamp, so a stamp over the file cannot be the older one.

    Args:
        own: time of the signature's trusted stamp.
        own_slack: by how much that may be off.
        later: the trusted stamps beside the bundle.
    """
    for stamp in later:
        if own is not None and stamp.gen_time + stamp.slack < own - own_slack:
            params = {"time": iso(stamp.gen_time), "stamped": iso(own)}
            yield Finding("timestamp.stamps-contradict", stamp.name, params)
