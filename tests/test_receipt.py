from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.core.digests import digest_bytes
from evidence_kit.core.errors import InputError
from evidence_kit.core.receipt import Contact, CustodyMark, Receipt, read_receipt, write_receipt

WHEN = datetime(2026, 11, 23, 10, 0, 0, 250000, tzinfo=UTC)
SEALED = digest_bytes(b"a sealed file")
RECEIPT = Receipt(
    bundle="20261123T100000Z-example.asice",
    id="20261123T100000Z-0011aabb",
    sealed=WHEN,
    sha256=SEALED.sha256,
    sha512=SEALED.sha512,
    size=SEALED.size,
    made_by="evidence-kit 0.1",
    custody=CustodyMark(1, "0001-sealed.tsr", SEALED.sha512),
    contacts=(Contact(WHEN, "http://127.0.0.1:1/tsa", "answered"),),
)


def test_a_receipt_reads_back() -> None:
    assert read_receipt(write_receipt(RECEIPT)) == RECEIPT
    bare = replace(RECEIPT, custody=None, contacts=())
    assert read_receipt(write_receipt(bare)) == bare


def test_it_matches_the_file_and_no_other() -> None:
    assert RECEIPT.matches(SEALED)
    assert not RECEIPT.matches(digest_bytes(b"another file"))
    assert not RECEIPT.matches(replace(SEALED, sha512="0" * 128))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sha256", "00"),
        ("sha512", SEALED.sha512.upper()),
        ("size", -1),
        ("size", "13"),
        ("sealed", "yesterday"),
        ("sealed", "2026-99-99T00:00:00Z"),
        ("schema", "evidence-kit/receipt/2"),
        ("custody", {"number": 0, "file": "0001-sealed.tsr", "sha512": SEALED.sha512}),
        ("custody", {"number": 1, "file": "../../x", "sha512": SEALED.sha512}),
        ("unknown", 1),
    ],
)
def test_what_is_not_a_receipt_is_refused(key: str, value: Any) -> None:
    document = json.loads(write_receipt(RECEIPT))
    document[key] = value
    with pytest.raises(InputError, match="not a receipt"):
        read_receipt(json.dumps(document).encode())


@pytest.mark.parametrize("key", sorted(json.loads(write_receipt(RECEIPT))))
def test_every_key_is_required(key: str) -> None:
    document = json.loads(write_receipt(RECEIPT))
    del document[key]
    with pytest.raises(InputError):
        read_receipt(json.dumps(document).encode())


def test_a_receipt_that_breaks_its_schema_is_never_written() -> None:
    with pytest.raises(ValueError, match="does not conform"):
        write_receipt(replace(RECEIPT, sha256="abc"))


@given(st.binary(max_size=300))
def test_hostile_bytes_only_raise_the_projects_error(data: bytes) -> None:
    with pytest.raises(InputError):
        read_receipt(data)
