"""The session for direct requests: exact bytes, and nothing that should stay at home."""

from __future__ import annotations

import http.server
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from evidence_kit.core.errors import (
    ConfigError,
    EvidenceError,
    InputError,
    NetworkError,
    RateLimitedError,
)
from evidence_kit.core.exchange import Representation, Source
from evidence_kit.demo.site import DemoSite
from evidence_kit.gather.http import MAX_REDIRECTS
from evidence_kit.gather.http_answer import retry_time
from evidence_kit.gather.http_exchange import USER_AGENT
from tests.fixtures_http import NOW, Make, answer, make, server
from tests.fixtures_site import demo_site

__all__ = ["demo_site", "make"]


def test_bytes_are_those_that_the_server_saw(demo_site: DemoSite, make: Make) -> None:
    session = make()
    paths = [*demo_site.posts.values(), "/media/ingang.png", "/api/v2/instance"]
    for path in paths:
        session.get(demo_site.url + path)
    assert len(session.exchanges) == len(demo_site.wire) > len(paths)
    for exchange, seen in zip(session.exchanges, demo_site.wire, strict=True):
        assert exchange.request.read_bytes() == bytes(seen.request)
        assert exchange.response is not None
        assert exchange.response.read_bytes() == bytes(seen.response)
        assert exchange.local_port == seen.peer_port


def test_what_an_exchange_says(demo_site: DemoSite, make: Make) -> None:
    session = make()
    found = session.get(demo_site.address("short"))
    first, second = session.exchanges
    assert (first.number, first.status, first.redirected_from) == (1, 302, None)
    assert (second.number, second.status, second.redirected_from) == (2, 200, 1)
    assert second.url == found.url == demo_site.address("threat")
    assert second.representation is Representation.WIRE
    assert second.source is Source.SESSION
    assert (second.remote_address, second.remote_port) == ("127.0.0.1", demo_site.port)
    assert second.protocols == ("http/1.1",)
    assert second.started == NOW
    assert second.tls is None
    assert found.exchange == second
    request = second.request.read_bytes()
    assert f"User-Agent: {USER_AGENT}\r\n".encode() in request
    assert b"Accept-Encoding: identity\r\n" in request
    assert b"Cookie" not in request
    assert first.local_port == second.local_port  # one connection, kept alive


def test_the_address_is_pinned_and_the_name_kept(demo_site: DemoSite, make: Make) -> None:
    session = make()
    found = session.get(f"http://voorbeeld.invalid:{demo_site.port}/api/v2/instance")
    assert found.status == 200
    host = f"Host: voorbeeld.invalid:{demo_site.port}\r\n".encode()
    assert host in found.exchange.request.read_bytes()
    assert found.exchange.remote_address == "127.0.0.1"


def test_refusal_of_the_resolver_passes_through(make: Make) -> None:
    def refuse(host: str, port: int) -> str:
        raise NetworkError("address refused")

    session = make(resolve=refuse)
    with pytest.raises(NetworkError, match="address refused"):
        session.get("http://voorbeeld.invalid/")
    assert session.exchanges[0].error == "interrupted"
    assert session.exchanges[0].remote_address is None
    assert session.exchanges[0].response is None


def test_environment_proxies_are_not_used(
    demo_site: DemoSite, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert make().get(demo_site.url).status == 200


@pytest.mark.parametrize(
    "url",
    [
        "ftp://voorbeeld.invalid/",
        "file:///etc/passwd",
        "x",
        "http://",
        "http://[",
        "http://a:99999",
    ],
)
def test_only_web_addresses(make: Make, url: str) -> None:
    with pytest.raises(InputError):
        make().get(url)


def test_endless_redirects_end(make: Make) -> None:
    def play(handler: http.server.BaseHTTPRequestHandler) -> None:
        answer(handler, status=302, Location=handler.path + "x")

    with server(play) as port:
        session = make()
        with pytest.raises(NetworkError, match="redirects more than 10 times"):
            session.get(f"http://127.0.0.1:{port}/")
        assert len(session.exchanges) == MAX_REDIRECTS + 1
        session.close()


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://[", "http://a:0/"])
def test_redirect_to_no_web_address_is_not_followed(make: Make, location: str) -> None:
    with server(lambda h: answer(h, status=302, Location=location)) as port:
        session = make()
        assert session.get(f"http://127.0.0.1:{port}/").status == 302
        session.close()


def test_credentials_stay_with_their_origin(demo_site: DemoSite, make: Make) -> None:
    with server(lambda h: answer(h, status=302, Location=demo_site.url + "/")) as port:
        session = make()
        session.get(f"http://127.0.0.1:{port}/", headers={"Authorization": "Bearer geheim"})
        session.close()
    first, second = (item.request.read_bytes() for item in session.exchanges)
    assert b"Bearer geheim" in first
    assert b"geheim" not in second


def test_retries_on_502_then_gives_up_with_the_answer(make: Make) -> None:
    waits: list[float] = []
    with server(lambda h: answer(h, b"stuk", status=502)) as port:
        session = make(sleep=waits.append)
        assert session.get(f"http://127.0.0.1:{port}/").status == 502
        session.close()
    assert len(session.exchanges) == 3
    assert waits == [0.5, 1.0]


def test_dead_port_is_tried_again_then_named(make: Make) -> None:
    with server(lambda h: answer(h)) as port:
        pass
    session = make()
    with pytest.raises(NetworkError, match=r"^127\.0\.0\.1 cannot be reached: ") as caught:
        session.get(f"http://127.0.0.1:{port}/")
    assert "0x" not in str(caught.value)
    assert [e.error for e in session.exchanges] == ["connect-failed"] * 3
    assert [e.response for e in session.exchanges] == [None] * 3


def test_post_is_sent_once(make: Make) -> None:
    seen: list[bytes] = []

    def play(handler: http.server.BaseHTTPRequestHandler) -> None:
        seen.append(handler.rfile.read(int(handler.headers["Content-Length"])))
        answer(handler, status=503)

    with server(play) as port:
        session = make()
        found = session.send("POST", f"http://127.0.0.1:{port}/", body=b"een")
        session.close()
    assert (found.status, seen) == (503, [b"een"])
    assert session.exchanges[0].request.read_bytes().endswith(b"\r\n\r\neen")


def test_429_waits_within_the_bound(make: Make) -> None:
    calls = iter([("429", "3"), ("200", "0")])
    waits: list[float] = []

    def play(handler: http.server.BaseHTTPRequestHandler) -> None:
        status, after = next(calls)
        answer(handler, b"{}", int(status), Retry_After=after)

    with server(play) as port:
        session = make(sleep=waits.append)
        assert session.get(f"http://127.0.0.1:{port}/").status == 200
        session.close()
    assert waits == [3.0]


@pytest.mark.parametrize(
    ("headers", "hint"),
    [
        ({"Retry_After": "3600"}, "try again after 2026-11-23T11:00:00Z"),
        ({"Retry_After": "Mon, 23 Nov 2026 12:00:00 GMT"}, "try again after 2026-11-23T12:00:00Z"),
        ({"X_RateLimit_Reset": "2026-11-23T10:05:00.5Z"}, "try again after 2026-11-23T10:05:00Z"),
        ({}, "try again later; it does not say when"),
        ({"Retry_After": "9" * 400}, "try again later; it does not say when"),
    ],
)
def test_429_beyond_the_bound_says_when(make: Make, headers: dict[str, str], hint: str) -> None:
    with server(lambda h: answer(h, b"{}", 429, **headers)) as port:
        session = make()
        with pytest.raises(RateLimitedError) as caught:
            session.get(f"http://127.0.0.1:{port}/")
        session.close()
    assert caught.value.hint == hint
    assert session.exchanges[0].status == 429


def test_retry_time_reads_seconds_first() -> None:
    headers = {"retry-after": "5", "x-ratelimit-reset": "2027-01-01T00:00:00Z"}
    assert retry_time(headers, NOW) == NOW + timedelta(seconds=5)


def certificate(folder: Path, name: str) -> tuple[Path, Path, bytes]:
    """A self-signed certificate for loopback: its file, its key's file, its DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names: list[x509.GeneralName] = [
        x509.DNSName(name),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert, secret = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert, secret, made.public_bytes(serialization.Encoding.DER)


def test_tls_is_verified_and_recorded(make: Make, tmp_path: Path) -> None:
    cert, key, der = certificate(tmp_path, "voorbeeld.invalid")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with server(lambda h: answer(h, b"veilig"), context) as port:
        url = f"https://voorbeeld.invalid:{port}/"
        refusing = make()
        with pytest.raises(NetworkError, match=r"is not trusted: self-signed certificate") as bad:
            refusing.get(url)
        assert "REQUESTS_CA_BUNDLE" in bad.value.hint
        assert [e.error for e in refusing.exchanges] == ["tls-failed"]
        for variable in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
            session = make(environ={variable: str(cert)})
            found = session.get(url)
            session.close()
            tls = found.exchange.tls
            assert found.body == b"veilig"
            assert tls is not None
            assert (tls.version, tls.chain[0], tls.verdict) == ("TLS 1.3", der, "trusted")
            assert tls.cipher.startswith("TLS_")
            assert found.exchange.protocols == ("http/1.1", "tls/1.3")
            assert found.exchange.notes in (("tls-chain-as-received",), ("tls-leaf-only",))
            assert found.exchange.request.read_bytes().startswith(b"GET / HTTP/1.1\r\n")
        wrong = make(environ={"SSL_CERT_FILE": str(cert)})
        with pytest.raises(NetworkError, match="is not trusted"):
            wrong.get(f"https://anders.invalid:{port}/")


def test_missing_ca_bundle_is_a_setting_error(make: Make, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="REQUESTS_CA_BUNDLE"):
        make(environ={"REQUESTS_CA_BUNDLE": str(tmp_path / "niet")})


def test_errors_are_the_projects_own() -> None:
    assert issubclass(RateLimitedError, EvidenceError)
    assert RateLimitedError.exit_code == 22


@pytest.mark.parametrize("url", ["http://a..b/", "http://*.x/", "http://a b/", "http://\u2603..x/"])
def test_odd_hosts_end_in_our_error(make: Make, url: str) -> None:
    def refuse(host: str, port: int) -> str:
        raise NetworkError("address refused")

    with pytest.raises(EvidenceError):
        make(resolve=refuse).get(url)


def test_a_token_that_cannot_be_sent_is_not_shown(make: Make, demo_site: DemoSite) -> None:
    session = make()
    with pytest.raises(NetworkError) as caught:
        session.get(demo_site.url, headers={"Authorization": "Bearer geheim\nX: y"})
    assert "geheim" not in caught.value.message + caught.value.hint
    assert "geheim" not in repr(session.exchanges)
