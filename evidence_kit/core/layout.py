"""Names in a bundle: the fixed ones, and what any name may look like (FORMAT.md section 2.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from evidence_kit.core.limits import MAX_NAME

MIMETYPE = "mimetype"
MIMETYPE_CONTENT = b"application/vnd.etsi.asic-e+zip"
"""ETSI EN 319 162-1 clause A.1: first entry, stored, no newline."""

META_INF = "META-INF/"
MANIFEST = "META-INF/ASiCManifest001.xml"
SIGNATURE = "META-INF/signature001.p7s"
DATA = "data/"
SUFFIX = ".asice"
README = "README.txt"
FORMAT = "FORMAT.md"

# The portable filename character set of POSIX (IEEE Std 1003.1, 3.265) is also a subset of what
# RFC 3986 calls unreserved: such a name is never quoted, escaped or normalised by any shell, URI,
# XML, JSON or file system. No leading dot (hidden files) or hyphen (taken for an option), no
# trailing dot (Windows drops it).
_SEGMENT = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?")

# Windows opens the device instead of a file, with any extension and in any case.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)


@dataclass(frozen=True)
class BadName:
    """A name that cannot stand in a bundle; ``reason`` is a few plain English words."""

    name: str
    reason: str
    duplicate: bool = False


def name_fault(name: str) -> str | None:
    """Why ``name`` cannot stand in a bundle, in a few words; None where it can."""
    if len(name) > MAX_NAME:
        return f"longer than {MAX_NAME} characters"
    for segment in name.split("/"):
        if not _SEGMENT.fullmatch(segment):
            return "empty part" if segment == "" else "character or form that is not allowed"
        if _DEVICE.fullmatch(segment):
            return "device name of Windows"
    return None


def first_bad_name(names: Iterable[str]) -> BadName | None:
    """The first name that is not allowed, or that a file system could take for another one.

    Every path must mean the same file where upper and lower case are one (Windows, macOS): no
    two names, no two folders and no file and folder may be equal after case folding.
    """
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for name in names:
        fault = name_fault(name)
        if fault is not None:
            return BadName(name, fault)
        folded = name.casefold()
        if folded in files:
            return BadName(name, "name twice", duplicate=True)
        files[folded] = name
        cut = name.find("/")
        while cut != -1:
            if folders.setdefault(folded[:cut], name[:cut]) != name[:cut]:
                return BadName(name, "folder differs from another only in case")
            cut = name.find("/", cut + 1)
    for folded, name in files.items():
        if folded in folders:
            return BadName(name, "file and folder at once")
    return None


def in_order(names: Iterable[str]) -> list[str]:
    """The one order of entries: ``mimetype``, then bytewise by name (ASCII, so by code point).

    ``META-INF/`` sorts before the bag's own files and before ``data/``, so a reader of one pass
    knows the signed digests before the evidence comes.
    """
    return sorted(names, key=lambda name: (name != MIMETYPE, name))


def custody_folder(bundle: Path) -> Path:
    """``NAME.custody`` beside ``NAME.asice``: what happened after the seal."""
    return bundle.parent / (bundle.name.removesuffix(SUFFIX) + ".custody")


def receipt_path(bundle: Path) -> Path:
    """``NAME.receipt.json`` beside ``NAME.asice``."""
    return bundle.parent / (bundle.name.removesuffix(SUFFIX) + ".receipt.json")
