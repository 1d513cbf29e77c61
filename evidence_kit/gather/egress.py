"""Egress guard: decides which addresses may be contacted, pins them, and keeps the list.

The browser speaks SOCKS5 (RFC 1928) to a relay on loopback; TLS stays end to end with the
origin. Names are resolved here, once, and the connection goes to the very address that was
checked, so that a name which changes its answer (rebinding) gains nothing. Our own HTTP session
asks :meth:`Guard.resolve_checked` for the same judgement.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import TracebackType

from evidence_kit.core.clock import Clock
from evidence_kit.core.errors import NetworkError
from evidence_kit.core.events import EventLog
from evidence_kit.gather.proxy import (
    END_OF_HEAD,
    Proxies,
    Proxy,
    ProxyRefusedError,
    connected,
    open_tunnel,
)

HANDSHAKE_SECONDS = 10.0  # the browser on the same machine answers within milliseconds
RESOLVE_SECONDS = 15.0  # system resolvers give up after 5-10 s
CONNECT_SECONDS = 20.0  # longer than the three SYN retries of common systems
IDLE_SECONDS = 120.0  # an event stream may be silent this long; the page's own limit is shorter
STOP_SECONDS = 5.0  # closing sockets takes milliseconds; a stuck resolver thread is left behind
MAX_CONNECTIONS = 512  # at once; Chromium itself keeps to 32 HTTP and 255 WebSocket sockets
MAX_CONTACTS = 10_000  # listed one by one; a page beyond that is an attack and is only counted
MAX_ADDRESSES = 32  # per name; real answers hold at most a dozen
BUFFER = 256 << 10  # bytes read at once and held per direction

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: holds an IPv4 address in its low bits
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")  # IANA: the only block given out for unicast
_REFUSED_V6 = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, Teredo among them (RFC 2928, RFC 4380)
        "2001:db8::/32",  # documentation (RFC 3849)
        "2002::/16",  # 6to4, which can name any IPv4 address (RFC 3056)
        "3fff::/20",  # documentation (RFC 9637)
    )
)
_REFUSED_V4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "192.0.0.0/24",  # protocol assignments (RFC 6890)
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "168.63.129.16/32",  # the metadata service of Azure virtual machines
    )
)
_ISATAP = (0x00005EFE, 0x02005EFE)  # RFC 5214: third word of an address that hides an IPv4 one

Resolve = Callable[[str, int], list[str]]
"""Name and port → addresses in the order to try; raises OSError when there are none."""


@dataclass(frozen=True)
class Contact:
    """One connection that was asked for, and what became of it.

    Attributes:
        host: name or address as it was asked for.
        addresses: every answer of the resolver.
        used: the address connected to; None when none was.
        refused: why no connection was allowed; None otherwise.
        error: ``name-not-resolved``, ``connection-failed``, ``proxy-refused``,
            ``too-many-connections``, or None.
        via: the proxy of the organisation's network that was asked instead; the origin's address is
            then unknown.
        purpose: ``browser`` (through the relay) or what the asking session called it.
        local_port: the browser's own port towards the relay, to join with its NetLog.
        started: UTC; ``ended`` likewise, None while open.
        sent: bytes from here to the host; ``received`` the other way.
    """

    host: str
    port: int
    started: datetime
    purpose: str = "browser"
    addresses: tuple[str, ...] = ()
    used: str | None = None
    refused: str | None = None
    error: str | None = None
    local_port: int | None = None
    ended: datetime | None = None
    sent: int = 0
    received: int = 0
    via: str | None = None


def why_not_global(address: str) -> str | None:
    """Why this address must not be contacted, or None when it is a public unicast address.

    Forms of IPv6 that carry an IPv4 address are judged by that address (mapped, NAT64) or
    refused (compatible, 6to4, Teredo, ISATAP). Source: the IANA special-purpose registries
    (RFC 6890), written out because Python's tables differ between its versions.

    Args:
        address: a literal IPv4 or IPv6 address.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "not-an-address"
    if isinstance(parsed, ipaddress.IPv6Address):
        return _why_not_global_v6(parsed)
    for name in ("unspecified", "loopback", "link_local", "multicast"):
        if getattr(parsed, f"is_{name}"):
            return name.replace("_", "-")
    if any(parsed in network for network in _REFUSED_V4):
        return "special-purpose"
    return None if parsed.is_global and not parsed.is_reserved else "private"


def _why_not_global_v6(parsed: ipaddress.IPv6Address) -> str | None:
    if parsed.scope_id is not None:
        return "link-local"
    if parsed.ipv4_mapped is not None:
        return why_not_global(str(parsed.ipv4_mapped))
    if parsed in _NAT64:
        return why_not_global(str(ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)))
    for name in ("unspecified", "loopback", "link_local", "multicast"):
        if getattr(parsed, f"is_{name}"):
            return name.replace("_", "-")
    if parsed not in _GLOBAL_V6:
        return "private"
    if any(parsed in network for network in _REFUSED_V6):
        return "special-purpose"
    if (int(parsed) >> 32) & 0xFFFFFFFF in _ISATAP:
        return "special-purpose"
    return None if parsed.is_global else "private"


def normal_host(host: str) -> str:
    """The one form in which hosts are compared: lower case, ASCII, no final dot, no brackets."""
    text = host.strip().strip("[]").rstrip(".").lower()
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        pass
    try:
        return text.encode("idna").decode("ascii")
    except UnicodeError:
        return text


def system_resolve(host: str, port: int) -> list[str]:
    """The system resolver's answers, without doubles, in its order of preference."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(item[4][0]) for item in found))[:MAX_ADDRESSES]


def _now() -> datetime:
    return datetime.now(UTC)


class Guard:
    """The guard as a context manager; the relay listens while it is open.

    Args:
        allow: host and port pairs whose addresses may be private; exactly these and no others.
        log: gets one event per contact; called from the relay's thread too.
        resolve: replaces the system resolver, for tests.
        clock: source of times.
        proxies: of the organisation's network; names behind one are not resolved here, and only
            addresses written as numbers can be judged.
    """

    def __init__(
        self,
        allow: Iterable[tuple[str, int]],
        log: EventLog,
        resolve: Resolve = system_resolve,
        clock: Clock = _now,
        proxies: Proxies | None = None,
    ) -> None:
        self._allow = frozenset((normal_host(host), port) for host, port in allow)
        self._log = log
        self._resolve = resolve
        self._clock = clock
        self._proxies = proxies or Proxies()
        self._lock = threading.Lock()
        self._contacts: list[Contact] = []
        self._unlisted = 0
        self._open = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: asyncio.Server | None = None
        self._thread: threading.Thread | None = None
        self.port = 0
        """Loopback port of the SOCKS5 relay, 0 while it is not running."""

    def __enter__(self) -> Guard:
        ready = threading.Event()
        failure: list[OSError] = []

        def serve() -> None:
            loop = asyncio.new_event_loop()
            self._loop = loop
            try:
                self._server = loop.run_until_complete(
                    asyncio.start_server(self._serve, "127.0.0.1", 0, limit=BUFFER)
                )
                self.port = self._server.sockets[0].getsockname()[1]
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
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        loop, thread = self._loop, self._thread
        if loop is not None and thread is not None:
            with contextlib.suppress(RuntimeError):  # the loop ended by itself
                loop.call_soon_threadsafe(loop.stop)
            thread.join(STOP_SECONDS)
        self.port = 0

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """Every contact so far, in the order they were asked for."""
        with self._lock:
            return tuple(self._contacts)

    @property
    def unlisted(self) -> int:
        """How many contacts came after the list was full."""
        with self._lock:
            return self._unlisted

    def contact_for(self, local_port: int, when: datetime | None = None) -> Contact | None:
        """The contact that the browser made from this port of its own.

        Args:
            local_port: as in :class:`~evidence_kit.core.exchange.Exchange`.
            when: a moment at which the connection was in use; ports are used again.
        """
        found = [item for item in self.contacts if item.local_port == local_port]
        if when is not None:
            earlier = [item for item in found if item.started <= when]
            found = earlier or found[:1]
        return found[-1] if found else None

    def address_for(self, local_port: int, when: datetime | None = None) -> str | None:
        """The address behind :meth:`contact_for`, None where there is none."""
        contact = self.contact_for(local_port, when)
        return contact.used if contact else None

    def resolve_checked(self, host: str, port: int, purpose: str = "session") -> str:
        """Resolve a name and give the address that a direct connection must use.

        Raises:
            NetworkError: the name has no address, or none that may be contacted.
        """
        contact, good = self._judge(Contact(host, port, self._clock(), purpose))
        if good:
            contact = replace(contact, used=good[0])
        self._keep(contact)
        if good:
            return good[0]
        if contact.refused:
            raise NetworkError(
                f"{host} port {port} has the address {contact.addresses[0]}, which is not public",
                hint="--allow-private permits the page's own host and port",
            )
        raise NetworkError(f"the name {host} has no address", hint="check the spelling of the URL")

    def tunnel(self, host: str, port: int, purpose: str = "session") -> socket.socket | None:
        """A connection through the organisation's proxy, None where there is none for this host.

        Raises:
            NetworkError: an address that may not be contacted.
            OSError: the proxy cannot be reached, or refuses.
        """
        proxy = self._proxies.for_target(host, port)
        if proxy is None:
            return None
        contact = self._through(Contact(host, port, self._clock(), purpose), proxy)
        if contact.refused:
            self._keep(contact)
            raise NetworkError(
                f"{host} port {port} is not a public address",
                hint="--allow-private permits the page's own host and port",
            )
        try:
            opened = open_tunnel(proxy, host, port, CONNECT_SECONDS)
        except OSError as error:
            self._keep(replace(contact, error=_proxy_error(error)))
            raise
        self._keep(contact)
        return opened

    def _through(self, contact: Contact, proxy: Proxy) -> Contact:
        """The contact as it goes through a proxy: only a numeric address can be judged here."""
        refused = None
        if (normal_host(contact.host), contact.port) not in self._allow:
            why = why_not_global(normal_host(contact.host))
            refused = None if why == "not-an-address" else why
        return replace(contact, via=proxy.name, refused=refused)

    def _judge(self, contact: Contact) -> tuple[Contact, list[str]]:
        """Resolve and sort: the contact with its answers, and the addresses that may be used."""
        try:
            addresses = self._resolve(contact.host, contact.port)[:MAX_ADDRESSES]
        except (OSError, UnicodeError):  # UnicodeError: a label that IDNA cannot encode
            return replace(contact, error="name-not-resolved"), []
        contact = replace(contact, addresses=tuple(addresses))
        if (normal_host(contact.host), contact.port) in self._allow:
            return contact, addresses
        reasons = [(address, why_not_global(address)) for address in addresses]
        good = [address for address, why in reasons if why is None]
        if not good:
            named = next((why for _, why in reasons if why), None)
            if named is None:
                return replace(contact, error="name-not-resolved"), []
            return replace(contact, refused=named), []
        return contact, good

    def _keep(self, contact: Contact, *, place: int | None = None) -> int | None:
        """Put a contact in the list (or back in its place), and log it when it is new."""
        with self._lock:
            if place is not None:
                self._contacts[place] = contact
                return place
            if len(self._contacts) >= MAX_CONTACTS:
                self._unlisted += 1
                return None
            self._contacts.append(contact)
            place = len(self._contacts) - 1
        self._log.log(
            "contact",
            host=contact.host,
            port=contact.port,
            addresses=list(contact.addresses),
            address=contact.used,
            refused=contact.refused,
            error=contact.error,
            purpose=contact.purpose,
            local_port=contact.local_port,
            via=contact.via,
        )
        return place

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open > MAX_CONNECTIONS:
                self._keep(Contact("", 0, self._clock(), error="too-many-connections"))
                return
            await self._socks(reader, writer)
        except (asyncio.IncompleteReadError, OSError, TimeoutError):
            pass  # the browser went away or does not speak SOCKS5: there is nobody to answer
        finally:
            self._open -= 1
            await _close(writer)

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            asked = await _read_request(reader, writer)
        if asked is None:
            writer.write(_reply(7))  # command or address type not supported
            return
        host, port = asked
        peer = writer.get_extra_info("peername")
        contact = Contact(host, port, self._clock(), local_port=peer[1] if peer else None)
        proxy = self._proxies.for_target(host, port)
        if proxy is not None:
            contact = self._through(contact, proxy)
            found = await self._proxied(contact, proxy, writer)
        else:
            found = await self._direct(contact, writer)
        if found is None:
            return
        contact, far_reader, far_writer = found
        place = self._keep(contact)
        writer.write(_reply(0))
        counts = [0, 0]
        try:
            await asyncio.gather(
                _pump(reader, far_writer, counts, 0), _pump(far_reader, writer, counts, 1)
            )
        finally:
            ended = replace(contact, ended=self._clock(), sent=counts[0], received=counts[1])
            if place is not None:
                self._keep(ended, place=place)
            await _close(far_writer)

    async def _direct(self, contact: Contact, writer: asyncio.StreamWriter) -> _Opened | None:
        """Resolve, judge, connect; where that fails the browser is told and the contact kept."""
        loop = asyncio.get_running_loop()
        try:
            contact, good = await asyncio.wait_for(
                loop.run_in_executor(None, self._judge, contact), RESOLVE_SECONDS
            )
        except TimeoutError:
            contact, good = replace(contact, error="name-not-resolved"), []
        if not good:
            self._keep(contact)
            writer.write(_reply(2 if contact.refused else 4))  # not allowed / host unreachable
            return None
        opened = await _connect(good, contact.port)
        if opened is None:
            self._keep(replace(contact, error="connection-failed"))
            writer.write(_reply(5))  # connection refused
            return None
        address, reader, far_writer = opened
        return replace(contact, used=address), reader, far_writer

    async def _proxied(
        self, contact: Contact, proxy: Proxy, writer: asyncio.StreamWriter
    ) -> _Opened | None:
        """The same through a proxy, which resolves and connects by itself."""
        if contact.refused:
            self._keep(contact)
            writer.write(_reply(2))
            return None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, far_writer = await asyncio.open_connection(
                    proxy.host, proxy.port, limit=BUFFER
                )
                far_writer.write(proxy.connect_request(contact.host, contact.port))
                connected(await reader.readuntil(END_OF_HEAD))
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as e:
            self._keep(replace(contact, error=_proxy_error(e)))
            writer.write(_reply(5))
            return None
        return contact, reader, far_writer

    def _finish(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close what is open; runs in the relay's thread once the loop was stopped."""
        if self._server is not None:
            self._server.close()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=STOP_SECONDS))
        loop.close()


_Opened = tuple[Contact, asyncio.StreamReader, asyncio.StreamWriter]


def _proxy_error(error: Exception) -> str:
    return "proxy-refused" if isinstance(error, ProxyRefusedError) else "connection-failed"


async def _read_request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> tuple[str, int] | None:
    """RFC 1928 sections 3 and 4: greeting without authentication, then CONNECT."""
    version, methods = await reader.readexactly(2)
    await reader.readexactly(methods)
    if version != 5:
        return None
    writer.write(b"\x05\x00")
    version, command, _, kind = await reader.readexactly(4)
    if kind == 1:
        host = socket.inet_ntoa(await reader.readexactly(4))
    elif kind == 4:
        host = str(ipaddress.IPv6Address(await reader.readexactly(16)))
    elif kind == 3:
        length = (await reader.readexactly(1))[0]
        host = (await reader.readexactly(length)).decode("ascii", "replace")
    else:
        return None
    port = int.from_bytes(await reader.readexactly(2), "big")
    return (host, port) if version == 5 and command == 1 and host else None


def _reply(code: int) -> bytes:
    return bytes((5, code, 0, 1)) + bytes(6)


async def _connect(
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


async def _pump(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, counts: list[int], index: int
) -> None:
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


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, asyncio.CancelledError):
        await writer.wait_closed()
