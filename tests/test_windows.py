"""What Windows does differently, held on every system by the parts that can be tried anywhere."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat

from evidence_kit.cli import main, options, passphrase
from evidence_kit.cli.options import expanded
from evidence_kit.cli.passphrase import line_from_descriptor
from evidence_kit.cli.settings import Settings
from evidence_kit.core import write_once
from evidence_kit.core.errors import ConfigError, InputError, KeyUnavailableError
from evidence_kit.core.events import Silent
from evidence_kit.core.user_text import MARK
from evidence_kit.gather import chromium
from evidence_kit.gather.chromium import find_browser
from evidence_kit.gather.system_proxy import of_windows
from evidence_kit.jobs import setup
from evidence_kit.jobs.dossier_file import append_item, read_dossier
from evidence_kit.jobs.identity import load_identity
from evidence_kit.jobs.identity_import import import_identity
from evidence_kit.jobs.setup import CheckState, doctor
from evidence_kit.jobs.trust import read_certificates
from tests import pki
from tests.dossier_tools import dossier


def test_settings_that_notepad_wrote(tmp_path: Path) -> None:
    text = MARK + 'language = "en"\r\n'
    (tmp_path / "config.toml").write_bytes(text.encode())
    assert Settings(tmp_path, {}).text("language") == "en"


def test_a_path_with_backslashes_is_told_how_to_write(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(rb'browser = "C:\Users\ict\chrome.exe"')
    with pytest.raises(ConfigError, match="not TOML") as caught:
        _ = Settings(tmp_path, {}).values
    assert "single quotes" in caught.value.hint
    (tmp_path / "config.toml").write_bytes(rb"browser = 'C:\Users\ict\chrome.exe'")
    assert Settings(tmp_path, {}).text("browser") == r"C:\Users\ict\chrome.exe"


def test_a_dossier_that_notepad_wrote_is_added_to_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "z"
    dossier(folder)
    path = folder / "dossier.toml"
    written = MARK.encode() + path.read_bytes().replace(b"\n", b"\r\n")
    path.write_bytes(written)
    assert read_dossier(folder).tables["dossier"]["title"] == "Afdeling B"
    append_item(folder, {"bundle": "bundles/x.asice"})
    assert path.read_bytes().startswith(written.rstrip())
    assert read_dossier(folder).lists["item"] == [{"bundle": "bundles/x.asice"}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_a_certificate_that_powershell_redirected(tmp_path: Path, encoding: str) -> None:
    """``identity show --pem > FILE`` is UTF-16 in PowerShell 5."""
    certificate = pki.self_signed().certificate
    text = pki.pem_of(certificate).decode().replace("\n", "\r\n")
    mark = MARK if encoding == "utf-16-be" else ""
    (tmp_path / "signer.pem").write_bytes((mark + text).encode(encoding))
    assert read_certificates(tmp_path / "signer.pem") == [certificate]


def test_a_key_in_utf_16_is_still_seen_as_one(tmp_path: Path) -> None:
    key = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"
    (tmp_path / "x").write_bytes(key.encode("utf-16"))
    with pytest.raises(InputError, match="private key"):
        read_certificates(tmp_path / "x")


def test_a_key_with_its_certificate_in_utf_16_is_imported(own_home: Path, tmp_path: Path) -> None:
    chain = pki.chain()
    key = chain.signer.key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificates = (chain.signer.certificate, chain.intermediate, chain.root)
    pem = key + b"".join(map(pki.pem_of, certificates))
    path = tmp_path / "seal.pem"
    path.write_bytes(pem.decode().encode("utf-16"))
    words = b"een lange zin"
    made = import_identity(
        own_home, "default", [path], passphrase=words, file_passphrase=None, now=pki.NOW
    )
    assert load_identity(own_home, made.name, words).certificate == chain.signer.certificate


def test_what_only_begins_like_utf_16_is_no_certificate(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00\xd8\x00")
    with pytest.raises(InputError, match="not a certificate"):
        read_certificates(tmp_path / "x")


def test_a_passphrase_that_powershell_pipes(tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(b"\xef\xbb\xbfeen lange zin\r\nrest")
    with (tmp_path / "p").open("rb") as stream:
        assert line_from_descriptor(stream.fileno(), "passphrase") == b"een lange zin"


@pytest.mark.parametrize(("system", "words"), [("posix", "3<FILE"), ("nt", "Get-Content FILE |")])
def test_how_to_give_a_passphrase_is_said_for_the_shell_that_is_there(
    system: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passphrase, "_SYSTEM", system)
    with pytest.raises(KeyUnavailableError) as caught:
        line_from_descriptor(199, "file-passphrase")
    assert words in caught.value.hint
    assert "--file-passphrase-fd" in caught.value.hint


def names_of(*paths: Path) -> tuple[Path, ...]:
    context = click.Context(main.cli)
    return expanded(context, click.Argument(["bundles"], nargs=-1), paths)


def test_stars_are_for_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "zaak [1]"
    folder.mkdir()
    for name in ("b.asice", "a.asice", "a.receipt.json"):
        (folder / name).touch()
    star, one, none = folder / "*.asice", folder / "?.asice", folder / "*.zip"
    monkeypatch.setattr(options, "_SYSTEM", "nt")
    both = (folder / "a.asice", folder / "b.asice")
    assert names_of(star) == both
    assert names_of(one, both[0]) == (*both, both[0])
    assert names_of(none, folder / "gone.asice") == (none, folder / "gone.asice")
    monkeypatch.setattr(options, "_SYSTEM", "posix")
    assert names_of(star) == (star,), "a shell would have done it: the name is meant"


@pytest.mark.parametrize(("command", "code"), [(["verify"], 10), (["dossier", "add", "z"], 0)])
def test_commands_that_take_several_files_do_it(
    command: list[str],
    code: int,
    own_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dossier(tmp_path / "z")
    for name in ("a.asice", "b.asice"):
        (tmp_path / name).write_bytes(b"no bundle")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(options, "_SYSTEM", "nt")
    assert main.run([*command, "*.asice"]) == code
    printed = capsys.readouterr().out
    assert "a.asice" in printed
    assert "b.asice" in printed


def commands(group: click.Group) -> Iterator[click.Command]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield command
        if isinstance(command, click.Group):
            yield from commands(command)


def test_every_command_that_takes_several_files_does_it() -> None:
    several = [
        (command.name, one.callback)
        for command in commands(main.cli)
        for one in command.params
        if isinstance(one, click.Argument) and one.nargs == -1 and isinstance(one.type, click.Path)
    ]
    assert len(several) >= 4
    assert {callback for _, callback in several} == {expanded}, several


def test_a_path_that_is_too_long_for_windows_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 130) / ("y" * 130) / "z.asice"
    error = OSError(errno.ENOENT, "the system cannot find the path specified")
    hints = []
    for system, path in (("posix", long), ("nt", long), ("nt", Path("z.asice"))):
        with monkeypatch.context() as patched:
            patched.setattr(os, "name", system)
            hints.append(write_once._refused(path, error).hint)
    assert "make it first" in hints[0]
    assert "choose a shorter folder" in hints[1]
    assert "make it first" in hints[2]


class _NoReader(io.TextIOBase):
    """A pipe whose reader went away, as the run-time library of Windows tells it."""

    def __init__(self, code: int) -> None:
        self.code = code

    def write(self, _text: str) -> int:
        raise OSError(self.code, "Invalid argument")

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("system", "code", "expected"),
    [("nt", errno.EINVAL, 1), ("nt", errno.ENOSPC, 25), ("posix", errno.EINVAL, 25)],
)
def test_a_reader_that_went_away_is_no_error(
    system: str,
    code: int,
    expected: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ended: list[None] = []
    monkeypatch.setattr(main, "_SYSTEM", system)
    monkeypatch.setattr(main, "_print_nowhere", lambda: ended.append(None))
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", _NoReader(code))
        assert main.run(["--help"]) == expected
    assert ended == [None]
    assert ("cannot be written" in capsys.readouterr().err) == (expected == 25)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({}, ""),
        ({"ProxyEnable": 0, "ProxyServer": "proxy:8080"}, ""),
        ({"ProxyEnable": 1, "ProxyServer": "proxy:8080"}, "http://proxy:8080"),
        ({"ProxyEnable": 1, "ProxyServer": "http=a:1;https=b:2"}, "http://b:2"),
        ({"ProxyEnable": 1, "ProxyServer": "http=a:1;ftp=c:3"}, "http://a:1"),
        ({"ProxyEnable": 1, "ProxyServer": "ftp=c:3"}, ""),
        ({"ProxyEnable": 1, "ProxyServer": "http://me:secret@a:1/x?key=1"}, "http://a:1/x"),
        ({"ProxyEnable": 1, "ProxyServer": "http://[a"}, "one that cannot be read"),
        (
            {"ProxyEnable": 1, "ProxyServer": "a:1", "AutoConfigURL": "http://wpad.nl/p.pac"},
            "the script http://wpad.nl/p.pac",
        ),
    ],
)
def test_the_proxy_of_the_registry(values: dict[str, object], shown: str) -> None:
    assert of_windows(values) == shown


@pytest.mark.parametrize("variable", ["", "http://proxy:3128"])
def test_doctor_tells_of_a_proxy_that_no_variable_names(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "system_proxy", lambda: "the script http://wpad.nl/p.pac")
    environment = {"PATH": str(tmp_path), "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path)}
    environment["EVIDENCE_KIT_BROWSER"] = str(tmp_path / "none")
    found = doctor(tmp_path, Silent(), environment={**environment, "HTTPS_PROXY": variable})
    (proxy,) = (one for one in found if one.name == "proxy")
    assert (proxy.state is CheckState.WARN) == (not variable)
    assert ("wpad.nl" in proxy.found) == (not variable)
    assert ("HTTPS_PROXY" in proxy.todo) == (not variable)


def test_browsers_are_found_where_windows_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version there is the name of a folder: asking the program for it would open a window."""
    monkeypatch.setattr(chromium, "_SYSTEM", "win32")
    environment = {
        "PATH": str(tmp_path / "bin"),
        "PROGRAMFILES": str(tmp_path / "Program Files"),
        "PROGRAMFILES(X86)": str(tmp_path / "Program Files (x86)"),
        "LOCALAPPDATA": str(tmp_path / "AppData"),
    }

    def installed(*parts: str, versions: tuple[str, ...] = ()) -> Path:
        path = tmp_path.joinpath(*parts)
        path.parent.mkdir(parents=True)
        path.write_bytes(b"MZ")
        path.chmod(0o755)
        for version in versions:
            (path.parent / version).mkdir()
        return path

    edge = installed(
        *("Program Files (x86)", "Microsoft", "Edge", "Application", "msedge.exe"),
        versions=("99.0.1150.30", "131.0.2903.70", "Dictionaries"),
    )
    found = find_browser(environment=environment)
    assert (found.path, found.product, found.version) == (edge, "microsoft-edge", "131.0.2903.70")
    chrome = installed(
        *("AppData", "Google", "Chrome", "Application", "chrome.exe"), versions=("131.0.6778.86",)
    )
    assert find_browser(environment=environment).path == edge, "for all users comes first"
    both = installed(
        *("Program Files", "Google", "Chrome", "Application", "chrome.exe"),
        versions=("131.0.6778.85",),
    )
    found = find_browser(environment=environment)
    assert (found.path, found.product, found.version) == (both, "google-chrome", "131.0.6778.85")
    assert chrome != both
    shell = installed(
        *("AppData", "ms-playwright", "chromium_headless_shell-1148", "chrome-win"),
        "headless_shell.exe",
    )
    found = find_browser(environment=environment)
    assert (found.path, found.product, found.version) == (shell, "chromium-headless-shell", "")


def test_git_leaves_the_ends_of_lines_alone() -> None:
    """FORMAT.md goes into bundles as it is, and digests are taken of more."""
    rules = (Path(__file__).parent.parent / ".gitattributes").read_text("utf-8").splitlines()
    assert [rule for rule in rules if not rule.startswith("#")] == ["* -text"]
