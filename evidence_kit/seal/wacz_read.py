"""Checks of a WACZ 1.1.1 and of single WARC files: their own digests and index, recomputed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from evidence_kit.core.canonical_json import JsonError, loads
from evidence_kit.core.digests import read_chunks
from evidence_kit.core.findings import Finding
from evidence_kit.seal.stored_zip import Part, StoredZipError, read_directory
from evidence_kit.seal.surt import index_key
from evidence_kit.seal.warc_read import Record, WarcError, read_records
from evidence_kit.seal.window import window

_PACKAGE = "datapackage.json"
_DIGEST = "datapackage-digest.json"

MAX_PACKAGE = 4 << 20
"""Bytes of ``datapackage.json``; it lists five files in the form written here."""

MAX_INDEX_LINE = 1 << 20
"""Bytes of one CDXJ line: it holds an address, and for POST a copy of the request's body."""

MAX_FAULTS = 20
"""Findings of one kind that are told one by one; thousands would hide the rest."""


def check_warc(
    stream: BinaryIO, subject: str, kept: dict[int, Record] | None = None
) -> Iterator[Finding]:
    """Every record of an uncompressed WARC/1.1 file against its own digests.

    Args:
        stream: the file's bytes from the first on.
        subject: its path in the bundle.
        kept: gets the records by offset, for checks that follow.
    """
    records: dict[int, Record] = {} if kept is None else kept
    faults = tuple(_walk_records(stream, subject, records, None))
    yield from faults
    if not faults:
        yield Finding("warc.ok", subject, {"records": str(len(records))})


def check_wacz(stream: BinaryIO, size: int, subject: str) -> Iterator[Finding]:
    """A WACZ: its file list both ways, the records of its WARC files, and where its index points.

    Args:
        stream: seekable.
        size: bytes of the WACZ.
        subject: its path in the bundle.
    """
    try:
        parts = read_directory(stream, size)
        listed = _read_package(stream, parts)
    except (StoredZipError, JsonError) as error:
        yield Finding("wacz.malformed", subject, {"detail": str(error)[:200]})
        return
    hashes: dict[str, str] = {}
    archives: dict[str, dict[int, Record]] = {}
    warc_faults: list[Finding] = []
    for path, part in parts.items():
        if path.startswith("archive/"):
            records = archives.setdefault(path.removeprefix("archive/"), {})
            whole = hashlib.sha256()
            with _part(stream, part) as window:
                warc_faults += _walk_records(window, f"{subject}/{path}", records, whole)
                for rest in read_chunks(window):
                    whole.update(rest)
            hashes[path] = whole.hexdigest()
        else:
            hashes[path] = _sha256(stream, part)
    yield from warc_faults
    if not warc_faults:
        total = sum(len(records) for records in archives.values())
        yield Finding("warc.ok", subject, {"records": str(total)})
    faults = [*_compare_package(subject, parts, listed, hashes)]
    for path, part in parts.items():
        if path.startswith("indexes/"):
            faults += _check_index(stream, part, archives, subject)
    yield from faults
    if not faults and not warc_faults:
        yield Finding("wacz.ok", subject)


def _walk_records(
    stream: BinaryIO, subject: str, records: dict[int, Record], whole: Any
) -> Iterator[Finding]:
    told = 0
    try:
        for record in read_records(stream, seen=None if whole is None else whole.update):
            records[record.offset] = record
            if not record.good and told < MAX_FAULTS:
                told += 1
                params = {"record": record.url or record.id}
                yield Finding("warc.digest-differs", subject, params)
    except WarcError as error:
        yield Finding("warc.malformed", subject, {"detail": str(error)})


def _read_package(stream: BinaryIO, parts: Mapping[str, Part]) -> Mapping[str, tuple[str, int]]:
    """Hash and size by path as ``datapackage.json`` lists them, its own digest checked."""
    package = _small(stream, parts, _PACKAGE)
    digest = loads(_small(stream, parts, _DIGEST))
    stated = digest.get("hash") if isinstance(digest, dict) else None
    if stated != f"sha256:{hashlib.sha256(package).hexdigest()}":
        raise JsonError(f"{_DIGEST} is not the digest of {_PACKAGE}")
    document = loads(package)
    resources = document.get("resources") if isinstance(document, dict) else None
    if not isinstance(resources, list):
        raise JsonError(f"{_PACKAGE} lists no resources")
    listed: dict[str, tuple[str, int]] = {}
    for entry in resources:
        if not isinstance(entry, dict):
            raise JsonError("a resource is not an object")
        path, value, count = entry.get("path"), entry.get("hash"), entry.get("bytes")
        if not isinstance(path, str) or not isinstance(value, str) or type(count) is not int:
            raise JsonError("a resource lacks path, hash or bytes")
        if path in listed:
            raise JsonError("a resource is listed twice")
        listed[path] = (value, count)
    return listed


def _compare_package(
    subject: str,
    parts: Mapping[str, Part],
    listed: Mapping[str, tuple[str, int]],
    hashes: Mapping[str, str],
) -> Iterator[Finding]:
    """WACZ 1.1.1, 5.2: the list and the files, in both directions."""
    present = parts.keys() - {_PACKAGE, _DIGEST}
    for path in sorted(present | listed.keys()):
        actual = (f"sha256:{hashes[path]}", parts[path].size) if path in present else None
        if listed.get(path) != actual:
            yield Finding("wacz.hash-differs", subject, {"file": path[:200]})


def _check_index(
    stream: BinaryIO, part: Part, archives: Mapping[str, Mapping[int, Record]], subject: str
) -> Iterator[Finding]:
    """Check that each CDXJ line leads to what replay takes it for.

    It points at a response (or resource) record of exactly that address and time, and stands under
    the key by which replay finds that address.
    """
    told = 0
    with _part(stream, part) as window:
        while line := window.readline(MAX_INDEX_LINE + 1):
            fault = _line_fault(line, archives)
            if fault:
                yield Finding("wacz.index-differs", subject, {"detail": fault[:200]})
                told += 1
                if told >= MAX_FAULTS:
                    return


def _line_fault(line: bytes, archives: Mapping[str, Mapping[int, Record]]) -> str:
    fields = line.split(b" ", 2)
    if len(line) > MAX_INDEX_LINE or not line.endswith(b"\n") or len(fields) != 3:
        return "a line is malformed"
    try:
        entry = loads(fields[2])
    except JsonError as error:
        return f"a line is not JSON: {error}"
    if not isinstance(entry, dict):
        return "a line is malformed"
    url, archive = entry.get("url"), entry.get("filename")
    offset, length = str(entry.get("offset")), str(entry.get("length"))
    if not isinstance(url, str) or not isinstance(archive, str):
        return "a line lacks address or file"
    if not offset.isascii() or not offset.isdigit() or len(offset) > 18:
        return f"no offset for {url}"
    record = archives.get(archive, {}).get(int(offset))
    if record is None:
        return f"no record where the index says: {url}"
    if record.url != url:
        return f"{url} leads to {record.url}"
    if record.kind not in ("response", "resource", "revisit") or str(record.length) != length:
        return f"not a whole answer: {url}"
    return _key_fault(fields[0], fields[1], entry, record)


def _key_fault(key: bytes, stamp: bytes, entry: Mapping[str, Any], record: Record) -> str:
    """Replay looks at key and time alone: another key shows this answer for another address."""
    method, body = entry.get("method", ""), entry.get("requestBody", "")
    if not isinstance(method, str) or not isinstance(body, str):
        return "a line is malformed"
    try:
        expected = index_key(record.url, method, body)
    except ValueError:  # an address that cannot be taken apart
        return f"no key for {record.url}"
    if key != expected.encode("utf-8", "replace"):
        return f"{record.url} stands under the key of another address"
    digits = "".join(filter(str.isdigit, record.date))[:14]
    if stamp != digits.encode():
        return f"{record.url} stands under another time"
    return ""


def _small(stream: BinaryIO, parts: Mapping[str, Part], path: str) -> bytes:
    part = parts.get(path)
    if part is None:
        raise StoredZipError(f"{path} is missing")
    if part.size > MAX_PACKAGE:
        raise StoredZipError(f"{path} is too large")
    stream.seek(part.offset)
    return stream.read(part.size)


def _sha256(stream: BinaryIO, part: Part) -> str:
    whole = hashlib.sha256()
    stream.seek(part.offset)
    for chunk in read_chunks(stream, part.size):
        whole.update(chunk)
    return whole.hexdigest()


def _part(stream: BinaryIO, part: Part) -> BinaryIO:
    return window(stream, part.offset, part.size)


def archive_in(stream: BinaryIO, size: int) -> BinaryIO:
    """The one WARC of a WACZ in the form written here.

    Raises:
        StoredZipError: no such WACZ.
    """
    parts = read_directory(stream, size)
    found = [part for path, part in parts.items() if path.startswith("archive/")]
    if len(found) != 1:
        raise StoredZipError(f"{len(found)} archives instead of one")
    return _part(stream, found[0])
