"""A mail signed by an independent implementation of DKIM, and a bundle that holds it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any

import dkim  # type: ignore[import-untyped]
from cryptography.hazmat.primitives import serialization

from evidence_kit.core.canonical_json import dumps, loads
from evidence_kit.core.clock import iso
from tests.bundles import CAPTURE_ID, WHEN, Case, first_event, signer
from tests.pki import key_of

DOMAIN, SELECTOR = "pleinpraat.example", "s2026"
MAIL = (
    b"From: Pleinpraat <melding@pleinpraat.example>\r\n"
    b"To: m.dejong@ziekenhuis.example\r\n"
    b"Subject: Er is een bericht over u\r\n"
    b"Date: Fri, 20 Nov 2026 20:15:00 +0000\r\n"
    b"\r\n"
    b"Op plein staat een nieuw  bericht: morgenavond sta ik bij de ingang. \r\n\r\n"
)


@cache
def key_record() -> str:
    """The TXT record with the public key."""
    public = (
        key_of("rsa2048")
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()


def signed_mail(
    mail: bytes = MAIL,
    forms: tuple[bytes, bytes] = (b"relaxed", b"relaxed"),
    *,
    length: bool = False,
) -> bytes:
    """The mail with a signature before it."""
    private = key_of("rsa2048").private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    header = dkim.sign(
        mail,
        SELECTOR.encode(),
        DOMAIN.encode(),
        private,
        canonicalize=forms,
        length=length,
        include_headers=[b"from", b"to", b"subject", b"date"],
    )
    assert isinstance(header, bytes)
    return header + mail


def supplied_case(
    *,
    edit: Callable[[dict[str, Any]], object] = lambda _: None,
    mail: Callable[[bytes], bytes] = lambda data: data,
) -> Case:
    """A sound bundle of one mail, sealed by the ordinary signer."""
    data = mail(signed_mail())
    file = "data/supplied/0001-melding.eml"
    record: dict[str, Any] = {
        "schema": "evidence-kit/supplied/1",
        "statement": "supplied, not captured by this tool",
        "id": CAPTURE_ID,
        "kind": "mail",
        "supplier": "de medewerker",
        "source": "eigen mailbox",
        "received": "2026-11-21",
        "reason": "",
        "case": "",
        "operator": {
            "organisation": "Ziekenhuis Voorbeeld",
            "staff_code": "M-17",
            "certificate_sha256": hashlib.sha256(signer().certificate).hexdigest(),
            "private": None,
        },
        "software": {"name": "evidence-kit", "version": "0"},
        "imported": iso(WHEN),
        "files": [
            {
                "file": file,
                "original_name": "melding.eml",
                "sha256": hashlib.sha256(data).hexdigest(),
                "size": len(data),
                "written": iso(WHEN),
            }
        ],
        "dkim": [
            {
                "file": file,
                "domain": DOMAIN,
                "selector": SELECTOR,
                "key": key_record(),
                "fetched": iso(WHEN),
                "why": "",
                "state": "passed",
            }
        ],
    }
    edit(record)
    return SuppliedCase({file: data, "data/supplied.json": dumps(record)}, {"operator": {}})


class SuppliedCase(Case):
    """Without a capture record: such a bundle has none."""

    def seal(self) -> bytes:
        from evidence_kit.core.layout import MANIFEST, SIGNATURE
        from evidence_kit.seal.bagit import tag_files
        from evidence_kit.seal.cades import attach_timestamp, sign, signature_value
        from evidence_kit.seal.manifest import write_manifest
        from tests.bundles import _digests, _info, pack, token

        files = {**self.files, **self.tags}
        first = first_event(loads(self.files["data/supplied.json"]), self.signed, "supplied")
        files["custody/0001-supplied.json"] = dumps(first)
        files |= tag_files(_digests(files), _info())
        files[MANIFEST] = write_manifest(_digests(files))
        p7s = sign(files[MANIFEST], self.sign_with, signing_time=self.signed)
        if self.stamp is not None:
            stamp = token(signature_value(p7s), when=self.stamp, tsa=self.tsa)
            p7s = attach_timestamp(p7s, stamp)
        files[SIGNATURE] = p7s
        return pack(files, self.signed)
