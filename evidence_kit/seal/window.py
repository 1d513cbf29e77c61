"""A range of a larger file as a file of its own."""

from __future__ import annotations

import io
from typing import BinaryIO


class Window(io.RawIOBase):
    """Bytes ``start`` to ``start + size`` of a seekable stream, for reading.

    Nothing else may rely on the position of the stream beneath; it is closed with the window
    where that owns it.
    """

    def __init__(self, stream: BinaryIO, start: int, size: int, *, owned: bool = False) -> None:
        super().__init__()
        self._stream, self._start, self._size, self._at = stream, start, size, 0
        self._owned = owned

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def seekable(self) -> bool:
        """The position can be set."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of any file."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("a place before the beginning")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def readinto(self, buffer: object) -> int:
        """Fill a buffer as far as the window goes."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        count = max(0, min(len(view), self._size - self._at))
        self._stream.seek(self._start + self._at)
        data = self._stream.read(count)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        """The window, and the stream that it owns."""
        if self._owned:
            self._stream.close()
        super().close()


def window(stream: BinaryIO, start: int, size: int, *, owned: bool = False) -> BinaryIO:
    """The range with a buffer of its own."""
    return io.BufferedReader(Window(stream, start, size, owned=owned))
