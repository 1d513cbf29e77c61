"""Direct requests, such as those to a platform's API, with their exact bytes on record.

One session per capture. Each attempt, each hop of a redirect and each failure is an
:class:`~evidence_kit.core.exchange.Exchange` whose request and response lie in two files, as they
passed the socket. TLS is always verified; redirects, retries, sizes and times are bounded here.

``_dial`` is the one place that opens a connection: directly, or through the organisation's proxy.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urldefrag

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from evidence_kit import __version__
from evidence_kit.core.clock import Clock, iso
from evidence_kit.core.errors import (
    CaptureError,
    ConfigError,
    InputError,
    NetworkError,
    RateLimitedError,
)
from evidence_kit.core.exchange import Exchange, Representation, Source
from evidence_kit.gather.http_answer import (
    REDIRECT_STATUS,
    Answer,
    Contact,
    Failure,
    failure_of,
    host_of,
    is_web_address,
    origin_of,
    redirect_target,
    retry_time,
    status_on_file,
)
from evidence_kit.gather.http_body import BodyLimitError, BodySink
from evidence_kit.gather.wire_tap import Attempt, WireLimitError, WireTap

USER_AGENT = f"evidence-kit/{__version__}"

Resolve = Callable[[str, int], str]
"""Host and port to the one IP address that may be connected to; refuses by raising."""

Tunnel = Callable[[str, int], socket.socket | None]
"""Host and port to a connection through a proxy; None where the host is reached directly."""

MAX_API_BYTES = 32 << 20
"""Bytes of an API answer; real ones, a thread of hundreds of posts included, are under 5 MiB."""
MAX_MEDIA_BYTES = 4 << 30
"""Bytes of one media file; platforms cut uploads off well below this."""
MAX_DISCARDED_BYTES = 1 << 20
"""Bytes read of an answer that is not the wanted one (redirect, error) when streaming to a file."""
WIRE_OVERHEAD = 1 << 20
"""Bytes of header lines and chunk framing that a response may have beside twice its body."""
MAX_REDIRECTS = 10
"""Hops; browsers give up at 20, an API has no reason for more than a few."""
MAX_RETRIES = 2
"""Further attempts after a failed connection or a 502, 503 or 504."""
BACKOFF_SECONDS = 0.5
"""Wait before the first further attempt; doubled for each next one."""
MAX_RETRY_AFTER = 30.0
"""Seconds that a 429 may make the user wait; longer, and we say when to come back."""
CONNECT_SECONDS = 10.0
READ_SECONDS = 20.0
"""Silence after which an answer counts as cut off."""
MAX_SECONDS = 60.0
"""One request with its retries and redirects, for API answers."""
MAX_MEDIA_SECONDS = 900.0
"""The same for a media file: 4 GiB at 5 MB/s."""

_RETRY_STATUS = frozenset({502, 503, 504})
_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization", "x-goog-api-key"})
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class RecordingSession:
    """HTTP with exact bytes on record; a context manager, safe to use from several threads.

    Args:
        folder: existing private folder for ``NNNN.request`` and ``NNNN.response``.
        resolve: decides which address may be connected to; its errors pass through.
        clock: for the times on record.
        environ: read for own CA bundles (``REQUESTS_CA_BUNDLE``, ``SSL_CERT_FILE``).
        sleep: waits between attempts.
        on_exchange: told each attempt once its files are final.
        tunnel: opens a connection through a proxy where one is to be used for a host.

    Raises:
        ConfigError: a CA bundle named in the environment is not there.
    """

    def __init__(
        self,
        folder: Path,
        *,
        resolve: Resolve,
        clock: Clock,
        environ: Mapping[str, str] = os.environ,
        sleep: Callable[[float], None] = time.sleep,
        on_exchange: Callable[[Exchange], None] | None = None,
        tunnel: Tunnel | None = None,
    ) -> None:
        self._folder = folder
        self._on_exchange = on_exchange
        self._tunnel = tunnel
        self._tunnelled: set[int] = set()
        self._resolve = resolve
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.RLock()
        self._exchanges: list[Exchange] = []
        self._contacts: list[Contact] = []
        self._answered = 0
        self._note = ""
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
            self._session.mount(scheme, _adapter(self._tap))

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Every attempt so far, in the order they began."""
        return tuple(self._exchanges)

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """Every connection tried so far."""
        return tuple(self._contacts)

    def __enter__(self) -> RecordingSession:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close kept-alive connections; the record stays."""
        self._session.close()

    @contextmanager
    def noting(self, note: str) -> Iterator[None]:
        """Label every exchange that is made within the block, and no other thread's."""
        with self._lock:
            self._note = note
            try:
                yield
            finally:
                self._note = ""

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = MAX_API_BYTES,
        max_seconds: float = MAX_SECONDS,
        to: Path | None = None,
    ) -> Answer:
        """GET, following redirects; see :meth:`send`."""
        return self.send(
            "GET", url, headers=headers, max_bytes=max_bytes, max_seconds=max_seconds, to=to
        )

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        max_bytes: int = MAX_API_BYTES,
        max_seconds: float = MAX_SECONDS,
        to: Path | None = None,
    ) -> Answer:
        """Send a request and return the last answer, whatever its status.

        Credentials in ``headers`` go to the origin of ``url`` only, not to where it redirects.
        Redirects are followed, and failures retried, for GET and HEAD only.

        Args:
            method: in capitals.
            url: http or https.
            headers: added to the session's own.
            body: sent as it is.
            max_bytes: of the decoded body; a longer one is cut off and marked so.
            max_seconds: for everything, retries and redirects included.
            to: a file that must not exist yet, for the body of a 2xx answer.

        Raises:
            InputError: not an http(s) address.
            NetworkError: no answer, or the redirects never end.
            RateLimitedError: 429, and the wait asked for is longer than we wait.
            CaptureError: the record does not match what was received.
        """
        given = {name.lower(): value for name, value in (headers or {}).items()}
        deadline = time.monotonic() + max_seconds
        with self._lock:
            previous: int | None = None
            for _ in range(MAX_REDIRECTS + 1):
                answer = self._persist(method, url, given, body, max_bytes, deadline, to, previous)
                target = redirect_target(method, answer)
                if target is None:
                    return answer
                if origin_of(target) != origin_of(url):
                    given = {k: v for k, v in given.items() if k not in _CREDENTIALS}
                url, previous = target, answer.exchange.number
            raise NetworkError(
                f"{host_of(url)} redirects more than {MAX_REDIRECTS} times",
                hint="open the address in a browser to see where it leads",
            )

    def _persist(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        max_bytes: int,
        deadline: float,
        to: Path | None,
        previous: int | None,
    ) -> Answer:
        """One hop, with its retries."""
        wait = BACKOFF_SECONDS
        retries = MAX_RETRIES if method in ("GET", "HEAD") else 0
        for left in range(retries, -1, -1):
            result = self._attempt(method, url, headers, body, max_bytes, deadline, to, previous)
            if isinstance(result, Failure):
                if not (left and result.again):
                    raise result.error
            elif result.status == 429:
                wait = self._rate_limit(result, left, deadline)
            elif not (left and result.status in _RETRY_STATUS):
                return result
            if time.monotonic() + wait >= deadline:
                break
            self._sleep(wait)
            wait *= 2
        if isinstance(result, Failure):
            raise result.error
        return result

    def _rate_limit(self, answer: Answer, left: int, deadline: float) -> float:
        """Seconds to wait, or the error that says when to come back."""
        until = retry_time(answer.headers, self._clock())
        host = host_of(answer.url)
        if until is None:
            raise RateLimitedError(
                f"{host} answers that there were too many requests",
                hint="try again later; it does not say when",
            )
        wait = max((until - self._clock()).total_seconds(), 0.0)
        if not left or wait > MAX_RETRY_AFTER or time.monotonic() + wait >= deadline:
            raise RateLimitedError(
                f"{host} answers that there were too many requests",
                hint=f"try again after {iso(until.replace(microsecond=0))}",
            )
        return wait

    def _attempt(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        max_bytes: int,
        deadline: float,
        to: Path | None,
        previous: int | None,
    ) -> Answer | Failure:
        """One request on the wire, recorded whatever happens."""
        if not is_web_address(url):
            raise InputError("not a web address", hint="give one that begins with https://")
        number = len(self._exchanges) + 1
        request_file = self._folder / f"{number:04d}.request"
        response_file = self._folder / f"{number:04d}.response"
        exchange = Exchange(
            number=number,
            url=urldefrag(url).url,
            method=method,
            started=self._clock(),
            request=request_file,
            response=None,
            representation=Representation.WIRE,
            source=Source.SESSION,
            address_source="session",
            redirected_from=previous,
        )
        with ExitStack() as stack:
            attempt = Attempt(
                stack.enter_context(request_file.open("xb")),
                stack.enter_context(response_file.open("xb")),
                max_bytes=2 * max_bytes + WIRE_OVERHEAD,
                deadline=deadline,
                read_timeout=READ_SECONDS,
            )
            self._tap.attempt = attempt
            # Should anything unforeseen pass through, the exchange is on record all the same.
            self._exchanges.append(replace(exchange, error="interrupted"))
            try:
                result = self._exchange(exchange, headers, body, max_bytes, to)
            finally:
                self._tap.attempt = None
        final = self._with_peer(
            result.exchange, attempt, response_file if attempt.received_bytes else None
        )
        if self._note:
            final = replace(final, notes=(*final.notes, self._note))
        self._exchanges[number - 1] = final
        if not attempt.received_bytes:
            response_file.unlink()
        if self._on_exchange is not None:
            self._on_exchange(final)
        if isinstance(result, Failure):
            return replace(result, exchange=final)
        self._answered += 1
        self._check_record(final, result.status)
        return replace(result, exchange=final)

    def _exchange(
        self,
        exchange: Exchange,
        headers: Mapping[str, str],
        body: bytes | None,
        max_bytes: int,
        to: Path | None,
    ) -> Answer | Failure:
        try:
            response = self._session.request(
                exchange.method,
                exchange.url,
                headers=dict(headers),
                data=body,
                stream=True,
                allow_redirects=False,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError) as error:
            return failure_of(exchange, error)
        try:
            return self._read(exchange, response, max_bytes, to)
        finally:
            response.close()

    def _read(
        self, exchange: Exchange, response: requests.Response, max_bytes: int, to: Path | None
    ) -> Answer:
        found = {name.lower(): value for name, value in response.headers.items()}
        wanted = to if response.ok and response.status_code not in REDIRECT_STATUS else None
        limit = max_bytes if to is None or wanted is not None else MAX_DISCARDED_BYTES
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
        exchange = replace(exchange, truncated=truncated, notes=notes)
        body: bytes | Path = wanted if wanted is not None else sink.data()
        return Answer(exchange, exchange.url, response.status_code, found, body, sink.decoded)

    def _with_peer(self, exchange: Exchange, attempt: Attempt, response: Path | None) -> Exchange:
        peer = attempt.peer
        if peer is None:
            return replace(exchange, response=response)
        protocols, notes = exchange.protocols, exchange.notes
        proxied = peer.local_port in self._tunnelled
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
        recorded = sum(item.status is not None for item in self._exchanges)
        on_file = None if exchange.response is None else status_on_file(exchange.response)
        if recorded != self._answered or on_file != status:
            raise CaptureError(
                f"the record of exchange {exchange.number} does not match what was received",
                hint="please report this: the recorder of direct requests has a flaw",
            )

    def _dial(self, host: str, port: int) -> socket.socket:
        """Open a connection to the address that ``resolve`` allows, and put it on record."""
        when = self._clock()
        address: str | None = None
        outcome = "refused"
        try:
            through = self._tunnel(host, port) if self._tunnel is not None else None
            if through is not None:
                outcome = "connected through the proxy"
                self._tunnelled.add(through.getsockname()[1])
                return through
            address = self._resolve(host, port)
            sock = socket.create_connection((address, port), CONNECT_SECONDS)
            outcome = "connected"
            return sock
        except OSError as error:
            outcome = error.strerror or type(error).__name__
            raise
        finally:
            self._contacts.append(Contact(host, port, address, when, outcome))


class _OneHopSession(requests.Session):
    """Leaves redirects alone.

    Without this, requests reads and decodes the whole body of a redirect to prepare the next hop,
    even when told not to follow it.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None is there to be followed."""


def _adapter(tap: WireTap) -> HTTPAdapter:
    class TappedAdapter(HTTPAdapter):
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
