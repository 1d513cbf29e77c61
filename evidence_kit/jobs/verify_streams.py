"""Do the parts of the streams stand in the archives as the index says? From the bundle alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, BinaryIO

from evidence_kit.core.canonical_json import JsonError, loads
from evidence_kit.core.findings import Finding, Status
from evidence_kit.core.limits import MAX_JSON_BYTES
from evidence_kit.core.schemas import schema_fault
from evidence_kit.core.streams import FILE, is_whole, summary
from evidence_kit.core.terminal_text import harmless
from evidence_kit.jobs.verify_places import Redirects, place_fault, same_address
from evidence_kit.seal.container_read import Walk, open_entry, read_entry
from evidence_kit.seal.http_message import BadMessageError, Head
from evidence_kit.seal.stored_zip import StoredZipError
from evidence_kit.seal.stream_bytes import MAX_HASHED, Span, digest_spans
from evidence_kit.seal.stream_read import (
    Entries,
    all_entries,
    body_in,
    by_answer,
    find_answers,
    message_in,
    reach_of,
    span_of,
)
from evidence_kit.seal.wacz_read import archive_in
from evidence_kit.seal.warc_read import Record, WarcError

MAX_FAULTS = 20
"""Parts that are told one by one; thousands would hide the rest."""


def read_index(walked: Walk) -> tuple[Mapping[str, Any] | None, str]:
    """The index of streams, None with the reason where it does not conform.

    Raises:
        UnreadableFileError: the bundle cannot be read any more.
    """
    if FILE not in walked.entries:
        return None, ""
    try:
        if walked.entries[FILE].size > MAX_JSON_BYTES:
            raise JsonError(f"larger than {MAX_JSON_BYTES} bytes")
        index = loads(read_entry(walked, FILE, limit=MAX_JSON_BYTES))
    except JsonError as error:
        return None, str(error)[:160]
    fault = schema_fault(index, "streams-1")
    return (index, "") if fault is None else (None, fault)


def check_streams(walked: Walk, record: Mapping[str, Any]) -> Iterator[Finding]:
    """The index against the capture record and, part by part, against the archives.

    Raises:
        UnreadableFileError: the bundle cannot be read any more.
    """
    index, fault = read_index(walked)
    if index is None:
        if fault:
            yield Finding("stream.malformed", FILE, {"detail": fault})
        elif record.get("streams"):
            yield Finding("stream.malformed", FILE, {"detail": "it is not there"})
        return
    found = list(_faults(walked, record, index))
    faults = [one for one in found if one.rule.status is Status.FAILED]
    yield from faults[:MAX_FAULTS]
    yield from [one for one in found if one.rule.status is not Status.FAILED][:MAX_FAULTS]
    if not faults:
        count = sum(len(entries) for entries in by_answer(index).values())
        yield Finding("stream.ok", FILE, {"parts": str(count)})


def _faults(walked: Walk, record: Mapping[str, Any], index: Mapping[str, Any]) -> Iterator[Finding]:
    if record.get("streams") != summary(index):
        yield _differs(FILE, "the capture record tells it otherwise")
    yield from _claims(index)
    entries = by_answer(index)
    if sum(map(_work, entries.values())) > MAX_HASHED:
        yield _differs(FILE, f"more than {MAX_HASHED} bytes in all parts together")
        return
    for name in sorted({archive for archive, _ in entries}):
        if name not in walked.entries:
            yield _differs(FILE, f"{name} is not there")
            continue
        with ExitStack() as stack:
            stream = stack.enter_context(open_entry(walked, name))
            try:
                archive = stream
                if name.endswith(".wacz"):
                    archive = archive_in(stream, walked.entries[name].size)
                own = {key: listed for key, listed in entries.items() if key[0] == name}
                cached = [one["url"] for one in record["recording"]["cached"]]
                yield from _in_archive(archive, own, Redirects(archive, cached))
            except (StoredZipError, WarcError) as error:
                yield _differs(name, str(error)[:160])


def _claims(index: Mapping[str, Any]) -> Iterator[Finding]:
    """What the index says of itself: places are whole or none, complete tracks whole."""
    for stream in index["streams"]:
        for track in stream["tracks"]:
            if track["complete"] and not is_whole(track):
                name = f"the track {harmless(track['name'])} is called complete and is not"
                yield _differs(stream["list"]["url"], name)
    for entry in all_entries(index):
        told = [entry[name] is not None for name in ("archive", "exchange", "size", "sha256")]
        if any(told) != all(told) or (entry["offset"] is not None and not all(told)):
            yield _differs(entry["url"], "the index tells only in part where it stands")


def _work(listed: Sequence[Mapping[str, Any]]) -> int:
    """Bytes of one answer that are unpacked or hashed; ranges may lie over each other."""
    spans = {span_of(entry): entry["size"] or 0 for entry in listed}
    return max(reach_of(listed), sum(spans.values()))


def _in_archive(archive: BinaryIO, entries: Entries, redirects: Redirects) -> Iterator[Finding]:
    answers = find_answers(archive, [number for _, number in entries])
    for (_, number), listed in entries.items():
        if number not in answers:
            yield _differs(listed[0]["url"], f"no answer to exchange {number}")
            continue
        spans: set[Span] = {span_of(entry) for entry in listed}
        try:
            head = message_in(archive, answers[number])[1].head
            for entry in listed:
                yield from _misplaced(entry, answers[number], head, redirects)
            body = body_in(archive, answers[number], reach_of(listed))
            found = digest_spans(body, spans)
        except BadMessageError as error:
            yield _differs(listed[0]["url"], str(error)[:160])
            continue
        for entry in listed:
            taken = found[span_of(entry)]
            if (taken.sha256, taken.size) != (entry["sha256"], entry["size"]):
                yield _differs(entry["url"], f"exchange {number} holds other bytes")


def _misplaced(
    entry: Mapping[str, Any], record: Record, head: Head, redirects: Redirects
) -> Iterator[Finding]:
    """Address and range of an entry against the answer that it names."""
    fault = place_fault(entry, record, head)
    if fault:
        yield _differs(entry["url"], f"{fault} (exchange {record.exchange})")
    if same_address(entry["url"], record.url):
        return
    led = redirects.lead(entry["url"], record.url)
    if led is None:
        yield Finding("stream.address-open", entry["url"][:200], {"served": record.url[:200]})
    elif not led:
        yield _differs(entry["url"], f"exchange {record.exchange} is of {record.url[:200]}")


def _differs(subject: str, detail: str) -> Finding:
    return Finding("stream.differs", subject[:200], {"detail": detail})
