"""Run tests and write how each ended: ``python -m tests.takeouts.observe OUT NODE...``.

In a process of its own, so that the program is imported as it stands in the copy.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest


class Observer:
    """A pytest plug-in that keeps the outcome of each test."""

    def __init__(self) -> None:
        self.ended: dict[str, str] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        report = yield
        if call.when == "call":
            self.ended[item.nodeid] = call.excinfo.typename if call.excinfo else "passed"
        elif call.excinfo:
            self.ended[item.nodeid] = f"{call.excinfo.typename} in {call.when}"
        return report


if __name__ == "__main__":
    observer = Observer()
    options = ["-q", "--no-header", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist"]
    pytest.main([*options, *sys.argv[2:]], plugins=[observer])
    Path(sys.argv[1]).write_text(json.dumps(observer.ended), "utf-8")
