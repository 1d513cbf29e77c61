"""Bundles of earlier releases are read for ever, and the verdict stays what it was."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from evidence_kit.core.findings import Status
from evidence_kit.core.receipt import load_receipt
from evidence_kit.core.verdict import State
from evidence_kit.jobs.trust import load_anchors
from evidence_kit.jobs.verify import verify
from evidence_kit.seal.anchors import TrustAnchors

GOLDEN = sorted(path for path in (Path(__file__).parent / "golden").iterdir() if path.is_dir())


@pytest.fixture(params=GOLDEN, ids=lambda path: path.name)
def release(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.param
    return folder


def bundle_of(release: Path) -> Path:
    (bundle,) = release.glob("*.asice")
    return bundle


def anchors_of(release: Path, home: Path) -> TrustAnchors:
    return load_anchors(home, [release / "signer.pem"], [release / "tsa-root.pem"])


def day_after(release: Path) -> datetime:
    (receipt_file,) = release.glob("*.receipt.json")
    return load_receipt(receipt_file).sealed + timedelta(days=1)


def test_there_is_one() -> None:
    assert GOLDEN


@pytest.mark.parametrize("years", [0, 20])
def test_it_passes(release: Path, tmp_path: Path, years: int) -> None:
    """Also long after the signer's certificate has expired: the stamp holds the moment."""
    bundle = bundle_of(release)
    (receipt_file,) = release.glob("*.receipt.json")
    receipt = load_receipt(receipt_file)
    now = receipt.sealed + timedelta(days=1 + 365 * years)
    verdict = verify(bundle, anchors=anchors_of(release, tmp_path), now=now, receipt=receipt)
    assert verdict.status is Status.PASSED, verdict.findings
    assert State.UNCHANGED in verdict.states
    assert (State.CERTIFICATE_EXPIRED in verdict.states) == (years > 0)


def test_it_is_unknown_without_trust(release: Path) -> None:
    bundle = bundle_of(release)
    verdict = verify(bundle, anchors=TrustAnchors(), now=day_after(release))
    assert verdict.status is Status.INDETERMINATE
    assert verdict.states[0] is State.SIGNER_UNKNOWN


def test_a_changed_byte_fails(release: Path, tmp_path: Path) -> None:
    data = bytearray(bundle_of(release).read_bytes())
    data[len(data) // 3] ^= 1
    changed = tmp_path / "changed.asice"
    changed.write_bytes(data)
    verdict = verify(changed, anchors=anchors_of(release, tmp_path), now=day_after(release))
    assert verdict.status is Status.FAILED
