"""The parts of streams out of the archives of a bundle, by the index that stands beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from evidence_kit.seal.http_message import (
    BadMessageError,
    Message,
    decode,
    measure_stream,
    stream_chunks,
)
from evidence_kit.seal.stream_bytes import WHOLE, Span
from evidence_kit.seal.warc_read import Record, block_of, read_records

SLACK = 64 << 20
"""Bytes that a body may unpack to beyond the last range: pieces come as they come."""

Entries = dict[tuple[str, int], list[Mapping[str, Any]]]
"""Entries of the index by archive and number of the exchange."""


def all_entries(index: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every entry of the index, lists of streams and of tracks included."""
    for stream in index["streams"]:
        yield stream["list"]
        for track in stream["tracks"]:
            if track["list"] is not None:
                yield track["list"]
            yield from track["parts"]


def by_answer(index: Mapping[str, Any]) -> Entries:
    """The entries that name a place."""
    found: Entries = {}
    for entry in all_entries(index):
        if entry["archive"] is not None and entry["exchange"] is not None:
            found.setdefault((entry["archive"], entry["exchange"]), []).append(entry)
    return found


def span_of(entry: Mapping[str, Any]) -> Span:
    """Where a part lies in the body of its answer."""
    return WHOLE if entry["offset"] is None else (entry["offset"], entry["size"] or 0)


def reach_of(entries: Iterable[Mapping[str, Any]]) -> int:
    """Bytes of a body that must be unpacked to have these parts; what they claim, no more."""
    spans = [(span_of(entry), entry["size"] or 0) for entry in entries]
    return max(size if span == WHOLE else sum(span) + SLACK for span, size in spans)


def find_answers(archive: BinaryIO, numbers: Iterable[int]) -> dict[int, Record]:
    """The final response of each of these exchanges.

    Args:
        archive: a WARC from its first byte on.
        numbers: of exchanges.

    Raises:
        WarcError: its form is broken.
    """
    wanted = {str(number): number for number in numbers}
    found: dict[int, Record] = {}
    for record in read_records(archive):
        if record.kind == "response" and record.exchange in wanted:
            found[wanted[record.exchange]] = record  # interim responses come before the final one
    return found


def message_in(archive: BinaryIO, record: Record) -> tuple[BinaryIO, Message]:
    """The block of a recorded response as a file of its own, and where its parts lie.

    Raises:
        BadMessageError: no such message.
    """
    block = block_of(archive, record)
    size = block.seek(0, 2)
    block.seek(0)
    return block, measure_stream(block, size)


def body_in(archive: BinaryIO, record: Record, limit: int) -> Iterator[bytes]:
    """The body of a recorded response, without its codings, up to ``limit`` bytes.

    Raises:
        BadMessageError: no such message, it cannot be unpacked, or it is longer.
    """
    block, message = message_in(archive, record)
    if not message.complete:
        raise BadMessageError("the answer is cut off")
    yield from decode(stream_chunks(block, message), message.head.codings, limit)
