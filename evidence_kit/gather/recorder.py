"""Record one page visit: a fresh browser, its log, copies of its connections, limits around it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, TypeVar
from urllib.parse import urlsplit

from playwright.async_api import Error as PlaywrightError

from evidence_kit.core.clock import Clock
from evidence_kit.core.errors import BrowserError, InputError
from evidence_kit.core.events import EventLog, Progress
from evidence_kit.core.exchange import Exchange
from evidence_kit.gather.cdp_exchanges import BODY_BUFFER, BodyKeeper, exchanges_from, with_kinds
from evidence_kit.gather.cdp_watch import Seen
from evidence_kit.gather.chromium import BrowserFound
from evidence_kit.gather.connection_copy import CopyFolder
from evidence_kit.gather.cross_check import CrossCheck, Recorded, cross_check
from evidence_kit.gather.driver import Driver, first_line
from evidence_kit.gather.egress import Guard
from evidence_kit.gather.netlog_pipe import LineReader, NetLogPipe
from evidence_kit.gather.page_failure import explain
from evidence_kit.gather.page_session import PageSession
from evidence_kit.gather.page_types import (
    Limit,
    Method,
    PageOptions,
    PageRecording,
    Redirect,
)
from evidence_kit.gather.session_state import LoggedIn, MaskedLines
from evidence_kit.gather.time_sources import system_clock
from evidence_kit.gather.visit import ALIVE_SECONDS, Failure, Quiet, Visit
from evidence_kit.seal.connection_copies import COPIES
from evidence_kit.seal.netlog import NetLogReader, Recording

LAUNCH_SECONDS = 60.0  # 0.3 s normally; minutes under a virus scanner are not worth waiting for
NAVIGATE_SECONDS = 60.0  # DNS, TLS and the first byte of a slow but living server
CLOSE_SECONDS = 15.0  # closing takes 0.1 s; a browser that hangs is killed
SETTLE_SECONDS = 5.0  # the relay reads within milliseconds what an ended browser has left
MAX_TITLE = 1000  # characters; a title is a label, not a payload

_EMPTY = CrossCheck(0, (), ())

T = TypeVar("T")


def best_method(options: PageOptions, login: LoggedIn | None = None) -> Method:
    """How a visit is best recorded.

    Where the browser goes past the guard nothing can be copied there; and of a visit that is logged
    in no byte may be written before its secrets were exchanged.
    """
    return Method.NETLOG if options.proxy or login is not None else Method.RELAY


def record_page(
    url: str,
    *,
    browser: BrowserFound,
    options: PageOptions,
    guard: Guard,
    work: Path,
    log: EventLog,
    progress: Progress,
    visit: Callable[[Visit], T],
    driver: Driver | None = None,
    method: Method | None = None,
    clock: Clock = system_clock,
    fifo: bool | None = None,
    keep: Path | None = None,
    meanwhile: Callable[[], None] = lambda: None,
    login: LoggedIn | None = None,
    own_key: str = "",
) -> PageRecording[T]:
    """Open ``url`` in a fresh browser, let ``visit`` draw it, and give back what passed.

    ``visit`` runs in the calling thread once the page is quiet, also when the main document
    failed (``Visit.failure`` is set then). A browser that crashes, hangs or is killed ends the
    visit; what was recorded until then is given back.

    Args:
        url: ``http`` or ``https``.
        browser: what to start.
        options: how to look at the page.
        guard: the running egress guard that all traffic goes through.
        work: private folder; exchanges go to ``work/wire``, copies of the connections to
            ``work/connections``.
        log: gets each step and event.
        progress: gets what is being waited for.
        visit: what to do with the page while it is open.
        driver: a driver started earlier; otherwise one is started for this visit.
        method: how to record; see :func:`best_method`.
        clock: source of times.
        fifo: see :class:`~evidence_kit.gather.netlog_pipe.NetLogPipe`.
        keep: private file for what the log says of exchanges, so that a visit whose program was
            killed can be read again; the caller then removes it, and the copies.
        meanwhile: called once when a document begins to arrive: the time to begin, in another
            thread, what will be needed later. It must return at once.
        login: the session to begin with. The browser then works off the record, and in everything
            that is written or given back stand-ins take the place of the session's secrets.
        own_key: SHA-256 (base64) of the key of this program's own test server, which no authority
            vouches for; never of anybody else's.

    Raises:
        InputError: not a web address.
        BrowserError: the browser could not be started.
        CaptureError: the recording could not be written or read.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(
            f"{url} is not a web address", hint="it must begin with https:// or http://"
        )
    with contextlib.ExitStack() as stack:
        if driver is None:
            driver = stack.enter_context(Driver())
        hashing = stack.enter_context(ThreadPoolExecutor(max_workers=1))
        wire = work / "wire"
        wire.mkdir(mode=0o700, parents=True, exist_ok=True)
        profile = work / "profile"
        stack.callback(shutil.rmtree, profile, ignore_errors=True)
        # Unbuffered: what was written stands in the file even when this program is killed.
        kept = stack.enter_context(keep.open("xb", buffering=0)) if keep is not None else None
        best = best_method(options, login)
        if method is None or (method is Method.RELAY and best is Method.NETLOG):
            method = best  # whatever is asked for: no secret of a login may be copied
        job = _Job(url, browser, options, guard, log, progress, driver, method, clock, kept, login)
        job.own_key = own_key

        def arriving() -> None:
            # Starting the browser takes both processors; while it loads a page one of them waits.
            job.digest = hashing.submit(browser.sha256)
            meanwhile()

        return job.run(wire, profile, visit, arriving, fifo=fifo)


class _Job:
    """One call of :func:`record_page`."""

    def __init__(
        self,
        url: str,
        browser: BrowserFound,
        options: PageOptions,
        guard: Guard,
        log: EventLog,
        progress: Progress,
        driver: Driver,
        method: Method,
        clock: Clock,
        keep: BinaryIO | None,
        login: LoggedIn | None,
    ) -> None:
        self.login = login
        self.own_key = ""
        self.url = url
        self.keep = keep
        self.options = options
        self.guard = guard
        self.log = log
        self.progress = progress
        self.driver = driver
        self.method = method
        self.clock = clock
        self.browser = browser
        self.digest: Future[str] | None = None
        self.problems: list[str] = []
        self.failure: Failure | None = None
        self.quiet: Quiet | None = None
        self.stopped = 0
        self.final_url: str | None = None
        self.title: str | None = None

    def run(
        self,
        wire: Path,
        profile: Path,
        visit: Callable[[Visit], T],
        arriving: Callable[[], None],
        *,
        fifo: bool | None,
    ) -> PageRecording[T]:
        started = self.clock()
        copies = CopyFolder(wire.parent / COPIES) if self.method is Method.RELAY else None
        reader = NetLogReader(wire, self.keep, copies.folder if copies else None)
        lines_to: LineReader = reader if self.login is None else MaskedLines(reader, self.login)
        netlog = self.method is not Method.CDP
        pipe = NetLogPipe(wire.parent, lines_to, fifo=fifo) if netlog else None
        keeper = None if pipe is not None else BodyKeeper(wire, self._masked)
        session = PageSession(
            self.browser,
            self.options,
            proxy_port=self.guard.port,
            http_port=self.guard.http_port,
            netlog=pipe.path if pipe else None,
            keys=copies.keys if copies else None,
            own_key=self.own_key,
            clock=self.clock,
            log=self.log,
            login=self.login.state if self.login is not None else None,
        )
        self.progress.step("starting the browser")
        if copies is not None:
            copies.prepare()
            self.guard.copy_to(copies)
        if pipe is not None:
            pipe.start()
        visited: T | None = None
        try:
            self._open(session, profile, keeper)
            visited = self._visit(session, visit, arriving)
        finally:
            self._close(session, keeper)
            lines = self._read_rest(pipe)
            if copies is not None:
                self.guard.copy_to(None)
                copies.settle(SETTLE_SECONDS)
        recording, check = self._exchanges(session, reader, lines, wire, keeper)
        if copies is not None and self.keep is None:
            copies.remove()
        facts = session.facts(self._sha256(session))
        return PageRecording(
            recording=recording,
            method=self.method,
            cross_check=check,
            requested_url=self.url,
            redirects=tuple(
                replace(hop, url=self._said(hop.url), location=self._said(hop.location))
                for hop in _redirects(session.documents)
            ),
            final_url=self._said(self.final_url) if self.final_url else None,
            status=_last_status(session.documents),
            title=self._said(self.title) if self.title is not None else None,
            failure=self.failure,
            user_agent=facts.user_agent,
            browser=facts,
            events=tuple(replace(item, detail=self._said(item.detail)) for item in session.events),
            navigations=tuple(self._said(item.url) for item in session.navigations),
            limits=self._limits(session),
            quiet=self.quiet,
            started=started,
            ended=self.clock(),
            visited=visited,
            problems=tuple(self.problems),
        )

    def _said(self, text: str) -> str:
        return text if self.login is None else self.login.text(text)

    def _masked(self, data: bytes) -> bytes:
        return data if self.login is None else self.login.standins.message(data)

    def _open(self, session: PageSession, profile: Path, keeper: BodyKeeper | None) -> None:
        try:
            self.driver.call(
                session.open(
                    self.driver.playwright,
                    profile,
                    on_finished=keeper.keep if keeper else None,
                    buffer=BODY_BUFFER if keeper else 0,
                ),
                seconds=LAUNCH_SECONDS,
            )
        except (PlaywrightError, TimeoutError) as error:
            text = str(error)
            hint = "run 'evidence-kit doctor'"
            if "sandbox" in text.lower() and "No usable sandbox" in text:
                hint = (
                    "the browser's sandbox needs unprivileged user namespaces "
                    "(on Debian: sysctl kernel.unprivileged_userns_clone=1), or another browser"
                )
            raise BrowserError(
                f"the browser {self.browser.path} did not start: {first_line(error)}", hint=hint
            ) from error
        if keeper is not None and session.watch is not None:
            keeper.follow(session.watch)
        self.log.log("browser-started", product=session.product, sandbox=session.sandbox)

    def _visit(
        self, session: PageSession, visit: Callable[[Visit], T], arriving: Callable[[], None]
    ) -> T | None:
        """Load, wait, hand over; a browser that goes away ends this, not the capture."""
        page = session.visit(self.driver)
        try:
            self.progress.step("loading the page")
            self.failure = self._navigate(session)
            page.failure = self.failure
            arriving()
            self.quiet = page.wait_quiet(self.options.quiet_seconds, self.options.load_seconds)
            self.log.log("page-loaded", wait=self.quiet.reason, busy=self.quiet.busy)
            self._look(page)
            if self.failure is None and not page.revive():
                self.problems.append("the page runs script without end, which could not be stopped")
            result = visit(page)
            with contextlib.suppress(BrowserError):  # it went away meanwhile: what was drawn counts
                self._look(page)
            if page.gone:
                self.problems.append(f"the visit was cut short: {page.gone}")
            return result
        except BrowserError as error:
            self.problems.append(f"the visit was cut short: {error.message}")
            self.log.log("visit-cut-short", why=error.message)
            return None
        finally:
            self.stopped = page.stopped

    def _navigate(self, session: PageSession) -> Failure | None:
        try:
            text = self.driver.call(session.navigate(self.url), seconds=NAVIGATE_SECONDS)
        except TimeoutError:
            return Failure("TIMED_OUT", f"no answer within {NAVIGATE_SECONDS:.0f} seconds")
        except PlaywrightError as error:
            raise BrowserError(f"loading the page: {first_line(error)}") from error
        name = text.removeprefix("net::")
        if not name:
            return None
        if name == "ERR_HTTP_RESPONSE_CODE_FAILURE" and _last_status(session.documents):
            return None  # an error status with an empty body: the status says it
        documents = session.documents
        failure = explain(
            name,
            documents[-1].url if documents else self.url,
            self.guard.contacts,
            offers_file=any(item.name == "download-denied" for item in session.events),
        )
        self.log.log("page-failed", name=failure.name, detail=failure.detail)
        return failure

    def _look(self, page: Visit) -> None:
        """Title and address as the browser itself holds them; nothing runs inside the page."""
        info = page.send("Target.getTargetInfo", seconds=CLOSE_SECONDS).get("targetInfo", {})
        if self.failure is None:
            self.title = str(info.get("title", ""))[:MAX_TITLE]
            self.final_url = str(info.get("url", "")) or None

    def _close(self, session: PageSession, keeper: BodyKeeper | None) -> None:
        if keeper is not None:
            with contextlib.suppress(TimeoutError, PlaywrightError):
                self.driver.call(keeper.settle(CLOSE_SECONDS), seconds=CLOSE_SECONDS + 1)
        try:
            self.driver.call(session.close(), seconds=CLOSE_SECONDS)
        except (TimeoutError, PlaywrightError) as error:
            self.problems.append(f"the browser had to be killed: {first_line(error)}")
            session.kill()

    def _read_rest(self, pipe: NetLogPipe | None) -> int:
        if pipe is None:
            return 0
        self.progress.step("reading the network log")
        return pipe.finish()

    def _exchanges(
        self,
        session: PageSession,
        reader: NetLogReader,
        lines: int,
        wire: Path,
        keeper: BodyKeeper | None,
    ) -> tuple[Recording, CrossCheck]:
        recording = reader.finish()
        seen = session.seen
        if session.watch is not None and session.watch.dropped:
            self.problems.append(
                f"{session.watch.dropped} requests more than are compared with DevTools"
            )
        if self.method is not Method.CDP:
            answered = any(hop.status is not None and not hop.from_cache for hop in seen)
            if recording.exchanges or recording.failed or not answered:
                everything: tuple[Recorded, ...] = (
                    *recording.exchanges,
                    *recording.failed,
                    *recording.cached,
                )
                known = [replace(hop, url=self._said(hop.url)) for hop in seen]
                failed = with_kinds(recording.failed, known)
                return replace(recording, failed=failed), cross_check(everything, known)
            self.problems.append(
                f"the network log held {lines} lines but no exchange; DevTools events are used"
            )
            self.method = Method.CDP
        exchanges = tuple(
            replace(item, url=self._said(item.url), initiator=self._said(item.initiator))
            for item in exchanges_from(seen, wire, keeper, self._masked)
        )
        self.log.log("recorder-fallback", exchanges=len(exchanges))
        # A log that was never asked for has no faults to tell.
        problems = recording.problems if lines else ()
        return replace(_fallback(recording, exchanges), problems=problems), _EMPTY

    def _sha256(self, session: PageSession) -> str:
        """Of the program that ran; another than expected is hashed now, and said."""
        if session.binary == self.browser.binary:
            return self.digest.result() if self.digest else self.browser.sha256()
        self.problems.append(f"the browser that ran is {session.binary}")
        return replace(self.browser, binary=session.binary).sha256()

    def _limits(self, session: PageSession) -> tuple[Limit, ...]:
        options = self.options
        waited_out = self.quiet is not None and self.quiet.reason == "time"
        return (
            Limit("load-seconds", f"{options.load_seconds:g}", reached=waited_out),
            Limit("visit-seconds", f"{options.max_seconds:g}", reached=session.out_of_time),
            Limit(
                "navigations",
                str(options.max_navigations),
                reached=len(session.navigations) > options.max_navigations,
            ),
            Limit("script-seconds", f"{ALIVE_SECONDS:g}", reached=self.stopped > 0),
        )


def _fallback(recording: Recording, exchanges: tuple[Exchange, ...]) -> Recording:
    """The NetLog's empty recording with the DevTools exchanges in it."""
    return replace(
        recording,
        exchanges=tuple(item for item in exchanges if item.response is not None),
        failed=tuple(item for item in exchanges if item.response is None),
    )


def _redirects(documents: list[Seen]) -> tuple[Redirect, ...]:
    return tuple(
        Redirect(hop.url, hop.status, _header(hop, "location"))
        for hop in documents
        if hop.redirected
    )


def _last_status(documents: list[Seen]) -> int | None:
    return documents[-1].status if documents else None


def _header(hop: Seen, wanted: str) -> str:
    for name, value in hop.response_headers.items():
        if name.lower() == wanted:
            return value
    return ""
