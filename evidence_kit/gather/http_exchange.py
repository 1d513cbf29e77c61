"""One direct request on the wire, its exact bytes in two files, whatever becomes of it.

``_dial`` is the one place that opens a connection: directly, or through the organisation's proxy.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urldefrag, urlsplit

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from evidence_kit import __version__
from evidence_kit.core.clock import Clock
from evidence_kit.core.errors import CaptureError, ConfigError, InputError
from evidence_kit.core.exchange import Exchange, Representation, Source
from evidence_kit.gather.http_answer import (
    REDIRECT_STATUS,
    Answer,
    Failure,
    failure_of,
    is_web_address,
    status_on_file,
)
from evidence_kit.gather.http_body import BodyLimitError, BodySink
from evidence_kit.gather.proxy import HTTP_PORT, Proxy
from evidence_kit.gather.wire_tap import Attempt, WireLimitError, WireTap

USER_AGENT = f"evidence-kit/{__version__}"

Resolve = Callable[[str, int], str]
"""Host and port to the one IP address that may be connected to; refuses by raising."""

Tunnel = Callable[[str, int], socket.socket | None]
"""Host and port to a connection through a proxy; None where the host is reached directly."""


class Forward(Protocol):
    """The way of plain http through an organisation's proxy: the guard has one."""

    def http_proxy(self, host: str, port: int) -> Proxy | None:
        """The proxy that takes such requests for this host; None where it is reached directly."""

    def reach_http_proxy(self, host: str, port: int) -> socket.socket:
        """A connection to that proxy, for requests to this host."""


MAX_DISCARDED_BYTES = 1 << 20
"""Bytes read of an answer that is not the wanted one (redirect, error) when streaming to a file."""
WIRE_OVERHEAD = 1 << 20
"""Bytes of header lines and chunk framing that a response may have beside twice its body."""
CONNECT_SECONDS = 10.0
READ_SECONDS = 20.0
"""Silence after which an answer counts as cut off."""

_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@dataclass(frozen=True)
class Hop:
    """One request to make, and what its answer may cost.

    Attributes:
        headers: added to the session's own.
        body: sent as it is.
        max_bytes: of the decoded body; a longer one is cut off and marked so.
        deadline: value of ``time.monotonic()`` at which everything ends.
        to: a file that must not exist yet, for the body of a 2xx answer.
        previous: number of the exchange that redirected here.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    max_bytes: int
    deadline: float
    to: Path | None
    previous: int | None = None


class ExchangeRecorder:
    """Makes requests one at a time and keeps what passed.

    Args:
        folder: existing private folder for ``NNNN.request`` and ``NNNN.response``.
        resolve: decides which address may be connected to; its errors pass through.
        clock: for the times on record.
        environ: read for own CA bundles.
        on_exchange: told each attempt once its files are final.
        tunnel: opens a connection through a proxy where one is to be used for a host.
        forward: the way of requests for plain http, where a proxy takes them as they are.

    Attributes:
        exchanges: every attempt so far, in the order they began.
        note: put on record with each attempt; empty for none.

    Raises:
        ConfigError: a CA bundle named in the environment is not there.
    """

    def __init__(
        self,
        folder: Path,
        *,
        resolve: Resolve,
        clock: Clock,
        environ: Mapping[str, str],
        on_exchange: Callable[[Exchange], None] | None,
        tunnel: Tunnel | None,
        forward: Forward | None,
    ) -> None:
        self._folder = folder
        self._on_exchange = on_exchange
        self._tunnel = tunnel
        self._forward = forward
        self._proxied: set[int] = set()
        self._resolve = resolve
        self._clock = clock
        self.exchanges: list[Exchange] = []
        self.note = ""
        self._answered = 0
        self._tap = WireTap(self._dial)
        self._session = _OneHopSession()
        # The environment's proxies and .netrc passwords must not come in unasked.
        self._session.trust_env = False
        self._session.verify = ca_bundle(environ)
        self._session.headers.clear()
        self._session.headers.update(
            {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
        )
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _adapter(self._tap, self._forwarder))

    def close(self) -> None:
        """Close kept-alive connections; the record stays."""
        self._session.close()

    def attempt(self, hop: Hop) -> Answer | Failure:
        """One request on the wire, recorded whatever happens.

        Raises:
            InputError: not an http(s) address.
            NetworkError: an address that may not be contacted.
            CaptureError: the record does not match what was received.
        """
        if not is_web_address(hop.url):
            raise InputError("not a web address", hint="give one that begins with https://")
        number = len(self.exchanges) + 1
        request_file = self._folder / f"{number:04d}.request"
        response_file = self._folder / f"{number:04d}.response"
        exchange = Exchange(
            number=number,
            url=urldefrag(hop.url).url,
            method=hop.method,
            started=self._clock(),
            request=request_file,
            response=None,
            representation=Representation.WIRE,
            source=Source.SESSION,
            address_source="session",
            redirected_from=hop.previous,
        )
        with ExitStack() as stack:
            attempt = Attempt(
                stack.enter_context(request_file.open("xb")),
                stack.enter_context(response_file.open("xb")),
                max_bytes=2 * hop.max_bytes + WIRE_OVERHEAD,
                deadline=hop.deadline,
                read_timeout=READ_SECONDS,
            )
            self._tap.attempt = attempt
            # Should anything unforeseen pass through, the exchange is on record all the same.
            self.exchanges.append(replace(exchange, error="interrupted"))
            try:
                result = self._exchange(exchange, hop)
            finally:
                self._tap.attempt = None
        final = self._with_peer(
            result.exchange, attempt, response_file if attempt.received_bytes else None
        )
        if self.note:
            final = replace(final, notes=(*final.notes, self.note))
        self.exchanges[number - 1] = final
        if not attempt.received_bytes:
            response_file.unlink()
        if self._on_exchange is not None:
            self._on_exchange(final)
        if isinstance(result, Failure):
            return replace(result, exchange=final)
        self._answered += 1
        self._check_record(final, result.status)
        return replace(result, exchange=final)

    def _exchange(self, exchange: Exchange, hop: Hop) -> Answer | Failure:
        headers = dict(hop.headers)
        proxy = self._forwarder(exchange.url)
        if proxy is not None:
            exchange = replace(exchange, notes=(*exchange.notes, "request-sent-to-proxy"))
            if proxy.authorization:
                headers["Proxy-Authorization"] = proxy.authorization
        try:
            response = self._session.request(
                exchange.method,
                exchange.url,
                headers=headers,
                data=hop.body,
                stream=True,
                allow_redirects=False,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError) as error:
            return failure_of(exchange, error)
        try:
            return self._read(exchange, response, hop)
        finally:
            response.close()

    def _read(self, exchange: Exchange, response: requests.Response, hop: Hop) -> Answer:
        found = {name.lower(): value for name, value in response.headers.items()}
        wanted = hop.to if response.ok and response.status_code not in REDIRECT_STATUS else None
        limit = hop.max_bytes if hop.to is None or wanted is not None else MAX_DISCARDED_BYTES
        version = "http/1.0" if response.raw.version == 10 else "http/1.1"
        exchange = replace(exchange, status=response.status_code, protocols=(version,))
        truncated: str | None = None
        with BodySink(wanted, found.get("content-encoding", ""), limit) as sink:
            try:
                while chunk := response.raw.read(sink.chunk, decode_content=False):
                    sink.feed(chunk)
                sink.finish()
            except (BodyLimitError, WireLimitError):
                truncated = "length"
            except (TimeoutError, urllib3.exceptions.TimeoutError):
                truncated = "time"
            except (urllib3.exceptions.HTTPError, OSError) as error:
                over = isinstance(error.__cause__ or error.__context__, WireLimitError)
                truncated = "length" if over else "disconnect"
        notes = sink.notes()
        exchange = replace(exchange, truncated=truncated, notes=(*exchange.notes, *notes))
        body: bytes | Path = wanted if wanted is not None else sink.data()
        return Answer(exchange, exchange.url, response.status_code, found, body, sink.decoded)

    def _with_peer(self, exchange: Exchange, attempt: Attempt, response: Path | None) -> Exchange:
        peer = attempt.peer
        if peer is None:
            return replace(exchange, response=response)
        protocols, notes = exchange.protocols, exchange.notes
        proxied = peer.local_port in self._proxied
        if proxied:
            # The far end of the socket is the proxy; nobody here knows the origin's address.
            exchange = replace(exchange, address_source="")
        if peer.tls is not None:
            protocols = (*protocols, peer.tls.version.lower().replace(" ", "/"))
            notes = (*notes, peer.chain_note)
        return replace(
            exchange,
            response=response,
            remote_address=None if proxied else peer.address,
            remote_port=None if proxied else peer.port,
            local_port=peer.local_port,
            tls=peer.tls,
            protocols=protocols,
            notes=notes,
        )

    def _check_record(self, exchange: Exchange, status: int) -> None:
        """Exchanges on record = responses received, and each one is this one."""
        recorded = sum(item.status is not None for item in self.exchanges)
        on_file = None if exchange.response is None else status_on_file(exchange.response)
        if recorded != self._answered or on_file != status:
            raise CaptureError(
                f"the record of exchange {exchange.number} does not match what was received",
                hint="please report this: the recorder of direct requests has a flaw",
            )

    def _dial(self, host: str, port: int, tls: bool) -> socket.socket:
        """Open a connection to the address that ``resolve`` allows, or to a proxy."""
        through = None
        if not tls and self._http_proxy(host, port) is not None and self._forward is not None:
            through = self._forward.reach_http_proxy(host, port)
        elif self._tunnel is not None:
            through = self._tunnel(host, port)
        if through is not None:
            self._proxied.add(through.getsockname()[1])
            return through
        return socket.create_connection((self._resolve(host, port), port), CONNECT_SECONDS)

    def _http_proxy(self, host: str, port: int) -> Proxy | None:
        return None if self._forward is None else self._forward.http_proxy(host, port)

    def _forwarder(self, url: str) -> Proxy | None:
        """The proxy that gets this request as it is (RFC 9112 section 3.2.2)."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            return None
        return self._http_proxy(parts.hostname, parts.port or HTTP_PORT)


class _OneHopSession(requests.Session):
    """Leaves redirects alone.

    Without this, requests reads and decodes the whole body of a redirect to prepare the next hop,
    even when told not to follow it.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None is there to be followed."""


def _adapter(tap: WireTap, forwarder: Callable[[str], Proxy | None]) -> HTTPAdapter:
    class TappedAdapter(HTTPAdapter):
        def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
            url = request.url or ""
            if forwarder(url) is not None:
                return urldefrag(url).url
            return str(super().request_url(request, proxies))

        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs)
            self.poolmanager.pool_classes_by_scheme = tap.pools()

    return TappedAdapter(max_retries=0)


def ca_bundle(environ: Mapping[str, str]) -> bool | str:
    """The organisation's own CA file or folder, True where the built-in roots count.

    Raises:
        ConfigError: what the environment names is not there.
    """
    for name in _CA_VARIABLES:
        path = environ.get(name)
        if path:
            if not Path(path).exists():
                raise ConfigError(
                    f"{name} names a file that is not there", hint=f"correct or unset {name}"
                )
            return path
    return True
