"""A range of a larger file as a file of its own; the file beneath stays open."""

from __future__ import annotations

import io
from typing import BinaryIO


class Window(io.RawIOBase):
    """Bytes ``offset`` to ``offset + size`` of a seekable stream, for reading.

    Nothing else may rely on the position of the stream beneath.
    """

    def __init__(self, stream: BinaryIO, offset: int, size: int) -> None:
        super().__init__()
        self._stream, self._offset, self._size = stream, offset, size
        self._at = 0

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def seekable(self) -> bool:
        """The position can be set."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of any file; never before the beginning."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def readinto(self, buffer: object) -> int:
        """Fill a buffer as far as the window goes."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        self._stream.seek(self._offset + self._at)
        data = self._stream.read(max(min(len(view), self._size - self._at), 0))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)


def window(stream: BinaryIO, offset: int, size: int) -> BinaryIO:
    """The range with a buffer of its own."""
    return io.BufferedReader(Window(stream, offset, size))
