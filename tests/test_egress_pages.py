"""A page cannot reach the organisation's own network, nor what an earlier capture left behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from evidence_kit.core.events import Silent
from evidence_kit.gather import relay, relay_streams
from evidence_kit.gather.egress import Guard
from tests.fixtures_page import FAST, Record, browser, driver, record, site
from tests.page_site import PageSite, page_site

__all__ = ["browser", "driver", "record", "site"]

pytestmark = pytest.mark.browser

PUBLIC = "8.8.8.8"


class Names:
    """A resolver under an attacker's hand: ``rebind.example`` changes its answer."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        if host == "rebind.example":
            return [PUBLIC] if self.asked.count(host) == 1 else ["127.0.0.1"]
        private = {
            "inside.example": "10.0.0.1",
            "metadata.example": "169.254.169.254",
            "mapped.example": "::ffff:192.168.1.1",
            "localhost": "127.0.0.1",
        }
        return [private.get(host, host)]


ATTACK = """<title>bezig</title><script>
const targets = %s;
const worker = new Worker('/worker.js');
(async () => {
  for (const target of targets) {
    const url = 'http://' + target + ':%d/';
    await fetch(url, {mode: 'no-cors'}).catch(() => 0);
    new Image().src = url + 'image';
    const frame = document.createElement('iframe'); frame.src = url + 'frame';
    document.body.append(frame);
    await new Promise(ready => { const socket = new WebSocket(url.replace('http', 'ws'));
      socket.onerror = socket.onopen = ready; });
    await new Promise(ready => { worker.onmessage = ready; worker.postMessage(url + 'worker'); });
  }
  await fetch('/redirect', {mode: 'no-cors'}).catch(() => 0);
  await fetch('http://rebind.example:%d/', {mode: 'no-cors'}).catch(() => 0);
  document.title = 'klaar';
})();</script>"""
WORKER = """onmessage = async message => {
  await fetch(message.data, {mode: 'no-cors'}).catch(() => 0); postMessage(1); }"""


def test_the_inside_is_out_of_reach_from_page_worker_and_websocket(
    site: PageSite, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[str] = []

    async def connect(addresses: list[str], port: int) -> Any:
        reached.extend(addresses)
        return await relay_streams.connect(addresses, port) if PUBLIC not in addresses else None

    monkeypatch.setattr(relay, "connect", connect)
    names = Names()
    targets = ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "inside.example", "metadata.example"]
    targets.append("mapped.example")
    with page_site() as inside:
        inside.html("/", "<p>intranet")
        site.html("/", ATTACK % (targets, inside.port, inside.port))
        site.script("/worker.js", WORKER)
        site.pages["/redirect"] = (302, {"Location": inside.url("/", "127.0.0.1")}, b"")
        guard = Guard([("localhost", site.port)], Silent(), resolve=names)
        found = record(site.url(), guard=guard, options=replace(FAST, load_seconds=20.0))
        # The name answers with an inside address once the page has been let in.
        again = Guard([("localhost", site.port)], Silent(), resolve=names)
        site.html("/again", ATTACK % ([], inside.port, inside.port))
        record(site.url("/again"), guard=again)
        assert inside.requests == []
    assert found.title == "klaar"
    assert set(reached) <= {"127.0.0.1", PUBLIC}
    refused = {contact.host for contact in guard.contacts if contact.refused}
    # The browser writes the mapped address in its own way.
    plain = {"127.0.0.1", "::1", "inside.example", "metadata.example", "mapped.example"}
    assert plain <= refused
    assert any(host.startswith("::ffff:") for host in refused)
    assert [c.used for c in guard.contacts if c.host == "rebind.example"] in ([None], [None, None])
    rebound = [contact for contact in again.contacts if contact.host == "rebind.example"]
    assert rebound
    assert all(contact.refused == "loopback" for contact in rebound)
    ways = {"/", "/image", "/frame", "/worker"}
    asked = {
        item.url.split(str(inside.port))[1]
        for item in found.recording.failed
        if "inside.example" in item.url
    }
    assert ways <= asked
    assert any(item.url.startswith("ws://inside.example") for item in found.recording.failed)


def test_nothing_of_one_capture_is_in_the_next(site: PageSite, record: Record) -> None:
    site.html("/plain", "<p>x", 200, **{"Cache-Control": "max-age=9999", "ETag": '"v1"'})
    site.script("/sw.js", "onfetch = () => 0")
    site.html(
        "/",
        """<script>(async () => {
        const before = [document.cookie, localStorage.length, sessionStorage.length,
          (await caches.keys()).length, (await indexedDB.databases()).length,
          (await navigator.serviceWorker.getRegistrations()).length, history.length].join();
        document.cookie = 'spoor=1; max-age=9999'; localStorage.a = 1; await caches.open('a');
        await new Promise(r => indexedDB.open('a').onsuccess = r);
        await navigator.serviceWorker.register('/sw.js'); await fetch('/plain');
        document.title = before; })()</script>""",
        200,
        **{"Set-Cookie": "sid=k2J9xQ7vLm4TzR8wPb3N; Max-Age=9999"},
    )
    first = record(site.url(), options=replace(FAST, quiet_seconds=0.6))
    count = len(site.requests)
    second = record(site.url(), options=replace(FAST, quiet_seconds=0.6))
    assert first.title
    assert first.title.startswith("sid=k2J9xQ7vLm4TzR8wPb3N,0,0,0,0,0,")
    assert second.title == first.title
    later = site.requests[count:]
    assert [path for path, _ in later if path == "/plain"] == ["/plain"]
    assert "cookie" not in later[0][1]
    assert not any("if-none-match" in headers for _, headers in later)
