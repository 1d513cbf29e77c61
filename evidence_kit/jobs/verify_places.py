"""Does an entry of the index of streams name the answer that it says: by address and by range?

A part may be asked for under one address and be served from another one. Then the redirects that
led there stand in the same archive, and are followed from answer to answer.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, BinaryIO
from urllib.parse import quote, urldefrag, urljoin, urlsplit

from evidence_kit.seal.http_message import Head, parse_head
from evidence_kit.seal.warc_read import Record, block_of, read_records

MAX_HOPS = 50
"""Redirects that are followed; browsers give up after 20."""

MAX_LOOKED_INTO = 50_000
"""Answers of one archive that are looked into for redirects; a page has thousands at most."""

MAX_REDIRECT_HEAD = 16 << 10
"""Bytes of an answer in which the address that it leads to must stand."""

REFETCHED = "refetched"
"""What a record notes where this program asked, not the page."""

_MARKER = re.compile(r"REDACTED#[0-9]+")
_RANGE = re.compile(rb"bytes (\d{1,15})-(\d{1,15})/(\d{1,15}|\*)")
_KEPT = "".join(char for char in map(chr, range(0x21, 0x7F)) if char not in '<>"')


def written(url: str) -> str:
    """An address as a WARC header line holds it: what no address may hold is percent-encoded."""
    return quote(url, safe=_KEPT, errors="surrogatepass")


def same_address(stated: str, recorded: str) -> bool:
    """Whether two addresses are one; where a credential was masked, by scheme and host alone."""
    stated, recorded = written(stated), written(recorded)
    if stated == recorded:
        return True
    if not (_MARKER.search(stated) or _MARKER.search(recorded)):
        return False
    try:
        one, other = urlsplit(stated), urlsplit(recorded)
    except ValueError:
        return False
    return (one.scheme, one.netloc) == (other.scheme, other.netloc)


@dataclass
class Redirects:
    """The redirects that an archive holds, read when they are first needed.

    Attributes:
        archive: a WARC from its first byte on.
        unrecorded: addresses that the browser answered itself, as the capture record lists them:
            where those led stands nowhere.
    """

    archive: BinaryIO
    unrecorded: Collection[str]
    _found: dict[str, set[str]] | None = field(default=None, init=False)

    def lead(self, start: str, end: str) -> bool | None:
        """Whether they lead from one address to another; None where the way gets lost.

        Raises:
            WarcError: the form of the archive is broken.
        """
        if self._found is None:
            self._found = {}
            for url, target in self._read():
                self._found.setdefault(url, set()).add(target)
        seen, ahead = {written(start)}, {written(start)}
        for _ in range(MAX_HOPS):
            ahead = {to for url in ahead for to in self._found.get(url, ())} - seen
            if any(same_address(url, end) or _upgraded(url, end) for url in ahead):
                return True
            seen |= ahead
        lost = {written(url) for url in self.unrecorded}
        return None if seen & lost else False

    def _read(self) -> Iterator[tuple[str, str]]:
        self.archive.seek(0)
        answers = [one for one in read_records(self.archive) if one.kind == "response"]
        for record in islice(answers, MAX_LOOKED_INTO):
            head = parse_head(block_of(self.archive, record).read(MAX_REDIRECT_HEAD))
            if head is None or head.status is None or head.status // 100 != 3:
                continue
            location = head.first(b"location").decode("latin-1")
            try:
                target = urldefrag(urljoin(record.url, location)).url
            except ValueError:
                continue
            yield written(record.url), written(target)


def _upgraded(url: str, end: str) -> bool:
    """The browser itself turns http into https for hosts that once asked for it (RFC 6797)."""
    return url.startswith("http:") and same_address(f"https:{url.removeprefix('http:')}", end)


def place_fault(entry: Mapping[str, Any], record: Record, head: Head) -> str:
    """Why an answer is not what an entry says of range and origin; empty where it is.

    Args:
        entry: of the index.
        record: the answer.
        head: the final head in it.
    """
    if entry["refetched"] != (REFETCHED in record.notes.split(", ")):
        return "who asked for it is told otherwise than its record notes"
    if head.status not in (200, 206):
        return f"its answer has the status {head.status}"
    first, whole = 0, True
    if head.status == 206:
        found = _RANGE.fullmatch(head.first(b"content-range"))
        if found is None:
            return "its answer is a part, and does not say which"
        first = int(found[1])
        whole = first == 0 and found[3] == b"%d" % (int(found[2]) + 1)
    if entry["range"] is None:
        return "" if entry["offset"] is None and whole else "its answer is not the whole file"
    start, last = entry["range"]
    if (entry["offset"], entry["size"]) != (start - first, last - start + 1):
        return "it is not the range that it names"
    return ""
