"""What lies beside a sealed bundle: ``NAME.custody/``, judged apart from the bundle itself.

The first form of a sidecar is the answer of a second time-stamping authority over the whole file
(bundle format, rule 3). What this version does not know is named, never passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from evidence_kit.core.clock import iso
from evidence_kit.core.digests import Digests, digest_bytes
from evidence_kit.core.errors import TimestampError
from evidence_kit.core.findings import Finding
from evidence_kit.core.layout import custody_folder
from evidence_kit.core.limits import MAX_SIGNATURE, MAX_TOKEN
from evidence_kit.core.receipt import Receipt
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.der import DerError, parse, to_der
from evidence_kit.seal.timestamp import TokenReport, check_token, normalise_token

MAX_SIDECARS = 1_000
"""Files beside one bundle that are looked at; a few events per hand-over are usual."""

_STAMP = re.compile(r"[0-9]{4}-sealed\.tsr")


def check_custody(
    bundle: Path,
    file: Digests | None,
    *,
    anchors: TrustAnchors,
    now: datetime,
    receipt: Receipt | None,
) -> Iterator[Finding]:
    """Every file beside the bundle, and whether the newest event of a receipt is still there.

    Args:
        bundle: the sealed file.
        file: its digests as a whole; None where nothing lies beside it.
        anchors: whom the user trusts; ``tsas`` are used.
        now: the verifier's clock.
        receipt: what was noted outside, if anything.
    """
    folder = custody_folder(bundle)
    try:
        names = _names(folder)
    except OSError as error:
        detail = (error.strerror or "unknown error").lower()
        yield Finding("custody.not-checked", folder.name, {"detail": detail})
        return
    if receipt is not None and receipt.custody is not None:
        mark = receipt.custody
        held = _read(folder / mark.file)
        if held is None or digest_bytes(held).sha512 != mark.sha512:
            yield Finding("custody.behind-receipt", mark.file)
    if not names:
        yield Finding("custody.none")
    if len(names) > MAX_SIDECARS:
        detail = f"more than {MAX_SIDECARS} files"
        yield Finding("custody.not-checked", folder.name, {"detail": detail})
        names = names[:MAX_SIDECARS]
    for name in names:
        if not _STAMP.fullmatch(name) or file is None:
            yield Finding("custody.unknown-file", name)
        else:
            yield _check_stamp(name, _read(folder / name), file, anchors, now)


def has_sidecars(bundle: Path) -> bool:
    """Whether anything lies beside the bundle, so that digests of the whole file are needed."""
    return custody_folder(bundle).is_dir()


def _names(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir())


def _read(path: Path) -> bytes | None:
    """The bytes of a small regular file; None where it is none or cannot be read."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_SIGNATURE:
            return None
        return path.read_bytes()
    except OSError:
        return None


def _check_stamp(
    name: str, data: bytes | None, file: Digests, anchors: TrustAnchors, now: datetime
) -> Finding:
    if data is None:
        return Finding("custody.not-checked", name, {"detail": f"cannot read {name}"})
    report = stamp_report(data, file, anchors=anchors, now=now)
    if report is None or any(f.rule.status == "FAILED" for f in report.findings):
        return Finding("custody.stamp-invalid", name)
    if not report.trusted or report.gen_time is None:
        return Finding("custody.stamp-untrusted", name)
    params = {"time": iso(report.gen_time), "tsa": report.tsa_name}
    return Finding("custody.stamp-ok", name, params)


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
