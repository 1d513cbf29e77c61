"""The commands in a bundle's README.txt, run exactly as printed, on good and forged bundles."""

from __future__ import annotations

import functools
import os
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from evidence_kit.core.digests import digest_bytes
from evidence_kit.core.layout import MANIFEST, SIGNATURE
from evidence_kit.seal.bagit import tag_files
from evidence_kit.seal.bundle_readme import ReadmeParams, bundle_readme, commands
from evidence_kit.seal.cades import attach_timestamp, sign, signature_value
from evidence_kit.seal.manifest import write_manifest
from evidence_kit.seal.signer import KeySigner
from tests.small_bundle import CONTENT, INFO, bundle_files, pack

pytestmark = pytest.mark.outside

PARAMS = ReadmeParams("20261123T102030Z-example", "Voorbeeldziekenhuis", "evidence-kit 0.1")
README = bundle_readme(PARAMS)
FORMAT = (Path(__file__).parent.parent / "evidence_kit" / "FORMAT.md").read_bytes()
FORBIDDEN = ["rechtsgeldig bewijs", "onweerlegbaar", "goedgekeurd door", "27037", "legally valid"]


def steps(readme: bytes) -> dict[int, list[str]]:
    """The printed commands under the step that they stand in."""
    found: dict[int, list[str]] = {}
    number = 0
    for line in readme.decode().splitlines():
        if line.startswith("Stap ") and " / Step " in line:
            number = int(line.rpartition(" ")[2])
        if line.startswith("    $ "):
            found.setdefault(number, []).append(line[6:])
    return found


@dataclass(frozen=True)
class Party:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def signer(self) -> KeySigner:
        return KeySigner(self.key, self.certificate.public_bytes(serialization.Encoding.DER))


def _usage(*, contents: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=contents,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def make_party(name: str, *, stamps: bool = False, since: int = -1, until: int = 365) -> Party:
    """A self-signed certificate; ``since`` and ``until`` in days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Voorbeeld"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=since))
        .not_valid_after(now + timedelta(days=until))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            _usage(contents=not stamps),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if stamps:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(usage, critical=True)
    return Party(key, builder.sign(key, hashes.SHA256()))


@functools.cache
def signing() -> Party:
    return make_party("Voorbeeldziekenhuis")


@functools.cache
def stamping() -> Party:
    return make_party("Voorbeeld TSA", stamps=True, since=-4000, until=4000)


def stamp(folder: Path, p7s: bytes, party: Party) -> bytes:
    """A token over the signature value, by ``openssl ts``."""
    folder.mkdir()
    (folder / "value").write_bytes(signature_value(p7s))
    (folder / "tsa.pem").write_bytes(party.pem)
    (folder / "key.pem").write_bytes(
        party.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(
        "[tsa]\ndefault_tsa = it\n[it]\nserial = serial\nsigner_cert = tsa.pem\n"
        "signer_key = key.pem\nsigner_digest = sha256\ndefault_policy = 1.2.3.4\n"
        "digests = sha256, sha512\naccuracy = secs:1\ness_cert_id_alg = sha256\n"
    )
    for arguments in (
        ["-query", "-data", "value", "-sha512", "-cert", "-no_nonce", "-out", "q.tsq"],
        ["-reply", "-config", "tsa.cnf", "-queryfile", "q.tsq", "-token_out", "-out", "token"],
    ):
        run = ["openssl", "ts", *arguments]
        subprocess.run(run, cwd=folder, check=True, capture_output=True)
    return (folder / "token").read_bytes()


def seal(
    folder: Path, party: Party | None = None, extra: Mapping[str, bytes] | None = None
) -> dict[str, bytes]:
    """The files of a signed and stamped bundle."""

    def signature(manifest: bytes) -> bytes:
        p7s = sign(manifest, (party or signing()).signer, signing_time=datetime.now(UTC))
        return attach_timestamp(p7s, stamp(folder / "tsa", p7s, stamping()))

    return bundle_files(
        CONTENT | dict(extra or {}) | {"README.txt": README, "FORMAT.md": FORMAT}, sign=signature
    )


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str


def check_by_hand(
    folder: Path, files: dict[str, bytes], environment: dict[str, str] | None = None
) -> dict[int, list[Outcome]]:
    """Pack, unpack with ``unzip``, and run every printed line in the unpacked folder."""
    bundle = pack(folder / "x.asice", files)
    place = folder / "unpacked"
    subprocess.run(["unzip", "-q", bundle, "-d", place], check=True)
    (folder / "signer.pem").write_bytes(signing().pem)
    (folder / "tsa-root.pem").write_bytes(stamping().pem)
    outcomes: dict[int, list[Outcome]] = {}
    for number, lines in steps((place / "README.txt").read_bytes()).items():
        for line in lines:
            done = subprocess.run(
                ["sh", "-c", line],
                cwd=place,
                capture_output=True,
                text=True,
                env=os.environ | (environment or {}),
                check=False,
            )
            outcomes.setdefault(number, []).append(
                Outcome(done.returncode, done.stdout + done.stderr)
            )
    return outcomes


def failed(outcomes: dict[int, list[Outcome]]) -> set[int]:
    return {number for number, done in outcomes.items() if any(one.code for one in done)}


def recompute_bag(files: dict[str, bytes]) -> None:
    """Make all four lists fit again, as a forger would."""
    content = {
        name: digest_bytes(data)
        for name, data in files.items()
        if name in CONTENT or name.startswith("data/") or name in {"README.txt", "FORMAT.md"}
    }
    files |= tag_files(content, INFO)


def test_there_are_commands_for_every_step() -> None:
    assert sorted(steps(README)) == [1, 2, 3, 4, 5]
    assert commands(README) == [line for lines in steps(README).values() for line in lines]


def test_a_good_bundle(tmp_path: Path) -> None:
    outcomes = check_by_hand(tmp_path, seal(tmp_path))
    assert failed(outcomes) == set(), outcomes
    assert all(one.out == "" for one in outcomes[1])
    assert outcomes[2][0].out.startswith("<ds:DigestValue>")
    assert "Verification successful" in outcomes[3][0].out
    assert "Verification: OK" in outcomes[4][3].out
    assert outcomes[4][4].out.startswith("Time stamp: ")
    assert "Verification successful" in outcomes[5][0].out


def test_the_unpacked_folder_stays_as_it_is(tmp_path: Path) -> None:
    check_by_hand(tmp_path, seal(tmp_path))
    place = tmp_path / "unpacked"
    present = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
    with zipfile.ZipFile(tmp_path / "x.asice") as archive:
        assert present == set(archive.namelist())


def test_a_file_changed(tmp_path: Path) -> None:
    files = seal(tmp_path)
    files["data/text.txt"] = b"Ik weet waar je woont.\n"
    assert failed(check_by_hand(tmp_path, files)) == {1}


def test_a_file_changed_and_one_list_recomputed(tmp_path: Path) -> None:
    """All of SHA-256 fits again, and the lists that step 2 binds are the sealed ones."""
    files = seal(tmp_path)
    sealed = {name: data for name, data in files.items() if "sha512" in name}
    files["data/text.txt"] = b"Ik weet waar je woont.\n"
    recompute_bag(files)
    forged, kept = (
        digest_bytes(data["manifest-sha512.txt"]).sha256.encode() for data in (files, sealed)
    )
    files |= sealed
    assert forged in files["tagmanifest-sha256.txt"]
    files["tagmanifest-sha256.txt"] = files["tagmanifest-sha256.txt"].replace(forged, kept)
    # The list of lists is signed as well, but no command of steps 1 and 2 compares it.
    outcomes = check_by_hand(tmp_path, files)
    assert failed(outcomes) == {1}
    assert [one.code for one in outcomes[1]] == [0, 1, 0, 0, 0]


def test_a_file_changed_and_the_bag_recomputed(tmp_path: Path) -> None:
    files = seal(tmp_path)
    files["data/text.txt"] = b"Ik weet waar je woont.\n"
    recompute_bag(files)
    assert failed(check_by_hand(tmp_path, files)) == {2}


def test_the_manifest_recomputed_as_well(tmp_path: Path) -> None:
    files = seal(tmp_path)
    files["data/text.txt"] = b"Ik weet waar je woont.\n"
    recompute_bag(files)
    listed = {name: digest_bytes(data) for name, data in files.items()}
    files[MANIFEST] = write_manifest(listed)
    assert failed(check_by_hand(tmp_path, files)) == {3, 5}


def test_a_list_that_was_planted_in_the_capture(tmp_path: Path) -> None:
    """A page can serve a file whose bytes are the list that a forger needs later."""
    forged = bundle_files(CONTENT | {"README.txt": README, "FORMAT.md": FORMAT})
    forged["data/text.txt"] = b"Ik weet waar je woont.\n"
    recompute_bag(forged)
    files = seal(tmp_path, extra={"data/planted.txt": forged["tagmanifest-sha512.txt"]})
    del files["data/planted.txt"]
    for name in [*CONTENT, "manifest-sha256.txt", "manifest-sha512.txt", "bag-info.txt"]:
        files[name] = forged[name]
    for algorithm in ("sha256", "sha512"):
        files[f"tagmanifest-{algorithm}.txt"] = forged[f"tagmanifest-{algorithm}.txt"]
    assert failed(check_by_hand(tmp_path, files)) == {2}


@pytest.mark.parametrize("name", ["data/extra.txt", "extra.txt", "META-INF/signature002.p7s"])
def test_a_file_added(tmp_path: Path, name: str) -> None:
    assert failed(check_by_hand(tmp_path, seal(tmp_path) | {name: b"x"})) == {1}


def test_a_file_removed(tmp_path: Path) -> None:
    files = seal(tmp_path)
    del files["data/text.txt"]
    assert failed(check_by_hand(tmp_path, files)) == {1}


def test_the_signature_of_somebody_else_with_the_same_name(tmp_path: Path) -> None:
    other = make_party("Voorbeeldziekenhuis")
    assert failed(check_by_hand(tmp_path, seal(tmp_path, other))) == {3, 5}


def test_somebody_else_whom_the_system_trusts(tmp_path: Path) -> None:
    """openssl adds the system's own certificates unless it is told not to."""
    other = make_party("Somebody with a certificate")
    store = tmp_path / "system.pem"
    store.write_bytes(other.pem)
    folder = tmp_path / "certs"
    folder.mkdir()
    (folder / "other.pem").write_bytes(other.pem)
    subprocess.run(["openssl", "rehash", folder], check=True, capture_output=True)
    system = {"SSL_CERT_FILE": str(store), "SSL_CERT_DIR": str(folder)}
    assert failed(check_by_hand(tmp_path, seal(tmp_path, other), system)) == {3, 5}


def test_the_stamp_of_another_signature(tmp_path: Path) -> None:
    files = seal(tmp_path)
    (tmp_path / "again").mkdir()
    other = sign(files[MANIFEST], signing().signer, signing_time=datetime.now(UTC))
    token = stamp(tmp_path / "again" / "tsa", other, stamping())
    mine = sign(files[MANIFEST], signing().signer, signing_time=datetime.now(UTC))
    files[SIGNATURE] = attach_timestamp(mine, token)
    assert failed(check_by_hand(tmp_path, files)) == {4}


def test_without_a_stamp_only_the_stamp_fails(tmp_path: Path) -> None:
    files = seal(tmp_path)
    files[SIGNATURE] = sign(files[MANIFEST], signing().signer, signing_time=datetime.now(UTC))
    outcomes = check_by_hand(tmp_path, files)
    assert failed(outcomes) == {4, 5}
    assert outcomes[4][2].code != 0


def test_a_certificate_that_expired_after_the_stamp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Step 5 judges at the time of the stamp, so it still holds where step 3 no longer does."""
    files = seal(tmp_path)
    later = datetime.now(UTC) + timedelta(days=1000)
    bundle = steps(README)[3][0].replace(
        "-partial_chain", f"-partial_chain -attime {int(later.timestamp())}"
    )
    assert failed(check_by_hand(tmp_path, files)) == set()
    done = subprocess.run(
        ["sh", "-c", bundle], cwd=tmp_path / "unpacked", capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "expired" in done.stderr


def test_no_value_becomes_a_command() -> None:
    params = ReadmeParams("x", "Evil\n    $ rm -rf ~\n{software}", "y\u202e")
    assert commands(bundle_readme(params)) == commands(README)


def test_both_languages_and_no_claim_too_many() -> None:
    text = README.decode()
    assert text.index("NEDERLANDS") < text.index("ENGLISH") < text.index("OPDRACHTEN")
    assert "Een account is geen persoon" in text
    assert "An account is not a person" in text
    assert not [words for words in FORBIDDEN if words in text.lower()]
    assert "{" not in text.partition("OPDRACHTEN / COMMANDS")[0]
