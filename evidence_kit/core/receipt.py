"""The receipt: what is noted outside a bundle, so that a later exchange of the bundle shows.

A seal can be made again by whoever holds the key; the receipt cannot be made to fit (bundle
format, rules 1 and 4). It is plain JSON without a signature: its worth is where it is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from evidence_kit.core.canonical_json import JsonError, dumps, loads
from evidence_kit.core.clock import iso, parse_iso
from evidence_kit.core.digests import Digests
from evidence_kit.core.errors import InputError, UnreadableFileError
from evidence_kit.core.schemas import schema_fault

SCHEMA = "evidence-kit/receipt/1"

MAX_RECEIPT = 1 << 20
"""Bytes of a receipt; real ones are a few KiB."""


@dataclass(frozen=True)
class CustodyMark:
    """The newest custody event that the receipt knows: its number, and SHA-512 of its file."""

    number: int
    file: str
    sha512: str


@dataclass(frozen=True)
class Contact:
    """One contact made after the capture log was closed, for example with a TSA."""

    time: datetime
    url: str
    result: str


@dataclass(frozen=True)
class Receipt:
    """What a receipt states.

    Attributes:
        bundle: file name of the sealed file.
        id: the capture's id.
        sealed: UTC, by the sealing machine's clock.
        sha256, sha512, size: of the sealed file as a whole; hexadecimal, bytes.
        custody: the newest event beside the sealed file; None where there is none.
        contacts: made after the seal, in order.
        made_by: program and version.
    """

    bundle: str
    id: str
    sealed: datetime
    sha256: str
    sha512: str
    size: int
    made_by: str
    custody: CustodyMark | None = None
    contacts: Sequence[Contact] = ()

    def matches(self, file: Digests) -> bool:
        """Whether a file is the one that this receipt was made for."""
        return (self.sha256, self.sha512, self.size) == (file.sha256, file.sha512, file.size)


def write_receipt(receipt: Receipt) -> bytes:
    """The receipt as JSON in this project's one form (``receipt-1.schema.json``).

    Raises:
        ValueError: it would not conform to its own schema.
    """
    mark = receipt.custody
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "bundle": receipt.bundle,
        "id": receipt.id,
        "sealed": iso(receipt.sealed),
        "sha256": receipt.sha256,
        "sha512": receipt.sha512,
        "size": receipt.size,
        "custody": (
            None
            if mark is None
            else {"number": mark.number, "file": mark.file, "sha512": mark.sha512}
        ),
        "contacts": [
            {"time": iso(item.time), "url": item.url, "result": item.result}
            for item in receipt.contacts
        ],
        "made_by": receipt.made_by,
    }
    fault = schema_fault(document, "receipt-1")
    if fault is not None:
        raise ValueError(f"receipt does not conform: {fault}")
    return dumps(document)


def read_receipt(data: bytes) -> Receipt:
    """The inverse of :func:`write_receipt`, for bytes of unknown origin.

    Raises:
        InputError: not a receipt of this form.
    """
    try:
        document = loads(data, max_bytes=MAX_RECEIPT)
        fault = schema_fault(document, "receipt-1")
        if fault is not None:
            raise JsonError(fault)
        mark = document["custody"]
        return Receipt(
            bundle=document["bundle"],
            id=document["id"],
            sealed=parse_iso(document["sealed"]),
            sha256=document["sha256"],
            sha512=document["sha512"],
            size=document["size"],
            made_by=document["made_by"],
            custody=None if mark is None else CustodyMark(**mark),
            contacts=tuple(
                Contact(parse_iso(item["time"]), item["url"], item["result"])
                for item in document["contacts"]
            ),
        )
    except ValueError as error:
        raise InputError(
            f"not a receipt: {error}", hint="a receipt is the .receipt.json file of a bundle"
        ) from error


def load_receipt(path: Path) -> Receipt:
    """:func:`read_receipt` of a file.

    Raises:
        UnreadableFileError: it cannot be read.
        InputError: not a receipt.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_RECEIPT + 1)
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise UnreadableFileError(
            f"cannot read the receipt {path.name}: {reason}",
            hint="check the path and your rights to the file",
        ) from error
    return read_receipt(data)
