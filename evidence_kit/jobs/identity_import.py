"""Identities whose certificate comes from an authority: request, import, smart card or HSM.

The organisation's own authority, or a public one, says whose key it is; its whole chain goes into
every signature, so that a verifier who trusts the top needs nothing else.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from evidence_kit.core.errors import (
    InputError,
    KeyUnavailableError,
    StorageError,
    UnreadableFileError,
)
from evidence_kit.core.user_text import plain_bytes
from evidence_kit.core.write_once import write_bytes_once
from evidence_kit.gather.hardware_key import certificates_in_token, read_uri
from evidence_kit.jobs.identity import (
    KEY,
    MAX_KEY_FILE,
    Identity,
    checked_fields,
    new_key,
    request_folder,
    require_new,
    require_passphrase,
    show_identity,
    store,
    subject_of,
    usage,
)
from evidence_kit.seal import x509 as certificates

REQUEST = "request.pem"
SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Request:
    """A request for a certificate; ``pem`` goes to the authority, the key stays here."""

    name: str
    path: Path
    pem: bytes


def request_identity(
    home: Path,
    name: str,
    *,
    organisation: str,
    passphrase: bytes,
    common_name: str = "",
    email: str = "",
    staff_code: str = "",
    kind: str = "p256",
) -> Request:
    """Make a key and a request for a certificate (PKCS #10); arguments as for ``create``.

    Raises:
        InputError: a value cannot be used.
        StorageError: an identity or request of that name exists, or cannot be written.
    """
    require_new(home, name)
    fields = checked_fields(organisation, common_name, email, staff_code)
    require_passphrase(passphrase)
    folder = request_folder(home, name)
    if folder.exists():
        raise StorageError(
            f"a request for {name} exists", hint=f"send {folder / REQUEST}, or choose another name"
        )
    key = new_key(kind)
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject_of(fields))
        .add_extension(usage(), critical=True)
    )
    if fields["email"]:
        names = x509.SubjectAlternativeName([x509.RFC822Name(fields["email"])])
        builder = builder.add_extension(names, critical=False)
    strong = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp384r1"
    made = builder.sign(key, hashes.SHA384() if strong else hashes.SHA256())
    pem = made.public_bytes(serialization.Encoding.PEM)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase),
    )
    try:
        folder.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise StorageError(f"cannot make {folder}: {error.strerror}") from error
    write_bytes_once(folder / KEY, encrypted, private=True)
    write_bytes_once(folder / REQUEST, pem)
    return Request(name, folder / REQUEST, pem)


def import_identity(
    home: Path,
    name: str,
    files: Sequence[Path],
    *,
    passphrase: bytes,
    file_passphrase: bytes | None,
    now: datetime,
) -> Identity:
    """Take over a key and its certificate, or the certificate for an earlier request.

    Args:
        home: the home folder.
        name: of the new identity.
        files: PKCS #12 or PEM, together with the key, its certificate and every issuer up to the
            self-signed one; without a key they must fit the request of this name.
        passphrase: encrypts the key here; for a request, the one it was made with.
        file_passphrase: opens the given files; None for those without.
        now: the certificate must be valid.

    Raises:
        InputError: not such files, or a certificate that does not sign bundles.
        KeyUnavailableError: a wrong passphrase.
        StorageError: the identity exists, or cannot be written.
    """
    require_new(home, name)
    require_passphrase(passphrase)
    keys: list[SigningKey] = []
    found: list[bytes] = []
    for path in files:
        more_keys, more = _read(path, file_passphrase)
        keys += more_keys
        found += more
    request = request_folder(home, name)
    requested = not keys and (request / KEY).is_file()
    if requested:
        keys = [_open((request / KEY).read_bytes(), passphrase, f"the request for {name}")]
    if len(keys) != 1:
        raise InputError(
            f"{len(keys)} private keys in these files, and no request for {name}",
            hint="give one key with its certificate, or the certificate for a request",
        )
    chain = _chain(found, keys[0].public_key(), now)
    encrypted = keys[0].private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase),
    )
    store(home, name, chain, now, key=encrypted)
    if requested:
        shutil.rmtree(request)
    return show_identity(home, name)


def import_hardware(
    home: Path, name: str, uri: str, files: Sequence[Path], *, pin: str, now: datetime
) -> Identity:
    """Use a key that stays in a smart card or HSM.

    Args:
        home: the home folder.
        name: of the new identity.
        uri: which key (RFC 7512); kept, without a PIN.
        files: PEM with the certificate and its issuers, added to those that the token holds.
        pin: of the token, to read certificates and make one signature as a trial.
        now: the certificate must be valid.

    Raises:
        InputError: no certificate fits.
        KeyUnavailableError: the token or key cannot be used.
        StorageError: the identity exists, or cannot be written.
    """
    from evidence_kit.gather.hardware_key import HardwareSigner

    require_new(home, name)
    where = read_uri(uri)
    found = certificates_in_token(where, pin)
    for path in files:
        found += _read(path, None)[1]
    candidates = [
        one for one in dict.fromkeys(found) if not certificates.is_authority(certificates.load(one))
    ]
    for leaf in candidates:
        certificate = certificates.load(leaf)
        signer = HardwareSigner(where, pin, leaf)
        if _signs(signer, certificate):
            chain = _chain(found, certificate.parsed.public_key(), now)
            store(home, name, chain, now, hardware=uri)
            return show_identity(home, name)
    raise InputError(
        "no certificate belongs to the key in the token",
        hint="give its certificate as a PEM file as well",
    )


def _signs(signer: object, certificate: certificates.Certificate) -> bool:
    """A trial signature: a certificate beside a key need not be that key's."""
    from evidence_kit.gather.hardware_key import HardwareSigner

    if not isinstance(signer, HardwareSigner):
        raise TypeError("not a hardware key")
    trial = b"evidence-kit: does this key belong to this certificate?"
    try:
        digest = certificates.digest_for(certificate)
    except certificates.CertificateError:
        return False
    return certificates.verify(
        certificate,
        data=trial,
        signature=signer.sign(trial),
        digest=digest,
        ecdsa=certificates.signature_width(certificate) is not None,
    )


def _read(path: Path, passphrase: bytes | None) -> tuple[list[SigningKey], list[bytes]]:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_KEY_FILE + 1)
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise UnreadableFileError(
            f"cannot read {path.name}: {reason}", hint="check the path and your rights to the file"
        ) from error
    if len(data) > MAX_KEY_FILE:
        raise InputError(f"{path.name} is too large for a key with its certificates")
    data = plain_bytes(data)
    if b"-----BEGIN " not in data:
        return _read_pkcs12(path, data, passphrase)
    keys = [_open(data, passphrase, path.name)] if b"PRIVATE KEY-----" in data else []
    try:
        loaded = x509.load_pem_x509_certificates(data) if b"N CERTIFICATE-----" in data else []
    except ValueError as error:
        raise InputError(f"{path.name} holds a certificate that cannot be read") from error
    return keys, [one.public_bytes(serialization.Encoding.DER) for one in loaded]


def _read_pkcs12(
    path: Path, data: bytes, passphrase: bytes | None
) -> tuple[list[SigningKey], list[bytes]]:
    try:
        bundle = pkcs12.load_pkcs12(data, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnavailableError(
            f"{path.name} cannot be opened: wrong passphrase, or not PKCS #12 or PEM",
            hint="its own passphrase is read with --file-passphrase-fd or asked for",
        ) from error
    held = [one.certificate for one in bundle.additional_certs]
    if bundle.cert is not None:
        held.append(bundle.cert.certificate)
    keys = [] if bundle.key is None else [_allowed(bundle.key, path.name)]
    return keys, [one.public_bytes(serialization.Encoding.DER) for one in held]


def _open(pem: bytes, passphrase: bytes | None, what: str) -> SigningKey:
    try:
        secret = passphrase if b"ENCRYPTED" in pem else None
        return _allowed(serialization.load_pem_private_key(pem, secret), what)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise KeyUnavailableError(
            f"the key of {what} cannot be opened: wrong passphrase or damaged file"
        ) from error


def _allowed(key: object, what: str) -> SigningKey:
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise InputError(f"the key of {what} is of a kind that does not sign bundles")
    return key


def _chain(found: Sequence[bytes], public: object, now: datetime) -> tuple[bytes, ...]:
    """The key's certificate, then its issuers up to the self-signed one, and no other."""
    try:
        loaded = [certificates.load(one) for one in dict.fromkeys(found)]
    except certificates.CertificateError as error:
        raise InputError(f"a certificate that cannot be used: {error}") from error
    fitting = [one for one in loaded if one.parsed.public_key() == public]
    if len(fitting) != 1:
        raise InputError(
            f"{len(fitting)} certificates of the key in these files",
            hint="give exactly one, with its issuers",
        )
    leaf = fitting[0]
    coverage = certificates.cover(leaf, [one for one in loaded if one is not leaf])
    if coverage.loose or (len(coverage.used) == 1 and not certificates.issued_by(leaf, leaf)):
        raise InputError(
            "the certificate's issuers are not complete",
            hint="add every issuer up to the self-signed one, as PEM",
        )
    try:
        certificates.digest_for(leaf)
    except certificates.CertificateError as error:
        raise InputError(str(error)) from error
    if not certificates.may_sign(leaf):
        raise InputError("the certificate's key usage does not allow signatures")
    if not leaf.valid_at(now):
        raise InputError("the certificate is not valid now")
    return tuple(one.encoded for one in coverage.used)
