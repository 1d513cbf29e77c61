"""The trust store: whose signatures and time stamps this user accepts, and on whose word.

``HOME/trust/signers`` and ``HOME/trust/tsas`` hold one folder-less pair per certificate:
``FINGERPRINT.pem`` and ``FINGERPRINT.json``. Nothing gets in but by :func:`add_trust`. Trusted
lists stand beside them (:mod:`evidence_kit.jobs.trust_lists`).
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from evidence_kit.core.canonical_json import JsonError, dumps, loads
from evidence_kit.core.clock import iso, parse_iso
from evidence_kit.core.errors import ConfigError, InputError, StorageError, UnreadableFileError
from evidence_kit.core.user_text import plain_bytes
from evidence_kit.core.write_once import private_folder, write_bytes_once
from evidence_kit.jobs.trust_lists import ListEntry, add_list, remove_list, trusted_lists
from evidence_kit.seal import x509 as certificates
from evidence_kit.seal.anchors import MAX_ANCHORS, TrustAnchors
from evidence_kit.seal.cades_check import SignerInfo, describe

KINDS = ("signers", "tsas")
"""The two folders: trust in one says nothing about the other."""

SCHEMA = "evidence-kit/trust/1"

MAX_FILE = 4 << 20
"""Bytes of a file with certificates; a thousand of them in PEM stay under 3 MiB."""

_SEQUENCE = b"\x30"
"""Every certificate in DER begins with this octet (ITU-T X.690, 8.9.1)."""

_FORMS = "PEM and DER (.crt, .cer) are read"

MIN_PREFIX = 8
"""Characters of a fingerprint that name an entry: fewer could hit another by chance."""

MAX_WORDS = 500
"""Characters of a remark."""


@dataclass(frozen=True)
class Entry:
    """One trusted certificate.

    Attributes:
        kind: ``signers`` or ``tsas``.
        info: the certificate in words.
        authority: it may vouch for others (CA).
        vouched_by: who said that it is theirs.
        how: by which way, for example "telephone, number from the website".
        added: when, UTC.
    """

    kind: str
    info: SignerInfo
    authority: bool
    vouched_by: str
    how: str
    added: datetime


def read_certificates(path: Path) -> list[bytes]:
    """DER of every certificate in a PEM or DER file, in order.

    Raises:
        UnreadableFileError: it cannot be read.
        InputError: it holds no certificate, or one that cannot be used.
    """
    try:
        if path.stat().st_size > MAX_FILE:
            raise InputError(f"{path.name} is too large for a certificate file")
        data = plain_bytes(path.read_bytes())
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise UnreadableFileError(
            f"cannot read {path}: {reason}", hint="check the path and your rights to the file"
        ) from error
    data = _plain_text(data)
    if b"PRIVATE KEY-----" in data:
        raise InputError(
            f"{path.name} holds a private key", hint="give the certificate alone, never the key"
        )
    if b"-----BEGIN" not in data and not data.startswith(_SEQUENCE):
        raise InputError(f"{path.name} is not a certificate", hint=_FORMS)
    try:
        if b"-----BEGIN" in data:
            loaded = x509.load_pem_x509_certificates(data)
            encoded = [one.public_bytes(Encoding.DER) for one in loaded]
        else:
            encoded = [data]
        for one in encoded:
            certificates.load(one)
    except ValueError as error:
        raise InputError(f"{path.name} is not a certificate: {error}", hint=_FORMS) from error
    if len(encoded) > MAX_ANCHORS:
        raise InputError(f"{path.name} holds more than {MAX_ANCHORS} certificates")
    return encoded


def _plain_text(data: bytes) -> bytes:
    """PEM that Windows PowerShell wrote with ``>`` is UTF-16; everything else stays as it is."""
    if not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data
    try:
        return data.decode("utf-16").encode("ascii")
    except UnicodeError:
        return data


def add_trust(
    home: Path, kind: str, encoded: bytes, *, vouched_by: str, how: str, now: datetime
) -> Entry:
    """Trust one certificate from now on; adding it again is refused.

    Args:
        home: the home folder.
        kind: one of :data:`KINDS`.
        encoded: DER.
        vouched_by: who said whose it is.
        how: by which way the fingerprint was compared.
        now: for the record.

    Raises:
        InputError: not a certificate, or nobody vouches.
        StorageError: it is there already, or cannot be written.
    """
    certificate = _loaded(encoded)
    vouched_by, how = _vouched(vouched_by, how)
    entry = Entry(
        kind=_kind(kind),
        info=describe(certificate),
        authority=certificates.is_authority(certificate),
        vouched_by=vouched_by,
        how=how,
        added=now.replace(microsecond=0),
    )
    folder = home / "trust" / kind
    if (folder / f"{certificate.fingerprint}.pem").exists():
        raise StorageError(
            f"the certificate of {entry.info.name} is trusted already",
            hint=f"its fingerprint begins with {certificate.fingerprint[:8]}",
        )
    record = {
        "schema": SCHEMA,
        "fingerprint": certificate.fingerprint,
        "vouched_by": entry.vouched_by,
        "how": entry.how,
        "added": iso(entry.added),
    }
    try:
        private_folder(folder)
        # A certificate without its record does not count, so the certificate comes first.
        pem = certificate.parsed.public_bytes(Encoding.PEM)
        write_bytes_once(folder / f"{certificate.fingerprint}.pem", pem)
        (folder / f"{certificate.fingerprint}.json").unlink(missing_ok=True)
        write_bytes_once(folder / f"{certificate.fingerprint}.json", dumps(record))
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror}") from error
    return entry


def add_trusted_list(
    home: Path,
    path: Path,
    *,
    operators: Sequence[bytes],
    lotl: Path | None = None,
    vouched_by: str,
    how: str,
    now: datetime,
) -> ListEntry:
    """Take a trusted list into the store; arguments and errors as for ``trust_lists.add_list``.

    Raises:
        InputError: also where nobody vouches for who signed it.
    """
    vouched_by, how = _vouched(vouched_by, how)
    return add_list(
        home, path, operators=operators, lotl=lotl, vouched_by=vouched_by, how=how, now=now
    )


def _vouched(vouched_by: str, how: str) -> tuple[str, str]:
    words = {"vouched by": vouched_by.strip(), "how": how.strip()}
    for label, text in words.items():
        if not text or len(text) > MAX_WORDS or not text.isprintable():
            raise InputError(
                f"'{label}' must say something, in one line of {MAX_WORDS} characters at most",
                hint="who told you whose certificate this is, and how did you compare it?",
            )
    return words["vouched by"], words["how"]


def list_trust(home: Path) -> list[Entry]:
    """Everything in the store: signers, then authorities, by name.

    Raises:
        ConfigError: a file in the store is not what this program wrote.
    """
    entries = [entry for kind in KINDS for entry in _read_folder(home / "trust" / kind, kind)]
    return sorted(entries, key=lambda entry: (entry.kind, entry.info.name, entry.info.fingerprint))


def _read_folder(folder: Path, kind: str) -> list[Entry]:
    if not folder.is_dir():
        return []
    paths = sorted(path for path in folder.iterdir() if path.suffix == ".json")
    if len(paths) > MAX_ANCHORS:
        raise ConfigError(f"more than {MAX_ANCHORS} certificates in {folder}")
    return [_read_entry(path, kind) for path in paths]


def _read_entry(path: Path, kind: str) -> Entry:
    try:
        record: Any = loads(path.read_bytes())
        (encoded,) = read_certificates(path.with_suffix(".pem"))
        certificate = certificates.load(encoded)
        if record["schema"] != SCHEMA or not (
            record["fingerprint"] == certificate.fingerprint == path.stem
        ):
            raise ConfigError("certificate and record differ")
        return Entry(
            kind=kind,
            info=describe(certificate),
            authority=certificates.is_authority(certificate),
            vouched_by=str(record["vouched_by"]),
            how=str(record["how"]),
            added=parse_iso(record["added"]),
        )
    except (
        OSError,
        JsonError,
        KeyError,
        TypeError,
        ValueError,
        InputError,
        UnreadableFileError,
        ConfigError,
    ) as error:
        raise ConfigError(
            f"the trust store holds something that was not put there by this program: {path.name}",
            hint=f"look at {path} and remove it if you do not know it ({error})",
        ) from error


def remove_trust(home: Path, fingerprint: str) -> list[Entry | ListEntry]:
    """Stop trusting the certificate whose fingerprint begins so; gives back what was removed.

    Both kinds are looked at; several entries are removed only when they are one certificate. A
    trusted list goes by the SHA-256 of its file.

    Args:
        home: the home folder.
        fingerprint: its first characters, hexadecimal; spaces and colons do not count.

    Raises:
        InputError: too few characters, or none or several certificates fit.
        ConfigError: the store cannot be read.
    """
    prefix = "".join(c for c in fingerprint.lower() if c not in " :\t")
    if len(prefix) < MIN_PREFIX or set(prefix) - set("0123456789abcdef"):
        raise InputError(
            f"give at least {MIN_PREFIX} characters of the fingerprint",
            hint="'evidence-kit trust list' shows it",
        )
    fitting = [entry for entry in list_trust(home) if entry.info.fingerprint.startswith(prefix)]
    lists = [one for one in trusted_lists(home) if one.content.sha256.startswith(prefix)]
    if len({entry.info.fingerprint for entry in fitting} | {one.stem for one in lists}) != 1:
        raise InputError(
            "no trusted certificate or list with this fingerprint"
            if not fitting and not lists
            else "several trusted certificates or lists begin so",
            hint="evidence-kit trust list shows them",
        )
    for entry in fitting:
        stem = home / "trust" / entry.kind / entry.info.fingerprint
        try:
            stem.with_suffix(".json").unlink()
            stem.with_suffix(".pem").unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"cannot remove {stem.name}: {error.strerror}") from error
    for one in lists:
        remove_list(home, one)
    return [*fitting, *lists]


def load_anchors(
    home: Path, extra_signers: Sequence[Path] = (), extra_tsas: Sequence[Path] = ()
) -> TrustAnchors:
    """What is trusted in this run: the store, and the files named on the command line.

    Raises:
        ConfigError, InputError, UnreadableFileError: as the parts do.
    """
    found: dict[str, list[bytes]] = {"signers": [], "tsas": []}
    for entry in list_trust(home):
        found[entry.kind].append(entry.info.certificate)
    for kind, paths in (("signers", extra_signers), ("tsas", extra_tsas)):
        for path in paths:
            found[kind] += read_certificates(path)
    return TrustAnchors(
        signers=tuple(dict.fromkeys(found["signers"])),
        tsas=tuple(dict.fromkeys(found["tsas"])),
        lists=tuple(entry.content for entry in trusted_lists(home)),
    )


def _kind(kind: str) -> str:
    if kind not in KINDS:
        raise InputError(f"no kind of trust named {kind}", hint="one of: " + ", ".join(KINDS))
    return kind


def _loaded(encoded: bytes) -> certificates.Certificate:
    try:
        return certificates.load(encoded)
    except certificates.CertificateError as error:
        raise InputError(f"not a certificate: {error}") from error
