"""SOCKS5 as a browser speaks it to the guard (RFC 1928): no authentication, CONNECT only."""

from __future__ import annotations

import ipaddress
import socket

from evidence_kit.gather.relay_streams import Reader, Writer

DONE = 0
NOT_ALLOWED = 2
HOST_UNREACHABLE = 4
CONNECTION_REFUSED = 5
NOT_SUPPORTED = 7
"""Reply codes, section 6."""


async def read_request(reader: Reader, writer: Writer) -> tuple[str, int] | None:
    """Take the greeting and the request (sections 3 and 4).

    Returns:
        Host and port to connect to; None for what is not SOCKS5 or not a CONNECT.

    Raises:
        asyncio.IncompleteReadError: the client went away.
    """
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


def reply(code: int) -> bytes:
    """The answer to a request, without a bound address."""
    return bytes((5, code, 0, 1)) + bytes(6)
