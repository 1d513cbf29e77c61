"""Ask a signer's authorities what they say of revocation, so that a bundle can carry it (B-LT).

Where to ask stands in the signer's own certificates: who answers questions (OCSP, RFC 5280 section
4.2.2.1) and where lists are (section 4.2.1.13). An answer is asked for first, since it is newer and
smaller; the list where no usable answer comes. What comes back is kept only when the issuer stands
behind it and it is current. What cannot be had never stops a seal: evidence goes first, and the
receipt says who was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

import requests
from cryptography import x509 as pyca
from cryptography.x509.oid import AuthorityInformationAccessOID

from evidence_kit import __version__
from evidence_kit.core.clock import Clock, iso
from evidence_kit.core.errors import InputError, NetworkError
from evidence_kit.gather.http_answer import cause_in_words
from evidence_kit.gather.single_request import bare_session, in_time
from evidence_kit.seal import ocsp, x509
from evidence_kit.seal.anchors import RevocationList, load_revocation_list, made_by

TIMEOUT = 10.0
"""Seconds for one address from first to last byte."""

MAX_LIST = 1 << 20
"""Bytes of one list; an organisation's own are a few KiB, and all go into every bundle."""

MAX_TOTAL = 3 << 20
"""Bytes of all lists and answers together: the signature file may have 4 MiB."""

MAX_ADDRESSES = 12
"""Addresses asked for one chain: a certificate names one or two of each kind."""

MAX_UNDATED = timedelta(days=1)
"""Age of an answer that does not say until when it holds (RFC 6960 section 2.4: always renewed)."""

CLOCKS = timedelta(minutes=5)
"""How far an authority's clock may be ahead of ours (RFC 6960 section 4.2.2.1 leaves it open)."""

_CHUNK = 16 << 10

Fetch = Callable[[str, bytes | None], bytes]
"""Fetch a URL's body, by POST where a body is given; raises NetworkError."""


@dataclass(frozen=True)
class Asked:
    """One address that was asked: when, and what came of it in a few words."""

    time: datetime
    url: str
    result: str


@dataclass(frozen=True)
class Fetched:
    """DER of every list and answer that can be used, and everybody who was asked."""

    lists: tuple[bytes, ...] = ()
    responses: tuple[bytes, ...] = ()
    asked: tuple[Asked, ...] = ()


class _Asker:
    """Asks for one chain, within the limits of all together."""

    def __init__(self, clock: Clock, fetch: Fetch) -> None:
        self.lists: list[bytes] = []
        self.responses: list[bytes] = []
        self.asked: list[Asked] = []
        self._clock, self._fetch = clock, fetch

    def about(self, one: x509.Certificate, issuer: x509.Certificate) -> None:
        """An answer or a list that says how ``one`` stands."""
        for url in _responders(one):
            if self._take(url, partial(self._answer, url, one, issuer), self.responses):
                return
        for url in _addresses(one):
            if self._take(url, partial(self._list, url, one, issuer), self.lists):
                return

    def _take(self, url: str, get: Callable[[], tuple[bytes, str]], kept: list[bytes]) -> bool:
        """Whether what came can be carried along; who was asked is noted in any case."""
        if len(self.asked) >= MAX_ADDRESSES:
            return False
        try:
            data, told = get()
        except (NetworkError, ValueError) as error:
            self.asked.append(Asked(self._clock(), url, str(error)))
            return False
        if sum(map(len, (*self.lists, *self.responses))) + len(data) > MAX_TOTAL:
            self.asked.append(Asked(self._clock(), url, "too large to be carried along"))
            return False
        self.asked.append(Asked(self._clock(), url, told))
        if data not in kept:
            kept.append(data)
        return True

    def _answer(
        self, url: str, one: x509.Certificate, issuer: x509.Certificate
    ) -> tuple[bytes, str]:
        data = self._fetch(url, ocsp.make_request(one, issuer))
        data = ocsp.normalise(data, issuer)
        answer = ocsp.answer_about(ocsp.load_response(data), one, issuer)
        if answer is None:
            raise ValueError("an answer about another certificate")
        now = self._clock()
        until = answer.until or answer.issued + MAX_UNDATED
        if answer.issued > now + CLOCKS or until < now:
            raise ValueError("an answer that is not current")
        if answer.standing is ocsp.Standing.UNKNOWN:
            raise ValueError("the responder does not know the certificate")
        revoked = f"revoked {iso(answer.revoked)}" if answer.revoked else "good"
        return data, f"OCSP answer of {iso(answer.issued)}: {revoked}"

    def _list(self, url: str, one: x509.Certificate, issuer: x509.Certificate) -> tuple[bytes, str]:
        data = self._fetch(url, None)
        found = _usable(data, issuer, self._clock())
        entry = found.parsed.get_revoked_certificate_by_serial_number(one.serial)
        verdict = "not named" if entry is None else f"revoked {iso(entry.revocation_date_utc)}"
        return data, f"revocation list of {iso(found.parsed.last_update_utc)}: {verdict}"


def fetch_revocation(
    chain: Sequence[bytes], *, clock: Clock, fetch: Fetch | None = None
) -> Fetched:
    """What each issuer in ``chain`` says now of what it issued, as far as it can be had.

    Args:
        chain: DER of the signer's certificate and its issuers.
        clock: for what is current, and the times of the contacts.
        fetch: the transport.
    """
    loaded = [x509.load(one) for one in chain]
    asker = _Asker(clock, fetch or http_fetch)
    for one in loaded:
        issuer = next((other for other in loaded if x509.issued_by(one, other)), None)
        if issuer is not None and issuer != one:
            asker.about(one, issuer)
    return Fetched(tuple(asker.lists), tuple(asker.responses), tuple(asker.asked))


def _responders(certificate: x509.Certificate) -> Iterator[str]:
    try:
        access = certificate.parsed.extensions.get_extension_for_class(
            pyca.AuthorityInformationAccess
        ).value
    except pyca.ExtensionNotFound:
        return
    for one in access:
        if one.access_method == AuthorityInformationAccessOID.OCSP and _is_http(
            one.access_location
        ):
            yield str(one.access_location.value)


def _is_http(name: pyca.GeneralName) -> bool:
    return isinstance(name, pyca.UniformResourceIdentifier) and urlsplit(name.value).scheme in (
        "http",
        "https",
    )


def _addresses(certificate: x509.Certificate) -> list[str]:
    try:
        points = certificate.parsed.extensions.get_extension_for_class(
            pyca.CRLDistributionPoints
        ).value
    except pyca.ExtensionNotFound:
        return []
    return [str(name.value) for point in points for name in point.full_name or () if _is_http(name)]


def _usable(data: bytes, issuer: x509.Certificate, now: datetime) -> RevocationList:
    found = load_revocation_list(data)
    until = found.parsed.next_update_utc
    if not made_by(found, issuer):
        raise ValueError("a list that the issuer's key does not stand behind")
    if found.parsed.last_update_utc > now or until is None or until < now:
        raise ValueError("a list that is not current")
    return found


def http_fetch(url: str, body: bytes | None = None) -> bytes:
    """One GET, or POST of an OCSP request, with this module's limits.

    No redirects, no cookies, no stored passwords.

    Raises:
        NetworkError: no usable answer; the message says why.
    """
    try:
        return in_time(lambda: _fetch(url, body), TIMEOUT)
    except TimeoutError as error:
        raise NetworkError(f"{urlsplit(url).hostname} took longer than {TIMEOUT:.0f} s") from error


def _fetch(url: str, body: bytes | None) -> bytes:
    host = urlsplit(url).hostname
    headers = {"User-Agent": f"evidence-kit/{__version__}"}
    if body is not None:
        headers["Content-Type"] = "application/ocsp-request"  # RFC 6960 appendix A.1
    received = b""
    try:
        with (
            bare_session(url) as session,
            session.request(
                "GET" if body is None else "POST",
                url,
                data=body,
                headers=headers,
                timeout=TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            if response.status_code != requests.codes.ok:
                raise NetworkError(f"{host} answered with status {response.status_code}")
            for chunk in response.iter_content(_CHUNK):
                received += chunk
                if len(received) > MAX_LIST:
                    raise NetworkError(f"{host} answered with more than {MAX_LIST} bytes")
    except (requests.RequestException, InputError, OSError) as error:
        raise NetworkError(f"{host} could not be reached: {cause_in_words(error)}") from error
    return received
