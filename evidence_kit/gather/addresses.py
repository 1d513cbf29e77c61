"""Addresses judged: which are public, and how names and addresses are compared."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

import idna

MAX_ADDRESSES = 32  # per name; real answers hold at most a dozen

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
        return ascii_name(text)


def ascii_name(name: str) -> str:
    """A host name in the form in which browsers send it (UTS 46); itself where it has none.

    Names that IDNA 2008 does not allow and browsers open all the same, with a sign in them such as
    a heart, have the form of IDNA 2003 (RFC 3490).
    """
    if name.isascii():
        return name
    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError:
        pass
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return name


def system_resolve(host: str, port: int) -> list[str]:
    """The system resolver's answers, without doubles, in its order of preference."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(item[4][0]) for item in found))[:MAX_ADDRESSES]
