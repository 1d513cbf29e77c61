"""Whole captures, by the program as a user runs it, of a post on a real server."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from evidence_kit.core.canonical_json import loads
from evidence_kit.demo.tsa import DemoTsa
from tests.fixtures_capture import evidence_kit, new_home
from tests.servers import wordpress

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.outside]


def test_capture_of_a_real_wordpress_post_picks_the_adapter_and_verifies(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    output = tmp_path / "out"
    with wordpress.running() as site, DemoTsa() as tsa:
        url = f"{site.base}{site.seed['post_path']}?utm_source=mail"
        ended = evidence_kit(
            *("capture", url, "--allow-private", "--tsa", tsa.url, "--output", str(output)),
            *("--passphrase-fd", "0"),
            home=home,
            X_BEARER_TOKEN="zeer-geheim-en-hier-niet-van-belang",
        )
        root = tmp_path / "tsa.pem"
        root.write_bytes(tsa.root_pem)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (bundle,) = output.glob("*.asice")
    assert b"zeer-geheim-en-hier" not in bundle.read_bytes()
    with zipfile.ZipFile(bundle) as archive:
        record = loads(archive.read("data/capture.json"))
        posts = loads(archive.read("data/post.json"))["posts"]
    assert (record["state"], record["platform"]["adapter"]) == ("complete", "wordpress")
    assert record["page"]["permalink"] == site.base + site.seed["post_path"]
    assert record["request"]["url"] == url
    assert "post.page-agrees" in record["content_check"]["signals"]
    assert posts[0]["text"]["value"] == "Tweede versie 🚲 & meer"
    signer = tmp_path / "signer.pem"
    signer.write_text(evidence_kit("identity", "show", "--pem", home=home).stdout, "utf-8")
    trust = ("--trust", str(signer), "--tsa-trust", str(root))
    verified = evidence_kit("verify", str(bundle), *trust, "--json", home=home)
    assert verified.returncode == 0, verified.stdout
    assert '"post.page-agrees"' in verified.stdout
