"""A whole capture of the example post against a bare browser that only looks at it.

The other side is the least that a script with the same driver can do: start the browser, load the
page, take one screenshot. Waits that a capture makes on purpose (for a quiet page) are taken off.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.timing import Pair, paired, process, python
from evidence_kit.demo.site import DemoSite
from evidence_kit.demo.tsa import DemoTsa
from evidence_kit.gather.chromium import find_browser, is_root
from evidence_kit.gather.page_types import PageOptions

LIMIT = 2.0
DELIBERATE_SECONDS = PageOptions().quiet_seconds
"""The page must have been quiet this long; scrolling, which waits too, is left out of both."""

PASSPHRASE = "wachtzin van de metingen"

BARE = """\
import sys
from playwright.sync_api import sync_playwright
with sync_playwright() as driver:
    sandbox = sys.argv[2] == "1"
    browser = driver.chromium.launch(executable_path=sys.argv[1], chromium_sandbox=sandbox)
    page = browser.new_page()
    page.goto(sys.argv[3])
    page.screenshot(path=sys.argv[4], full_page=True)
    browser.close()
"""


@dataclass(frozen=True)
class Home:
    """A user's folder with a key, and the file that holds its passphrase."""

    environment: Mapping[str, str]
    secret: Path


def new_home(folder: Path) -> Home:
    """Make one in ``folder``; it asks no time server, since there may be no network."""
    home = Home({"EVIDENCE_KIT_HOME": str(folder / "home")}, folder / "passphrase")
    (folder / "home").mkdir()
    (folder / "home" / "config.toml").write_text("ntp = []\n", "utf-8")
    home.secret.write_text(PASSPHRASE + "\n", "utf-8")
    process(
        python(
            *("-m", "evidence_kit", "identity", "create", "--name", "Meting"),
            *("--organisation", "Metingen", "--no-trust", "--passphrase-fd", "0"),
        ),
        home.environment,
        stdin=home.secret,
    )
    return home


def measure(runs: int = 5) -> Pair:
    """Both as whole processes, the capture with seal and two time stamps."""
    browser = find_browser()
    with tempfile.TemporaryDirectory() as name, DemoSite() as site, DemoTsa() as tsa:
        folder = Path(name)
        home = new_home(folder)
        command = python(
            *("-m", "evidence_kit", "capture", site.address("threat"), "--allow-private"),
            *("--no-scroll", "--tsa", tsa.url, "--output", str(folder / "out")),
            *("--passphrase-fd", "0"),
        )
        bare = python(
            *("-c", BARE, str(browser.path), "0" if is_root() else "1"),
            *(site.address("threat"), str(folder / "picture.png")),
        )
        return paired(
            lambda: process(command, home.environment, stdin=home.secret) - DELIBERATE_SECONDS,
            lambda: process(bare),
            runs=runs,
        )
