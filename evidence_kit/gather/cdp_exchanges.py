"""The fallback recording: exchanges from passive DevTools events, labelled as what they are.

Bodies are decoded and header lines re-written, so every exchange says
``Representation.CDP``. Headers that speak of the coding on the wire would be false beside a
decoded body; they are kept under an ``X-Orig-`` name.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urldefrag, urlsplit

from playwright.async_api import Error as PlaywrightError

from evidence_kit.core.errors import CaptureError
from evidence_kit.core.exchange import Exchange, Representation, Source
from evidence_kit.gather.cdp_watch import CdpWatch, Seen
from evidence_kit.gather.cross_check import NETWORK_SCHEMES

BODY_BUFFER = 256 << 20
"""Bytes of bodies the browser holds for us; what is pushed out is recorded as missing."""

Mask = Callable[[bytes], bytes]
"""Takes secrets out of what is about to be written; leaves its length."""

_WIRE_CODING = frozenset({"content-encoding", "content-length", "transfer-encoding"})


@dataclass(frozen=True)
class Body:
    """A decoded body on disk, or why there is none."""

    path: Path | None
    why: str = ""


class BodyKeeper:
    """Fetch each body from the browser as soon as it is complete.

    Args:
        folder: private folder for the bodies.
        mask: applied to each body before it is written.
    """

    def __init__(self, folder: Path, mask: Mask = bytes) -> None:
        self._folder = folder
        self._mask = mask
        self._tasks: set[asyncio.Task[None]] = set()
        self._bodies: dict[int, Body] = {}
        self._watch: CdpWatch | None = None

    def follow(self, watch: CdpWatch) -> None:
        """Set the watch that bodies are asked of; it is made after the keeper."""
        self._watch = watch

    def keep(self, hop: Seen) -> None:
        """Called on the driver's loop when a hop is complete."""
        task = asyncio.ensure_future(self._fetch(hop))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self, seconds: float) -> None:
        """Wait for the bodies that are still being fetched."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds)

    def body(self, hop: Seen) -> Body:
        """What was kept of a hop."""
        return self._bodies.get(id(hop), Body(None, "body-not-kept"))

    async def _fetch(self, hop: Seen) -> None:
        if self._watch is None or not hop.sessions:
            return
        try:
            answer = await self._watch.send(
                hop.sessions, "Network.getResponseBody", requestId=hop.request_id
            )
        except (PlaywrightError, TimeoutError, ValueError):
            self._bodies[id(hop)] = Body(None, "body-not-given-by-the-browser")
            return
        data = answer.get("body", "")
        content = base64.b64decode(data) if answer.get("base64Encoded") else data.encode("utf-8")
        path = self._folder / f"body-{len(self._bodies) + 1:04}"
        path.write_bytes(self._mask(content))
        self._bodies[id(hop)] = Body(path)


def exchanges_from(
    seen: Iterable[Seen], folder: Path, keeper: BodyKeeper | None, mask: Mask = bytes
) -> tuple[Exchange, ...]:
    """Write one request and response file per hop.

    Args:
        seen: hops in the order of their start.
        folder: gets ``NNNN.request`` and ``NNNN.response``.
        keeper: holder of the bodies; None when none were kept.
        mask: applied to each message before it is written.

    Raises:
        CaptureError: a file cannot be written.
    """
    try:
        return tuple(_exchanges(seen, folder, keeper, mask))
    except OSError as error:
        raise CaptureError(f"cannot write to {folder}: {error.strerror}") from error


def _exchanges(
    seen: Iterable[Seen], folder: Path, keeper: BodyKeeper | None, mask: Mask
) -> Iterable[Exchange]:
    number, redirected_by = 0, dict[str, int]()
    for hop in seen:
        if not hop.url.startswith(NETWORK_SCHEMES):
            continue
        number += 1
        request = folder / f"{number:04}.request"
        request.write_bytes(mask(_request(hop)))
        response, notes, truncated = None, [], None
        if hop.status is not None:
            response = folder / f"{number:04}.response"
            body = Body(None) if hop.redirected else _body(hop, keeper)
            content = body.path.read_bytes() if body.path else b""
            if body.path is not None:
                body.path.unlink()
            response.write_bytes(mask(_response(hop, content, exact=body.path is not None)))
            if hop.redirected or body.why:
                notes.append(body.why or "redirect-body-not-given-by-the-browser")
                truncated = "unspecified"
            if hop.error:
                truncated = "disconnect"
        if hop.from_cache:
            notes.append("from-cache")
        if hop.from_service_worker:
            notes.append("from-service-worker")
        yield Exchange(
            number=number,
            url=urldefrag(hop.url).url,
            method=hop.method,
            started=datetime.fromtimestamp(hop.started, UTC),
            request=request,
            response=response,
            representation=Representation.CDP,
            source=Source.CDP,
            status=hop.status,
            protocols=(hop.protocol,) if hop.protocol else (),
            remote_address=hop.remote_address,
            remote_port=hop.remote_port,
            address_source="browser" if hop.remote_address else "",
            truncated=truncated,
            error=_error(hop),
            kind=_kind(hop),
            initiator="" if hop.top_navigation else hop.initiator,
            redirected_from=redirected_by.pop(hop.request_id, None),
            notes=tuple(notes),
        )
        if hop.redirected:
            redirected_by[hop.request_id] = number


def with_kinds(exchanges: Iterable[Exchange], seen: Iterable[Seen]) -> tuple[Exchange, ...]:
    """Fill in what requests were for, from DevTools, where their own headers do not say it.

    A request whose connection failed was never sent, so the network log holds no headers of it.
    """
    kinds = {(hop.method, urldefrag(hop.url).url): _kind(hop) for hop in seen}
    return tuple(
        replace(item, kind=item.kind or kinds.get((item.method, item.url), ""))
        for item in exchanges
    )


def _kind(hop: Seen) -> str:
    """In the words of the network log, in which the document of a frame is a ``frame``."""
    kind = hop.kind.lower()
    return "frame" if kind == "document" and not hop.top_navigation else kind


def _error(hop: Seen) -> str | None:
    if hop.error:
        return hop.error.removeprefix("net::")
    return "no-answer-reported" if hop.status is None else None


def _body(hop: Seen, keeper: BodyKeeper | None) -> Body:
    if hop.method == "HEAD" or hop.status in (204, 304):
        return Body(None)
    return keeper.body(hop) if keeper is not None else Body(None, "body-not-kept")


def _request(hop: Seen) -> bytes:
    parts = urlsplit(hop.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{hop.method} {target} HTTP/1.1"]
    if not any(name.lower() in ("host", ":authority") for name in hop.request_headers):
        lines.append(f"Host: {parts.netloc.rpartition('@')[2]}")
    for name, value in hop.request_headers.items():
        if name.lower() == ":authority":
            lines.insert(1, f"Host: {value}")
        elif not name.startswith(":"):
            lines.append(f"{name}: {value}")
    return _head(lines)


def _response(hop: Seen, body: bytes, *, exact: bool) -> bytes:
    lines = [f"HTTP/1.1 {hop.status} {hop.status_text}".rstrip()]
    for name, value in hop.response_headers.items():
        if name.startswith(":"):
            continue
        shown = f"X-Orig-{name}" if name.lower() in _WIRE_CODING else name
        # DevTools joins repeated headers with a line feed.
        lines += [f"{shown}: {item}" for item in value.split("\n")]
    if exact:
        lines.append(f"Content-Length: {len(body)}")
    return _head(lines) + body


def _head(lines: list[str]) -> bytes:
    clean = (line.replace("\r", " ").replace("\n", " ") for line in lines)
    return ("\r\n".join(clean) + "\r\n\r\n").encode("utf-8", "replace")
