"""Visits and whole captures of loopback pages within one process; import the fixtures you use."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.core.events import Silent
from evidence_kit.gather.chromium import BrowserFound, find_browser
from evidence_kit.gather.driver import Driver
from evidence_kit.gather.egress import Guard
from evidence_kit.gather.page_types import PageOptions, PageRecording
from evidence_kit.gather.recorder import record_page
from evidence_kit.gather.visit import Visit
from evidence_kit.jobs.capture import CaptureRequest, CaptureResult, capture
from evidence_kit.seal.anchors import TrustAnchors
from tests.bundles import signer
from tests.page_site import PageSite, page_site

FAST = PageOptions(quiet_seconds=0.2, load_seconds=6.0, max_seconds=60.0)


@pytest.fixture(scope="session")
def browser() -> BrowserFound:
    return find_browser()


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    with Driver() as started:
        yield started


@pytest.fixture
def site() -> Iterator[PageSite]:
    with page_site() as running:
        yield running


Record = Callable[..., PageRecording[Any]]


def nothing(visit: Visit) -> None:
    """Draws nothing."""


@pytest.fixture
def record(browser: BrowserFound, driver: Driver, site: PageSite, tmp_path: Path) -> Record:
    """``record_page`` on the fixtures; the guard lets the site through and nothing else."""
    count = 0

    def run(
        url: str,
        *,
        visit: Callable[[Visit], Any] = nothing,
        options: PageOptions = FAST,
        guard: Guard | None = None,
        allow: tuple[tuple[str, int], ...] = (),
        **more: Any,
    ) -> PageRecording[Any]:
        nonlocal count
        count += 1
        with guard or Guard([("localhost", site.port), *allow], Silent()) as running:
            return record_page(
                url,
                browser=browser,
                options=options,
                guard=running,
                work=tmp_path / f"work-{count}",
                log=Silent(),
                progress=Silent(),
                visit=visit,
                driver=driver,
                **more,
            )

    return run


@dataclass(frozen=True)
class Bundle:
    """A sealed capture, opened."""

    result: CaptureResult
    opened: Path

    @property
    def record(self) -> dict[str, Any]:
        """``data/capture.json``."""
        found: dict[str, Any] = json.loads((self.opened / "data/capture.json").read_bytes())
        return found

    def events(self) -> list[str]:
        """Names of what happened, in order."""
        return [item["event"] for item in self.record["events"]]

    def made(self) -> set[str]:
        """Artefacts of the page that are there; each has its file."""
        names = {
            Path(item["file"]).name
            for item in self.record["artefacts"]
            if item["state"] == "made" and item["file"].startswith("data/web/")
        }
        there = {path.name for path in (self.opened / "data/web").iterdir()}
        assert names == there
        return names

    def missing(self) -> set[str]:
        """Names of what the record says is missing."""
        return {item["what"] for item in self.record["missing"]}


Capture = Callable[..., Bundle]


@pytest.fixture(scope="session")
def page_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all captures, so that the recorder is tested once."""
    return tmp_path_factory.mktemp("page-home")


@pytest.fixture
def sealed(tmp_path: Path, page_home: Path) -> Capture:
    """A whole capture without authority or time server, sealed and opened again."""

    def run(url: str, *, options: PageOptions = FAST, **asked: Any) -> Bundle:
        request = CaptureRequest(
            url, tmp_path / "out", use_tsa=False, allow_private=True, **{"scroll": False, **asked}
        )
        result = capture(
            request,
            signer(),
            anchors=TrustAnchors(),
            home=page_home,
            progress=Silent(),
            environ={},
            options=options,
        )
        opened = tmp_path / "opened" / result.bundle.stem
        with zipfile.ZipFile(result.bundle) as archive:
            archive.extractall(opened)
        assert not list((page_home / "work").iterdir())  # nothing unredacted is left
        return Bundle(result, opened)

    return run
