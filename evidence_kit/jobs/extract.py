"""Take files out of a bundle, after checking that they are what was sealed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from evidence_kit.core.digests import digest_chunks, read_chunks
from evidence_kit.core.errors import InputError, StorageError, UnreadableFileError
from evidence_kit.core.events import Progress
from evidence_kit.core.findings import Status
from evidence_kit.core.verdict import Verdict
from evidence_kit.core.write_once import write_once
from evidence_kit.jobs.extract_streams import join_streams
from evidence_kit.jobs.verify import examine
from evidence_kit.jobs.verify_streams import read_index
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.container_read import Walk, open_entry

FAILED_MARK = "-FAILED"
"""Ends the folder of what came from a bundle that failed: the warning travels with the files."""


@dataclass(frozen=True)
class Extraction:
    """What was done.

    Attributes:
        verdict: of the bundle.
        folder: where the files went; None where the bundle failed and nothing was taken out.
        files: names in the bundle of what was written, in order.
    """

    verdict: Verdict
    folder: Path | None
    files: tuple[str, ...] = ()


def extract(
    path: Path,
    names: Sequence[str],
    output: Path,
    *,
    anchors: TrustAnchors,
    now: datetime,
    even_if_failed: bool = False,
    streams: bool = False,
    progress: Progress | None = None,
) -> Extraction:
    """Verify, then write files to ``output/NAME/`` under the names they have in the bundle.

    Names are those that the format allows, so no file lands elsewhere, hides or is a device; what
    could act when opened has an inert name in the bundle and keeps it. Nothing is overwritten.

    Args:
        path: the sealed file.
        names: files or folders in the bundle; none means all, with ``streams`` none.
        output: existing or new folder.
        anchors: whom the caller trusts.
        now: the verifier's clock.
        even_if_failed: write also what is in a FAILED bundle, to ``NAME-FAILED/``.
        streams: also write films and sound with their parts joined, for looking at; these copies
            are derived, and named so.
        progress: told what is going on.

    Raises:
        UnreadableFileError: the file cannot be read, changed meanwhile, or its structure is so
            broken that it has no files.
        InputError: a name that the bundle does not have, or no streams where they are asked for.
        StorageError: a file exists already or cannot be written.
    """
    examined = examine(path, anchors=anchors, now=now, progress=progress)
    verdict, walked = examined.verdict, examined.walked
    failed = verdict.status is Status.FAILED
    if failed and not even_if_failed:
        return Extraction(verdict, None)
    if not walked.entries:
        raise UnreadableFileError(
            f"the structure of {path.name} is broken, no file can be taken out",
            hint="compare it with a copy, or get it again from where it came",
        )
    index = _streams(walked) if streams else None
    chosen = list(_choose(walked, names)) if names or not streams else []
    folder = output / (path.stem + (FAILED_MARK if failed else ""))
    targets = {name: folder.joinpath(*name.split("/")) for name in chosen}
    for target in targets.values():
        if os.path.lexists(target):  # said before the first file is written, not half-way
            raise StorageError(
                f"cannot write {target}: it exists",
                hint="files are never overwritten: choose another folder with --output",
            )
    for name, target in targets.items():
        _write(walked, name, target)
    joined = join_streams(walked, index, folder) if index is not None else ()
    return Extraction(verdict, folder, (*chosen, *joined))


def _streams(walked: Walk) -> Mapping[str, Any]:
    index, fault = read_index(walked)
    if index is None:
        raise InputError(
            f"the index of streams is malformed: {fault}" if fault else "the bundle has no streams",
            hint="'evidence-kit show' lists what it holds",
        )
    return index


def _choose(walked: Walk, names: Sequence[str]) -> Iterator[str]:
    wanted = [name.rstrip("/") for name in names]
    for name in wanted:
        if not any(_is_within(entry, name) for entry in walked.entries):
            raise InputError(
                f"the bundle holds no '{name}'", hint="'evidence-kit show' lists what it holds"
            )
    for entry in walked.entries:
        if not wanted or any(_is_within(entry, name) for name in wanted):
            yield entry


def _is_within(entry: str, name: str) -> bool:
    return entry == name or entry.startswith(f"{name}/")


def _write(walked: Walk, name: str, target: Path) -> None:
    """Copy one file, and let it appear only if the bytes are those that were checked."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot make the folder {target.parent}: {(error.strerror or 'unknown').lower()}",
            hint="choose another folder with --output",
        ) from error
    with write_once(target) as out, open_entry(walked, name) as stream:

        def copied() -> Iterator[bytes]:
            for chunk in read_chunks(stream):
                out.write(chunk)
                yield chunk

        if digest_chunks(copied()) != walked.entries[name].digests:
            raise UnreadableFileError(
                f"{walked.path.name} changed while it was being read",
                hint="copy it to this computer and check the copy",
            )
