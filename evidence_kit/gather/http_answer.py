"""What a direct request ends in: an answer, a failure that can be named, or another address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

import requests

from evidence_kit.core.clock import parse_iso
from evidence_kit.core.errors import NetworkError
from evidence_kit.core.exchange import Exchange

REDIRECT_STATUS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class Answer:
    """What came back on the last hop.

    Attributes:
        exchange: the last attempt; earlier hops and attempts stand in ``session.exchanges``.
        url: where the answer came from, after redirects.
        headers: names in lower case; repeated ones joined with a comma.
        body: without transfer and content coding; a path where it went to a file.
        decoded: the content coding taken off, empty where the body is as served.
    """

    exchange: Exchange
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes | Path
    decoded: str = ""

    @property
    def complete(self) -> bool:
        """Whether the whole body came; ``exchange.truncated`` says why not."""
        return self.exchange.truncated is None

    @property
    def data(self) -> bytes:
        """The body where it is in memory; a body in a file is not read whole."""
        if isinstance(self.body, Path):
            raise TypeError("this body was streamed to a file")
        return self.body


@dataclass(frozen=True)
class Failure:
    """No answer came; ``again`` says whether trying again makes sense."""

    exchange: Exchange
    error: NetworkError
    again: bool


def retry_time(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """When a server wants to be asked again, or None where it does not say.

    Reads ``Retry-After`` (RFC 9110 section 10.2.3: seconds or a date), then the
    ``X-RateLimit-Reset`` that Mastodon gives as an ISO 8601 time. ``headers`` in lower case.
    """
    after = headers.get("retry-after", "").strip()
    if after.isdecimal() and len(after) <= 9:
        return now + timedelta(seconds=int(after))
    for text, parse in ((after, parsedate_to_datetime), (_reset(headers), parse_iso)):
        try:
            moment = parse(text)
        except (TypeError, ValueError):
            continue
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return None


def _reset(headers: Mapping[str, str]) -> str:
    return headers.get("x-ratelimit-reset", "").strip()


def failure_of(exchange: Exchange, error: Exception) -> Failure:
    """Name what went wrong; the reason never holds a header that we sent."""
    host = host_of(exchange.url)
    reason = cause_in_words(error)
    if isinstance(error, requests.exceptions.SSLError):
        name, words, again = "tls-failed", f"the TLS connection to {host} is not trusted", False
        hint = "behind an inspecting proxy, name your organisation's CA in REQUESTS_CA_BUNDLE"
    elif isinstance(error, requests.exceptions.ReadTimeout):
        name, words, again = "timed-out", f"{host} did not answer in time", False
        hint = "try again later"
    elif isinstance(error, requests.exceptions.ConnectionError):
        name, words, again = "connect-failed", f"{host} cannot be reached", True
        hint = "check the network and the address"
    else:
        # The text of these errors may quote a header, and with it a token.
        name, words, again = "bad-request", f"the request to {host} could not be made", False
        reason, hint = type(error).__name__, "check the address and the token"
    noted = replace(exchange, error=name, notes=(f"reason: {reason}",))
    return Failure(noted, NetworkError(f"{words}: {reason}", hint=hint), again)


def cause_in_words(error: BaseException) -> str:
    """The first cause in a few words, without addresses of Python objects."""
    seen: BaseException = error
    for _ in range(10):
        inner = seen.__cause__ or seen.__context__
        if inner is None:
            break
        seen = inner
    text = getattr(seen, "verify_message", "") or getattr(seen, "strerror", None) or str(seen)
    return " ".join(str(text or type(seen).__name__).split())[:200].rstrip(".").lower()


def redirect_target(method: str, answer: Answer) -> str | None:
    """Where an answer sends us, None where it does not or not to a web address."""
    location = answer.headers.get("location")
    if method not in ("GET", "HEAD") or answer.status not in REDIRECT_STATUS or not location:
        return None
    try:
        target = urldefrag(urljoin(answer.url, location)).url
    except ValueError:
        return None
    return target if is_web_address(target) else None


def is_web_address(url: str) -> bool:
    """Whether it is http(s) with a host and a port that can exist."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def status_on_file(response: Path) -> int | None:
    """The final status as the recorded bytes have it; interim 100 answers are skipped."""
    with response.open("rb") as stream:
        for _ in range(10):
            parts = stream.readline(1 << 16).split(None, 2)
            if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit():
                return None
            if parts[1] != b"100":
                return int(parts[1])
            while stream.readline(1 << 16).strip():
                pass
    return None


def origin_of(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port of a web address (RFC 6454)."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def host_of(url: str) -> str:
    """The host of a web address, for messages."""
    return urlsplit(url).hostname or "the server"
