"""Bring the browser's NetLog to its reader, line by line, while the browser writes it.

Where the system has named pipes the log never touches the disk; elsewhere a private file is
followed and removed. Either way the log ends when the browser ends, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from typing import BinaryIO, Protocol

from evidence_kit.core.errors import CaptureError

FOLLOW_SECONDS = 0.05  # pause between looks at a file that has not grown
END_SECONDS = 120.0  # what may still be in the pipe is converted while we wait
BUFFER = 1 << 20  # bytes read at once


NAME = "netlog.json"
"""The pipe's or file's name in the private folder."""


def let_go(folder: Path) -> None:
    """Free a browser that still waits for a reader of its log, after whoever read it was killed.

    A browser that was just starting then waits in opening the pipe, for ever, its profile in the
    folder. Once it is through it finds its driver gone, and ends by itself.

    Args:
        folder: the private folder of a program that does not run any more.
    """
    path = folder / NAME
    if path.is_fifo():
        with contextlib.suppress(OSError):  # it is being removed
            os.close(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)))


class LineReader(Protocol):
    """What a log is read by."""

    def feed(self, line: bytes) -> None:
        """Take the next line, newline included."""


class NetLogPipe:
    """One log on its way from the browser to a reader.

    Args:
        folder: private folder for the pipe or file.
        reader: gets every line, in a thread of its own.
        fifo: a named pipe rather than a file; by default where the system has them.
    """

    def __init__(self, folder: Path, reader: LineReader, *, fifo: bool | None = None) -> None:
        self.fifo = hasattr(os, "mkfifo") if fifo is None else fifo
        self.path = folder / NAME
        self._reader = reader
        self._ended = threading.Event()
        self._stream: int | None = None
        self._own_end: int | None = None
        self._done: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, name="netlog-reader", daemon=True)

    def start(self) -> None:
        """Make the pipe or file and begin to read; before the browser is started."""
        self.path.unlink(missing_ok=True)
        make_fifo = getattr(os, "mkfifo", None)  # Windows has none
        if self.fifo and make_fifo is not None:
            make_fifo(self.path, 0o600)
            no_wait = getattr(os, "O_NONBLOCK", 0)
            self._stream = os.open(self.path, os.O_RDONLY | no_wait)
            if sys.platform != "win32":  # for the type checker: Windows never comes here
                os.set_blocking(self._stream, True)
            # Our own end keeps the pipe open until finish(), whether a browser comes or not.
            self._own_end = os.open(self.path, os.O_WRONLY | no_wait)
        else:
            self.path.touch(mode=0o600, exist_ok=False)
        self._thread.start()

    def finish(self) -> int:
        """The browser has ended: read the rest, remove the file.

        Returns:
            The number of lines read.

        Raises:
            CaptureError: the rest could not be read in time.
        """
        self._ended.set()
        if self._own_end is not None:
            os.close(self._own_end)
            self._own_end = None
        try:
            return self._done.result(END_SECONDS)
        except FutureTimeout as error:
            raise CaptureError(
                f"the browser's log did not end within {END_SECONDS:.0f} seconds"
            ) from error
        finally:
            self.path.unlink(missing_ok=True)

    def _run(self) -> None:
        lines = 0
        try:
            with self._open() as stream:
                source = self._follow(stream) if self._stream is None else iter(stream)
                try:
                    for line in source:
                        lines += 1
                        self._reader.feed(line)
                finally:
                    # A full pipe would stop the browser, so it is emptied even after a fault.
                    for _ in source:
                        lines += 1
        except BaseException as error:  # handed to whoever calls finish()
            self._done.set_exception(error)
            if not isinstance(error, Exception):
                raise
        else:
            self._done.set_result(lines)

    def _open(self) -> BinaryIO:
        if self._stream is None:
            return self.path.open("rb", buffering=BUFFER)
        return os.fdopen(self._stream, "rb", buffering=BUFFER)

    def _follow(self, stream: BinaryIO) -> Iterator[bytes]:
        part = b""
        while True:
            ended = self._ended.is_set()  # asked before reading: what came after is read next time
            line = stream.readline()
            if line.endswith(b"\n"):
                yield part + line
                part = b""
            elif line:
                part += line
            elif ended:
                break
            else:
                time.sleep(FOLLOW_SECONDS)
        if part:
            yield part
