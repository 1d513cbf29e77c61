"""Proxies of an organisation's network, as the environment names them, and the ways through them.

Requests for plain http go to the proxy as they are, everything else through a tunnel (CONNECT):
many proxies open tunnels to port 443 only.

The usual variables count: ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``, in lower
or upper case, lower first (https://curl.se/docs/manpage.html, ENVIRONMENT). Only proxies that are
spoken to with HTTP are known; a password in the address is sent and never recorded.
"""

from __future__ import annotations

import base64
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from evidence_kit.core.errors import ConfigError

MAX_HEAD = 16 << 10
"""Bytes of a proxy's answer to CONNECT; real ones are under 1 KiB, refusals carry a page."""
CONNECT_SECONDS = 20.0
"""For a connection, its tunnel included; longer than the three SYN retries of common systems."""
END_OF_HEAD = b"\r\n\r\n"
HTTP_PORT = 80
DEFAULT_PORT = 3128
"""Where proxies usually listen, for an address without a port."""


class ProxyRefusedError(OSError):
    """The proxy did not open the way; the message is its status line, without a page."""


@dataclass(frozen=True)
class Proxy:
    """One proxy.

    Attributes:
        authorization: value of ``Proxy-Authorization``, empty without a user name.
        url: as it was given, password included; never to be recorded.
    """

    host: str
    port: int
    authorization: str = field(default="", repr=False)
    url: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """As it may be recorded: without user name and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def connect_request(self, host: str, port: int) -> bytes:
        """The head that asks for a tunnel (RFC 9110 section 9.3.6)."""
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        if self.authorization:
            lines.append(f"Proxy-Authorization: {self.authorization}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


@dataclass(frozen=True)
class Proxies:
    """Which proxy leads where.

    Attributes:
        http: for plain http, and for tunnels to port 80; ``https`` for every other tunnel.
        without: host names, domains and networks that are reached directly.
    """

    http: Proxy | None = None
    https: Proxy | None = None
    without: tuple[str, ...] = ()

    def for_target(self, host: str, port: int) -> Proxy | None:
        """The proxy to use, None for a direct connection."""
        proxy = self.http if port == HTTP_PORT else self.https
        return None if proxy is None or self._direct(host, port) else proxy

    def for_http(self, host: str, port: int) -> Proxy | None:
        """The proxy for a plain http request, whatever its port; None for a direct connection."""
        return None if self.http is None or self._direct(host, port) else self.http

    @property
    def name(self) -> str | None:
        """For the record: every proxy in use, None without any."""
        names = dict.fromkeys(item.name for item in (self.https, self.http) if item is not None)
        return ", ".join(names) or None

    def _direct(self, host: str, port: int) -> bool:
        name = host.strip("[]").rstrip(".").lower()
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            address = None
        if name == "localhost" or name.endswith(".localhost") or (address and address.is_loopback):
            return True  # this machine: no proxy could reach it, and browsers do the same
        for rule in self.without:
            if rule == "*":
                return True
            wanted, _, only = rule.partition(":") if rule.count(":") == 1 else (rule, "", "")
            if only and only != str(port):
                continue
            if address is not None and _holds(wanted, address):
                return True
            suffix = wanted.lstrip(".")
            if suffix and (name == suffix or name.endswith(f".{suffix}")):
                return True
        return False


def proxies_from(environ: Mapping[str, str]) -> Proxies:
    """The proxies that the environment names.

    Raises:
        ConfigError: one of a kind that cannot be used.
    """
    every = _proxy(environ, "all_proxy")
    return Proxies(
        http=_proxy(environ, "http_proxy") or every,
        https=_proxy(environ, "https_proxy") or every,
        without=tuple(
            item.strip().lower() for item in _value(environ, "no_proxy").split(",") if item.strip()
        ),
    )


def open_tunnel(proxy: Proxy, host: str, port: int, seconds: float) -> socket.socket:
    """A connection to ``host`` through the proxy.

    Raises:
        OSError: the proxy cannot be reached, or does not open the way.
    """
    sock = proxy_connection(proxy, seconds)
    try:
        sock.sendall(proxy.connect_request(host, port))
        head = b""
        while not head.endswith(END_OF_HEAD):  # byte by byte: what follows belongs to the tunnel
            byte = sock.recv(1)
            if not byte or len(head) > MAX_HEAD:
                raise ProxyRefusedError("the proxy closed the connection")
            head += byte
        connected(head)
    except BaseException:
        sock.close()
        raise
    return sock


def proxy_connection(proxy: Proxy, seconds: float) -> socket.socket:
    """A connection to the proxy itself.

    Raises:
        OSError: it cannot be reached.
    """
    return socket.create_connection((proxy.host, proxy.port), seconds)


def connected(head: bytes) -> None:
    """Check a proxy's answer to CONNECT.

    Raises:
        ProxyRefusedError: it is not a 2xx.
    """
    line = head.split(b"\r\n", 1)[0].decode("latin-1")
    words = line.split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].startswith("2"):
        raise ProxyRefusedError(f"the proxy answers {line[:80]!r}")


def name_of_failure(error: Exception) -> str:
    """What a contact through a proxy is said to have ended in."""
    return "proxy-refused" if isinstance(error, ProxyRefusedError) else "connection-failed"


def _value(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.upper()) or ""


def _proxy(environ: Mapping[str, str], name: str) -> Proxy | None:
    text = _value(environ, name)
    if not text:
        return None
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port or DEFAULT_PORT
    except ValueError as error:
        raise ConfigError(f"{name} does not name a proxy", hint="as in http://host:3128") from error
    if parts.scheme != "http" or not parts.hostname:
        raise ConfigError(
            f"{name} names a proxy of the kind '{parts.scheme}', which is not supported",
            hint="name an HTTP proxy, or give the browser its own with --browser-proxy",
        )
    authorization = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode("utf-8")).decode("ascii")
    return Proxy(parts.hostname, port, authorization, text if "://" in text else f"http://{text}")


def _holds(rule: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(rule.strip("[]"), strict=False)
    except ValueError:
        return False
