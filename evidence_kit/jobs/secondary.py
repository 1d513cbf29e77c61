"""Films by another program, kept apart from what this one saw and labelled as a second source."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evidence_kit.core.canonical_json import JsonError, dumps, loads
from evidence_kit.core.clock import Clock, iso
from evidence_kit.core.events import EventLog
from evidence_kit.gather import media_tool
from evidence_kit.gather.contacts import Contact
from evidence_kit.gather.egress import Guard
from evidence_kit.gather.media_tool import NAME, PURPOSE, ToolRun, run_tool
from evidence_kit.gather.page_types import Limit
from evidence_kit.gather.proxy import Proxies
from evidence_kit.jobs.capture_types import CaptureRequest
from evidence_kit.platforms.base import ApiFolder
from evidence_kit.platforms.inert_names import inert_name

SCHEMA = "evidence-kit/secondary/1"
FOLDER = "data/secondary"

_DESCRIBED = frozenset(
    {"id", "title", "description", "uploader", "uploader_id", "uploader_url", "channel"}
    | {"channel_id", "channel_url", "timestamp", "upload_date", "release_timestamp", "duration"}
    | {"modified_timestamp", "view_count", "like_count", "comment_count", "repost_count"}
    | {"live_status", "availability", "age_limit", "language", "webpage_url", "extractor"}
    | {"extractor_key", "format", "format_id", "ext", "width", "height", "fps", "vcodec", "acodec"}
    | {"tbr", "vbr", "abr", "filesize"}
)
"""Fields of its description that are kept. The rest holds addresses with signatures in them, which
often carry the address of who asked, header fields and cookies."""


@dataclass(frozen=True)
class Secondary:
    """What came of it: connections, bounds, and what is missing, for the record."""

    contacts: tuple[Contact, ...] = ()
    limits: tuple[Limit, ...] = ()
    missing: tuple[Mapping[str, str], ...] = ()


class _Labelled:
    """The log, with connections under the name of who asked for them."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def log(self, event: str, **fields: Any) -> None:
        if event == "contact":
            fields["purpose"] = PURPOSE
        self._log.log(event, **fields)


def fetch_secondary(
    request: CaptureRequest,
    target: tuple[str, int],
    out: ApiFolder,
    log: EventLog,
    scratch: Path,
    *,
    proxies: Proxies,
    environ: Mapping[str, str],
    clock: Clock,
) -> Secondary:
    """Run the program and keep what it leaves under ``data/secondary``; it cannot fail a capture.

    Args:
        request: what is asked.
        target: host and port of its address, which may be private where that was allowed.
        out: gets the files.
        log: gets the steps and every connection.
        scratch: private folder of the capture.
        proxies: of the organisation's network.
        environ: of this process.
        clock: for the times on record.

    Raises:
        StorageError: a file could not be kept.
    """
    folder = scratch / PURPOSE
    folder.mkdir()
    started = clock()
    allowed = [target] if request.allow_private else []
    try:
        with Guard(allowed, _Labelled(log), clock=clock, proxies=proxies) as guard:
            log.log("media-tool-started", tool=NAME, url=request.url)
            try:
                run = run_tool(request.url, folder, guard.port, environ)
            except OSError as error:
                log.log("media-tool-failed", reason=str(error))
                return Secondary(missing=(_missing(f"could not be started: {error.strerror}"),))
            contacts = tuple(replace(item, purpose=PURPOSE) for item in guard.contacts)
        kept = list(_keep(run, out, request.url))
        log.log("media-tool-ended", exit_code=run.exit_code, files=len(kept), stopped=run.stopped)
        _describe(run, kept, out, folder, started=iso(started), ended=iso(clock()))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Secondary(contacts, _limits(run), tuple(_gaps(run, kept)))


def _keep(run: ToolRun, out: ApiFolder, url: str) -> Iterator[dict[str, Any]]:
    """Each file under a name that does nothing; of its description only what is harmless."""
    for number, path in enumerate(run.files[: media_tool.MAX_FILES], 1):
        original = path.name
        if original.endswith(".info.json"):
            try:
                value = loads(path.read_bytes())
            except JsonError:
                continue
            found = value if isinstance(value, dict) else {}
            path.write_bytes(dumps({key: found[key] for key in found.keys() & _DESCRIBED}))
            name = re.sub(r"\.info\.json$", "", original)
            name = f"{inert_name(name, '').removesuffix('.bin')}.info.json"
        else:
            name = inert_name(original, "")
        stored = out.adopt(path, f"{FOLDER}/{number:04d}-{name}", url=url, original_name=original)
        size = stored.digests.size
        yield {"file": stored.path, "sha256": stored.digests.sha256, "size": size}


def _describe(
    run: ToolRun, kept: list[dict[str, Any]], out: ApiFolder, folder: Path, **times: str
) -> None:
    document = {
        "schema": SCHEMA,
        "source": f"secondary source: {NAME} {run.version}",
        "remark": "another program's work: its requests are not recorded, and it may have changed "
        "what it received; of its description fields with addresses and header fields are left out",
        "command": [NAME, *run.arguments],
        "exit_code": run.exit_code,
        "stopped": run.stopped or None,
        "started": times["started"],
        "ended": times["ended"],
        "files": kept,
        "messages": run.messages,
    }
    path = folder / "provenance.json"
    path.write_bytes(dumps(document))
    out.adopt(path, f"{FOLDER}/provenance.json")


def _limits(run: ToolRun) -> tuple[Limit, ...]:
    bounds = {"seconds": media_tool.MAX_SECONDS, "bytes": media_tool.MAX_BYTES}
    found = [
        Limit(f"{NAME} {name}", f"{value:g}" if name == "seconds" else str(value), reached=hit)
        for name, value in bounds.items()
        for hit in (run.stopped == name,)
    ]
    many = len(run.files) > media_tool.MAX_FILES
    return (*found, Limit(f"{NAME} files", str(media_tool.MAX_FILES), reached=many))


def _gaps(run: ToolRun, kept: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
    films = [item for item in kept if not item["file"].endswith(".info.json")]
    if run.stopped:
        yield _missing(f"stopped at its limit of {run.stopped}; {len(films)} files are whole")
    elif run.exit_code != 0:
        said = [line for line in run.messages.splitlines() if line.startswith("ERROR")]
        reason = said[-1][:300] if said else f"it ended with {run.exit_code}"
        yield _missing(reason)
    elif not films:
        yield _missing("it found no film")


def _missing(why: str) -> dict[str, str]:
    return {"what": f"films by {NAME}", "why": why}
