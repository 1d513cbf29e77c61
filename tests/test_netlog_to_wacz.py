"""From a real browser's log to a WACZ: exact where nothing is secret, listed elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence_kit.seal.redact import Redactor
from evidence_kit.seal.redact_types import Content
from evidence_kit.seal.wacz import Page, write_wacz
from tests.netlog_browser import record
from tests.netlog_site import example_routes, run_site
from tests.test_netlog import read_log
from tests.test_warc import write

SECRET = b"k2J9xQ7vLm4TzR8wPb3N"


@pytest.mark.browser
def test_only_listed_ranges_differ_from_the_servers_log(tmp_path: Path) -> None:
    log, out = tmp_path / "log.json", tmp_path / "out"
    out.mkdir()
    with run_site(example_routes()) as (site, port):
        record(f"http://127.0.0.1:{port}/", log, lambda: site.wait_for("/done", 30))
    recording = read_log(log, tmp_path / "wire")
    redactor = Redactor()
    for item in recording.exchanges + recording.failed:
        redactor.learn(item)
    done = [redactor.redact_exchange(item, out) for item in recording.exchanges]
    assert sum(item.response_content is Content.EXACT for item in done) > 25
    server = {(seen.request, seen.response) for seen in site.seen}
    for before, after in zip(recording.exchanges, done, strict=True):
        assert before.response is not None and after.exchange.response is not None
        pairs = (
            ("request", before.request, after.exchange.request, after.request_content),
            ("response", before.response, after.exchange.response, after.response_content),
        )
        if after.items == () and before.status != 101:
            assert (after.exchange.request.read_bytes(), pairs[1][2].read_bytes()) in server
        for side, old, new, content in pairs:
            old_bytes, new_bytes = old.read_bytes(), new.read_bytes()
            assert SECRET not in new_bytes
            if content is Content.EXACT:
                assert old_bytes == new_bytes
                continue
            # put each value back at its listed place: then it is the server's message again
            ranges = sorted(
                (start, end, entry.length)
                for entry in after.items
                if entry.side == side
                for start, end in entry.ranges
            )
            rest, place, last = b"", 0, 0
            for start, end, length in ranges:
                rest += new_bytes[last:start]
                place = len(rest)
                rest += old_bytes[place : place + length]
                last = end
            assert rest + new_bytes[last:] == old_bytes
    cookies = [item for item in done if "/cookie" in item.exchange.url]
    assert {entry.marker for item in cookies for entry in item.items if entry.length == 20} == {
        "REDACTED#1"
    }
    writer = write(tmp_path / "data.warc", *done)
    first = recording.exchanges[0]
    write_wacz(
        tmp_path / "page.wacz",
        tmp_path / "data.warc",
        writer.records,
        [Page("p1", first.url, first.started)],
        software="evidence-kit",
        created=first.started,
    )
    data = (tmp_path / "page.wacz").read_bytes()
    assert SECRET not in data
    assert b"X-Evidence-Content: redacted\r\n" in data
