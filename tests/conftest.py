"""What every test gets: no contact beyond this machine, and a home folder of its own."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

_real_connect = socket.socket.connect

# A busy machine is no fault of the code: time limits are asserted where they are promised.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")


def _loopback_only(self: socket.socket, address: Any) -> None:
    if self.family in (socket.AF_INET, socket.AF_INET6):
        host = str(address[0])
        if not ipaddress.ip_address(host.split("%")[0]).is_loopback:
            raise AssertionError(f"a test tried to reach {host}: only this machine is allowed")
    _real_connect(self, address)


@pytest.fixture(autouse=True)
def no_outside_contact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests reach loopback only: no live site is ever asked."""
    monkeypatch.setattr(socket.socket, "connect", _loopback_only)


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test has an empty home; nothing of the person who runs the tests is read."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("EVIDENCE_KIT_HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def json_outputs_conform(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test makes the program print as JSON is what its published schema says."""
    from evidence_kit.cli import output
    from evidence_kit.core.canonical_json import dumps
    from tests.json_outputs import conforming

    def checked(document: Any) -> bytes:
        written = dumps(document)
        conforming(written)
        return written

    monkeypatch.setattr(output, "dumps", checked)
