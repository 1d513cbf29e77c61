"""Wait for a thread so that the keyboard can still stop the program."""

from __future__ import annotations

import math
import time
from concurrent.futures import Future, wait
from typing import TypeVar

LOOK_SECONDS = 0.25
"""Windows does not wake a waiting main thread for Ctrl-C; it is heard between two looks."""

T = TypeVar("T")


def result_in_time(future: Future[T], seconds: float = math.inf) -> T:
    """The result of work in another thread, waited for in short stretches.

    Args:
        future: of the work.
        seconds: without, the work itself is bounded.

    Raises:
        TimeoutError: not done within ``seconds``; the work goes on.
        BaseException: as the work raised it.
    """
    end = time.monotonic() + seconds
    while not future.done():
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"not done within {seconds:g} seconds")
        wait((future,), min(left, LOOK_SECONDS))
    return future.result()
