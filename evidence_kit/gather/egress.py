"""Egress guard: decides which addresses may be contacted, pins them, and keeps the list.

The browser speaks SOCKS5 to a relay on loopback (:mod:`~evidence_kit.gather.relay`); TLS stays
end to end with the origin. Names are resolved here, once, and the connection goes to the very
address that was checked, so that a name which changes its answer (rebinding) gains nothing. Our
own HTTP session asks :meth:`Guard.resolve_checked` for the same judgement.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import replace
from types import TracebackType

from evidence_kit.core.clock import Clock
from evidence_kit.core.errors import NetworkError
from evidence_kit.core.events import EventLog
from evidence_kit.gather.addresses import Resolve, system_resolve
from evidence_kit.gather.connection_copy import CopyFolder
from evidence_kit.gather.contacts import Contact, ContactList
from evidence_kit.gather.egress_policy import EgressPolicy
from evidence_kit.gather.proxy import (
    CONNECT_SECONDS,
    Proxies,
    Proxy,
    name_of_failure,
    open_tunnel,
    proxy_connection,
)
from evidence_kit.gather.relay import Relay
from evidence_kit.gather.time_sources import system_clock


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
        clock: Clock = system_clock,
        proxies: Proxies | None = None,
    ) -> None:
        self._policy = EgressPolicy(allow, resolve, proxies)
        self._contacts = ContactList(log)
        self._clock = clock
        self._relay = Relay(self._policy, self._contacts, clock)

    def __enter__(self) -> Guard:
        self._relay.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._relay.stop()

    @property
    def port(self) -> int:
        """Loopback port of the SOCKS5 relay, 0 while it is not running."""
        return self._relay.port

    @property
    def http_port(self) -> int:
        """Loopback port of the door for plain http, 0 where there is none."""
        return self._relay.http_port

    def copy_to(self, copies: CopyFolder | None) -> None:
        """Copy what passes on the browser's connections that begin from now on; None ends that."""
        self._relay.copies = copies

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """Every contact so far, in the order they were asked for."""
        return self._contacts.all

    @property
    def unlisted(self) -> int:
        """How many contacts came after the list was full."""
        return self._contacts.unlisted

    def refuse_private(self, host: str, port: int) -> None:
        """Stop before anything is contacted where this address would be refused in any case.

        A name without an address passes: that the site is gone is a finding of its own.

        Raises:
            NetworkError: every address that the name has is on a private network.
        """
        contact = Contact(host, port, self._clock())
        proxy = self._policy.proxy_for(contact)
        if proxy is not None:
            judged = self._policy.through(contact, proxy)
        else:
            judged, _ = self._policy.direct(contact)
        if judged.refused:
            raise _not_public(judged)

    def resolve_checked(self, host: str, port: int, purpose: str = "session") -> str:
        """Resolve a name and give the address that a direct connection must use.

        Raises:
            NetworkError: the name has no address, or none that may be contacted.
        """
        contact, good = self._policy.direct(Contact(host, port, self._clock(), purpose))
        if good:
            contact = replace(contact, used=good[0])
        self._contacts.add(contact)
        if good:
            return good[0]
        if contact.refused:
            raise _not_public(contact)
        raise NetworkError(f"the name {host} has no address", hint="check the spelling of the URL")

    def http_proxy(self, host: str, port: int) -> Proxy | None:
        """The proxy that takes requests for plain http to this host; None for a direct one."""
        return self._policy.http_proxy_for(Contact(host, port, self._clock()))

    def reach_http_proxy(self, host: str, port: int, purpose: str = "session") -> socket.socket:
        """A connection to that proxy, for requests to this host.

        Raises:
            NetworkError: an address that may not be contacted.
            OSError: the proxy cannot be reached.
        """
        contact = Contact(host, port, self._clock(), purpose)
        proxy = self._policy.http_proxy_for(contact)
        if proxy is None:
            raise OSError("no proxy leads there")
        return self._by_proxy(contact, proxy, lambda: proxy_connection(proxy, CONNECT_SECONDS))

    def tunnel(self, host: str, port: int, purpose: str = "session") -> socket.socket | None:
        """A connection through the organisation's proxy, None where there is none for this host.

        Raises:
            NetworkError: an address that may not be contacted.
            OSError: the proxy cannot be reached, or refuses.
        """
        contact = Contact(host, port, self._clock(), purpose)
        proxy = self._policy.proxy_for(contact)
        if proxy is None:
            return None
        return self._by_proxy(
            contact, proxy, lambda: open_tunnel(proxy, host, port, CONNECT_SECONDS)
        )

    def _by_proxy(
        self, contact: Contact, proxy: Proxy, dial: Callable[[], socket.socket]
    ) -> socket.socket:
        contact = self._policy.through(contact, proxy)
        if contact.refused:
            self._contacts.add(contact)
            raise _not_public(contact)
        try:
            opened = dial()
        except OSError as error:
            self._contacts.add(replace(contact, error=name_of_failure(error)))
            raise
        self._contacts.add(contact)
        return opened


def _not_public(contact: Contact) -> NetworkError:
    at = f" at {', '.join(contact.addresses)}" if contact.addresses else ""
    return NetworkError(
        f"{contact.host} port {contact.port} is on a private network{at}: {contact.refused}",
        hint="--allow-private permits the page's own host and port",
    )
