"""Seal files that a person handed in: byte for byte, and marked as supplied, not captured.

The name of the person stands in the part that a hand-over may withhold (bundle format, rule 11).
For mails the keys of their DKIM signatures are fetched once and kept, so that they can be checked
offline for ever; DNS itself is asked by the caller's function.
"""

from __future__ import annotations

import mimetypes
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from evidence_kit import __version__
from evidence_kit.core.canonical_json import dumps
from evidence_kit.core.clock import Clock, iso
from evidence_kit.core.errors import InputError, NetworkError, StorageError, UnreadableFileError
from evidence_kit.core.events import Progress, Silent
from evidence_kit.core.schemas import schema_fault
from evidence_kit.gather.dns_txt import TxtLookup
from evidence_kit.jobs.bundle import Seal, Sealed, Stamper, seal_folder
from evidence_kit.jobs.operator import PRIVATE, operator_of
from evidence_kit.jobs.verify_supplied import MAX_MAIL
from evidence_kit.jobs.workfolder import Artefact, WorkFolder, new_id
from evidence_kit.platforms.inert_names import inert_name
from evidence_kit.seal.dkim import check_dkim, find_signatures
from evidence_kit.seal.signer import Signer

SCHEMA = "evidence-kit/supplied/1"
STATEMENT = "supplied, not captured by this tool"
KINDS = ("screenshot", "mail", "chat", "download", "other")

GIVEN = "given by the operator, not fetched"
"""Why a key has no time of fetching."""

MAX_KEYS = 1 << 20
"""Bytes of a file with keys; one takes some 400."""

MAX_FILES = 500
"""Files of one import: with the bundle's own files well below what a bundle may hold."""


@dataclass(frozen=True)
class Supply:
    """What was handed in, and by whom.

    Attributes:
        files: on this machine; they are copied, not moved.
        kind: one of :data:`KINDS`.
        supplier: who handed it in, as a role ("de medewerker"); stands in the open record.
        supplier_name: the person's name; stands in ``data/private.json`` only, may be empty.
        source: where the supplier says to have it from.
        received: day on which it was handed in.
        reason, case: may be empty.
    """

    files: tuple[Path, ...]
    kind: str
    supplier: str
    source: str
    received: date
    supplier_name: str = ""
    reason: str = ""
    case: str = ""


@dataclass(frozen=True)
class Imported:
    """The bundle, and what was found about each mail's signatures."""

    sealed: Sealed
    dkim: tuple[dict[str, Any], ...]


def import_supplied(
    supply: Supply,
    signer: Signer,
    *,
    output: Path,
    home: Path,
    clock: Clock,
    random: bytes,
    stamper: Stamper | None,
    lookup: TxtLookup | None,
    keys: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Copy the files into a work folder and seal them into a bundle of their own.

    Args:
        supply: what and from whom.
        signer: who seals.
        output: existing folder for the bundle.
        home: the home folder, for work and receipts.
        clock: for all times.
        random: four bytes for the identity of the bundle.
        stamper: asks for the seal's time stamp; None for none.
        lookup: fetches the keys of mails' signatures; None to ask nobody.
        keys: TXT records that were had in another way, by DNS name; they go before ``lookup``.
        progress: told the steps.

    Raises:
        InputError: nothing to import, or a value that cannot be used.
        UnreadableFileError: a file is not there or no file.
        StorageError: something cannot be written.
    """
    progress = progress or Silent()
    _check(supply, clock)
    started = clock()
    work = WorkFolder.create(home, new_id(started, random))
    try:
        progress.step("copying what was handed in")
        pairs = [_copy(work, path, number, clock) for number, path in enumerate(supply.files, 1)]
        dkim = tuple(
            one
            for path, artefact in pairs
            for one in _mail(path, artefact, keys or {}, lookup, clock, progress)
        )
        record = _record(supply, signer, work, [artefact for _, artefact in pairs], dkim, clock)
        fault = schema_fault(record, "supplied-1")
        if fault is not None:
            raise InputError(f"the record cannot be written: {fault}", hint="shorten the text")
        private = {**operator_of(signer).private_json(), "supplier_name": supply.supplier_name}
        (work.bag / PRIVATE).write_bytes(dumps(private))
        (work.data / "supplied.json").write_bytes(dumps(record))
        operator = operator_of(signer)
        sealed = seal_folder(
            work,
            Seal(
                signer=signer,
                organisation=operator.organisation,
                staff_code=operator.staff_code,
                contact="",
                reason=supply.reason,
                case=supply.case,
                host="supplied",
                captured_until=clock(),
                event="supplied",
            ),
            output=output,
            receipts=home / "receipts",
            clock=clock,
            stamper=stamper,
            progress=progress,
        )
    finally:
        work.remove()
    return Imported(sealed, dkim)


def read_keys(path: Path) -> dict[str, str]:
    """Keys from a file: a DNS name, a space and the TXT record on each line.

    Raises:
        UnreadableFileError: it cannot be read.
        InputError: a line has another form.
    """
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_KEYS + 1).decode("utf-8")
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise UnreadableFileError(f"cannot read {path.name}: {reason}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is no text") from error
    if len(text) > MAX_KEYS:
        raise InputError(f"{path.name} is larger than {MAX_KEYS} bytes")
    found = {}
    for line in filter(str.strip, text.splitlines()):
        name, _, record = line.strip().partition(" ")
        if "._domainkey." not in name or "p=" not in record:
            raise InputError(
                f"{path.name} holds a line that is no key", hint="DNS name, space, TXT record"
            )
        found[name.lower()] = record.strip()
    return found


def require_files(files: Sequence[Path]) -> None:
    """Refuse what is not there before anybody is asked for a passphrase.

    Raises:
        UnreadableFileError: one of them is missing, or a folder.
    """
    for path in files:
        if not path.is_file():
            raise UnreadableFileError(
                f"{path.name} is not there, or no file",
                hint="check the path; a folder's files are named one by one",
            )


def _check(supply: Supply, clock: Clock) -> None:
    if not supply.files:
        raise InputError("no files to import")
    if len(supply.files) > MAX_FILES:
        raise InputError(f"more than {MAX_FILES} files", hint="import them in parts")
    if supply.kind not in KINDS:
        raise InputError(f"no kind named {supply.kind}", hint=f"one of: {', '.join(KINDS)}")
    if not supply.supplier.strip() or not supply.source.strip():
        raise InputError(
            "supplier and source are needed", hint="who handed it in, and where it comes from"
        )
    if supply.received > clock().date():
        raise InputError(f"{supply.received} lies in the future")


def _copy(work: WorkFolder, path: Path, number: int, clock: Clock) -> tuple[Path, Artefact]:
    kind = mimetypes.guess_type(path.name)[0] or ""
    is_mail = path.suffix.lower() == ".eml"
    inert = inert_name(path.stem, "text/plain") if is_mail else inert_name(path.name, kind)
    name = f"{number:04}-{inert.removesuffix('.txt')}.eml" if is_mail else f"{number:04}-{inert}"
    target = work.data / "supplied" / name
    try:
        target.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make the work folder: {error.strerror}") from error
    require_files((path,))
    try:
        with path.open("rb") as source, target.open("xb") as copy:
            shutil.copyfileobj(source, copy)
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise UnreadableFileError(f"cannot copy {path.name}: {reason}") from error
    return target, work.add("supplied", target, clock=clock, original_name=path.name)


def _mail(
    path: Path,
    artefact: Artefact,
    given: Mapping[str, str],
    lookup: TxtLookup | None,
    clock: Clock,
    progress: Progress,
) -> list[dict[str, Any]]:
    """The signatures of one mail, each key fetched once; a key that cannot be had stops nothing."""
    if path.suffix != ".eml" or path.stat().st_size > MAX_MAIL:
        return []
    mail = path.read_bytes()
    keys: dict[str, tuple[str | None, str | None, str]] = {}
    found = []
    for signature in find_signatures(mail):
        if signature.key_name not in keys:
            progress.step(f"key of {signature.domain}")
            keys[signature.key_name] = (
                (given[signature.key_name], None, GIVEN)
                if signature.key_name in given
                else _fetch(signature.key_name, lookup, clock)
            )
        key, fetched, why = keys[signature.key_name]
        found.append(
            {
                "file": artefact.file,
                "domain": signature.domain,
                "selector": signature.selector,
                "key": key,
                "fetched": fetched,
                "why": why,
                "state": check_dkim(mail, signature, key).state,
            }
        )
    return found


def _fetch(name: str, lookup: TxtLookup | None, clock: Clock) -> tuple[str | None, str | None, str]:
    if lookup is None:
        return None, None, "not asked for"
    try:
        key = lookup(name)
    except NetworkError as error:
        return None, None, error.message
    if key is None:
        return None, iso(clock()), "there is no such key"
    return key, iso(clock()), ""


def _record(
    supply: Supply,
    signer: Signer,
    work: WorkFolder,
    artefacts: Sequence[Artefact],
    dkim: Sequence[dict[str, Any]],
    clock: Clock,
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "statement": STATEMENT,
        "id": work.id,
        "kind": supply.kind,
        "supplier": supply.supplier,
        "source": supply.source,
        "received": supply.received.isoformat(),
        "reason": supply.reason,
        "case": supply.case,
        "operator": operator_of(signer).to_json(),
        "software": {"name": "evidence-kit", "version": __version__},
        "imported": iso(clock()),
        "files": [
            {
                "file": artefact.file,
                "original_name": artefact.original_name or "",
                "sha256": artefact.sha256,
                "size": artefact.size,
                "written": artefact.written,
            }
            for artefact in artefacts
        ],
        "dkim": list(dkim),
    }
