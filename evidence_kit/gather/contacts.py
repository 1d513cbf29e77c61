"""Every connection that was asked for, in a list that is bounded and logged."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from evidence_kit.core.events import EventLog

MAX_CONTACTS = 10_000  # listed one by one; a page beyond that is an attack and is only counted


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
        rewritten: whether the request line went on in another form than the browser wrote it.
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
    rewritten: bool = False


class ContactList:
    """The contacts of one guard; safe to use from several threads.

    Args:
        log: gets one event per contact.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._contacts: list[Contact] = []
        self._unlisted = 0

    @property
    def all(self) -> tuple[Contact, ...]:
        """Every contact so far, in the order they were asked for."""
        with self._lock:
            return tuple(self._contacts)

    @property
    def unlisted(self) -> int:
        """How many contacts came after the list was full."""
        with self._lock:
            return self._unlisted

    def add(self, contact: Contact) -> int | None:
        """List a contact and log it; its place in the list, None where the list is full."""
        with self._lock:
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
            rewritten=contact.rewritten,
        )
        return place

    def renew(self, place: int | None, contact: Contact) -> None:
        """Put what is known at a contact's end where :meth:`add` listed it."""
        if place is not None:
            with self._lock:
                self._contacts[place] = contact


def of_port(
    contacts: Iterable[Contact], local_port: int, when: datetime | None = None
) -> Contact | None:
    """The contact that the browser made from this port of its own.

    Args:
        contacts: in the order they were asked for.
        local_port: as in :class:`~evidence_kit.core.exchange.Exchange`.
        when: a moment at which the connection was in use; ports are used again, and the last
            contact before it is meant.
    """
    found = [item for item in contacts if item.local_port == local_port]
    if when is not None:
        earlier = [item for item in found if item.started <= when]
        found = earlier or found[:1]
    return found[-1] if found else None
