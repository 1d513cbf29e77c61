"""META-INF/ASiCManifest001.xml: the signed list of files (ETSI EN 319 162-1 clause A.4).

Written and read in one form only, line by line (FORMAT.md section 4). No XML parser touches it:
what is not exactly this form is refused, and with it every trick that XML knows.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from evidence_kit.core.digests import Digests
from evidence_kit.core.findings import Finding
from evidence_kit.core.layout import MANIFEST, META_INF, MIMETYPE, SIGNATURE, first_bad_name
from evidence_kit.core.limits import MAX_ENTRIES, MAX_MANIFEST
from evidence_kit.seal.container_read import Walk, read_entry

MIME_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "avif": "image/avif",
        "car": "application/vnd.ipld.car",
        "cbor": "application/cbor",
        "eml": "message/rfc822",
        "gif": "image/gif",
        "jpeg": "image/jpeg",
        "jpg": "image/jpeg",
        "json": "application/json",
        "log": "text/plain",
        "m4a": "audio/mp4",
        "md": "text/markdown",
        "mhtml": "multipart/related",
        "mp3": "audio/mpeg",
        "mp4": "video/mp4",
        "ogg": "application/ogg",
        "pdf": "application/pdf",
        "pem": "application/pem-certificate-chain",
        "png": "image/png",
        "tsr": "application/timestamp-reply",
        "txt": "text/plain",
        "wacz": "application/wacz",
        "warc": "application/warc",
        "webm": "video/webm",
        "webp": "image/webp",
        "yaml": "application/yaml",
    }
)
"""Part of format 1: the type is fixed by the ending, so that the manifest has one form only."""

_OTHER = "application/octet-stream"

_HEAD = f"""\
<?xml version="1.0" encoding="UTF-8"?>
<asic:ASiCManifest xmlns:asic="http://uri.etsi.org/02918/v1.2.1#"\
 xmlns:ds="http://www.w3.org/2000/09/xmldsig#">
<asic:SigReference URI="{SIGNATURE}" MimeType="application/pkcs7-signature"/>
"""
_REFERENCE = """\
<asic:DataObjectReference URI="{name}" MimeType="{mime}">
<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha512"/>
<ds:DigestValue>{digest}</ds:DigestValue>
</asic:DataObjectReference>
"""
_TAIL = "</asic:ASiCManifest>\n"

_NAME = re.compile(r'<asic:DataObjectReference URI="([A-Za-z0-9._/-]+)" MimeType="[a-z0-9./+-]+">')
_DIGEST = re.compile(r"<ds:DigestValue>([A-Za-z0-9+/]{86}==)</ds:DigestValue>")
_LINES = _REFERENCE.count("\n")


class ManifestError(ValueError):
    """Not a manifest in the one form; the text says why in a few words."""


@dataclass(frozen=True)
class Manifest:
    """The signed list: SHA-512 of each file, lower-case hexadecimal, by name."""

    files: Mapping[str, str]


def is_listed(name: str) -> bool:
    """True for every file that the signed manifest must name.

    Not named are ``mimetype``, whose content the format fixes, the manifest, which is what is
    signed, and the signature, which cannot hold its own digest.
    """
    return name != MIMETYPE and not name.startswith(META_INF)


def mime_type(name: str) -> str:
    """The media type that stands in the manifest for a file of this name."""
    _, dot, ending = name.rpartition("/")[2].rpartition(".")
    return MIME_TYPES.get(ending, _OTHER) if dot else _OTHER


def write_manifest(files: Mapping[str, Digests]) -> bytes:
    """The manifest of these files, in the one form.

    Args:
        files: every file of the bundle; those of which :func:`is_listed` is false are left out.

    Raises:
        ManifestError: no file to list, or a name that the format does not allow.
    """
    return _render({name: digests.sha512 for name, digests in files.items() if is_listed(name)})


def read_manifest(data: bytes) -> Manifest:
    """Read a manifest of unknown origin.

    Raises:
        ManifestError: anything but the bytes that :func:`write_manifest` gives for its list.
    """
    if len(data) > MAX_MANIFEST:
        raise ManifestError(f"larger than {MAX_MANIFEST} bytes")
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        raise ManifestError("a character outside ASCII") from error
    if not (text.startswith(_HEAD) and text.endswith(_TAIL)):
        raise ManifestError("beginning or end differs")
    lines = text[len(_HEAD) : -len(_TAIL)].split("\n")
    if len(lines) > MAX_ENTRIES * _LINES + 1:
        raise ManifestError(f"more than {MAX_ENTRIES} files")
    files: dict[str, str] = {}
    for at in range(0, len(lines) - 1, _LINES):
        name, digest = _reference(lines[at : at + _LINES])
        if name in files:
            raise ManifestError(f"{name} twice")
        files[name] = digest
    if not all(map(is_listed, files)) or _render(files) != data:
        raise ManifestError("not in the one form")
    return Manifest(MappingProxyType(files))


def _reference(lines: list[str]) -> tuple[str, str]:
    if len(lines) == _LINES:
        name, digest = _NAME.fullmatch(lines[0]), _DIGEST.fullmatch(lines[2])
        if name and digest:
            return name[1], binascii.a2b_base64(digest[1]).hex()
    raise ManifestError("an entry has another form")


def _render(files: Mapping[str, str]) -> bytes:
    if not files:
        raise ManifestError("no file in it")
    bad = first_bad_name(files)
    if bad is not None:
        raise ManifestError(f"{bad.name!r}: {bad.reason}")
    parts = [_HEAD]
    for name in sorted(files):
        digest = base64.b64encode(bytes.fromhex(files[name])).decode("ascii")
        parts.append(_REFERENCE.format(name=name, mime=mime_type(name), digest=digest))
    return ("".join(parts) + _TAIL).encode("ascii")


def check_manifest(walked: Walk) -> tuple[Manifest | None, tuple[Finding, ...]]:
    """Read the manifest of a canonical container and compare it with the files, both ways.

    Whether the manifest is signed is another check's business.

    Returns:
        The manifest where it could be read, and ``manifest.ok`` or what is wrong.

    Raises:
        UnreadableFileError: the container can no longer be read, or changed since the walk.
    """
    if MANIFEST not in walked.entries:
        return None, (Finding("manifest.missing", MANIFEST),)
    if walked.entries[MANIFEST].size > MAX_MANIFEST:
        return None, (Finding("manifest.malformed", MANIFEST, {"reason": "too large"}),)
    try:
        manifest = read_manifest(read_entry(walked, MANIFEST, limit=MAX_MANIFEST))
    except ManifestError as error:
        return None, (Finding("manifest.malformed", MANIFEST, {"reason": str(error)}),)
    faults = tuple(_compare(manifest, walked))
    return manifest, faults or (Finding("manifest.ok", MANIFEST),)


def _compare(manifest: Manifest, walked: Walk) -> Iterator[Finding]:
    for name, sha512 in manifest.files.items():
        if name not in walked.entries:
            yield Finding("file.missing", name)
        elif walked.entries[name].digests.sha512 != sha512:
            yield Finding("file.changed", name)
    unlisted = {MIMETYPE, MANIFEST, SIGNATURE}
    for name in walked.entries:
        if name not in manifest.files and name not in unlisted:
            yield Finding("file.unlisted", name)
