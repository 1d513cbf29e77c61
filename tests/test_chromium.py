"""Finding, naming and installing a browser; what doctor says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from evidence_kit.core.errors import BrowserError
from evidence_kit.core.events import Silent
from evidence_kit.gather import chromium, install
from evidence_kit.gather.chromium import describe, find_browser, real_binary
from evidence_kit.gather.install import ensure_driver, install_browser
from evidence_kit.jobs.setup import CheckState, doctor, setup
from evidence_kit.jobs.workfolder import WorkFolder


def program(path: Path, says: str = "Chromium 131.0.6778.85", code: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def nothing_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """A machine without any browser."""
    monkeypatch.setattr(chromium, "_LINUX", ())
    return {"PATH": str(tmp_path / "bin"), "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path / "pw")}


def test_none_is_an_error_that_says_what_to_do(nothing_here: dict[str, str]) -> None:
    with pytest.raises(BrowserError) as caught:
        find_browser(environment=nothing_here)
    assert "evidence-kit setup" in caught.value.hint


def test_the_order(nothing_here: dict[str, str], tmp_path: Path) -> None:
    chrome = program(tmp_path / "bin" / "google-chrome", "Google Chrome 130.0.1.2")
    found = find_browser(environment=nothing_here)
    assert (found.path, found.product, found.version) == (chrome, "google-chrome", "130.0.1.2")
    shell = program(tmp_path / "bin" / "chromium-headless-shell", "Chromium 131.0.6778.85")
    assert find_browser(environment=nothing_here).path == shell
    old = program(tmp_path / "pw/chromium_headless_shell-99/chrome-linux/headless_shell")
    new = program(tmp_path / "pw/chromium_headless_shell-1100/chrome-linux/headless_shell")
    found = find_browser(environment=nothing_here)
    assert (found.path, found.origin) == (new, "playwright")
    assert old != new
    own = program(tmp_path / "own", "Microsoft Edge 131.0.1")
    assert find_browser(str(own), nothing_here).product == "microsoft-edge"
    other = program(tmp_path / "other")
    environment = {**nothing_here, "EVIDENCE_KIT_BROWSER": str(other)}
    assert find_browser(str(own), environment).path == other


def test_a_configured_browser_that_is_not_there_is_never_replaced(
    nothing_here: dict[str, str], tmp_path: Path
) -> None:
    program(tmp_path / "bin" / "chromium")
    with pytest.raises(BrowserError, match="configured"):
        find_browser(str(tmp_path / "gone"), nothing_here)
    with pytest.raises(BrowserError, match="configured"):
        setup(Silent(), configured=str(tmp_path / "gone"), environment=nothing_here)


def test_a_broken_one_is_passed_over(nothing_here: dict[str, str], tmp_path: Path) -> None:
    program(tmp_path / "bin" / "chromium-headless-shell", "", 1)
    whole = program(tmp_path / "bin" / "chromium")
    assert find_browser(environment=nothing_here).path == whole


def test_other_programs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BrowserError, match="does not say"):
        describe(program(tmp_path / "firefox", "Mozilla Firefox 131.0"), "configured")


def test_a_start_script_is_followed_to_the_program(tmp_path: Path) -> None:
    real = tmp_path / "lib" / "chromium"
    real.parent.mkdir()
    real.write_bytes(b"\x7fELF")
    real.chmod(0o755)
    script = tmp_path / "chromium"
    script.write_text(f'#!/bin/sh\nexec {real} "$@"\n')
    script.chmod(0o755)
    assert real_binary(script) == real.resolve()
    assert real_binary(real) == real.resolve()


def test_installing_tries_each_way_and_names_what_failed(
    nothing_here: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apt = program(tmp_path / "bin" / "apt-get", "E: no such package", 100)
    monkeypatch.setattr(install, "is_root", lambda: True)
    monkeypatch.setattr(sys, "executable", str(program(tmp_path / "python", "Error: blocked", 1)))
    with pytest.raises(BrowserError) as caught:
        install_browser(Silent(), nothing_here)
    assert "Playwright" in caught.value.message
    assert "Debian package chromium-headless-shell" in caught.value.message
    assert "apt-get install" in caught.value.hint
    target = tmp_path / "bin" / "chromium-headless-shell"
    apt.write_text(
        f"#!/bin/sh\n[ $1 = update ] || {{ echo '#!/bin/sh' > {target}; "
        f"echo 'echo Chromium 131.0.1' >> {target}; /bin/chmod 755 {target}; }}\n"
    )
    found, attempts = install_browser(Silent(), nothing_here)
    assert found.path == target
    assert [bool(item.why) for item in attempts] == [True, False]


def test_a_download_that_hangs_is_given_up(
    nothing_here: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\nexec /bin/sleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    monkeypatch.setattr(install, "is_root", lambda: False)
    with pytest.raises(BrowserError, match="not done within"):
        install_browser(Silent(), nothing_here, download_seconds=0.3)


def test_doctor_tells_what_is_missing(nothing_here: dict[str, str], tmp_path: Path) -> None:
    environment = {**nothing_here, "HTTPS_PROXY": "http://user:secret@proxy:3128"}
    stopped, running = "20261123T100000Z-01020304", "20261123T110000Z-01020304"
    WorkFolder.create(tmp_path / "home", stopped).release()
    work = WorkFolder.create(tmp_path / "home", running)
    checks = {
        item.name: item for item in doctor(tmp_path / "home", Silent(), environment=environment)
    }
    work.remove()
    assert checks["leftovers"].state is CheckState.WARN
    assert stopped in checks["leftovers"].found
    assert running not in checks["leftovers"].found
    assert checks["python"].state is CheckState.OK
    assert checks["browser"].state is CheckState.FAIL
    assert checks["browser"].todo
    assert checks["identity"].state is CheckState.WARN
    assert checks["proxy"].state is CheckState.OK
    assert "http://proxy:3128" in checks["proxy"].found
    assert "secret" not in str(checks)
    assert all(item.todo for item in checks.values() if item.state is not CheckState.OK)


@pytest.mark.browser
def test_doctor_tries_the_browser(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "identity" / "default").mkdir(parents=True)
    (home / "identity" / "default" / "cert.pem").touch()
    home.chmod(0o755)
    checks = {item.name: item for item in doctor(home, Silent())}
    assert checks["recorder"].state is CheckState.OK
    assert checks["fonts"].state is CheckState.OK
    assert checks["identity"].found == "default"
    assert checks["leftovers"].state is CheckState.OK
    assert checks["home"].state is CheckState.WARN


def test_a_driver_that_does_not_start_is_said_with_what_it_needs(tmp_path: Path) -> None:
    """As on a minimal Debian, where Playwright's own program lacks a library."""
    broken = {"PATH": str(tmp_path), "NODE_OPTIONS": "--no-such-option"}
    with pytest.raises(BrowserError, match="does not start") as caught:
        ensure_driver(Silent(), broken)
    assert "libatomic1" in caught.value.hint


def test_what_the_driver_needs_is_installed_where_that_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evidence_kit.gather.install.is_root", lambda: True)
    asked = tmp_path / "asked"
    apt = tmp_path / "apt-get"
    apt.write_text(f'#!/bin/sh\necho "$@" >> {asked}\n', "utf-8")
    apt.chmod(0o755)
    broken = {"PATH": f"{tmp_path}:/usr/bin:/bin", "NODE_OPTIONS": "--no-such-option"}
    with pytest.raises(BrowserError, match="does not start"):
        ensure_driver(Silent(), broken)
    assert "libatomic1" in asked.read_text("utf-8")


def test_a_driver_that_starts_needs_nothing(tmp_path: Path) -> None:
    ensure_driver(Silent(), {"PATH": str(tmp_path)})
