"""RFC 3161 over HTTP (section 3.4): ask one authority after the other until one answers well.

An authority is a stranger: what it sends is bounded in size and time and fully checked before it
is accepted. Plain ``http`` is usual here and harmless, because the token itself is signed; with
``https`` certificates are always verified.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

import requests

from evidence_kit import __version__
from evidence_kit.core.clock import Clock, iso
from evidence_kit.core.errors import InputError, TimestampError
from evidence_kit.core.events import EventLog, Silent
from evidence_kit.core.findings import Status
from evidence_kit.core.limits import MAX_TOKEN
from evidence_kit.gather.http_answer import cause_in_words
from evidence_kit.gather.single_request import bare_session, in_time
from evidence_kit.gather.tsa_list import Tsa, find_tsa
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.timestamp import (
    NONCE_BITS,
    TokenReport,
    check_token,
    make_request,
    normalise_token,
    parse_response,
)

TIMEOUT = 10.0
"""Seconds for one authority from first to last byte; real ones answer within one or two."""

_HEADERS = {
    "Content-Type": "application/timestamp-query",
    "Accept": "application/timestamp-reply",
    "User-Agent": f"evidence-kit/{__version__}",
}
_REPLY = "application/timestamp-reply"
_CHUNK = 8 << 10

Post = Callable[[str, bytes, Mapping[str, str]], bytes]
"""Send a body to a URL with headers, give back the answer's body; raises TimestampError."""


def new_nonce() -> int:
    """A random nonce, never zero."""
    return secrets.randbits(NONCE_BITS - 1) + 1


@dataclass(frozen=True)
class Answer:
    """A token that passed every check.

    Attributes:
        token: strict DER, with the certificates that hold one another.
        response: the whole answer as it came.
        url: who answered.
        report: what the checks found; the authority may be untrusted.
    """

    token: bytes
    response: bytes
    url: str
    report: TokenReport

    @property
    def gen_time(self) -> datetime:
        """The stamped time, UTC."""
        if self.report.gen_time is None:
            raise TimestampError("the token holds no time")
        return self.report.gen_time


@dataclass(frozen=True)
class Failure:
    """One authority that gave nothing usable; ``reason`` as in the error's message."""

    url: str
    reason: str


@dataclass(frozen=True)
class Attempts:
    """The outcome of asking several: the first good answer, or None, and who failed before."""

    answer: Answer | None
    failures: tuple[Failure, ...]


@dataclass
class TsaClient:
    """What every request shares. Keeps each authority's pace within one run.

    Attributes:
        clock: for the check against times in the future.
        post: the transport.
        anchors: whom the user trusts; an unknown authority is accepted and reported untrusted.
        nonce: fresh random numbers.
        log: told every contact.
        sleep, steady: waiting, and the clock that waiting is measured with.
    """

    clock: Clock
    post: Post | None = None
    anchors: TrustAnchors = field(default_factory=TrustAnchors)
    nonce: Callable[[], int] = new_nonce
    log: EventLog = field(default_factory=Silent)
    sleep: Callable[[float], None] = time.sleep
    steady: Callable[[], float] = time.monotonic
    _last: dict[str, float] = field(default_factory=dict, repr=False)

    def request_token(self, digest: bytes, name: str, *, algorithm: str = "sha256") -> Answer:
        """Have one authority stamp ``digest``.

        Args:
            digest: of what is to be stamped.
            name: URL, or a name from ``tsa.toml``.
            algorithm: that made the digest: ``sha256``, ``sha384`` or ``sha512``.

        Raises:
            InputError: the name is unknown or the URL is none.
            TimestampError: no valid token came; the message says why.
        """
        tsa = find_tsa(name)
        try:
            answer = self._ask(tsa, digest, algorithm)
        except TimestampError as error:
            self.log.log("timestamp-failed", url=tsa.url, reason=error.message)
            raise
        self.log.log(
            "timestamp",
            url=tsa.url,
            gen_time=iso(answer.gen_time),
            tsa=answer.report.tsa_name,
            trusted=answer.report.trusted,
        )
        return answer

    def first_token(
        self, digest: bytes, names: Iterable[str], *, algorithm: str = "sha256"
    ) -> Attempts:
        """The first good answer, asking in the given order; arguments as before.

        Raises:
            InputError: a name is unknown or a URL is none; nothing was asked then.
        """
        asked = [find_tsa(name).url for name in names]
        failures: list[Failure] = []
        for url in asked:
            try:
                return Attempts(
                    self.request_token(digest, url, algorithm=algorithm), tuple(failures)
                )
            except TimestampError as error:
                failures.append(Failure(url, error.message))
        return Attempts(None, tuple(failures))

    def _ask(self, tsa: Tsa, digest: bytes, algorithm: str) -> Answer:
        nonce = self.nonce()
        self._keep_pace(tsa)
        send = self.post or http_post
        response = send(tsa.url, make_request(digest, algorithm, nonce), _HEADERS)
        raw = parse_response(response, digest=digest, algorithm=algorithm, nonce=nonce)
        token = normalise_token(raw, roots=self.anchors.tsas)
        report = check_token(
            token, imprint=digest, anchors=self.anchors, now=self.clock(), algorithm=algorithm
        )
        for finding in report.findings:
            bad = finding.rule.status is Status.FAILED
            if bad or finding.code in ("timestamp.future", "timestamp.not-checked"):
                reason = finding.params.get("reason", finding.code)
                if finding.code == "timestamp.future":
                    reason = "its time lies in the future"
                raise TimestampError(f"the time stamp does not hold: {reason}")
        return Answer(token, response, tsa.url, report)

    def _keep_pace(self, tsa: Tsa) -> None:
        """Free services ask for a pause between requests; being cut off costs more."""
        before = self._last.get(tsa.url)
        if before is not None:
            pause = before + tsa.min_seconds - self.steady()
            if pause > 0:
                self.sleep(pause)
        self._last[tsa.url] = self.steady()


def http_post(url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """One POST with the limits of this module: no redirects, no cookies, no stored passwords.

    Raises:
        TimestampError: no usable answer; the message says why.
    """
    try:
        return in_time(lambda: _post(url, body, headers), TIMEOUT)
    except TimeoutError:
        raise _too_late(url) from None


def _too_late(url: str) -> TimestampError:
    return TimestampError(f"{urlsplit(url).hostname} did not answer within {TIMEOUT:.0f} s")


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    host = urlsplit(url).hostname
    try:
        with (
            bare_session(url) as session,
            session.post(
                url,
                data=body,
                headers=dict(headers),
                timeout=TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            return _receive(response, f"{host}")
    except requests.Timeout as error:
        raise _too_late(url) from error
    except (requests.RequestException, InputError, OSError) as error:
        raise TimestampError(
            f"{host} could not be reached: {cause_in_words(error)}",
            hint="check the address and the network, or name another authority",
        ) from error


def _receive(response: requests.Response, host: str) -> bytes:
    if response.status_code != requests.codes.ok:
        raise TimestampError(f"{host} answered with HTTP status {response.status_code}")
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != _REPLY:
        raise TimestampError(f"{host} answered with {kind[:60] or 'nothing'}, not a time stamp")
    received = b""
    for chunk in response.iter_content(_CHUNK):
        received += chunk
        if len(received) > MAX_TOKEN:
            raise TimestampError(f"{host} answered with more than {MAX_TOKEN} bytes")
    return received
