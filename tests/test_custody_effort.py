"""Files beside a bundle that are there to cost time: what is looked at is bounded, and said."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest

from evidence_kit.core.findings import Section, Status
from evidence_kit.core.layout import custody_folder
from evidence_kit.core.verdict import Verdict
from evidence_kit.jobs import verify_custody, verify_stamps
from evidence_kit.jobs import verify_effort as effort
from evidence_kit.jobs.custody_log import read_log
from evidence_kit.seal import cms, der
from tests.bundles import example
from tests.custody_tools import LATER, beside, both, chain_of, destroy
from tests.vector_tools import judged

DENSE = der.encode(der.SEQUENCE, b"\5\0" * 190_000)
"""The most values in the fewest bytes: half a second of reading, for nothing."""


def hostile(bundle: Path, count: int, p7s: bytes = DENSE, ending: str = "-9") -> None:
    """Put that many events beside a bundle, named before its own."""
    folder = custody_folder(bundle)
    folder.mkdir(exist_ok=True)
    for number in range(count):
        name = f"{number + 1:04}-copied{ending}"
        (folder / f"{name}.p7s").write_bytes(p7s)
        (folder / f"{name}.json").write_bytes(b"{}")


def told(verdict: Verdict, code: str) -> list[str]:
    return [finding.subject for finding in verdict.findings if finding.code == code]


@pytest.mark.slow
def test_five_hundred_hostile_events_cost_seconds(tmp_path: Path) -> None:
    bundle = example().write(tmp_path)
    hostile(bundle, 490)
    start = time.process_time()
    verdict = judged(bundle)
    assert time.process_time() - start < 60  # without the bound it is some 200
    assert len(told(verdict, "custody.event-edited")) == effort.MAX_EFFORT // len(DENSE)
    (limit,) = (one for one in verdict.findings if one.code == "custody.limit-reached")
    assert int(limit.params["count"]) == 490 - effort.MAX_EFFORT // len(DENSE)
    assert verdict.section(Section.CUSTODY) is Status.FAILED
    assert verdict.status is Status.PASSED  # custody stands beside the bundle


def test_large_events_displace_no_ordinary_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_custody, "MAX_EFFORT", 200_000)
    bundle = chain_of(tmp_path)
    hostile(bundle, 3)
    verdict = judged(bundle, anchors=both(), now=LATER)
    assert len(told(verdict, "custody.event-ok")) == 3
    assert not told(verdict, "custody.gap") and not told(verdict, "custody.event-edited")
    assert told(verdict, "custody.limit-reached") == [custody_folder(bundle).name]
    assert verdict.section(Section.CUSTODY) is Status.INDETERMINATE


def test_events_in_a_row_after_one_that_was_not_looked_at_are_no_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = chain_of(tmp_path)
    room = max(path.stat().st_size for path in custody_folder(bundle).iterdir()) + 1000
    monkeypatch.setattr(verify_custody, "MAX_EFFORT", room)
    verdict = judged(bundle, anchors=both(), now=LATER)
    assert told(verdict, "custody.limit-reached") and not told(verdict, "custody.gap")


def test_certificates_count_as_well_as_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event of 16 certificates is small, and each of them is tried with each."""
    bundle = chain_of(tmp_path)
    p7s = beside(bundle, "0002-*.p7s").read_bytes()
    strays = [example().sign_with.certificate.replace(b"Zieken", b"%06d" % n) for n in range(15)]
    own = cms.read(p7s, max_bytes=len(p7s)).certificates
    small = cms.rebuild(p7s, certificates=[*own, *strays])
    hostile(bundle, 8, small)
    room = 4 * (16 * 16 * effort.CHECK + len(small))
    monkeypatch.setattr(verify_custody, "MAX_EFFORT", room)
    verdict = judged(bundle, anchors=both(), now=LATER)
    assert 0 < len(told(verdict, "custody.event-edited")) < 8
    assert len(told(verdict, "custody.event-ok")) == 3
    assert told(verdict, "custody.limit-reached")


def test_the_events_of_a_destroyed_bundle_are_read_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = chain_of(tmp_path)
    destroy(bundle)
    hostile(bundle, 2)
    monkeypatch.setattr(verify_custody, "MAX_EFFORT", 200_000)
    log = read_log(bundle, anchors=both(), now=LATER)
    codes = [finding.code for finding in log.findings]
    assert codes.count("custody.event-ok") == 4 and "custody.limit-reached" in codes


def test_stamps_without_end_are_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = example().write(tmp_path)
    folder = custody_folder(bundle)
    folder.mkdir()
    for number in range(1, 30):
        (folder / f"{number:04}-sealed.tsr").write_bytes(b"\x30\0")
    monkeypatch.setattr(verify_stamps, "MAX_STAMP_EFFORT", 10 * effort.STAMP + 100)
    verdict = judged(bundle)
    assert len(told(verdict, "custody.stamp-invalid")) == 10
    (limit,) = (one for one in verdict.findings if one.code == "custody.limit-reached")
    assert limit.params["count"] == "19"


def test_each_file_is_digested_once_however_many_renewals_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = example().write(tmp_path)
    folder = custody_folder(bundle)
    folder.mkdir()
    (folder / "a.bin").write_bytes(bytes(1 << 20))
    (folder / "b.bin").write_bytes(bytes((1 << 20) + 1))
    sealed = hashlib.sha512(bundle.read_bytes()).hexdigest()
    listed = f"{sealed}  -\n" + "".join(f"{'0' * 128}  {name}.bin\n" for name in "ab")
    for number in range(2, 12):
        (folder / f"{number:04}-renewed.sha512").write_text(listed, newline="")
        (folder / f"{number:04}-renewed.tsr").write_bytes(b"\x30\0")
    monkeypatch.setattr(verify_stamps, "MAX_DIGESTED", 3 << 19)
    verdict = judged(bundle)
    assert told(verdict, "custody.renewed-differs") == ["a.bin"] * 10
    (limit,) = (one for one in verdict.findings if one.code == "custody.limit-reached")
    assert (limit.params["count"], limit.params["files"]) == ("1", "b.bin")


def test_ordinary_chains_are_far_from_the_bound(tmp_path: Path) -> None:
    bundle = chain_of(tmp_path, events=3)
    sizes = [path.stat().st_size for path in custody_folder(bundle).iterdir()]
    p7s = max(custody_folder(bundle).glob("*.p7s"), key=lambda path: path.stat().st_size)
    held = len(cms.read(p7s.read_bytes(), max_bytes=1 << 20).certificates)
    one = max(sizes) * 2 + (held + 3) ** 2 * effort.CHECK
    assert one * 400 < effort.MAX_EFFORT
