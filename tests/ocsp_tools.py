"""OCSP answers for tests: made by hand at any date, or by the real ``openssl ocsp``."""

from __future__ import annotations

import re
import select
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from evidence_kit.seal.signer import KeySigner
from tests import pki
from tests.pki import NOW, YEAR

OCSP_SIGNING = ExtendedKeyUsageOID.OCSP_SIGNING
SERIAL = 4099
DAY = timedelta(days=1)

PATIENCE = 60.0
"""Seconds for openssl to begin to listen, on a slow machine too."""


@dataclass(frozen=True)
class Party:
    """A certificate with its key."""

    certificate: bytes
    key: pki.Key
    name: str = ""

    @property
    def issuer(self) -> pki.Issuer:
        return pki.Issuer(self.parsed.subject, self.key)

    @property
    def parsed(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.certificate)


def party(
    name: str,
    number: int,
    by: Party | None = None,
    *,
    kind: str = "p256",
    authority: bool = False,
    extended: tuple[x509.ObjectIdentifier, ...] = (),
    start: datetime = NOW - YEAR,
    end: datetime = NOW + 5 * YEAR,
    more: tuple[x509.ExtensionType, ...] = (),
) -> Party:
    key = pki.key_of(kind, number)
    made = pki.certificate(
        name,
        key,
        issuer=by.issuer if by else None,
        authority=authority,
        extended=extended,
        start=start,
        end=end,
        more=more,
    )
    return Party(made, key, name)


def ca() -> Party:
    return party("Test authority", 70, authority=True)


def responder(by: Party, **options: object) -> Party:
    """Somebody whom ``by`` named for answering."""
    return party("Test responder", 71, by, extended=(OCSP_SIGNING,), **options)  # type: ignore[arg-type]


def leaf(by: Party, *, urls: tuple[str, ...] = (), lists: tuple[str, ...] = ()) -> KeySigner:
    """A signer below ``by`` whose certificate says where to ask."""
    key = pki.key_of(number=72)
    builder = (
        x509.CertificateBuilder()
        .subject_name(pki.name_of("Gemeente Test"))
        .issuer_name(by.parsed.subject)
        .public_key(key.public_key())
        .serial_number(SERIAL)
        .not_valid_before(NOW - 40 * YEAR if urls else NOW - DAY)
        .not_valid_after(NOW + YEAR)
    )
    if urls:
        access = [
            x509.AccessDescription(
                AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(url)
            )
            for url in urls
        ]
        builder = builder.add_extension(x509.AuthorityInformationAccess(access), critical=False)
    if lists:
        points = [
            x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
            for url in lists
        ]
        builder = builder.add_extension(x509.CRLDistributionPoints(points), critical=False)
    made = builder.sign(by.key, hashes.SHA256())
    return KeySigner(key, pki.der_of(made), (by.certificate,))


def answer(
    subject: bytes,
    issuer: Party,
    *,
    by: Party | None = None,
    status: str = "good",
    revoked: datetime | None = None,
    this: datetime = NOW - timedelta(hours=1),
    until: datetime | None = NOW + DAY,
    embed: tuple[bytes, ...] | None = None,
    name: str = "sha1",
    by_key: bool = False,
    extension: x509.UnrecognizedExtension | None = None,
) -> bytes:
    """One answer about ``subject``, signed by ``by`` (the issuer itself without one)."""
    signer = by or issuer
    algorithm: dict[str, Callable[[], hashes.HashAlgorithm]] = {
        "sha1": hashes.SHA1,
        "sha256": hashes.SHA256,
        "sha512": hashes.SHA512,
    }
    encoding = ocsp.OCSPResponderEncoding.HASH if by_key else ocsp.OCSPResponderEncoding.NAME
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=x509.load_der_x509_certificate(subject),
            issuer=issuer.parsed,
            algorithm=algorithm[name](),
            cert_status=ocsp.OCSPCertStatus[status.upper()],
            this_update=this,
            next_update=until,
            revocation_time=revoked,
            revocation_reason=None,
        )
        .responder_id(encoding, signer.parsed)
    )
    held = (() if by is None else (by.certificate,)) if embed is None else embed
    if held:
        builder = builder.certificates([x509.load_der_x509_certificate(one) for one in held])
    if extension is not None:
        builder = builder.add_extension(extension, critical=True)
    made = builder.sign(signer.key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.DER)


class OpensslResponder:
    """``openssl ocsp`` on a port of its own; ``revoked`` is when, None for good."""

    def __init__(
        self,
        folder: Path,
        issuer: Party,
        by: Party,
        *,
        known: bool = True,
        revoked: datetime | None = None,
    ) -> None:
        line = ""
        if known:
            state, when = ("R", revoked.strftime("%y%m%d%H%M%SZ")) if revoked else ("V", "")
            line = f"{state}\t400101000000Z\t{when}\t{SERIAL:X}\tunknown\t/CN=Gemeente Test\n"
        (folder / "index.txt").write_text(line)
        (folder / "ca.pem").write_bytes(pki.pem_of(issuer.certificate))
        (folder / "responder.pem").write_bytes(pki.pem_of(by.certificate))
        (folder / "key.pem").write_bytes(
            by.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        command = "openssl ocsp -port 0 -nmin 60 -index index.txt -CA ca.pem"
        command += " -rsigner responder.pem -rkey key.pem"
        self._process = subprocess.Popen(
            command.split(),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.url = ""

    def __enter__(self) -> OpensslResponder:
        until = time.monotonic() + PATIENCE
        output = self._process.stdout
        if output is None:
            raise RuntimeError("openssl has no output")
        while not self.url and time.monotonic() < until:
            if sys.platform != "win32" and not select.select([output], [], [], 1.0)[0]:
                continue
            line = output.readline().decode()
            if not line:
                break
            found = re.match(r"ACCEPT .*:([0-9]+)", line)
            if found:
                self.url = f"http://localhost:{found[1]}/"
        if not self.url:
            self.__exit__(None, None, None)
            raise RuntimeError("openssl ocsp does not listen")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait(timeout=PATIENCE)
        if self._process.stdout is not None:
            self._process.stdout.close()
