"""From what was gathered to what is sealed: redact, convert, register, write the record last."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from evidence_kit.core.canonical_json import dumps, loads
from evidence_kit.core.clock import Clock, iso
from evidence_kit.core.events import Progress
from evidence_kit.core.streams import FILE, summary
from evidence_kit.gather.artefacts import Artefacts
from evidence_kit.gather.artefacts import State as Drawn
from evidence_kit.gather.content_check import ContentState
from evidence_kit.gather.session_state import LoggedIn
from evidence_kit.gather.time_sources import ClockCheck
from evidence_kit.gather.tsa_client import TsaClient
from evidence_kit.jobs.answers import named_answers
from evidence_kit.jobs.bundle import SOFTWARE, Seal, Sealed, seal_folder
from evidence_kit.jobs.capture_types import CaptureRequest, target_of
from evidence_kit.jobs.convert import Converter
from evidence_kit.jobs.gaps import (
    api_gaps,
    page_errors,
    page_losses,
    platform_gaps,
    platform_warnings,
    stream_gaps,
)
from evidence_kit.jobs.gathering import Gathered
from evidence_kit.jobs.operator import Operator
from evidence_kit.jobs.record import Note, Parts, StartToken, TlsFile, build_record
from evidence_kit.jobs.stamping import authorities, revoker, stamper
from evidence_kit.jobs.stream_index import stream_index
from evidence_kit.jobs.workfolder import FAILED, NOT_APPLICABLE, WorkFolder
from evidence_kit.platforms.base import post_document
from evidence_kit.platforms.bluesky_session import own_addresses
from evidence_kit.seal.redact import Redactor
from evidence_kit.seal.redact_websocket import frame_texts
from evidence_kit.seal.signer import Signer

RECORD = "capture.json"

_USER_INFO = re.compile(r"(://)[^/@\s]*@")
"""User name and password of an address; no option takes one, but somebody may have typed one."""

MAX_OFFSET = 2.0
"""Seconds that a clock may be off without a word; a container's times have steps of two."""


def deliver(
    work: WorkFolder,
    gathered: Gathered,
    request: CaptureRequest,
    operator: Operator,
    *,
    clock: Clock,
    random: Callable[[int], bytes],
    warnings: tuple[Note, ...] = (),
    login: LoggedIn | None = None,
) -> dict[str, Any]:
    """Turn what was gathered into the files of the bundle.

    Args:
        work: holds the raw files, gets the delivered ones.
        gathered: what they are.
        request: what was asked.
        operator: who seals it.
        clock: for the times of files.
        random: for the ids of records.
        warnings: to stand in the record beside those of the capture itself.
        login: the session that was used, whose secrets and stand-ins are masked.

    Returns:
        The capture record as it stands in the bundle, without secrets.

    Raises:
        StorageError: something cannot be written or read back.
    """
    redactor = Redactor()
    _learn_session(redactor, login)
    _learn(redactor, gathered, request)
    proof = gathered.platform.proof if gathered.platform is not None else None
    for file in proof.files if proof is not None else ():
        redactor.learn_public((work.bag / file).read_bytes())
    converter = Converter(
        work,
        redactor,
        clock=clock,
        random=random,
        software=SOFTWARE,
        start_token_sha256=gathered.start_token.sha256,
    )
    tls: tuple[TlsFile, ...] = ()
    if gathered.page is not None:
        tls = converter.page(
            gathered.page,
            gathered.exchanges,
            gathered.page.title or "",
            gathered.drawn.visible_text,
        )
    converter.api(gathered.api, gathered.started)
    _page_files(work, converter, gathered.drawn, clock)
    _platform_files(work, converter, gathered, clock)
    streams = _streams(work, converter, gathered, clock)
    _post(work, converter, gathered)
    private = work.data / "private.json"
    private.write_bytes(dumps(operator.private_json()))
    work.add("private", private, clock=clock)
    converter.file("log", work.data / "capture.log")
    losses = page_losses(gathered.exchanges, _needed(gathered), gathered.drawn.dots)
    record = build_record(
        Parts(
            id=work.id,
            request=_asked(request),
            operator=operator.to_json(),
            started=gathered.started,
            ended=clock(),
            clock=gathered.clock,
            start_token=gathered.start_token,
            contacts=gathered.contacts,
            page=gathered.page,
            page_problem="" if gathered.page is not None else "the browser gave no page",
            platform=gathered.platform,
            content=gathered.content,
            account=_account(request, gathered),
            artefacts=work.artefacts(),
            tls=tls,
            api_exchanges=len(gathered.api),
            streams=streams,
            answers=named_answers(work, converter.delivered, gathered.stored),
            limits=gathered.limits,
            proxy=gathered.proxy,
            redactions=converter.redactions,
            redaction_notes=[Note("redaction.remark", "", text) for text in redactor.notes],
            warnings=[
                *_warnings(gathered.clock, gathered.start_token, request),
                *_private_authorities(tls),
                *platform_warnings(gathered.platform),
                *page_errors(gathered.exchanges),
                *losses.aside,
                *_session_remarks(request, gathered),
                *_remarks(gathered.drawn),
                *warnings,
            ],
            missing=[
                *gathered.missing,
                *stream_gaps(streams, gathered.missing),
                *losses.missing,
                *platform_gaps(gathered.platform),
                *api_gaps(gathered.api),
            ],
        )
    )
    data = converter.document(record, f"data/{RECORD}")
    (work.data / RECORD).write_bytes(data)
    work.note("recorded", state=record["state"])
    delivered: dict[str, Any] = loads(data)  # without secrets, so that it may be printed
    return delivered


def _needed(gathered: Gathered) -> tuple[str, ...]:
    """Addresses of the page and the post; none unless the page shows the post's own text."""
    page, platform = gathered.page, gathered.platform
    agrees = "post.page-agrees" in gathered.content.signals
    if page is None or platform is None or not agrees:
        return ()
    media = (item.url for item in platform.media)
    return (page.requested_url, page.final_url or "", platform.permalink or "", *media)


def _learn_session(redactor: Redactor, login: LoggedIn | None) -> None:
    """First of all: what the session held, and what stands for it in the files."""
    if login is None:
        return
    for name, value in login.state.secrets():
        redactor.learn_value(name, value)
    for secret, standin in login.standins.made.items():
        redactor.learn_standin(secret, standin)


def _learn(redactor: Redactor, gathered: Gathered, request: CaptureRequest) -> None:
    """Everything that is to be masked is known before the first file is written."""
    redactor.learn_url(request.url)
    page = gathered.page
    if page is not None:
        for url in (page.requested_url, page.final_url or "", *page.navigations):
            redactor.learn_url(url)
        for frames in page.recording.websockets:
            for path in (frames.sent, frames.received):
                for text in frame_texts(path):
                    redactor.learn_message(text)
    for exchange in (*gathered.exchanges, *gathered.api):
        redactor.learn(exchange)
    for exchange in gathered.api:
        for address in own_addresses(exchange):
            redactor.learn_private("address of mail of the own account", address)


def seal_capture(
    work: WorkFolder,
    request: CaptureRequest,
    signer: Signer,
    operator: Operator,
    *,
    home: Path,
    tsa: TsaClient,
    clock: Clock,
    progress: Progress,
    recovered_until: datetime | None = None,
) -> Sealed:
    """Seal a delivered work folder into ``request.output``.

    Args:
        work: delivered.
        request: what was asked.
        signer: the key.
        operator: who it stands for.
        home: gets a copy of the receipt.
        tsa: how to ask for stamps.
        clock: for the signing time.
        progress: told the steps.
        recovered_until: for an interrupted capture, when its last file had been finished.

    Raises:
        StorageError: the bundle or its receipt cannot be written; the work folder stays.
    """
    names = authorities(request.tsas)
    stated = loads((work.data / RECORD).read_bytes())["request"]  # without secrets
    second = (request.second_tsa,) if request.second_tsa else ()
    return seal_folder(
        work,
        Seal(
            signer=signer,
            organisation=operator.organisation,
            staff_code=operator.staff_code,
            contact=request.contact,
            reason=stated["reason"],
            case=stated["case"],
            host=target_of(request.url)[0],
            captured_until=recovered_until or clock(),
            recovered=recovered_until is not None,
        ),
        output=request.output,
        receipts=home / "receipts",
        clock=clock,
        stamper=stamper(tsa, names, clock) if request.use_tsa else None,
        second=stamper(tsa, second, clock) if second else None,
        revoker=revoker(clock),
        progress=progress,
    )


def _page_files(work: WorkFolder, converter: Converter, drawn: Artefacts, clock: Clock) -> None:
    """What was drawn of the page, redacted where it is text."""
    for result in drawn.results:
        path = work.data / "web" / result.name
        if result.state is not Drawn.MADE:
            failed = FAILED if result.state is Drawn.FAILED else NOT_APPLICABLE
            name = f"data/web/{result.name}"
            work.add_failed(str(result.kind), name, result.why, state=failed)
        elif path.suffix in (".png", ".pdf"):  # pictures are not searched (format, rule 6)
            work.add(str(result.kind), path, clock=clock)
        else:
            converter.file(str(result.kind), path)


def _platform_files(
    work: WorkFolder, converter: Converter, gathered: Gathered, clock: Clock
) -> None:
    """The platform's own answers and the media of the post."""
    for item in gathered.stored:
        path = work.bag / item.path
        original = item.original_name or None
        kind = item.path.split("/")[1]
        if kind != "api" and path.suffix != ".json":  # films are not searched (format, rule 6)
            work.add(kind, path, clock=clock, original_name=original)
        else:
            converter.file(kind, path, original)


def _streams(
    work: WorkFolder, converter: Converter, gathered: Gathered, clock: Clock
) -> list[dict[str, Any]]:
    """Write ``data/media/streams.json`` where there was a stream; its lines for the record."""
    index = stream_index(gathered.exchanges, gathered.api, converter.delivered)
    if index is None:
        return []
    path = work.bag / FILE
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(converter.document(index, FILE))
    work.add("streams", path, clock=clock)
    return summary(index)


def _remarks(drawn: Artefacts) -> list[Note]:
    """What a reader should know of files that were made, such as a picture cut at its cap."""
    return [
        *(
            Note("artefact.remark", f"data/web/{item.name}", item.why)
            for item in drawn.results
            if item.state is Drawn.MADE and item.why
        ),
        *(Note("artefact.remark", "", text) for text in drawn.remarks),
    ]


def _post(work: WorkFolder, converter: Converter, gathered: Gathered) -> None:
    path = work.data / "post.json"
    posts = gathered.platform.posts if gathered.platform is not None else ()
    path.write_bytes(dumps(post_document(posts)))
    converter.file("post", path)


def _account(request: CaptureRequest, gathered: Gathered) -> dict[str, Any] | None:
    """Who was logged in, as stated, and whether the page that was shown names that account."""
    account = request.account
    if account is None:
        return None
    text, name = gathered.drawn.visible_text, account.name.removeprefix("@")
    return {
        "logged_in": True,
        "name": account.name,
        "source": "operator",
        "site": account.site,
        "stored": iso(account.stored),
        "on_page": name.casefold() in text.casefold() if text else None,
    }


def _session_remarks(request: CaptureRequest, gathered: Gathered) -> list[Note]:
    if request.account is None or gathered.content.state is not ContentState.LOGIN_WALL:
        return []
    return [
        Note(
            "login.not-accepted",
            request.account.site,
            "the site asked for a login although a stored session was used; it has probably ended",
        )
    ]


def _private_authorities(tls: tuple[TlsFile, ...]) -> list[Note]:
    """Chains that end elsewhere than in a public root: said loudly, since much hangs on it."""
    return [
        Note(
            "tls.private-ca",
            item.host,
            f"the certificate of {item.host} comes from a private authority, as of a proxy that "
            "opens TLS: what was seen is that authority's word",
        )
        for item in tls
        if not item.public_root
    ]


def _asked(request: CaptureRequest) -> dict[str, Any]:
    home = str(Path.home())
    return {
        "url": request.url,
        "reason": request.reason,
        "case": request.case,
        "command": [_USER_INFO.sub(r"\1", item.replace(home, "~")) for item in request.command],
        "options": {
            "allow_private": request.allow_private,
            "browser_proxy": request.browser_proxy,
            "use_tsa": request.use_tsa,
            "tsas": " ".join(request.tsas),
            "second_tsa": request.second_tsa,
            "ntp": " ".join(request.ntp),
            "consent": request.consent,
            "scroll": request.scroll,
            "media_tool": request.media_tool,
        },
    }


def _warnings(check: ClockCheck, token: StartToken, request: CaptureRequest) -> list[Note]:
    """What a reader should know although nothing failed."""
    found = []
    if check.offset is None:
        found.append(
            Note(
                "clock.not-compared",
                "",
                "no independent source of time could be reached; times are this machine's own",
            )
        )
    elif abs(check.offset) > MAX_OFFSET + (check.uncertainty or 0.0):
        found.append(
            Note("clock.off", check.source, f"this machine's clock is off by {check.offset:+.1f} s")
        )
    if token.file is None and request.use_tsa:
        found.append(
            Note("start-token.missing", "", "no stamp says after which moment this was made")
        )
    return found
