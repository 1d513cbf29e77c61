"""Playwright's driver on an event loop of its own thread, so that every call has a time limit.

A page can make any call to the browser hang. Playwright's synchronous API cannot give such a
call up; a coroutine on a loop can be cancelled from outside while dialogs and pop-ups are still
answered. Starting takes about half a second, so callers start it first and use it later.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, TypeVar

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Playwright, async_playwright

from evidence_kit.core.errors import BrowserError
from evidence_kit.gather.waiting import result_in_time

START_SECONDS = 60.0  # 0.5-0.9 s normally; a virus scanner may look at every file first
STOP_SECONDS = 10.0  # the driver ends at once unless the machine is overloaded

T = TypeVar("T")


class Driver:
    """Playwright, starting as soon as the object is made; use it as a context manager."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="browser-driver", daemon=True)
        self._thread.start()
        self._starting = asyncio.run_coroutine_threadsafe(self._start(), self._loop)
        self._playwright: Playwright | None = None

    def __enter__(self) -> Driver:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def playwright(self) -> Playwright:
        """The started driver; waits for it.

        Raises:
            BrowserError: it did not start.
        """
        if self._playwright is None:
            try:
                self._playwright = result_in_time(self._starting, START_SECONDS)
            except TimeoutError as error:
                raise BrowserError(
                    f"the browser driver did not start within {START_SECONDS:.0f} seconds"
                ) from error
        return self._playwright

    def call(self, work: Coroutine[Any, Any, T], *, seconds: float) -> T:
        """Run a coroutine on the driver's loop and wait for it, from any other thread.

        Raises:
            TimeoutError: not done in time; it was cancelled.
            playwright.async_api.Error: as the coroutine raised it.
        """
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return result_in_time(future, seconds)
        except TimeoutError:
            future.cancel()
            raise TimeoutError(f"no answer within {seconds:g} seconds") from None
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """End the driver and its thread; a browser that still runs ends with it."""
        if self._loop.is_closed():
            return
        try:
            playwright = result_in_time(self._starting, START_SECONDS)
            self.call(playwright.stop(), seconds=STOP_SECONDS)
        except (PlaywrightError, BrowserError, TimeoutError):
            pass  # it never started or is gone: only the thread is left to end
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()

    async def _start(self) -> Playwright:
        try:
            return await async_playwright().start()
        except Exception as error:  # Playwright raises bare exceptions when its program dies
            raise BrowserError(
                f"the browser driver did not start: {first_line(error)}",
                hint="run 'evidence-kit setup', which tells what the driver needs",
            ) from error

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()


def first_line(error: BaseException) -> str:
    """The first line of an error's text, short enough for one calm message."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]
