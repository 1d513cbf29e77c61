"""Direct requests, such as those to a platform's API, with their exact bytes on record.

One session per capture. Each attempt, each hop of a redirect and each failure is an
:class:`~evidence_kit.core.exchange.Exchange` whose request and response lie in two files, as they
passed the socket. TLS is always verified; redirects, retries, sizes and times are bounded here.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from evidence_kit.core.clock import Clock, iso
from evidence_kit.core.errors import NetworkError, RateLimitedError
from evidence_kit.core.exchange import Exchange
from evidence_kit.gather.http_answer import (
    Answer,
    Failure,
    host_of,
    origin_of,
    redirect_target,
    retry_time,
)
from evidence_kit.gather.http_exchange import ExchangeRecorder, Forward, Hop, Resolve, Tunnel

MAX_API_BYTES = 32 << 20
"""Bytes of an API answer; real ones, a thread of hundreds of posts included, are under 5 MiB."""
MAX_MEDIA_BYTES = 4 << 30
"""Bytes of one media file; platforms cut uploads off well below this."""
MAX_REDIRECTS = 10
"""Hops; browsers give up at 20, an API has no reason for more than a few."""
MAX_RETRIES = 2
"""Further attempts after a failed connection or a 502, 503 or 504."""
BACKOFF_SECONDS = 0.5
"""Wait before the first further attempt; doubled for each next one."""
MAX_RETRY_AFTER = 30.0
"""Seconds that a 429 may make the user wait; longer, and we say when to come back."""
MAX_SECONDS = 60.0
"""One request with its retries and redirects, for API answers."""
MAX_MEDIA_SECONDS = 900.0
"""The same for a media file: 4 GiB at 5 MB/s."""

_RETRY_STATUS = frozenset({502, 503, 504})
_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization", "x-goog-api-key"})


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
        forward: the way of requests for plain http, where a proxy takes them as they are.

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
        forward: Forward | None = None,
    ) -> None:
        self._recorder = ExchangeRecorder(
            folder,
            resolve=resolve,
            clock=clock,
            environ=environ,
            on_exchange=on_exchange,
            tunnel=tunnel,
            forward=forward,
        )
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.RLock()

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Every attempt so far, in the order they began."""
        return tuple(self._recorder.exchanges)

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
        self._recorder.close()

    @contextmanager
    def noting(self, note: str) -> Iterator[None]:
        """Label every exchange that is made within the block, and no other thread's."""
        with self._lock:
            self._recorder.note = note
            try:
                yield
            finally:
                self._recorder.note = ""

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
        hop = Hop(
            method,
            url,
            {name.lower(): value for name, value in (headers or {}).items()},
            body,
            max_bytes,
            time.monotonic() + max_seconds,
            to,
        )
        with self._lock:
            for _ in range(MAX_REDIRECTS + 1):
                answer = self._persist(hop)
                target = redirect_target(method, answer)
                if target is None:
                    return answer
                given = hop.headers
                if origin_of(target) != origin_of(hop.url):
                    given = {k: v for k, v in given.items() if k not in _CREDENTIALS}
                hop = replace(hop, url=target, headers=given, previous=answer.exchange.number)
            raise NetworkError(
                f"{host_of(hop.url)} redirects more than {MAX_REDIRECTS} times",
                hint="open the address in a browser to see where it leads",
            )

    def _persist(self, hop: Hop) -> Answer:
        """One hop, with its retries."""
        wait = BACKOFF_SECONDS
        retries = MAX_RETRIES if hop.method in ("GET", "HEAD") else 0
        for left in range(retries, -1, -1):
            result = self._recorder.attempt(hop)
            if isinstance(result, Failure):
                if not (left and result.again):
                    raise result.error
            elif result.status == 429:
                wait = self._rate_limit(result, left, hop.deadline)
            elif not (left and result.status in _RETRY_STATUS):
                return result
            if time.monotonic() + wait >= hop.deadline:
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
