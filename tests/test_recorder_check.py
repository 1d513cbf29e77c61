"""The recorder's self-test: kept per browser, and what a capture does when it fails."""

from __future__ import annotations

import json
import os
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.core.events import Silent
from evidence_kit.demo.site import DemoSite
from evidence_kit.gather import recorder_check
from evidence_kit.gather.chromium import BrowserFound, find_browser
from evidence_kit.gather.driver import Driver
from evidence_kit.gather.page_types import Method
from evidence_kit.gather.recorder_check import CACHE, check_recorder
from evidence_kit.gather.self_test import SelfTest
from tests.fixtures_capture import evidence_kit, new_home


@pytest.fixture
def program(tmp_path: Path) -> BrowserFound:
    path = tmp_path / "chrome"
    path.write_bytes(b"a browser")
    return BrowserFound(path, path, "chromium", "1.2.3", "configured")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Self-tests made; the browser here is a file that nobody could start."""
    made: list[str] = []

    def test(
        browser: BrowserFound, driver: Driver | None = None, wanted: Method = Method.RELAY
    ) -> SelfTest:
        made.append(browser.sha256())
        if len(made) < 3:
            return SelfTest(browser.product, True, method=wanted)
        return SelfTest(browser.product, True, "the log is empty", method=Method.CDP)

    monkeypatch.setattr(recorder_check, "self_test", test)
    return made


def test_each_browser_is_tested_once(
    program: BrowserFound, asked: list[str], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    first = check_recorder(program, cache, Silent())
    assert first.method is Method.RELAY
    assert check_recorder(program, cache, Silent()) == first
    assert len(asked) == 1
    program.path.write_bytes(b"an updated browser")
    assert check_recorder(program, cache, Silent()).sha256 != first.sha256
    assert len(asked) == 2
    (cache / CACHE).write_text("{broken", "utf-8")
    assert check_recorder(program, cache, Silent()).why == "the log is empty"
    found = check_recorder(program, cache, Silent())
    assert found.method is Method.CDP
    assert len(asked) == 3


def test_an_older_outcome_does_not_count(
    program: BrowserFound, asked: list[str], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    check_recorder(program, cache, Silent())
    items = json.loads((cache / CACHE).read_bytes())
    items[0]["version"] = 0
    (cache / CACHE).write_text(json.dumps(items), "utf-8")
    check_recorder(program, cache, Silent())
    assert len(asked) == 2


def test_a_cache_that_cannot_be_written_hinders_nobody(
    program: BrowserFound, asked: list[str], tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file in the way", "utf-8")
    assert check_recorder(program, tmp_path / "cache", Silent()).method is Method.RELAY


def test_each_way_of_recording_is_tested_for_itself(
    program: BrowserFound, asked: list[str], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    check_recorder(program, cache, Silent())
    by_log = check_recorder(program, cache, Silent(), wanted=Method.NETLOG)
    assert by_log.method is Method.NETLOG
    assert len(asked) == 2
    assert check_recorder(program, cache, Silent()).method is Method.RELAY
    assert check_recorder(program, cache, Silent(), wanted=Method.NETLOG) == by_log
    assert len(asked) == 2


def test_an_outcome_of_a_way_that_is_unknown_here_does_not_count(
    program: BrowserFound, asked: list[str], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    check_recorder(program, cache, Silent())
    items = json.loads((cache / CACHE).read_bytes())
    items[0]["found"] = "another-way"
    (cache / CACHE).write_text(json.dumps(items), "utf-8")
    assert check_recorder(program, cache, Silent()).method is Method.RELAY
    assert len(asked) == 2


def _fail_self_test(home: Path) -> None:
    """As if the network log of the installed browser had been found unusable."""
    browser = find_browser("", os.environ)
    stat = browser.binary.stat()
    item = {
        "sha256": browser.sha256(),
        "place": f"{browser.binary} {stat.st_size} {stat.st_mtime_ns}",
        "wanted": "evidence-kit-relay",
        "found": "chromium-cdp",
        "why": "the answer recorded for our page differs",
        "version": recorder_check.VERSION,
    }
    (home / "cache").mkdir()
    (home / "cache" / CACHE).write_text(json.dumps([item]), "utf-8")


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.xdist_group("captured")
def test_a_capture_falls_back_and_says_so(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    _fail_self_test(home)
    with DemoSite() as site:
        ended = evidence_kit(
            *("capture", site.address("threat"), "--allow-private", "--no-tsa", "--json"),
            *("--output", str(tmp_path / "out"), "--passphrase-fd", "0"),
            home=home,
        )
    assert ended.returncode == 3, ended.stderr
    result: dict[str, Any] = json.loads(ended.stdout)
    assert result["state"] == "partial"
    assert "exact bytes of the browser's traffic" in [item["what"] for item in result["missing"]]
    with zipfile.ZipFile(result["bundle"]) as bundle:
        record = json.loads(bundle.read("data/capture.json"))
        wacz = bundle.read("data/web/page.wacz")
        log = bundle.read("data/capture.log").decode("utf-8")
    assert record["recording"]["method"] == "chromium-cdp"
    assert record["recording"]["exchanges"] > 3
    assert b"cdp-decoded" in wacz
    assert b"X-Evidence-Representation: wire" not in wacz
    assert '"recorder-checked"' in log
    verified = evidence_kit("verify", result["bundle"], "--json", home=home)
    codes = [item["code"] for item in json.loads(verified.stdout)["bundles"][0]["findings"]]
    assert "capture.fallback-recorder" in codes


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.xdist_group("captured")
def test_the_installed_browser_passes_and_the_second_time_costs_nothing(tmp_path: Path) -> None:
    browser = find_browser("", os.environ)
    with Driver() as driver:
        first = check_recorder(browser, tmp_path, Silent(), driver)
        assert first.why == ""
        begin = time.perf_counter()
        assert check_recorder(browser, tmp_path, Silent(), driver) == first
        assert time.perf_counter() - begin < 0.1
