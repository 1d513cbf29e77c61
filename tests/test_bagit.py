"""The bag: what is written reads as a bag, and every disagreement is found in both directions."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_kit.core.digests import digest_bytes
from evidence_kit.core.layout import MIMETYPE_CONTENT
from evidence_kit.seal.bagit import MAX_VALUE, check_bag, tag_files
from evidence_kit.seal.container_read import walk
from evidence_kit.seal.manifest import check_manifest
from tests.small_bundle import CONTENT, INFO, bundle_files, pack

Files = dict[str, bytes]
LISTS = [
    "manifest-sha256.txt",
    "manifest-sha512.txt",
    "tagmanifest-sha256.txt",
    "tagmanifest-sha512.txt",
]


def found(folder: Path, files: Files) -> set[tuple[str, str, tuple[str, ...]]]:
    walked = walk(pack(folder / "x.asice", files))
    assert walked.canonical
    manifest, _ = check_manifest(walked)
    return {(f.code, f.subject, tuple(sorted(f.params))) for f in check_bag(walked, manifest)}


def test_a_good_bag(tmp_path: Path) -> None:
    assert found(tmp_path, bundle_files()) == {("bag.ok", "", ())}


def test_the_lists_name_what_they_must() -> None:
    files = bundle_files()
    payload = {name for name in CONTENT if name.startswith("data/")}
    tags = {"README.txt", "custody/0001-captured.json", "mimetype", "bagit.txt", "bag-info.txt"}
    tags |= {"manifest-sha256.txt", "manifest-sha512.txt"}
    everything = files | {"mimetype": MIMETYPE_CONTENT}
    for name in LISTS:
        algorithm = name.partition("-")[2][:6]
        expected = tags if name.startswith("tag") else payload
        lines = files[name].decode().splitlines()
        assert lines == [
            f"{hashlib.new(algorithm, everything[path]).hexdigest()}  {path}"
            for path in sorted(expected)
        ]


def test_bag_info_has_the_reserved_fields() -> None:
    text = bundle_files()["bag-info.txt"].decode()
    assert text == (
        "Source-Organization: Voorbeeldziekenhuis\n"
        "Contact-Name: ICT-balie\n"
        "External-Identifier: 20261123T102030Z-example\n"
        "Bagging-Date: 2026-11-23\n"
        "Bag-Software-Agent: evidence-kit\n"
        f"Payload-Oxum: {16 + 2048 + 23}.3\n"
    )


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_no_value_can_begin_a_line(one: str, two: str) -> None:
    info = replace(INFO, source_organization=one, external_description=two)
    text = tag_files({}, info)["bag-info.txt"].decode("utf-8")
    labels = [line.partition(":")[0] for line in text.splitlines()]
    assert sorted(labels) == sorted(set(labels))
    assert set(labels) <= {
        "Source-Organization",
        "Contact-Name",
        "External-Description",
        "External-Identifier",
        "Bagging-Date",
        "Bag-Software-Agent",
        "Payload-Oxum",
    }


def test_injection_and_length(tmp_path: Path) -> None:
    info = replace(
        INFO, contact_name="A\r\nPayload-Oxum: 9.9\u2028x\u202ey", external_description="é" * 5000
    )
    files = bundle_files(info=info)
    text = files["bag-info.txt"].decode()
    assert "Contact-Name: A Payload-Oxum: 9.9 x y\n" in text
    assert f"External-Description: {'é' * MAX_VALUE}\n" in text
    assert found(tmp_path, files) == {("bag.ok", "", ())}


def _changed(files: Files) -> None:
    files["data/text.txt"] = files["data/text.txt"].replace(b"werkt", b"woont")


def _missing(files: Files) -> None:
    del files["data/text.txt"]


def _unlisted(files: Files) -> None:
    files["data/extra.txt"] = b"x"


def _tag_changed(files: Files) -> None:
    files["README.txt"] = b"trust me\n"


def _tag_unlisted(files: Files) -> None:
    files["custody/0002-x.json"] = b"{}"


def _oxum(files: Files) -> None:
    files["bag-info.txt"] = files["bag-info.txt"].replace(b".3\n", b".4\n")


def _recomputed(files: Files) -> None:
    """A forger who makes the bag right again: only the signed manifest knows better."""
    _changed(files)
    content = {name: files[name] for name in CONTENT}
    files |= tag_files({name: digest_bytes(data) for name, data in content.items()}, INFO)


DISAGREEMENTS: list[tuple[Callable[[Files], None], set[tuple[str, tuple[str, ...]]]]] = [
    (_changed, {(LISTS[0], ("changed",)), (LISTS[1], ("changed",))}),
    (
        _missing,
        {(LISTS[0], ("missing",)), (LISTS[1], ("missing",)), ("bag-info.txt", ("changed",))},
    ),
    (
        _unlisted,
        {(LISTS[0], ("unlisted",)), (LISTS[1], ("unlisted",)), ("bag-info.txt", ("changed",))},
    ),
    (_tag_changed, {(LISTS[2], ("changed",)), (LISTS[3], ("changed",))}),
    (_tag_unlisted, {(LISTS[2], ("unlisted",)), (LISTS[3], ("unlisted",))}),
    (
        _oxum,
        {("bag-info.txt", ("changed",)), (LISTS[2], ("changed",)), (LISTS[3], ("changed",))},
    ),
    (_recomputed, {(LISTS[1], ("signed",)), (LISTS[3], ("signed",))}),
]


@pytest.mark.parametrize(("forge", "expected"), DISAGREEMENTS)
def test_disagreements(
    tmp_path: Path, forge: Callable[[Files], None], expected: set[tuple[str, tuple[str, ...]]]
) -> None:
    files = bundle_files()
    forge(files)
    assert found(tmp_path, files) == {("bag.disagrees", name, how) for name, how in expected}


@pytest.mark.parametrize("name", [*LISTS, "bagit.txt", "bag-info.txt"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: None,
        lambda data: data[:-1],
        lambda data: b"\n" + data,
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data + b"\xff\xfe\n",
        lambda data: data + b"../x\n",
        lambda data: data + b"0" * 64 + b"  ../../etc/passwd\n" if data else data,
        lambda data: data + b"x" * (5 << 20),
    ],
)
def test_malformed_tag_files(
    tmp_path: Path, name: str, damage: Callable[[bytes], bytes | None]
) -> None:
    files = bundle_files()
    data = damage(files.pop(name))
    if data is not None:
        files[name] = data
    malformed = {subject for code, subject, _ in found(tmp_path, files) if code == "bag.malformed"}
    assert malformed == {name}


@pytest.mark.parametrize("name", [*LISTS, "bag-info.txt"])
def test_an_emptied_tag_file_disagrees(tmp_path: Path, name: str) -> None:
    subjects = {
        subject
        for code, subject, _ in found(tmp_path, bundle_files() | {name: b""})
        if code == "bag.disagrees"
    }
    assert name in subjects


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: lines[::-1],
        lambda lines: [*lines, lines[-1]],
        lambda lines: [line.upper() for line in lines],
        lambda lines: [line.replace("  ", " *") for line in lines],
        lambda lines: [line.replace("  ", " ") for line in lines],
        lambda lines: [line[2:] for line in lines],
        lambda lines: [line.replace("data/", "data//") for line in lines],
    ],
)
def test_lists_in_another_form(tmp_path: Path, damage: Callable[[list[str]], list[str]]) -> None:
    files = bundle_files()
    lines = files[LISTS[0]].decode().splitlines()
    files[LISTS[0]] = "".join(line + "\n" for line in damage(lines)).encode()
    codes = {code for code, subject, _ in found(tmp_path, files) if subject == LISTS[0]}
    assert codes == {"bag.malformed"}


def test_without_a_signed_manifest_the_bag_is_still_checked(tmp_path: Path) -> None:
    files = bundle_files()
    walked = walk(pack(tmp_path / "x.asice", files))
    assert [finding.code for finding in check_bag(walked, None)] == ["bag.ok"]


def test_a_finding_names_some_files_only(tmp_path: Path) -> None:
    files = bundle_files()
    files |= {f"data/x{number:03}": b"" for number in range(50)}
    walked = walk(pack(tmp_path / "x.asice", files))
    unlisted = [f.params["unlisted"] for f in check_bag(walked, None) if "unlisted" in f.params]
    assert all(text.endswith(", data/x009 +40") for text in unlisted)
    assert len(unlisted) == 2


@pytest.mark.outside
def test_coreutils_read_the_lists(tmp_path: Path) -> None:
    for name, data in (bundle_files() | {"mimetype": MIMETYPE_CONTENT}).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for name in LISTS:
        tool = name.partition("-")[2][:6] + "sum"
        subprocess.run([tool, "--strict", "--quiet", "-c", name], cwd=tmp_path, check=True)
