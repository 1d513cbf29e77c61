"""Copies of what passed on each of the browser's connections, as a visit leaves them in a folder.

The relay through which the browser reaches the outside writes them; the reader of the network log,
which then only counts bytes, cuts the exchanges from them. Of TLS they hold what is encrypted, and
beside them lie the keys of those connections, as the browser writes them (NSS key log).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from evidence_kit.core.limits import CHUNK
from evidence_kit.seal.tls_keys import KeyLog

COPIES = "connections"
"""The folder's name in a visit's private folder."""

KEYS = "keys.log"
SENT, RECEIVED = ".sent", ".received"

MAX_KEYS = 64 << 20
"""Bytes of the key log that are read; a connection writes about one KiB."""


RELAY_SAYS = 12
"""Bytes that the relay itself says on a connection before anything of the other end (RFC 1928)."""


def has_answers(folder: Path) -> bool:
    """Whether anything from outside has come in on any connection."""
    return any(path.stat().st_size > RELAY_SAYS for path in folder.glob(f"*{RECEIVED}"))


def stem(number: int, port: int) -> str:
    """Name of the ``number``-th connection's files: they sort in the order of their beginning.

    Args:
        number: from 1, over all connections of the visit.
        port: of the browser's own end.
    """
    return f"{number:06d}-{port}"


class ConnectionCopies:
    """The folder, read when nothing is written to it any more.

    Args:
        folder: may be missing, as of a visit that was killed before its first connection.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stems: dict[int, list[Path]] = {}
        for path in sorted({item.with_suffix("") for item in folder.glob("*-*.*")}):
            self._stems.setdefault(int(path.name.partition("-")[2]), []).append(path)

    def key_log(self) -> KeyLog:
        """The keys that the browser wrote; none where it wrote none.

        Raises:
            OSError: the file is there and cannot be read.
        """
        path = self._folder / KEYS
        if not path.exists():
            return KeyLog.parse(b"")
        size = min(path.stat().st_size, MAX_KEYS)  # a read sets aside what it is asked for
        with path.open("rb") as stream:
            return KeyLog.parse(stream.read(size))

    @contextmanager
    def streams(self, port: int, turn: int) -> Iterator[tuple[BinaryIO, BinaryIO] | None]:
        """What one connection sent and received, from its first byte.

        Args:
            port: of the browser's own end.
            turn: how many connections from this port came before: ports are used again.

        Yields:
            The two directions; None where there is no such copy.
        """
        stems = self._stems.get(port, [])
        if turn >= len(stems):
            yield None
            return
        with ExitStack() as stack:
            sent, received = (
                stack.enter_context(stems[turn].with_suffix(suffix).open("rb", buffering=CHUNK))
                for suffix in (SENT, RECEIVED)
            )
            yield sent, received
