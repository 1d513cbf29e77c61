"""A real browser's connections, opened with the keys that it wrote down."""

from __future__ import annotations

import ssl
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.netlog_browser import record
from tests.netlog_site import Reply, Route, Site, reply, run_site
from tests.openssl_tls import Relay
from tests.tls_peers import Recording, certificate_file

FILE = bytes(range(256)) * 1500

SERVERS = (
    ("ec", ""),
    ("rsa", ""),
    ("ec", "ECDHE-ECDSA-AES128-GCM-SHA256"),
    ("ec", "ECDHE-ECDSA-CHACHA20-POLY1305"),
    ("rsa", "ECDHE-RSA-AES256-GCM-SHA384"),
    ("rsa", "ECDHE-RSA-CHACHA20-POLY1305"),
    ("rsa", "ECDHE-RSA-AES128-SHA"),
    ("rsa", "AES128-GCM-SHA256"),
    ("rsa", "AES256-SHA"),
)
"""Kind of certificate and suite of TLS 1.2; without one TLS 1.3, the second for P-384 only."""

PAGE = """<!doctype html><title>proef</title><script>
const ask = (port, path, how) => fetch(`https://127.0.0.1:${port}${path}`, how)
  .then(answer => answer.text()).catch(() => 0);
(async () => {
  for (const port of %s) {
    await ask(port, '/file?a');
    await ask(port, '/big', {method: 'POST', body: 'x'.repeat(200000)});
    await ask(port, '/last');
    await ask(port, '/file?b');
  }
  await fetch('/done');
})();
</script>"""


def routes() -> dict[str, Route]:
    def fixed(answer: Reply) -> Route:
        return lambda _: answer

    allowed = [("Access-Control-Allow-Origin", "*"), ("Cache-Control", "no-store")]
    return {
        "/file": fixed(reply("200 OK", allowed, FILE)),
        "/big": fixed(reply("200 OK", allowed, b"seen")),
        "/last": fixed(Reply(reply("200 OK", allowed, b"bye").raw, close=True)),
        "/done": fixed(reply("200 OK", allowed, b"")),
    }


def context(folder: Path, kind: str, suite: str) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate_file(folder, kind))
    if suite:
        made.maximum_version = ssl.TLSVersion.TLSv1_2
        made.set_ciphers(f"{suite}:@SECLEVEL=0")
    elif kind == "rsa":
        made.set_ecdh_curve("secp384r1")
    return made


def assert_exact(site: Site, relay: Relay, keys: bytes) -> list[str]:
    """Every connection is the site's exchanges, one after the other, and nothing else."""
    left = list(site.seen)
    found = []
    for passed in relay.connections:
        if not passed.received:
            continue  # opened ahead, and never needed
        recording = Recording(bytes(passed.sent), bytes(passed.received), keys)
        sent, received = recording.read()
        while sent or received:
            if not received and sent in [one.request for one in site.seen]:
                break  # came when the site was closing; the browser asked again elsewhere
            seen = next(
                one
                for one in left
                if sent.startswith(one.request) and received.startswith(one.response)
            )
            left.remove(seen)
            sent = sent[len(seen.request) :]
            received = received[len(seen.response) :]
        found.append(f"{recording.open().version} {recording.open().cipher:#06x}")
    assert left == []
    return found


@pytest.mark.browser
@pytest.mark.slow
def test_what_the_browser_said_is_what_the_sites_heard(tmp_path: Path) -> None:
    keys = tmp_path / "keys.log"
    with ExitStack() as stack:
        sites = []
        for kind, suite in SERVERS:
            site, port = stack.enter_context(run_site(routes(), tls=context(tmp_path, kind, suite)))
            sites.append((site, stack.enter_context(Relay(port))))
        ports = [relay.port for _, relay in sites]
        first, start = sites[0]
        page = reply("200 OK", [("Content-Type", "text/html")], (PAGE % ports).encode())
        first.routes["/"] = lambda _: page
        record(
            f"https://127.0.0.1:{start.port}/",
            tmp_path / "log.json",
            lambda: first.wait_for("/done", 60),
            f"--ssl-key-log-file={keys}",
        )
        for _, relay in sites:
            relay.join()
        found = [assert_exact(site, relay, keys.read_bytes()) for site, relay in sites]
    for (kind, suite), (site, _), versions in zip(SERVERS, sites, found, strict=True):
        paths = [one.path for one in site.seen]
        assert paths.count("/file?b") == 1, (kind, suite)
        assert len(versions) >= 2  # the second was resumed where the two agreed on that
        assert {one.partition(" 0x")[0] for one in versions} == {"TLS 1.2" if suite else "TLS 1.3"}
