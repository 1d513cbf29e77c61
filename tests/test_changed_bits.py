"""Any single changed bit of a really captured bundle is FAILED, and it is known which check saw it.

Sampled over the whole file, and again with the entry's CRC-32 put right, which hides the change
from every reader of ZIP files.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evidence_kit.core.findings import Status
from evidence_kit.core.layout import SIGNATURE
from evidence_kit.core.verdict import Verdict
from evidence_kit.jobs.trust import load_anchors
from evidence_kit.jobs.verify import verify
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.container_read import Entry, walk
from tests.fixtures_capture import Captured, captured

__all__ = ["captured"]

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("captured")]

SAMPLES = 250
SEED = 20261123


@pytest.fixture(scope="module")
def anchors(captured: Captured) -> TrustAnchors:
    return load_anchors(captured.home, [captured.certificate], [captured.tsa_root])


def judged(data: bytes, folder: Path, anchors: TrustAnchors) -> Verdict:
    path = folder / "changed.asice"
    path.write_bytes(data)
    return verify(path, anchors=anchors, now=datetime.now(UTC))


def caught_by(verdict: Verdict) -> list[str]:
    """Codes of the checks that failed; none is the fault this test looks for."""
    assert verdict.status is Status.FAILED
    return sorted({item.code for item in verdict.findings if item.rule.status is Status.FAILED})


def test_the_bundle_itself_passes(captured: Captured, anchors: TrustAnchors) -> None:
    verdict = verify(captured.bundle, anchors=anchors, now=datetime.now(UTC))
    assert verdict.status is Status.PASSED, verdict.findings


def test_a_bit_anywhere(
    captured: Captured,
    anchors: TrustAnchors,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    whole = captured.bundle.read_bytes()
    chosen = random.Random(SEED)
    by: Counter[str] = Counter()
    for _ in range(SAMPLES):
        place, bit = chosen.randrange(len(whole)), chosen.randrange(8)
        changed = bytearray(whole)
        changed[place] ^= 1 << bit
        codes = caught_by(judged(bytes(changed), tmp_path, anchors))
        assert codes, (place, bit)
        by.update(codes)
    record_property("caught_by", dict(by.most_common()))
    assert by["container.crc"] > SAMPLES // 2


def with_crc(data: bytearray, entry: Entry, name: str) -> bytes:
    """Put the entry's CRC-32 right in its local and central header."""
    crc = struct.pack("<L", zlib.crc32(data[entry.offset : entry.offset + entry.digests.size]))
    local = entry.offset - len(name) - 30
    assert data[local : local + 4] == b"PK\3\4"
    data[local + 14 : local + 18] = crc
    central = len(data)
    found = b""
    while found != name.encode("ascii"):
        central = data.rindex(b"PK\1\2", 0, central)
        length = struct.unpack("<H", data[central + 28 : central + 30])[0]
        found = bytes(data[central + 46 : central + 46 + length])
    data[central + 16 : central + 20] = crc
    return bytes(data)


def test_a_bit_in_a_file_with_its_crc_put_right(
    captured: Captured,
    anchors: TrustAnchors,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    whole = captured.bundle.read_bytes()
    entries = walk(captured.bundle).entries
    chosen = random.Random(SEED + 1)
    by: Counter[str] = Counter()
    for _ in range(SAMPLES):
        name = chosen.choice(sorted(entries))
        entry = entries[name]
        changed = bytearray(whole)
        changed[entry.offset + chosen.randrange(entry.digests.size)] ^= 1 << chosen.randrange(8)
        codes = caught_by(judged(with_crc(changed, entry, name), tmp_path, anchors))
        assert codes, name
        assert "container.crc" not in codes
        by.update(codes)
    record_property("caught_by", dict(by.most_common()))
    assert by["file.changed"] > SAMPLES // 2


def test_a_bit_in_the_signature_file_with_its_crc_put_right(
    captured: Captured, anchors: TrustAnchors, tmp_path: Path
) -> None:
    whole = captured.bundle.read_bytes()
    entry = walk(captured.bundle).entries[SIGNATURE]
    chosen = random.Random(SEED + 2)
    for _ in range(SAMPLES):
        changed = bytearray(whole)
        place = chosen.randrange(entry.digests.size)
        changed[entry.offset + place] ^= 1 << chosen.randrange(8)
        codes = caught_by(judged(with_crc(changed, entry, SIGNATURE), tmp_path, anchors))
        seen = {
            code for code in codes if code.startswith(("signature.", "timestamp.", "container.t"))
        }
        assert seen, (place, codes)
