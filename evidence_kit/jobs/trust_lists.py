"""Trusted lists in the trust store: which time-stamping services are qualified, and by which list.

``HOME/trust/lists`` holds each list as it was given (``CC-NUMBER.xml``) and what was read from it
(``CC-NUMBER.json``), which is all that judging a bundle needs. Nothing is fetched: the file comes
from the country's publisher by the user's own hand, and its signature decides.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from evidence_kit.core.canonical_json import JsonError, dumps, loads
from evidence_kit.core.clock import iso, parse_iso
from evidence_kit.core.errors import ConfigError, InputError, StorageError, UnreadableFileError
from evidence_kit.core.write_once import private_folder, write_bytes_once
from evidence_kit.seal import x509
from evidence_kit.seal.trusted_list import QualifiedService, TrustedList
from evidence_kit.seal.trusted_list_read import (
    MAX_LIST,
    SignedList,
    TrustedListError,
    available,
    read_trusted_list,
)

SCHEMA = "evidence-kit/trusted-list/1"

MAX_LISTS = 200
"""Lists in the store; thirty-one countries publish one each, some twice a year."""

MAX_RECORD = 16 << 20
"""Bytes of what was read from one list; a country's time-stamping services take some 200 KiB."""


@dataclass(frozen=True)
class ListEntry:
    """One trusted list in the store.

    Attributes:
        content: what it says.
        signed_by: SHA-256 of the certificate whose key signed it, hexadecimal.
        signer_name: whose certificate that is, in its own words.
        lotl_sha256: of the list of lists that named this certificate; empty where the user did.
        unreadable: certificates of services that could not be read.
        vouched_by: who said whose certificate it is.
        how: by which way.
        added: when, UTC.
    """

    content: TrustedList
    signed_by: str
    signer_name: str
    lotl_sha256: str
    unreadable: int
    vouched_by: str
    how: str
    added: datetime

    @property
    def stem(self) -> str:
        """Name of its files, without ending."""
        return f"{self.content.territory}-{self.content.sequence}"


def add_list(
    home: Path,
    path: Path,
    *,
    operators: Sequence[bytes],
    lotl: Path | None = None,
    vouched_by: str,
    how: str,
    now: datetime,
) -> ListEntry:
    """Take a trusted list into the store, if its signature holds and it is newer.

    Args:
        home: the home folder.
        path: the XML file.
        operators: DER of the certificates that may have signed it, or the list of lists.
        lotl: the list of lists that names who signs this country's.
        vouched_by: who said whose certificates ``operators`` are; checked by the caller.
        how: by which way.
        now: for the record.

    Raises:
        ConfigError: the extra ``evidence-kit[etsi]`` is not installed, or the store is damaged.
        InputError: hostile, unsigned, signed by somebody else, dated in the future, or older than
            the one that is there.
        UnreadableFileError: it cannot be read.
        StorageError: it is there already, or cannot be written.
    """
    if not available():
        raise ConfigError(
            "trusted lists need further libraries",
            hint="it comes with evidence-kit[etsi]; where its source is: "
            'pipx install --force ".[etsi]"',
        )
    data = _read(path)
    above = _read(lotl) if lotl is not None else None
    try:
        read = read_trusted_list(data, operators, lotl=above)
    except TrustedListError as error:
        raise InputError(
            f"{path.name} is refused: {error}",
            hint="get the list from its publisher again, and the certificate of who signs it",
        ) from error
    _require_newer(home, read.content, now)
    signer = x509.load(read.signed_by)
    entry = ListEntry(
        content=read.content,
        signed_by=signer.fingerprint,
        signer_name=x509.display_name(signer),
        lotl_sha256=hashlib.sha256(above).hexdigest() if above is not None else "",
        unreadable=read.unreadable,
        vouched_by=vouched_by,
        how=how,
        added=now.replace(microsecond=0),
    )
    folder = home / "trust" / "lists"
    try:
        private_folder(folder)
        # A list without its record does not count, so the record comes last.
        (folder / f"{entry.stem}.xml").unlink(missing_ok=True)
        write_bytes_once(folder / f"{entry.stem}.xml", data)
        write_bytes_once(folder / f"{entry.stem}.json", dumps(_record(entry, read)))
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror}") from error
    return entry


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_LIST:
            raise InputError(f"{path.name} is too large for a trusted list")
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise UnreadableFileError(
            f"cannot read {path}: {reason}", hint="check the path and your rights to the file"
        ) from error


def _require_newer(home: Path, content: TrustedList, now: datetime) -> None:
    if content.issued > now:
        raise InputError(
            f"the list says that it was issued on {iso(content.issued)}, in the future",
            hint="see whether the clock of this computer is right",
        )
    for entry in trusted_lists(home):
        one = entry.content
        if one.territory != content.territory:
            continue
        if one.sha256 == content.sha256:
            raise StorageError(f"list {one.sequence} of {one.territory} is there already")
        if (one.sequence, one.issued) >= (content.sequence, content.issued):
            raise InputError(
                f"list {content.sequence} of {content.territory} is not newer than number "
                f"{one.sequence}, which is there",
                hint="an older list could hide that a service was withdrawn",
            )


def _record(entry: ListEntry, read: SignedList) -> dict[str, Any]:
    content = entry.content
    return {
        "schema": SCHEMA,
        "territory": content.territory,
        "operator": content.operator,
        "sequence": content.sequence,
        "issued": iso(content.issued),
        "next_update": iso(content.next_update) if content.next_update else None,
        "sha256": content.sha256,
        "signed_by": base64.b64encode(read.signed_by).decode("ascii"),
        "lotl_sha256": entry.lotl_sha256,
        "unreadable": entry.unreadable,
        "vouched_by": entry.vouched_by,
        "how": entry.how,
        "added": iso(entry.added),
        "services": [
            {
                "name": one.name,
                "certificates": [
                    base64.b64encode(each).decode("ascii") for each in one.certificates
                ],
                "since": iso(one.since),
                "until": iso(one.until) if one.until else None,
            }
            for one in content.services
        ],
    }


def trusted_lists(home: Path) -> list[ListEntry]:
    """Every trusted list in the store, by country and number.

    Raises:
        ConfigError: a file in the store is not what this program wrote.
    """
    folder = home / "trust" / "lists"
    if not folder.is_dir():
        return []
    paths = sorted(path for path in folder.iterdir() if path.suffix == ".json")
    if len(paths) > MAX_LISTS:
        raise ConfigError(f"more than {MAX_LISTS} trusted lists in {folder}")
    entries = [_read_record(path) for path in paths]
    return sorted(entries, key=lambda entry: (entry.content.territory, entry.content.sequence))


def _read_record(path: Path) -> ListEntry:
    try:
        record: Any = loads(path.read_bytes(), max_bytes=MAX_RECORD)
        signer = x509.load(_bytes(record["signed_by"]))
        content = TrustedList(
            territory=str(record["territory"]),
            operator=str(record["operator"]),
            sequence=int(record["sequence"]),
            issued=parse_iso(record["issued"]),
            next_update=_when(record["next_update"]),
            sha256=str(record["sha256"]),
            services=tuple(
                QualifiedService(
                    name=str(one["name"]),
                    certificates=tuple(_bytes(each) for each in one["certificates"]),
                    since=parse_iso(one["since"]),
                    until=_when(one["until"]),
                )
                for one in record["services"]
            ),
        )
        entry = ListEntry(
            content=content,
            signed_by=signer.fingerprint,
            signer_name=x509.display_name(signer),
            lotl_sha256=str(record["lotl_sha256"]),
            unreadable=int(record["unreadable"]),
            vouched_by=str(record["vouched_by"]),
            how=str(record["how"]),
            added=parse_iso(record["added"]),
        )
        if record["schema"] != SCHEMA or entry.stem != path.stem:
            raise ConfigError("the record belongs to another list")
    except (OSError, JsonError, KeyError, TypeError, ValueError, ConfigError) as error:
        raise ConfigError(
            f"the trust store holds something that was not put there by this program: {path.name}",
            hint=f"look at {path} and remove it if you do not know it ({error})",
        ) from error
    return entry


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _when(text: str | None) -> datetime | None:
    return parse_iso(text) if text is not None else None


def remove_list(home: Path, entry: ListEntry) -> None:
    """Take one list out of the store.

    Raises:
        StorageError: it cannot be removed.
    """
    stem = home / "trust" / "lists" / entry.stem
    try:
        stem.with_suffix(".json").unlink()
        stem.with_suffix(".xml").unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot remove {stem.name}: {error.strerror}") from error
