"""Attacks on whole bundles, each with the finding that catches it.

``tests/test_container_attacks.py`` holds those on the container's bytes, ``tests/vectors.py`` one
for each finding code; ``docs/attacks.md`` lists them all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path
from unittest.mock import patch

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from evidence_kit.core.canonical_json import dumps, loads
from evidence_kit.core.layout import MANIFEST, SIGNATURE
from evidence_kit.core.verdict import Verdict
from evidence_kit.demo.tsa import make_authority
from evidence_kit.seal import cms, der
from evidence_kit.seal import x509 as certificates
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.signer import KeySigner
from tests import pki
from tests.bundles import (
    STATUS,
    WHEN,
    Case,
    authority,
    example,
    make_signer,
    post,
    rebagged,
    relisted,
    signer,
    unpack,
)
from tests.test_wacz_read import ANSWER, keep, package, record, sha, warc
from tests.test_wacz_read import files as wacz_files
from tests.vector_tools import Vector, of_bytes, of_case, of_forgery
from tests.vectors_signature import revoked
from tests.vectors_twice import TWICE_ATTACKS

WARC = "data/api/exchanges.warc"
SHOT = "data/web/screenshot.png"
OTHER_SHOT = b"\x89PNG\r\n\x1a\n another picture"
LIE = ANSWER.replace(b"waar je woont", b"niets van je ")


def honest_digests() -> bytes:
    """The WARC with another answer, its digests recomputed: in itself without fault."""
    body = LIE.split(b"\r\n\r\n", 1)[1]
    return (
        record("warcinfo", 1, b"software: test\r\n", Content_Type="application/warc-fields")
        + record("response", 2, LIE, WARC_Payload_Digest=sha(body))
        + record("request", 3, b"GET /post HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n")
    )


def restated(files: dict[str, bytes], name: str, data: bytes) -> None:
    """Change a file and everything about it that can be computed without the key."""
    files[name] = data
    stated = loads(files["data/capture.json"])
    for artefact in stated["artefacts"]:
        if artefact["file"] == name:
            artefact.update(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    files["data/capture.json"] = dumps(stated)
    relisted(files)


def _swap(files: dict[str, bytes]) -> None:
    one, two = "data/web/text.txt", SHOT
    files[one], files[two] = files[two], files[one]


def _other_signature(files: dict[str, bytes]) -> None:
    """The signature of another bundle by the same signer."""
    other = example()
    other.files["data/web/text.txt"] = b"iets anders"
    files[SIGNATURE] = unpack(other.seal())[SIGNATURE]


def _signature_and_list(files: dict[str, bytes]) -> None:
    """Signature and signed list of another bundle by the same signer."""
    other = example()
    other.files["data/web/text.txt"] = b"iets anders"
    taken = unpack(other.seal())
    files[SIGNATURE], files[MANIFEST] = taken[SIGNATURE], taken[MANIFEST]


def _resign(case: Case) -> None:
    """Another key, the same names in its certificate, the same authority for the stamp."""
    case.sign_with = make_signer()


def _own_world(case: Case) -> None:
    """Another key and an authority of the forger's own with the name of the real one."""
    case.sign_with, case.tsa = make_signer(), make_authority(WHEN)


def _after_the_record(case: Case) -> None:
    """By the signer's own hand: the picture exchanged after the record of it was made."""

    def exchange(files: dict[str, bytes]) -> None:
        files[SHOT] = OTHER_SHOT
        rebagged(files)

    case.edit_sealed = exchange


def _other_source(case: Case) -> None:
    changed = {**STATUS, "content": "<p>Ik hou van je</p>"}
    case.files["data/api/0001-status.json"] = dumps(changed)


def _index_elsewhere(case: Case) -> None:
    data = warc()
    at = data.index(b"WARC-Type: request") - len(b"WARC/1.1\r\n")
    case.files["data/web/page.wacz"] = package(
        wacz_files(None, offset=str(at), length=str(len(data) - at)), keep
    )


def _wacz_record(case: Case) -> None:
    """A record changed inside the WACZ, its own digests recomputed; offsets stay the same."""

    def exchange(files: dict[str, bytes]) -> None:
        files["archive/data.warc"] = honest_digests()

    case.files["data/web/page.wacz"] = package(wacz_files(), exchange)


def _gzip_bomb(case: Case) -> None:
    """64 MiB of zeros as 64 KiB of gzip: verification never unpacks a body."""
    import gzip

    packed = gzip.compress(bytes(64 << 20), mtime=0)
    block = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + packed
    case.files[WARC] = record("response", 1, block, WARC_Payload_Digest=sha(packed))


@cache
def absurd(what: str) -> KeySigner:
    """A signer whose certificate has one absurd part."""
    key = pki.key_of(number=50)
    name = pki.name_of("Zegel")
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number((1 << 159) - 1 if what == "serial" else 5)
        .not_valid_before(WHEN - timedelta(days=1))
        .not_valid_after(WHEN + timedelta(days=365 * 7900 if what == "validity" else 99))
    )
    if what == "extension":
        noise = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(80 << 10))
        builder = builder.add_extension(noise, critical=False)
    if what == "names":
        many = x509.SubjectAlternativeName([x509.DNSName(f"{n}.example") for n in range(9_000)])
        builder = builder.add_extension(many, critical=False)
    return KeySigner(key, pki.der_of(builder.sign(key, hashes.SHA256())))


def _exchange_certificate(make: Callable[[], bytes]) -> Vector:
    """The good bundle whose signature file carries another certificate in the signer's place."""

    def change(p7s: bytes) -> bytes:
        return cms.rebuild(p7s, certificates=[make()])

    return of_case(lambda case: _edit(case, change))


def _signed_absurdly(what: str) -> Vector:
    """A sound signature but for the certificate; the writer's own limit is out of the way."""

    def sealed() -> bytes:
        case = example()
        case.sign_with, case.stamp = absurd(what), None
        with patch.object(certificates, "MAX_CERTIFICATE", 1 << 30):
            return case.seal()

    return of_bytes(sealed)


def _many_certificates(count: int) -> Vector:
    def change(p7s: bytes) -> bytes:
        key = pki.key_of(number=51)
        strays = [pki.certificate(f"Stray {n}", key) for n in range(count)]
        held = cms.read(p7s, max_bytes=len(p7s)).certificates
        return cms.rebuild(p7s, certificates=[*held, *strays])

    return of_case(lambda case: _edit(case, change))


def _many_lists(count: int) -> Vector:
    """Lists of an authority that is there, so that each must be tried."""
    chain = pki.chain()
    lists = [pki.revocation_list(chain.root_issuer, number + 1, WHEN) for number in range(count)]

    def change(case: Case) -> None:
        case.sign_with, case.stamp = chain.signer, None
        case.edit_signature = lambda p7s: cms.rebuild(p7s, crls=lists)

    return of_case(change)


def _edit(case: Case, change: Callable[[bytes], bytes]) -> None:
    case.stamp, case.edit_signature = None, change


def _deep_der(_: bytes) -> bytes:
    value = b""
    for _level in range(5_000):
        value = der.encode(der.SEQUENCE, value)
    return value


def _endless_length(_: bytes) -> bytes:
    return b"\x30\x88" + b"\xff" * 8


def _indefinite(p7s: bytes) -> bytes:
    return b"\x30\x80" + p7s[4:] + b"\0\0"


def _of_another_usage() -> Vector:
    usage = make_signer(usages=("key_cert_sign",))
    return of_case(lambda case: setattr(case, "sign_with", usage))


def _json(data: bytes) -> Vector:
    return of_case(lambda case: case.files.__setitem__("data/post.json", data))


def _value(data: bytes) -> Vector:
    """A post of the right form but for this value."""
    mark = "here the value belongs"
    document = post()
    source = {"file": "data/api/0001-status.json", "pointer": "/poll"}
    document["posts"][0]["poll"] = {"value": mark, "source": source, "precision": ""}
    return _json(dumps(document).replace(f'"{mark}"'.encode(), data))


def _xml(data: bytes) -> Vector:
    return of_forgery(lambda files: files.__setitem__(MANIFEST, data))


_DOCTYPE = (
    b'<?xml version="1.0"?><!DOCTYPE m [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><m>&b;</m>'
)
_INCLUDE = (
    b'<m xmlns:x="http://www.w3.org/2001/XInclude"><x:include href="file:///etc/passwd"/></m>'
)
_ONLY = TrustAnchors(signers=(signer().certificate,))


def _own_source(case: Case) -> None:
    """A field that names itself as the place that it comes from."""
    document = post()
    source = {"file": "data/post.json", "pointer": "/posts/0/title/value"}
    document["posts"][0]["title"] = {"value": "een dreiging", "source": source, "precision": ""}
    case.files["data/post.json"] = dumps(document)


def _index(old: bytes, new: bytes) -> Vector:
    """A WACZ in whose index one word is another; all its digests are right."""
    listed = wacz_files()
    assert old in listed["indexes/index.cdx"]
    listed["indexes/index.cdx"] = listed["indexes/index.cdx"].replace(old, new, 1)
    packed = package(listed, keep)
    return of_case(lambda case: case.files.__setitem__("data/web/page.wacz", packed))


def _below(purpose: x509.ObjectIdentifier) -> Vector:
    """A certificate for another purpose, of the authority that the organisation trusts."""
    root_key, key = pki.key_of(number=1), pki.key_of(number=3)
    root = pki.certificate("Root", root_key, authority=True)
    issuer = pki.Issuer(pki.name_of("Root"), root_key)
    leaf = pki.certificate("www.voorbeeld.invalid", key, issuer=issuer, extended=[purpose])
    return of_case(
        lambda case: setattr(case, "sign_with", KeySigner(key, leaf, (root,))),
        anchors=pki.trusting(root, by=authority()),
    )


def _without_strength(kind: str) -> Vector:
    """A sound signature by a key that is too weak; the writer's own check is out of the way."""

    def sealed() -> bytes:
        case = example()
        case.sign_with = pki.self_signed(kind)
        with patch.object(certificates, "digest_for", lambda _: "sha256"):
            return case.seal()

    return of_bytes(sealed)


def _year_zero() -> Vector:
    """A sound signature whose certificate begins in a year that the calendar does not have."""
    honest = pki.self_signed()
    tbs, algorithm, _ = der.parse(honest.certificate).children
    years = (b"00001231235959Z", b"99991231235959Z")
    parts = [node.raw for node in tbs.children]
    parts[4] = der.encode(
        der.SEQUENCE, b"".join(der.encode(der.GENERALIZED_TIME, year) for year in years)
    )
    inner = der.encode(der.SEQUENCE, b"".join(parts))
    value = der.encode(der.BIT_STRING, b"\0" + honest.sign(inner))
    odd = KeySigner(honest.key, der.encode(der.SEQUENCE, inner + algorithm.raw + value))

    def sealed() -> bytes:
        case = example()
        case.sign_with = odd
        with patch.object(certificates.Certificate, "not_before", WHEN):
            return case.seal()

    return of_bytes(sealed)


ON_CONTENT: dict[str, tuple[Vector, str]] = {
    "WARC record changed, its digests recomputed": (
        of_forgery(lambda files: files.__setitem__(WARC, honest_digests())),
        "file.changed",
    ),
    "WARC record changed, every digest recomputed, old signature kept": (
        of_forgery(lambda files: restated(files, WARC, honest_digests())),
        "signature.wrong-digest",
    ),
    "WARC record changed by the signer, old record digest left": (
        of_case(lambda case: case.files.__setitem__(WARC, warc().replace(b"waar je", b"waar ze"))),
        "warc.digest-differs",
    ),
    "WACZ index pointing elsewhere": (of_case(_index_elsewhere), "wacz.index-differs"),
    "WACZ index under the key of another address": (
        _index(b":1)/post", b":1)/other"),
        "wacz.index-differs",
    ),
    "WACZ index under another time": (_index(b" 20261123", b" 20261122"), "wacz.index-differs"),
    "post that is its own source": (of_case(_own_source), "post.malformed"),
    "WACZ record changed, its digests recomputed": (of_case(_wacz_record), "wacz.hash-differs"),
    "post.json not matching its raw source": (of_case(_other_source), "post.source-differs"),
    "screenshot swapped": (
        of_forgery(lambda files: files.__setitem__(SHOT, OTHER_SHOT)),
        "file.changed",
    ),
    "screenshot swapped, every digest recomputed": (
        of_forgery(lambda files: restated(files, SHOT, OTHER_SHOT)),
        "signature.wrong-digest",
    ),
    "screenshot swapped by the signer after the record": (
        of_case(_after_the_record),
        "artefact.differs",
    ),
    **TWICE_ATTACKS,
    "two files swapped": (of_forgery(_swap), "file.changed"),
    "signature stripped": (of_forgery(lambda files: files.pop(SIGNATURE)), "signature.missing"),
    "signature of another bundle": (of_forgery(_other_signature), "signature.wrong-digest"),
    "signature and list of another bundle": (of_forgery(_signature_and_list), "file.changed"),
}

ON_SIGNATURE: dict[str, tuple[Vector, str]] = {
    "signed again by another key with the same name": (of_case(_resign), "signer.unknown"),
    "signer and authority of the forger's own": (of_case(_own_world), "timestamp.untrusted"),
    "stamp of an authority that is not trusted": (
        of_bytes(lambda: example().seal(), anchors=_ONLY),
        "timestamp.untrusted",
    ),
    "certificate for certificates used to sign": (_of_another_usage(), "signer.wrong-usage"),
    "certificate of a web site used to sign": (
        _below(ExtendedKeyUsageOID.SERVER_AUTH),
        "signer.wrong-usage",
    ),
    "certificate of a time-stamping authority used to sign": (
        _below(ExtendedKeyUsageOID.TIME_STAMPING),
        "signer.wrong-usage",
    ),
    "certificate of the year 0": (_year_zero(), "signature.malformed"),
    "RSA key of 2048 bits": (_without_strength("rsa2048"), "signature.weak"),
    "ECDSA key on P-224": (_without_strength("p224"), "signature.weak"),
    "revoked later, key lost before the stamp": (
        revoked(timedelta(days=2), invalid=-timedelta(days=2)),
        "signer.revoked",
    ),
    "another certificate beside the signature": (
        _exchange_certificate(lambda: make_signer().certificate),
        "signature.malformed",
    ),
    "signed with a certificate of 80 KiB": (_signed_absurdly("extension"), "signature.malformed"),
    "signed with a certificate of 9,000 names": (
        _signed_absurdly("names"),
        "signature.malformed",
    ),
    "300 revocation lists": (_many_lists(300), "signature.malformed"),
    "300 certificates": (_many_certificates(300), "signature.malformed"),
}

ON_PARSERS: dict[str, tuple[Vector, str]] = {
    "JSON with a key twice": (_json(b'{"posts": [],' + dumps(post())[1:]), "post.malformed"),
    "JSON 10,000 deep": (_value(b"[" * 10_000 + b"]" * 10_000), "post.malformed"),
    "JSON number of 100,000 digits": (_value(b"1" * 100_000), "post.malformed"),
    "JSON number beyond all numbers": (_value(b"1e999"), "post.malformed"),
    "JSON with a lone surrogate": (_value(b'"\\ud800"'), "post.malformed"),
    "JSON with NaN": (_value(b"NaN"), "post.malformed"),
    "JSON in UTF-16": (_json(dumps(post()).decode().encode("utf-16")), "post.malformed"),
    "XML with entities and a DTD": (_xml(_DOCTYPE), "manifest.malformed"),
    "XML with XInclude": (_xml(_INCLUDE), "manifest.malformed"),
    "DER nested 5,000 deep": (of_case(lambda case: _edit(case, _deep_der)), "signature.malformed"),
    "DER length of 16 EiB": (
        of_case(lambda case: _edit(case, _endless_length)),
        "signature.malformed",
    ),
    "BER of indefinite length": (
        of_case(lambda case: _edit(case, _indefinite)),
        "signature.malformed",
    ),
    "gzip bomb in the WARC": (of_case(_gzip_bomb), "warc.ok"),
}

ATTACKS = {**ON_CONTENT, **ON_SIGNATURE, **ON_PARSERS}
"""Name → what makes the verdict, and the finding that must be in it."""

NO_FAULT = {"gzip bomb in the WARC"}
"""A bomb that nobody unpacks is a file like any other."""


def judged(name: str, folder: Path) -> Verdict:
    """The verdict on one attack."""
    return ATTACKS[name][0](folder)


__all__ = ["ATTACKS", "NO_FAULT", "absurd", "authority", "judged"]
