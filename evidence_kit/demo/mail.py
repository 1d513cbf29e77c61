"""A notification mail of the example site, signed as a platform's mail server signs (RFC 6376)."""

from __future__ import annotations

import base64
import hashlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

DOMAIN, SELECTOR = "pleinpraat.example", "demo"

_HEADERS = (
    ("from", "Pleinpraat <melding@pleinpraat.example>"),
    ("to", "afdeling-b@lindeboom.example"),
    ("subject", "U bent genoemd in een bericht"),
    ("date", "Fri, 20 Nov 2026 20:15:00 +0000"),
)
_TEXT = (
    "Voorbeeld van evidence-kit. Alle personen en organisaties zijn verzonnen.\r\n"
    "\r\n"
    "@boze_bezoeker noemde u in een bericht:\r\n"
    "Ik weet hoe laat haar dienst afloopt en waar ze parkeert.\r\n"
)


def signed_mail() -> tuple[bytes, str]:
    """The mail, and the line that names its key: DNS name, a space, the TXT record."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    body = base64.b64encode(hashlib.sha256(_TEXT.encode()).digest()).decode()
    names = ":".join(name for name, _ in _HEADERS)
    tags = (
        f"v=1; a=rsa-sha256; c=relaxed/simple; d={DOMAIN}; s={SELECTOR}; h={names}; bh={body}; b="
    )
    # Header fields written without folding or double spaces are their own relaxed form.
    signed = "\r\n".join([*(f"{n}:{v}" for n, v in _HEADERS), f"dkim-signature:{tags}"])
    value = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    lines = [f"dkim-signature: {tags}{base64.b64encode(value).decode()}"]
    lines += [f"{name}: {text}" for name, text in _HEADERS]
    mail = "\r\n".join([*lines, "", _TEXT]).encode()
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    record = f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"
    return mail, f"{SELECTOR}._domainkey.{DOMAIN} {record}\n"
