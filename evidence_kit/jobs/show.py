"""What a bundle holds, in brief: the verdict first, and nothing as checked that was not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from evidence_kit.core.canonical_json import JsonError, loads
from evidence_kit.core.events import Progress
from evidence_kit.core.findings import Section, Status
from evidence_kit.core.limits import MAX_JSON_BYTES
from evidence_kit.core.schemas import schema_fault
from evidence_kit.core.verdict import Verdict
from evidence_kit.jobs.verify import examine
from evidence_kit.jobs.verify_content import POST, read_capture
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.container_read import Walk, read_entry


@dataclass(frozen=True)
class FileShown:
    """One file of the bundle; ``size`` in bytes."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Shown:
    """What there is to see.

    Attributes:
        verdict: of the whole bundle.
        record: the capture record, None where there is none that conforms.
        posts: of ``post.json``, in its own form; empty where there is none that conforms.
        files: everything in the container; empty where its structure is broken.
        supplied: the record of files that a person handed in, None for a capture.
    """

    verdict: Verdict
    record: Mapping[str, Any] | None
    posts: tuple[Mapping[str, Any], ...]
    files: tuple[FileShown, ...]
    supplied: Mapping[str, Any] | None = None

    @property
    def sealed(self) -> bool:
        """What is shown is what was sealed: integrity held. Says nothing about by whom."""
        return self.verdict.section(Section.INTEGRITY) is Status.PASSED

    @property
    def coherent(self) -> bool:
        """The content agrees with itself: facts of the post stand in the raw answers."""
        return self.sealed and self.verdict.section(Section.CONTENT) is Status.PASSED

    @property
    def verified(self) -> bool:
        """The bundle as a whole is PASSED: also the signer is known, and the time."""
        return self.verdict.status is Status.PASSED


def show(
    path: Path, *, anchors: TrustAnchors, now: datetime, progress: Progress | None = None
) -> Shown:
    """Verify a bundle and read what it says about itself.

    Args:
        path: the sealed file.
        anchors: whom the caller trusts.
        now: the verifier's clock.
        progress: told what is going on.

    Raises:
        UnreadableFileError: no regular file, or it cannot be read to its end.
    """
    examined = examine(path, anchors=anchors, now=now, progress=progress)
    walked = examined.walked
    record = examined.record or read_capture(walked)[0]
    files = tuple(
        FileShown(entry.name, entry.size, entry.digests.sha256) for entry in walked.entries.values()
    )
    return Shown(examined.verdict, record, _posts(walked), files, examined.supplied)


def _posts(walked: Walk) -> tuple[Mapping[str, Any], ...]:
    try:
        document = loads(read_entry(walked, POST, limit=MAX_JSON_BYTES))
    except (KeyError, ValueError, JsonError):
        return ()
    if schema_fault(document, "post-1") is not None:
        return ()
    return tuple(document["posts"])
