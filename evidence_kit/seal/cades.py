"""CAdES baseline signatures (ETSI EN 319 122-1 clause 6): sign, and attach a time stamp.

Checking is in :mod:`evidence_kit.seal.cades_check`; its entry point is named here as well.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from evidence_kit.core.errors import KeyUnavailableError
from evidence_kit.core.limits import MAX_SIGNATURE, MAX_TOKEN
from evidence_kit.seal import cms, der, x509
from evidence_kit.seal.cades_check import SIGNED_ATTRIBUTES, SignatureReport, check_signature
from evidence_kit.seal.signer import Signer

if TYPE_CHECKING:
    from pyhanko.sign import signers

_T = TypeVar("_T")

__all__ = [
    "SIGNED_ATTRIBUTES",
    "SignatureReport",
    "attach_revocation",
    "attach_timestamp",
    "check_signature",
    "sign",
    "signature_value",
]


def sign(content: bytes, signer: Signer, *, signing_time: datetime) -> bytes:
    """A detached signature over ``content``, level B-B, in strict DER.

    Signed are exactly :data:`SIGNED_ATTRIBUTES`. There is no commitment type (a seal says neither
    "approved" nor "sent") and no mime-type (the container says what is signed).

    Args:
        content: the bytes to sign.
        signer: key and certificate.
        signing_time: claimed time, aware; whole seconds are kept.

    Raises:
        KeyUnavailableError: the key does not fit its certificate or is of a kind not allowed, or
            the chain is not complete up to a self-signed certificate.
    """
    if signing_time.tzinfo is None:
        raise ValueError("a time without a zone says nothing")
    try:
        leaf = x509.load(signer.certificate)
        digest = x509.digest_for(leaf)
        chain = [x509.load(encoded) for encoded in signer.chain]
    except x509.CertificateError as error:
        raise KeyUnavailableError(f"the certificate cannot be used: {error}") from error
    coverage = x509.cover(leaf, chain)
    if coverage.unused or coverage.loose:
        raise KeyUnavailableError(
            "the certificate chain holds something that does not belong or is not complete",
            hint="give every issuer up to the self-signed one, and nothing else",
        )
    when = signing_time.astimezone(UTC).replace(microsecond=0)
    p7s = _run(_assemble(content, signer, digest, when))
    _check_own(p7s, leaf)
    return p7s


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine to its end, in a thread of its own where this one already has a loop.

    Playwright's synchronous interface keeps a loop running in the thread that captures.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(
        max_workers=1, thread_name_prefix=threading.current_thread().name
    ) as pool:
        return pool.submit(asyncio.run, work).result()


async def _assemble(content: bytes, signer: Signer, digest: str, when: datetime) -> bytes:
    from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes

    message = await _bridge(signer).async_sign(
        hashlib.new(digest, content).digest(),
        digest,
        is_pdf_sig=False,
        signed_attr_settings=PdfCMSSignedAttributes(signing_time=when),
    )
    return cms.rebuild(der.to_der(message.dump()))


def _bridge(signer: Signer) -> signers.Signer:
    """Our signer in the form that pyHanko drives; the library is loaded only when signing."""
    from asn1crypto import x509 as asn1
    from pyhanko.sign import signers
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    leaf = x509.load(signer.certificate)
    order = x509.group_order(leaf)

    class Bridge(signers.Signer):
        async def async_sign_raw(
            self,
            data: bytes,
            digest_algorithm: str,
            dry_run: bool = False,
        ) -> bytes:
            value = signer.sign(data)
            return value if order is None else low_s(value, order)

    return Bridge(
        signing_cert=asn1.Certificate.load(signer.certificate),
        cert_registry=SimpleCertificateStore.from_certs(  # type: ignore[no-untyped-call]
            [asn1.Certificate.load(encoded) for encoded in signer.chain]
        ),
        embed_roots=True,
    )


def low_s(signature: bytes, order: int) -> bytes:
    """The one of the two equivalent ECDSA values whose s is at most half the group's order."""
    r, s = (der.integer(node) for node in der.parse(signature).children)
    if s > order // 2:
        s = order - s
    return der.encode(der.SEQUENCE, der.encode_integer(r) + der.encode_integer(s))


def _check_own(p7s: bytes, leaf: x509.Certificate) -> None:
    """A key that does not belong to the certificate must show here, not at the first reader."""
    data = cms.read(p7s, max_bytes=MAX_SIGNATURE)
    if not x509.verify(
        leaf,
        data=data.signed_bytes,
        signature=data.signature,
        digest=data.digest,
        ecdsa=data.ecdsa,
    ):
        raise KeyUnavailableError("the key does not belong to the certificate")


def signature_value(p7s: bytes) -> bytes:
    """The raw signature value: what a signature time stamp is made over (clause 5.3).

    Raises:
        ValueError: not a signature this project writes.
    """
    return cms.read(p7s, max_bytes=MAX_SIGNATURE).signature


def attach_timestamp(p7s: bytes, token: bytes) -> bytes:
    """The signature with ``token`` as its signature time stamp, level B-T.

    Args:
        p7s: a signature without one.
        token: a bare token in DER, as :func:`timestamp.normalise_token` returns it.

    Raises:
        ValueError: either is malformed, or there is a stamp already.
    """
    if cms.read(p7s, max_bytes=MAX_SIGNATURE).unsigned:
        raise ValueError("the signature carries a time stamp already")
    cms.read(token, max_bytes=MAX_TOKEN)
    attribute = der.encode(
        der.SEQUENCE, der.encode_oid(cms.TIMESTAMP_TOKEN) + der.encode(der.SET, token)
    )
    return cms.rebuild(p7s, unsigned=[attribute])


def attach_revocation(p7s: bytes, lists: Sequence[bytes], responses: Sequence[bytes] = ()) -> bytes:
    """The signature with what its authorities say of revocation: with a stamp, level B-LT.

    Clause 6.3. Each list and each answer is signed by its issuer, so the signer's signature need
    not cover it.

    Args:
        p7s: a signature.
        lists: DER of each revocation list, none twice.
        responses: DER of each OCSP answer, none twice.

    Raises:
        ValueError: malformed.
    """
    entries = [*lists, *map(cms.ocsp_entry, responses)]
    return cms.rebuild(p7s, crls=entries) if entries else p7s
