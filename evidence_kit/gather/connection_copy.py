"""Copy what passes between the browser and the relay, before it is passed on.

What a browser has read was copied before it got it; what it has sent is copied when it is read, so
that only bytes which never left this machine can be missing.
"""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence_kit.gather.relay_streams import Reader, Writer
from evidence_kit.seal.connection_copies import KEYS, RECEIVED, SENT, stem

REMOVE_TRIES = 20
REMOVE_SECONDS = 0.1
"""Processes of an ended browser hold the file of their keys open for a moment; until then Windows
does not let it be removed."""


class CopyFolder:
    """The copies of one visit while they are written.

    :class:`~evidence_kit.seal.connection_copies.ConnectionCopies` reads them. No file
    is held open: a page may keep hundreds of connections, each with two sockets of its own.

    Args:
        folder: private, and not there yet.

    Attributes:
        keys: the file that the browser writes its keys to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = folder / KEYS
        self._failure: OSError | None = None
        self._count = 0
        self._sending = 0
        self._change = threading.Condition()

    def prepare(self) -> None:
        """Make the folder and the file for the keys, for this user only.

        Raises:
            OSError: they cannot be made.
        """
        self.folder.mkdir(mode=0o700)
        self.keys.touch(mode=0o600)

    def begin(self, port: int) -> Copy:
        """A connection that the browser opened from this port of its own.

        Raises:
            OSError: its files cannot be made.
        """
        with self._change:
            self._count += 1
            self._sending += 1
            copy = Copy(self.folder / stem(self._count, port), self)
        try:
            copy.sent(b"")
            copy.received(b"")
        except OSError:
            copy.end()
            raise
        return copy

    def ended(self) -> None:
        """Told by a copy: the browser sends no more on it."""
        with self._change:
            self._sending -= 1
            self._change.notify_all()

    def failed(self, error: OSError) -> None:
        """Told by a copy that could not be written."""
        self._failure = self._failure or error

    def settle(self, seconds: float) -> None:
        """Wait until everything that the browser sent is copied, but no longer than this.

        Raises:
            OSError: a copy could not be written; what came after it is missing.
        """
        with self._change:
            self._change.wait_for(lambda: not self._sending, seconds)
        if self._failure is not None:
            raise self._failure

    def remove(self) -> None:
        """Remove copies and keys: the exchanges have been made from them.

        Raises:
            OSError: something could not be removed.
        """
        remove_copies(self.folder)


def remove_copies(folder: Path) -> None:
    """Remove copies and keys.

    Raises:
        OSError: something could not be removed, also after a while.
    """
    for left in range(REMOVE_TRIES - 1, -1, -1):
        try:
            shutil.rmtree(folder)
            return
        except FileNotFoundError:
            return
        except OSError:
            if not left:
                raise
            time.sleep(REMOVE_SECONDS)


@dataclass
class Copy:
    """One connection; used by the relay's thread only."""

    path: Path
    folder: CopyFolder
    sending: bool = True

    def sent(self, data: bytes) -> None:
        """Keep what came from the browser.

        Raises:
            OSError: the copy cannot be written; then nothing is passed on either.
        """
        self._append(SENT, data)

    def received(self, data: bytes) -> None:
        """Keep what goes to the browser.

        Raises:
            OSError: see :meth:`sent`.
        """
        self._append(RECEIVED, data)

    def end(self) -> None:
        """The browser sends no more; telling it twice does no harm."""
        if self.sending:
            self.sending = False
            self.folder.ended()

    def _append(self, suffix: str, data: bytes) -> None:
        try:
            with self.path.with_suffix(suffix).open("ab", buffering=0) as stream:
                left = memoryview(data)
                while left:
                    left = left[stream.write(left) :]
        except OSError as error:
            self.folder.failed(error)
            raise


class CopiedReader:
    """The browser's end of a connection, read through its copy."""

    def __init__(self, reader: Reader, copy: Copy) -> None:
        self._reader = reader
        self._copy = copy

    async def read(self, n: int) -> bytes:
        """See :meth:`asyncio.StreamReader.read`."""
        return self._kept(await self._reader.read(n))

    async def readexactly(self, n: int) -> bytes:
        """See :meth:`asyncio.StreamReader.readexactly`."""
        try:
            return self._kept(await self._reader.readexactly(n))
        except asyncio.IncompleteReadError as error:
            self._kept(error.partial)
            raise

    async def readuntil(self, separator: bytes) -> bytes:
        """See :meth:`asyncio.StreamReader.readuntil`."""
        try:
            return self._kept(await self._reader.readuntil(separator))
        except asyncio.IncompleteReadError as error:
            self._kept(error.partial)
            raise

    def _kept(self, data: bytes) -> bytes:
        if data:
            self._copy.sent(data)
        else:
            self._copy.end()
        return data


class CopiedWriter:
    """The browser's end of a connection, written through its copy."""

    def __init__(self, writer: Writer, copy: Copy) -> None:
        self._writer = writer
        self._copy = copy

    @property
    def transport(self) -> asyncio.WriteTransport:
        """See :attr:`asyncio.StreamWriter.transport`."""
        return self._writer.transport

    def write(self, data: bytes) -> None:
        """Copy, then pass on."""
        self._copy.received(data)
        self._writer.write(data)

    async def drain(self) -> None:
        """See :meth:`asyncio.StreamWriter.drain`."""
        await self._writer.drain()

    def can_write_eof(self) -> bool:
        """See :meth:`asyncio.StreamWriter.can_write_eof`."""
        return self._writer.can_write_eof()

    def write_eof(self) -> None:
        """See :meth:`asyncio.StreamWriter.write_eof`."""
        self._writer.write_eof()

    def close(self) -> None:
        """See :meth:`asyncio.StreamWriter.close`."""
        self._writer.close()

    async def wait_closed(self) -> None:
        """See :meth:`asyncio.StreamWriter.wait_closed`."""
        await self._writer.wait_closed()

    def get_extra_info(self, name: str) -> Any:
        """See :meth:`asyncio.StreamWriter.get_extra_info`."""
        return self._writer.get_extra_info(name)
