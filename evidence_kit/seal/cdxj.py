"""CDXJ lines: which address stands at which place of the WARC, for replay (pywb, replayweb.page).

A request with a body gets the method and the canonical form of its body appended to its key, after
https://specs.webrecorder.net/request-body-canonicalization/latest/.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from datetime import UTC
from email.errors import MessageError
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import unquote_plus, urlencode

from evidence_kit.core.limits import MAX_JSON_DEPTH
from evidence_kit.seal.http_message import BadMessageError, body_chunks, measure
from evidence_kit.seal.surt import index_key
from evidence_kit.seal.warc import RecordInfo

MAX_QUERY = 4096
"""Characters of a request body in a key; the limit that replay tools use too."""

MAX_BODY = 1 << 20
"""Bytes of a request body that is canonicalised; a longer one is an upload, replayed by URL."""

LEFT_OUT = frozenset({"OPTIONS", "HEAD"})
"""Methods that replay never asks for."""

_BAD_FORM = (AttributeError, LookupError, MessageError, RecursionError, TypeError, ValueError)
"""What the standard library's reader of mail raises on damaged forms; a page writes its own."""


def index_lines(records: Iterable[RecordInfo], filename: str) -> list[bytes]:
    """Sorted lines for every response that can be replayed; no cookie, no header values.

    A response whose address no key can be made of stands in the WARC and in no line.

    Args:
        records: as the writer returned them.
        filename: name of the WARC within ``archive/``.
    """
    lines = []
    for record in records:
        if record.kind != "response" or not record.url.startswith(("http:", "https:")):
            continue
        status = record.status
        if status is None or status < 200 or record.method in LEFT_OUT:
            continue
        entry: dict[str, Any] = {
            "url": record.url,
            "mime": record.mime or "unk",
            "status": str(status),
            "digest": record.digest,
            "length": str(record.length),
            "offset": str(record.offset),
            "filename": filename,
        }
        body = ""
        if record.method not in ("GET", ""):
            body = request_query(record)
            entry["method"] = record.method
            entry["requestBody"] = body
        try:
            key = index_key(record.url, record.method, body)
        except ValueError:  # an address that cannot be taken apart: nothing asks for it on replay
            continue
        stamp = record.when.astimezone(UTC).strftime("%Y%m%d%H%M%S")
        lines.append(f"{key} {stamp} {json.dumps(entry)}\n".encode())
    return sorted(lines)


def request_query(record: RecordInfo) -> str:
    """The canonical form of a request's body, empty where it has none that counts."""
    if record.request is None or record.method not in ("POST", "PUT"):
        return ""
    try:
        message = measure(record.request)
    except BadMessageError:
        return ""
    if message.size - message.body > MAX_BODY:
        return ""
    body = b"".join(body_chunks(record.request, message))
    content_type = message.head.first(b"content-type").decode("latin-1")
    return canonical_body(content_type, body)[:MAX_QUERY]


def canonical_body(content_type: str, body: bytes) -> str:
    """A body as query text: form fields, JSON leaves, or base64 of anything else."""
    kind = content_type.lower()
    binary = "__wb_post_data=" + base64.b64encode(body).decode()
    if kind.startswith("application/x-www-form-urlencoded"):
        try:
            return unquote_plus(body.decode("utf-8"))
        except UnicodeDecodeError:
            return binary
    if kind.startswith("multipart/"):
        return _multipart(content_type, body) or binary
    if kind.startswith(("application/json", "text/plain")):
        try:
            return _json_query(body)
        except ValueError:
            return "" if kind.startswith("application/json") else binary
    return binary


def _multipart(content_type: str, body: bytes) -> str:
    """Field values of a form (RFC 7578); empty where it does not parse."""
    if "boundary=" not in content_type:
        return ""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    values: list[tuple[str, bytes]] = []
    try:
        form = BytesParser(policy=HTTP).parsebytes(head + body)
        for part in form.iter_parts() if form.is_multipart() else ():
            name = part.get_param("name", header="content-disposition")
            data = part.get_payload(decode=True)
            if isinstance(name, str) and isinstance(data, bytes):
                values.append((name, data))
        return urlencode(values)
    except _BAD_FORM:
        return ""


def _json_query(body: bytes) -> str:
    """Leaves of a JSON document (or of JSON lines) under their nearest key."""
    found: dict[str, str] = {}
    repeats: dict[str, int] = {}

    def walk(value: Any, name: str, depth: int) -> None:
        if depth > MAX_JSON_DEPTH:
            raise ValueError("nested too deep")
        if isinstance(value, dict):
            for key, item in value.items():
                walk(item, key, depth + 1)
        elif isinstance(value, list):
            for item in value:
                walk(item, name, depth + 1)
        elif name:
            key = name
            if key in found:
                repeats[name] = repeats.get(name, 1) + 1
                key = f"{name}.{repeats[name]}_"
            found[key] = str(value)

    try:
        try:
            walk(json.loads(body), "", 0)
        except json.JSONDecodeError:
            if b"\n" not in body:
                raise
            for line in body.split(b"\n"):
                walk(json.loads(line), "", 0)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    return urlencode(found)
