"""Lines of a network log as a browser would write them, made by hand and of numbers of its own."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from evidence_kit.seal.netlog import NetLogReader, Recording

EVENTS = [
    "REQUEST_ALIVE",
    "URL_REQUEST_START_JOB",
    "HTTP_STREAM_REQUEST_BOUND_TO_JOB",
    "SOCKET_IN_USE",
    "HTTP_TRANSACTION_SEND_REQUEST_HEADERS",
    "HTTP_TRANSACTION_READ_RESPONSE_HEADERS",
    "SOCKET_BYTES_SENT",
    "SOCKET_BYTES_RECEIVED",
    "SSL_SOCKET_BYTES_SENT",
    "SSL_SOCKET_BYTES_RECEIVED",
    "SSL_CONNECT",
    "TCP_CONNECT",
    "CERT_VERIFIER_JOB",
    "HTTP2_SESSION_INITIALIZED",
    "HTTP2_SESSION_SEND_HEADERS",
    "HTTP_TRANSACTION_HTTP2_SEND_REQUEST_HEADERS",
    "HTTP_TRANSACTION_READ_EARLY_HINTS_RESPONSE_HEADERS",
    "HTTP_TRANSACTION_RESTART_AFTER_ERROR",
    "URL_REQUEST_REDIRECTED",
    "SSL_CERTIFICATES_RECEIVED",
    "HOST_RESOLVER_MANAGER_JOB",
    "HOST_RESOLVER_DNS_TASK_EXTRACTION_RESULTS",
    "FAILED",
    "CANCELLED",
    "URL_REQUEST_DELEGATE_RESPONSE_STARTED",
    "SSL_HANDSHAKE_MESSAGE_SENT",
]
NUMBERS = {name: 700 - place * 3 for place, name in enumerate(EVENTS)}  # unlike any real version
CONSTANTS = {
    "logEventTypes": NUMBERS,
    "logSourceType": {"URL_REQUEST": 4, "SOCKET": 9},
    "netError": {"ERR_EMPTY_RESPONSE": -324, "ERR_ABORTED": -3},
    "logEventPhase": {"PHASE_BEGIN": 1, "PHASE_END": 2, "PHASE_NONE": 0},
    "timeTickOffset": "1795000000000",
}
HEADER = json.dumps({"constants": CONSTANTS})[:-1].encode() + b",\n"


def event(name: str, source: int, phase: int = 0, **params: Any) -> bytes:
    value = {
        "params": params,
        "phase": phase,
        "source": {"id": source, "start_time": "1", "type": 4},
        "time": "5",
        "type": NUMBERS[name],
    }
    return json.dumps(value, separators=(",", ":")).encode() + b",\n"


def data(name: str, source: int, text: bytes) -> bytes:
    coded = base64.b64encode(text).decode()
    return event(name, source, byte_count=len(text), bytes=coded)


def depends(number: int) -> dict[str, int]:
    return {"id": number, "type": 3}


def one_exchange(request: int, job: int, socket: int, sent: bytes, got: bytes) -> list[bytes]:
    line, *fields = sent.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    return [
        event(
            "URL_REQUEST_START_JOB",
            request,
            1,
            url=f"http://a.example/{request}#x",
            method=line.split(" ")[0],
            initiator="http://a.example",
            network_isolation_key="http://a.example http://a.example",
            request_type="other",
        ),
        event("SOCKET_IN_USE", socket, 1, source_dependency=depends(job)),
        event("HTTP_STREAM_REQUEST_BOUND_TO_JOB", request, source_dependency=depends(job)),
        event("HTTP_TRANSACTION_SEND_REQUEST_HEADERS", request, headers=fields, line=line + "\r\n"),
        data("SOCKET_BYTES_SENT", socket, sent),
        data("SOCKET_BYTES_RECEIVED", socket, got[:20]),
        data("SOCKET_BYTES_RECEIVED", socket, got[20:]),
        event("SOCKET_IN_USE", socket, 2),
    ]


def read(folder: Path, lines: list[bytes]) -> Recording:
    reader = NetLogReader(folder)
    for line in lines:
        reader.feed(line)
    return reader.finish()
