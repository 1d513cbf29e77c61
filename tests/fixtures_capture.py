"""One real capture of the example site, sealed once per test process, for many tests."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.core.canonical_json import loads
from evidence_kit.demo.site import DemoSite, WireExchange
from evidence_kit.demo.tsa import DemoTsa
from tests.json_outputs import conforming

PASSPHRASE = "een lange wachtzin voor de tests"
REASON = "bedreiging van een medewerker"


@dataclass(frozen=True)
class Captured:
    """The bundle and everything a test may want to compare it with."""

    home: Path
    output: Path
    bundle: Path
    receipt: Path
    certificate: Path
    tsa_root: Path
    opened: Path
    url: str
    wire: tuple[WireExchange, ...]
    stdout: str
    stderr: str

    @property
    def record(self) -> dict[str, Any]:
        """``data/capture.json``."""
        found: dict[str, Any] = loads((self.opened / "data/capture.json").read_bytes())
        return found


def evidence_kit(
    *arguments: str, home: Path, passphrase: str = PASSPHRASE, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run the program as a user does: a process of its own, the passphrase on its input."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EVIDENCE_KIT_")}
    ended = subprocess.run(
        [sys.executable, "-m", "evidence_kit", *arguments],
        input=f"{passphrase}\n",
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**environment, "EVIDENCE_KIT_HOME": str(home), **more},
        timeout=120,
        check=False,
    )
    if "--json" in arguments and ended.stdout:
        conforming(ended.stdout)
    return ended


def new_home(folder: Path) -> Path:
    """A home with an identity, and no time server to wait for."""
    home = folder / "home"
    home.mkdir()
    (home / "config.toml").write_text("ntp = []\n", "utf-8")
    made = evidence_kit(
        *("identity", "create", "--name", "Waarmerk test", "--organisation", "Testziekenhuis"),
        *("--staff-code", "ICT-07", "--no-trust", "--passphrase-fd", "0"),
        home=home,
    )
    assert made.returncode == 0, made.stderr
    return home


@pytest.fixture(scope="session")
def captured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Captured]:
    """The example post, captured with the example authority's stamps."""
    folder = tmp_path_factory.mktemp("captured")
    home = new_home(folder)
    output = folder / "out"
    with DemoSite(keep_wire=True) as site, DemoTsa() as tsa:
        url = site.address("threat")
        ended = evidence_kit(
            *("capture", url, "--allow-private", "--tsa", tsa.url, "--second-tsa", tsa.url),
            *("--output", str(output), "--reason", REASON, "--case", "2026-017"),
            *("--passphrase-fd", "0"),
            home=home,
        )
        wire = tuple(site.wire)
        tsa_root = folder / "tsa-root.pem"
        tsa_root.write_bytes(tsa.root_pem)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (bundle,) = output.glob("*.asice")
    certificate = folder / "signer.pem"
    certificate.write_text(evidence_kit("identity", "show", "--pem", home=home).stdout, "utf-8")
    opened = folder / "opened"
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(opened)
    receipt = bundle.with_name(bundle.name.removesuffix(".asice") + ".receipt.json")
    yield Captured(
        home,
        output,
        bundle,
        receipt,
        certificate,
        tsa_root,
        opened,
        url,
        wire,
        ended.stdout,
        ended.stderr,
    )
