"""Chain of custody: add a signed event beside a sealed file, and destroy a sealed file.

The sealed file itself is only read. An event is signed by whoever causes it, with an identity of
their own; where a time-stamping authority can be reached, the signature carries its stamp.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from hashlib import sha256
from pathlib import Path

from evidence_kit.core.clock import Clock
from evidence_kit.core.digests import Digests, digest_bytes
from evidence_kit.core.errors import InputError, StorageError
from evidence_kit.core.events import Progress, Silent
from evidence_kit.core.findings import Section
from evidence_kit.core.layout import SUFFIX, custody_folder
from evidence_kit.core.receipt import CustodyMark, Receipt, write_receipt
from evidence_kit.core.terminal_text import storable_name
from evidence_kit.core.when_free import when_free
from evidence_kit.core.write_once import private_folder, write_bytes_once
from evidence_kit.jobs.bundle import SOFTWARE, Stamp, Stamper
from evidence_kit.jobs.verify import Examined, examine
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.cades import attach_timestamp, sign, signature_value
from evidence_kit.seal.cades_check import describe
from evidence_kit.seal.custody import EVENTS, LAST_NUMBER, Event, EventDetails, write_event
from evidence_kit.seal.signer import Signer
from evidence_kit.seal.x509 import load

DESTROYED = "destroyed"
MAX_TWINS = 9
"""Events of one kind under one number: made on copies, brought together in one folder."""


@dataclass(frozen=True)
class Added:
    """An event that was recorded.

    Attributes:
        event: as it was signed.
        path: of its text; the signature stands beside it.
        receipt, receipt_path: what to keep elsewhere.
        stamp: what asking for a stamp gave.
    """

    event: Event
    path: Path
    receipt: Receipt
    receipt_path: Path
    stamp: Stamp


def add_event(
    bundle: Path,
    kind: str,
    details: EventDetails,
    signer: Signer,
    *,
    anchors: TrustAnchors,
    clock: Clock,
    stamper: Stamper | None,
    receipts: Path,
    progress: Progress | None = None,
) -> Added:
    """Record one event beside a sealed file.

    Args:
        bundle: the sealed file; it is verified, and what integrity gave stands in the event.
        kind: one of :data:`evidence_kit.seal.custody.EVENTS` but ``destroyed``.
        details: what a person adds.
        signer: who records it.
        anchors: whom the user trusts.
        clock: read once, for the time of the event.
        stamper: asks for a time stamp; None to do without.
        receipts: folder for the receipt; made where it is not there.
        progress: told the steps.

    Raises:
        InputError: no such event, or a text that is too long.
        UnreadableFileError: the sealed file cannot be read.
        StorageError: something cannot be written.
        KeyUnavailableError: the key does not sign.
    """
    if kind == DESTROYED:
        raise InputError(
            "an event of destruction is recorded by destroying",
            hint="use 'evidence-kit custody destroy BUNDLE'",
        )
    return _record(bundle, kind, details, signer, anchors, clock, stamper, receipts, progress)


def destroy(
    bundle: Path,
    details: EventDetails,
    signer: Signer,
    *,
    anchors: TrustAnchors,
    clock: Clock,
    stamper: Stamper | None,
    receipts: Path,
    progress: Progress | None = None,
) -> Added:
    """Remove a sealed file and leave a signed record of it: digests, time, reason, who.

    The record is on the disk before the file goes. Events and receipts stay; copies and backups
    elsewhere, and what a disk keeps of removed files, are out of this program's reach.

    Args:
        bundle: the sealed file.
        details: the reason is required.
        signer: who destroys it.
        anchors: as for :func:`add_event`, like all that follow.
        clock: for the time of the event.
        stamper: asks for a time stamp.
        receipts: folder for the receipt.
        progress: told the steps.

    Raises:
        InputError: there is no reason.
        StorageError: the record cannot be written, or the file cannot be removed.
    """
    if not details.reason.strip():
        raise InputError("no reason for the destruction", hint="say why with --reason")
    added = _record(bundle, DESTROYED, details, signer, anchors, clock, stamper, receipts, progress)
    try:
        when_free(bundle.unlink)
    except OSError as error:
        raise StorageError(
            f"recorded, but cannot remove {bundle.name}: {error.strerror}",
            hint="remove the file by hand: the record says that it was destroyed",
        ) from error
    return added


def _record(
    bundle: Path,
    kind: str,
    details: EventDetails,
    signer: Signer,
    anchors: TrustAnchors,
    clock: Clock,
    stamper: Stamper | None,
    receipts: Path,
    progress: Progress | None,
) -> Added:
    if kind not in EVENTS:
        raise InputError(f"no event named {kind}", hint=f"one of: {', '.join(EVENTS)}")
    progress = progress or Silent()
    folder = custody_folder(bundle)
    made = _make_folder(folder)
    try:
        # With the folder there, the walk takes the digests of the file as a whole.
        examined = examine(bundle, anchors=anchors, now=clock(), progress=progress)
    except BaseException:
        if made:
            folder.rmdir()
        raise
    file = examined.walked.file
    if file is None:  # the walk was asked for them; only a folder that vanished brings this
        raise StorageError(f"{folder.name} was removed meanwhile", hint="try again")
    event = _event(bundle, kind, details, signer, examined, file, clock)
    try:
        content = write_event(event)
    except ValueError as error:
        raise InputError(
            f"the event cannot be recorded: {error}", hint="shorten the text"
        ) from error
    progress.step("signature")
    p7s = sign(content, signer, signing_time=event.time)
    stamp = Stamp(None)
    if stamper is not None:
        progress.step("time stamp")
        stamp = stamper(sha256(signature_value(p7s)).digest())
        if stamp.token is not None:
            p7s = attach_timestamp(p7s, stamp.token)
    path = _write(folder, event, content, p7s)
    signature = path.with_suffix(".p7s")
    mark = CustodyMark(event.number, signature.name, digest_bytes(p7s).sha512)
    receipt = _receipt(bundle, examined, file, event, mark, stamp)
    return Added(event, path, receipt, _keep(receipts, receipt), stamp)


def _make_folder(folder: Path) -> bool:
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    except OSError as error:
        raise StorageError(
            f"cannot make {folder.name}: {error.strerror}",
            hint="events stand beside the bundle: copy it to a folder that you may write in",
        ) from error
    return True


def _event(
    bundle: Path,
    kind: str,
    details: EventDetails,
    signer: Signer,
    examined: Examined,
    file: Digests,
    clock: Clock,
) -> Event:
    chain = examined.custody.chain
    number = chain.next_number
    if number > LAST_NUMBER:
        raise InputError(f"no number above {LAST_NUMBER} is left for an event")
    info = describe(load(signer.certificate))
    return Event(
        number=number,
        event=kind,
        time=clock().astimezone(UTC).replace(microsecond=0),
        bundle=storable_name(bundle.name),
        sha256=file.sha256,
        sha512=file.sha512,
        size=file.size,
        integrity=examined.verdict.section(Section.INTEGRITY).value,
        predecessors=tuple(link.sha512 for link in chain.heads),
        organisation=info.fields.get("organisation", info.name),
        staff_code=info.fields.get("staff_code"),
        certificate_sha256=info.fingerprint,
        details=details,
        made_by=SOFTWARE,
    )


def _write(folder: Path, event: Event, content: bytes, p7s: bytes) -> Path:
    """Both halves under a name that is free: an event that does not hold may be in the way."""
    for twin in range(1, MAX_TWINS + 1):
        more = "" if twin == 1 else f"-{twin}"
        path = folder / f"{event.number:04}-{event.event}{more}.json"
        if not path.exists() and not path.with_suffix(".p7s").exists():
            break
    else:
        raise StorageError(f"{MAX_TWINS} events under one number in {folder.name}")
    write_bytes_once(path, content)
    try:
        write_bytes_once(path.with_suffix(".p7s"), p7s)
    except BaseException:
        path.unlink()
        raise
    return path


def _receipt(
    bundle: Path,
    examined: Examined,
    file: Digests,
    event: Event,
    mark: CustodyMark,
    stamp: Stamp,
) -> Receipt:
    record = examined.record or examined.supplied
    return Receipt(
        bundle=storable_name(bundle.name),
        id=record["id"]
        if record is not None
        else storable_name(bundle.name).removesuffix(SUFFIX)[:100],
        sealed=examined.verdict.time.signing_time or event.time,
        sha256=file.sha256,
        sha512=file.sha512,
        size=file.size,
        made_by=SOFTWARE,
        custody=mark,
        contacts=stamp.contacts,
    )


def _keep(receipts: Path, receipt: Receipt) -> Path:
    """One receipt per event, never replacing an earlier one: they show that nothing was cut off."""
    if receipt.custody is None:
        raise StorageError("a receipt of an event without the event")
    try:
        private_folder(receipts)
    except OSError as error:
        raise StorageError(f"cannot make {receipts}: {error.strerror}") from error
    stem = receipt.bundle.removesuffix(SUFFIX)
    event = receipt.custody.file.removesuffix(".p7s")
    path = receipts / f"{stem}.{event}.{receipt.custody.sha512[:8]}.receipt.json"
    write_bytes_once(path, write_receipt(receipt))
    return path
