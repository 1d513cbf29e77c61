"""Why a page could not be had: the browser's error name, with what the guard knows behind it."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from evidence_kit.gather.addresses import normal_host
from evidence_kit.gather.contacts import Contact
from evidence_kit.gather.visit import Failure

BEHIND_THE_GUARD = frozenset(
    {
        "ERR_SOCKS_CONNECTION_FAILED",
        "ERR_SOCKS_CONNECTION_HOST_UNREACHABLE",
        "ERR_EMPTY_RESPONSE",  # of the door for plain http, which closes instead of answering
        "ERR_CONNECTION_CLOSED",
    }
)
"""What the browser reports where the guard refused or failed; the guard knows which."""


def explain(name: str, url: str, contacts: Sequence[Contact], *, offers_file: bool) -> Failure:
    """Behind the guard the browser sees only that the relay failed; the guard knows why.

    Args:
        name: of the browser's error, without ``net::``.
        url: of the last document that was asked for.
        contacts: of the guard.
        offers_file: whether the address began a download.
    """
    parts = urlsplit(url)
    if name in BEHIND_THE_GUARD:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        contact = _newest(contacts, parts.hostname or "", port)
        known = _of_contact(contact) if contact is not None else None
        if known is not None:
            return known
    if offers_file:
        return Failure("DOWNLOAD", "the address offers a file, not a page")
    return Failure(name, f"the browser reported {name} for {parts.hostname}")


def _of_contact(contact: Contact) -> Failure | None:
    at = f"{contact.host} port {contact.port}"
    if contact.refused:
        where = f"is at {', '.join(contact.addresses)}" if contact.addresses else "was refused"
        return Failure("ADDRESS_REFUSED", f"{at} {where}: {contact.refused}")
    if contact.error == "name-not-resolved":
        return Failure("ERR_NAME_NOT_RESOLVED", f"{contact.host} has no address")
    if contact.error == "proxy-refused":
        return Failure("PROXY_REFUSED", f"{contact.via} opens no way to {contact.host}")
    if contact.error == "connection-failed":
        by = f"by {contact.via}" if contact.via else f"at {', '.join(contact.addresses)}"
        return Failure("ERR_CONNECTION_FAILED", f"no connection to {at} {by}")
    return None


def _newest(contacts: Sequence[Contact], host: str, port: int) -> Contact | None:
    wanted = normal_host(host)
    for contact in reversed(contacts):
        if contact.port == port and normal_host(contact.host) == wanted:
            return contact
    return None
