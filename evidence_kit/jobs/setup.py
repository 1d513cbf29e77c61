"""``setup`` finds or installs a browser; ``doctor`` tells what works on this machine."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from evidence_kit.core.clock import Clock
from evidence_kit.core.errors import BrowserError, EvidenceError
from evidence_kit.core.events import Progress
from evidence_kit.core.verdict_words import moment
from evidence_kit.gather.chromium import BrowserFound, find_browser
from evidence_kit.gather.install import FONTS, HINT, Attempt, ensure_driver, install_browser
from evidence_kit.gather.proxy import proxies_from
from evidence_kit.gather.self_test import SelfTest, self_test
from evidence_kit.gather.system_proxy import system_proxy
from evidence_kit.gather.time_sources import system_clock

MIN_PYTHON = (3, 11)
MIN_FREE = 2 << 30  # bytes; a page with video takes some hundred MB, several times over
REACH_SECONDS = 5.0  # per host; doctor must not take minutes on a closed network
TOOL_SECONDS = 10.0
OLDEST_CLOCK = datetime(2025, 1, 1, tzinfo=UTC)  # before this program existed


class CheckState(StrEnum):
    """``warn`` can be lived with, ``fail`` means that captures will not work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; ``todo`` is empty where nothing needs doing."""

    name: str
    state: CheckState
    found: str
    todo: str = ""


@dataclass(frozen=True)
class SetupResult:
    """The browser that will be used, how it came here, and whether it records."""

    browser: BrowserFound
    attempts: tuple[Attempt, ...]
    test: SelfTest


def setup(
    progress: Progress,
    *,
    configured: str = "",
    environment: Mapping[str, str] = os.environ,
    install: bool = True,
) -> SetupResult:
    """Find a browser, or install one, and try it.

    Args:
        progress: shows what is being done.
        configured: path from the settings.
        environment: process environment.
        install: whether one may be installed.

    Raises:
        BrowserError: there is none, or it does not start.
    """
    if install:
        ensure_driver(progress, environment)
    progress.step("looking for a browser")
    attempts: tuple[Attempt, ...] = ()
    try:
        browser = find_browser(configured, environment)
    except BrowserError:
        if not install or configured or environment.get("EVIDENCE_KIT_BROWSER"):
            raise
        browser, attempts = install_browser(progress, environment)
    progress.step("trying the browser")
    return SetupResult(browser, attempts, self_test(browser))


def doctor(
    home: Path,
    progress: Progress,
    *,
    configured: str = "",
    environment: Mapping[str, str] = os.environ,
    reach: tuple[str, ...] = (),
    clock: Clock = system_clock,
) -> list[Check]:
    """Look at everything a capture needs; nothing is changed, no check stops the others.

    Args:
        home: the folder of this user's settings and keys.
        progress: shows what is being looked at.
        configured: path of the browser from the settings.
        environment: process environment.
        reach: URLs of time-stamping authorities to try a connection with; none by default.
        clock: source of times.
    """
    checks: list[Callable[[], Iterator[Check]]] = [
        _python,
        lambda: _browser(configured, environment),
        _keyring,
        _openssl,
        lambda: _home(home),
        lambda: _identity(home),
        lambda: _leftovers(home),
        lambda: _proxy(environment),
        lambda: _reach(reach, environment),
        lambda: _clock(clock),
    ]
    found: list[Check] = []
    progress.step("looking at this machine")
    for number, check in enumerate(checks):
        progress.advance(number, len(checks))
        found.extend(check())
    return found


def _python() -> Iterator[Check]:
    text = ".".join(str(part) for part in sys.version_info[:3])
    good = sys.version_info[:2] >= MIN_PYTHON
    yield Check(
        "python",
        CheckState.OK if good else CheckState.FAIL,
        text,
        "" if good else "install Python 3.11 or later",
    )


def _browser(configured: str, environment: Mapping[str, str]) -> Iterator[Check]:
    try:
        browser = find_browser(configured, environment)
    except BrowserError as error:
        yield Check("browser", CheckState.FAIL, error.message, error.hint or HINT)
        return
    yield Check("browser", CheckState.OK, f"{browser.product} {browser.version} {browser.path}")
    try:
        test = self_test(browser)
    except EvidenceError as error:
        yield Check("recorder", CheckState.FAIL, error.message, error.hint)
        return
    if not test.exact:
        yield Check(
            "recorder",
            CheckState.WARN,
            f"network log of {test.product}: {test.why}",
            "captures fall back to DevTools and say so; try another browser or a newer version",
        )
    else:
        instead = f", by its log alone: {test.why}" if test.why else ""
        yield Check(
            "recorder", CheckState.OK, f"{test.product} records what passes the wire{instead}"
        )
    yield Check(
        "sandbox",
        CheckState.OK if test.sandbox else CheckState.WARN,
        "on" if test.sandbox else "off, because this is root",
        "" if test.sandbox else "run captures as an ordinary user",
    )
    yield Check(
        "fonts",
        CheckState.OK if test.drawn else CheckState.WARN,
        "text is drawn" if test.drawn else "text leaves no mark on a page",
        "" if test.drawn else f"install fonts, on Debian: apt-get install {' '.join(FONTS)}",
    )


def _keyring() -> Iterator[Check]:
    import keyring
    from keyring.backends.fail import Keyring as NoKeyring

    backend = keyring.get_keyring()
    if isinstance(backend, NoKeyring):
        yield Check(
            "keyring",
            CheckState.WARN,
            "none on this machine",
            "the passphrase is asked for, or given with --passphrase-fd",
        )
    else:
        yield Check("keyring", CheckState.OK, type(backend).__module__)


def _openssl() -> Iterator[Check]:
    path = shutil.which("openssl")
    text = ""
    if path:
        try:
            done = subprocess.run(
                [path, "version"], capture_output=True, timeout=TOOL_SECONDS, check=False
            )
            text = done.stdout.decode("utf-8", "replace").strip()
        except (OSError, subprocess.TimeoutExpired) as error:
            text = f"{path} does not run: {error}"
    # Only needed to check a bundle by hand: its absence hinders nothing here.
    yield Check("openssl", CheckState.OK, text or "not here; only needed to check by hand")


def _home(home: Path) -> Iterator[Check]:
    place = home
    while not place.exists() and place != place.parent:
        place = place.parent
    if not os.access(place, os.W_OK):
        yield Check("home", CheckState.FAIL, f"{home} cannot be written", "set EVIDENCE_KIT_HOME")
    elif home.exists() and os.name == "posix" and stat.S_IMODE(home.stat().st_mode) & 0o077:
        yield Check("home", CheckState.WARN, f"others can look into {home}", f"chmod 700 '{home}'")
    else:
        yield Check("home", CheckState.OK, str(home))
    free = shutil.disk_usage(place).free
    enough = free >= MIN_FREE
    yield Check(
        "disk",
        CheckState.OK if enough else CheckState.WARN,
        f"{free >> 20} MiB free",
        "" if enough else f"make room: {MIN_FREE >> 20} MiB is wise",
    )


def _identity(home: Path) -> Iterator[Check]:
    folder = home / "identity"
    names = sorted(path.parent.name for path in folder.glob("*/cert.pem"))
    if names:
        yield Check("identity", CheckState.OK, ", ".join(names))
    else:
        yield Check(
            "identity",
            CheckState.WARN,
            "none yet",
            "make one: evidence-kit identity create --name NAME --organisation ORGANISATION",
        )


def _leftovers(home: Path) -> Iterator[Check]:
    """Captures that were stopped before their seal; those that still run are none."""
    from evidence_kit.jobs.recover import list_unfinished  # loads everything that seals

    left = [item.id for item in list_unfinished(home) if item.state != "running"]
    if not left:
        yield Check("leftovers", CheckState.OK, "no capture was stopped before its seal")
        return
    yield Check(
        "leftovers",
        CheckState.WARN,
        f"stopped before the seal, with passwords and cookies unmasked: {', '.join(left)}",
        "seal it: evidence-kit recover ID; or remove it: evidence-kit discard ID",
    )


def _proxy(environment: Mapping[str, str]) -> Iterator[Check]:
    try:
        name = proxies_from(environment).name
    except EvidenceError as error:
        yield Check("proxy", CheckState.FAIL, error.message, error.hint)
        return
    system = "" if name else system_proxy()
    if system:
        yield Check(
            "proxy",
            CheckState.WARN,
            f"the settings of this system name {system}, but no variable does",
            "where that is the only way out, set HTTPS_PROXY and HTTP_PROXY to the proxy",
        )
        return
    found = f"{name}; addresses of sites are unknown then" if name else "none is set"
    yield Check("proxy", CheckState.OK, found)


def _reach(urls: tuple[str, ...], environment: Mapping[str, str]) -> Iterator[Check]:
    asked = set()
    for url in urls:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        if (host, port) in asked:  # several services of one authority
            continue
        asked.add((host, port))
        proxy = proxies_from(environment).for_target(host, port)
        place = (proxy.host, proxy.port) if proxy else (host, port)
        way = f" through {proxy.name}" if proxy else ""
        try:
            with socket.create_connection(place, REACH_SECONDS):
                # What stands behind a proxy only a request would tell.
                found = f"{host}: the proxy {proxy.name} answers" if proxy else f"{host} answers"
                yield Check("tsa", CheckState.OK, found)
        except OSError as error:
            yield Check(
                "tsa",
                CheckState.WARN,
                f"no connection to {host} port {port}{way}: {_reason(error)}",
                "bundles get no time stamp from there; another one can be named with --tsa",
            )


def _reason(error: OSError) -> str:
    """What the system says, without its number."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (error.strerror or str(error)).lower()


def _clock(clock: Clock) -> Iterator[Check]:
    now = clock()
    good = now > OLDEST_CLOCK
    yield Check(
        "clock",
        CheckState.OK if good else CheckState.FAIL,
        moment(now),
        "" if good else "set the clock of this machine",
    )
