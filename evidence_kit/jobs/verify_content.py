"""Does the content of a sealed bundle agree with itself? Everything from the bundle alone.

The seal says that nothing changed since; this says whether what was sealed is coherent: each file
is as the capture record says, each fact of the post is where it is said to come from, each WARC
record has its own digest. The signer may be the one who lies, so nothing here is believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evidence_kit.core.canonical_json import JsonError, loads, same_json
from evidence_kit.core.errors import UnreadableFileError
from evidence_kit.core.findings import Finding
from evidence_kit.core.limits import MAX_JSON_BYTES
from evidence_kit.core.page_text import compare_post
from evidence_kit.core.post import FIELDS, resolve_pointer
from evidence_kit.core.schemas import schema_fault
from evidence_kit.jobs.verify_answers import ARCHIVE, check_answers
from evidence_kit.jobs.verify_first import check_first_event
from evidence_kit.jobs.verify_proof import check_platform_proof
from evidence_kit.jobs.verify_streams import check_streams
from evidence_kit.jobs.verify_supplied import SUPPLIED, check_supplied
from evidence_kit.seal.container_read import Walk, open_entry, read_entry
from evidence_kit.seal.wacz_read import check_wacz, check_warc
from evidence_kit.seal.warc_read import Record

CAPTURE = "data/capture.json"
POST = "data/post.json"
LOG = "data/capture.log"
PAGE_TEXT = "data/web/text.txt"

MAX_CHAIN = 1 << 20
"""Bytes of one file with a site's certificates; real chains are some 10 KiB."""


@dataclass(frozen=True)
class Content:
    """The parsed records, None where there is none that conforms, and the findings.

    Attributes:
        record: of a capture.
        findings: everything found.
        supplied: of files that a person handed in; a bundle has one of the two.
    """

    record: Mapping[str, Any] | None
    findings: tuple[Finding, ...]
    supplied: Mapping[str, Any] | None = None


def check_content(walked: Walk, signer: str, signed: datetime | None = None) -> Content:
    """Check everything in ``data/`` against the capture record and against itself.

    Args:
        walked: a container whose files were found to be the signed ones.
        signer: SHA-256 of the certificate that signed, hexadecimal.
        signed: signing time as the signature states it.

    Raises:
        UnreadableFileError: the file cannot be read any more, or changed since the walk.
    """
    if SUPPLIED in walked.entries and CAPTURE not in walked.entries:
        found = check_supplied(walked, signer)
        first = _first_event(walked, found.record, "supplied", signed)
        return Content(None, (*found.findings, *first), found.record)
    record, faults = read_capture(walked)
    if record is None:
        return Content(None, faults)
    against = list(_check_files(walked, record))
    if record["operator"]["certificate_sha256"] != signer:
        against.append(Finding("capture.other-signer", CAPTURE))
    findings = against or [Finding("capture.ok")]
    findings += _first_event(walked, record, "captured", signed)
    findings += _remarks(record)
    findings += _check_post(walked)
    findings += _compare_with_page(walked, record)
    own: dict[int, Record] = {}
    findings += _check_archives(walked, own)
    findings += check_answers(walked, record, own)
    findings += _check_chains(walked, record)
    findings += check_streams(walked, record)
    findings += check_platform_proof(walked, record)
    return Content(record, tuple(findings))


def _first_event(
    walked: Walk, record: Mapping[str, Any] | None, event: str, signed: datetime | None
) -> Iterator[Finding]:
    if record is not None:
        yield from check_first_event(walked, record, event=event, signed=signed)


def read_capture(walked: Walk) -> tuple[Mapping[str, Any] | None, tuple[Finding, ...]]:
    """The capture record where it conforms to its schema, else None and the reason."""
    if CAPTURE not in walked.entries:
        return None, (Finding("capture.missing", CAPTURE),)
    try:
        record = _read_json(walked, CAPTURE)
    except JsonError as error:
        return None, (Finding("capture.malformed", CAPTURE, {"detail": _short(error)}),)
    fault = schema_fault(record, "capture-1")
    if fault is not None:
        return None, (Finding("capture.malformed", CAPTURE, {"detail": fault}),)
    return record, ()


def _read_json(walked: Walk, name: str) -> Any:
    if walked.entries[name].size > MAX_JSON_BYTES:
        raise JsonError(f"larger than {MAX_JSON_BYTES} bytes")
    return loads(read_entry(walked, name, limit=MAX_JSON_BYTES))


def _check_files(walked: Walk, record: Mapping[str, Any]) -> Iterator[Finding]:
    """Each file that the record mentions, and each that it does not (both directions)."""
    mentioned = {CAPTURE, LOG}
    for item in record["artefacts"]:
        name = item["file"]
        if item["state"] != "made":
            continue
        mentioned.add(name)
        yield from _compare(walked, name, item["sha256"], item["size"])
    token = record["start_token"]
    extra = [token["file"], record["operator"]["private"]]
    extra += [chain["file"] for chain in record["network"]["tls"]]
    for name in extra:
        if name is not None and name not in mentioned:
            mentioned.add(name)
            if name not in walked.entries:
                yield Finding("artefact.missing", name)
    if token["file"] is not None:
        yield from _compare(walked, token["file"], token["sha256"], None)
    for name in walked.entries:
        if name.startswith("data/") and name not in mentioned:
            yield Finding("data.unmentioned", name)


def _compare(walked: Walk, name: str, sha256: str | None, size: int | None) -> Iterator[Finding]:
    entry = walked.entries.get(name)
    if entry is None:
        yield Finding("artefact.missing", name)
    elif sha256 != entry.digests.sha256 or (size is not None and size != entry.size):
        yield Finding("artefact.differs", name)


def _remarks(record: Mapping[str, Any]) -> Iterator[Finding]:
    """What the record says of its own gaps; shown, and no reason to distrust the rest."""
    signals = ", ".join(record["content_check"]["signals"])
    state = record["content_check"]["state"]
    yield Finding(
        f"content.{record['state']}",
        CAPTURE,
        {"detail": f"{state}: {signals}" if signals else state},
    )
    account = record["account"]
    if account["logged_in"]:
        params = {name: account[name] for name in ("name", "site", "stored")}
        yield Finding("capture.logged-in", CAPTURE, params)
    for gap in record["missing"]:
        yield Finding("capture.missing-part", gap["what"], {"detail": gap["why"]})
    for note in record["warnings"]:
        # Without a subject the code stands in its place, and is not said twice.
        detail = f"{note['code']}: {note['detail']}" if note["subject"] else note["detail"]
        yield Finding("capture.warning", note["subject"] or note["code"], {"detail": detail})
    for limit in record["limits"]:
        if limit["reached"]:
            yield Finding("capture.limit-reached", limit["name"], {"detail": limit["value"]})
    if record["recording"]["method"] == "chromium-cdp":
        yield Finding("capture.fallback-recorder", CAPTURE)
    if record["redactions"]:
        yield Finding("capture.redacted", CAPTURE, {"count": str(len(record["redactions"]))})


def _check_post(walked: Walk) -> Iterator[Finding]:
    """Every field of every post is found where it says it comes from (RFC 6901 pointers)."""
    if POST not in walked.entries:
        return
    try:
        document = _read_json(walked, POST)
    except JsonError as error:
        yield Finding("post.malformed", POST, {"detail": _short(error)})
        return
    fault = schema_fault(document, "post-1")
    if fault is not None:
        yield Finding("post.malformed", POST, {"detail": fault})
        return
    faults = list(_check_sources(walked, document["posts"]))
    yield from faults or [Finding("post.ok", POST)]


def _compare_with_page(walked: Walk, record: Mapping[str, Any]) -> Iterator[Finding]:
    """What the platform said of the post, beside the page's text and address; remarks only."""
    try:
        posts = _read_json(walked, POST)["posts"] if POST in walked.entries else []
        main = next(iter(posts), None)
    except (JsonError, KeyError, TypeError):
        return  # said by the check of the document itself
    if not isinstance(main, Mapping) or main.get("role") != "post":
        return
    shown = None
    if PAGE_TEXT in walked.entries and walked.entries[PAGE_TEXT].size <= MAX_JSON_BYTES:
        shown = read_entry(walked, PAGE_TEXT, limit=MAX_JSON_BYTES).decode("utf-8", "replace")
    yield from compare_post(main, shown, record["page"]["final_url"])


def _check_sources(walked: Walk, posts: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    """File by file, so that one parsed source at a time is in memory."""
    wanted: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for number, post in enumerate(posts):
        for name in FIELDS:
            field = post[name]
            if field is not None:
                subject = f"posts/{number}/{name}"
                wanted.setdefault(field["source"]["file"], []).append((subject, field))
    for file in sorted(wanted):
        try:
            source = _read_json(walked, file)
        except (KeyError, JsonError):
            for subject, _ in wanted[file]:
                yield Finding("post.source-missing", subject, {"source": file})
            continue
        for subject, field in wanted[file]:
            pointer = field["source"]["pointer"]
            place = {"source": f"{file}#{pointer}"}
            try:
                value = resolve_pointer(source, pointer)
            except KeyError:
                yield Finding("post.source-missing", subject, place)
                continue
            if not same_json(value, field["value"]):
                yield Finding("post.source-differs", subject, place)


def _check_archives(walked: Walk, own: dict[int, Record]) -> Iterator[Finding]:
    """``own`` gets the records of the archive of our own requests."""
    try:
        for name, entry in walked.entries.items():
            if not name.startswith("data/"):
                continue
            if name.endswith(".wacz"):
                with open_entry(walked, name) as stream:
                    yield from check_wacz(stream, entry.size, name)
            elif name.endswith(".warc"):
                with open_entry(walked, name) as stream:
                    yield from check_warc(stream, name, own if name == ARCHIVE else None)
    except OSError as error:
        raise UnreadableFileError(
            f"cannot read {walked.path.name} to its end", hint="copy it to this computer first"
        ) from error


def _check_chains(walked: Walk, record: Mapping[str, Any]) -> Iterator[Finding]:
    """The files with the certificates that the browser saw hold certificates."""
    from cryptography import x509

    names = sorted({chain["file"] for chain in record["network"]["tls"]} & walked.entries.keys())
    bad = False
    for name in names:
        try:
            x509.load_pem_x509_certificates(read_entry(walked, name, limit=MAX_CHAIN))
        except ValueError:
            bad = True
            yield Finding("tls.malformed", name)
    if names and not bad:
        yield Finding("tls.ok")


def _short(error: Exception) -> str:
    return str(error)[:160]
