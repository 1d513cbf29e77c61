"""The browser of one visit: started, watched, its dialogs and pop-ups answered, ended for sure.

Everything here runs on the driver's event loop, except :meth:`PageSession.kill`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any, Literal, cast

from playwright.async_api import BrowserContext, CDPSession, Dialog, Download, Page, Playwright
from playwright.async_api import Error as PlaywrightError

from evidence_kit.core.clock import Clock
from evidence_kit.core.errors import BrowserError
from evidence_kit.core.events import EventLog
from evidence_kit.gather.cdp_watch import CdpWatch, Navigation, Seen
from evidence_kit.gather.chromium import (
    ACCEPT_ENCODING,
    BrowserFound,
    is_root,
    running_binary,
    running_command_line,
)
from evidence_kit.gather.driver import Driver
from evidence_kit.gather.page_types import BrowserFacts, PageEvent, PageOptions
from evidence_kit.gather.session_set import set_session
from evidence_kit.gather.session_state import SessionState
from evidence_kit.gather.visit import Visit

MAX_EVENTS = 500  # kept one by one; a page that opens dialogs for ever is only counted
MAX_DETAIL = 300  # characters of a dialog's text or a download's name
WITHOUT_SCRIPT = 3  # documents after script was switched off; two were seen to be on their way
STOP_SECONDS = 5.0  # a browser that does not close by then is killed

SYSTEM_PROXY = "system"
PAC = "pac+"
"""What a proxy of the browser's own can be beside an address: its settings, or a script's URL."""

QUIET_FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
)
"""Keep the browser from contacting anybody by itself, and from QUIC, which the NetLog does not
show in the clear."""

DROPPED_FLAGS = ["--disable-popup-blocking"]
"""Of the driver's own: without it the full browser opens no window that nobody clicked for. Closing
one that has opened comes too late where it opens the next."""


def launch_flags(
    proxy_port: int,
    netlog: Path | None,
    proxy: str = "",
    http_port: int = 0,
    keys: Path | None = None,
) -> tuple[str, ...]:
    """The flags that this program adds to the driver's own.

    All connections go to the guard, loopback included; the browser may not resolve names itself
    (https://www.chromium.org/developers/design-documents/network-stack/socks-proxy/) and WebRTC
    may not go round the proxy. A headless shell opens no further windows at all: closing one that
    has opened was seen to leave frames of other origins in the first page unloaded for good.

    With a file for the keys of TLS, the log only counts the bytes that it would otherwise hold.
    """
    flags = (
        *QUIET_FLAGS,
        "--block-new-web-contents",
        *_way_out(proxy_port, proxy, http_port),
        "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    )
    if netlog is None:
        return flags
    log = f"--log-net-log={netlog}"
    if keys is None:
        return (*flags, log, "--net-log-capture-mode=Everything")
    mode = "--net-log-capture-mode=IncludeSensitive"
    return (*flags, log, mode, f"--ssl-key-log-file={keys}")


def _way_out(proxy_port: int, proxy: str, http_port: int) -> tuple[str, ...]:
    """Through the guard; or, where only the browser can speak to the proxy, past it."""
    if proxy == SYSTEM_PROXY:
        return ()
    if proxy.startswith(PAC):
        return (f"--proxy-pac-url={proxy.removeprefix(PAC)}",)
    if proxy:
        return (f"--proxy-server={proxy}",)
    socks = f"socks5://127.0.0.1:{proxy_port}"
    ways = f"http=127.0.0.1:{http_port};https={socks};socks={socks}" if http_port else socks
    return (
        f"--proxy-server={ways}",
        "--proxy-bypass-list=<-loopback>",
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    )


class PageSession:
    """One browser process with one page.

    Args:
        browser: what to start.
        options: how to look at the page.
        proxy_port: where the guard listens.
        http_port: where it listens for plain http; 0 where that needs no door of its own.
        netlog: where the browser logs to; None for none.
        keys: where it writes the keys of its TLS connections to; None for nowhere.
        own_key: see :func:`~evidence_kit.gather.recorder.record_page`; for the self-test only.
        clock: source of times.
        log: gets each event.
        login: cookies and local storage to begin with; the browser then keeps nothing of the
            visit on disk. None for a visit that is not logged in.
    """

    def __init__(
        self,
        browser: BrowserFound,
        options: PageOptions,
        *,
        proxy_port: int,
        netlog: Path | None,
        clock: Clock,
        log: EventLog,
        http_port: int = 0,
        keys: Path | None = None,
        own_key: str = "",
        login: SessionState | None = None,
    ) -> None:
        self._browser = browser
        self._options = options
        self._flags = launch_flags(proxy_port, netlog, options.proxy, http_port, keys)
        if own_key:
            self._flags += (f"--ignore-certificate-errors-spki-list={own_key}",)
        self._private = tuple(str(path) for path in (netlog, keys) if path)
        self._clock = clock
        self._log = log
        self._login = login
        self._profile: BrowserContext | None = None
        self._context: BrowserContext | None = None
        self._page: Page | None = None
        self._session: CDPSession | None = None
        self._pid: int | None = None
        self._visit: Visit | None = None
        self._version: dict[str, Any] = {}
        self._command_line: tuple[str, ...] = ()
        self.binary = browser.binary
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._halted = False
        self._uncounted = 0
        self.sandbox = not is_root()
        self.watch: CdpWatch | None = None
        self.events: list[PageEvent] = []
        self.out_of_time = False

    @property
    def product(self) -> str:
        """Name and version as the running browser says, ``HeadlessChrome/131.0.6778.85``."""
        return str(self._version.get("product", ""))

    @property
    def seen(self) -> list[Seen]:
        """Every hop that DevTools reported."""
        return self.watch.seen if self.watch else []

    @property
    def documents(self) -> list[Seen]:
        """Hops of the main frame's documents."""
        return self.watch.documents() if self.watch else []

    @property
    def navigations(self) -> list[Navigation]:
        """Documents that the main frame showed."""
        return self.watch.navigations if self.watch else []

    async def open(
        self,
        playwright: Playwright,
        profile: Path,
        *,
        on_finished: Callable[[Seen], None] | None,
        buffer: int,
    ) -> None:
        """Start the browser on a fresh profile and attach to it.

        Raises:
            playwright.async_api.Error: it does not start.
        """
        options = self._options
        self._private += (str(profile),)
        looks: dict[str, Any] = {
            "locale": options.locale,
            "timezone_id": options.time_zone,
            "viewport": {"width": options.width, "height": options.height},
            "device_scale_factor": options.scale,
            "color_scheme": cast(Literal["light", "dark"], options.color_scheme),
            "reduced_motion": "reduce" if options.reduced_motion else "no-preference",
            "user_agent": options.user_agent or None,
            # Said to the driver too: it reaches workers before the watch does.
            "extra_http_headers": {"Accept-Encoding": ACCEPT_ENCODING},
            "accept_downloads": False,
        }
        self._profile = await playwright.chromium.launch_persistent_context(
            str(profile),
            executable_path=str(self._browser.path),
            headless=options.headless,
            chromium_sandbox=self.sandbox,
            ignore_default_args=DROPPED_FLAGS,
            args=list(self._flags),
            # Ctrl-C is this program's to handle: what was recorded is still kept.
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
            **looks,
        )
        self._context = self._profile
        if self._login is not None and self._profile.browser is not None:
            # Off the record: cookies and storage stay in memory, whatever happens to the program.
            self._context = await self._profile.browser.new_context(**looks)
            await self._context.new_page()
        self._page = self._context.pages[0]
        self._session = await self._context.new_cdp_session(self._page)
        if self._login is not None:
            await set_session(self._context, self._session, self._login)
        self._version = await self._session.send("Browser.getVersion")
        frames = await self._session.send("Page.getFrameTree")
        await self._attach(frames["frameTree"]["frame"]["id"], on_finished, buffer)
        self._answer(self._context, self._page)
        self._timer = asyncio.get_running_loop().call_later(options.max_seconds, self._too_long)

    async def navigate(self, url: str) -> str:
        """Go there; returns once a document begins to arrive.

        Returns:
            The browser's network error name, empty when there was none.
        """
        if self._session is None:
            raise BrowserError("the browser is not running")
        answer = await self._session.send("Page.navigate", {"url": url})
        return str(answer.get("errorText", ""))

    def visit(self, driver: Driver) -> Visit:
        """The page as callers may use it."""
        if self._context is None or self._page is None or self._session is None:
            raise BrowserError("the browser is not running")
        if self.watch is None:
            raise BrowserError("the browser cannot be watched")
        visit = Visit(
            driver,
            self._context,
            self._page,
            self._session,
            self.watch,
            headless=self._options.headless,
            scale=self._options.scale,
        )
        visit.on_event = self._event
        self._visit = visit
        return visit

    async def close(self) -> None:
        """End the browser in the ordinary way, so that it finishes its log."""
        if self._timer is not None:
            self._timer.cancel()
        if self._profile is not None:
            await self._profile.close()
        for task in self._tasks:
            task.cancel()
        if self._uncounted:
            self._log.log("page-events-not-listed", count=self._uncounted)

    def kill(self) -> None:
        """End the browser's main process; its children and a start script end with it."""
        if self._pid is None:
            return
        with contextlib.suppress(OSError):  # it is gone already
            os.kill(self._pid, getattr(signal, "SIGKILL", signal.SIGTERM))

    def facts(self, sha256: str) -> BrowserFacts:
        """The browser as it ran.

        Args:
            sha256: of the program that ``BrowserFound.binary`` names.
        """
        return BrowserFacts(
            product=self.product or self._browser.product,
            version=self.product.rpartition("/")[2] or self._browser.version,
            revision=str(self._version.get("revision", "")),
            path=str(self._browser.path),
            binary=str(self.binary),
            sha256=sha256,
            driver=f"playwright {package_version('playwright')}",
            flags=tuple(self._public(flag) for flag in self._command_line or self._flags),
            headless=self._options.headless,
            sandbox=self.sandbox,
            user_agent=self._sent_user_agent(),
            accept_encoding=ACCEPT_ENCODING,
            options=self._options,
        )

    async def _attach(
        self, main_frame: str, on_finished: Callable[[Seen], None] | None, buffer: int
    ) -> None:
        browser = self._context.browser if self._context else None
        if browser is None:
            raise PlaywrightError("the driver gives no access to the browser")
        session = await browser.new_browser_cdp_session()
        with contextlib.suppress(PlaywrightError):  # only needed to kill it and to name it
            answer = await session.send("SystemInfo.getProcessInfo")
            pids = [item["id"] for item in answer["processInfo"] if item["type"] == "browser"]
            self._pid = int(pids[0])
            self.binary = running_binary(self._pid) or self.binary
            self._command_line = running_command_line(self._pid)[1:]
        self.watch = CdpWatch(
            session, accept_encoding=ACCEPT_ENCODING, on_finished=on_finished, buffer=buffer
        )
        self.watch.on_navigation = self._navigated
        self.watch.on_window = lambda url: self._event("pop-up-asked-for", url)
        await self.watch.start(main_frame)

    def _answer(self, context: BrowserContext, page: Page) -> None:
        """Dialogs, pop-ups and downloads must neither block nor leave anything."""
        self._guard_page(page)
        page.on("crash", lambda _: self._crashed(page))
        page.on("close", lambda _: self._over("the page was closed"))
        context.on("page", self._pop_up)

    def _crashed(self, page: Page) -> None:
        self._event("page-crashed", page.url)
        self._over("the page crashed")

    def _over(self, why: str) -> None:
        if self._visit is not None:
            self._visit.end(why)

    def _guard_page(self, page: Page) -> None:
        page.on("dialog", lambda dialog: self._spawn(self._dialog(dialog)))
        page.on("download", lambda item: self._download(item))

    def _pop_up(self, page: Page) -> None:
        self._guard_page(page)
        self._event("pop-up-closed", page.url)
        self._spawn(page.close())

    async def _dialog(self, dialog: Dialog) -> None:
        self._event("dialog-dismissed", f"{dialog.type}: {dialog.message}")
        await dialog.dismiss()

    def _download(self, item: Download) -> None:
        self._event("download-denied", f"{item.suggested_filename} from {item.url}")

    def _navigated(self) -> None:
        """Stop a page that goes from one document to the next without end."""
        over = len(self.navigations) - self._options.max_navigations
        if over <= 0 or self._session is None:
            return
        if not self._halted:
            self._halted = True
            self._event("navigation-limit", self.navigations[-1].url)
            off = {"value": True}
            self._spawn(self._session.send("Emulation.setScriptExecutionDisabled", off))
        elif over > WITHOUT_SCRIPT:  # it needs no script to go on: a refresh in the markup
            self._spawn(self._session.send("Page.stopLoading"))

    def _too_long(self) -> None:
        self.out_of_time = True
        self._event("time-limit", f"{self._options.max_seconds:g} seconds")
        self._spawn(self._stop())

    async def _stop(self) -> None:
        if self._profile is None:
            return
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._profile.close()
        except TimeoutError:
            self.kill()

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(self._tolerant(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    async def _tolerant(work: Any) -> None:
        with contextlib.suppress(PlaywrightError):  # the page or browser is gone: so is the matter
            await work

    def _event(self, name: str, detail: str) -> None:
        if len(self.events) >= MAX_EVENTS:
            self._uncounted += 1
            return
        self.events.append(PageEvent(self._clock(), name, detail[:MAX_DETAIL]))
        self._log.log("page-event", name=name)

    def _public(self, flag: str) -> str:
        """A flag without the paths of the private work folder."""
        for path in self._private:
            flag = flag.replace(path, "(work folder)")
        return flag

    def _sent_user_agent(self) -> str:
        for hop in self.documents:
            for name, value in hop.request_headers.items():
                if name.lower() == "user-agent":
                    return value
        return self._options.user_agent or str(self._version.get("userAgent", ""))
