"""Stamp a sealed bundle later: a missing stamp, or a renewal before the old one runs out.

No key is needed. Both write new files beside the bundle; the sealed file never changes (FORMAT.md
section 7.1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from evidence_kit import __version__
from evidence_kit.core.clock import Clock, compact
from evidence_kit.core.digests import Digests, digest_bytes
from evidence_kit.core.errors import InputError, StorageError, TimestampError, UnreadableFileError
from evidence_kit.core.events import Progress
from evidence_kit.core.layout import custody_folder
from evidence_kit.core.receipt import CustodyMark, Receipt, write_receipt
from evidence_kit.core.terminal_text import storable_name
from evidence_kit.core.write_once import write_bytes_once
from evidence_kit.jobs.bundle import Stamp, Stamper
from evidence_kit.jobs.verify_content import read_capture
from evidence_kit.jobs.verify_stamps import (
    MAX_SIDECARS,
    read_sidecar,
    renewal_list,
    sidecar_names,
    stamp_report,
)
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.container_read import Walk, walk

MAX_NUMBER = 9999
"""Sidecars are numbered with four digits."""

_NUMBERED = re.compile(r"([0-9]{4})-[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Stamped:
    """A stamp that now stands beside the bundle.

    Attributes:
        path: the new ``.tsr`` file.
        covers: names of the sidecars that a renewal covers, in order.
        time: as the authority states it.
        trusted: whether that authority is among the trusted ones.
        receipt_path: the new receipt.
        receipt: what it states.
    """

    path: Path
    covers: tuple[str, ...]
    time: datetime
    trusted: bool
    receipt_path: Path
    receipt: Receipt


def stamp_bundle(
    bundle: Path,
    *,
    stamper: Stamper,
    anchors: TrustAnchors,
    receipts: Path,
    clock: Clock,
    progress: Progress,
) -> Stamped:
    """Have the sealed file stamped as a whole (``NNNN-sealed.tsr``).

    Args:
        bundle: the sealed file.
        stamper: asks an authority.
        anchors: whom the user trusts, to say whether the stamp will count.
        receipts: folder for the new receipt.
        clock: for the receipt.
        progress: told the steps.

    Raises:
        InputError: not a bundle of the prescribed form; no stamp should lend it weight.
        TimestampError: no authority gave a stamp.
        UnreadableFileError, StorageError: the file or folder cannot be read or written.
    """
    walked, file = _walked(bundle, progress)
    names = _names(bundle)
    folder, number = custody_folder(bundle), _next_number(names)
    progress.step("time stamp over the whole file")
    raw, stamp = _ask(stamper, bytes.fromhex(file.sha256), file, anchors, clock)
    path = folder / f"{number:04d}-sealed.tsr"
    _make(folder)
    write_bytes_once(path, raw)
    return _finish(walked, file, path, number, (), stamp, receipts, clock)


def renew_bundle(
    bundle: Path,
    *,
    stamper: Stamper,
    anchors: TrustAnchors,
    receipts: Path,
    clock: Clock,
    progress: Progress,
) -> Stamped:
    """Have the sealed file and every earlier sidecar stamped together (``NNNN-renewed.tsr``).

    Arguments and errors are those of :func:`stamp_bundle`. The stamp is over the list
    ``NNNN-renewed.sha512``, which SHA-512 alone binds: it holds when SHA-256 should fall.
    """
    walked, file = _walked(bundle, progress)
    names = _names(bundle)
    folder, number = custody_folder(bundle), _next_number(names)
    earlier: dict[str, bytes] = {}
    for name in names:
        data = read_sidecar(folder / name) if _NUMBERED.fullmatch(name) else None
        if data is None:
            raise UnreadableFileError(
                f"{name} beside the bundle is no numbered sidecar that can be read",
                hint="move it elsewhere: a renewal covers everything in that folder",
            )
        earlier[name] = data
    listed = renewal_list(file, earlier)
    progress.step("time stamp over the file and everything beside it")
    raw, stamp = _ask(stamper, sha256(listed).digest(), digest_bytes(listed), anchors, clock)
    _make(folder)
    write_bytes_once(folder / f"{number:04d}-renewed.sha512", listed)
    path = folder / f"{number:04d}-renewed.tsr"
    write_bytes_once(path, raw)
    return _finish(walked, file, path, number, tuple(earlier), stamp, receipts, clock)


def _walked(bundle: Path, progress: Progress) -> tuple[Walk, Digests]:
    progress.step("digests of the sealed file")
    walked = walk(bundle, whole=True, progress=progress)
    if not walked.canonical or walked.file is None:
        raise InputError(
            f"{bundle.name} does not have the form of a sealed bundle",
            hint="evidence-kit verify says what is wrong",
        )
    return walked, walked.file


def _names(bundle: Path) -> list[str]:
    try:
        names = sidecar_names(bundle)
    except OSError as error:
        raise UnreadableFileError(
            f"cannot read {custody_folder(bundle).name}: {error.strerror}"
        ) from error
    if len(names) >= MAX_SIDECARS:
        raise InputError(f"there are {len(names)} files beside the bundle already")
    return names


def _next_number(names: list[str]) -> int:
    taken = [int(match[1]) for match in map(_NUMBERED.fullmatch, names) if match]
    number = max(taken, default=0) + 1
    if number > MAX_NUMBER:
        raise InputError("the sidecars' numbers are used up")
    return number


def _ask(
    stamper: Stamper, digest: bytes, about: Digests, anchors: TrustAnchors, clock: Clock
) -> tuple[bytes, Stamp]:
    stamp = stamper(digest)
    if not stamp.raw or stamp.time is None:
        reasons = "; ".join(contact.result for contact in stamp.contacts)
        raise TimestampError(
            f"no authority gave a time stamp: {reasons or 'none was asked'}",
            hint="name another authority with --tsa, or try again later",
        )
    # What is kept is the answer as it came: it must read the way a verifier will read it.
    report = stamp_report(stamp.raw, about, anchors=anchors, now=clock())
    if report is None or any(finding.rule.status == "FAILED" for finding in report.findings):
        raise TimestampError("the time stamp does not hold")
    return stamp.raw, stamp


def _make(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make {folder.name}: {error.strerror}") from error


def _finish(
    walked: Walk,
    file: Digests,
    path: Path,
    number: int,
    covers: tuple[str, ...],
    stamp: Stamp,
    receipts: Path,
    clock: Clock,
) -> Stamped:
    record, _ = read_capture(walked)
    now = clock()
    receipt = Receipt(
        bundle=storable_name(walked.path.name),
        id=record["id"] if record is not None else storable_name(walked.path.stem),
        sealed=walked.time or now,
        sha256=file.sha256,
        sha512=file.sha512,
        size=file.size,
        made_by=f"evidence-kit {__version__}",
        custody=CustodyMark(number, path.name, digest_bytes(stamp.raw).sha512),
        contacts=stamp.contacts,
    )
    kept = receipts / f"{walked.path.stem}.{number:04d}-{compact(now)}.receipt.json"
    try:
        receipts.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageError(f"cannot make {receipts}: {error.strerror}") from error
    write_bytes_once(kept, write_receipt(receipt))
    return Stamped(path, covers, stamp.time or now, stamp.trusted, kept, receipt)
