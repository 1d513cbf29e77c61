"""Which recorder a browser gets: the best way for which the self-test holds, at last DevTools.

The self-test takes one to two seconds, so its outcome is kept per browser: by the digest of the
program, found again by path, size and time of change, which a new version never shares.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evidence_kit.core.events import EventLog
from evidence_kit.gather.chromium import BrowserFound
from evidence_kit.gather.driver import Driver
from evidence_kit.gather.page_types import Method
from evidence_kit.gather.self_test import self_test

CACHE = "recorder.json"
VERSION = 2
"""Of the self-test; raised when it tests more, so that older outcomes no longer count."""

MAX_KEPT = 20
"""Browsers whose outcome is kept; a machine has a handful over the years."""


@dataclass(frozen=True)
class RecorderCheck:
    """The outcome for one browser.

    Attributes:
        sha256: of the program that ran.
        place: path, size and time of change of that program.
        wanted: the way that was asked for.
        found: the best way that works.
        why: why that is not the one that was asked for; empty where it is.
    """

    sha256: str
    place: str
    wanted: str
    found: str
    why: str
    version: int = VERSION

    @property
    def method(self) -> Method:
        """How pages are recorded with this browser."""
        return Method(self.found)


def check_recorder(
    browser: BrowserFound,
    folder: Path,
    log: EventLog,
    driver: Driver | None = None,
    wanted: Method = Method.RELAY,
) -> RecorderCheck:
    """The kept outcome of the self-test, or a new one.

    Args:
        browser: to be used.
        folder: ``HOME/cache``; made where it is not there.
        log: told the outcome.
        driver: a running one, for a new test.
        wanted: how this visit is best recorded.

    Raises:
        BrowserError: the browser does not start or cannot be read.
    """
    place = _place(browser)
    kept = _read(folder / CACHE)
    same = (item for item in kept if (item.place, item.wanted) == (place, wanted))
    found = next(same, None)
    if found is None:
        test = self_test(browser, driver, wanted)
        found = RecorderCheck(browser.sha256(), place, str(wanted), str(test.method), test.why)
        key = found.sha256, found.wanted
        _write(folder, [found, *(item for item in kept if (item.sha256, item.wanted) != key)])
    log.log("recorder-checked", sha256=found.sha256, why=found.why, method=str(found.method))
    return found


def _place(browser: BrowserFound) -> str:
    try:
        stat = browser.binary.stat()
    except OSError:
        return f"{browser.binary}"
    return f"{browser.binary} {stat.st_size} {stat.st_mtime_ns}"


def _read(path: Path) -> list[RecorderCheck]:
    """What is kept; a cache that cannot be read is no cache."""
    try:
        items: Any = json.loads(path.read_bytes())
        found = [RecorderCheck(**item) for item in items if isinstance(item, Mapping)]
    except (OSError, ValueError, TypeError):
        return []
    ways = set(Method)
    return [item for item in found if item.version == VERSION and item.found in ways]


def _write(folder: Path, items: list[RecorderCheck]) -> None:
    data = json.dumps([asdict(item) for item in items[:MAX_KEPT]], indent=1)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = folder / f"{CACHE}.part"
        part.write_text(data, "utf-8")
        part.replace(folder / CACHE)
    except OSError:
        return  # a cache that cannot be written only costs the test again
