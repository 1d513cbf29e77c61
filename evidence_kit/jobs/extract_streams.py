"""Copies of streams for looking at: parts put one behind the other, labelled as derived.

The evidence is the parts in the archives. Nothing is decrypted or converted, so a player decides
whether it can show the result.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, BinaryIO

from evidence_kit.core.errors import StorageError, UnreadableFileError
from evidence_kit.core.streams import kept_parts
from evidence_kit.core.terminal_text import harmless
from evidence_kit.core.write_once import write_bytes_once, write_once
from evidence_kit.seal.container_read import Walk, open_entry
from evidence_kit.seal.http_message import BadMessageError
from evidence_kit.seal.stored_zip import StoredZipError
from evidence_kit.seal.stream_bytes import WHOLE
from evidence_kit.seal.stream_read import (
    Entries,
    body_in,
    by_answer,
    find_answers,
    reach_of,
    span_of,
)
from evidence_kit.seal.wacz_read import archive_in
from evidence_kit.seal.warc_read import Record, WarcError

FOLDER = "derived-not-evidence"
ABOUT = "LEES-MIJ-README.txt"
CHUNK = 1 << 20
MAX_JOINED = 16 << 30
"""Bytes of one copy; a list can name the same part again and again."""
SPOOL = 32 << 20
"""Bytes of one answer that are held in memory before a temporary file takes over."""

_HEAD = """AFGELEID, GEEN BEWIJS. De delen van een film of geluidsopname, achter elkaar gezet om te
bekijken. Niets is ontsleuteld of omgezet. Het bewijs is de verzegelde bundel: daarin staan de
delen zoals de server ze gaf, met hun hashwaarden in data/media/streams.json.

DERIVED, NOT EVIDENCE. The parts of a film or sound recording, put one behind the other to look at.
Nothing was decrypted or converted. The evidence is the sealed bundle: it holds the parts as the
server gave them, with their hash values in data/media/streams.json.
"""


def join_streams(walked: Walk, index: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    """Write one file for each track of the best quality into ``folder/derived-not-evidence``.

    Args:
        walked: a container whose content was checked.
        index: of its streams.
        folder: existing or new.

    Returns:
        Names of what was written, below ``folder``.

    Raises:
        UnreadableFileError: an archive is not what the index says.
        StorageError: a file exists already or cannot be written.
    """
    target = folder / FOLDER
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot make the folder {target}: {(error.strerror or 'unknown').lower()}",
            hint="choose another folder with --output",
        ) from error
    lines = [_HEAD]
    names = []
    with _Archives(walked, index) as archives:
        for number, stream in enumerate(index["streams"], 1):
            for track in stream["tracks"]:
                if not track["chosen"]:
                    continue
                name, line = _join(archives, track, f"stream-{number:02d}", target)
                lines.append(f"{name or '-'}: {line}\n    {harmless(stream['list']['url'])}\n")
                names += [f"{FOLDER}/{name}"] if name else []
    write_bytes_once(target / ABOUT, "\n".join(lines).encode("utf-8", "replace"))
    return (*names, f"{FOLDER}/{ABOUT}")


def _join(
    archives: _Archives, track: Mapping[str, Any], stem: str, target: Path
) -> tuple[str, str]:
    """Name and description of one joined track; no name where nothing was written."""
    parts = [part for part in track["parts"] if part["role"] != "key"]
    there = [part for part in parts if part["sha256"] is not None and part["archive"] is not None]
    count = f"{harmless(track['name'])}, {kept_parts(parts)} of {len(parts)} parts"
    if track["encryption"]:
        return "", f"{count}; encrypted ({track['encryption']}), not joined"
    if not any(part["role"] == "segment" for part in there):
        return "", f"{count}; nothing to join"
    if sum(part["size"] or 0 for part in there) > MAX_JOINED:
        return "", f"{count}; not joined, it would have more than {MAX_JOINED} bytes"
    chunks = archives.bytes_of(there)
    first = next(chunks, b"")
    kind = "".join(one for one in track["kind"] if one.isalnum())[:20] or "track"
    place = archives.taken
    name = f"{stem}-{place:02d}-{kind}{_suffix(first)}"
    whole = hashlib.sha256(first)
    with write_once(target / name) as out:
        out.write(first)
        for chunk in chunks:
            whole.update(chunk)
            out.write(chunk)
    more = "" if track["complete"] else ", NOT COMPLETE"
    return name, f"{count}{more}, sha256 {whole.hexdigest()}"


class _Archives:
    """The archives of a bundle, open, with the places of the answers that the index names."""

    def __init__(self, walked: Walk, index: Mapping[str, Any]) -> None:
        self._walked = walked
        self._entries: Entries = by_answer(index)
        self._open: dict[str, tuple[BinaryIO, dict[int, Record]]] = {}
        self._stack = ExitStack()
        self._spool: tuple[tuple[str, int], IO[bytes]] | None = None
        self.taken = 0

    def __enter__(self) -> _Archives:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def bytes_of(self, parts: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
        """The bytes of these parts in their order, each checked once it has passed.

        Raises:
            UnreadableFileError: an archive is not what the index says.
        """
        self.taken += 1
        for part in parts:
            digest = hashlib.sha256()
            try:
                for chunk in self._part(part):
                    digest.update(chunk)
                    yield chunk
            except (BadMessageError, StoredZipError, WarcError, KeyError) as error:
                raise self._other() from error
            if digest.hexdigest() != part["sha256"]:
                raise self._other()

    def _part(self, part: Mapping[str, Any]) -> Iterator[bytes]:
        key = (part["archive"], part["exchange"])
        archive, answers = self._archive(part["archive"])
        body = body_in(archive, answers[part["exchange"]], reach_of(self._entries[key]))
        span = span_of(part)
        if span == WHOLE:
            yield from body
            return
        spool = self._spooled(key, body)
        spool.seek(span[0])
        left = span[1]
        while left > 0 and (piece := spool.read(min(CHUNK, left))):
            left -= len(piece)
            yield piece

    def _spooled(self, key: tuple[str, int], body: Iterator[bytes]) -> IO[bytes]:
        """An answer of which ranges are wanted, unpacked once."""
        if self._spool is None or self._spool[0] != key:
            if self._spool is not None:
                self._spool[1].close()
            file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=SPOOL)  # noqa: SIM115
            self._stack.callback(file.close)
            file.writelines(body)
            self._spool = (key, file)
        return self._spool[1]

    def _archive(self, name: str) -> tuple[BinaryIO, dict[int, Record]]:
        if name not in self._open:
            stream = self._stack.enter_context(open_entry(self._walked, name))
            if name.endswith(".wacz"):
                stream = archive_in(stream, self._walked.entries[name].size)
            numbers = [number for archive, number in self._entries if archive == name]
            self._open[name] = (stream, find_answers(stream, numbers))
        return self._open[name]

    def _other(self) -> UnreadableFileError:
        return UnreadableFileError(
            f"a part of a stream in {self._walked.path.name} is not what its index says",
            hint="'evidence-kit verify' tells which; extract the archives themselves instead",
        )


def _suffix(first: bytes) -> str:
    """By what the bytes begin with; the types that servers state are often wrong."""
    if first[:1] == b"\x47" and first[188:189] in (b"\x47", b""):
        return ".ts"
    if first[4:8] in (b"ftyp", b"styp", b"moof"):
        return ".mp4"
    if first.startswith(b"\x1a\x45\xdf\xa3"):
        return ".webm"
    if first.startswith(b"WEBVTT"):
        return ".vtt.txt"
    if first.startswith(b"ID3") or first[:2] in (b"\xff\xf1", b"\xff\xf9"):
        return ".aac"
    return ".bin"
