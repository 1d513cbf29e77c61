"""Where the body of a direct answer goes: to memory or to a file, decoded, within a limit."""

from __future__ import annotations

import zlib
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from evidence_kit.core.limits import CHUNK

_GZIP = frozenset({"gzip", "x-gzip"})
_PLAIN = frozenset({"", "identity"})


class BodyLimitError(ValueError):
    """The body is longer than it may be."""


class BodySink:
    """Takes the body as it came, keeps it without gzip or deflate coding.

    The session asks for ``identity``; a server that compresses all the same is decoded here, one
    bounded piece at a time, so that a compression bomb stops at the limit. Other codings stay on
    and are noted.

    Args:
        target: a new file, or None for memory.
        coding: value of Content-Encoding.
        max_bytes: of the decoded body.

    Attributes:
        decoded: the coding that was taken off, empty if none.
        chunk: how many bytes to read at once.
    """

    def __init__(self, target: Path | None, coding: str, max_bytes: int) -> None:
        self._target = target
        self._coding = coding.strip().lower()
        self._max_bytes = max_bytes
        self._size = 0
        self._memory = bytearray()
        self._stream: BinaryIO | None = None
        self._broken = False
        self._inflate: zlib._Decompress | None = None
        self.decoded = ""
        self.chunk = min(CHUNK, max_bytes + 1)
        if self._coding in _GZIP:
            self._inflate, self.decoded = zlib.decompressobj(16 + zlib.MAX_WBITS), self._coding
        elif self._coding == "deflate":
            self._inflate, self.decoded = zlib.decompressobj(), self._coding
        self._stack = ExitStack()

    def __enter__(self) -> BodySink:
        if self._target is not None:
            self._stream = self._stack.enter_context(self._target.open("xb"))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def feed(self, data: bytes) -> None:
        """Take one piece.

        Raises:
            BodyLimitError: the limit is reached; what fits is kept.
        """
        if self._inflate is None:
            self._keep(data)
            return
        while data and not self._broken and not self._inflate.eof:
            try:
                out = self._inflate.decompress(data, CHUNK)
            except zlib.error:
                self._broken = True
                return
            self._keep(out)
            data = self._inflate.unconsumed_tail

    def finish(self) -> None:
        """The body has ended."""
        if self._inflate is not None and not self._inflate.eof:
            self._broken = True

    def data(self) -> bytes:
        """The body, where it went to memory."""
        return bytes(self._memory)

    def notes(self) -> tuple[str, ...]:
        """Facts for the record about the coding."""
        found = []
        if self.decoded:
            found.append(f"content-coding-removed: {self.decoded}")
        elif self._coding not in _PLAIN:
            found.append(f"content-coding-kept: {self._coding[:40]}")
        if self._broken:
            found.append("content-coding-broken")
        return tuple(found)

    def _keep(self, data: bytes) -> None:
        room = self._max_bytes - self._size
        piece = data[:room]
        if self._stream is not None:
            self._stream.write(piece)
        else:
            self._memory += piece
        self._size += len(piece)
        if len(data) > room:
            raise BodyLimitError(f"more than {self._max_bytes} bytes")
