"""What a bundle holds twice, or does not hold: vectors, and attacks by its signer's hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from cryptography import x509

from evidence_kit.core.canonical_json import dumps, loads
from evidence_kit.core.clock import iso
from evidence_kit.core.streams import FILE, summary
from evidence_kit.seal.answer_match import MAX_FILE
from evidence_kit.seal.cades import attach_revocation
from tests import pki
from tests.bundles import POSTED, STATUS, WHEN, Case, example
from tests.ocsp_tools import answer, ca, leaf, responder
from tests.stream_tools import add_stream
from tests.test_wacz_read import record, sha
from tests.vector_tools import Vector, of_bytes, of_case

_GOOD: Vector = of_bytes(lambda: example().seal())


def first(**values: Any) -> Vector:
    """The good bundle whose first event says something else than its record."""

    def change(case: Case) -> None:
        case.edit_first = lambda event: {**event, **values}

    return of_case(change)


def stream_claims(change: Callable[[dict[str, Any]], object]) -> Case:
    """The good bundle with a stream of two parts; its one track is changed in the index."""
    case = example()
    add_stream(case)
    index = loads(case.files[FILE])
    change(index["streams"][0]["tracks"][0])
    case.files[FILE] = dumps(index)
    case.record["streams"] = summary(index)
    return case


def _stream(change: Callable[[dict[str, Any]], object]) -> Vector:
    return of_bytes(lambda: stream_claims(change).seal())


def _lost(case: Case) -> None:
    """The way from one part's address to another goes over what the browser still knew."""
    add_stream(case)
    index = loads(case.files[FILE])
    part = index["streams"][0]["tracks"][0]["parts"][0]
    part["url"] = "http://old.example/a.ts"
    case.files[FILE] = dumps(index)
    case.record["recording"]["cached"] = [{"url": part["url"], "reason": "cache"}]


SEEN = "http://127.0.0.1:1/api/v1/statuses/1"
API = "data/api/exchanges.warc"


def answers(
    *bodies: bytes, heads: bytes = b"", content: str = "exact", cut: int = 0, **more: str
) -> bytes:
    """An archive of our own requests: exchange 1 has the first body, and so on."""
    found = record("warcinfo", 1, b"software: test\r\n", Content_Type="application/warc-fields")
    for number, body in enumerate(bodies, 1):
        block = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + heads + b"\r\n" + body
        fields = {"X_Evidence_Exchange": str(number), "X_Evidence_Content": content, **more}
        if not heads:
            fields["WARC_Payload_Digest"] = sha(body)
        found += record("response", number + 1, block[: len(block) - cut], SEEN, **fields)
    return found


def named(*files: str, data: bytes = b"", first: int = 1) -> Callable[[Case], None]:
    """The record names these files as the answers of the exchanges, in order."""

    def change(case: Case) -> None:
        case.files[API] = data or answers(case.files["data/api/0001-status.json"])
        case.record["answers"] = [
            {"file": file, "exchange": number} for number, file in enumerate(files, first)
        ]

    return change


STATUS_FILE = "data/api/0001-status.json"
LIE = dumps({**STATUS, "content": "<p>Ik hou van je</p>"})


def _large(case: Case) -> None:
    """An answer in chunks that is more than can be taken apart."""
    case.files["data/media/film.mp4"] = bytes(MAX_FILE + 1)
    named("data/media/film.mp4", data=answers(b"0\r\n\r\n", heads=CHUNKED))(case)


MASK = b"REDACTED#1".ljust(len(POSTED), b"-")
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def _below(*responses: bytes, lists: tuple[bytes, ...] = ()) -> Vector:
    """A bundle by a signer below an authority, with what that authority and others answered."""

    def change(case: Case) -> None:
        case.sign_with, case.stamp = leaf(CA), None
        case.edit_signature = lambda p7s: attach_revocation(p7s, lists, responses)

    return of_case(change)


CA = ca()
_PLAIN, _SHORT = responder(CA), responder(CA, more=(x509.OCSPNoCheck(),))
_SUBJECT = leaf(CA).certificate
_WITHDRAWN = _below(
    answer(_SUBJECT, CA, by=_PLAIN),
    lists=(pki.revocation_list(CA.issuer, _PLAIN.parsed.serial_number, WHEN),),
)


TWICE: dict[str, Vector] = {
    "first-event.ok": _GOOD,
    "first-event.malformed": first(number=2),
    "first-event.differs": first(case="2026-999"),
    "stream.address-open": of_case(_lost),
    "signer.revocation-unknown": _below(),
    "signer.responder-unchecked": _below(answer(_SUBJECT, CA, by=_PLAIN)),
    "signer.responder-no-check": _below(answer(_SUBJECT, CA, by=_SHORT)),
    "signer.responder-withdrawn": _WITHDRAWN,
    "timestamp.revocation-unknown": _GOOD,
    "answer.ok": of_case(named(STATUS_FILE)),
    "answer.differs": of_case(named(STATUS_FILE, data=answers(LIE))),
    "answer.not-checked": of_case(_large),
    "answer.unnamed": _GOOD,
}
"""By finding code."""

LATE = WHEN + timedelta(hours=1)

TWICE_ATTACKS: dict[str, tuple[Vector, str]] = {
    "answer in the archive that is not the file": (
        of_case(named(STATUS_FILE, data=answers(LIE))),
        "answer.differs",
    ),
    "answer in chunks that is not the file": (
        of_case(named(STATUS_FILE, data=answers(b"3\r\nnot\r\n0\r\n\r\n", heads=CHUNKED))),
        "answer.differs",
    ),
    "file that names an answer which is not there": (
        of_case(named(STATUS_FILE, first=7)),
        "answer.differs",
    ),
    "answer masked more than the file, where nothing is said to be masked": (
        of_case(named(STATUS_FILE, data=answers(dumps(STATUS).replace(POSTED.encode(), MASK)))),
        "answer.differs",
    ),
    "part of a film under the address of another one": (
        _stream(lambda track: track["parts"][0].update(url=track["parts"][1]["url"])),
        "stream.differs",
    ),
    "part of a film that is another range": (
        _stream(lambda track: track["parts"][0].update(range=[3000, 5999])),
        "stream.differs",
    ),
    "part of a film as if the page had asked for it": (
        _stream(lambda track: track["parts"][0].update(refetched=False)),
        "stream.differs",
    ),
    "first event of another capture": (
        first(capture="20261101T100000Z-0011aabb"),
        "first-event.differs",
    ),
    "first event of another organisation": (
        first(organisation="Ander Ziekenhuis"),
        "first-event.differs",
    ),
    "first event at another time than the seal": (
        first(time=iso(LATE), seconds_until_sealing=3605.0),
        "first-event.differs",
    ),
    "first event that hides how long the seal took": (
        first(captured_until=iso(WHEN - timedelta(days=3))),
        "first-event.differs",
    ),
    "second event inside the bundle": (
        of_case(lambda case: case.tags.update({"custody/0002-note.json": b"{}"})),
        "first-event.malformed",
    ),
    "first event left out": (
        of_case(lambda case: setattr(case, "edit_first", None)),
        "first-event.malformed",
    ),
}
"""Name, what makes the verdict, and the finding that must be in it."""
