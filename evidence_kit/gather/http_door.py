"""The guard's door for plain http where the organisation has a proxy for it.

Many proxies open tunnels (CONNECT) to port 443 only and want requests for plain http as such, with
the whole address in the request line (RFC 9112 section 3.2.2). The browser itself writes them so,
and its log then holds the bytes as they go to the proxy; the guard looks at each request's address
and passes it on. All that it adds is the user name and password that the proxy wants.

A host that is reached without the proxy gets the request with its path only, as servers expect it;
the contact then says that this was changed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from evidence_kit.core.clock import Clock
from evidence_kit.gather.contacts import Contact, ContactList
from evidence_kit.gather.egress_policy import EgressPolicy
from evidence_kit.gather.proxy import (
    CONNECT_SECONDS,
    END_OF_HEAD,
    HTTP_PORT,
    Proxy,
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


class _BadRequestError(OSError):
    """Not a request that a browser sends to a proxy; the connection is closed without an answer."""


@dataclass(frozen=True)
class _Request:
    """The head of one request, and how many bytes of body follow it."""

    method: bytes
    url: str
    host: str
    port: int
    lines: tuple[bytes, ...]
    body: int

    def head(self, *, proxy: Proxy | None) -> bytes:
        """As it goes on: to the proxy with its password, to a server with the path only."""
        if proxy is not None:
            lines = list(self.lines)
            if proxy.authorization:
                lines.insert(1, b"Proxy-Authorization: " + proxy.authorization.encode("latin-1"))
        else:
            parts = urlsplit(self.url)
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            first = b" ".join((self.method, path.encode("latin-1"), b"HTTP/1.1"))
            lines = [first, *(one for one in self.lines[1:] if _name(one) != b"proxy-connection")]
        return b"\r\n".join(lines) + END_OF_HEAD


class HttpDoor:
    """Serves the browser's connections for plain http.

    Args:
        policy: says where a contact may go.
        contacts: gets every contact.
        clock: source of times.
    """

    def __init__(self, policy: EgressPolicy, contacts: ContactList, clock: Clock) -> None:
        self._policy = policy
        self._contacts = contacts
        self._clock = clock

    async def serve(self, reader: Reader, writer: Writer) -> None:
        """One connection: all its requests are for one host, as browsers do it.

        A refusal is a closed connection: an answer would be taken for the site's.
        """
        request = await _read(reader)
        peer = writer.get_extra_info("peername")
        contact = Contact(
            request.host, request.port, self._clock(), local_port=peer[1] if peer else None
        )
        proxy = self._policy.http_proxy_for(contact)
        opened = await self._open(contact, proxy)
        if opened is None:
            return
        contact, far_reader, far_writer = opened
        place = self._contacts.add(contact)
        counts = [0, 0]
        back = asyncio.create_task(pump(far_reader, writer, counts, 1))
        there = asyncio.create_task(_requests(request, reader, far_writer, proxy, counts))
        try:
            await asyncio.wait({back, there}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (back, there):
                task.cancel()
            try:
                await asyncio.gather(back, there, return_exceptions=True)
            finally:  # the guard may end, and cancel this, while both are still ending
                ended = replace(contact, ended=self._clock(), sent=counts[0], received=counts[1])
                self._contacts.renew(place, ended)
                await close(far_writer)

    async def _open(
        self, contact: Contact, proxy: Proxy | None
    ) -> tuple[Contact, Reader, Writer] | None:
        if proxy is None:
            contact, good = await judge(self._policy, contact)
            found = await connect(good, contact.port) if good else None
            if found is not None:
                return replace(contact, used=found[0], rewritten=True), found[1], found[2]
            failed = None if contact.refused else contact.error or "connection-failed"
            self._contacts.add(replace(contact, error=failed))
            return None
        contact = self._policy.through(contact, proxy)
        if contact.refused:
            self._contacts.add(contact)
            return None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(proxy.host, proxy.port, limit=BUFFER)
        except (OSError, TimeoutError) as error:
            self._contacts.add(replace(contact, error=name_of_failure(error)))
            return None
        return contact, reader, writer


async def _requests(
    request: _Request,
    reader: Reader,
    writer: Writer,
    proxy: Proxy | None,
    counts: list[int],
) -> None:
    """Pass on this request and those that follow it; one for another host ends the connection."""
    host, port = request.host, request.port
    while (request.host, request.port) == (host, port):
        head = request.head(proxy=proxy)
        writer.write(head)
        counts[0] += len(head)
        left = request.body
        while left:
            data = await reader.read(min(left, BUFFER))
            if not data:
                return
            writer.write(data)
            counts[0] += len(data)
            left -= len(data)
            await writer.drain()
        await writer.drain()
        request = await _read(reader)


async def _read(reader: Reader) -> _Request:
    """The next request's head.

    Raises:
        asyncio.IncompleteReadError: the browser is done.
        asyncio.LimitOverrunError: the head is longer than anything that a browser sends.
        OSError: not a request for plain http with its whole address.
    """
    head = await reader.readuntil(END_OF_HEAD)
    lines = tuple(head[: -len(END_OF_HEAD)].split(b"\r\n"))
    words = lines[0].split(b" ")
    if len(words) != 3 or words[2] != b"HTTP/1.1":
        raise _BadRequestError("not a request")
    try:
        url = words[1].decode("ascii")
        parts = urlsplit(url)
        port = parts.port or HTTP_PORT
    except ValueError as error:
        raise _BadRequestError("not an address") from error
    if parts.scheme != "http" or not parts.hostname:
        raise _BadRequestError("not an address of plain http")
    fields = [(_name(line), line.partition(b":")[2].strip()) for line in lines[1:]]
    lengths = [value for name, value in fields if name == b"content-length"]
    if any(name == b"transfer-encoding" for name, _ in fields) or len(lengths) > 1:
        raise _BadRequestError("a body whose end is not told before it")
    if lengths and not (lengths[0].isdigit() and len(lengths[0]) < 16):
        raise _BadRequestError("a body without a length")
    body = int(lengths[0]) if lengths else 0
    return _Request(words[0], url, parts.hostname, port, lines, body)


def _name(line: bytes) -> bytes:
    return line.partition(b":")[0].strip().lower()
