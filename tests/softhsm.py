"""SoftHSM 2 as the smart card of the tests: real PKCS #11."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

INSTALLER = Path(__file__).parent / "install-softhsm.sh"
PIN, SO_PIN = "1234567890", "9876543210"

_PLACES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)


@dataclass(frozen=True)
class Token:
    """One token with nothing in it."""

    module: Path
    label: str
    environment: dict[str, str]

    def tool(self, *arguments: str) -> bytes:
        """Run ``pkcs11-tool`` of OpenSC, logged in."""
        command = ["pkcs11-tool", "--module", str(self.module), "--token-label", self.label]
        return subprocess.run(
            [*command, "--login", "--pin", PIN, *arguments],
            env=self.environment,
            check=True,
            capture_output=True,
            timeout=120,
        ).stdout

    def put_key(self, label: str, path: Path) -> None:
        """Move a key (PKCS #8, PEM) into the token; it does not come out any more."""
        named = ["--label", label, "--id", label.encode().hex()]
        subprocess.run(
            ["softhsm2-util", "--import", str(path), "--token", self.label, "--pin", PIN, *named],
            env=self.environment,
            check=True,
            capture_output=True,
            timeout=60,
        )

    def put_certificate(self, label: str, path: Path) -> None:
        """Store a certificate (DER) beside the key."""
        identifier = label.encode().hex()
        self.tool(
            "--write-object", str(path), "--type", "cert", "--label", label, "--id", identifier
        )


def _module() -> Path | None:
    if any(shutil.which(tool) is None for tool in ("softhsm2-util", "pkcs11-tool")):
        return None
    return next((Path(place) for place in _PLACES if Path(place).exists()), None)


def make_token(folder: Path, label: str = "Zegel") -> Token:
    """A fresh token in ``folder``; without SoftHSM the test fails and says how to get it."""
    if _module() is None:
        subprocess.run([INSTALLER], check=False, capture_output=True, timeout=280)
    module = _module()
    if module is None:
        pytest.fail(f"SoftHSM 2 is missing: run {INSTALLER} as root")
    tokens = folder / "tokens"
    tokens.mkdir()
    settings = folder / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\n")
    named = ["--label", label]
    environment = {**os.environ, "SOFTHSM2_CONF": str(settings)}
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", *named, "--pin", PIN, "--so-pin", SO_PIN],
        env=environment,
        check=True,
        capture_output=True,
        timeout=60,
    )
    return Token(module, label, environment)
