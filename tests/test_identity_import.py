"""Certificates of an authority: requested, imported, and keys that stay in hardware."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.cli.main import run
from evidence_kit.core.errors import InputError, KeyUnavailableError, StorageError
from evidence_kit.jobs.identity import list_identities, load_identity
from evidence_kit.jobs.identity_import import import_identity, request_identity
from evidence_kit.seal import cades
from evidence_kit.seal.pkcs11_uri import Pkcs11Uri, Pkcs11UriError, parse_pkcs11_uri
from tests import pki
from tests.pki import CONTENT, NOW
from tests.softhsm import PIN, make_token

SECRET, OTHER = b"correct horse battery", b"the file's own words"


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring

    monkeypatch.setattr(keyring, "get_password", lambda service, user: None)


def key_pem(key: pki.Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def written(folder: Path, **files: bytes) -> list[Path]:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]


def taken(home: Path, files: Sequence[Path], **options: object) -> None:
    arguments = {"passphrase": SECRET, "file_passphrase": OTHER, "now": NOW, **options}
    import_identity(home, "default", files, **arguments)  # type: ignore[arg-type]


def signs_for(home: Path, root: bytes) -> None:
    signer = load_identity(home, "default", SECRET)
    p7s = cades.sign(CONTENT, signer, signing_time=NOW)
    report = cades.check_signature(p7s, CONTENT, anchors=pki.trusting(root), now=NOW)
    assert "signer.trusted" in {finding.code for finding in report.findings}


def p12_of(chain: pki.Chain) -> bytes:
    loaded = [x509.load_der_x509_certificate(one) for one in chain.signer.chain]
    return pkcs12.serialize_key_and_certificates(
        b"seal",
        chain.signer.key,
        x509.load_der_x509_certificate(chain.signer.certificate),
        loaded,
        serialization.BestAvailableEncryption(OTHER),
    )


def test_pkcs12_with_its_chain(own_home: Path, tmp_path: Path) -> None:
    chain = pki.chain()
    taken(own_home, written(tmp_path, p12=p12_of(chain)))
    signs_for(own_home, chain.root)
    with pytest.raises(StorageError, match="exists"):
        taken(own_home, written(tmp_path, p12=p12_of(chain)))


def test_pem_with_the_chain_in_any_order(own_home: Path, tmp_path: Path) -> None:
    chain = pki.chain()
    certificates = [chain.root, chain.signer.certificate, chain.intermediate]
    pem = b"".join(map(pki.pem_of, certificates))
    taken(own_home, written(tmp_path, a=pem, b=key_pem(chain.signer.key)))
    signs_for(own_home, chain.root)


def test_a_request_becomes_an_identity(own_home: Path, tmp_path: Path) -> None:
    asked = request_identity(
        own_home,
        "default",
        organisation="Gemeente Test",
        passphrase=SECRET,
        staff_code="M-17",
        email="seal@example.org",
    )
    assert list_identities(own_home) == []
    request = x509.load_pem_x509_csr(asked.pem)
    assert request.is_signature_valid
    chain = pki.chain()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(chain.intermediate_issuer.name)
        .public_key(request.public_key())
        .serial_number(77)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=300))
        .sign(chain.intermediate_issuer.key, hashes.SHA256())
    )
    encoded = [pki.der_of(certificate), chain.intermediate, chain.root]
    files = written(tmp_path, pem=b"".join(map(pki.pem_of, encoded)))
    with pytest.raises(KeyUnavailableError, match="passphrase"):
        taken(own_home, files, passphrase=b"another passphrase")
    taken(own_home, files)
    signs_for(own_home, chain.root)
    assert not asked.path.exists()
    assert list_identities(own_home)[0].info.fields["staff_code"] == "M-17"


def _bad() -> dict[str, list[bytes]]:
    chain = pki.chain()
    leaf, key = pki.pem_of(chain.signer.certificate), key_pem(chain.signer.key)
    issuers = pki.pem_of(chain.intermediate) + pki.pem_of(chain.root)
    weak = pki.key_of("rsa2048")
    encipher = pki.chain(uses=pki.usage("key_encipherment"))
    old = pki.chain(end=NOW - timedelta(hours=1))
    return {
        "issuers are not complete": [leaf, key],
        "0 private keys": [leaf + issuers],
        "0 certificates": [key, issuers],
        "2 private keys": [leaf + issuers, key, key],
        "RSA 2048": [key_pem(weak), pki.pem_of(pki.certificate("Weak", weak))],
        "key usage": [
            pki.pem_of(encipher.signer.certificate)
            + b"".join(map(pki.pem_of, encipher.signer.chain)),
            key_pem(encipher.signer.key),
        ],
        "not valid now": [
            pki.pem_of(old.signer.certificate) + b"".join(map(pki.pem_of, old.signer.chain)),
            key_pem(old.signer.key),
        ],
        "too large": [b"-" * (1 << 20)],
    }


@pytest.mark.parametrize("reason", sorted(_bad()))
def test_files_that_are_refused(own_home: Path, tmp_path: Path, reason: str) -> None:
    files = {str(number): data for number, data in enumerate(_bad()[reason])}
    with pytest.raises(InputError, match=reason):
        taken(own_home, written(tmp_path, **files))
    assert list_identities(own_home) == []


def test_a_wrong_passphrase_of_the_file(own_home: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailableError, match="passphrase"):
        taken(own_home, written(tmp_path, p=p12_of(pki.chain())), file_passphrase=b"no")


def test_the_commands(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    read, write = os.pipe()
    os.write(write, SECRET + b"\n")
    os.close(write)
    command = ["identity", "request", "--organisation", "Gemeente", "--passphrase-fd", str(read)]
    assert run([*command, "--json"]) == 0
    os.close(read)
    made = json.loads(capsys.readouterr().out)["request"]
    assert x509.load_pem_x509_csr(made["pem"].encode()).is_signature_valid
    assert run(["identity", "import"]) == 2
    assert run(["identity", "--help"]) == 0
    assert "import" in capsys.readouterr().out


URIS = {
    "pkcs11:token=Zegel;object=seal": Pkcs11Uri(token="Zegel", label="seal"),
    "pkcs11:id=%01%ff;type=private": Pkcs11Uri(id=b"\x01\xff"),
    "pkcs11:object=a%20b?module-path=/usr/lib/x.so": Pkcs11Uri(label="a b", module="/usr/lib/x.so"),
    "pkcs11:serial=12;model=v3;manufacturer=X;id=k": Pkcs11Uri(serial="12", id=b"k"),
}


@pytest.mark.parametrize("text", URIS)
def test_uris(text: str) -> None:
    assert parse_pkcs11_uri(text) == URIS[text]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http:object=x", "not a pkcs11"),
        ("pkcs11:", "names no key"),
        ("pkcs11:token=x", "names no key"),
        ("pkcs11:object=x?pin-value=1234", "PIN"),
        ("pkcs11:object=x?pin-source=/etc/pin", "PIN"),
        ("pkcs11:object=x;object=y", "twice"),
        ("pkcs11:object=x;slot-id=1", "not known"),
        ("pkcs11:object=x;type=cert", "something else"),
        ("pkcs11:object=%zz", "name=value"),
        ("pkcs11:object=%ff", "UTF-8"),
        ("pkcs11:object=" + "x" * 1000, "not a pkcs11"),
    ],
)
def test_uris_that_are_refused(text: str, reason: str) -> None:
    with pytest.raises(Pkcs11UriError, match=reason):
        parse_pkcs11_uri(text)


@given(st.text())
def test_any_uri_gives_one_error(text: str) -> None:
    for whole in (text, f"pkcs11:{text}"):
        with contextlib.suppress(Pkcs11UriError):
            parse_pkcs11_uri(whole)


HARDWARE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from evidence_kit.core.errors import EvidenceError
from evidence_kit.jobs.identity import load_identity
from evidence_kit.jobs.identity_import import import_hardware
from evidence_kit.seal import cades
home, uri, pin, files = Path(sys.argv[1]), sys.argv[2], sys.argv[3], [*map(Path, sys.argv[4:])]
now = datetime.now(UTC)
try:
    import_hardware(home, "default", uri, files, pin=pin, now=now)
    signer = load_identity(home, "default", pin.encode())
    for _ in range(8):
        p7s = cades.sign(b"content", signer, signing_time=now)
    sys.stdout.buffer.write(p7s)
except EvidenceError as error:
    sys.exit(error.message)
"""


@pytest.mark.outside
@pytest.mark.parametrize("kind", ["p256", "p384", "rsa3072"])
def test_a_key_that_stays_in_hardware(own_home: Path, tmp_path: Path, kind: str) -> None:
    """In a process of its own: PKCS #11 libraries live as long as the process."""
    token = make_token(tmp_path)
    key = pki.key_of(kind)
    token.put_key("seal", written(tmp_path, key=key_pem(key))[0])
    now = datetime.now(UTC)
    chain = pki.chain()
    leaf = (
        x509.CertificateBuilder()
        .subject_name(pki.name_of("Zegel in hardware"))
        .issuer_name(chain.intermediate_issuer.name)
        .public_key(key.public_key())
        .serial_number(78)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=300))
        .sign(chain.intermediate_issuer.key, hashes.SHA256())
    )
    (leaf_file,) = written(tmp_path, leaf=pki.der_of(leaf))
    token.put_certificate("seal", leaf_file)
    (issuers,) = written(tmp_path, issuers=pki.pem_of(chain.intermediate) + pki.pem_of(chain.root))

    def ran(object_name: str, pin: str) -> subprocess.CompletedProcess[bytes]:
        uri = f"pkcs11:token=Zegel;object={object_name}?module-path={token.module}"
        return subprocess.run(
            [sys.executable, "-c", HARDWARE, str(own_home), uri, pin, str(issuers)],
            env=token.environment,
            capture_output=True,
            timeout=120,
        )

    assert b"refused the PIN" in ran("seal", "0000000000").stderr
    assert b"no key fits" in ran("other", PIN).stderr
    good = ran("seal", PIN)
    assert good.returncode == 0, good.stderr.decode()
    report = cades.check_signature(
        good.stdout, b"content", anchors=pki.trusting(chain.root), now=now
    )
    found = {finding.code for finding in report.findings}
    assert {"signature.ok", "signer.trusted"} <= found
    kept = (own_home / "identity" / "default" / "identity.json").read_bytes()
    assert PIN.encode() not in kept
    assert not (own_home / "identity" / "default" / "key.pem").exists()
