"""Ending what a test started, with all its helpers."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys


def kill_group(process: subprocess.Popen[bytes], *, gently: bool = False) -> None:
    """Signal the whole group of a process that was started in a session of its own.

    Args:
        process: started with ``start_new_session=True``.
        gently: it may finish what it writes; otherwise nobody gets any time.
    """
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM if gently else signal.SIGKILL)
    else:
        process.kill()
