"""The trust store: nothing gets in silently, nothing strange is accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from evidence_kit.cli.trust import command
from evidence_kit.core.canonical_json import loads
from evidence_kit.core.errors import (
    ConfigError,
    InputError,
    StorageError,
    UnreadableFileError,
)
from evidence_kit.jobs import trust
from evidence_kit.jobs.trust import (
    add_trust,
    list_trust,
    load_anchors,
    read_certificates,
    remove_trust,
)
from evidence_kit.seal.anchors import TrustAnchors
from tests import pki
from tests.pki import NOW

SIGNER = pki.self_signed().certificate
ROOT = pki.chain().root


def add(home: Path, encoded: bytes = SIGNER, kind: str = "signers", **words: str) -> trust.Entry:
    arguments = {"vouched_by": "J. Jansen", "how": "by telephone", **words}
    return add_trust(home, kind, encoded, now=NOW, **arguments)


def test_an_empty_store_trusts_nobody(own_home: Path) -> None:
    assert load_anchors(own_home) == TrustAnchors()
    assert list_trust(own_home) == []


def test_added_listed_removed(own_home: Path) -> None:
    entry = add(own_home)
    add(own_home, ROOT, "tsas")
    assert load_anchors(own_home) == TrustAnchors((SIGNER,), (ROOT,))
    signer, authority = list_trust(own_home)
    assert signer == entry
    assert (signer.vouched_by, signer.how, signer.added) == ("J. Jansen", "by telephone", NOW)
    assert (signer.authority, authority.authority) == (False, True)
    spoken = signer.info.fingerprint.upper()[:12]
    assert remove_trust(own_home, spoken[:4] + " " + spoken[4:8] + ":" + spoken[8:]) == [signer]
    assert load_anchors(own_home) == TrustAnchors((), (ROOT,))


def test_the_same_twice_is_refused(own_home: Path) -> None:
    add(own_home)
    with pytest.raises(StorageError, match="already"):
        add(own_home)


def test_files_of_the_command_line(own_home: Path, tmp_path: Path) -> None:
    pem, der = tmp_path / "a.pem", tmp_path / "b.cer"
    pem.write_bytes(b"some words\n" + pki.pem_of(SIGNER) + pki.pem_of(ROOT))
    der.write_bytes(ROOT)
    assert load_anchors(own_home, [pem, der], [der]) == TrustAnchors((SIGNER, ROOT), (ROOT,))
    assert list_trust(own_home) == [], "named for one run only"


def test_pem_as_windows_powershell_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "signer.pem"
    text = pki.pem_of(SIGNER).decode("ascii").replace("\n", "\r\n")
    for codec in ("utf-16", "utf-8-sig"):
        path.write_bytes(text.encode(codec))
        assert read_certificates(path) == [SIGNER]
    path.write_bytes("-----BEGIN EC PRIVATE KEY-----".encode("utf-16"))
    with pytest.raises(InputError, match="private key"):
        read_certificates(path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b"\xff\xfe\x00\xd8",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n",
        SIGNER + b"\x00",
        b"x" * (trust.MAX_FILE + 1),
    ],
    ids=["empty", "nonsense", "half a sign", "hollow", "key", "trailing", "large"],
)
def test_files_that_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(InputError):
        read_certificates(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(UnreadableFileError):
            read_certificates(path)


@pytest.mark.parametrize("words", [{"vouched_by": " "}, {"how": ""}, {"how": "a\nb"}])
def test_somebody_must_vouch(own_home: Path, words: dict[str, str]) -> None:
    with pytest.raises(InputError):
        add(own_home, SIGNER, "signers", **words)
    assert not (own_home / "trust").exists()


def test_bad_arguments(own_home: Path) -> None:
    with pytest.raises(InputError):
        add(own_home, kind="friends")
    with pytest.raises(InputError):
        add(own_home, b"nonsense")
    entry = add(own_home)
    for prefix in ("", entry.info.fingerprint[:7], "zzzzzzzz", "0" * 20):
        with pytest.raises(InputError):
            remove_trust(own_home, prefix)
    assert list_trust(own_home) == [entry]


def test_a_certificate_without_a_record_does_not_count(own_home: Path) -> None:
    folder = own_home / "trust" / "signers"
    folder.mkdir(parents=True)
    (folder / "dropped.pem").write_bytes(pki.pem_of(SIGNER))
    assert load_anchors(own_home) == TrustAnchors()


@pytest.mark.parametrize("damage", ["swap", "json", "missing", "key", "record"])
def test_a_store_that_somebody_else_wrote_in(own_home: Path, damage: str) -> None:
    entry = add(own_home)
    stem = own_home / "trust" / "signers" / entry.info.fingerprint
    pem, record = stem.with_suffix(".pem"), stem.with_suffix(".json")
    if damage == "swap":
        pem.write_bytes(pki.pem_of(ROOT))
    elif damage == "json":
        record.write_bytes(b"{")
    elif damage == "missing":
        pem.unlink()
    elif damage == "key":
        record.write_bytes(b"{}")
    else:
        record.write_bytes(record.read_bytes().replace(b"trust/1", b"trust/9"))
    with pytest.raises(ConfigError, match="not put there"):
        load_anchors(own_home)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(command, list(arguments))


def test_commands(own_home: Path, tmp_path: Path) -> None:
    file = tmp_path / "signer.pem"
    file.write_bytes(pki.pem_of(SIGNER))
    refused = run("add", str(file))
    assert refused.exit_code == 2
    done = run("add", str(file), "--by", "J. Jansen", "--how", "by telephone", "--json")
    assert done.exit_code == 0, done.output
    (shown,) = loads(done.stdout.encode())["trusted"]
    listed = run("list")
    assert "J. Jansen; by telephone" in listed.stdout
    assert run("remove", shown["fingerprint"]).exit_code == 0
    assert "nothing is trusted yet" in run("list").stderr
    file.write_bytes(pki.pem_of(SIGNER) + pki.pem_of(ROOT))
    several = run("add", str(file), "--by", "x", "--how", "y")
    assert isinstance(several.exception, InputError)
