"""Places to be masked: found in heads and bodies, mapped through framing, filled with markers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from evidence_kit.core.limits import CHUNK
from evidence_kit.seal.http_message import (
    MAX_HEAD,
    BadMessageError,
    Head,
    Message,
    body_chunks,
    can_decode,
    decode,
    measure,
    parse_head,
)
from evidence_kit.seal.redact_fields import (
    Named,
    in_header,
    in_json,
    in_multipart,
    in_params,
    in_url,
)
from evidence_kit.seal.redact_types import RedactionItem
from evidence_kit.seal.redact_values import marker

_BEGINS = re.compile(rb"[A-Z]{3,10} [^\s]|HTTP/1\.[01] ")
"""How a request or an answer begins (RFC 9112 sections 3 and 4)."""

MAX_FORM = 16 << 20
"""Bytes of a body that is read for named fields; forms and token answers are far smaller."""


@dataclass(frozen=True)
class Mark:
    """A place to be masked."""

    start: int
    end: int
    number: int
    field: str


def overlay(chunks: Iterable[bytes], marks: list[Mark]) -> Iterator[bytes]:
    """The stream with each mark's place filled by its marker, of the same length."""
    place, first = 0, 0
    for chunk in chunks:
        end = place + len(chunk)
        while first < len(marks) and marks[first].end <= place:
            first += 1
        changed: bytearray | None = None
        for mark in marks[first:]:
            if mark.start >= end:
                break
            changed = bytearray(chunk) if changed is None else changed
            low, high = max(mark.start, place), min(mark.end, end)
            changed[low - place : high - place] = fill(mark)[low - mark.start : high - mark.start]
        yield chunk if changed is None else bytes(changed)
        place = end


def fill(mark: Mark) -> bytes:
    """The marker of a place, exactly as long as the place."""
    return marker(mark.number, mark.end - mark.start)


def with_end(chunks: Iterable[bytes]) -> Iterator[bytes | None]:
    """The chunks, then None."""
    yield from chunks
    yield None


def measured(path: Path, method: str) -> Message | None:
    """The message in a file, None where it is none."""
    try:
        return measure(path, method=method)
    except BadMessageError:
        return None


def cut_heads(path: Path) -> tuple[Head, ...]:
    """The head of a message that ends within it, as far as it goes; empty for anything else."""
    with path.open("rb") as stream:
        raw = stream.read(MAX_HEAD)
    head = parse_head(raw + b"\r\n\r\n") if _BEGINS.match(raw) else None
    return (replace(head, raw=raw),) if head is not None and b"\r\n\r\n" not in raw else ()


def named_in_head(head: Head, *, request: bool) -> Iterator[Named]:
    """Named secrets of a head, at their places in its bytes."""
    place, last = 0, b""
    for number, line in enumerate(head.raw.split(b"\r\n")):
        if number == 0:
            start = line.find(b" ") + 1
            end = line.rfind(b" ")
            if request and 0 < start <= end:
                yield from _moved(in_url(line[start:end]), place + start)
        elif line[:1] in (b" ", b"\t"):
            start = len(line) - len(line.lstrip())
            yield from _moved(in_header(last, line[start:]), place + start)
        else:
            name, colon, value = line.partition(b":")
            last = name.strip().lower()
            start = len(name) + 1 + len(value) - len(value.lstrip(b" \t"))
            if colon:
                yield from _moved(in_header(last, line[start:].rstrip(b" \t")), place + start)
        place += len(line) + 2


def named_in_body(path: Path, message: Message, *, response: bool) -> Iterator[Named]:
    """Named fields of a form or JSON body; of a response only what is a token by its looks."""
    if not 0 < message.size - message.body <= MAX_FORM:
        return
    kind = message.head.media_type
    json_like = kind.endswith(("/json", "+json", "text/plain"))
    if response and not json_like:
        return
    if response or message.head.codings:
        if not can_decode(message.head.codings):
            return
        try:
            chunks = decode(body_chunks(path, message), message.head.codings, MAX_FORM)
            body = b"".join(chunks)
        except BadMessageError:
            return
    else:
        body = b"".join(body_chunks(path, message))
    if json_like:
        yield from in_json(body)
    elif kind == "application/x-www-form-urlencoded":
        yield from in_params(body, "form")
    elif kind.startswith("multipart/"):
        yield from in_multipart(body)


def _moved(named: Iterable[Named], by: int) -> Iterator[Named]:
    for item in named:
        yield replace(item, start=item.start + by, end=item.end + by)


def union(marks: list[Mark]) -> list[Mark]:
    """In order, without overlaps; what is masked twice is masked as the first."""
    out: list[Mark] = []
    for mark in sorted(marks, key=lambda item: (item.start, -item.end)):
        if out and mark.start < out[-1].end:
            if mark.end > out[-1].end:
                out[-1] = replace(out[-1], end=mark.end)
            continue
        out.append(mark)
    return out


def insert(text: bytes, marks: list[Mark]) -> tuple[bytes, list[tuple[Mark, int, int]]]:
    """Markers of their own length instead of the marks; with the places where they now stand."""
    out, last = b"", 0
    places = []
    for mark in marks:
        out += text[last : mark.start]
        new = marker(mark.number)
        places.append((mark, len(out), len(out) + len(new)))
        out += new
        last = mark.end
    return out + text[last:], places


def mapped(
    marks: list[Mark], segments: Iterator[tuple[int, int]]
) -> tuple[list[tuple[int, bytes]], list[tuple[Mark, int, int]]]:
    """Marks in a body without framing, as patches and ranges in the file that frames it."""
    moves: list[tuple[int, bytes]] = []
    ranges: list[tuple[Mark, int, int]] = []
    place = 0
    left = list(marks)
    for start, length in segments:
        end = place + length
        while left and left[0].start < end:
            mark = left[0]
            low, high = max(mark.start, place), min(mark.end, end)
            at = start + low - place
            moves.append((at, fill(mark)[low - mark.start : high - mark.start]))
            ranges.append((mark, at, at + high - low))
            if mark.end > end:
                break
            left.pop(0)
        place = end
        if not left:
            break
    return moves, ranges


def gaps(message: Message, segments: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Beginning and end of each place behind the head that is no body, where there is one."""
    at = message.body
    for start, length in segments:
        if start > at:
            yield at, start
        at = start + length
    if at < message.size:
        yield at, message.size


def items_of(
    record: str, side: str, places: list[tuple[Mark, int, int]], prefix: str = ""
) -> list[RedactionItem]:
    """One item per field, secret and length, with all its ranges."""
    groups: dict[tuple[str, int, int], list[tuple[int, int]]] = {}
    for mark, start, end in places:
        key = (prefix + mark.field, mark.number, mark.end - mark.start)
        groups.setdefault(key, []).append((start, end))
    return [
        RedactionItem(record, side, field, marker(number).decode(), length, tuple(ranges))
        for (field, number, length), ranges in groups.items()
    ]


def where(marks: list[Mark]) -> list[tuple[Mark, int, int]]:
    """Marks with their own places."""
    return [(mark, mark.start, mark.end) for mark in marks]


def with_length(head: bytes, length: int) -> bytes:
    """A head whose Content-Length says ``length``."""
    lines = head.split(b"\r\n")
    for place, line in enumerate(lines):
        name, colon, value = line.partition(b":")
        if colon and name.strip().lower() == b"content-length" and value.strip().isdigit():
            lines[place] = name + colon + b" %d" % length
    return b"\r\n".join(lines)


def read_on(stream: BinaryIO) -> Iterator[bytes]:
    """Chunks from where the stream stands."""
    while chunk := stream.read(CHUNK):
        yield chunk


def fresh_path(path: Path, folder: Path) -> Path:
    """The file's name in the folder of delivered files, never the file itself."""
    target = folder / path.name
    return target if target != path else path.with_name(path.name + ".redacted")


def copy_file(path: Path, target: Path, start: int) -> None:
    """Copy from byte ``start`` on."""
    with path.open("rb") as source, target.open("wb") as out:
        source.seek(start)
        for chunk in read_on(source):
            out.write(chunk)


def patch_file(path: Path, moves: list[tuple[int, bytes]]) -> None:
    """Overwrite bytes in place."""
    if not moves:
        return
    with path.open("r+b") as stream:
        for place, text in moves:
            stream.seek(place)
            stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
