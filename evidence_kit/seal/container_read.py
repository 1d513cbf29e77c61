"""Strict walk of the canonical container: every byte that is not content is derived and compared.

The reader computes what each header must be (FORMAT.md section 2) from name, size, CRC, offset
and time, with code of its own, and takes no other form. What ZIP programs read differently, or
not at all, can then not be there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from evidence_kit.core.digests import (
    Digests,
    digest_bytes,
    digest_chunks,
    read_chunks,
)
from evidence_kit.core.errors import UnreadableFileError
from evidence_kit.core.events import Progress, Silent
from evidence_kit.core.findings import Finding
from evidence_kit.seal.container_structure import (
    BrokenContainerError,
    Claim,
    check_structure,
    read_time,
)
from evidence_kit.seal.window import window


@dataclass(frozen=True)
class Entry:
    """One file in the container; ``offset`` is where its data begins, both in bytes."""

    name: str
    offset: int
    size: int
    digests: Digests


@dataclass(frozen=True)
class Walk:
    """What the walk of one container found.

    Attributes:
        path: the file that was walked.
        entries: by name, in the order of the container; empty where the structure is broken.
        time: the time in every header, UTC, in steps of two seconds; None where broken.
        findings: ``container.ok`` alone, or what makes the file not canonical.
        file: digests of the whole file, where they were asked for.
        identity: which file that was, see :func:`_identity`.
    """

    path: Path
    entries: Mapping[str, Entry]
    time: datetime | None
    findings: tuple[Finding, ...]
    file: Digests | None = None
    identity: tuple[int, ...] = field(default=(), compare=False)

    @property
    def canonical(self) -> bool:
        """True where every byte of structure is as it must be."""
        return [finding.code for finding in self.findings] == ["container.ok"]


def walk(path: Path, *, whole: bool = False, progress: Progress | None = None) -> Walk:
    """Check the structure of a container and take the digests of every file in it.

    The structure is checked before anything is hashed, in time and memory that do not depend on
    what the file claims; then every entry is read once.

    Args:
        path: the container.
        whole: also take the digests of the file as a whole (a second reading).
        progress: told the bytes hashed.

    Raises:
        UnreadableFileError: not a regular file, it cannot be opened or read, or it changed
            meanwhile.
    """
    try:
        with _open_regular(path) as stream:
            try:
                before = _identity(stream)
                claims = check_structure(stream, os.fstat(stream.fileno()).st_size)
                when = read_time(claims[0].stamp)
            except BrokenContainerError as broken:
                found = Walk(path, MappingProxyType({}), None, (broken.finding,))
            else:
                entries, faults = _digest_entries(stream, claims, progress or Silent())
                findings = tuple(faults) or (Finding("container.ok"),)
                found = Walk(path, MappingProxyType(entries), when, findings)
            digests = None
            if whole:  # by the same handle: what is hashed is what was walked
                stream.seek(0)
                digests = digest_chunks(read_chunks(stream))
            # Half of one file and half of another is neither: no verdict on that, good or bad.
            with _open_regular(path) as again:
                if not before == _identity(stream) == _identity(again):
                    raise _changed(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    return replace(found, file=digests, identity=before)


def require_readable(path: Path) -> None:
    """Look whether a container can be opened, before a user is asked for anything.

    Raises:
        UnreadableFileError: not a regular file, or it cannot be opened.
    """
    try:
        _open_regular(path).close()
    except OSError as error:
        raise _unreadable(path, error) from error


def check_time(walked: Walk, signing_time: datetime) -> Iterator[Finding]:
    """FORMAT.md section 2.3: the headers' time is the signing time, truncated to two seconds."""
    utc = signing_time.astimezone(UTC)
    expected = utc.replace(second=utc.second // 2 * 2, microsecond=0)
    if walked.time is not None and walked.time != expected:
        yield Finding(
            "container.time",
            params={"found": walked.time.isoformat(), "expected": expected.isoformat()},
        )


def open_entry(walked: Walk, name: str) -> BinaryIO:
    """A seekable stream of one entry's bytes, which ends where the entry ends.

    The file is opened again, and must still be the one that was walked.

    Raises:
        KeyError: the container has no such entry.
        UnreadableFileError: it cannot be opened any more, or was exchanged or changed.
    """
    entry = walked.entries[name]
    try:
        stream = _open_regular(walked.path)
    except OSError as error:
        raise _unreadable(walked.path, error) from error
    if _identity(stream) != walked.identity:
        stream.close()
        raise _changed(walked.path)
    return window(stream, entry.offset, entry.size, owned=True)


def read_entry(walked: Walk, name: str, *, limit: int) -> bytes:
    """The bytes of one entry, checked to be those that were walked.

    Args:
        walked: the container.
        name: the entry.
        limit: bytes that the caller is prepared to hold.

    Raises:
        KeyError: the container has no such entry.
        ValueError: the entry is larger than ``limit``.
        UnreadableFileError: it cannot be read, or the file changed since the walk.
    """
    entry = walked.entries[name]
    if entry.size > limit:
        raise ValueError(f"{name} has {entry.size} bytes, more than {limit}")
    try:
        with open_entry(walked, name) as stream:
            data = stream.read(entry.size)
    except OSError as error:
        raise _unreadable(walked.path, error) from error
    if digest_bytes(data) != entry.digests:
        raise _changed(walked.path)
    return data


def _open_regular(path: Path) -> BinaryIO:
    """Open without buffer; a pipe or device is refused before it could block."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise UnreadableFileError(
            f"{path.name or path} is not a regular file", hint="give the .asice file itself"
        )
    return path.open("rb", buffering=0)


def _identity(stream: BinaryIO) -> tuple[int, ...]:
    """Which file this is and when it was last touched.

    Size and time of change can be set back by whoever exchanges a file; the place on the disk and,
    outside Windows, the time of the last change of its state cannot.
    """
    found = os.fstat(stream.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _changed(path: Path) -> UnreadableFileError:
    return UnreadableFileError(
        f"{path.name} changed while it was being read",
        hint="copy it to this computer and check the copy",
    )


def _unreadable(path: Path, error: OSError) -> UnreadableFileError:
    reason = (error.strerror or "unknown error").lower()
    return UnreadableFileError(
        f"cannot read {path.name}: {reason}", hint="check the path and your rights to the file"
    )


def _digest_entries(
    stream: BinaryIO, claims: Sequence[Claim], progress: Progress
) -> tuple[dict[str, Entry], list[Finding]]:
    """Read every content once; the structure has been checked."""
    entries: dict[str, Entry] = {}
    faults: list[Finding] = []
    total = sum(claim.size for claim in claims)
    done = 0

    def told(chunks: Iterator[bytes]) -> Iterator[bytes]:
        nonlocal done
        for chunk in chunks:
            done += len(chunk)
            progress.advance(done, total)
            yield chunk

    for claim in claims:
        stream.seek(claim.data_offset)
        digests = digest_chunks(told(read_chunks(stream, claim.size)))
        entries[claim.name] = Entry(claim.name, claim.data_offset, digests.size, digests)
        if digests.size != claim.size:
            faults.append(Finding("container.truncated", claim.name))
        elif digests.crc32 != claim.crc:
            faults.append(Finding("container.crc", claim.name))
    return entries, faults
