"""Events beside the example bundle, recorded by the real job with a clock and a TSA of our own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from evidence_kit.core.layout import custody_folder
from evidence_kit.core.verdict import Verdict
from evidence_kit.jobs.bundle import Stamp, Stamper
from evidence_kit.jobs.custody import Added, add_event
from evidence_kit.jobs.custody import destroy as destroy_job
from evidence_kit.jobs.verify_effort import MAX_EFFORT
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.custody import EventDetails
from evidence_kit.seal.signer import KeySigner
from tests.bundles import NOW, WHEN, authority, example, make_signer, signer, trusted
from tests.vector_tools import judged

LATER = NOW + timedelta(hours=6)
"""A verifier's clock after all events here."""


@cache
def police() -> KeySigner:
    """A second identity, of whoever receives the material."""
    return make_signer("Politie Voorbeeld")


@cache
def stranger() -> KeySigner:
    """Somebody whom nobody knows."""
    return make_signer("Onbekende")


def both() -> TrustAnchors:
    """Anchors that know the organisation, the police and the authority."""
    return TrustAnchors((signer().certificate, police().certificate), trusted().tsas)


def stamps(when: datetime) -> Stamper:
    """The test authority behind the seal's one question."""
    from evidence_kit.demo.tsa import answer
    from evidence_kit.seal.timestamp import make_request, parse_response

    def stamp(digest: bytes) -> Stamp:
        raw = answer(make_request(digest, "sha256", 7), authority(), when)
        token = parse_response(raw, digest=digest, algorithm="sha256", nonce=7)
        return Stamp(token, (), True, raw, when)

    return stamp


def record(
    bundle: Path,
    kind: str = "viewed",
    *,
    by: KeySigner | None = None,
    minutes: int = 10,
    stamped: bool = True,
    details: EventDetails | None = None,
) -> Added:
    """One event, ``minutes`` after the seal."""
    when = WHEN + timedelta(minutes=minutes)
    return add_event(
        bundle,
        kind,
        details or EventDetails(reason="voor de aangifte"),
        by or signer(),
        anchors=both(),
        clock=lambda: when,
        stamper=stamps(when) if stamped else None,
        receipts=bundle.parent / "receipts",
    )


def destroy(bundle: Path, *, reason: str = "bewaartermijn voorbij", minutes: int = 50) -> Added:
    when = WHEN + timedelta(minutes=minutes)
    return destroy_job(
        bundle,
        EventDetails(reason=reason),
        signer(),
        anchors=both(),
        clock=lambda: when,
        stamper=stamps(when),
        receipts=bundle.parent / "receipts",
    )


def chain_of(folder: Path, *, events: int = 3) -> Path:
    """The example bundle with events 0002, 0003, … after one another, the last by the police."""
    bundle = example().write(folder)
    kinds = ["viewed", "copied", "verified", "note", "exported"]
    for number in range(events - 1):
        record(bundle, kinds[number % len(kinds)], minutes=10 * (number + 1))
    record(bundle, "received", by=police(), minutes=10 * events)
    return bundle


def beside(bundle: Path, pattern: str) -> Path:
    """The one file of the custody folder that the pattern matches."""
    (found,) = custody_folder(bundle).glob(pattern)
    return found


def remove(bundle: Path, number: int) -> None:
    """Take one event away, both halves."""
    for path in custody_folder(bundle).glob(f"{number:04}-*"):
        path.unlink()


def misplaced(bundle: Path) -> None:
    """Give one event another number."""
    for path in custody_folder(bundle).glob("0002-*"):
        path.rename(path.with_name(path.name.replace("0002", "0009")))


def too_large(bundle: Path) -> None:
    """Put an event there that is larger than all that may be looked at."""
    with (custody_folder(bundle) / "0009-note.p7s").open("wb") as stream:
        stream.truncate(MAX_EFFORT + 1)


def custody_restored(bundle: Path) -> None:
    """Destroyed by the record, and yet there: somebody kept a copy."""
    data = bundle.read_bytes()
    destroy(bundle)
    bundle.write_bytes(data)


def fork(folder: Path) -> Path:
    """Two copies went their own ways after event 2, and their events came together again."""
    bundle = example().write(folder)
    record(bundle, "viewed")
    other = folder / "copy"
    other.mkdir()
    copy = other / bundle.name
    copy.write_bytes(bundle.read_bytes())
    custody_folder(copy).mkdir()
    for path in custody_folder(bundle).iterdir():
        (custody_folder(copy) / path.name).write_bytes(path.read_bytes())
    record(bundle, "copied", minutes=20)
    record(copy, "received", by=police(), minutes=30)
    for path in custody_folder(copy).glob("0003-*"):
        (custody_folder(bundle) / path.name).write_bytes(path.read_bytes())
    return bundle


def vector(
    change: Callable[[Path], object], *, events: int = 3, anchors: TrustAnchors | None = None
) -> Callable[[Path], Verdict]:
    """The verdict on a bundle whose chain was changed."""

    def made(folder: Path) -> Verdict:
        bundle = chain_of(folder, events=events)
        change(bundle)
        return judged(bundle, anchors=anchors or both(), now=LATER)

    return made
