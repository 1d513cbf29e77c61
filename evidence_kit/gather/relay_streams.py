"""What the relay does with its streams: connect, pass bytes on, close; each within bounds."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Any, Protocol

from evidence_kit.gather.contacts import Contact
from evidence_kit.gather.egress_policy import EgressPolicy
from evidence_kit.gather.proxy import CONNECT_SECONDS

RESOLVE_SECONDS = 15.0  # system resolvers give up after 5-10 s
IDLE_SECONDS = 120.0  # an event stream may be silent this long; the page's own limit is shorter
BUFFER = 256 << 10  # bytes read at once and held per direction


class Reader(Protocol):
    """What the relay needs of a stream that it reads from: :class:`asyncio.StreamReader`'s part."""

    async def read(self, n: int) -> bytes:
        """Up to ``n`` bytes; none at the end."""

    async def readexactly(self, n: int) -> bytes:
        """Exactly ``n`` bytes."""

    async def readuntil(self, separator: bytes) -> bytes:
        """Everything up to and with the separator."""


class Writer(Protocol):
    """What the relay needs of a stream that it writes to: :class:`asyncio.StreamWriter`'s part."""

    @property
    def transport(self) -> asyncio.WriteTransport:
        """What is below it, to break it off."""

    def write(self, data: bytes) -> None:
        """Pass on."""

    async def drain(self) -> None:
        """Wait until little is left to pass on."""

    def can_write_eof(self) -> bool:
        """Whether one direction can end before the other."""

    def write_eof(self) -> None:
        """End this direction."""

    def close(self) -> None:
        """End both."""

    async def wait_closed(self) -> None:
        """Wait for that."""

    def get_extra_info(self, name: str) -> Any:
        """About the socket, such as ``peername``."""


async def judge(policy: EgressPolicy, contact: Contact) -> tuple[Contact, list[str]]:
    """:meth:`EgressPolicy.direct` within a bound; it waits for the system's resolver."""
    loop = asyncio.get_running_loop()
    try:
        return await asyncio.wait_for(
            loop.run_in_executor(None, policy.direct, contact), RESOLVE_SECONDS
        )
    except TimeoutError:
        return replace(contact, error="name-not-resolved"), []


async def connect(
    addresses: list[str], port: int
) -> tuple[str, asyncio.StreamReader, asyncio.StreamWriter] | None:
    """The first of the checked addresses that answers; each has its share of the time."""
    share = max(CONNECT_SECONDS / len(addresses), 2.0)
    for address in addresses:
        try:
            async with asyncio.timeout(share):
                reader, writer = await asyncio.open_connection(address, port, limit=BUFFER)
        except (OSError, TimeoutError):
            continue
        return address, reader, writer
    return None


async def pump(source: Reader, target: Writer, counts: list[int], index: int) -> None:
    """Pass bytes on until one side ends; ``drain`` keeps at most one buffer in memory."""
    try:
        while True:
            moved = sum(counts)
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    data = await source.read(BUFFER)
            except TimeoutError:
                if sum(counts) != moved:  # the other direction is busy: a long download
                    continue
                raise
            if not data:
                break
            counts[index] += len(data)
            target.write(data)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()
    except (OSError, TimeoutError):
        target.close()  # a broken half must not leave the other waiting


async def close(writer: Writer) -> None:
    """Close a stream, whatever state it is in.

    What was written still goes out, but nobody waits longer for an end that does not read than for
    one that is silent; when the relay stops nobody waits at all.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        writer.transport.abort()
    writer.close()
    with contextlib.suppress(OSError):
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                await writer.wait_closed()
        except (TimeoutError, asyncio.CancelledError):
            writer.transport.abort()
