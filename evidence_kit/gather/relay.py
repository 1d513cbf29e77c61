"""The relay through which the browser reaches the outside: SOCKS5 on loopback, in its own thread.

Where the organisation has a proxy for plain http, a second door speaks HTTP
(:mod:`~evidence_kit.gather.http_door`).

It connects to the very address that the policy has checked, or to the organisation's proxy, and
passes bytes on without looking at them; TLS stays end to end between browser and origin. While a
visit is recorded they are copied on their way (:mod:`~evidence_kit.gather.connection_copy`).
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace

from evidence_kit.core.clock import Clock
from evidence_kit.core.errors import NetworkError
from evidence_kit.gather.connection_copy import CopiedReader, CopiedWriter, Copy, CopyFolder
from evidence_kit.gather.contacts import Contact, ContactList
from evidence_kit.gather.egress_policy import EgressPolicy
from evidence_kit.gather.http_door import HttpDoor
from evidence_kit.gather.proxy import (
    CONNECT_SECONDS,
    END_OF_HEAD,
    Proxy,
    connected,
    name_of_failure,
)
from evidence_kit.gather.relay_streams import (
    BUFFER,
    Reader,
    Writer,
    close,
    connect,
    judge,
    pump,
)
from evidence_kit.gather.socks import (
    CONNECTION_REFUSED,
    DONE,
    HOST_UNREACHABLE,
    NOT_ALLOWED,
    NOT_SUPPORTED,
    read_request,
    reply,
)

HANDSHAKE_SECONDS = 10.0  # the browser on the same machine answers within milliseconds
STOP_SECONDS = 5.0  # closing sockets takes milliseconds; a stuck resolver thread is left behind
MAX_CONNECTIONS = 512  # at once; Chromium itself keeps to 32 HTTP and 255 WebSocket sockets

FILES = 2 * MAX_CONNECTIONS + 256
"""Files that may be open at once: two sockets for each connection, and what a program has besides.
macOS allows 256 where nothing is asked, many a Linux 1024."""

Door = Callable[[Reader, Writer], Awaitable[None]]
"""Serves one connection of the browser; what it leaves open is closed for it."""

_Opened = tuple[Contact, Reader, Writer]


class Relay:
    """Serves from :meth:`start` to :meth:`stop`.

    Args:
        policy: says where a contact may go.
        contacts: gets every contact, from the relay's thread.
        clock: source of times.

    Attributes:
        port: of the SOCKS door on loopback; 0 while the relay is not running.
        http_port: of the door for plain http; 0 where no proxy wants that apart.
        copies: gets what passes on every connection that begins from now on; None for none.
    """

    def __init__(self, policy: EgressPolicy, contacts: ContactList, clock: Clock) -> None:
        self._policy = policy
        self._contacts = contacts
        self._clock = clock
        self._open = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._servers: list[asyncio.Server] = []
        self._thread: threading.Thread | None = None
        self.port = 0
        self.http_port = 0
        self.copies: CopyFolder | None = None

    def start(self) -> None:
        """Listen on a free port of loopback.

        Raises:
            NetworkError: this machine does not allow it.
        """
        _allow_open_files(FILES)
        ready = threading.Event()
        failure: list[OSError] = []

        def serve() -> None:
            loop = asyncio.new_event_loop()
            self._loop = loop
            try:
                self.port = self._listen(loop, self._socks)
                if self._policy.forwards_http:
                    door = HttpDoor(self._policy, self._contacts, self._clock)
                    self.http_port = self._listen(loop, door.serve)
                ready.set()
                loop.run_forever()
            except OSError as error:
                failure.append(error)
                ready.set()
            finally:
                self._finish(loop)

        self._thread = threading.Thread(target=serve, name="egress-guard", daemon=True)
        self._thread.start()
        ready.wait()
        if failure:
            raise NetworkError(
                f"the egress guard cannot listen on loopback: {failure[0].strerror}",
                hint="a firewall on this machine may forbid it",
            )

    def stop(self) -> None:
        """Close every connection; waits for that, but not for ever."""
        loop, thread = self._loop, self._thread
        if loop is not None and thread is not None:
            with contextlib.suppress(RuntimeError):  # the loop ended by itself
                loop.call_soon_threadsafe(loop.stop)
            thread.join(STOP_SECONDS)
        self.port = self.http_port = 0

    def _listen(self, loop: asyncio.AbstractEventLoop, door: Door) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await self._serve(door, reader, writer)
            except asyncio.CancelledError:
                return  # the relay ends; Python 3.11 complains of a stream's task that is cancelled

        server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0, limit=BUFFER))
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    def _finish(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close what is open; runs in the relay's thread once the loop was stopped."""
        for server in self._servers:
            server.close()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=STOP_SECONDS))
        loop.close()

    async def _serve(self, door: Door, reader: Reader, writer: Writer) -> None:
        self._open += 1
        copy: Copy | None = None
        try:
            peer = writer.get_extra_info("peername")
            if self.copies is not None and peer:
                copy = self.copies.begin(peer[1])
                reader, writer = CopiedReader(reader, copy), CopiedWriter(writer, copy)
            if self._open > MAX_CONNECTIONS:
                self._contacts.add(Contact("", 0, self._clock(), error="too-many-connections"))
                return
            await door(reader, writer)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, TimeoutError):
            pass  # the browser went away or does not speak this: there is nobody to answer
        finally:
            self._open -= 1
            if copy is not None:
                copy.end()
            await close(writer)

    async def _socks(self, reader: Reader, writer: Writer) -> None:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            asked = await read_request(reader, writer)
        if asked is None:
            writer.write(reply(NOT_SUPPORTED))
            return
        host, port = asked
        peer = writer.get_extra_info("peername")
        contact = Contact(host, port, self._clock(), local_port=peer[1] if peer else None)
        proxy = self._policy.proxy_for(contact)
        if proxy is not None:
            found = await self._proxied(self._policy.through(contact, proxy), proxy, writer)
        else:
            found = await self._direct(contact, writer)
        if found is None:
            return
        contact, far_reader, far_writer = found
        place = self._contacts.add(contact)
        writer.write(reply(DONE))
        counts = [0, 0]
        try:
            await asyncio.gather(
                pump(reader, far_writer, counts, 0), pump(far_reader, writer, counts, 1)
            )
        finally:
            ended = replace(contact, ended=self._clock(), sent=counts[0], received=counts[1])
            self._contacts.renew(place, ended)
            await close(far_writer)

    async def _direct(self, contact: Contact, writer: Writer) -> _Opened | None:
        """Resolve, judge, connect; where that fails the browser is told and the contact kept."""
        contact, good = await judge(self._policy, contact)
        if not good:
            self._contacts.add(contact)
            writer.write(reply(NOT_ALLOWED if contact.refused else HOST_UNREACHABLE))
            return None
        opened = await connect(good, contact.port)
        if opened is None:
            self._contacts.add(replace(contact, error="connection-failed"))
            writer.write(reply(CONNECTION_REFUSED))
            return None
        address, reader, far_writer = opened
        return replace(contact, used=address), reader, far_writer

    async def _proxied(self, contact: Contact, proxy: Proxy, writer: Writer) -> _Opened | None:
        """The same through a proxy, which resolves and connects by itself."""
        if contact.refused:
            self._contacts.add(contact)
            writer.write(reply(NOT_ALLOWED))
            return None
        far_writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, far_writer = await asyncio.open_connection(
                    proxy.host, proxy.port, limit=BUFFER
                )
                far_writer.write(proxy.connect_request(contact.host, contact.port))
                connected(await reader.readuntil(END_OF_HEAD))
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as e:
            if far_writer is not None:
                await close(far_writer)
            self._contacts.add(replace(contact, error=name_of_failure(e)))
            writer.write(reply(CONNECTION_REFUSED))
            return None
        return contact, reader, far_writer


def _allow_open_files(count: int) -> None:
    """Raise this process's own bound to so many, as far as the system lets it."""
    if sys.platform != "win32":  # where sockets are no files
        import resource

        soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = count if most == resource.RLIM_INFINITY else min(count, most)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            with contextlib.suppress(OSError, ValueError):  # then there are fewer connections
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
