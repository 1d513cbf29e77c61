"""A web site on loopback that keeps the raw bytes of every exchange before anything parses them.

It is the other side of the recorder's main test: what the browser's log says must equal, byte for
byte, what passed this socket.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import brotli
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
TEXT = "Dit is een bericht met een dreigement, voor de proef. " * 40


@dataclass
class Seen:
    """One exchange as it passed the socket."""

    port: int
    path: str
    request: bytes
    response: bytes = b""
    cut: bool = False
    frames: tuple[bytes, bytes] = (b"", b"")


@dataclass(frozen=True)
class Request:
    """What a route may look at."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.split("?", 1)[0]


@dataclass(frozen=True)
class Reply:
    """Raw bytes to send; ``close`` ends the connection afterwards."""

    raw: bytes
    close: bool = False
    cut: bool = False
    socket_frames: bool = False


Route = Callable[[Request], Reply]


def reply(
    status: str, headers: list[tuple[str, str]], body: bytes = b"", *, length: bool = True
) -> Reply:
    """A reply with its header lines in the given order and spelling."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
    if length:
        lines.append(f"CONTENT-length: {len(body)}")
    return Reply("\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + body)


def chunked(body: bytes, *, end: bool = True, step: int = 700) -> bytes:
    """The chunked coding of ``body`` (RFC 9112 section 7.1), with a chunk extension."""
    out = b""
    for start in range(0, len(body), step):
        part = body[start : start + step]
        out += f"{len(part):x};x=1\r\n".encode() + part + b"\r\n"
    return out + (b"0\r\n\r\n" if end else b"")


@dataclass
class Site:
    """The running site; ``seen`` grows while the browser loads it."""

    routes: dict[str, Route]
    seen: list[Seen] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def handle(self, request: Request) -> Reply:
        route = self.routes.get(request.path)
        if route is None:
            return reply("404 Niet gevonden", [("Content-Type", "text/html")], b"<h1>weg</h1>")
        return route(request)

    def keep(self, seen: Seen) -> None:
        with self.lock:
            self.seen.append(seen)

    def wait_for(self, path: str, seconds: float) -> bool:
        """Whether ``path`` has been asked within ``seconds``."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with self.lock:
                if any(seen.path == path for seen in self.seen):
                    return True
            time.sleep(0.02)
        return False


def _read_request(stream: socket.socket, buffer: bytearray) -> tuple[Request, bytes] | None:
    while b"\r\n\r\n" not in buffer:
        data = stream.recv(65536)
        if not data:
            return None
        buffer += data
    end = buffer.index(b"\r\n\r\n") + 4
    lines = bytes(buffer[:end]).decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ", 2)
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines[1:] if line)
    }
    length = int(headers.get("content-length", "0"))
    while len(buffer) < end + length:
        data = stream.recv(65536)
        if not data:
            break
        buffer += data
    raw = bytes(buffer[: end + length])
    del buffer[: end + length]
    return Request(method, target, headers, raw[end:]), raw


def _echo_frames(stream: socket.socket, buffer: bytearray) -> tuple[bytes, bytes]:
    """Greet, then answer the close frame (RFC 6455): all bytes of the client, and of ours."""
    sent = b"\x81\x05hallo"
    stream.sendall(sent)
    got = bytearray(buffer)
    while True:
        data = stream.recv(65536)
        if not data:
            break
        got += data
        if _has_close(bytes(got)):
            sent += b"\x88\x00"
            stream.sendall(b"\x88\x00")
            break
    return bytes(got), sent


def _has_close(data: bytes) -> bool:
    place = 0
    while place + 2 <= len(data):
        if data[place] & 0x0F == 8:
            return True
        place += 2 + 4 + (data[place + 1] & 0x7F)
    return False


def accept_websocket(request: Request) -> Reply:
    """The opening handshake of RFC 6455 section 4.2.2."""
    key = request.headers["sec-websocket-key"].encode()
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    lines = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", base64.b64encode(digest).decode()),
    ]
    answer = reply("101 Switching Protocols", lines, length=False)
    return Reply(answer.raw, close=True, socket_frames=True)


def _serve(site: Site, stream: socket.socket, port: int) -> None:
    buffer = bytearray()
    try:
        while True:
            got = _read_request(stream, buffer)
            if got is None:
                return
            request, raw = got
            answer = site.handle(request)
            seen = Seen(port, request.target, raw, answer.raw, answer.cut)
            site.keep(seen)
            stream.sendall(answer.raw)
            if answer.socket_frames:
                seen.frames = _echo_frames(stream, buffer)
                return
            if answer.close:
                return
    except (OSError, ValueError):
        return
    finally:
        with suppress(OSError):
            stream.shutdown(socket.SHUT_RDWR)
        stream.close()


@contextmanager
def run_site(
    routes: dict[str, Route],
    *,
    tls: ssl.SSLContext | None = None,
    serve: Callable[[Site, socket.socket, int], None] = _serve,
) -> Iterator[tuple[Site, int]]:
    """Serve ``routes`` on a free port of 127.0.0.1 until the block ends."""
    site = Site(routes)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    port = listener.getsockname()[1]
    site.ports.append(port)
    stop = threading.Event()

    running: list[threading.Thread] = []

    def connection(plain: socket.socket) -> None:
        plain.settimeout(20)
        with plain, suppress(OSError):
            if tls is None:
                serve(site, plain, port)
                return
            with tls.wrap_socket(plain, server_side=True) as stream:
                serve(site, stream, port)

    def accept() -> None:
        while not stop.is_set():
            try:
                stream, _ = listener.accept()
            except OSError:
                return
            running.append(threading.Thread(target=connection, args=(stream,), daemon=True))
            running[-1].start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield site, port
    finally:
        stop.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for each in (thread, *running):
            each.join(5)


def example_routes() -> dict[str, Route]:
    """Every form of HTTP/1.1 exchange that the recorder has to keep."""
    text = TEXT.encode()
    deflated = zlib.compress(text)
    html = [("Content-Type", "text/html; charset=utf-8")]
    script = b"""<!doctype html><title>proef</title><meta charset=utf-8>
<img src=/pixel.png><img src=/gone.png><img src=/gzip><img src=/truncated>
<pre id=out>busy</pre><script>
const f = (u, o) => fetch(u, o).then(r => r.text()).catch(e => 'failed');
(async () => {
  await f('/redirect'); await f('/empty'); await f('/reset'); await f('/chunked');
  await f('/chunkedgzip'); await f('/deflate'); await f('/br'); await f('/cutchunk');
  await f('/cutlength'); await f('/early'); await f('/error'); await f('/escaped');
  await f('/head', {method: 'HEAD'}); await f('/toclose'); await f('/cookie');
  await f('/cookie?again=1'); await f('/cached'); await f('/cached');
  await f('/etag'); await f('/etag', {cache: 'no-cache'});
  await f('/range', {headers: {Range: 'bytes=10-19'}});
  await f('/form', {method: 'POST', body: new URLSearchParams({naam: 'Jan', 'b c': 'd&e'})});
  const data = new FormData(); data.append('veld', 'waarde');
  data.append('bestand', new Blob([new Uint8Array([0, 1, 2, 255, 254])]), 'b.bin');
  await f('/multipart', {method: 'POST', body: data});
  await f('/big', {method: 'POST', body: 'x'.repeat(300000)});
  await f(location.protocol + '//localhost:' + location.port + '/cors',
    {method: 'PUT', headers: {'X-Own': '1', 'Content-Type': 'application/json'}, body: '{"a":1}'});
  await f('http://127.0.0.1:3/');
  await new Promise(ready => {
    const socket = new WebSocket(location.origin.replace('http', 'ws') + '/socket');
    socket.onmessage = () => { socket.send('antwoord'); socket.close(); };
    socket.onclose = ready;
  });
  await f('/done');
})();
</script>"""
    cors = [
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Allow-Methods", "PUT"),
        ("Access-Control-Allow-Headers", "x-own, content-type"),
    ]

    def etag(request: Request) -> Reply:
        if "if-none-match" in request.headers:
            return reply("304 Not Modified", [("ETag", '"v1"')], length=False)
        return reply("200 OK", [("ETag", '"v1"'), ("Cache-Control", "no-cache")], text)

    def cross(request: Request) -> Reply:
        if request.method == "OPTIONS":
            return reply("204 No Content", cors, length=False)
        return reply("200 OK", cors, b"put gezien")

    def fixed(answer: Reply) -> Route:
        return lambda _: answer

    def head_only(_: Request) -> Reply:
        return reply("200 OK", [*html, ("Content-Length", "4321")], length=False)

    coded = [*html, ("Content-Encoding", "gzip")]
    cut = reply("200 OK", [*html, ("Content-Length", "5000")], text[:1234], length=False)
    te = [*html, ("Transfer-Encoding", "chunked")]
    return {
        "/": fixed(reply("200 OK", [("x-ODD-case", "  two  spaces "), *html], script)),
        "/pixel.png": fixed(reply("200 OK", [("Content-Type", "image/png")], PNG)),
        "/gzip": fixed(reply("200 OK", coded, gzip.compress(text, mtime=0))),
        "/truncated": fixed(Reply(cut.raw, close=True, cut=True)),
        "/redirect": fixed(reply("302 Found", [("Location", "/target?a=1")], b"a body of a 302")),
        "/target": fixed(reply("200 OK", html, b"aangekomen")),
        "/empty": fixed(reply("204 No Content", [("X-A", "b")], length=False)),
        "/reset": fixed(reply("205 Reset Content", [], b"")),
        "/chunked": fixed(Reply(reply("200 OK", te, length=False).raw + chunked(text))),
        "/chunkedgzip": fixed(
            Reply(
                reply("200 OK", [*te, ("Content-Encoding", "gzip")], length=False).raw
                + chunked(gzip.compress(text, mtime=0), step=50)
            )
        ),
        "/deflate": fixed(reply("200 OK", [*html, ("Content-Encoding", "deflate")], deflated)),
        "/br": fixed(reply("200 OK", [*html, ("Content-Encoding", "br")], brotli.compress(text))),
        "/cutchunk": fixed(
            Reply(
                reply("200 OK", te, length=False).raw + chunked(text, end=False),
                close=True,
                cut=True,
            )
        ),
        "/cutlength": fixed(Reply(cut.raw, close=True, cut=True)),
        "/early": fixed(
            Reply(
                b"HTTP/1.1 103 Early Hints\r\nLink: </pixel.png>; rel=preload; as=image\r\n\r\n"
                + reply("200 OK", html, b"na de hint").raw
            )
        ),
        "/error": fixed(reply("500 Kapot", html, b"<h1>kapot</h1>")),
        "/escaped": fixed(reply("200 OK", [("X-Name", "J\u00fcrgen \u20ac % 10%25")], b"ok")),
        "/head": head_only,
        "/toclose": fixed(
            Reply(reply("200 OK", html, b"tot het einde", length=False).raw, close=True)
        ),
        "/cookie": fixed(
            reply(
                "200 OK",
                [
                    ("Set-Cookie", "sid=k2J9xQ7vLm4TzR8wPb3N; Path=/; HttpOnly"),
                    ("Set-Cookie", "taal=nl"),
                ],
                b"koekje k2J9xQ7vLm4TzR8wPb3N",
            )
        ),
        "/cached": fixed(reply("200 OK", [("Cache-Control", "max-age=600")], b"bewaard")),
        "/etag": etag,
        "/range": fixed(
            reply("206 Partial Content", [("Content-Range", "bytes 10-19/2160")], text[10:20])
        ),
        "/form": fixed(reply("200 OK", html, b"formulier gezien")),
        "/multipart": fixed(reply("200 OK", html, b"delen gezien")),
        "/big": fixed(reply("200 OK", html, b"groot gezien")),
        "/cors": cross,
        "/done": fixed(reply("200 OK", html, b"klaar")),
        "/socket": accept_websocket,
    }


def tls_context(folder: Path, *, alpn: list[str]) -> tuple[ssl.SSLContext, bytes]:
    """A throw-away self-signed certificate for localhost; the context and the DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "site.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + cert.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.set_alpn_protocols(alpn)
    return context, cert.public_bytes(serialization.Encoding.DER)
