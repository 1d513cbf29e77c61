"""Networks of organisations: a proxy on the way out, an authority of their own, refused chains."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from evidence_kit.core.errors import ConfigError, InputError, NetworkError
from evidence_kit.core.events import Silent
from evidence_kit.gather.egress import Guard
from evidence_kit.gather.proxy import ProxyRefusedError, proxies_from
from evidence_kit.gather.public_roots import ends_in_public_root
from evidence_kit.jobs.capture_types import checked_browser_proxy
from tests.fixtures_capture import evidence_kit, new_home
from tests.listening import listening
from tests.netlog_site import Reply, Request, reply, run_site
from tests.outside import system_tool

NAME = "post.ziekenhuis.example"
PAGE = (
    "<!DOCTYPE html><html lang=nl><title>Bericht</title>"
    "<p>Dit is een gewoon bericht van een bezoeker over de wachtkamer van de polikliniek.</p>"
)

browser = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("networks")]


@dataclass
class ConnectProxy:
    """A proxy that knows one name and counts what it was asked for."""

    port: int = 0
    where: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def serve(self, stream: socket.socket) -> None:
        stream.settimeout(10)
        with stream, suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                data = stream.recv(1)
                if not data:
                    return
                head += data
            lines = head.decode("latin-1").split("\r\n")
            method, target, _ = lines[0].split(" ", 2)
            login = next((line for line in lines if line.lower().startswith("proxy-auth")), "")
            self.asked.append((f"{method} {target}", login))
            port = self.where.get(target)
            if method != "CONNECT" or port is None:
                stream.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            with socket.create_connection(("127.0.0.1", port)) as far:
                stream.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=_copy, args=(far, stream), daemon=True)
                back.start()
                _copy(stream, far)
                back.join(10)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def proxy() -> Iterator[ConnectProxy]:
    running = ConnectProxy()
    with listening(running.serve) as running.port:
        yield running


def authority() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A certificate authority such as hospitals run for themselves."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Ziekenhuis CA (test)")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=300))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256()),
        key,
    )


def site_context(
    folder: Path,
    issuer: x509.Certificate,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    name: str = NAME,
    days: int = 90,
) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=100))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    path = folder / f"{name}-{days}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + leaf.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def page(_: Request) -> Reply:
    return reply("200 OK", [("Content-Type", "text/html; charset=utf-8")], PAGE.encode())


@dataclass(frozen=True)
class Hospital:
    """A home, a CA that the browser and Python trust, and a site behind a proxy."""

    home: Path
    folder: Path
    ca: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    environment: dict[str, str]

    def capture(self, url: str, output: Path, *more: str, **env: str) -> tuple[int, dict[str, Any]]:
        ended = evidence_kit(
            *("capture", url, "--output", str(output), "--passphrase-fd", "0", "--json"),
            *("--no-tsa", *more),
            home=self.home,
            **{**self.environment, **env},
        )
        assert "Traceback" not in ended.stderr, ended.stderr
        return ended.returncode, json.loads(ended.stdout)


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    folder = tmp_path_factory.mktemp("hospital")
    ca, key = authority()
    pem = folder / "ca.pem"
    pem.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    tool = system_tool("certutil")
    user = folder / "user"
    database = user / ".pki" / "nssdb"
    database.mkdir(parents=True)
    store = f"sql:{database}"
    subprocess.run([tool, "-N", "-d", store, "--empty-password"], check=True)
    subprocess.run(
        [tool, "-A", "-d", store, "-n", "ziekenhuis", "-t", "C,,", "-i", str(pem)], check=True
    )
    environment = {"HOME": str(user), "SSL_CERT_FILE": str(pem)}
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    environment["XDG_CACHE_HOME"] = str(cache)  # where the browser may have been installed
    return Hospital(new_home(folder), folder, ca, key, environment)


def record_of(result: dict[str, Any]) -> dict[str, Any]:
    with zipfile.ZipFile(result["bundle"]) as bundle:
        found: dict[str, Any] = json.loads(bundle.read("data/capture.json"))
        return found


class TestThroughAProxy:
    pytestmark = browser

    def test_browser_and_session_go_through_it_and_a_private_authority_is_said(
        self, hospital: Hospital, tmp_path: Path
    ) -> None:
        context = site_context(hospital.folder, hospital.ca, hospital.key)
        with ExitStack() as stack:
            _, port = stack.enter_context(run_site({"/bericht": page}, tls=context))
            running = stack.enter_context(proxy())
            running.where[f"{NAME}:443"] = port
            code, result = hospital.capture(
                f"https://{NAME}/bericht",
                tmp_path,
                HTTPS_PROXY=f"http://jan:geheim-{port}@127.0.0.1:{running.port}",
                NO_PROXY="intranet.example",
            )
        assert code in (0, 3), result
        record = record_of(result)
        assert record["page"]["status"] == 200
        assert record["network"]["proxy"] == f"http://127.0.0.1:{running.port}"
        contacts = [item for item in record["network"]["contacts"] if item["host"] == NAME]
        assert {item["purpose"] for item in contacts} == {"browser", "session"}
        assert {(item["says"], item["address"]) for item in contacts} == {("proxy", None)}
        assert {item["via"] for item in contacts} == {f"http://127.0.0.1:{running.port}"}
        assert {request for request, _ in running.asked} == {f"CONNECT {NAME}:443"}
        assert all("Basic " in login for _, login in running.asked)
        (chain,) = record["network"]["tls"]
        assert (chain["verdict"], chain["public_root"]) == ("trusted", False)
        assert "tls.private-ca" in [item["code"] for item in record["warnings"]]
        assert "tls.private-ca" in [item["code"] for item in result["warnings"]]
        with zipfile.ZipFile(result["bundle"]) as bundle:
            for name in bundle.namelist():
                assert f"geheim-{port}".encode() not in bundle.read(name), name
            wacz = bundle.read("data/web/page.wacz")
        assert b"WARC-IP-Address" not in wacz, "nobody here knows the origin's address"
        verified = evidence_kit("verify", result["bundle"], home=hospital.home)
        assert "tls.private-ca" in verified.stdout
        shown = evidence_kit("show", result["bundle"], home=hospital.home)
        assert "tls.private-ca" in shown.stdout or "private authority" in shown.stdout

    def test_a_proxy_that_refuses_is_sealed_as_not_there(
        self, hospital: Hospital, tmp_path: Path
    ) -> None:
        with proxy() as running:
            code, result = hospital.capture(
                "https://elders.example/", tmp_path, ALL_PROXY=f"http://127.0.0.1:{running.port}"
            )
        assert code == 4
        failure = record_of(result)["page"]["failure"]
        assert failure["name"] == "PROXY_REFUSED"

    def test_past_the_guard_where_only_the_browser_can_speak_to_it(
        self, hospital: Hospital, tmp_path: Path
    ) -> None:
        context = site_context(hospital.folder, hospital.ca, hospital.key)
        with ExitStack() as stack:
            _, port = stack.enter_context(run_site({"/bericht": page}, tls=context))
            running = stack.enter_context(proxy())
            running.where[f"{NAME}:443"] = port
            address = f"http://127.0.0.1:{running.port}"
            code, result = hospital.capture(
                f"https://{NAME}/bericht", tmp_path, "--browser-proxy", address
            )
        assert code in (0, 3), result  # our own session has no way out: a gap, and said
        record = record_of(result)
        assert record["page"]["status"] == 200
        assert record["network"]["proxy"] == f"browser: {address} (past the guard)"
        assert not [c for c in record["network"]["contacts"] if c["purpose"] == "browser"]


class TestRefusedChains:
    pytestmark = browser

    @pytest.mark.parametrize(
        ("name", "days", "trusted", "error"),
        [
            (NAME, -5, True, "ERR_CERT_DATE_INVALID"),
            ("andere.example", 90, True, "ERR_CERT_COMMON_NAME_INVALID"),
            (NAME, 90, False, "ERR_CERT_AUTHORITY_INVALID"),
        ],
    )
    def test_the_page_is_not_there_and_the_chain_is_kept(
        self,
        name: str,
        days: int,
        trusted: bool,
        error: str,
        hospital: Hospital,
        tmp_path: Path,
    ) -> None:
        issuer, key = (hospital.ca, hospital.key) if trusted else authority()
        context = site_context(tmp_path, issuer, key, name=name, days=days)
        with ExitStack() as stack:
            site, port = stack.enter_context(run_site({"/bericht": page}, tls=context))
            running = stack.enter_context(proxy())
            running.where[f"{NAME}:443"] = port
            code, result = hospital.capture(
                f"https://{NAME}/bericht",
                tmp_path / "out",
                HTTPS_PROXY=f"http://127.0.0.1:{running.port}",
            )
        assert code == 4
        assert not site.seen, "nothing was asked over a connection that was refused"
        record = record_of(result)
        assert record["state"] == "not-there"
        assert record["page"]["failure"]["name"] == error
        chains = record["network"]["tls"]
        assert [item["verdict"] for item in chains] == [error]
        with zipfile.ZipFile(result["bundle"]) as bundle:
            pem = bundle.read(chains[0]["file"])
        assert x509.load_pem_x509_certificate(pem).issuer == issuer.subject


class TestEnvironment:
    def test_which_proxy_leads_where(self) -> None:
        proxies = proxies_from(
            {
                "HTTP_PROXY": "plain.example:8080",
                "https_proxy": "http://u:p%40ss@secure.example",
                "HTTPS_PROXY": "http://other.example:1",
                "NO_PROXY": "intranet.example, .local,10.0.0.0/8,host.example:8443",
            }
        )
        assert proxies.name == "http://secure.example:3128, http://plain.example:8080"
        for host, port, expected in (
            ("site.example", 443, "http://secure.example:3128"),
            ("site.example", 8443, "http://secure.example:3128"),
            ("site.example", 80, "http://plain.example:8080"),
            ("intranet.example", 443, None),
            ("wiki.intranet.example", 443, None),
            ("nointranet.example", 443, "http://secure.example:3128"),
            ("printer.local", 80, None),
            ("10.1.2.3", 443, None),
            ("11.1.2.3", 443, "http://secure.example:3128"),
            ("host.example", 8443, None),
            ("host.example", 443, "http://secure.example:3128"),
            ("localhost", 443, None),
            ("127.0.0.1", 443, None),
            ("::1", 443, None),
        ):
            found = proxies.for_target(host, port)
            assert (found.name if found else None) == expected, (host, port)
        assert proxies.https is not None
        assert "p@ss" not in repr(proxies)
        assert b"Proxy-Authorization: Basic dTpwQHNz" in proxies.https.connect_request("a.nl", 443)

    def test_everything_or_nothing(self) -> None:
        everything = proxies_from({"ALL_PROXY": "http://p.example:1", "NO_PROXY": "*"})
        assert everything.for_target("site.example", 443) is None
        assert proxies_from({}).name is None

    def test_a_kind_that_cannot_be_used_is_said(self) -> None:
        with pytest.raises(ConfigError, match="not supported"):
            proxies_from({"ALL_PROXY": "socks5://127.0.0.1:1080"})
        with pytest.raises(ConfigError, match="does not name a proxy"):
            proxies_from({"HTTPS_PROXY": "http://p.example:port"})

    @pytest.mark.parametrize("value", ["socks4://a:1", "proxy", "http://u:p@a:1", "pac+file:///x"])
    def test_a_browser_proxy_that_cannot_be_passed_on(self, value: str) -> None:
        with pytest.raises(InputError):
            checked_browser_proxy(value)

    def test_browser_proxies(self) -> None:
        for value in ("", "system", "http://a:1", "socks5://a:1", "pac+http://a/x.pac"):
            assert checked_browser_proxy(value) == value


class TestGuard:
    def test_a_private_address_is_refused_behind_a_proxy_too(self) -> None:
        with proxy() as running:
            proxies = proxies_from({"ALL_PROXY": f"http://127.0.0.1:{running.port}"})
            with Guard([], Silent(), proxies=proxies) as guard:
                with pytest.raises(NetworkError, match="on a private network"):
                    guard.tunnel("169.254.169.254", 80)
                with pytest.raises(ProxyRefusedError, match="403"):
                    guard.tunnel("site.example", 443)
                assert guard.tunnel("127.0.0.1", 443) is None
                first, second = guard.contacts
            assert running.asked == [("CONNECT site.example:443", "")]
        assert first.refused == "link-local"
        assert (second.error, second.via) == ("proxy-refused", proxies.name)


def a_root() -> x509.Certificate:
    end = b"-----END CERTIFICATE-----"
    first = Path(certifi.where()).read_bytes().partition(end)[0] + end
    return x509.load_pem_x509_certificate(first[first.index(b"-----BEGIN") :])


class TestPublicRoots:
    def test_a_root_of_the_list_and_one_that_is_not(self) -> None:
        known = a_root().public_bytes(serialization.Encoding.DER)
        own = authority()[0].public_bytes(serialization.Encoding.DER)
        assert ends_in_public_root((known,))
        assert not ends_in_public_root((own,))
        assert not ends_in_public_root((own, known)), "a public root that signed nothing here"
        assert not ends_in_public_root(())
        assert not ends_in_public_root((b"no certificate",))

    def test_a_name_alone_makes_no_root(self) -> None:
        root = a_root()
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        forged = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bank.example")]))
            .issuer_name(root.subject)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=1))
            .sign(key, hashes.SHA256())
        )
        assert not ends_in_public_root((forged.public_bytes(serialization.Encoding.DER),))
