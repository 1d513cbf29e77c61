"""The platform's answers stand in a bundle twice: as files, and in the archive of our own requests.

The capture record names the exchange that each file came from. From the bundle alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from evidence_kit.core.findings import Finding
from evidence_kit.seal.answer_match import MAX_COMPARED, MAX_FILE, answer_matches
from evidence_kit.seal.container_read import Walk, open_entry, read_entry
from evidence_kit.seal.http_message import BadMessageError
from evidence_kit.seal.stream_read import message_in
from evidence_kit.seal.warc_read import Record

ARCHIVE = "data/api/exchanges.warc"
FOLDER = "data/api/"

MAX_FAULTS = 20
"""Files that are told one by one; hundreds would hide the rest."""

MAX_NAMED = 5
"""Files without an answer that are named."""


@dataclass
class _Compared:
    """How many bytes of answers were taken apart."""

    size: int = 0


def check_answers(
    walked: Walk, record: Mapping[str, Any], records: Mapping[int, Record]
) -> Iterator[Finding]:
    """Every file that the record says is an answer, against that answer.

    Args:
        walked: a container whose files were found to be the signed ones.
        record: the capture record, conforming to its schema.
        records: of :data:`ARCHIVE` by offset; none where that is broken or not there.

    Raises:
        UnreadableFileError: the bundle cannot be read any more.
    """
    named = record.get("answers", [])
    answers = {one.exchange: one for one in records.values() if one.kind == "response"}
    masked = {item["record"] for item in record["redactions"]}
    faults: list[Finding] = []
    if named and ARCHIVE in walked.entries:
        with open_entry(walked, ARCHIVE) as archive:
            faults += _compare_all(walked, named, answers, archive, masked)
    elif named:
        faults.append(Finding("answer.differs", ARCHIVE, {"detail": "it is not there"}))
    yield from faults[:MAX_FAULTS]
    if named and not faults:
        yield Finding("answer.ok", ARCHIVE, {"count": str(len(named))})
    files = {item["file"] for item in named} | {ARCHIVE}
    others = [name for name in walked.entries if name.startswith(FOLDER) and name not in files]
    if others:
        shown = ", ".join(others[:MAX_NAMED]) + (", …" if len(others) > MAX_NAMED else "")
        yield Finding("answer.unnamed", FOLDER, {"count": str(len(others)), "files": shown})


def _compare_all(
    walked: Walk,
    named: list[Mapping[str, Any]],
    answers: Mapping[str, Record],
    archive: BinaryIO,
    masked: set[str],
) -> Iterator[Finding]:
    compared, seen = _Compared(), set()
    for item in named:
        name, answer = item["file"], answers.get(str(item["exchange"]))
        detail = ""
        if name in seen or name not in walked.entries:
            detail = "it is named twice" if name in seen else "it is not there"
        elif answer is None:
            detail = f"there is no answer to exchange {item['exchange']}"
        elif answer.payload.hex() != walked.entries[name].digests.sha256:
            size = walked.entries[name].size
            compared.size += answer.length + size
            if size > MAX_FILE or compared.size > MAX_COMPARED:
                yield Finding("answer.not-checked", name, {"exchange": answer.exchange})
                seen.add(name)
                continue
            hidden = answer.content != "exact" or name in masked
            if not _matches(archive, answer, read_entry(walked, name, limit=MAX_FILE), hidden):
                detail = f"exchange {answer.exchange} holds other bytes"
        seen.add(name)
        if detail:
            yield Finding("answer.differs", name, {"detail": detail})


def _matches(archive: BinaryIO, answer: Record, file: bytes, masked: bool) -> bool:
    try:
        block, message = message_in(archive, answer)
        return answer_matches(block, message, file, masked=masked)
    except BadMessageError:
        return False
