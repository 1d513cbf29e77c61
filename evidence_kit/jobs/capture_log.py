"""``data/capture.log``: every step and every contact of a capture, one JSON object per line."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from evidence_kit.core.canonical_json import dumps_line
from evidence_kit.core.clock import Clock, iso


class CaptureLog:
    """The log of one capture; may be written from several threads.

    Args:
        path: the file, under ``bag/data``.
        clock: source of the ``time`` of each line.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._stream = path.open("xb")

    def log(self, event: str, **fields: Any) -> None:
        """Keep one event (see :class:`evidence_kit.core.events.EventLog`)."""
        with self._lock:
            if self._stream.closed:
                return  # the log ends before sealing (format rule 8); a late thread adds nothing
            self._stream.write(dumps_line({"time": iso(self._clock()), "event": event, **fields}))
            self._stream.flush()

    def close(self) -> None:
        """End the log."""
        with self._lock:
            self._stream.close()

    def __enter__(self) -> CaptureLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
