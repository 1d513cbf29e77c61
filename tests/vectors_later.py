"""Vectors whose time stamp came after the seal: added later, renewed, or contradicting."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from evidence_kit.core.digests import digest_bytes
from evidence_kit.core.layout import custody_folder
from evidence_kit.core.verdict import Verdict
from evidence_kit.demo.tsa import Authority, make_authority
from evidence_kit.jobs.verify_stamps import renewal_list
from evidence_kit.seal.anchors import TrustAnchors
from tests.bundles import (
    WHEN,
    authority,
    example,
    response,
    root_of,
    trusted,
)
from tests.vector_tools import (
    judged,
)


def second_stamp(data: bytes) -> bytes:
    return response(data, when=WHEN + timedelta(minutes=5), tsa=authority())


def unstamped(folder: Path) -> Path:
    case = example()
    case.stamp = None
    return case.write(folder)


def stamped_later(folder: Path) -> Verdict:
    """Sealed without a stamp; a trusted authority stamped the whole file a day later."""
    path = unstamped(folder)
    beside = custody_folder(path)
    beside.mkdir()
    when = WHEN + timedelta(days=1)
    stamp = response(path.read_bytes(), when=when, tsa=authority())
    (beside / "0001-sealed.tsr").write_bytes(stamp)
    return judged(path, now=WHEN + timedelta(days=2))


def older_than_its_content(folder: Path) -> Verdict:
    """Two trusted authorities: the file is stamped before the stamp inside it was made."""
    path = example().write(folder)
    beside = custody_folder(path)
    beside.mkdir()
    stamp = response(path.read_bytes(), when=WHEN - timedelta(hours=2), tsa=authority())
    (beside / "0001-sealed.tsr").write_bytes(stamp)
    return judged(path)


def renewed(folder: Path, when: datetime) -> Path:
    """The good bundle with a second stamp and a renewal over both by a younger authority."""
    path = example().write(folder)
    beside = custody_folder(path)
    beside.mkdir()
    second = second_stamp(path.read_bytes())
    (beside / "0001-sealed.tsr").write_bytes(second)
    listed = renewal_list(digest_bytes(path.read_bytes()), {"0001-sealed.tsr": second})
    (beside / "0002-renewed.sha512").write_bytes(listed)
    (beside / "0002-renewed.tsr").write_bytes(response(listed, when=when, tsa=younger()))
    return path


@cache
def younger() -> Authority:
    """An authority that still holds when the ordinary one has expired."""
    return make_authority(WHEN + timedelta(days=3000), name="DEMO younger authority")


def trusting_both() -> TrustAnchors:
    both = trusted()
    return TrustAnchors(both.signers, (*both.tsas, root_of(younger())))


def renewed_in_time(folder: Path) -> Verdict:
    now = WHEN + timedelta(days=4000)
    path = renewed(folder, WHEN + timedelta(days=3200))
    return judged(path, anchors=trusting_both(), now=now)


def renewed_then_changed(folder: Path) -> Verdict:
    now = WHEN + timedelta(days=3300)
    path = renewed(folder, WHEN + timedelta(days=3200))
    (custody_folder(path) / "0001-sealed.tsr").unlink()
    return judged(path, anchors=trusting_both(), now=now)
