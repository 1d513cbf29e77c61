"""A time-stamping authority for demonstrations and tests, on loopback, labelled DEMO everywhere.

It follows RFC 3161 and RFC 5816 (SHA-256, certificate identifier of version 2, accuracy), with
throw-away keys; its stamps prove nothing. ``fault`` makes it misbehave on purpose.
"""

from __future__ import annotations

import argparse
import hashlib
import secrets
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from evidence_kit.core.clock import Clock
from evidence_kit.core.limits import MAX_TOKEN
from evidence_kit.seal import cms, der

POLICY = "2.25.192837465564738291028374655647382910283"
"""A policy of nobody's: below the arc for identifiers made from random numbers (X.667)."""

HANG_SECONDS = 30
"""How long the fault ``hang`` keeps a client waiting: longer than any client should."""

_REPLY = "application/timestamp-reply"


class Fault(StrEnum):
    """Ways in which real authorities, proxies and attackers have been seen to fail."""

    NONE = "none"
    REFUSE = "refuse"
    HANG = "hang"
    HTTP_ERROR = "http-error"
    HTML = "html"
    WRONG_NONCE = "wrong-nonce"
    WRONG_IMPRINT = "wrong-imprint"
    FUTURE = "future"
    OVERSIZE = "oversize"
    BAD_SIGNATURE = "bad-signature"
    NO_CERTIFICATE = "no-certificate"
    REDIRECT = "redirect"


@dataclass(frozen=True)
class Authority:
    """A throw-away root with a time-stamping certificate below it.

    Attributes:
        root: self-signed, what a verifier pins.
        certificate: of the key that signs tokens.
        key: ECDSA P-256.
    """

    root: x509.Certificate
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def root_pem(self) -> bytes:
        """The root, PEM."""
        return self.root.public_bytes(serialization.Encoding.PEM)


def make_authority(
    now: datetime, *, name: str = "DEMO time-stamping authority", years: int = 10
) -> Authority:
    """A new root and authority, valid from a day before ``now``."""
    start, end = now - timedelta(days=1), now + timedelta(days=365 * years)
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, tsa_name = _name(f"{name} root"), _name(name)
    root = (
        _builder(root_name, root_name, root_key.public_key(), start, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign_certificates=True), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), critical=False
        )
        .sign(root_key, hashes.SHA256())
    )
    certificate = (
        _builder(tsa_name, root_name, key.public_key(), start, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()),
            critical=False,
        )
        .sign(root_key, hashes.SHA256())
    )
    return Authority(root, certificate, key)


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "DEMO - proves nothing"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    start: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _seq(*parts: bytes) -> bytes:
    return der.encode(der.SEQUENCE, b"".join(parts))


def _attribute(oid: str, value: bytes) -> bytes:
    return _seq(der.encode_oid(oid), der.encode(der.SET, value))


@dataclass(frozen=True)
class Stamp:
    """What a token shall say; ``imprint`` is the encoded MessageImprint of the request."""

    imprint: bytes
    gen_time: datetime
    serial: int
    nonce: bytes = b""
    accuracy: int | None = 1


def make_token(authority: Authority, stamp: Stamp, *, embed: tuple[x509.Certificate, ...]) -> bytes:
    """A time-stamp token (ContentInfo, DER).

    Args:
        authority: whose key signs.
        stamp: what it says; accuracy in whole seconds.
        embed: the certificates to put in.
    """
    when = stamp.gen_time.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode()
    content = _seq(
        der.encode_integer(1),
        der.encode_oid(POLICY),
        stamp.imprint,
        der.encode_integer(stamp.serial),
        der.encode(der.GENERALIZED_TIME, when),
        b"" if stamp.accuracy is None else _seq(der.encode_integer(stamp.accuracy)),
        stamp.nonce,
    )
    leaf = authority.certificate.public_bytes(serialization.Encoding.DER)
    identifier = _seq(_seq(_seq(der.encode(der.OCTET_STRING, hashlib.sha256(leaf).digest()))))
    digest = der.encode(der.OCTET_STRING, hashlib.sha256(content).digest())
    attributes = [
        _attribute(cms.CONTENT_TYPE, der.encode_oid(cms.TST_INFO)),
        _attribute(cms.MESSAGE_DIGEST, digest),
        _attribute(cms.SIGNING_CERTIFICATE_V2, identifier),
    ]
    signature = authority.key.sign(der.encode_set(der.SET, attributes), ec.ECDSA(hashes.SHA256()))
    sha256 = _seq(der.encode_oid(cms.DIGEST_OIDS["sha256"]))
    signer = _seq(
        der.encode_integer(1),
        _seq(
            authority.certificate.issuer.public_bytes(),
            der.encode_integer(authority.certificate.serial_number),
        ),
        sha256,
        der.encode_set(0xA0, attributes),
        _seq(der.encode_oid("1.2.840.10045.4.3.2")),
        der.encode(der.OCTET_STRING, signature),
    )
    certificates = [one.public_bytes(serialization.Encoding.DER) for one in embed]
    signed = _seq(
        der.encode_integer(3),
        der.encode(der.SET, sha256),
        _seq(
            der.encode_oid(cms.TST_INFO),
            der.encode(0xA0, der.encode(der.OCTET_STRING, content)),
        ),
        der.encode_set(0xA0, certificates) if certificates else b"",
        der.encode(der.SET, signer),
    )
    return _seq(der.encode_oid(cms.SIGNED_DATA), der.encode(0xA0, signed))


def answer(
    request: bytes,
    authority: Authority,
    now: datetime,
    *,
    fault: Fault = Fault.NONE,
    serial: int = 1,
) -> bytes:
    """A TimeStampResp to a TimeStampReq; ``fault`` as in :class:`Fault`.

    Raises:
        der.DerError, cms.StructureError: not a request.
    """
    body = list(cms.expect(der.parse(request, max_bytes=MAX_TOKEN), der.SEQUENCE))
    cms.take(body)
    imprint = cms.take(body).raw
    nonce = next((node.raw for node in body if node.tag == der.INTEGER), b"")
    if fault is Fault.REFUSE:
        text = der.encode(der.UTF8_STRING, b"DEMO: not today")
        return _seq(_seq(der.encode_integer(2), _seq(text), b"\x03\x03\x01\x00\x02"))
    if fault is Fault.WRONG_NONCE:
        nonce = der.encode_integer(4711)
    if fault is Fault.WRONG_IMPRINT:
        imprint = imprint[:-1] + bytes((imprint[-1] ^ 1,))
    stamp = Stamp(imprint, now + timedelta(days=2) if fault is Fault.FUTURE else now, serial, nonce)
    embed = () if fault is Fault.NO_CERTIFICATE else (authority.certificate,)
    token = make_token(authority, stamp, embed=embed)
    if fault is Fault.BAD_SIGNATURE:
        token = token[:-1] + bytes((token[-1] ^ 1,))
    return _seq(_seq(der.encode_integer(0)), token)


def utc_now() -> datetime:
    """The computer's clock: a demonstration has no better one."""
    return datetime.now(UTC)


class DemoTsa:
    """The authority behind HTTP on 127.0.0.1, as a context manager.

    Args:
        authority: made with :func:`make_authority`; a new one by default.
        clock: the time it stamps.
        fault: how it misbehaves; may be set while it runs.
        port: 0 takes a free one.
    """

    def __init__(
        self,
        authority: Authority | None = None,
        *,
        clock: Clock = utc_now,
        fault: Fault = Fault.NONE,
        port: int = 0,
    ) -> None:
        self.authority = authority or make_authority(clock())
        self.fault = fault
        self.requests = 0
        self._clock = clock
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self._reply))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._serial = secrets.randbits(32)
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/tsa"

    @property
    def root_pem(self) -> bytes:
        """What a verifier pins, PEM."""
        return self.authority.root_pem

    @property
    def root_der(self) -> bytes:
        """What a verifier pins, DER."""
        return self.authority.root.public_bytes(serialization.Encoding.DER)

    def __enter__(self) -> DemoTsa:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _reply(self, request: bytes) -> tuple[int, str, bytes]:
        with self._lock:
            self._serial += 1
            self.requests += 1
            serial = self._serial
        if self.fault is Fault.HANG:
            self._released.wait(HANG_SECONDS)
            return 503, "text/plain", b""
        if self.fault is Fault.HTTP_ERROR:
            return 500, "text/plain", b"DEMO: out of order"
        if self.fault is Fault.HTML:
            return 200, "text/html", b"<html><body>DEMO: please log in</body></html>"
        if self.fault is Fault.OVERSIZE:
            return 200, _REPLY, b"\x30" * (MAX_TOKEN + 1)
        if self.fault is Fault.REDIRECT:
            return 302, "text/plain", b""
        try:
            reply = answer(request, self.authority, self._clock(), fault=self.fault, serial=serial)
        except ValueError:  # what it was sent is no request
            return 400, "text/plain", b"DEMO: not a time-stamp request"
        return 200, _REPLY, reply


def _handler(reply: Callable[[bytes], tuple[int, str, bytes]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            if not 0 <= length <= MAX_TOKEN:
                self.send_error(413)
                return
            status, kind, body = reply(self.rfile.read(length))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if status == 302:
                self.send_header("Location", "http://127.0.0.1:9/")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

        def handle(self) -> None:
            try:
                super().handle()
            except (ConnectionError, TimeoutError):
                return  # the client gave up, as it should when this hangs

    return Handler


def main(arguments: list[str] | None = None) -> None:
    """Stamp until interrupted; the root certificate to pin is written to a new file."""
    parser = argparse.ArgumentParser(prog="python -m evidence_kit.demo.tsa", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--root", type=Path, default=Path("demo-tsa-root.pem"), help="new file")
    chosen = parser.parse_args(arguments)
    with DemoTsa(port=cast(int, chosen.port)) as tsa:
        root = cast(Path, chosen.root)
        with root.open("xb") as stream:
            stream.write(tsa.root_pem)
        sys.stdout.write(f"{tsa.url}\n  root certificate  {root}\n")
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            sys.stdout.write("\n")


__all__ = ["Authority", "DemoTsa", "Fault", "Stamp", "answer", "make_authority", "make_token"]

if __name__ == "__main__":
    main()
