"""Seal a work folder: bag, manifest, signature, stamp, container, receipt.

Everything that is asked of the outside (a time stamp) is handed in, and the sealed file appears
whole under its final name or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from evidence_kit import __version__
from evidence_kit.core.canonical_json import dumps
from evidence_kit.core.clock import Clock, iso
from evidence_kit.core.digests import Digests, digest_bytes, digest_file
from evidence_kit.core.errors import StorageError
from evidence_kit.core.events import Progress
from evidence_kit.core.layout import (
    FORMAT,
    MANIFEST,
    README,
    SIGNATURE,
    SUFFIX,
    custody_folder,
    receipt_path,
)
from evidence_kit.core.receipt import Contact, CustodyMark, Receipt, load_receipt, write_receipt
from evidence_kit.core.write_once import private_folder, write_bytes_once, write_once
from evidence_kit.jobs.workfolder import MADE, WorkFolder
from evidence_kit.seal.bagit import BagInfo, tag_files
from evidence_kit.seal.bundle_readme import ReadmeParams, bundle_readme
from evidence_kit.seal.cades import attach_revocation, attach_timestamp, sign, signature_value
from evidence_kit.seal.container_write import Member, write_container
from evidence_kit.seal.manifest import write_manifest
from evidence_kit.seal.signer import Signer

SOFTWARE = f"evidence-kit {__version__}"
CUSTODY = "custody/0001-{event}.json"
SECOND_STAMP = "0001-sealed.tsr"
MAX_HOST = 60
"""Characters of the site's name in the file name; it is a label for people."""


@dataclass(frozen=True)
class Stamp:
    """What asking for a time stamp gave.

    Attributes:
        token: DER, None where no authority gave a valid one.
        contacts: every authority asked, in order, with the result.
        trusted: whether the authority leads to a certificate that this user trusts.
        raw: the authority's whole answer, as it came.
        time: that the token states.
    """

    token: bytes | None
    contacts: tuple[Contact, ...] = ()
    trusted: bool = False
    raw: bytes = b""
    time: datetime | None = None


@dataclass(frozen=True)
class Sealing:
    """What must be known to finish a seal that was interrupted after the bundle was written."""

    target: str
    sealed_at: datetime
    stamp: Stamp


@dataclass(frozen=True)
class Revocation:
    """DER of the authorities' revocation lists and OCSP answers, and every contact for them."""

    lists: tuple[bytes, ...] = ()
    contacts: tuple[Contact, ...] = ()
    responses: tuple[bytes, ...] = ()


Revoker = Callable[[Signer], Revocation]
"""Asks what a signer's authorities say of revocation; never raises for what cannot be had."""

Stamper = Callable[[bytes], Stamp]
"""Asks for a stamp over a SHA-256 digest; never raises for an authority that fails."""


@dataclass(frozen=True)
class Seal:
    """Who seals what, and why.

    Attributes:
        signer: the key.
        organisation: in whose name.
        staff_code: who did it, None where not given; names stand in ``data/private.json`` only.
        contact: e-mail address or telephone number of the organisation, may be empty.
        reason, case: as the user gave them, may be empty.
        host: site that was captured, for the file name.
        captured_until: when the last file of the capture was finished.
        recovered: whether an interrupted capture is finished here.
        event: what the chain of custody begins with: ``captured``, or ``supplied`` by a person.
    """

    signer: Signer
    organisation: str
    staff_code: str | None
    contact: str
    reason: str
    case: str
    host: str
    captured_until: datetime
    recovered: bool = False
    event: str = "captured"


@dataclass(frozen=True)
class Sealed:
    """The finished bundle and what stands beside it."""

    path: Path
    receipt_path: Path
    receipt: Receipt
    stamp: Stamp
    second: Stamp | None
    sealed_at: datetime


def bundle_name(capture_id: str, host: str) -> str:
    """``<UTC>-<host>-<id>.asice`` in characters that every file system takes."""
    moment, _, ident = capture_id.partition("-")
    label = re.sub(r"[^a-z0-9.]+", "-", host.lower()).strip("-.")[:MAX_HOST].strip("-.")
    return f"{moment}-{label or 'page'}-{ident}{SUFFIX}"


def seal_folder(
    work: WorkFolder,
    seal: Seal,
    *,
    output: Path,
    receipts: Path,
    clock: Clock,
    stamper: Stamper | None,
    second: Stamper | None = None,
    revoker: Revoker | None = None,
    progress: Progress,
) -> Sealed:
    """Seal what stands in ``work.bag`` and write bundle and receipt.

    Args:
        work: its files are final; each must still have the digest it was registered with.
        seal: who and why.
        output: existing folder for the bundle; the rename stays within its file system.
        receipts: folder for a copy of the receipt; made where it is not there.
        clock: read once, for the signing time.
        stamper: asks for the signature's time stamp; None when the user wants none.
        second: asks another authority for a stamp over the whole sealed file.
        revoker: asks for the revocation lists and answers that the signature then carries.
        progress: told the steps.

    Raises:
        StorageError: a file changed since it was registered, or something cannot be written.
        KeyUnavailableError: the key does not sign.
    """
    progress.step("sealing: digests of all files")
    sealed_at = clock()
    target = output / bundle_name(work.id, seal.host)
    made: dict[str, bytes] = {
        CUSTODY.format(event=seal.event): _first_event(work, seal, sealed_at),
        README: bundle_readme(
            ReadmeParams(target.name.removesuffix(SUFFIX), seal.organisation, SOFTWARE)
        ),
        FORMAT: (files("evidence_kit") / "FORMAT.md").read_bytes(),
    }
    sources: dict[str, Path | bytes] = {name: work.bag / name for name in work.files()}
    sources.update(made)
    # Read once more only while copying, where size and CRC must still be those of these digests:
    # what was signed is then the file as it was registered, or there is no bundle.
    digests = {name: work.digests_of(name) or _digest(source) for name, source in sources.items()}
    _check_unchanged(work, digests)
    tags = tag_files(digests, _bag_info(work, seal, sealed_at))
    sources.update(tags)
    digests.update({name: digest_bytes(data) for name, data in tags.items()})

    progress.step("sealing: signature")
    manifest = write_manifest(digests)
    signature = sign(manifest, seal.signer, signing_time=sealed_at)
    stamp = Stamp(None)
    if stamper is not None:
        progress.step("sealing: time stamp")
        stamp = stamper(sha256(signature_value(signature)).digest())
        if stamp.token is not None:
            signature = attach_timestamp(signature, stamp.token)
    if revoker is not None:
        revocation = revoker(seal.signer)
        signature = attach_revocation(signature, revocation.lists, revocation.responses)
        stamp = replace(stamp, contacts=(*stamp.contacts, *revocation.contacts))
    sources.update({MANIFEST: manifest, SIGNATURE: signature})
    digests.update({MANIFEST: digest_bytes(manifest), SIGNATURE: digest_bytes(signature)})

    progress.step("sealing: writing the bundle")
    work.save("sealing", Sealing(str(target), sealed_at, stamp))
    members = [Member(name, source, digests[name]) for name, source in sources.items()]
    with write_once(target) as stream:
        whole = write_container(stream, members, sealed_at, progress=progress)
        # Known before the name appears: a bundle under it can later be told from another's.
        work.save("whole", whole)
    return finish_seal(work, receipts=receipts, second=second, progress=progress)


def finish_seal(
    work: WorkFolder, *, receipts: Path, second: Stamper | None, progress: Progress
) -> Sealed:
    """Second stamp and receipt of a bundle that stands under its final name.

    What an interrupted run already wrote beside it is kept.

    Raises:
        StorageError: the bundle is not there, or something cannot be written.
    """
    sealing, whole = work.load("sealing", Sealing), work.load("whole", Digests)
    if sealing is None or whole is None:
        raise StorageError("the work folder does not know of a sealed bundle")
    target = Path(sealing.target)
    second_stamp = _second_stamp(target, whole, second, progress)
    receipt = Receipt(
        bundle=target.name,
        id=work.id,
        sealed=sealing.sealed_at,
        sha256=whole.sha256,
        sha512=whole.sha512,
        size=whole.size,
        made_by=SOFTWARE,
        custody=_mark(second_stamp),
        contacts=(*sealing.stamp.contacts, *(second_stamp.contacts if second_stamp else ())),
    )
    path = _keep_receipt(target, receipt, receipts)
    return Sealed(target, path, receipt, sealing.stamp, second_stamp, sealing.sealed_at)


def is_sealed(work: WorkFolder) -> bool:
    """Whether the work folder's bundle stands whole under its final name."""
    sealing, whole = work.load("sealing", Sealing), work.load("whole", Digests)
    if sealing is None or whole is None or not Path(sealing.target).is_file():
        return False
    return _digest(Path(sealing.target)) == whole


def _first_event(work: WorkFolder, seal: Seal, sealed_at: datetime) -> bytes:
    """The first custody event: who captured, when, why, and how long until the seal."""
    delay = (sealed_at - seal.captured_until).total_seconds()
    return dumps(
        {
            "schema": "evidence-kit/custody/1",
            "number": 1,
            "event": seal.event,
            "time": iso(sealed_at),
            "capture": work.id,
            "organisation": seal.organisation,
            "staff_code": seal.staff_code,
            "certificate_sha256": sha256(seal.signer.certificate).hexdigest(),
            "reason": seal.reason,
            "case": seal.case,
            "captured_until": iso(seal.captured_until),
            "seconds_until_sealing": round(max(delay, 0.0), 3),
            "recovered": seal.recovered,
        }
    )


def _bag_info(work: WorkFolder, seal: Seal, sealed_at: datetime) -> BagInfo:
    mail = seal.contact if "@" in seal.contact else ""
    return BagInfo(
        source_organization=seal.organisation,
        external_identifier=work.id,
        bagging_date=sealed_at,
        software_agent=SOFTWARE,
        contact_name=seal.staff_code or "",
        contact_email=mail,
        contact_phone="" if mail else seal.contact,
        external_description=(
            f"Capture of {seal.host}"
            if seal.event == "captured"
            else "Files supplied by a person, not captured"
        ),
    )


def _digest(source: Path | bytes) -> Digests:
    try:
        return digest_bytes(source) if isinstance(source, bytes) else digest_file(source)
    except OSError as error:
        raise StorageError(
            f"cannot read a file of the capture: {error.strerror}",
            hint="the work folder must stay untouched until the bundle is sealed",
        ) from error


def _check_unchanged(work: WorkFolder, digests: Mapping[str, Digests]) -> None:
    """Each registered file still is what it was when it was written (requirement C14)."""
    for artefact in work.artefacts():
        if artefact.state != MADE:
            continue
        found = digests.get(artefact.file)
        if found is None or found.sha256 != artefact.sha256:
            raise StorageError(
                f"{artefact.file} is no longer the file that was captured",
                hint="the work folder must stay untouched until the bundle is sealed",
            )


def _second_stamp(
    target: Path, whole: Digests, second: Stamper | None, progress: Progress
) -> Stamp | None:
    """A stamp of another authority over the whole file, in the custody folder beside it."""
    if second is None:
        return None
    progress.step("sealing: second time stamp, over the whole file")
    stamp = second(bytes.fromhex(whole.sha256))
    if stamp.raw:
        folder = custody_folder(target)
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot make {folder.name}: {error.strerror}") from error
        path = folder / SECOND_STAMP
        if path.exists():  # of a run that was interrupted after it
            return replace(stamp, raw=path.read_bytes())
        write_bytes_once(path, stamp.raw)
    return stamp


def _mark(stamp: Stamp | None) -> CustodyMark | None:
    """The second stamp as the newest thing that stands beside the bundle."""
    if stamp is None or not stamp.raw:
        return None
    return CustodyMark(1, SECOND_STAMP, digest_bytes(stamp.raw).sha512)


def _keep_receipt(target: Path, receipt: Receipt, receipts: Path) -> Path:
    """Write the receipt beside the bundle and, to survive its loss, in the home folder."""
    data = write_receipt(receipt)
    path = receipt_path(target)
    if path.exists() and load_receipt(path).sha512 == receipt.sha512:
        data = path.read_bytes()  # of a run that was interrupted after it
    else:
        write_bytes_once(path, data)
    try:
        private_folder(receipts)
    except OSError as error:
        raise StorageError(f"cannot make {receipts}: {error.strerror}") from error
    if not (receipts / path.name).exists():
        write_bytes_once(receipts / path.name, data)
    return path
