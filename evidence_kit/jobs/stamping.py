"""Time stamps for the seal: the client of the outside behind the seal's one question."""

from __future__ import annotations

from collections.abc import Sequence

from evidence_kit.core.clock import Clock, iso
from evidence_kit.core.receipt import Contact
from evidence_kit.gather.revocation import fetch_revocation
from evidence_kit.gather.tsa_client import TsaClient
from evidence_kit.gather.tsa_list import known_tsas
from evidence_kit.jobs.bundle import Revocation, Revoker, Stamp, Stamper
from evidence_kit.seal.signer import Signer


def authorities(names: Sequence[str]) -> tuple[str, ...]:
    """The authorities to ask, in order: those named, else those that the program knows."""
    return tuple(names) or tuple(known_tsas())


def stamper(client: TsaClient, names: Sequence[str], clock: Clock) -> Stamper:
    """Ask ``names`` in order; the answer tells every contact, also those that failed.

    Args:
        client: how to ask.
        names: URLs, or names from ``tsa.toml``.
        clock: for the times of the contacts in the receipt.
    """

    def stamp(digest: bytes) -> Stamp:
        attempts = client.first_token(digest, names)
        contacts = [Contact(clock(), item.url, item.reason) for item in attempts.failures]
        answer = attempts.answer
        if answer is None:
            return Stamp(None, tuple(contacts))
        contacts.append(Contact(clock(), answer.url, f"token of {iso(answer.gen_time)}"))
        return Stamp(
            token=answer.token,
            contacts=tuple(contacts),
            trusted=answer.report.trusted,
            raw=answer.response,
            time=answer.gen_time,
        )

    return stamp


def revoker(clock: Clock) -> Revoker:
    """Ask the addresses in the signer's own certificates; none where it is self-signed."""

    def ask(signer: Signer) -> Revocation:
        chain = (signer.certificate, *signer.chain)
        found = fetch_revocation(chain, clock=clock)
        contacts = (Contact(item.time, item.url, item.result) for item in found.asked)
        return Revocation(found.lists, tuple(contacts), found.responses)

    return ask
