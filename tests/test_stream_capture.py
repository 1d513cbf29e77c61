"""Streams end to end: a page plays a little, the sealed bundle holds the best quality whole."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evidence_kit.core.errors import ExitCode
from evidence_kit.core.findings import Status
from evidence_kit.core.schemas import schema_fault
from evidence_kit.jobs.extract import extract
from evidence_kit.seal.anchors import TrustAnchors
from tests.bundles import signer
from tests.fixtures_page import Capture, page_home, sealed
from tests.stream_tools import HLS, media_list, piece, stream_site

__all__ = ["page_home", "sealed"]

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SECRET = b"s3cr3tSt4mp9QzLx77"
PAGE = """<title>film</title><p>Ik weet waar je woont.</p><script>
(async () => {
  for (const name of %s) {
    const headers = name.endsWith('aac') ? {Range: 'bytes=50-149'} : {};
    await (await fetch(name, {headers})).arrayBuffer();
  }
  document.title = 'geladen';
})();
</script>"""


def test_a_bundle_holds_the_whole_film(sealed: Capture, tmp_path: Path) -> None:
    asked = [f"master.m3u8?token={SECRET.decode()}", "low.m3u8", "low.mp4", "low-0.m4s"]
    asked += ["audio.m3u8", "sound.aac"]
    with stream_site() as site:
        site.hls()
        kind, best = site.files["/hls/high.m3u8"]
        site.files["/hls/high.m3u8"] = (kind, best.replace(b".m4s", b".m4s?token=" + SECRET))
        site.put("/", PAGE % json.dumps([f"/hls/{name}" for name in asked]), "text/html")
        found = sealed(f"http://127.0.0.1:{site.port}/")
    assert found.result.exit_code is ExitCode.OK, found.record["missing"]
    assert [path.name for path in (found.opened / "data/media").iterdir()] == ["streams.json"]
    (line,) = found.record["streams"]
    assert (line["kind"], line["parts"], line["kept"], line["complete"]) == ("hls", 8, 8, True)
    assert schema_fault(found.record, "capture-1") is None
    text = (found.opened / line["file"]).read_text("utf-8")
    assert SECRET not in found.result.bundle.read_bytes()
    index = json.loads(text)
    assert schema_fault(index, "streams-1") is None
    tracks = {track["name"]: track for track in index["streams"][0]["tracks"]}
    assert [part["refetched"] for part in tracks["variant-1"]["parts"]] == [False, False]
    assert all(part["refetched"] for part in tracks["variant-2"]["parts"])
    sound = tracks["audio-a-nl"]["parts"]
    assert [part["refetched"] for part in sound] == [False, True, True]
    limits = {item["name"]: item["reached"] for item in found.record["limits"]}
    assert limits["stream parts"] is False
    done = extract(
        found.result.bundle,
        [],
        tmp_path / "look",
        anchors=TrustAnchors(signers=(signer().certificate,)),
        now=datetime.now(UTC),
        streams=True,
    )
    assert {item.code for item in done.verdict.findings if item.code.startswith("stream.")} == {
        "stream.ok"
    }
    assert done.verdict.status is not Status.FAILED
    assert done.folder is not None
    joined = (done.folder / done.files[0]).read_bytes()
    assert joined == piece("high.mp4") + b"".join(piece(f"high-{n}.m4s") for n in range(4))


def test_what_a_film_lacks_makes_the_capture_partial(sealed: Capture) -> None:
    with stream_site() as site:
        site.put("/f.m3u8", media_list("/a.ts", "http://10.0.0.1/b.ts", end=False), HLS)
        site.put("/a.ts", piece("a"))
        site.put("/", PAGE % json.dumps(["/f.m3u8"]), "text/html")
        found = sealed(f"http://127.0.0.1:{site.port}/")
        assert "/a.ts" in site.paths()
    assert found.result.exit_code is ExitCode.GAPS
    why = "\n".join(item["why"] for item in found.record["missing"])
    assert "1 of 2 parts: 10.0.0.1 port 80" in why
    assert "live stream" in why
    refused = [item for item in found.record["network"]["contacts"] if item["host"] == "10.0.0.1"]
    assert [item["refused"] for item in refused] == ["private"]
