"""What the egress guard allows: which address, or which proxy, a contact may use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from evidence_kit.gather.addresses import (
    MAX_ADDRESSES,
    Resolve,
    normal_host,
    system_resolve,
    why_not_global,
)
from evidence_kit.gather.contacts import Contact
from evidence_kit.gather.proxy import Proxies, Proxy


class EgressPolicy:
    """Judges contacts; keeps nothing.

    Args:
        allow: host and port pairs whose addresses may be private; exactly these and no others.
        resolve: replaces the system resolver, for tests.
        proxies: of the organisation's network; names behind one are not resolved here, and only
            addresses written as numbers can be judged.
    """

    def __init__(
        self,
        allow: Iterable[tuple[str, int]],
        resolve: Resolve = system_resolve,
        proxies: Proxies | None = None,
    ) -> None:
        self._allow = frozenset((normal_host(host), port) for host, port in allow)
        self._resolve = resolve
        self._proxies = proxies or Proxies()

    def proxy_for(self, contact: Contact) -> Proxy | None:
        """The proxy that leads to this host, None where it is reached directly."""
        return self._proxies.for_target(contact.host, contact.port)

    @property
    def forwards_http(self) -> bool:
        """Whether there is a proxy that takes requests for plain http as such."""
        return self._proxies.http is not None

    def http_proxy_for(self, contact: Contact) -> Proxy | None:
        """The proxy that takes requests for plain http to this host, None without one."""
        return self._proxies.for_http(contact.host, contact.port)

    def direct(self, contact: Contact) -> tuple[Contact, list[str]]:
        """Resolve and sort: the contact with its answers, and the addresses that may be used."""
        try:
            addresses = self._resolve(contact.host, contact.port)[:MAX_ADDRESSES]
        except (OSError, UnicodeError):  # UnicodeError: a label that IDNA cannot encode
            return replace(contact, error="name-not-resolved"), []
        contact = replace(contact, addresses=tuple(addresses))
        if self._allowed(contact):
            return contact, addresses
        reasons = [(address, why_not_global(address)) for address in addresses]
        good = [address for address, why in reasons if why is None]
        if not good:
            named = next((why for _, why in reasons if why), None)
            if named is None:
                return replace(contact, error="name-not-resolved"), []
            return replace(contact, refused=named), []
        return contact, good

    def through(self, contact: Contact, proxy: Proxy) -> Contact:
        """The contact as it goes through a proxy: only a numeric address can be judged here."""
        refused = None
        if not self._allowed(contact):
            why = why_not_global(normal_host(contact.host))
            refused = None if why == "not-an-address" else why
        return replace(contact, via=proxy.name, refused=refused)

    def _allowed(self, contact: Contact) -> bool:
        return (normal_host(contact.host), contact.port) in self._allow
