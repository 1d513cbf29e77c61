"""The real ``openssl ts -reply`` as a time-stamping authority behind HTTP on loopback."""

from __future__ import annotations

import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

from cryptography.hazmat.primitives import serialization

from tests import pki

_CONFIG = """\
[tsa]
default_tsa = main
[main]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/key.pem
certs = {folder}/root.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1, millisecs:500
ordering = no
tsa_name = no
ess_cert_id_chain = {chain}
ess_cert_id_alg = {ess}
"""


class OpensslTsa:
    """Context manager; ``kind`` is the key's, ``ess`` the digest of the certificate identifier."""

    def __init__(
        self, folder: Path, *, kind: str = "rsa2048", ess: str = "sha256", chain: str = "no"
    ) -> None:
        self._folder = folder
        key, root_key = pki.key_of(kind), pki.key_of(number=9)
        by = pki.Issuer(pki.name_of("Test TSA root"), root_key)
        start, end = pki.NOW - 40 * pki.YEAR, pki.NOW + 40 * pki.YEAR  # whatever today is
        self.root = pki.certificate("Test TSA root", root_key, authority=True, start=start, end=end)
        leaf = pki.certificate(
            "Test TSA", key, issuer=by, extended=[pki.TIME_STAMPING], start=start, end=end
        )
        (folder / "tsa.pem").write_bytes(pki.pem_of(leaf))
        (folder / "root.pem").write_bytes(pki.pem_of(self.root))
        (folder / "key.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        (folder / "serial").write_text("01\n")
        (folder / "openssl.cnf").write_text(
            _CONFIG.format(folder=folder.as_posix(), ess=ess, chain=chain)
        )
        self._lock = threading.Lock()  # openssl reads and writes the serial file without one
        answer = self.answer

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = answer(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    def answer(self, request: bytes) -> bytes:
        with self._lock:
            query, reply = self._folder / "query.tsq", self._folder / "reply.tsr"
            query.write_bytes(request)
            subprocess.run(
                [
                    *("openssl", "ts", "-reply", "-config", str(self._folder / "openssl.cnf")),
                    *("-queryfile", str(query), "-out", str(reply)),
                ],
                check=True,
                capture_output=True,
                timeout=30,
            )
            return reply.read_bytes()

    def __enter__(self) -> OpensslTsa:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
