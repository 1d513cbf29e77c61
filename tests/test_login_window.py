"""A person logs in: a real window on a virtual screen, typed into and closed as a person does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.core.schemas import schema_fault
from tests.fixtures_capture import PASSPHRASE, evidence_kit, new_home
from tests.keyring_file import BACKEND, VARIABLE
from tests.login_site import ACCOUNT, PASSWORD, POST, TOKEN, LoginSite, login_site
from tests.outside import system_tool
from tests.processes import kill_group, pseudo_terminal
from tests.test_login_capture import lies_about, shown_text

pytestmark = [
    pytest.mark.browser,
    pytest.mark.outside,
    pytest.mark.slow,
    pytest.mark.xdist_group("login"),
]

WAIT_SECONDS = 120.0


@pytest.fixture(scope="module")
def screen() -> Iterator[str]:
    """A screen that nobody sees; its name as ``DISPLAY`` wants it."""
    system_tool("chromium")
    system_tool("xdotool")
    mine, its = os.pipe()
    server = subprocess.Popen(
        [system_tool("Xvfb"), "-displayfd", str(its), "-screen", "0", "1200x900x24"],
        pass_fds=[its],
        stderr=subprocess.DEVNULL,
    )
    os.close(its)
    with os.fdopen(mine) as stream:
        number = stream.readline().strip()
    assert number, "no virtual screen"
    yield f":{number}"
    server.terminate()
    server.wait()


@dataclass
class Person:
    """Somebody in front of the screen, and the program that this person started."""

    screen: str
    home: Path
    folder: Path
    members: LoginSite
    more: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("EVIDENCE_KIT_")}
        own = {"DISPLAY": self.screen, "HOME": str(self.folder), "TMPDIR": str(self.folder)}
        return {**kept, "EVIDENCE_KIT_HOME": str(self.home), **own, **self.more}

    def starts(
        self, *more: str, stdin: int = subprocess.DEVNULL, fds: tuple[int, ...] = ()
    ) -> None:
        arguments = ("login", f"{self.members.origin}/login", "--account", ACCOUNT, *more)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "evidence_kit", *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment(),
            start_new_session=True,
            pass_fds=fds,
        )

    def sees(self, title: str) -> None:
        """Wait until a window of that title is shown."""
        end = time.monotonic() + WAIT_SECONDS
        while not self._x("search", "--onlyvisible", "--name", title).stdout.strip():
            assert self.process is not None
            if self.process.poll() is not None:
                pytest.fail(f"the program ended: {self.process.communicate()}")
            assert time.monotonic() < end, f"no window {title}"
            time.sleep(0.2)

    def logs_in(self) -> None:
        """The password, typed into the form until the site has it, and Enter."""
        self.sees("Inloggen")
        end = time.monotonic() + WAIT_SECONDS
        while ("POST", "/login", "") not in self.members.requests:
            assert time.monotonic() < end, "the site got no password"
            # A page that was just shown may not listen yet: what came halfway is typed again.
            self._x("mousemove", "300", "500", "click", "1")
            self._x("key", "ctrl+a")
            self._x("type", PASSWORD)
            self._x("key", "Return")
            time.sleep(1.0)
        self.sees("Binnen")

    def closes_the_window(self) -> None:
        self._x("key", "ctrl+w")

    def gets(self) -> tuple[int, str, str]:
        """Exit code, output and messages of the program."""
        assert self.process is not None
        out, err = self.process.communicate(timeout=WAIT_SECONDS)
        return self.process.returncode, out.decode(), err.decode()

    def leaves(self) -> None:
        if self.process is not None and self.process.poll() is None:
            kill_group(self.process)
            self.process.communicate()

    def _x(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["xdotool", *arguments],
            env={**os.environ, "DISPLAY": self.screen},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture
def person(screen: str, tmp_path: Path) -> Iterator[Person]:
    ring = tmp_path / "ring.json"
    home = new_home(tmp_path)
    # A short path: the browser makes a socket in it, whose name may have 107 bytes.
    folder = Path(tempfile.mkdtemp())
    backend = {"PYTHON_KEYRING_BACKEND": BACKEND, VARIABLE: str(ring)}
    with login_site() as members:
        somebody = Person(screen, home, folder, members, backend)
        yield somebody
        somebody.leaves()
    shutil.rmtree(folder, ignore_errors=True)


def result(text: str, schema: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    assert schema_fault(found, schema) is None, schema_fault(found, schema)
    return found


def test_log_in_capture_log_out(person: Person) -> None:
    person.starts()
    person.logs_in()
    person.closes_the_window()
    code, out, err = person.gets()
    assert code == 0, err
    name = person.members.name
    assert f"logged in to {name} as {ACCOUNT}" in out
    assert f"--login {name}" in out
    assert "in the window, then close it\n" in err  # nobody can press Enter without a terminal
    assert not lies_about(person.home, person.folder, person.home.parent)
    assert not list(person.folder.glob("**/Cookies"))

    output = person.folder / "out"
    captured = evidence_kit(
        *("capture", f"{person.members.origin}/post/1", "--allow-private", "--no-tsa"),
        *("--output", str(output), "--login", name, "--passphrase-fd", "0"),
        home=person.home,
        **person.more,
    )
    assert captured.returncode == 0, captured.stdout + captured.stderr
    (bundle,) = output.glob("*.asice")
    assert POST in shown_text(bundle)
    assert f"antwoord {TOKEN[:2]}" not in shown_text(bundle)
    assert "antwoord REDACTED" in shown_text(bundle)  # local storage was kept, too

    listed = evidence_kit("login", "--json", home=person.home, **person.more)
    (kept,) = result(listed.stdout, "login-1")["sessions"]
    assert (kept["name"], kept["account"], kept["key"]) == (name, ACCOUNT, "keyring")
    gone = evidence_kit("logout", name, "--json", home=person.home, **person.more)
    assert result(gone.stdout, "logout-1")["removed"] == ["session"]
    assert "nobody is logged in" in evidence_kit("login", home=person.home, **person.more).stdout
    assert json.loads(Path(person.more[VARIABLE]).read_text()) == {}


def test_enter_ends_it_and_the_passphrase_protects_where_there_is_no_keyring(
    person: Person,
) -> None:
    person.more = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    ours, terminal = pseudo_terminal()
    reading, writing = os.pipe()
    os.write(writing, f"{PASSPHRASE}\n".encode())
    options = ("--passphrase-fd", str(reading), "--json")
    person.starts(*options, stdin=terminal, fds=(reading,))
    person.logs_in()
    os.write(ours, b"\n")
    code, out, err = person.gets()
    for descriptor in (ours, terminal, reading, writing):
        os.close(descriptor)
    assert code == 0, err
    assert "or press Enter" in err
    (kept,) = result(out, "login-1")["sessions"]
    assert (kept["key"], kept["identity"]) == ("passphrase", "default")
    assert not lies_about(person.home, person.folder)


def test_a_window_closed_without_a_login_keeps_nothing(person: Person) -> None:
    person.starts()
    person.sees("Inloggen")
    person.closes_the_window()
    code, _, err = person.gets()
    assert code == 21, err
    assert "had set no cookie" in err
    assert not (person.home / "sessions").exists()
    assert json.loads(Path(person.more[VARIABLE]).read_text()) == {}


def test_a_login_that_is_killed_leaves_no_session(person: Person) -> None:
    person.starts()
    person.logs_in()
    assert person.process is not None
    kill_group(person.process)
    person.process.communicate()
    assert not lies_about(person.home, person.folder)
    assert not (person.home / "sessions").exists()
