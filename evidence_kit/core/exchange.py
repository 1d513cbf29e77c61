"""One HTTP exchange as it was seen, whoever saw it: the browser's log, CDP, or our own session."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path


class Representation(StrEnum):
    """How true the bytes are to the wire; stands in every WARC record (peers' defect 3)."""

    WIRE = "wire"
    """HTTP/1.x: request and response exactly as they passed inside TLS."""

    H2_REWRITTEN = "h2-headers-rewritten"
    """HTTP/2: DATA exact, header lines written from the decoded header fields."""

    CDP = "cdp-decoded"
    """Reported by the DevTools protocol: body decoded, header lines re-written."""


class Source(StrEnum):
    """Who reported the exchange, and whose bytes it has."""

    RELAY = "evidence-kit-relay"
    """The browser's network log reported it; the bytes were copied on their way to the browser,
    TLS opened with the browser's keys."""

    NETLOG = "chromium-netlog"
    CDP = "chromium-cdp"
    SESSION = "evidence-kit-http"


@dataclass(frozen=True)
class TlsSeen:
    """The TLS connection that carried the bytes, as the client itself saw it (C3).

    Attributes:
        version: as in ``TLS 1.3``.
        cipher: IANA name or ``0x1301`` form; empty where the source does not tell.
        chain: DER certificates as received, leaf first.
        alpn: negotiated protocol, empty if none.
        verdict: ``trusted``, or the client's own error name; empty where it gave none.
    """

    version: str
    cipher: str
    chain: tuple[bytes, ...]
    alpn: str = ""
    verdict: str = ""


@dataclass(frozen=True)
class Exchange:
    """One request and what came back.

    ``request`` and ``response`` are files holding head and body as one HTTP message each;
    ``response`` is None when nothing came back, and then ``error`` says why. The bytes are
    unredacted and live in the private work folder only.

    Attributes:
        number: order of the request's start within its source, from 1.
        url: absolute, without fragment.
        started: UTC.
        status: the final response's code; None without a response.
        protocols: for ``WARC-Protocol``: ``http/1.1`` or ``h2``, and ``tls/1.3`` where used.
        remote_address: IP address that the bytes came from, None where it is unknown.
        address_source: who says so: ``browser``, ``guard``, ``session``.
        truncated: the ``WARC-Truncated`` reason (``disconnect``, ``length``, ``time``) or None.
        error: network error name such as ``ERR_NAME_NOT_RESOLVED``, None if there was none.
        kind: resource type where known: ``document``, ``script``, ``xhr``, ``image``, ``media``…
        initiator: origin that asked for it; empty for the user's own navigation.
        redirected_from: number of the exchange whose redirect led here, None otherwise.
        local_port: the client's own TCP port, to join with the egress guard's log.
        notes: further facts for the record, such as ``from-cache`` or ``refetched``.
    """

    number: int
    url: str
    method: str
    started: datetime
    request: Path
    response: Path | None
    representation: Representation
    source: Source
    status: int | None = None
    protocols: tuple[str, ...] = ()
    remote_address: str | None = None
    remote_port: int | None = None
    address_source: str = ""
    tls: TlsSeen | None = None
    truncated: str | None = None
    error: str | None = None
    kind: str = ""
    initiator: str = ""
    redirected_from: int | None = None
    local_port: int | None = None
    notes: tuple[str, ...] = field(default=())
