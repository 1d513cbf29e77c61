"""Small complete bundles, made in memory by the real writers, and the tools to forge them.

``Case`` describes what goes in; ``Case.seal()`` gives the bytes of a ``.asice`` file. The forging
functions do what an attacker without the key can do: open, change, recompute, pack again.
"""

from __future__ import annotations

import copy
import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from evidence_kit.core.canonical_json import dumps
from evidence_kit.core.clock import compact, iso
from evidence_kit.core.digests import Digests, digest_bytes
from evidence_kit.core.layout import MANIFEST, MIMETYPE, SIGNATURE
from evidence_kit.core.post import Place, Post, Sourced
from evidence_kit.demo.tsa import Authority, answer, make_authority
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.bagit import BagInfo, tag_files
from evidence_kit.seal.cades import attach_timestamp, sign, signature_value
from evidence_kit.seal.container_write import Member, write_container
from evidence_kit.seal.manifest import write_manifest
from evidence_kit.seal.signer import KeySigner
from evidence_kit.seal.timestamp import make_request, parse_response
from tests.test_wacz_read import files as wacz_files
from tests.test_wacz_read import keep, package, warc

WHEN = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
"""The claimed signing time of every bundle here."""

NOW = WHEN + timedelta(hours=1)
"""The verifier's clock."""

NONCE = bytes(range(32))
FIRST_EVENT = "custody/0001-captured.json"
CAPTURE_ID = f"{compact(WHEN)}-0011aabb"
NAME = f"{compact(WHEN)}-127.0.0.1-0011aabb.asice"


def make_signer(
    common: str = "Ziekenhuis Voorbeeld",
    *,
    start: datetime = WHEN,
    days: int = 365,
    usages: tuple[str, ...] = ("digital_signature", "content_commitment"),
) -> KeySigner:
    """A self-signed signer, valid from a day before ``start``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Ziekenhuis Voorbeeld"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )
    usage = {
        one: one in usages
        for one in (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        )
    }
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - timedelta(days=1))
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .sign(key, hashes.SHA256())
    )
    return KeySigner(key, certificate.public_bytes(serialization.Encoding.DER))


@cache
def signer() -> KeySigner:
    """The one signer of ordinary bundles in this run."""
    return make_signer()


@cache
def authority() -> Authority:
    """The one time-stamping authority of ordinary bundles in this run."""
    return make_authority(WHEN)


def root_of(tsa: Authority) -> bytes:
    """DER of what a verifier pins for a time-stamping authority."""
    return tsa.root.public_bytes(serialization.Encoding.DER)


def trusted() -> TrustAnchors:
    """Anchors that make the ordinary bundle PASSED."""
    return TrustAnchors(signers=(signer().certificate,), tsas=(root_of(authority()),))


def response(data: bytes, *, when: datetime, tsa: Authority) -> bytes:
    """A TimeStampResp over the SHA-256 of ``data``."""
    request = make_request(hashlib.sha256(data).digest(), "sha256", 7)
    return answer(request, tsa, when)


def token(data: bytes, *, when: datetime, tsa: Authority) -> bytes:
    """A bare token over the SHA-256 of ``data``."""
    digest = hashlib.sha256(data).digest()
    return parse_response(
        response(data, when=when, tsa=tsa), digest=digest, algorithm="sha256", nonce=7
    )


@dataclass
class Case:
    """What goes into a bundle; change it before sealing.

    Attributes:
        files: payload under ``data/`` but for capture.json, which is made from ``record``.
        record: the capture record; artefacts are filled in from ``files`` when sealing.
        edit_record: last change to the record, after the artefacts were filled in.
        tags: further files beside ``data/``.
        edit_first: change to the first event of the chain of custody, which is made from the
            record; None for none.
        edit_sealed: change to all files after the bag's lists were made, before signing.
        stamp: when the signature is stamped; None for no stamp.
    """

    files: dict[str, bytes]
    record: dict[str, Any]
    edit_record: Callable[[dict[str, Any]], None] = lambda record: None
    tags: dict[str, bytes] = field(default_factory=lambda: {"README.txt": b"Lees mij\n"})
    edit_first: Callable[[dict[str, Any]], dict[str, Any]] | None = lambda event: event
    edit_sealed: Callable[[dict[str, bytes]], None] = lambda files: None
    edit_signature: Callable[[bytes], bytes] = lambda p7s: p7s
    sign_with: KeySigner = field(default_factory=signer)
    tsa: Authority = field(default_factory=authority)
    signed: datetime = WHEN
    stamp: datetime | None = WHEN + timedelta(seconds=2)
    entry_time: datetime | None = None

    def seal(self) -> bytes:
        """The bytes of the sealed file."""
        files = {**self.files, **self.tags}
        record = copy.deepcopy(self.record)
        record["artefacts"] = [_artefact(name, data) for name, data in sorted(self.files.items())]
        fingerprint = hashlib.sha256(self.sign_with.certificate).hexdigest()
        record["operator"]["certificate_sha256"] = fingerprint
        self.edit_record(record)
        files.setdefault("data/capture.json", dumps(record))
        if self.edit_first is not None:
            event = self.edit_first(first_event(record, self.signed))
            files.setdefault(FIRST_EVENT, dumps(event))
        files |= tag_files(_digests(files), _info())
        self.edit_sealed(files)
        files[MANIFEST] = write_manifest(_digests(files))
        p7s = sign(files[MANIFEST], self.sign_with, signing_time=self.signed)
        if self.stamp is not None:
            stamp = token(signature_value(p7s), when=self.stamp, tsa=self.tsa)
            p7s = attach_timestamp(p7s, stamp)
        files[SIGNATURE] = self.edit_signature(p7s)
        return pack(files, self.entry_time or self.signed)

    def write(self, folder: Path, name: str = NAME) -> Path:
        """Seal into ``folder``."""
        path = folder / name
        path.write_bytes(self.seal())
        return path


def first_event(
    record: Mapping[str, Any], when: datetime, event: str = "captured"
) -> dict[str, Any]:
    """The first event of the chain of custody, as this record has it."""
    operator, why = record.get("operator", {}), record.get("request", record)
    return {
        "schema": "evidence-kit/custody/1",
        "number": 1,
        "event": event,
        "time": iso(when),
        "capture": record.get("id", CAPTURE_ID),
        "organisation": operator.get("organisation", ""),
        "staff_code": operator.get("staff_code"),
        "certificate_sha256": operator.get("certificate_sha256", ""),
        "reason": why.get("reason", ""),
        "case": why.get("case", ""),
        "captured_until": iso(when - timedelta(seconds=5)),
        "seconds_until_sealing": 5.0,
        "recovered": False,
    }


def _info() -> BagInfo:
    return BagInfo("Ziekenhuis Voorbeeld", CAPTURE_ID, WHEN, "evidence-kit tests")


def _artefact(name: str, data: bytes) -> dict[str, Any]:
    return {
        "kind": name.split("/")[1].split(".")[0],
        "file": name,
        "state": "made",
        "why": "",
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "written": iso(WHEN),
        "original_name": None,
    }


def _digests(files: Mapping[str, bytes]) -> dict[str, Digests]:
    return {name: digest_bytes(data) for name, data in files.items()}


STATUS = {
    "id": "1",
    "created_at": "2026-11-20T09:00:00.000Z",
    "content": "<p>Ik weet waar je woont</p>",
    "account": {"id": "7", "acct": "boos"},
}
POSTED = "Ik weet waar je woont"


def post() -> dict[str, Any]:
    """``post.json`` of the example."""
    source = "data/api/0001-status.json"
    fields = {
        "id": Sourced("1", Place(source, "/id")),
        "author_handle": Sourced("boos", Place(source, "/account/acct")),
        "text_html": Sourced(STATUS["content"], Place(source, "/content")),
        "created": Sourced(STATUS["created_at"], Place(source, "/created_at"), "millisecond"),
    }
    return {"schema": "evidence-kit/post/1", "posts": [Post("post", fields).to_json()]}


@cache
def _start_token(when: datetime, tsa: Authority) -> bytes:
    return token(NONCE, when=when - timedelta(minutes=1), tsa=tsa)


def example() -> Case:
    """A sound and complete bundle; verifies PASSED with :func:`trusted`."""
    return example_of(WHEN, signer(), authority())


def example_of(when: datetime, sign_with: KeySigner, tsa: Authority) -> Case:
    """The same, sealed at another time by others: for tests that use the real clock."""
    when = when.replace(microsecond=0)
    start = _start_token(when, tsa)
    chain = x509.load_der_x509_certificate(sign_with.certificate)
    files = {
        "data/capture.log": b"{}\n",
        "data/post.json": dumps(post()),
        "data/api/0001-status.json": dumps(STATUS),
        "data/api/exchanges.warc": warc(),
        "data/web/page.wacz": package(wacz_files(), keep),
        "data/web/screenshot.png": b"\x89PNG\r\n\x1a\n not a real picture",
        "data/web/text.txt": POSTED.encode(),
        "data/tls/127.0.0.1.pem": chain.public_bytes(serialization.Encoding.PEM),
        "data/start-token.tst": start,
    }
    return Case(
        files,
        record(when, start, sign_with),
        sign_with=sign_with,
        tsa=tsa,
        signed=when,
        stamp=when + timedelta(seconds=2),
    )


def record(when: datetime, start: bytes, sign_with: KeySigner) -> dict[str, Any]:
    """The capture record of the example, without artefacts."""
    moment = iso(when)
    return {
        "schema": "evidence-kit/capture/1",
        "id": CAPTURE_ID,
        "state": "complete",
        "request": {
            "url": "http://127.0.0.1:1/post",
            "reason": "aangifte",
            "case": "2026-001",
            "command": ["evidence-kit", "capture"],
            "options": {},
        },
        "page": {
            "requested_url": "http://127.0.0.1:1/post",
            "redirects": [],
            "final_url": "http://127.0.0.1:1/post",
            "permalink": "http://127.0.0.1:1/post",
            "title": "Een bericht",
            "status": 200,
            "failure": None,
        },
        "operator": {
            "organisation": "Ziekenhuis Voorbeeld",
            "staff_code": "M-17",
            "certificate_sha256": hashlib.sha256(sign_with.certificate).hexdigest(),
            "private": None,
        },
        "machine": {"system": "Linux", "release": "6", "architecture": "x86_64", "python": "3.11"},
        "software": {"name": "evidence-kit", "version": "0", "libraries": {}},
        "browser": None,
        "account": {"logged_in": False, "name": None},
        "times": {
            "started": moment,
            "page_started": moment,
            "page_ended": moment,
            "ended": moment,
        },
        "clock": {
            "offset_seconds": None,
            "uncertainty_seconds": None,
            "source": None,
            "tried": [],
        },
        "start_token": {
            "file": "data/start-token.tst",
            "nonce": NONCE.hex(),
            "tsa": "http://127.0.0.1:2/tsa",
            "time": iso(when - timedelta(minutes=1)),
            "sha256": hashlib.sha256(start).hexdigest(),
            "why_missing": "",
        },
        "network": {
            "contacts": [],
            "tls": [
                {
                    "host": "127.0.0.1",
                    "file": "data/tls/127.0.0.1.pem",
                    "version": "TLS 1.3",
                    "cipher": "",
                    "verdict": "trusted",
                    "says": "browser",
                    "public_root": True,
                }
            ],
            "proxy": None,
        },
        "recording": {
            "method": "chromium-netlog",
            "exchanges": 1,
            "api_exchanges": 1,
            "without_response": [],
            "cached": [],
            "websockets": 0,
            "background": {"count": 0, "hosts": []},
            "cross_check": {"only_recorded": [], "only_devtools": []},
            "problems": [],
        },
        "artefacts": [],
        "redactions": [],
        "redaction_notes": [],
        "content_check": {"state": "present", "signals": []},
        "platform": None,
        "behaviours": [],
        "events": [],
        "warnings": [],
        "limits": [],
        "missing": [],
    }


def unpack(sealed: bytes) -> dict[str, bytes]:
    """Every file of a bundle but ``mimetype``, by name."""
    with zipfile.ZipFile(io.BytesIO(sealed)) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist() if name != MIMETYPE}


def pack(files: Mapping[str, bytes], when: datetime = WHEN) -> bytes:
    """A canonical container of these files, every checksum right."""
    target = io.BytesIO()
    members = [Member(name, data, digest_bytes(data)) for name, data in files.items()]
    write_container(target, members, when)
    return target.getvalue()


def forged(sealed: bytes, change: Callable[[dict[str, bytes]], object]) -> bytes:
    """The bundle with its files changed and packed again, old signature and time kept."""
    files = unpack(sealed)
    with zipfile.ZipFile(io.BytesIO(sealed)) as bundle:
        when = datetime(*bundle.infolist()[0].date_time, tzinfo=UTC)
    change(files)
    return pack(files, when)


def rebagged(files: dict[str, bytes]) -> None:
    """Recompute all of the bag's lists for what the files are now."""
    for name in list(files):
        if name.startswith(("manifest-", "tagmanifest-")) or name in ("bagit.txt", "bag-info.txt"):
            del files[name]
    payload = {name: data for name, data in files.items() if not name.startswith("META-INF/")}
    files |= tag_files(_digests(payload), _info())


def relisted(files: dict[str, bytes]) -> None:
    """Recompute the bag's lists and the manifest that is to be signed."""
    rebagged(files)
    files[MANIFEST] = write_manifest(_digests(files))
