"""Trust from outside the bundle: who is trusted, and whether a certificate leads there.

Nothing is trusted implicitly, neither the system's roots nor what a bundle brings along.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar

from cryptography import x509 as pyca

from evidence_kit.core.limits import MAX_SIGNATURE
from evidence_kit.seal import ocsp, x509
from evidence_kit.seal.trusted_list import TrustedList
from evidence_kit.seal.x509 import Certificate

_T = TypeVar("_T")

MAX_ANCHORS = 1_000
"""Certificates in one trust list; the EU's lists name a few hundred services per country."""


@dataclass(frozen=True)
class TrustAnchors:
    """Certificates that the user trusts, DER each.

    Attributes:
        signers: trusted signers themselves (self-signed or not), and authorities whose
            certificates are trusted.
        tsas: the same for time-stamping authorities.
        lists: trusted lists, which say who is qualified and make nobody trusted.
    """

    signers: tuple[bytes, ...] = ()
    tsas: tuple[bytes, ...] = ()
    lists: tuple[TrustedList, ...] = ()


class Path(StrEnum):
    """Where a certificate leads."""

    TRUSTED = "trusted"
    UNKNOWN = "unknown"
    INVALID = "invalid"


@dataclass(frozen=True)
class PathReport:
    """The answer for one certificate; ``reason`` in English, for the technical part of a report."""

    path: Path
    reason: str = ""


def find_path(
    leaf: Certificate,
    others: Sequence[Certificate],
    anchors: Sequence[bytes],
    moment: datetime,
    *,
    usage: str | None = None,
) -> PathReport:
    """Whether ``leaf`` is an anchor itself, or leads to one by RFC 5280 section 6 at ``moment``.

    A leaf that is an anchor is trusted as it stands; its own validity is the caller's check, as
    is that of every other leaf. Revocation is judged apart (:func:`revoked_by`).

    Args:
        leaf: the certificate in question.
        others: certificates that may lie between.
        anchors: DER of what is trusted; those without CA rights vouch for themselves only.
        moment: when the path must be valid.
        usage: extended key usage the leaf needs, as pyHanko names it.
    """
    if leaf.encoded in anchors:
        return PathReport(Path.TRUSTED)
    roots = [root for root in (x509.load(one) for one in anchors) if x509.is_authority(root)]
    if not _leads_to(leaf, [*others, *roots], {root.encoded for root in roots}):
        return PathReport(Path.UNKNOWN, "no certificate path to a trusted one")
    return at_once(_validate(leaf, others, roots, moment, usage))


def _leads_to(leaf: Certificate, pool: Sequence[Certificate], roots: set[bytes]) -> bool:
    """Cheap search first: the library takes most of a second to load."""
    chain = x509.cover(leaf, pool).used
    return any(one.encoded in roots for one in chain)


async def _validate(
    leaf: Certificate,
    others: Sequence[Certificate],
    roots: Sequence[Certificate],
    moment: datetime,
    usage: str | None,
) -> PathReport:
    from asn1crypto import x509 as asn1
    from pyhanko_certvalidator import CertificateValidator, ValidationContext
    from pyhanko_certvalidator.errors import InvalidCertificateError, PathError, ValidationError

    context = ValidationContext(
        trust_roots=[asn1.Certificate.load(root.encoded) for root in roots],
        other_certs=[asn1.Certificate.load(one.encoded) for one in others],
        moment=moment,
        allow_fetching=False,
        revocation_mode="soft-fail",
    )
    validator = CertificateValidator(
        asn1.Certificate.load(leaf.encoded), validation_context=context
    )
    try:
        await validator.async_validate_usage(  # type: ignore[no-untyped-call]
            key_usage=set(), extended_key_usage={usage} if usage else set()
        )
    except (ValidationError, PathError, InvalidCertificateError) as error:
        return PathReport(Path.INVALID, str(error))
    return PathReport(Path.TRUSTED)


def at_once(work: Coroutine[Any, Any, _T]) -> _T:
    """What a coroutine gives that waits for nothing, without an event loop.

    The library's interface is asynchronous because it could fetch; here it may not. A loop would
    open sockets of its own, on Windows even a connection over loopback, and verifying opens none.

    Raises:
        RuntimeError: it waits for something after all.
    """
    try:
        work.send(None)
    except StopIteration as ended:
        result: _T = ended.value
        return result
    work.close()
    raise RuntimeError("a computation waits for something from outside")


@dataclass(frozen=True)
class RevocationList:
    """One certificate revocation list (RFC 5280 section 5) and its DER."""

    encoded: bytes
    parsed: pyca.CertificateRevocationList = field(compare=False)


def load_revocation_list(encoded: bytes) -> RevocationList:
    """Read one list.

    Raises:
        x509.CertificateError: it cannot be read.
    """
    try:
        tbs, algorithm = x509.signed_parts(encoded, max_bytes=MAX_SIGNATURE)
        if all(node.raw != algorithm for node in tbs.children[:2]):
            raise x509.CertificateError("a revocation list with two signature algorithms")
        return RevocationList(encoded, pyca.load_der_x509_crl(encoded))
    except x509.UNREADABLE as error:
        raise x509.CertificateError(f"a revocation list that cannot be read: {error}") from error


@lru_cache(maxsize=x509.KEPT_ANSWERS)
def made_by(crl: RevocationList, issuer: Certificate) -> bool:
    """Whether ``issuer``'s name and key stand behind the list."""
    if crl.parsed.issuer != issuer.parsed.subject:
        return False
    try:
        return bool(crl.parsed.is_signature_valid(issuer.parsed.public_key()))  # type: ignore[arg-type]
    except x509.UNREADABLE:
        return False


@dataclass(frozen=True)
class RevocationData:
    """What authorities say of certificates: their lists, and their answers to a question (OCSP)."""

    lists: tuple[RevocationList, ...] = ()
    responses: tuple[ocsp.Response, ...] = ()


def _answers(
    one: Certificate, chain: Sequence[Certificate], data: RevocationData
) -> Iterator[ocsp.Answer]:
    """What the issuers of ``one`` in ``chain`` answered about it."""
    for parent in chain:
        if not data.responses or not x509.issued_by(one, parent):
            continue
        for response in data.responses:
            answer = ocsp.answer_about(response, one, parent)
            if answer is not None and ocsp.answers_for(response, parent):
                yield answer


def says_nothing(response: ocsp.Response, chain: Sequence[Certificate]) -> bool:
    """Whether an answer serves no purpose: of nobody in ``chain``, by nobody entitled, unknown."""
    alone = RevocationData(responses=(response,))
    return not any(
        answer.standing is not ocsp.Standing.UNKNOWN
        for one in chain
        for answer in _answers(one, chain, alone)
    )


def revoked_by(
    chain: Sequence[Certificate], data: RevocationData
) -> tuple[Certificate, datetime] | None:
    """The first certificate of ``chain`` that its issuer says is revoked, and since when.

    Where lists and answers give several times, the earliest counts.
    """
    for one in chain:
        moments = [
            answer.revoked for answer in _answers(one, chain, data) if answer.revoked is not None
        ]
        for crl in data.lists:
            if not any(x509.issued_by(one, parent) and made_by(crl, parent) for parent in chain):
                continue
            entry = crl.parsed.get_revoked_certificate_by_serial_number(one.serial)
            if entry is not None:
                moments.append(_not_to_be_relied_on_since(entry))
        if moments:
            return one, min(moments)
    return None


def _not_to_be_relied_on_since(entry: pyca.RevokedCertificate) -> datetime:
    """The revocation's date, or the earlier one from which the key may have been in other hands.

    RFC 5280 section 5.3.2: revocation comes days after a theft; the invalidity date says when it
    was. What the thief sealed in between counts for nothing.
    """
    try:
        found = entry.extensions.get_extension_for_class(pyca.InvalidityDate)
    except pyca.ExtensionNotFound:
        return entry.revocation_date_utc
    return min(found.value.invalidity_date_utc, entry.revocation_date_utc)


class Responder(StrEnum):
    """What is known of whether the certificate of somebody who answered was itself revoked."""

    LISTED = "listed"
    """A list of its issuer is there and does not name it."""

    NO_CHECK = "no-check"
    """Its issuer says that nobody need ask (RFC 6960 section 4.2.2.2.1)."""

    UNCHECKED = "unchecked"
    """Nothing says."""

    WITHDRAWN = "withdrawn"
    """A list of its issuer names it: what it answered does not show that anything stands."""


def responders(chain: Sequence[Certificate], data: RevocationData) -> dict[Certificate, Responder]:
    """Everybody whom an issuer in ``chain`` named for answering, and who answered."""
    found = {}
    for response in data.responses:
        for parent in chain if response.certificates else ():
            if ocsp.answers_for(response, parent):
                one = response.certificates[0]
                found[one] = _standing_of_responder(one, parent, data.lists)
    return found


def _standing_of_responder(
    one: Certificate, issuer: Certificate, lists: Sequence[RevocationList]
) -> Responder:
    own = [crl for crl in lists if made_by(crl, issuer)]
    if any(crl.parsed.get_revoked_certificate_by_serial_number(one.serial) for crl in own):
        return Responder.WITHDRAWN
    if ocsp.needs_no_check(one):
        return Responder.NO_CHECK
    return Responder.LISTED if any(map(_is_whole, own)) else Responder.UNCHECKED


def _is_whole(crl: RevocationList) -> bool:
    """A list with a critical extension may be partial: delta, or one distribution point only."""
    return not any(extension.critical for extension in crl.parsed.extensions)


def covered_since(chain: Sequence[Certificate], data: RevocationData) -> datetime | None:
    """The moment for which lists and answers say of every certificate of ``chain`` that it stands.

    A list with a critical extension says nothing about what it does not name (RFC 5280 section
    5.2), and an answer by somebody whose certificate was withdrawn says nothing good.

    Returns:
        The oldest issue of what is needed; None where something is missing, or where the chain is
        a self-signed certificate alone, which nobody else can speak of.
    """
    asked = responders(chain, data)
    sound = [
        response
        for response in data.responses
        if all(asked.get(one) is not Responder.WITHDRAWN for one in response.certificates)
    ]
    data = RevocationData(data.lists, tuple(sound))
    moments = []
    for one in chain:
        issuers = [parent for parent in chain if x509.issued_by(one, parent)]
        if one in issuers:
            continue
        issued = [
            crl.parsed.last_update_utc
            for crl in data.lists
            if any(made_by(crl, parent) for parent in issuers) and _is_whole(crl)
        ]
        issued += [
            answer.issued
            for answer in _answers(one, chain, data)
            if answer.standing is ocsp.Standing.GOOD
        ]
        if not issued:
            return None
        moments.append(max(issued))
    return min(moments, default=None)
