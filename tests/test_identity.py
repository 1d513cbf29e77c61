"""Identities: made once, kept encrypted, refused in words when something is wrong."""

from __future__ import annotations

import os
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from evidence_kit.cli import passphrase as asking
from evidence_kit.cli.identity import command
from evidence_kit.core.canonical_json import loads
from evidence_kit.core.errors import InputError, KeyUnavailableError, StorageError
from evidence_kit.jobs import identity as job
from evidence_kit.jobs.identity import create_identity, list_identities, load_identity
from evidence_kit.jobs.trust import list_trust
from evidence_kit.seal import cades
from tests import pki
from tests.pki import CONTENT, NOW

SECRET = b"correct horse battery"


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keyring of whoever runs the tests is none of their business."""
    import keyring

    monkeypatch.setattr(keyring, "get_password", lambda service, user: None)


def create(home: Path, name: str = "default", **options: Any) -> job.Identity:
    arguments = {"organisation": "Gemeente Test", "passphrase": SECRET, "now": NOW, **options}
    return create_identity(home, name, **arguments)


def test_a_new_identity_signs_what_verifies(own_home: Path) -> None:
    made = create(own_home, common_name="Zegel", staff_code="M-17", email="cert@example.org")
    assert made.info.fields == {
        "common_name": "Zegel",
        "organisation": "Gemeente Test",
        "staff_code": "M-17",
        "email": "cert@example.org",
    }
    assert made.info.not_before == NOW
    assert made.info.not_after - NOW == timedelta(days=5 * 365 + 1)
    assert made.info.self_signed
    signer = load_identity(own_home, "default", SECRET)
    report = cades.check_signature(
        cades.sign(CONTENT, signer, signing_time=NOW),
        CONTENT,
        anchors=pki.trusting(made.info.certificate),
        now=NOW,
    )
    assert {"signature.ok", "signer.trusted", "signer.valid"} <= {f.code for f in report.findings}


def test_no_staff_name_is_forced_into_the_certificate(own_home: Path) -> None:
    made = create(own_home)
    assert made.info.fields == {"common_name": "Gemeente Test", "organisation": "Gemeente Test"}


@pytest.mark.parametrize("kind", job.KEY_KINDS)
def test_kinds_of_key(own_home: Path, kind: str) -> None:
    made = create(own_home, kind=kind)
    signer = load_identity(own_home, "default", SECRET)
    assert cades.sign(CONTENT, signer, signing_time=NOW)
    usage = x509.load_der_x509_certificate(made.info.certificate).extensions
    found = usage.get_extension_for_class(x509.KeyUsage)
    assert found.critical
    assert found.value.digital_signature
    assert found.value.content_commitment
    assert not found.value.key_cert_sign


def test_files_on_disk(own_home: Path) -> None:
    made = create(own_home)
    key = (made.folder / "key.pem").read_bytes()
    assert key.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    with pytest.raises(TypeError):
        serialization.load_pem_private_key(key, None)
    if os.name == "posix":
        assert (made.folder / "key.pem").stat().st_mode & 0o777 == 0o600
        assert made.folder.stat().st_mode & 0o077 == 0
    assert sorted(entry.name for entry in made.folder.parent.iterdir()) == ["default"]


def test_an_identity_is_never_replaced(own_home: Path) -> None:
    made = create(own_home)
    before = (made.folder / "key.pem").read_bytes()
    with pytest.raises(StorageError, match="exists"):
        create(own_home)
    assert (made.folder / "key.pem").read_bytes() == before


@pytest.mark.parametrize(
    "options",
    [
        {"name": "../x"},
        {"name": ""},
        {"name": "con"},
        {"name": "a" * 41},
        {"organisation": " "},
        {"organisation": "x" * 65},
        {"organisation": "a\nb"},
        {"organisation": "a\u202eb"},
        {"email": "nobody"},
        {"email": "\u00e9@example.org"},
        {"staff_code": "a_b"},
        {"passphrase": b"short"},
        {"years": 0},
        {"years": 21},
        {"kind": "ed25519"},
    ],
)
def test_values_that_are_refused(own_home: Path, options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        create(own_home, **options)
    assert not list((own_home / "identity").glob("*"))


def test_a_key_that_cannot_be_had(own_home: Path) -> None:
    with pytest.raises(KeyUnavailableError, match="no identity") as caught:
        load_identity(own_home, "default", SECRET)
    assert caught.value.exit_code == 23
    made = create(own_home)
    with pytest.raises(KeyUnavailableError, match="wrong passphrase"):
        load_identity(own_home, "default", b"wrong horse battery")
    other = create(own_home, "other")
    (made.folder / "key.pem").write_bytes((other.folder / "key.pem").read_bytes())
    with pytest.raises(KeyUnavailableError, match="do not belong"):
        load_identity(own_home, "default", SECRET)
    (made.folder / "key.pem").write_bytes(b"x" * (job.MAX_KEY_FILE + 1))
    with pytest.raises(KeyUnavailableError, match="cannot be opened"):
        load_identity(own_home, "default", SECRET)
    (made.folder / "key.pem").unlink()
    with pytest.raises(KeyUnavailableError, match="not there"):
        load_identity(own_home, "default", SECRET)
    (made.folder / "cert.pem").write_bytes(b"x")
    with pytest.raises(KeyUnavailableError, match="cannot be read"):
        load_identity(own_home, "default", SECRET)


def test_nobody_is_asked_for_the_passphrase_of_an_identity_that_is_not_there(
    own_home: Path,
) -> None:
    asked: list[str] = []

    def ask() -> bytes:
        asked.append("once")
        return SECRET

    with pytest.raises(KeyUnavailableError, match="no identity"):
        load_identity(own_home, "default", ask)
    assert asked == []
    create(own_home)
    assert load_identity(own_home, "default", ask).certificate
    assert asked == ["once"]


def test_list(own_home: Path) -> None:
    assert list_identities(own_home) == []
    create(own_home, "b")
    create(own_home, "a")
    assert [one.name for one in list_identities(own_home)] == ["a", "b"]


def test_the_key_does_not_show_in_messages(own_home: Path) -> None:
    create(own_home)
    assert "Key object" not in repr(load_identity(own_home, "default", SECRET))


@pytest.mark.outside
def test_openssl_opens_the_key_and_checks_the_certificate(own_home: Path) -> None:
    made = create(own_home, email="cert@example.org", staff_code="M-17")
    key, certificate = str(made.folder / "key.pem"), str(made.folder / "cert.pem")

    def openssl(*arguments: str) -> str:
        return subprocess.run(
            ["openssl", *arguments], capture_output=True, text=True, check=True, timeout=30
        ).stdout

    public = openssl("pkey", "-in", key, "-passin", f"pass:{SECRET.decode()}", "-pubout")
    assert public == openssl("x509", "-in", certificate, "-noout", "-pubkey")
    shown = openssl("x509", "-in", certificate, "-noout", "-fingerprint", "-sha256")
    spoken = made.spoken_fingerprint.replace(" ", "")
    assert spoken == shown.partition("=")[2].strip().replace(":", "")
    assert openssl(
        "verify", "-CAfile", certificate, "-attime", str(int(NOW.timestamp())), certificate
    )


# --- the command


def run(arguments: list[str], data: bytes = SECRET + b"\n") -> Any:
    """Run with a pipe as file descriptor, as a shell would pass it."""
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    try:
        extra = ["--passphrase-fd", str(read)] if arguments[0] == "create" else []
        return CliRunner().invoke(command, [*arguments, *extra], catch_exceptions=True)
    finally:
        os.close(read)


def test_create_and_show(own_home: Path) -> None:
    done = run(["create", "--organisation", "Gemeente Test", "--json"])
    assert done.exit_code == 0, done.output
    document = loads(done.stdout.encode())
    assert document["trusted"] is False
    assert list_trust(own_home) == []
    shown = run(["show"])
    fingerprint = document["identity"]["fingerprint"].upper()
    assert fingerprint[:4] + " " + fingerprint[4:8] in shown.stdout
    pem = run(["show", "--pem"]).stdout
    assert pem.startswith("-----BEGIN CERTIFICATE-----")
    assert "default" in run(["list"]).stdout
    again = run(["create", "--organisation", "Gemeente Test"])
    assert isinstance(again.exception, StorageError)


def test_own_identity_is_trusted_only_when_asked(own_home: Path) -> None:
    done = run(["create", "--organisation", "Gemeente Test", "--trust"])
    assert done.exit_code == 0, done.output
    (entry,) = list_trust(own_home)
    assert (entry.kind, entry.vouched_by) == ("signers", "own identity")
    assert "trusted on this machine" in done.stderr


# --- where the passphrase comes from


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"abc def\nrest", b"abc def"), (b"abc\r\n", b"abc"), (b"no newline", b"no newline")],
)
def test_first_line_of_a_descriptor(data: bytes, expected: bytes) -> None:
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    try:
        assert asking.get_passphrase("x", read) == expected
        rest = os.read(read, 100)
        assert rest == data.partition(b"\n")[2]
    finally:
        os.close(read)


@pytest.mark.parametrize("data", [b"", b"\n", b"x" * (asking.MAX_PASSPHRASE + 1)])
def test_unusable_first_lines(data: bytes) -> None:
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    try:
        with pytest.raises(KeyUnavailableError):
            asking.get_passphrase("x", read)
    finally:
        os.close(read)


def test_a_descriptor_that_is_not_open() -> None:
    with pytest.raises(KeyUnavailableError, match="descriptor 987"):
        asking.get_passphrase("x", 987)


def test_keyring_then_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring
    from keyring.errors import NoKeyringError

    monkeypatch.setattr(keyring, "get_password", lambda service, user: f"{service}/{user}")
    assert asking.get_passphrase("me", None) == b"evidence-kit/me"

    def none(service: str, user: str) -> str:
        raise NoKeyringError("none here")

    monkeypatch.setattr(keyring, "get_password", none)
    with pytest.raises(KeyUnavailableError) as caught:
        asking.get_passphrase("me", None)
    assert caught.value.exit_code == 23


def test_terminal_twice_on_create(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["one two three", "one two three", "a", "b", "once", ""])
    monkeypatch.setattr(asking, "_ask", lambda prompt: next(answers))
    for stream in ("stdin", "stderr"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True, raising=False)
    assert asking.get_passphrase("me", None, create=True) == b"one two three"
    with pytest.raises(InputError, match="differ"):
        asking.get_passphrase("me", None, create=True)
    assert asking.get_passphrase("me", None) == b"once"
    with pytest.raises(KeyUnavailableError, match="empty"):
        asking.get_passphrase("me", None)
