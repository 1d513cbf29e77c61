"""The main document as the browser received it, for adapters that read the page itself."""

from __future__ import annotations

import re
from typing import Any

from evidence_kit.core.exchange import Exchange
from evidence_kit.gather.page_types import PageRecording
from evidence_kit.platforms.base import Page
from evidence_kit.seal.http_message import (
    BadMessageError,
    body_chunks,
    can_decode,
    decode,
    measure,
)

MAX_DOCUMENT = 32 << 20
"""Bytes of HTML, decoded; the largest real pages are a few MiB."""

_CHARSET = re.compile(rb'charset\s*=\s*"?([A-Za-z0-9._:-]+)', re.IGNORECASE)


def main_document(page: PageRecording[Any]) -> Page | None:
    """The last document of the main frame, None where none came or it cannot be decoded."""
    exchange = _find(page)
    if exchange is None or exchange.response is None:
        return None
    try:
        message = measure(exchange.response, method=exchange.method)
        head = message.head
        if not can_decode(head.codings):
            return None
        body = b"".join(decode(body_chunks(exchange.response, message), head.codings, MAX_DOCUMENT))
    except BadMessageError:
        return None
    charset = _CHARSET.search(head.first(b"content-type"))
    return Page(
        url=page.final_url or exchange.url,
        html=body,
        charset=charset[1].decode("ascii") if charset else "",
    )


def main_headers(page: PageRecording[Any]) -> dict[str, str]:
    """Header fields of that document, names in lower case, the first of each; empty without one."""
    exchange = _find(page)
    if exchange is None or exchange.response is None:
        return {}
    try:
        head = measure(exchange.response, method=exchange.method).head
    except BadMessageError:
        return {}
    found: dict[str, str] = {}
    for name, value in head.fields:
        found.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    return found


def _find(page: PageRecording[Any]) -> Exchange | None:
    url = (page.final_url or page.requested_url).partition("#")[0]
    found = [
        item
        for item in page.recording.exchanges
        if item.url == url and item.method == "GET" and item.status == page.status
    ]
    documents = [item for item in found if item.kind == "document"]
    return next(iter(documents or found), None)
