"""Two real TLS ends in one process, and what passed between them as ciphertext.

Both are OpenSSL by Python's ``ssl``; their bytes go through memory, so a recording is there
without sockets. What each end gave to the other is kept beside it.
"""

from __future__ import annotations

import io
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from evidence_kit.seal.tls_keys import KeyLog
from evidence_kit.seal.tls_records import TlsConnection, open_tls

NAME = "example.test"

NO_EXTENDED_MASTER_SECRET = 1 << 0
NO_ENCRYPT_THEN_MAC = 1 << 19
"""Options of OpenSSL 3 that Python has no name for."""

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Recording:
    """One connection: its ciphertext, its keys, and what was really said."""

    sent: bytes
    received: bytes
    keys: bytes
    said: bytes = b""
    answered: bytes = b""
    version: str = ""
    suite: str = ""
    resumed: bool = False

    def changed(self, way: str, data: bytes) -> Recording:
        """The same with other ciphertext of one direction."""
        return replace(self, sent=data) if way == "sent" else replace(self, received=data)

    def open(self) -> TlsConnection:
        return open_tls(io.BytesIO(self.sent), io.BytesIO(self.received), KeyLog.parse(self.keys))

    def read(self) -> tuple[bytes, bytes]:
        connection = self.open()
        return b"".join(connection.sent()), b"".join(connection.received())


@cache
def certificate(kind: str) -> bytes:
    """Key and self-signed certificate as PEM; ``kind`` is "ec" or "rsa"."""
    key: Key = (
        ec.generate_private_key(ec.SECP256R1())
        if kind == "ec"
        else rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + made.public_bytes(serialization.Encoding.PEM)


def certificate_file(folder: Path, kind: str) -> Path:
    path = folder / f"{kind}.pem"
    path.write_bytes(certificate(kind))
    return path


class Ends:
    """A client and a server context, and the connections made with them."""

    def __init__(
        self,
        folder: Path,
        *,
        version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
        suite: str | None = None,
        kind: str = "rsa",
        options: int = 0,
    ) -> None:
        self._log = folder / "keys.log"
        pem = certificate_file(folder, kind)
        self.client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.client.load_verify_locations(pem)
        self.client.keylog_filename = str(self._log)
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(pem)
        for context in (self.client, self.server):
            context.minimum_version = context.maximum_version = version
            context.options |= options
            if suite:
                context.set_ciphers(f"{suite}:@SECLEVEL=0")

    def connect(
        self,
        talk: Callable[[Talk], None] | None = None,
        *,
        session: ssl.SSLSession | None = None,
    ) -> Recording:
        """One connection; ``talk`` says what happens on it after the handshake."""
        one = Talk(self, session)
        one.handshake()
        (talk or Talk.chat)(one)
        return one.recording(self._log.read_bytes())


class Talk:
    """One connection between the two ends, step by step."""

    def __init__(self, ends: Ends, session: ssl.SSLSession | None) -> None:
        self._to_server, self._to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        out_client, out_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._out = out_client, out_server
        self.client = ends.client.wrap_bio(
            self._to_client, out_client, server_hostname=NAME, session=session
        )
        self.server = ends.server.wrap_bio(self._to_server, out_server, server_side=True)
        self.sent, self.received = bytearray(), bytearray()
        self.said, self.answered = bytearray(), bytearray()

    def pass_on(self) -> None:
        """Let what both ends wrote reach the other."""
        for out, into, kept in (
            (self._out[0], self._to_server, self.sent),
            (self._out[1], self._to_client, self.received),
        ):
            data = out.read()
            kept += data
            into.write(data)

    def handshake(self) -> None:
        for _ in range(10):
            done = 0
            for end in (self.client, self.server):
                try:
                    end.do_handshake()
                    done += 1
                except ssl.SSLWantReadError:
                    pass
                self.pass_on()
            if done == 2:
                return
        raise AssertionError("no handshake")

    def say(self, data: bytes) -> None:
        self._carry(self.client, self.server, data)
        self.said += data

    def answer(self, data: bytes) -> None:
        self._carry(self.server, self.client, data)
        self.answered += data

    def _carry(self, source: ssl.SSLObject, target: ssl.SSLObject, data: bytes) -> None:
        assert source.write(data) == len(data)
        self.pass_on()
        got = b""
        while len(got) < len(data):
            got += target.read(len(data))
        assert got == data

    def chat(self) -> None:
        for number in range(3):
            self.say(b"GET /%d HTTP/1.1\r\nHost: example.test\r\n\r\n" % number)
            self.answer(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(range(256)) * (70 * number))
        self.say(b"x")

    def close(self) -> None:
        for end in (self.client, self.server, self.client):
            with suppress(ssl.SSLWantReadError):
                end.unwrap()
            self.pass_on()

    def recording(self, keys: bytes) -> Recording:
        suite = self.client.cipher()
        return Recording(
            bytes(self.sent),
            bytes(self.received),
            keys,
            bytes(self.said),
            bytes(self.answered),
            self.client.version() or "",
            suite[0] if suite else "",
            bool(self.client.session_reused),
        )
