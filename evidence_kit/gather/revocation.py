"""Fetch the revocation lists of a signer's authorities, so that a bundle can carry them (B-LT).

Where to ask stands in the signer's own certificates (RFC 5280 section 4.2.1.13). What comes back
is kept only when the issuer's key stands behind it and it is current. A list that cannot be had
never stops a seal: evidence goes first, and the receipt says who was asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import requests
from cryptography import x509 as pyca

from evidence_kit import __version__
from evidence_kit.core.clock import Clock, iso
from evidence_kit.core.errors import NetworkError
from evidence_kit.seal import x509
from evidence_kit.seal.anchors import RevocationList, load_revocation_list, made_by

TIMEOUT = 10.0
"""Seconds for one address from first to last byte."""

MAX_LIST = 1 << 20
"""Bytes of one list; an organisation's own are a few KiB, and all go into every bundle."""

MAX_TOTAL = 3 << 20
"""Bytes of all lists together: the signature file may have 4 MiB."""

MAX_ADDRESSES = 8
"""Addresses asked for one chain: a certificate names one or two."""

_CHUNK = 16 << 10

Get = Callable[[str], bytes]
"""Fetch a URL's body; raises NetworkError."""


@dataclass(frozen=True)
class Asked:
    """One address that was asked: when, and what came of it in a few words."""

    time: datetime
    url: str
    result: str


@dataclass(frozen=True)
class RevocationLists:
    """DER of every list that can be used, and everybody who was asked."""

    lists: tuple[bytes, ...]
    asked: tuple[Asked, ...]


def fetch_revocation_lists(
    chain: Sequence[bytes], *, clock: Clock, get: Get | None = None
) -> RevocationLists:
    """The current list of each issuer in ``chain``, as far as it can be had.

    Args:
        chain: DER of the signer's certificate and its issuers.
        clock: for what is current, and the times of the contacts.
        get: the transport.
    """
    loaded = [x509.load(one) for one in chain]
    lists: list[bytes] = []
    asked: list[Asked] = []
    for one in loaded:
        issuer = next((other for other in loaded if x509.issued_by(one, other)), None)
        if issuer is None or issuer == one:
            continue
        for url in _addresses(one):
            if len(asked) >= MAX_ADDRESSES:
                break
            try:
                data = (get or http_get)(url)
                found = _usable(data, issuer, clock())
            except (NetworkError, ValueError) as error:
                asked.append(Asked(clock(), url, str(error)))
                continue
            if sum(map(len, lists)) + len(data) > MAX_TOTAL:
                asked.append(Asked(clock(), url, "too large to be carried along"))
                break
            entry = found.parsed.get_revoked_certificate_by_serial_number(one.serial)
            verdict = "not named" if entry is None else f"revoked {iso(entry.revocation_date_utc)}"
            stamp = iso(found.parsed.last_update_utc)
            asked.append(Asked(clock(), url, f"revocation list of {stamp}: {verdict}"))
            if data not in lists:
                lists.append(data)
            break
    return RevocationLists(tuple(lists), tuple(asked))


def _addresses(certificate: x509.Certificate) -> list[str]:
    try:
        points = certificate.parsed.extensions.get_extension_for_class(
            pyca.CRLDistributionPoints
        ).value
    except pyca.ExtensionNotFound:
        return []
    return [
        name.value
        for point in points
        for name in point.full_name or ()
        if isinstance(name, pyca.UniformResourceIdentifier)
        and urlsplit(name.value).scheme in ("http", "https")
    ]


def _usable(data: bytes, issuer: x509.Certificate, now: datetime) -> RevocationList:
    found = load_revocation_list(data)
    until = found.parsed.next_update_utc
    if not made_by(found, issuer):
        raise ValueError("a list that the issuer's key does not stand behind")
    if found.parsed.last_update_utc > now or until is None or until < now:
        raise ValueError("a list that is not current")
    return found


def http_get(url: str) -> bytes:
    """One GET with this module's limits: no redirects, no cookies, no stored passwords.

    Raises:
        NetworkError: no usable answer; the message says why.
    """
    host = urlsplit(url).hostname
    until = time.monotonic() + TIMEOUT
    headers = {"User-Agent": f"evidence-kit/{__version__}"}
    received = b""
    try:
        with requests.Session() as session:
            session.auth = _no_auth
            with session.get(
                url, headers=headers, timeout=TIMEOUT, allow_redirects=False, stream=True
            ) as response:
                if response.status_code != requests.codes.ok:
                    raise NetworkError(f"{host} answered with status {response.status_code}")
                for chunk in response.iter_content(_CHUNK):
                    received += chunk
                    if len(received) > MAX_LIST:
                        raise NetworkError(f"{host} answered with more than {MAX_LIST} bytes")
                    if time.monotonic() > until:
                        raise NetworkError(f"{host} took longer than {TIMEOUT:.0f} s")
    except (requests.RequestException, OSError) as error:
        raise NetworkError(f"{host} could not be reached: {type(error).__name__}") from error
    return received


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep requests from sending what a .netrc file holds for this host."""
    return request
