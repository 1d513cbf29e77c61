"""DKIM signatures of a mail (RFC 6376, RFC 8463): checked from the mail and a key that was kept.

A platform's notification mail carries the platform's own signature. The key comes from DNS and is
fetched once, elsewhere; here everything is bytes in, a result out, also years later.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

MAX_SIGNATURES = 10
"""Signatures of one mail that are looked at; real mails carry one to three."""

MAX_HEADERS = 2_000
"""Header fields; long-travelled mails have a few dozen."""

MIN_RSA = 1024
"""Bits; RFC 8301 section 3.2: shorter keys are not accepted."""

PASSED, FAILED, NO_KEY, UNSUPPORTED = "passed", "failed", "no-key", "unsupported"

_WSP = re.compile(rb"[ \t]+")
_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,250}[A-Za-z0-9])?")


@dataclass(frozen=True)
class DkimSignature:
    """One signature as it stands in the mail.

    Attributes:
        domain, selector: whose key, and which.
        tags: all of its tags.
        position: index of its header field.
    """

    domain: str
    selector: str
    tags: dict[str, str]
    position: int

    @property
    def key_name(self) -> str:
        """The DNS name of the TXT record with the key (RFC 6376 section 3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"


@dataclass(frozen=True)
class DkimResult:
    """``state`` is passed, failed, no-key or unsupported; ``reason`` a few English words."""

    state: str
    reason: str = ""


class _MalformedError(ValueError):
    """Not as RFC 6376 says."""


def find_signatures(message: bytes) -> tuple[DkimSignature, ...]:
    """The DKIM signatures of a mail, in order; what cannot be read as one is left out."""
    headers, _ = _split(message)
    found: list[DkimSignature] = []
    for position, header in enumerate(headers):
        name, _, value = header.partition(b":")
        if name.strip().lower() != b"dkim-signature" or len(found) >= MAX_SIGNATURES:
            continue
        try:
            tags = _tags(value)
            domain, selector = tags["d"], tags["s"]
        except (KeyError, ValueError):
            continue
        if _DOMAIN.fullmatch(domain) and _DOMAIN.fullmatch(selector):
            found.append(DkimSignature(domain.lower(), selector.lower(), tags, position))
    return tuple(found)


def check_dkim(message: bytes, signature: DkimSignature, key_record: str | None) -> DkimResult:
    """Whether a signature holds, by the key that is given (RFC 6376 section 6.1).

    Expiry (``x=``) is not judged: the question is whether the mail is what was signed, and a mail
    supplied as evidence is usually older than its signature was meant to be checked.

    Args:
        message: the mail, byte for byte; bare line feeds count as line ends.
        signature: of :func:`find_signatures` for this mail.
        key_record: the TXT record; None where there is none.
    """
    if key_record is None:
        return DkimResult(NO_KEY, "no key was kept")
    try:
        return _check(message, signature, key_record)
    except (KeyError, ValueError) as error:
        return DkimResult(FAILED, f"malformed: {str(error)[:80]}")


def _check(message: bytes, signature: DkimSignature, key_record: str) -> DkimResult:
    tags = signature.tags
    if tags["v"] != "1" or tags.get("q", "dns/txt") != "dns/txt":
        return DkimResult(UNSUPPORTED, "another version or way to find the key")
    if tags["a"] not in ("rsa-sha256", "ed25519-sha256"):
        return DkimResult(UNSUPPORTED, f"algorithm {tags['a'][:40]}")
    head, _, body_form = tags.get("c", "simple/simple").partition("/")
    body_form = body_form or "simple"
    if {head, body_form} - {"simple", "relaxed"}:
        raise _MalformedError("canonicalization")
    names = [name.strip().lower() for name in tags["h"].split(":")]
    if "from" not in names:
        raise _MalformedError("the sender is not signed")
    headers, body = _split(message)
    canonical = _body(body, relaxed=body_form == "relaxed")
    length = tags.get("l")
    if length is not None:
        if not re.fullmatch(r"[0-9]{1,12}", length) or int(length) > len(canonical):
            raise _MalformedError("length")
        whole, canonical = len(canonical), canonical[: int(length)]
    if base64.b64decode(_bare(tags["bh"]), validate=True) != hashlib.sha256(canonical).digest():
        return DkimResult(FAILED, "the text is not the one that was signed")
    signed = _signed_headers(headers, names, signature.position, relaxed=head == "relaxed")
    value = base64.b64decode(_bare(tags["b"]), validate=True)
    refused = _verify(_tags(key_record.encode()), tags["a"], signed, value)
    if refused is not None:
        return refused
    if length is not None and int(length) < whole:
        return DkimResult(FAILED, f"only the first {length} bytes of the text are signed")
    return DkimResult(PASSED)


def _verify(key: dict[str, str], algorithm: str, signed: bytes, value: bytes) -> DkimResult | None:
    if key.get("v", "DKIM1") != "DKIM1":
        raise _MalformedError("key record")
    if not _bare(key["p"]):
        return DkimResult(FAILED, "the key was withdrawn")
    encoded = base64.b64decode(_bare(key["p"]), validate=True)
    try:
        if algorithm == "ed25519-sha256":
            if key.get("k") != "ed25519":
                raise _MalformedError("another kind of key")
            edwards = ed25519.Ed25519PublicKey.from_public_bytes(encoded)
            edwards.verify(value, hashlib.sha256(signed).digest())
            return None
        public = load_der_public_key(encoded)
        if key.get("k", "rsa") != "rsa" or not isinstance(public, rsa.RSAPublicKey):
            raise _MalformedError("another kind of key")
        if public.key_size < MIN_RSA:
            return DkimResult(FAILED, f"a key of {public.key_size} bits")
        public.verify(value, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return DkimResult(FAILED, "the headers are not the ones that were signed")
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _MalformedError(str(error)) from error
    return None


def _split(message: bytes) -> tuple[list[bytes], bytes]:
    """Header fields with their folding, and the text; line ends made CRLF as on the wire."""
    wire = re.sub(rb"\r?\n", b"\r\n", message)
    head, _, body = wire.partition(b"\r\n\r\n")
    headers = re.split(rb"\r\n(?![ \t])", head, maxsplit=MAX_HEADERS)
    return headers, body


def _tags(value: bytes) -> dict[str, str]:
    """A tag list (RFC 6376 section 3.2); a tag twice is malformed."""
    found: dict[str, str] = {}
    for part in value.decode("utf-8").split(";"):
        if not part.strip():
            continue
        name, equals, text = part.partition("=")
        if not equals or name.strip() in found:
            raise _MalformedError("tag list")
        found[name.strip()] = text.strip()
    return found


def _bare(text: str) -> bytes:
    return re.sub(r"\s+", "", text).encode("ascii")


def _body(body: bytes, *, relaxed: bool) -> bytes:
    """RFC 6376 sections 3.4.3 and 3.4.4."""
    if relaxed:
        lines = [_WSP.sub(b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
        body = b"\r\n".join(lines)
    body = re.sub(rb"(?:\r\n)+\Z", b"", body)
    if relaxed and not body:
        return b""
    return body + b"\r\n"


def _header(header: bytes, *, relaxed: bool) -> bytes:
    """RFC 6376 sections 3.4.1 and 3.4.2, without the line end."""
    if not relaxed:
        return header
    name, _, value = header.partition(b":")
    unfolded = value.replace(b"\r\n", b"")
    return name.strip().lower() + b":" + _WSP.sub(b" ", unfolded).strip(b" ")


def _signed_headers(
    headers: list[bytes], names: list[str], position: int, *, relaxed: bool
) -> bytes:
    """The fields that ``h=`` names, from the last of each name upwards, then the signature."""
    left: dict[str, list[bytes]] = {}
    for header in headers:
        name = header.partition(b":")[0].strip().lower().decode("latin-1")
        left.setdefault(name, []).append(header)
    parts = [_header(left[name].pop(), relaxed=relaxed) for name in names if left.get(name)]
    own = re.sub(rb"([;:]\s*b\s*=)[^;]*", rb"\1", headers[position], count=1)
    parts.append(_header(own, relaxed=relaxed))
    return b"\r\n".join(parts)
