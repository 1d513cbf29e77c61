"""Everything that touches the outside during one capture: start token, page, platform, clock."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from evidence_kit.core.clock import Clock
from evidence_kit.core.errors import NetworkError
from evidence_kit.core.events import Progress
from evidence_kit.core.exchange import Exchange
from evidence_kit.gather.addresses import system_resolve
from evidence_kit.gather.artefacts import Artefacts, make_artefacts
from evidence_kit.gather.behaviour import Treatment
from evidence_kit.gather.chromium import BrowserFound
from evidence_kit.gather.consent import reject_consent
from evidence_kit.gather.contacts import Contact
from evidence_kit.gather.content_check import ContentCheck, check_content
from evidence_kit.gather.driver import Driver
from evidence_kit.gather.egress import Guard
from evidence_kit.gather.http import RecordingSession
from evidence_kit.gather.page_types import Limit, PageOptions, PageRecording
from evidence_kit.gather.proxy import Proxies, proxies_from
from evidence_kit.gather.recorder import best_method, record_page
from evidence_kit.gather.recorder_check import check_recorder
from evidence_kit.gather.scroll import scroll_page
from evidence_kit.gather.session_state import LoggedIn
from evidence_kit.gather.time_sources import (
    ClockCheck,
    HttpDateSource,
    NtpSource,
    TimeSource,
    TsaMoment,
    TsaSource,
    measure_offset,
)
from evidence_kit.gather.tokens import Tokens, find_keyring
from evidence_kit.gather.tsa_client import TsaClient
from evidence_kit.gather.waiting import result_in_time
from evidence_kit.jobs.capture_log import CaptureLog
from evidence_kit.jobs.capture_types import CaptureRequest
from evidence_kit.jobs.convert import with_addresses
from evidence_kit.jobs.main_document import main_document, main_headers
from evidence_kit.jobs.media import refetch_media
from evidence_kit.jobs.plain import encode
from evidence_kit.jobs.record import StartToken
from evidence_kit.jobs.secondary import Secondary, fetch_secondary
from evidence_kit.jobs.stamping import authorities
from evidence_kit.jobs.streams import complete_streams
from evidence_kit.jobs.workfolder import WorkFolder
from evidence_kit.platforms.base import ApiFolder, PlatformResult, Stored
from evidence_kit.platforms.registry import cost_of, fetch_post

START_STAMP = "start-token.tst"

NEEDED_LATER = ("pyhanko.sign.signers.pdf_cms", "jsonschema", "referencing.jsonschema")
"""Libraries of the seal; loading them takes a third of a second of one processor."""


@dataclass(frozen=True)
class Gathered:
    """What one capture brought in. Texts, addresses and exchanges are not redacted yet.

    Attributes:
        started: when the capture began; ``ended`` when nothing more was asked of the outside.
        page: the visit; None where the browser gave none.
        exchanges: the browser's, with and without response, with the addresses of the guard.
        api: our own session's.
        stored: raw answers and media that the adapter wrote.
        proxy: of the organisation's network, None for direct connections.
        missing: what a reader must not believe to be there, beside what the parts tell.
        limits: bounds of the steps after the visit, and which were reached.
    """

    started: datetime
    ended: datetime
    start_token: StartToken
    page: PageRecording[Artefacts] | None
    exchanges: tuple[Exchange, ...]
    api: tuple[Exchange, ...]
    platform: PlatformResult | None
    stored: tuple[Stored, ...]
    content: ContentCheck
    clock: ClockCheck
    contacts: tuple[Contact, ...]
    proxy: str | None = None
    missing: tuple[Mapping[str, str], ...] = field(default=())
    limits: tuple[Limit, ...] = ()

    @property
    def drawn(self) -> Artefacts:
        """What was drawn; nothing where the visit was cut short before that."""
        return drawn_on(self.page) if self.page is not None else Artefacts(())


def drawn_on(page: PageRecording[Artefacts]) -> Artefacts:
    """What a visit drew; nothing where it was cut short before that."""
    return page.visited if page.visited is not None else Artefacts(())


class Gathering:
    """One run of the gathering; holds what its steps share.

    Args:
        request: what is asked.
        work: gets every file, and the journal of what is done.
        tsa: one client for the whole capture, since it keeps each authority's pace.
        cache: folder where the outcome of the recorder's self-test is kept.
        login: the session that the browser begins with; our own requests never carry it.
        keep_secrets: called before the visit and after it, before what it gave is taken for whole.
    """

    def __init__(
        self,
        request: CaptureRequest,
        work: WorkFolder,
        tsa: TsaClient,
        *,
        cache: Path,
        progress: Progress,
        clock: Clock,
        random: Callable[[int], bytes],
        environ: Mapping[str, str],
        login: LoggedIn | None = None,
        keep_secrets: Callable[[], None] = lambda: None,
    ) -> None:
        self.login = login
        self.keep_secrets = keep_secrets
        self.request = request
        self.work = work
        self.tsa = tsa
        self.cache = cache
        self.progress = progress
        self.clock = clock
        self.random = random
        self.environ = environ
        self.moment: TsaMoment | None = None

    def run(
        self,
        browser: BrowserFound,
        target: tuple[str, int],
        options: PageOptions,
        started: datetime,
        driver: Driver | None = None,
    ) -> Gathered:
        """Gather everything; the order is the evidence's (see :mod:`evidence_kit.jobs.capture`).

        Raises:
            NetworkError: the address is on a private network and that was not allowed.
            BrowserError: the browser could not be started.
            CaptureError: the recording could not be written or read.
        """
        request = self.request
        with CaptureLog(self.work.data / "capture.log", self.clock) as log, ExitStack() as stack:
            log.log("capture-started", url=request.url, id=self.work.id)
            proxies = proxies_from(self.environ)
            allowed = [target] if request.allow_private else []
            guard = stack.enter_context(Guard(allowed, log, clock=self.clock, proxies=proxies))
            if not options.proxy:  # the browser's own proxy goes past the guard
                guard.refuse_private(*target)
            pool = stack.enter_context(ThreadPoolExecutor(2))
            token = pool.submit(self._start_token, log)
            driver = stack.enter_context(driver or Driver())
            session = stack.enter_context(
                RecordingSession(
                    self.work.wire_api,
                    resolve=guard.resolve_checked,
                    clock=self.clock,
                    environ=self.environ,
                    on_exchange=lambda item: self._journal("api-exchange", item),
                    tunnel=guard.tunnel,
                    forward=guard,
                )
            )
            offset = pool.submit(self._clock_check, token, session)
            # Before the page: the record is made after that moment.
            start_token = result_in_time(token)
            self.work.save("start-token", start_token)
            # After the token was asked for and the clock check begun: both wait for the network.
            recorder = check_recorder(
                browser, self.cache, log, driver, best_method(options, self.login)
            )
            page = record_page(
                request.url,
                browser=browser,
                options=options,
                guard=guard,
                work=self.work.root,
                log=log,
                progress=self.progress,
                visit=lambda visit: make_artefacts(
                    visit,
                    self._web(),
                    log,
                    self.progress,
                    self.clock,
                    self._treatments(),
                    self.login,
                ),
                driver=driver,
                clock=self.clock,
                keep=self._kept(),
                method=recorder.method,
                meanwhile=partial(_load_ahead, pool),
                login=self.login,
            )
            _refused(page)
            self.keep_secrets()
            self.work.save("page", page)
            self.work.visit_saved()
            tokens = Tokens(self.environ)
            cost = cost_of(request.url, tokens)
            self.progress.step("asking the platform itself" + (f" ({cost})" if cost else ""))
            out = ApiFolder(self.work.bag, lambda item: self._journal("stored", item))
            platform = fetch_post(
                request.url, session, out, log, environ=tokens, page=main_document(page)
            )
            self.work.save("platform", platform)
            streams = complete_streams(
                page.recording.exchanges,
                platform.streams,
                session,
                log,
                self.work.scratch,
                self.progress,
            )
            missing = refetch_media(
                page.recording.exchanges, session, out, log, skip=streams.covered
            )
            second = self._secondary(target, out, log, proxies)
            check = result_in_time(offset)
            content = check_content(page, drawn_on(page), platform, main_headers(page))
            log.log("content-checked", state=str(content.state), signals=list(content.signals))
            contacts = (*guard.contacts, *second.contacts)
            exchanges = with_addresses(
                (*page.recording.exchanges, *page.recording.failed),
                guard.contacts,
                own_proxy=bool(options.proxy),
            )
            if guard.unlisted:
                missing.append(
                    {"what": "contacts", "why": f"{guard.unlisted} more are counted, not listed"}
                )
        gathered = Gathered(
            started=started,
            ended=self.clock(),
            start_token=start_token,
            page=page,
            exchanges=exchanges,
            api=session.exchanges,
            platform=platform,
            stored=out.stored,
            content=content,
            clock=check,
            contacts=contacts,
            proxy=_proxy_name(proxies, options),
            missing=(*missing, *streams.missing, *second.missing),
            limits=(*streams.limits, *second.limits),
        )
        self.work.save("gathered", gathered)
        return gathered

    def _secondary(
        self, target: tuple[str, int], out: ApiFolder, log: CaptureLog, proxies: Proxies
    ) -> Secondary:
        """Films by another program, where that was asked for."""
        if not self.request.media_tool:
            return Secondary()
        self.progress.step("films by yt-dlp, as a second source")
        return fetch_secondary(
            self.request,
            target,
            out,
            log,
            self.work.scratch,
            proxies=proxies,
            environ=self.environ,
            clock=self.clock,
        )

    def _kept(self) -> Path | None:
        """Of a visit that is logged in nothing is kept before it ends: headers would be in it."""
        if self.login is None:
            return self.work.unfinished
        self.keep_secrets()
        self.work.unfinished.touch(mode=0o600)
        return None

    def _journal(self, event: str, item: Any) -> None:
        """Not synced: these lines are for a killed program, and there are many."""
        self.work.note(event, sync=False, item=encode(item))

    def _treatments(self) -> list[tuple[str, Treatment]]:
        """What is done to the page after its first picture, in order."""
        found: list[tuple[str, Treatment]] = []
        if self.request.consent == "reject":
            found.append(("consent", reject_consent))
        if self.request.scroll:
            found.append(("scroll", scroll_page))
        return found

    def _web(self) -> Path:
        folder = self.work.data / "web"
        folder.mkdir(exist_ok=True)
        return folder

    def _start_token(self, log: CaptureLog) -> StartToken:
        """A stamp over a random number (bundle format, rule 3)."""
        if not self.request.use_tsa:
            return StartToken(why_missing="not asked for (--no-tsa)")
        nonce = self.random(32)
        client = replace(self.tsa, log=log)
        sent = self.clock()
        attempts = client.first_token(sha256(nonce).digest(), authorities(self.request.tsas))
        if attempts.answer is None:
            reasons = "; ".join(f"{item.url}: {item.reason}" for item in attempts.failures)
            return StartToken(why_missing=reasons or "no authority is configured")
        answer = attempts.answer
        accuracy = answer.report.accuracy
        self.moment = TsaMoment(
            answer.gen_time,
            accuracy.total_seconds() if accuracy is not None else None,
            sent,
            self.clock(),
        )
        path = self.work.data / START_STAMP
        path.write_bytes(answer.token)
        artefact = self.work.add("start-token", path, clock=self.clock)
        return StartToken(artefact.file, nonce, answer.url, answer.gen_time, artefact.sha256)

    def _clock_check(self, token: Future[StartToken], session: RecordingSession) -> ClockCheck:
        """Time servers first, then the start token, then the site's own Date header."""
        sources: list[TimeSource] = [
            NtpSource(host, lambda name, port: system_resolve(name, port)[0])
            for host in self.request.ntp
        ]
        if self.request.use_tsa:
            sources.append(TsaSource(token.result().tsa or "none", self._token_moment))
        sources.append(HttpDateSource(self.request.url, session))
        return measure_offset(sources, self.clock)

    def _token_moment(self) -> TsaMoment:
        if self.moment is None:
            raise NetworkError("no authority gave a token")
        return self.moment


def _load_ahead(pool: Executor) -> None:
    """Load what is needed later while the page is waited for; a fault shows where it is used."""
    for name in NEEDED_LATER:
        pool.submit(importlib.import_module, name)
    pool.submit(find_keyring)


def _proxy_name(proxies: Proxies, options: PageOptions) -> str | None:
    """For the record: which proxies there were, and whether the browser went past the guard."""
    names = [proxies.name] if proxies.name else []
    if options.proxy:
        parts = urlsplit(options.proxy)
        shown = options.proxy.replace(f"{parts.netloc.rpartition('@')[0]}@", "")
        names.append(f"browser: {shown} (past the guard)")
    return ", ".join(names) or None


def _refused(page: PageRecording[Any]) -> None:
    """Nothing was contacted at all: that is an error of the address, not evidence."""
    failure = page.failure
    if failure is not None and failure.name == "ADDRESS_REFUSED" and not page.redirects:
        raise NetworkError(
            f"the address is on a private network: {failure.detail}",
            hint="--allow-private permits this one host and port",
        )
