"""FORMAT.md says what the code does, where a table or constant can be compared."""

from __future__ import annotations

import re
from pathlib import Path

from evidence_kit.core.layout import MIMETYPE_CONTENT, name_fault
from evidence_kit.core.limits import MAX_ENTRIES, MAX_JSON_DEPTH, MAX_NAME, MAX_SIGNATURE
from evidence_kit.seal import container_structure as structure
from evidence_kit.seal.manifest import MIME_TYPES, read_manifest, write_manifest
from tests.small_bundle import bundle_files
from tests.zip_forge import DATE, TIME

TEXT = (Path(structure.__file__).parent.parent / "FORMAT.md").read_text("utf-8")
CLAIM = structure.Claim("data/x", 5, 0x11223344, 7, (DATE << 16 | TIME).to_bytes(4, "little"))


def rows(section: str) -> list[list[str]]:
    """The cells of every table row between this heading and the next."""
    body = TEXT.partition(f"\n{section}\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    lines = [line for line in body.splitlines() if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_limits() -> None:
    assert f"1 to {MAX_NAME} characters" in TEXT
    assert f"1 to {MAX_ENTRIES} entries" in TEXT
    assert f"deeper than {MAX_JSON_DEPTH}" in TEXT
    assert f"at most {MAX_SIGNATURE >> 20} MiB" in TEXT
    assert f"the {len(MIMETYPE_CONTENT)} bytes `{MIMETYPE_CONTENT.decode()}`" in TEXT


def test_the_printed_pattern_is_the_one_in_use() -> None:
    pattern = re.search(r"`(\[A-Za-z0-9_\]\(.*\)\?)`", TEXT)
    assert pattern is not None
    for segment in ("a", "a.b", ".a", "a.", "-a", "a-", "a b", "_", "a..b", "é", ""):
        assert (re.fullmatch(pattern[1], segment) is not None) is (name_fault(segment) is None)


def test_header_tables_have_the_derived_lengths() -> None:
    for section, fields in (
        ("### 2.4 Local header", structure._local_fields(CLAIM, CLAIM.stamp)),
        ("### 2.5 Central header", structure._central_fields(CLAIM, CLAIM.stamp)),
    ):
        fixed = [row for row in rows(section) if row[0].isdigit() and row[1].isdigit()]
        length = 0
        for offset, size, *_ in fixed:
            assert int(offset) == length, (section, offset)
            length += int(size)
        derived = sum(len(value) for name, value in fields if name not in {"name", "extra"})
        assert length == derived
        printed = bytes.fromhex(fixed[0][3].strip("`"))
        assert printed == fields[0][1]


def test_end_tables_have_the_derived_lengths() -> None:
    sizes = [sum(map(int, row[0].split(", "))) for row in rows("### 2.6 End") if row[0] != "bytes"]
    far = structure._end_fields(3, 1 << 33, 200)
    assert sum(sizes) == sum(len(value) for _, value in far)


def test_media_types() -> None:
    printed: dict[str, str] = {}
    for row in rows("## 4 Signed manifest"):
        for endings, kind in (row[:2], row[2:]):
            if endings not in {"", "ending"}:
                printed |= dict.fromkeys(endings.split(", "), kind)
    assert printed == dict(MIME_TYPES)


def test_the_printed_manifest_is_the_form() -> None:
    block = TEXT.partition("## 4 Signed manifest")[2].split("```")[1].removeprefix("\n")
    manifest = next(data for name, data in bundle_files().items() if name.endswith(".xml"))
    name, sha512 = next(iter(read_manifest(manifest).files.items()))
    digests = {name: _Sha512(sha512)}
    written = write_manifest(digests).decode()  # type: ignore[arg-type]
    value = re.search(r"<ds:DigestValue>(.*)</", written)
    assert value is not None
    printed = block.replace("NAME", name).replace("TYPE", "text/plain")
    assert len(value[1]) == 88
    assert printed.replace("BASE64 OF THE SHA-512, 88 CHARACTERS", value[1]) == written


class _Sha512:
    """Stands for digests of which only the SHA-512 matters."""

    def __init__(self, sha512: str) -> None:
        self.sha512 = sha512
