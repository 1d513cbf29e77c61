"""What may be done with a page while it is open: calls with a time limit each, nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from playwright.async_api import BrowserContext, CDPSession, Page
from playwright.async_api import Error as PlaywrightError

from evidence_kit.core.errors import BrowserError
from evidence_kit.gather.cdp_watch import CdpWatch
from evidence_kit.gather.driver import Driver, first_line

T = TypeVar("T")

ALIVE_SECONDS = 5.0  # a page that is quiet and has not answered by then runs script without end
STOP_SECONDS = 2.0  # stopping it takes 0.04 s
SETTLE_SECONDS = 0.3  # a timer of the page would begin it again within this time
MAX_STOPS = 2  # after that the page may run no script at all: it begins again each time
_SILENT = f"the page did not answer within {ALIVE_SECONDS:g} seconds"
POLL_SECONDS = 0.05  # how often idleness is looked at; far below any quiet time


@dataclass(frozen=True)
class Failure:
    """Why the main document could not be had: the browser's or the guard's own name for it."""

    name: str
    detail: str


@dataclass(frozen=True)
class Quiet:
    """How the wait for a quiet page ended: ``quiet`` or ``time``; seconds waited."""

    reason: str
    waited: float
    busy: int


class Visit:
    """A page that is open. Methods may be called from the thread that asked for the visit.

    Attributes:
        failure: set when the main document could not be had; there is no page to draw then.
        headless: whether the browser has no window (PDF needs that).
        scale: device pixels per CSS pixel.
        gone: why the page is no more, empty while it is there.
        stopped: how often script without end had to be stopped.
        on_event: told the name and the words of what was done to the page.
    """

    def __init__(
        self,
        driver: Driver,
        context: BrowserContext,
        page: Page,
        session: CDPSession,
        watch: CdpWatch,
        *,
        headless: bool,
        scale: float,
    ) -> None:
        self._driver = driver
        self._context = context
        self._page = page
        self._session = session
        self._watch = watch
        self.headless = headless
        self.scale = scale
        self.failure: Failure | None = None
        self.stopped = 0
        self.gone = ""
        self._silenced = False
        self._end = asyncio.Event()
        self.on_event: Callable[[str, str], None] = lambda _name, _detail: None

    def send(
        self, method: str, params: Mapping[str, Any] | None = None, *, seconds: float
    ) -> dict[str, Any]:
        """Call a DevTools method of the page.

        Raises:
            BrowserError: no answer in ``seconds``, an error, or the browser is gone.
        """
        return self._call(method, self._session.send(method, dict(params or {})), seconds)

    def frame_sessions(self, *, seconds: float) -> list[tuple[str, FrameSession]]:
        """Frames that run in another process, as (URL, session); the rest is in the page's own.

        Raises:
            BrowserError: the browser is gone.
        """
        return self._call("frames", self._frames(), seconds)

    @property
    def url(self) -> str:
        """Where the main frame is now."""
        return str(self._page.url)

    def wait_quiet(self, quiet: float, limit: float) -> Quiet:
        """Wait until nothing has been loading for ``quiet`` seconds, ``limit`` seconds at most.

        Raises:
            BrowserError: the browser is gone.
        """
        return self._call("wait", self._quiet(quiet, limit), limit + 10.0)

    def revive(self) -> bool:
        """Stop script that never ends, so that the page can be drawn.

        Returns:
            Whether the page answers now.
        """
        while not self._answers():
            if self._silenced:
                return False
            if self.stopped < MAX_STOPS:
                self._stop("script-stopped", _SILENT, "Runtime.terminateExecution", {})
            else:
                self._silenced = True
                off = {"value": True}
                method = "Emulation.setScriptExecutionDisabled"
                self._stop("script-switched-off", f"{_SILENT}, again", method, off)
                with contextlib.suppress(BrowserError):  # whether it helped is what is asked next
                    self.send("Runtime.terminateExecution", seconds=STOP_SECONDS)
            time.sleep(SETTLE_SECONDS)
        return True

    def _answers(self) -> bool:
        """Whether the page's thread comes round to us; nothing of the page's own is called."""
        work = self._session.send("Runtime.evaluate", {"expression": "0"})
        try:
            self._driver.call(self._while_there("alive", work), seconds=ALIVE_SECONDS)
        except TimeoutError:
            return False
        except (PlaywrightError, BrowserError):
            return True  # between two documents, or gone: the next call will tell
        return True

    def _stop(self, event: str, why: str, method: str, params: Mapping[str, Any]) -> None:
        self.stopped += 1
        self.on_event(event, why)
        with contextlib.suppress(BrowserError):  # whether it helped is what is asked next
            self.send(method, params, seconds=STOP_SECONDS)

    async def _quiet(self, quiet: float, limit: float) -> Quiet:
        start = time.monotonic()
        while True:
            now = time.monotonic()
            busy = self._watch.busy()
            if not busy and now - max(self._watch.last_activity, start) >= quiet:
                return Quiet("quiet", now - start, 0)
            if now - start >= limit:
                return Quiet("time", now - start, busy)
            if self._page.is_closed():
                raise BrowserError("the page was closed while it loaded")
            await asyncio.sleep(POLL_SECONDS)

    async def _frames(self) -> list[tuple[str, FrameSession]]:
        found = []
        for frame in self._page.frames:
            if frame is self._page.main_frame or frame.is_detached():
                continue
            try:
                session = await self._context.new_cdp_session(frame)
            except PlaywrightError:  # in the page's own process: its snapshot has it
                continue
            found.append((str(frame.url), FrameSession(self, session)))
        return found

    def end(self, why: str) -> None:
        """The page is no more: calls that wait for it fail at once. On the driver's loop."""
        self.gone = self.gone or why
        self._end.set()

    async def _while_there(self, what: str, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.ensure_future(work)
        end = asyncio.ensure_future(self._end.wait())
        try:
            await asyncio.wait({task, end}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise BrowserError(f"{what}: {self.gone}")
        finally:
            end.cancel()
            if not task.done():
                task.cancel()

    def _call(self, what: str, work: Coroutine[Any, Any, T], seconds: float) -> T:
        try:
            return self._driver.call(self._while_there(what, work), seconds=seconds)
        except TimeoutError as error:
            raise BrowserError(f"{what}: {error}") from error
        except PlaywrightError as error:
            raise BrowserError(f"{what}: {first_line(error)}") from error


class FrameSession:
    """DevTools session of a frame in another process."""

    def __init__(self, visit: Visit, session: CDPSession) -> None:
        self._visit = visit
        self._session = session

    def send(
        self, method: str, params: Mapping[str, Any] | None = None, *, seconds: float
    ) -> dict[str, Any]:
        """As :meth:`Visit.send`."""
        result: dict[str, Any] = self._visit._call(
            method, self._session.send(method, dict(params or {})), seconds
        )
        return result
