"""Vectors whose signature file, certificate or stamp is not as it should be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from evidence_kit.seal import cms, der
from evidence_kit.seal.cades import attach_revocation, signature_value
from evidence_kit.seal.signer import KeySigner
from evidence_kit.seal.trusted_list import QualifiedService
from evidence_kit.seal.x509 import load
from tests import pki
from tests.bundles import (
    WHEN,
    authority,
    example,
    root_of,
    trusted,
)
from tests.trusted_lists import a_list, granted
from tests.vector_tools import Vector, attributes, of_bytes, of_case


def signature_file(change: Callable[[bytes], bytes], **options: Any) -> Vector:
    """The example whose signature file was changed before packing; it has no stamp yet."""
    return of_case(attributes(stamp=None, edit_signature=change), **options)


def stamped_with(make: Callable[[bytes], bytes]) -> Vector:
    """The example with whatever ``make`` gives for a good token in the token's place."""

    def change(p7s: bytes) -> bytes:
        good = pki.token_over(sha256(signature_value(p7s)).digest(), WHEN + timedelta(seconds=2))
        kind = der.encode_oid(cms.TIMESTAMP_TOKEN)
        attribute = der.encode(der.SEQUENCE, kind + der.encode(der.SET, make(good)))
        return cms.rebuild(p7s, unsigned=[attribute])

    return signature_file(change)


def flip_last(data: bytes) -> bytes:
    return data[:-1] + bytes((data[-1] ^ 1,))


def with_sha1(data: bytes) -> bytes:
    """The same message naming SHA-1 wherever it named SHA-256."""
    old, new = der.encode_oid(cms.DIGEST_OIDS["sha256"]), der.encode_oid("1.3.14.3.2.26")

    def walk(node: der.Node) -> bytes:
        if node.raw == old:
            return new
        if node.children:
            return der.encode(node.tag, b"".join(walk(child) for child in node.children))
        return node.raw

    return walk(der.parse(data))


def with_stray(data: bytes) -> bytes:
    """The same message with a certificate that serves no purpose."""
    held = cms.read(data, max_bytes=len(data)).certificates
    return cms.rebuild(data, certificates=[*held, pki.certificate("Stray", pki.key_of(number=7))])


def revoked(when: timedelta, *, others: bool = False, invalid: timedelta | None = None) -> Vector:
    """A signer of an authority whose revocation lists, in the signature, name the certificate.

    With ``others`` they name certificates of others only; ``invalid`` is since when the key was
    not the signer's alone.
    """
    lost = None if invalid is None else WHEN + invalid
    chain = pki.chain()
    serial = 4711 if others else load(chain.signer.certificate).serial
    lists = [
        pki.revocation_list(chain.intermediate_issuer, serial, WHEN + when, invalid=lost),
        pki.revocation_list(chain.root_issuer, 4712, WHEN + when),
    ]

    def change(p7s: bytes) -> bytes:
        return pki.stamped(attach_revocation(p7s, lists))

    edits = attributes(stamp=None, sign_with=chain.signer, edit_signature=change)
    return of_case(edits, anchors=pki.trusting(chain.root), now=WHEN + timedelta(days=3))


def broken_path() -> Vector:
    """Between the signer and a trusted root stands a certificate that may vouch for nobody."""
    root_key, middle_key, key = (pki.key_of(number=n) for n in (1, 2, 3))
    root = pki.certificate("Root", root_key, authority=True)
    middle = pki.certificate("Middle", middle_key, issuer=pki.Issuer(pki.name_of("Root"), root_key))
    leaf = pki.certificate("Leaf", key, issuer=pki.Issuer(pki.name_of("Middle"), middle_key))
    edits = attributes(sign_with=KeySigner(key, leaf, (middle, root)))
    return of_case(edits, anchors=pki.trusting(root, by=authority()))


def qualified(until: datetime | None = None) -> QualifiedService:
    """The service behind the example's stamp, named on a list by its authority."""
    return granted(root_of(authority()), until=until)


def by_list(*services: QualifiedService, **values: Any) -> Vector:
    """The example, judged by one trusted list."""
    lists = (a_list(*services, **values),)
    return of_bytes(lambda: example().seal(), anchors=replace(trusted(), lists=lists))
