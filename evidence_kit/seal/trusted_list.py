"""What a country's trusted list says of a time-stamping service, at the moment of a stamp. Pure.

Whether a time stamp is "qualified" (eIDAS articles 41 and 42) follows from the trusted list of the
service's country (article 22; ETSI TS 119 612), never from what the service says of itself. A
list speaks for the time up to the day by which it was to be replaced, and is always quoted with
its date. It says nothing about trust: that stays with the anchors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from evidence_kit.core.clock import iso
from evidence_kit.core.findings import Finding
from evidence_kit.seal import x509
from evidence_kit.seal.x509 import Certificate


@dataclass(frozen=True)
class QualifiedService:
    """One service of type QTST while its status was "granted" (TS 119 612 clauses 5.5.1 and 5.5.4).

    Attributes:
        name: as the list gives it.
        certificates: DER of its digital identities: its own, or of the authority that issues its.
        since: when the status began, UTC.
        until: when another status followed; None where it still stood in the list.
    """

    name: str
    certificates: tuple[bytes, ...]
    since: datetime
    until: datetime | None

    def granted_at(self, moment: datetime) -> bool:
        """Whether the status held at ``moment``; it ends where the next one begins."""
        return self.since <= moment and (self.until is None or moment < self.until)


@dataclass(frozen=True)
class TrustedList:
    """The qualified time-stamping services of one national trusted list.

    Attributes:
        territory: country code as the list gives it, for example ``NL``.
        operator: who publishes the list.
        sequence: its number; each new list of a country has a higher one.
        issued: UTC.
        next_update: by when the next list is due; None for a list that was closed.
        sha256: of the file, hexadecimal.
        services: qualified time-stamping services only.
    """

    territory: str
    operator: str
    sequence: int
    issued: datetime
    next_update: datetime | None
    sha256: str
    services: tuple[QualifiedService, ...]

    def speaks_of(self, moment: datetime) -> bool:
        """Whether this list can say anything about ``moment`` (TS 119 612 clause 5.3.15)."""
        return moment <= (self.next_update or self.issued)

    def age(self, now: datetime) -> int:
        """Whole days since it was issued; never negative."""
        return max((now - self.issued).days, 0)


@dataclass(frozen=True)
class Qualification:
    """What the lists say about one stamp.

    Attributes:
        qualified: True and False only where a list names the service; else None.
        findings: ``timestamp.*`` of status INFO, one of them always.
        source: the list that decided.
    """

    qualified: bool | None
    findings: tuple[Finding, ...]
    source: TrustedList | None = None


def qualification(
    leaf: Certificate,
    others: Sequence[Certificate],
    lists: Sequence[TrustedList],
    *,
    moment: datetime,
    now: datetime,
) -> Qualification:
    """Whether the service behind a stamp was qualified when it stamped.

    Args:
        leaf: the certificate that signed the stamp.
        others: certificates that may lie between it and one on a list.
        lists: of any countries; of each only the newest counts.
        moment: the stamped time.
        now: the verifier's clock, for the age of a list.
    """
    newest = list(_newest(lists))
    speaking = [one for one in newest if one.speaks_of(moment)]
    outdated = tuple(
        Finding("timestamp.list-outdated", "", _quoted(one, now))
        for one in newest
        if one.next_update is not None and one.next_update < max(now, moment)
    )
    if not speaking:
        return Qualification(None, (Finding("timestamp.qualification-unknown"), *outdated))
    chain = x509.cover(leaf, others).used
    named = [
        (one, service) for one in speaking for service in one.services if _stands(chain, service)
    ]
    for one, service in named:
        if service.granted_at(moment):
            found = Finding("timestamp.qualified", "", _of_service(one, service, now))
            return Qualification(
                qualified=True, findings=(found, *_about(outdated, one)), source=one
            )
    if named:
        one, service = named[-1]
        found = Finding("timestamp.not-qualified", "", _of_service(one, service, now))
        return Qualification(qualified=False, findings=(found, *_about(outdated, one)), source=one)
    which = "; ".join(f"{one.territory} {iso(one.issued)[:10]}" for one in speaking)
    return Qualification(None, (Finding("timestamp.not-listed", "", {"lists": which}), *outdated))


def _newest(lists: Sequence[TrustedList]) -> Iterator[TrustedList]:
    by_territory: dict[str, TrustedList] = {}
    for one in lists:
        other = by_territory.get(one.territory)
        if other is None or (one.sequence, one.issued) > (other.sequence, other.issued):
            by_territory[one.territory] = one
    yield from (by_territory[territory] for territory in sorted(by_territory))


def _about(findings: Sequence[Finding], one: TrustedList) -> tuple[Finding, ...]:
    """Only what concerns the list that decided."""
    return tuple(f for f in findings if f.params["territory"] == one.territory)


def _quoted(one: TrustedList, now: datetime) -> dict[str, str]:
    """A list as it is quoted: whose, which, of when, and how old."""
    return {
        "territory": one.territory,
        "sequence": str(one.sequence),
        "issued": iso(one.issued)[:10],
        "due": iso(one.next_update)[:10] if one.next_update else "-",
        "age": str(one.age(now)),
    }


def _of_service(one: TrustedList, service: QualifiedService, now: datetime) -> dict[str, str]:
    until = iso(service.until)[:10] if service.until else "-"
    since = iso(service.since)[:10]
    return {**_quoted(one, now), "service": service.name, "since": since, "until": until}


def _stands(chain: Sequence[Certificate], service: QualifiedService) -> bool:
    """The stamp's certificate, or an authority above it, is a digital identity of the service.

    An identity that is no authority stands for itself only (TS 119 612 clause 5.5.3).
    """
    if chain[0].encoded in service.certificates:
        return True
    for encoded in service.certificates:
        # Its subject stands in it as encoded: most are ruled out without being read.
        below = [one for one in chain if one.issuer in encoded]
        if not below:
            continue
        try:
            identity = x509.load(encoded)
        except x509.CertificateError:
            continue
        if x509.is_authority(identity) and any(x509.issued_by(one, identity) for one in below):
            return True
    return False
