"""Ending what a test started, with all its helpers."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole group of a process that was started with ``start_new_session=True``.

    Nobody in it gets time to finish anything.
    """
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def pseudo_terminal() -> tuple[int, int]:
    """Descriptors of the two ends: the person's, and the program's."""
    if sys.platform != "win32":
        return os.openpty()
    raise AssertionError("Windows has no pseudo-terminals")
