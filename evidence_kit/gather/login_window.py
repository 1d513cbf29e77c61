"""The window in which a person logs in: visible, forgetful, and watched for one thing only.

The browser works off the record: cookies and storage are in its memory and never on the disk, also
when this program is killed. Nothing of the visit is recorded; the guard is not between, since a
login may lead over the organisation's own servers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, CDPSession, Page, Playwright
from playwright.async_api import Error as PlaywrightError

from evidence_kit.core.errors import BrowserError
from evidence_kit.gather.chromium import BrowserFound, is_root
from evidence_kit.gather.driver import Driver, first_line
from evidence_kit.gather.page_session import QUIET_FLAGS
from evidence_kit.gather.session_state import SessionState, from_browser, of_site

LOOK_SECONDS = 0.3  # between two looks: what is closed sooner after the login is not seen
LOGIN_SECONDS = 1800.0  # to find a password and a second factor; then somebody forgot the window
START_SECONDS = 60.0  # 1 s normally; a virus scanner may look at every file first
CALL_SECONDS = 10.0  # a page that does not answer is not waited for


def log_in(
    browser: BrowserFound,
    url: str,
    *,
    driver: Driver,
    done: Callable[[], bool],
    seconds: float = LOGIN_SECONDS,
) -> SessionState:
    """Open a window at ``url`` and wait until it is closed or ``done`` says so.

    Args:
        browser: one that can open a window.
        url: where the login begins.
        driver: started or starting.
        done: asked often, in another thread; whether the person says to be logged in.
        seconds: longest wait.

    Returns:
        What the site's pages had set by then; empty where they set nothing.

    Raises:
        BrowserError: the browser cannot open a window, or it stayed open too long.
    """
    window = _Window(urlsplit(url).hostname or "", done)
    try:
        driver.call(window.open(driver.playwright, browser, url), seconds=START_SECONDS)
        driver.call(window.wait(), seconds=seconds)
    except TimeoutError as error:
        raise BrowserError(
            f"the window was not closed within {seconds / 60:.0f} minutes; nothing was kept",
            hint="log in again and close the window when you are logged in",
        ) from error
    except PlaywrightError as error:
        raise BrowserError(
            f"the window of {browser.product} could not be opened: {first_line(error)}",
            hint="a login needs a screen: run this where you see a desktop",
        ) from error
    finally:
        with contextlib.suppress(TimeoutError, PlaywrightError):
            driver.call(window.close(), seconds=CALL_SECONDS)
    return window.state.of_site(window.host)


class _Window:
    """One browser with one window; everything runs on the driver's event loop."""

    def __init__(self, host: str, done: Callable[[], bool]) -> None:
        self.host = host
        self.state = SessionState()
        self._done = done
        self._browser: Browser | None = None
        self._context: BrowserContext | None = None
        self._sessions: dict[Page, CDPSession] = {}
        self._storage: dict[str, Mapping[str, str]] = {}

    async def open(self, playwright: Playwright, browser: BrowserFound, url: str) -> None:
        self._browser = await playwright.chromium.launch(
            executable_path=str(browser.path),
            headless=False,
            chromium_sandbox=not is_root(),
            args=list(QUIET_FLAGS),
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
        )
        self._context = await self._browser.new_context(no_viewport=True, accept_downloads=False)
        page = await self._context.new_page()
        with contextlib.suppress(PlaywrightError):  # the window itself shows what went wrong
            await page.goto(url, wait_until="commit")

    async def wait(self) -> None:
        """Look again and again, so that what was there last is known when the window is gone."""
        while self._context is not None:
            over = self._done() or not self._context.pages
            if not await self._look() or over:  # the browser still has what a closed window set
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def close(self) -> None:
        if self._browser is not None:
            await self._browser.close()

    async def _look(self) -> bool:
        """Take what is there; False where the browser is gone."""
        context = self._context
        if context is None or self._browser is None:
            return False
        try:
            async with asyncio.timeout(CALL_SECONDS):
                cookies = await context.cookies()
                for page in context.pages:
                    await self._stored(context, page)
        except TimeoutError:
            return True
        except PlaywrightError:
            return self._browser.is_connected()
        self.state = from_browser(cookies, dict(self._storage))
        return True

    async def _stored(self, context: BrowserContext, page: Page) -> None:
        """Local storage of a page of the site, read beside its scripts."""
        parts = urlsplit(page.url)
        if parts.scheme not in ("http", "https") or not of_site(parts.hostname or "", self.host):
            return
        origin = f"{parts.scheme}://{parts.netloc}"
        with contextlib.suppress(PlaywrightError):  # between two documents: the next look has it
            session = self._sessions.get(page)
            if session is None:
                session = self._sessions[page] = await context.new_cdp_session(page)
            place = {"securityOrigin": origin, "isLocalStorage": True}
            found = await session.send("DOMStorage.getDOMStorageItems", {"storageId": place})
            self._storage[origin] = {str(key): str(value) for key, value in found["entries"]}
