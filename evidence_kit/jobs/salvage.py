"""From the work folder of a killed capture to what it had gathered, and a list of what is missing.

Nothing is asked of the outside here and nothing is guessed: what no finished file or journal line
tells is missing, and is named so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from evidence_kit.core.canonical_json import JsonError, loads
from evidence_kit.core.clock import parse_iso
from evidence_kit.core.digests import digest_file
from evidence_kit.core.exchange import Exchange
from evidence_kit.gather.artefacts import ArtefactResult, Artefacts, Kind
from evidence_kit.gather.artefacts import State as Drawn
from evidence_kit.gather.chromium import ACCEPT_ENCODING, is_root
from evidence_kit.gather.contacts import Contact
from evidence_kit.gather.content_check import ContentCheck, ContentState, check_content
from evidence_kit.gather.cross_check import CrossCheck
from evidence_kit.gather.page_types import BrowserFacts, Method, PageRecording, Redirect
from evidence_kit.gather.time_sources import ClockCheck
from evidence_kit.jobs.capture_types import Asked
from evidence_kit.jobs.convert import with_addresses
from evidence_kit.jobs.gathering import Gathered
from evidence_kit.jobs.main_document import main_headers
from evidence_kit.jobs.plain import decode
from evidence_kit.jobs.record import StartToken
from evidence_kit.jobs.workfolder import WorkFolder
from evidence_kit.platforms.base import PlatformResult, Stored
from evidence_kit.seal.netlog import NetLogReader, Recording

LOG = "capture.log"
MAX_REDIRECTS = 50
"""Hops followed back through a recording; the browser gives up at 20."""

_STOPPED = "the program was stopped before this was done"


@dataclass(frozen=True)
class _Logged:
    """What the capture log tells of a capture that did not end."""

    contacts: tuple[Contact, ...]
    artefacts: tuple[Mapping[str, Any], ...]
    until: datetime


def salvage(work: WorkFolder, asked: Asked) -> Gathered:
    """Everything that the work folder still has of its capture.

    Args:
        work: of a capture that no longer runs.
        asked: what it was asked for.

    Raises:
        OSError: a file cannot be read or written.
    """
    _end_last_line(work.data / LOG)
    gathered = work.load("gathered", Gathered)
    if gathered is not None:  # only the conversion or the seal was interrupted
        return gathered
    logged = _read_log(work.data / LOG, asked.started)
    missing: list[Mapping[str, str]] = []
    token = work.load("start-token", StartToken)
    if token is None:
        # One that was written but not yet noted has a number that nobody knows any more.
        (work.data / "start-token.tst").unlink(missing_ok=True)
        token = StartToken(why_missing=_STOPPED)
    page = _page(work, asked, logged, missing)
    stored = _stored(work, missing)
    platform = work.load("platform", PlatformResult)
    if platform is None:
        missing.append({"what": "the platform's own data", "why": _STOPPED})
    return Gathered(
        started=asked.started,
        ended=logged.until,
        start_token=token,
        page=page,
        exchanges=_exchanges(page, asked, logged.contacts),
        api=tuple(_journalled(work, "api-exchange", Exchange)),
        platform=platform,
        stored=stored,
        content=_content(page, platform),
        clock=ClockCheck(),
        contacts=logged.contacts,
        missing=tuple(missing),
    )


def _journalled(work: WorkFolder, event: str, kind: type[Any]) -> Iterator[Any]:
    for line in work.journal():
        if line["event"] == event:
            yield decode(kind, line["item"])


def _end_last_line(path: Path) -> None:
    """Take off a last line of which only the beginning was written."""
    if not path.exists():
        path.touch()
        return
    with path.open("r+b") as stream:
        data = stream.read()
        stream.truncate(data.rfind(b"\n") + 1)


def _read_log(path: Path, started: datetime) -> _Logged:
    contacts, artefacts, until = [], [], started
    for text in path.read_bytes().splitlines():
        try:
            line = loads(text)
        except JsonError:
            continue
        until = max(until, parse_iso(line["time"]))
        if line["event"] == "contact":
            contacts.append(
                Contact(
                    host=line["host"],
                    port=line["port"],
                    started=parse_iso(line["time"]),
                    purpose=line["purpose"],
                    addresses=tuple(line["addresses"]),
                    used=line["address"],
                    refused=line["refused"],
                    error=line["error"],
                    local_port=line["local_port"],
                    via=line["via"],
                    rewritten=line.get("rewritten", False),
                )
            )
        elif line["event"] == "artefact":
            artefacts.append(line)
    return _Logged(tuple(contacts), tuple(artefacts), until)


def _page(
    work: WorkFolder, asked: Asked, logged: _Logged, missing: list[Mapping[str, str]]
) -> PageRecording[Artefacts] | None:
    whole = work.load("page", PageRecording[Artefacts])
    if whole is not None:
        return whole
    recording = _read_again(work)
    problems = ["the browser's digest was taken when the capture was recovered"]
    if asked.request.account is not None and recording is not None:
        recording = replace(recording, problems=())
        problems.append("of a visit that is logged in, exchanges are kept only when it has ended")
    drawn = _drawn(work, logged)
    if recording is None or not (recording.exchanges or recording.failed or drawn.results):
        return None
    missing.append(
        {
            "what": "the rest of the visit",
            "why": "the program was stopped while the page was open; what had come in was kept",
        }
    )
    wanted = {item.value for item in Kind} - {str(item.kind) for item in drawn.results}
    missing += [{"what": kind, "why": _STOPPED} for kind in sorted(wanted)]
    hops = _hops(asked.request.url, recording)
    last = hops[-1] if hops else None
    return PageRecording(
        recording=recording,
        method=Method.RELAY if work.connections.exists() else Method.NETLOG,
        cross_check=CrossCheck(0, (), ()),
        requested_url=asked.request.url,
        redirects=tuple(Redirect(item.url, item.status, "") for item in hops[:-1]),
        final_url=last.url if last is not None else None,
        status=last.status if last is not None else None,
        title=None,
        failure=None,
        user_agent=asked.options.user_agent,
        browser=_facts(asked),
        events=(),
        navigations=(),
        limits=(),
        quiet=None,
        started=min((item.started for item in recording.exchanges), default=asked.started),
        ended=logged.until,
        visited=drawn,
        problems=tuple(problems),
    )


def _read_again(work: WorkFolder) -> Recording | None:
    """Read what was kept of the network log once more, into an empty folder."""
    if not work.unfinished.exists():
        return None
    for path in work.wire.iterdir():
        path.unlink()
    reader = NetLogReader(work.wire, copies=work.connections)
    with work.unfinished.open("rb") as stream:
        for line in stream:
            if line.endswith(b"\n"):
                reader.feed(line)
    recording = reader.finish()
    return replace(
        recording,
        problems=tuple(text for text in recording.problems if "is cut off" not in text),
    )


def _hops(url: str, recording: Recording) -> list[Exchange]:
    """The main document's exchanges as far as the log tells which one that is."""
    found = [item for item in recording.exchanges if item.kind == "document"]
    first = next((item for item in (*found, *recording.exchanges) if item.url == url), None)
    hops = [first] if first is not None else []
    by_origin = {item.redirected_from: item for item in recording.exchanges}
    while hops and len(hops) < MAX_REDIRECTS and hops[-1].number in by_origin:
        hops.append(by_origin[hops[-1].number])
    return hops


def _drawn(work: WorkFolder, logged: _Logged) -> Artefacts:
    """Files that the log names with their digest and that still have it."""
    results, text = [], ""
    folder = work.data / "web"
    known = set()
    for line in logged.artefacts:
        kind, state = Kind(line["kind"]), Drawn(line["state"])
        path = folder / line["file"]
        if state is Drawn.MADE:
            if not path.is_file() or digest_file(path).sha256 != line["sha256"]:
                continue
            if kind is Kind.TEXT:
                text = path.read_text("utf-8")
        known.add(path)
        results.append(ArtefactResult(kind, line["file"], state, line["why"]))
    for path in folder.glob("*"):
        if path not in known:  # half written
            path.unlink()
    return Artefacts(tuple(results), text)


def _stored(work: WorkFolder, missing: list[Mapping[str, str]]) -> tuple[Stored, ...]:
    stored = tuple(_journalled(work, "stored", Stored))
    known = {item.path for item in stored}
    for name in work.files():
        if name.startswith(("data/api/", "data/media/", "data/secondary/")) and name not in known:
            (work.bag / name).unlink()
            missing.append({"what": name, "why": "the program was stopped while it came in"})
    return stored


def _exchanges(
    page: PageRecording[Artefacts] | None, asked: Asked, contacts: tuple[Contact, ...]
) -> tuple[Exchange, ...]:
    if page is None:
        return ()
    every = (*page.recording.exchanges, *page.recording.failed)
    return with_addresses(every, contacts, own_proxy=bool(asked.options.proxy))


def _content(
    page: PageRecording[Artefacts] | None, platform: PlatformResult | None
) -> ContentCheck:
    """Judged only where the page was drawn to its end; else nobody can say."""
    if page is None or (page.visited is None or not page.visited.visible_text):
        return ContentCheck(ContentState.UNKNOWN, ("capture:interrupted",))
    return check_content(page, page.visited, platform, main_headers(page))


def _facts(asked: Asked) -> BrowserFacts:
    browser, options = asked.browser, asked.options
    return BrowserFacts(
        product=browser.product,
        version=browser.version,
        revision="",
        path=str(browser.path),
        binary=str(browser.binary),
        sha256=browser.sha256(),
        driver="",
        flags=(),
        headless=options.headless,
        sandbox=not is_root(),
        user_agent=options.user_agent,
        accept_encoding=ACCEPT_ENCODING,
        options=options,
    )
