"""Digests of parts of a body that passes by once: parts may lie anywhere and overlap."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

Span = tuple[int, int]
"""Offset and size in bytes; :data:`WHOLE` for all there is."""
WHOLE: Span = (0, -1)

MAX_HASHED = 16 << 30
"""Bytes of all parts of one capture together; a list can name the same bytes again and again."""


@dataclass
class Taken:
    """A part: how many of its bytes there were, and their SHA-256."""

    span: Span
    size: int = 0
    _sha256: hashlib._Hash = field(default_factory=hashlib.sha256)

    @property
    def sha256(self) -> str:
        """In hexadecimal."""
        return self._sha256.hexdigest()

    @property
    def end(self) -> int:
        """Offset behind its last byte, -1 where it goes on to the end of the body."""
        return sum(self.span) if self.span != WHOLE else -1

    def take(self, chunk: bytes, at: int) -> None:
        """What of a chunk that begins at ``at`` belongs to it."""
        start = max(self.span[0] - at, 0)
        piece = chunk[start:] if self.end < 0 else chunk[start : max(self.end - at, 0)]
        self.size += len(piece)
        self._sha256.update(piece)


def digest_spans(chunks: Iterable[bytes], spans: Collection[Span]) -> dict[Span, Taken]:
    """Size and digest of every span, in one pass; shorter ones where the body ends before."""
    found = {span: Taken(span) for span in spans}
    waiting = sorted(found.values(), key=lambda item: item.span[0], reverse=True)
    active: list[Taken] = []
    at = 0
    for chunk in chunks:
        end = at + len(chunk)
        while waiting and waiting[-1].span[0] < end:
            active.append(waiting.pop())
        for item in active:
            item.take(chunk, at)
        active = [item for item in active if item.end < 0 or item.end > end]
        at = end
        if not active and not waiting:
            break
    return found
