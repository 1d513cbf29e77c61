"""Cut from a connection's copy what a network log only counts, inside TLS where that was used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from evidence_kit.core.limits import CHUNK
from evidence_kit.seal.netlog_http2 import note
from evidence_kit.seal.tls_keys import KeyLog
from evidence_kit.seal.tls_records import TlsError, TlsUnfinishedError, open_tls


class Cursor:
    """One direction of a connection, read once from its beginning.

    Args:
        pieces: its bytes in order.
        problems: gets what went wrong in between; what comes after that is not there.
    """

    def __init__(self, pieces: Iterator[bytes], problems: list[str]) -> None:
        self._pieces = pieces
        self._problems = problems
        self._rest = b""
        self._place = 0

    def cut(self, begin: int, size: int) -> Iterator[bytes]:
        """The bytes from ``begin``, as many as asked for or as there are; none twice."""
        self._skip(begin - self._place)
        while size > 0 and self._more():
            data, self._rest = self._rest[:size], self._rest[size:]
            self._place += len(data)
            size -= len(data)
            yield data

    def _skip(self, count: int) -> None:
        while count > 0 and self._more():
            gone = min(count, len(self._rest))
            self._rest = self._rest[gone:]
            self._place += gone
            count -= gone

    def _more(self) -> bool:
        if not self._rest:
            try:
                self._rest = next(self._pieces, b"")
            except TlsError as error:
                note(self._problems, f"the TLS of a connection: {error}")
        return bool(self._rest)


def cursors(
    streams: tuple[BinaryIO, BinaryIO],
    tls_places: tuple[int, int] | None,
    keys: KeyLog,
    problems: list[str],
    client_random: bytes = b"",
) -> tuple[Cursor, Cursor]:
    """What a connection sent and received.

    Args:
        streams: its copy, both directions, at their beginning.
        tls_places: where in them TLS begins; None for a connection without.
        keys: of the visit's connections.
        problems: gets why the TLS could not be opened; the cursors then give nothing.
        client_random: of the ClientHello that the copy must begin with, where that is known.

    Raises:
        OSError: the copy cannot be read.
    """
    sent, received = streams
    if tls_places is None:
        return Cursor(_pieces(sent), problems), Cursor(_pieces(received), problems)
    for stream, place in zip(streams, tls_places, strict=True):
        stream.seek(place)
    try:
        tls = open_tls(sent, received, keys)
    except TlsError as error:
        if not isinstance(error, TlsUnfinishedError):  # given up before anything could be said
            note(problems, f"the TLS of a connection: {error}")
        return Cursor(iter(()), problems), Cursor(iter(()), problems)
    if client_random and client_random != tls.client_random:
        note(problems, "a connection's copy is that of another connection")
        return Cursor(iter(()), problems), Cursor(iter(()), problems)
    return Cursor(tls.sent(), problems), Cursor(tls.received(), problems)


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    while data := stream.read(CHUNK):
        yield data
