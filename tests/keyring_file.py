"""A keyring in a file, for tests: what a desktop's keyring does, without a desktop."""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

VARIABLE = "EVIDENCE_TEST_KEYRING"
"""Names the file; a process of its own is told the backend with ``PYTHON_KEYRING_BACKEND``."""

BACKEND = "tests.keyring_file.FileKeyring"
LIMIT = 2_560
"""Bytes of one value in Windows' keyring; more is refused here as it is there."""


class FileKeyring(KeyringBackend):
    """Service and user → value, as JSON."""

    priority = 1.0

    def get_password(self, service: str, username: str) -> str | None:
        return self._all().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        if len(password.encode("utf-16-le")) > LIMIT:
            raise OSError("the stub received bad data")
        self._path.write_text(json.dumps({**self._all(), f"{service}/{username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        held = self._all()
        if held.pop(f"{service}/{username}", None) is None:
            raise PasswordDeleteError("no such password")
        self._path.write_text(json.dumps(held))

    def _all(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self._path.read_text()) if self._path.exists() else {}
        return found

    @property
    def _path(self) -> Path:
        return Path(os.environ[VARIABLE])
