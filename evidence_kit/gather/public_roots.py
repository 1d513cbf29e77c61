"""Does a certificate chain end in a public root? Compared with the roots that browsers ship.

A chain that ends elsewhere is not wrong: intranets have authorities of their own. But it is also
what a proxy that opens TLS leaves, and then all that was seen is that proxy's word.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

MAX_CHAIN = 10
"""Certificates of a chain that are looked at; real ones hold two to four."""


def ends_in_public_root(chain: Sequence[bytes]) -> bool:
    """Whether the chain's first certificate leads to a root of Mozilla's list (by ``certifi``).

    Signatures are verified; dates and names are the browser's business.

    Args:
        chain: DER, leaf first, as received.
    """
    try:
        items = [x509.load_der_x509_certificate(der) for der in chain[:MAX_CHAIN]]
    except ValueError:
        return False
    roots = _roots()
    current, rest = (items[0], items[1:]) if items else (None, [])
    while current is not None:
        issuers = roots.get(current.issuer.public_bytes(), ())
        if any(_issued(current, root) for root in issuers):
            return True
        following = next((item for item in rest if _issued(current, item)), None)
        rest = [item for item in rest if item is not following]
        current = following
    return False


@cache
def _roots() -> Mapping[bytes, Sequence[x509.Certificate]]:
    found: dict[bytes, list[x509.Certificate]] = defaultdict(list)
    with warnings.catch_warnings():
        # Some old roots have serial numbers that RFC 5280 does not allow; they are roots anyway.
        warnings.simplefilter("ignore")
        for root in x509.load_pem_x509_certificates(Path(certifi.where()).read_bytes()):
            found[root.subject.public_bytes()].append(root)
    return found


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if certificate.public_bytes(Encoding.DER) == issuer.public_bytes(Encoding.DER):
        return True
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
