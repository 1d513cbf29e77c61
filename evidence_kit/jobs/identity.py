"""Identities: a signing key, encrypted on disk, and the certificate that goes with it.

The certificate is self-signed: who stands behind it is established outside, by telephone for
example, with the fingerprint. By default the seal is the organisation's; a staff code, not a name,
says which person it was given to (bundle format, rule 11).
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from evidence_kit.core.canonical_json import dumps, loads
from evidence_kit.core.clock import iso
from evidence_kit.core.errors import InputError, KeyUnavailableError, StorageError
from evidence_kit.core.limits import MAX_NAME
from evidence_kit.core.when_free import when_free
from evidence_kit.core.write_once import private_folder, write_bytes_once
from evidence_kit.seal import x509 as certificates
from evidence_kit.seal.cades_check import SignerInfo, describe
from evidence_kit.seal.signer import KeySigner, Signer

KEY, CERTIFICATE, CHAIN, RECORD = "key.pem", "cert.pem", "chain.pem", "identity.json"

DEFAULT_YEARS = 5
"""Validity of a new certificate: as long as a stamp and a case usually need, and no longer."""

MAX_YEARS = 20
"""Longer than that, no algorithm can be relied on."""

MIN_PASSPHRASE = 8
"""Bytes; the key file may be copied and tried at leisure."""

MAX_FIELD = 64
"""Characters in a name of the certificate (RFC 5280 appendix A, upper bounds)."""

MAX_KEY_FILE = 256 << 10
"""Bytes; an encrypted RSA-4096 key in PEM is 4 KiB, a PKCS #12 file with its chain some 20."""

SCHEMA = "evidence-kit/identity/1"

KEY_KINDS = ("p256", "p384", "rsa3072")
"""What can be made. No Ed25519: OpenSSL 3.0's cms and the EU's default policy refuse it."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])")
_EMAIL = re.compile(r"[^@\s<>,;]{1,64}@[A-Za-z0-9.-]{1,190}")


@dataclass(frozen=True)
class Identity:
    """One identity on this machine.

    Attributes:
        name: as it is chosen with ``--identity``.
        folder: where its files are.
        info: its certificate in words.
    """

    name: str
    folder: Path
    info: SignerInfo

    @property
    def pem(self) -> bytes:
        """The certificate, PEM."""
        parsed = certificates.load(self.info.certificate).parsed
        return parsed.public_bytes(serialization.Encoding.PEM)

    @property
    def spoken_fingerprint(self) -> str:
        """The fingerprint in groups of four, to be read out by telephone."""
        return in_groups(self.info.fingerprint)


def in_groups(fingerprint: str) -> str:
    """Hexadecimal in capitals, in groups of four."""
    text = fingerprint.upper()
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def create_identity(
    home: Path,
    name: str,
    *,
    organisation: str,
    passphrase: bytes,
    now: datetime,
    common_name: str = "",
    email: str = "",
    staff_code: str = "",
    years: int = DEFAULT_YEARS,
    kind: str = "p256",
) -> Identity:
    """Make a key and a self-signed certificate; never replaces an identity.

    Args:
        home: the home folder.
        name: letters, digits, ``-`` and ``_``: a folder is named after it.
        organisation: whose seal it is.
        passphrase: encrypts the key (PKCS #8, PBES2).
        now: start of validity.
        common_name: what the certificate is called; the organisation when empty.
        email: for questions about the seal; optional.
        staff_code: of the person who holds the key; optional.
        years: validity.
        kind: one of :data:`KEY_KINDS`.

    Raises:
        InputError: a value cannot be used.
        StorageError: the identity exists, or cannot be written.
    """
    fields = checked_fields(organisation, common_name, email, staff_code)
    require_passphrase(passphrase)
    if not 1 <= years <= MAX_YEARS:
        raise InputError(f"a validity of {years} years", hint=f"choose 1 to {MAX_YEARS}")
    require_new(home, name)
    key = new_key(kind)
    certificate = _self_signed(key, fields, now, years)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase),
    )
    encoded = certificate.public_bytes(serialization.Encoding.DER)
    store(home, name, (encoded,), now, key=encrypted)
    return show_identity(home, name)


def require_new(home: Path, name: str) -> None:
    """Refuse a name that is taken, before anybody is asked for a passphrase.

    Raises:
        InputError: not a possible name.
        StorageError: it is taken.
    """
    if _folder(home, name).exists():
        raise StorageError(
            f"an identity named {name} exists",
            hint="choose another name; an identity is never replaced: its bundles refer to it",
        )


def _folder(home: Path, name: str) -> Path:
    if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name):
        raise InputError(
            "an identity's name may hold 40 letters, digits, hyphens and underscores at most",
            hint="for example: default, team-veiligheid, 2026",
        )
    return home / "identity" / name


def require_passphrase(passphrase: bytes) -> None:
    """Refuse one that is too short.

    Raises:
        InputError: it is.
    """
    if len(passphrase) < MIN_PASSPHRASE:
        raise InputError(
            f"a passphrase of fewer than {MIN_PASSPHRASE} characters",
            hint="several words in a row are easy to keep and hard to guess",
        )


def checked_fields(
    organisation: str, common_name: str, email: str, staff_code: str
) -> dict[str, str]:
    """What stands in a certificate's subject, stripped and checked.

    Raises:
        InputError: a value cannot be used.
    """
    fields = {
        "organisation": organisation.strip(),
        "common_name": common_name.strip() or organisation.strip(),
        "staff_code": staff_code.strip(),
        "email": email.strip(),
    }
    if not fields["organisation"]:
        raise InputError("no organisation", hint="name whose seal it is with --organisation")
    for label, text in fields.items():
        limit = MAX_NAME if label == "email" else MAX_FIELD
        if len(text) > limit or not all(character.isprintable() for character in text):
            raise InputError(
                f"{label.replace('_', ' ')} too long or with control characters",
                hint=f"{limit} characters at most",
            )
    if fields["staff_code"] and not re.fullmatch(r"[A-Za-z0-9 '()+,./:=?-]+", fields["staff_code"]):
        raise InputError("a staff code with other characters than letters, digits and '()+,./:=?-")
    if fields["email"] and not _EMAIL.fullmatch(fields["email"]):
        raise InputError(f"not an e-mail address: {fields['email']}")
    if not fields["email"].isascii():
        raise InputError("an e-mail address with other than ASCII characters")
    return fields


def new_key(kind: str) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    """A fresh key of one of :data:`KEY_KINDS`.

    Raises:
        InputError: no such kind.
    """
    if kind == "p256":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "p384":
        return ec.generate_private_key(ec.SECP384R1())
    if kind == "rsa3072":
        return rsa.generate_private_key(public_exponent=65537, key_size=3072)
    raise InputError(f"no kind of key named {kind}", hint="one of: " + ", ".join(KEY_KINDS))


def _self_signed(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
    fields: dict[str, str],
    now: datetime,
    years: int,
) -> x509.Certificate:
    name = subject_of(fields)
    start = now.replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365 * years + years // 4))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if fields["email"]:
        address = x509.SubjectAlternativeName([x509.RFC822Name(fields["email"])])
        builder = builder.add_extension(address, critical=False)
    strong = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp384r1"
    return builder.sign(key, hashes.SHA384() if strong else hashes.SHA256())


def subject_of(fields: dict[str, str]) -> x509.Name:
    """The subject's name made of :func:`checked_fields`."""
    attributes = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, fields["organisation"]),
        x509.NameAttribute(NameOID.COMMON_NAME, fields["common_name"]),
    ]
    if fields["staff_code"]:
        attributes.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, fields["staff_code"]))
    return x509.Name(attributes)


def usage() -> x509.KeyUsage:
    """Key usage of a certificate that signs bundles: digital signature, non-repudiation."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def request_folder(home: Path, name: str) -> Path:
    """Where the key and the request for a certificate wait until it comes."""
    folder = _folder(home, name)
    return folder.with_name(f".request-{name}")


def store(
    home: Path,
    name: str,
    chain: Sequence[bytes],
    now: datetime,
    *,
    key: bytes | None = None,
    hardware: str = "",
) -> None:
    """Write a new identity, all files in a folder that appears whole: no half one is ever found.

    Args:
        home: the home folder.
        name: a name that is not taken.
        chain: DER of the certificate, then of its issuers.
        now: for the record.
        key: encrypted PKCS #8 in PEM; None where it stays in hardware.
        hardware: ``pkcs11:`` URI of the key, or empty.

    Raises:
        StorageError: it cannot be written.
    """
    folder = _folder(home, name)
    record = {"schema": SCHEMA, "created": iso(now.replace(microsecond=0))}
    if hardware:
        record["pkcs11"] = hardware
    try:
        private_folder(folder.parent)
        draft = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    except OSError as error:
        raise StorageError(f"cannot make {folder.parent}: {error.strerror}") from error
    try:
        if key is not None:
            write_bytes_once(draft / KEY, key, private=True)
        write_bytes_once(draft / CERTIFICATE, _pem(chain[:1]))
        if chain[1:]:
            write_bytes_once(draft / CHAIN, _pem(chain[1:]))
        write_bytes_once(draft / RECORD, dumps(record))
        # Refuses a folder that holds anything, on every system.
        when_free(lambda: draft.rename(folder))
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror}") from error
    finally:
        if draft.exists():
            shutil.rmtree(draft)


def _pem(encoded: Sequence[bytes]) -> bytes:
    loaded = (x509.load_der_x509_certificate(one) for one in encoded)
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in loaded)


def show_identity(home: Path, name: str) -> Identity:
    """The identity with this name, without its key.

    Raises:
        InputError: not a possible name.
        KeyUnavailableError: there is none, or its certificate cannot be read.
    """
    folder = _folder(home, name)
    try:
        pem = _read(folder / CERTIFICATE)
        encoded = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
        return Identity(name, folder, describe(certificates.load(encoded)))
    except FileNotFoundError as error:
        raise KeyUnavailableError(
            f"there is no identity named {name}",
            hint="make one: evidence-kit identity create --organisation ...",
        ) from error
    except (OSError, ValueError) as error:
        raise KeyUnavailableError(f"the certificate of {name} cannot be read: {error}") from error


def list_identities(home: Path) -> list[Identity]:
    """All identities, by name; a folder that holds none is left out.

    Raises:
        KeyUnavailableError: one cannot be read.
    """
    parent = home / "identity"
    if not parent.is_dir():
        return []
    names = sorted(entry.name for entry in parent.iterdir() if (entry / CERTIFICATE).is_file())
    return [show_identity(home, name) for name in names if _NAME.fullmatch(name)]


def load_identity(home: Path, name: str, passphrase: bytes | Callable[[], bytes]) -> Signer:
    """The identity with its key, ready to sign.

    Args:
        home: the home folder.
        name: the identity's.
        passphrase: or a function that asks for it, called once the identity is known to exist;
            for a key in hardware it is the PIN.

    Raises:
        InputError: not a possible name.
        KeyUnavailableError: missing, wrong passphrase, or a key that does not fit.
    """
    identity = show_identity(home, name)
    hardware, chain = _kept(identity)
    if hardware:
        from evidence_kit.gather.hardware_key import HardwareSigner, read_uri

        uri = read_uri(hardware)
        pin = passphrase() if callable(passphrase) else passphrase
        return HardwareSigner(uri, pin.decode("utf-8"), identity.info.certificate, chain)
    path = identity.folder / KEY
    secret = passphrase() if callable(passphrase) else passphrase
    try:
        key = serialization.load_pem_private_key(_read(path), secret)
    except FileNotFoundError as error:
        raise KeyUnavailableError(f"the key of {name} is not there: {path}") from error
    except (OSError, TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise KeyUnavailableError(
            f"the key of {name} cannot be opened: wrong passphrase or damaged file",
            hint="try the passphrase again; without it the key is lost, make a new identity",
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise KeyUnavailableError(f"the key of {name} is of a kind that does not sign bundles")
    certificate = certificates.load(identity.info.certificate)
    if certificate.parsed.public_key() != key.public_key():
        raise KeyUnavailableError(f"key and certificate of {name} do not belong together")
    return KeySigner(key, certificate.encoded, chain)


def _kept(identity: Identity) -> tuple[str, tuple[bytes, ...]]:
    """The address of a key in hardware, or empty; and the issuers' certificates."""
    try:
        record = loads(_read(identity.folder / RECORD))
        hardware = record.get("pkcs11", "") if isinstance(record, dict) else None
        if not isinstance(hardware, str):
            raise ValueError("another form")
        if not (identity.folder / CHAIN).is_file():
            return hardware, ()
        loaded = x509.load_pem_x509_certificates(_read(identity.folder / CHAIN))
    except (OSError, ValueError) as error:
        raise KeyUnavailableError(
            f"the files of the identity {identity.name} cannot be read: {error}"
        ) from error
    return hardware, tuple(one.public_bytes(serialization.Encoding.DER) for one in loaded)


def _read(path: Path) -> bytes:
    with path.open("rb") as stream:
        if os.fstat(stream.fileno()).st_size > MAX_KEY_FILE:
            raise ValueError("the file is too large")
        return stream.read(MAX_KEY_FILE)
