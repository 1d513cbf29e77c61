"""Rename and remove files that another program looks at for a moment."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

TRIES = 20
"""After this many looks the file is held on purpose, or the rights are missing: 2 s in all."""

WAIT_SECONDS = 0.1
"""Virus scanners and indexers hold a new file for some milliseconds."""

T = TypeVar("T")

_SYSTEM = os.name


def when_free(action: Callable[[], T]) -> T:
    """Do something to a file's name, on Windows again while another program has the file open.

    Elsewhere an open file does not hinder it. Windows answers such a rename or removal with
    ERROR_SHARING_VIOLATION or ERROR_ACCESS_DENIED, which Python gives as ``PermissionError``.

    Args:
        action: renames or removes; it is done at most :data:`TRIES` times.

    Raises:
        OSError: as ``action`` raised it the last time.
    """
    if _SYSTEM == "nt":
        for _ in range(TRIES - 1):
            try:
                return action()
            except PermissionError:
                time.sleep(WAIT_SECONDS)
    return action()
