"""Making vectors: from bytes, from a case that its signer changed, from a forger's hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from evidence_kit.core.digests import digest_bytes
from evidence_kit.core.receipt import Receipt
from evidence_kit.core.verdict import Verdict
from evidence_kit.jobs.verify import verify_many
from tests.bundles import (
    CAPTURE_ID,
    NAME,
    NOW,
    WHEN,
    Case,
    example,
    forged,
    trusted,
)

Vector = Callable[[Path], Verdict]


def judged(path: Path, **options: Any) -> Verdict:
    """The verdict on one file, by default with the trust that makes a good bundle PASSED."""
    options = {"anchors": trusted(), "now": NOW, **options}
    return next(verify_many([path], **options))


def of_bytes(data: bytes | Callable[[], bytes], **options: Any) -> Vector:
    """A vector that is one file."""

    def vector(folder: Path) -> Verdict:
        path = folder / NAME
        path.write_bytes(data if isinstance(data, bytes) else data())
        return judged(path, **options)

    return vector


def of_case(change: Callable[[Case], object], **options: Any) -> Vector:
    """A vector made by the signer's own hand: the example, changed before it was sealed."""

    def sealed() -> bytes:
        case = example()
        change(case)
        return case.seal()

    return of_bytes(sealed, **options)


def of_forgery(change: Callable[[dict[str, bytes]], object], **options: Any) -> Vector:
    """A vector made by somebody without the key: opened, changed, packed again."""
    return of_bytes(lambda: forged(example().seal(), change), **options)


def of_record(change: Callable[[dict[str, Any]], object], **options: Any) -> Vector:
    """A vector whose signed capture record says something else."""

    def edit(case: Case) -> None:
        case.edit_record = lambda record: (change(record), None)[1]

    return of_case(edit, **options)


def put(name: str, data: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda files: files.__setitem__(name, data)


def each(*changes: Callable[[dict[str, bytes]], object]) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        for one in changes:
            one(files)

    return change


def attributes(**values: Any) -> Callable[[Case], None]:
    def change(case: Case) -> None:
        for name, value in values.items():
            setattr(case, name, value)

    return change


def receipt_of(path: Path, **change: Any) -> Receipt:
    digests = digest_bytes(path.read_bytes())
    return replace(
        Receipt(
            bundle=path.name,
            id=CAPTURE_ID,
            sealed=WHEN,
            sha256=digests.sha256,
            sha512=digests.sha512,
            size=digests.size,
            made_by="evidence-kit tests",
        ),
        **change,
    )


def with_receipt(**change: Any) -> Vector:
    """The good bundle and a receipt of which some fields are changed."""

    def vector(folder: Path) -> Verdict:
        path = example().write(folder)
        return judged(path, receipt=receipt_of(path, **change))

    return vector


def with_sidecar(name: str, make: Callable[[bytes], bytes], **options: Any) -> Vector:
    """The good bundle with one file in its custody folder, made from the bundle's bytes."""

    def vector(folder: Path) -> Verdict:
        path = example().write(folder)
        beside = path.with_name(path.stem + ".custody")
        beside.mkdir()
        (beside / name).write_bytes(make(path.read_bytes()))
        return judged(path, **options)

    return vector
