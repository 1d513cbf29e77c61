"""The tag files that make the unzipped folder a BagIt bag (RFC 8493), written and checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from evidence_kit.core.digests import Digests, digest_bytes
from evidence_kit.core.findings import Finding
from evidence_kit.core.layout import DATA, META_INF, MIMETYPE, MIMETYPE_CONTENT, name_fault
from evidence_kit.core.limits import MAX_MANIFEST
from evidence_kit.seal.container_read import Walk, read_entry
from evidence_kit.seal.manifest import Manifest

DECLARATION = "bagit.txt"
INFO = "bag-info.txt"
ALGORITHMS = ("sha256", "sha512")
TAG_MANIFESTS = tuple(f"tagmanifest-{algorithm}.txt" for algorithm in ALGORITHMS)
_DECLARATION_BYTES = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"

MAX_VALUE = 1000
"""Characters of one value in bag-info.txt; organisations' and persons' names are far shorter."""

MAX_NAMED = 10
"""Files that one finding names; the signed manifest's findings name them all."""

_LINE = re.compile(r"([0-9a-f]+)  ([!-~]+)")
_INFO_LINE = re.compile(r"[A-Za-z][A-Za-z0-9-]*: [^\x00-\x20][^\x00-\x1f]*")
_OXUM = "Payload-Oxum"
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]+")


@dataclass(frozen=True)
class BagInfo:
    """What bag-info.txt says (RFC 8493 section 2.2.2); an empty field is left out.

    ``contact_name`` is the staff code or desk: names of persons belong in the part of the
    bundle that can be withheld.
    """

    source_organization: str
    external_identifier: str
    bagging_date: datetime
    software_agent: str
    contact_name: str = ""
    contact_email: str = ""
    contact_phone: str = ""
    external_description: str = ""


def tag_files(files: Mapping[str, Digests], info: BagInfo) -> dict[str, bytes]:
    """All tag files of the bag, by name.

    Args:
        files: digests of everything else in the bundle: ``data/…`` and further tag files such
            as ``README.txt``, ``FORMAT.md`` and ``custody/…``. ``mimetype`` is added here;
            ``META-INF/`` is left out, because it is made after the bag.
        info: what bag-info.txt says.
    """
    payload = {name: digests for name, digests in files.items() if name.startswith(DATA)}
    made = {DECLARATION: _DECLARATION_BYTES, INFO: _info(payload, info)}
    for algorithm in ALGORITHMS:
        made[f"manifest-{algorithm}.txt"] = _lines(payload, algorithm)
    tags = {name: digests for name, digests in files.items() if _is_tag(name)}
    tags[MIMETYPE] = digest_bytes(MIMETYPE_CONTENT)
    tags |= {name: digest_bytes(data) for name, data in made.items()}
    for algorithm in ALGORITHMS:
        made[f"tagmanifest-{algorithm}.txt"] = _lines(tags, algorithm)
    return made


def check_bag(walked: Walk, manifest: Manifest | None) -> Iterator[Finding]:
    """RFC 8493 section 3, in both directions, of a canonical container.

    Each of the four lists must have the one form, name exactly the files that it must name with
    the digests that they have, and agree with the signed manifest, also about a file that is
    not there. Payload-Oxum must be right.

    Args:
        walked: the container; nothing else is read.
        manifest: the signed one, None where it could not be read.

    Raises:
        UnreadableFileError: the container can no longer be read, or changed since the walk.
    """
    sound = True
    for finding in _faults(walked, manifest):
        sound = False
        yield finding
    if sound:
        yield Finding("bag.ok")


def _faults(walked: Walk, manifest: Manifest | None) -> Iterator[Finding]:
    if _read(walked, DECLARATION) != _DECLARATION_BYTES:
        yield Finding("bag.malformed", DECLARATION)
    yield from _check_info(walked)
    for algorithm in ALGORITHMS:
        for stem, belongs in (("manifest", _is_payload), ("tagmanifest", _is_tag)):
            name = f"{stem}-{algorithm}.txt"
            listed = _parse(_read(walked, name), algorithm)
            if listed is None:
                yield Finding("bag.malformed", name)
                continue
            present = {
                path: str(getattr(entry.digests, algorithm))
                for path, entry in walked.entries.items()
                if belongs(path)
            }
            yield from _compare(name, listed, present)
            if manifest is not None and algorithm == "sha512":
                yield from _against_signed(name, listed, manifest)


def _compare(name: str, listed: Mapping[str, str], present: Mapping[str, str]) -> Iterator[Finding]:
    faults = {
        "changed": [path for path in listed if present.get(path, listed[path]) != listed[path]],
        "missing": [path for path in listed if path not in present],
        "unlisted": [path for path in present if path not in listed],
    }
    if any(faults.values()):
        yield Finding("bag.disagrees", name, {how: _named(v) for how, v in faults.items() if v})


def _against_signed(name: str, listed: Mapping[str, str], manifest: Manifest) -> Iterator[Finding]:
    """The two lists of SHA-512 say the same of every file that both must name."""
    differ = [
        path
        for path, digest in listed.items()
        if path != MIMETYPE and manifest.files.get(path) != digest
    ]
    if differ:
        yield Finding("bag.disagrees", name, {"signed": _named(differ)})


def _check_info(walked: Walk) -> Iterator[Finding]:
    data = _read(walked, INFO)
    try:
        lines = data.decode("utf-8").split("\n") if data is not None else []
    except UnicodeDecodeError:
        lines = []
    if not lines or lines.pop() != "" or not all(map(_INFO_LINE.fullmatch, lines)):
        yield Finding("bag.malformed", INFO)
        return
    sizes = [entry.size for path, entry in walked.entries.items() if _is_payload(path)]
    stated = [line for line in lines if line.startswith(f"{_OXUM}:")]
    if stated != [f"{_OXUM}: {sum(sizes)}.{len(sizes)}"]:
        yield Finding("bag.disagrees", INFO, {"changed": _OXUM})


def _read(walked: Walk, name: str) -> bytes | None:
    entry = walked.entries.get(name)
    if entry is None or entry.size > MAX_MANIFEST:
        return None
    return read_entry(walked, name, limit=MAX_MANIFEST)


def _parse(data: bytes | None, algorithm: str) -> dict[str, str] | None:
    """The list, or None where it is not there or not in the one form that is written."""
    if data is None:
        return None
    length = 2 * {"sha256": 32, "sha512": 64}[algorithm]
    listed: dict[str, str] = {}
    previous = ""
    lines = data.decode("ascii", "replace").split("\n")
    if lines.pop() != "":
        return None
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None or len(match[1]) != length or name_fault(match[2]) is not None:
            return None
        if match[2] <= previous:
            return None
        previous = match[2]
        listed[match[2]] = match[1]
    return listed


def _lines(files: Mapping[str, Digests], algorithm: str) -> bytes:
    """RFC 8493 section 2.1.3, in the form that ``sha256sum -c`` reads."""
    lines = [f"{getattr(files[name], algorithm)}  {name}\n" for name in sorted(files)]
    return "".join(lines).encode("ascii")


def _info(payload: Mapping[str, Digests], info: BagInfo) -> bytes:
    size = sum(digests.size for digests in payload.values())
    fields = {
        "Source-Organization": info.source_organization,
        "Contact-Name": info.contact_name,
        "Contact-Phone": info.contact_phone,
        "Contact-Email": info.contact_email,
        "External-Description": info.external_description,
        "External-Identifier": info.external_identifier,
        "Bagging-Date": info.bagging_date.astimezone(UTC).date().isoformat(),
        "Bag-Software-Agent": info.software_agent,
        _OXUM: f"{size}.{len(payload)}",
    }
    lines = [f"{label}: {value}\n" for label, raw in fields.items() if (value := one_line(raw))]
    return "".join(lines).encode("utf-8")


def one_line(value: str) -> str:
    """A value that cannot begin a line of its own, nor turn the reading direction."""
    return _UNPRINTABLE.sub(" ", value).strip()[:MAX_VALUE].rstrip()


def _is_payload(name: str) -> bool:
    return name.startswith(DATA)


def _is_tag(name: str) -> bool:
    """True for what the tag manifests list: all but the payload, META-INF/ and themselves."""
    return not name.startswith((DATA, META_INF)) and name not in TAG_MANIFESTS


def _named(paths: list[str]) -> str:
    more = f" +{len(paths) - MAX_NAMED}" if len(paths) > MAX_NAMED else ""
    return ", ".join(paths[:MAX_NAMED]) + more
