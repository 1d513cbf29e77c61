"""The signed manifest: one form, written and read, and compared with the files both ways."""

from __future__ import annotations

import base64
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_kit.core.digests import digest_bytes
from evidence_kit.core.layout import MANIFEST, SIGNATURE
from evidence_kit.core.limits import MAX_MANIFEST
from evidence_kit.seal.container_read import walk
from evidence_kit.seal.manifest import (
    ManifestError,
    check_manifest,
    mime_type,
    read_manifest,
    write_manifest,
)
from tests.small_bundle import bundle_files, pack

ASIC = "{http://uri.etsi.org/02918/v1.2.1#}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"
FILES = {"data/b.png": b"b", "data/a.json": b"a", "README.txt": b"r", "mimetype": b"m"}
DIGESTS = {name: digest_bytes(data) for name, data in FILES.items()}
GOOD = write_manifest(DIGESTS | {MANIFEST: digest_bytes(b""), SIGNATURE: digest_bytes(b"")})


def codes(folder: Path, files: dict[str, bytes]) -> list[tuple[str, str]]:
    _, findings = check_manifest(walk(pack(folder / "x.asice", files)))
    return [(finding.code, finding.subject) for finding in findings]


def test_what_is_written_is_read_back() -> None:
    assert read_manifest(GOOD).files == {
        name: DIGESTS[name].sha512 for name in ("README.txt", "data/a.json", "data/b.png")
    }


def test_the_structure_is_that_of_the_schema() -> None:
    """EN 319 162-1 clause A.4: SigReference, then DataObjectReference+, digests as in XMLDSIG."""
    root = ElementTree.fromstring(GOOD)
    assert root.tag == ASIC + "ASiCManifest"
    reference, *objects = root
    assert reference.tag == ASIC + "SigReference"
    assert reference.attrib == {"URI": SIGNATURE, "MimeType": "application/pkcs7-signature"}
    assert [item.attrib for item in objects] == [
        {"URI": "README.txt", "MimeType": "text/plain"},
        {"URI": "data/a.json", "MimeType": "application/json"},
        {"URI": "data/b.png", "MimeType": "image/png"},
    ]
    for item in objects:
        assert item.tag == ASIC + "DataObjectReference"
        method, value = item
        assert method.tag == DS + "DigestMethod"
        assert method.attrib == {"Algorithm": "http://www.w3.org/2001/04/xmlenc#sha512"}
        assert value.tag == DS + "DigestValue"
        assert base64.b64decode(value.text or "").hex() == DIGESTS[item.attrib["URI"]].sha512


def test_golden_bytes() -> None:
    """Format 1 for ever."""
    assert digest_bytes(GOOD).sha256 == (
        "0e370ed74a59dd67a515725ee531333b3e2ee4673e821deb078e0f7b47b2f160"
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("data/web/page.mhtml", "multipart/related"),
        ("data/web.d/page", "application/octet-stream"),
        ("png", "application/octet-stream"),
        ("data/x.PNG", "application/octet-stream"),
        ("data/api/exchanges.warc", "application/warc"),
    ],
)
def test_media_types_follow_from_the_ending(name: str, expected: str) -> None:
    assert mime_type(name) == expected


ENTITY = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>'
HEAD_END = GOOD.index(b"<asic:DataObjectReference")
BLOCK_END = GOOD.index(b"</asic:DataObjectReference>\n") + len(b"</asic:DataObjectReference>\n")
BLOCK = GOOD[HEAD_END:BLOCK_END]


@pytest.mark.parametrize(
    "data",
    {
        "empty": b"",
        "cut": GOOD[:-1],
        "cut in an entry": GOOD[:BLOCK_END] + b"<asic:Data\n</asic:ASiCManifest>\n",
        "more behind": GOOD + b"\n",
        "byte order mark": b"\xef\xbb\xbf" + GOOD,
        "UTF-16": GOOD.decode().encode("utf-16"),
        "CRLF": GOOD.replace(b"\n", b"\r\n"),
        "DTD with entities": GOOD.replace(b"?>\n", b"?>\n" + ENTITY, 1),
        "XInclude": GOOD.replace(
            b"</asic:ASiC", b'<xi:include href="file:///etc/passwd"/></asic:ASiC'
        ),
        "comment": GOOD.replace(BLOCK, BLOCK + b"<!-- -->\n"),
        "no files": GOOD[:HEAD_END] + b"</asic:ASiCManifest>\n",
        "file twice": GOOD.replace(BLOCK, BLOCK * 2),
        "another order": GOOD[:HEAD_END]
        + GOOD[BLOCK_END:].replace(b"</asic:ASiCManifest>\n", b"")
        + BLOCK
        + b"</asic:ASiCManifest>\n",
        "quotes": GOOD.replace(b'"README.txt"', b"'README.txt'"),
        "character reference": GOOD.replace(b"README", b"&#82;EADME"),
        "percent encoding": GOOD.replace(b"README", b"%52EADME"),
        "traversal": GOOD.replace(b"README.txt", b"../README.txt"),
        "the signature itself": GOOD.replace(b'URI="README.txt"', b'URI="META-INF/x.txt"'),
        "mimetype": GOOD.replace(b'URI="README.txt"', b'URI="mimetype"'),
        "another signature": GOOD.replace(b"signature001", b"signature002"),
        "another digest method": GOOD.replace(b"xmlenc#sha512", b"xmlenc#sha256", 1),
        "another media type": GOOD.replace(b"text/plain", b"text/html", 1),
        "digest not canonical": GOOD.replace(b"A==<", b"B==<")
        .replace(b"Q==<", b"R==<")
        .replace(b"g==<", b"h==<")
        .replace(b"w==<", b"x==<"),
        "upper-case element": GOOD.replace(b"ds:DigestValue", b"ds:digestvalue", 1),
        "not ASCII": GOOD.replace(b"README", "RÉADME".encode()),
        "too large": GOOD + b" " * MAX_MANIFEST,
        "too many": GOOD.replace(BLOCK, BLOCK * 1100),
    }.values(),
)
def test_any_other_form_is_refused(data: bytes) -> None:
    assert data != GOOD
    with pytest.raises(ManifestError):
        read_manifest(data)


def test_a_name_that_needs_quoting_is_never_written() -> None:
    with pytest.raises(ManifestError):
        write_manifest({'data/a"b': digest_bytes(b"")})


CUTS = st.integers(0, len(GOOD))


@settings(max_examples=300, deadline=None)
@given(CUTS, CUTS, st.binary(max_size=30))
def test_any_mutation_is_another_list_or_refused(start: int, stop: int, new: bytes) -> None:
    data = GOOD[:start] + new + GOOD[max(start, stop) :]
    try:
        manifest = read_manifest(data)
    except ManifestError:
        return
    assert (manifest == read_manifest(GOOD)) is (data == GOOD)


def test_a_good_bundle(tmp_path: Path) -> None:
    assert codes(tmp_path, bundle_files()) == [("manifest.ok", MANIFEST)]


def test_a_bundle_without_manifest(tmp_path: Path) -> None:
    files = bundle_files()
    del files[MANIFEST]
    assert codes(tmp_path, files) == [("manifest.missing", MANIFEST)]


@pytest.mark.parametrize("data", [b"", b"<x/>", b" " * (MAX_MANIFEST + 1)])
def test_a_bundle_with_another_manifest(tmp_path: Path, data: bytes) -> None:
    files = bundle_files() | {MANIFEST: data}
    assert codes(tmp_path, files) == [("manifest.malformed", MANIFEST)]


def test_changed_missing_and_unlisted_files(tmp_path: Path) -> None:
    files = bundle_files()
    files["data/text.txt"] += b"!"
    del files["data/media/foto.jpg"]
    files["data/extra.txt"] = b"x"
    files["META-INF/signature002.p7s"] = b"x"
    assert codes(tmp_path, files) == [
        ("file.missing", "data/media/foto.jpg"),
        ("file.changed", "data/text.txt"),
        ("file.unlisted", "META-INF/signature002.p7s"),
        ("file.unlisted", "data/extra.txt"),
    ]


def test_two_files_swapped(tmp_path: Path) -> None:
    files = bundle_files()
    one, two = "data/text.txt", "data/capture.json"
    files[one], files[two] = files[two], files[one]
    assert codes(tmp_path, files) == [("file.changed", two), ("file.changed", one)]


@pytest.mark.parametrize("bit", range(0, 8 * 23, 5))
def test_a_bit_of_a_file_with_the_crc_recomputed(tmp_path: Path, bit: int) -> None:
    files = bundle_files()
    data = bytearray(files["data/text.txt"])
    data[bit // 8] ^= 1 << bit % 8
    files["data/text.txt"] = bytes(data)
    assert codes(tmp_path, files) == [("file.changed", "data/text.txt")]
