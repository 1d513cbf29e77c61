"""WACZ 1.1.1: the WARC with its index and page list in one stored ZIP that replays anywhere.

Same input, same bytes: times and ids come in as arguments, entries are stored, in a fixed order,
and nothing holds the WARC in memory.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from evidence_kit.core.digests import digest_file
from evidence_kit.core.limits import CHUNK
from evidence_kit.seal.cdxj import index_lines
from evidence_kit.seal.warc import RecordInfo, warc_uri

VERSION = "1.1.1"
WARC_NAME = "data.warc"
INDEX = "indexes/index.cdx"
PAGES = "pages/pages.jsonl"
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16


@dataclass(frozen=True)
class Page:
    """A page that the archive opens with (WACZ 1.1.1 section 5.2.2)."""

    id: str
    url: str
    when: datetime
    title: str = ""
    text: str = ""


def write_wacz(
    target: Path,
    warc: Path,
    records: Sequence[RecordInfo],
    pages: Sequence[Page],
    *,
    software: str,
    created: datetime,
    description: str = "",
) -> None:
    """Pack a WARC.

    Args:
        target: must not exist yet.
        warc: uncompressed, whole; redacted.
        records: its records as the writer returned them.
        pages: the first one is the main page.
        software: name and version.
        created: time of packing, UTC.
        description: one sentence, may be empty.

    Raises:
        OSError: a file cannot be read or written, or ``target`` exists.
    """
    index = b"".join(index_lines(records, WARC_NAME))
    listing = _pages(pages)
    digests = digest_file(warc)
    resources = [
        _resource(f"archive/{WARC_NAME}", digests.sha256, digests.size),
        _resource(INDEX, hashlib.sha256(index).hexdigest(), len(index)),
        _resource(PAGES, hashlib.sha256(listing).hexdigest(), len(listing)),
    ]
    package: dict[str, object] = {
        "profile": "data-package",
        "wacz_version": VERSION,
        "software": software,
        "created": _time(created),
        "resources": resources,
    }
    if pages:
        package |= {
            "title": pages[0].title or pages[0].url,
            "mainPageUrl": warc_uri(pages[0].url),
            "mainPageDate": _time(pages[0].when),
        }
    if description:
        package["description"] = description
    about = _json(package)
    digest = _json(
        {"path": "datapackage.json", "hash": f"sha256:{hashlib.sha256(about).hexdigest()}"}
    )
    with target.open("xb") as stream, zipfile.ZipFile(stream, "w") as archive:
        with warc.open("rb") as source:
            _store(archive, f"archive/{WARC_NAME}", source, digests.size)
        for name, data in (
            (INDEX, index),
            (PAGES, listing),
            ("datapackage.json", about),
            ("datapackage-digest.json", digest),
        ):
            archive.writestr(_info(name), data)


def _store(archive: zipfile.ZipFile, name: str, source: BinaryIO, size: int) -> None:
    info = _info(name)
    info.file_size = size
    with archive.open(info, "w", force_zip64=size >= zipfile.ZIP64_LIMIT) as out:
        while chunk := source.read(CHUNK):
            out.write(chunk)


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _ZIP_TIME)
    info.compress_type = zipfile.ZIP_STORED
    info.external_attr = _MODE
    info.create_system = 3  # the same bytes on every system
    return info


def _pages(pages: Iterable[Page]) -> bytes:
    lines: list[Mapping[str, object]] = [
        {"format": "json-pages-1.0", "id": "pages", "title": "All Pages", "hasText": True}
    ]
    lines += [
        {
            "id": page.id,
            "url": warc_uri(page.url),
            "ts": _time(page.when),
            "title": page.title or page.url,
            "text": page.text,
        }
        for page in pages
    ]
    return b"".join(
        json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n" for line in lines
    )


def _resource(path: str, sha256: str, size: int) -> dict[str, object]:
    return {
        "name": path.rpartition("/")[2].lower(),
        "path": path,
        "hash": f"sha256:{sha256}",
        "bytes": size,
    }


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode("utf-8", "replace")
