"""Redaction of what is no body (framing, trailers, bytes behind a message), and of own data."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence_kit.seal.redact import Redactor
from tests.test_redact import SECRET, content, exchange, knowing, run

FRAMED = {
    "across the end of the body": b"Content-Length: 9\r\n\r\nab=" + SECRET + b"z",
    "all but its last byte in the body": b"Content-Length: 19\r\n\r\n" + SECRET,
    "in a chunk extension": b"Transfer-Encoding: chunked\r\n\r\n2;x="
    + SECRET
    + b"\r\nab\r\n0\r\n\r\n",
    "in a trailer": b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx-t: "
    + SECRET
    + b"\r\n\r\n",
    "behind the last chunk": b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECRET,
}


@pytest.mark.parametrize("where", FRAMED)
def test_framing_hides_no_secret(tmp_path: Path, where: str) -> None:
    """Values that stand in no body, or only partly: a wrong length must not keep one in."""
    response = b"HTTP/1.1 200 OK\r\n" + FRAMED[where]
    done = run(tmp_path, exchange(tmp_path / "in", response=response), knowing(SECRET))
    _, left = content(done)
    assert SECRET[:12] not in left
    assert len(left) == len(response)
    assert b"ab" in left or b"ab" not in response
    assert done.items


def test_what_is_the_operators_own_is_masked_whatever_it_looks_like() -> None:
    redactor = Redactor()
    redactor.learn_private("address", "jan@voorbeeld.nl")
    redactor.learn_private("short", "ab")
    data = b'{"email":"jan@voorbeeld.nl","x":"jan%40voorbeeld.nl","y":"ab"}'
    masked, items = redactor.redact_bytes(data, "a.json")
    assert b"voorbeeld" not in masked
    assert b'"y":"ab"' in masked
    assert {item.marker for item in items} == {"REDACTED#1"}


@pytest.mark.parametrize(("method", "length"), [("HEAD", 5), ("GET", 5), ("GET", 0)])
def test_bytes_behind_a_message_are_searched_too(tmp_path: Path, method: str, length: int) -> None:
    """A server may answer HEAD with a body, or say less length than it sends."""
    secret = b"k2J9xQ7vLm4TzR8wPb3NcY6h"
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length
    wire = head + b"hello " + secret + b" end"
    item = exchange(
        tmp_path,
        method.encode() + b" / HTTP/1.1\r\nCookie: sid=" + secret + b"\r\n\r\n",
        wire,
    )
    done = run(tmp_path, item)
    data = content(done)[1]
    assert secret not in data
    (found,) = [entry for entry in done.items if entry.side == "response"]
    ((start, end),) = found.ranges
    assert data[:start] + secret + data[end:] == wire
