"""Capture one page into a sealed bundle: the main job, from URL to receipt.

The order is the evidence's: first a stamp over a random number (the record was made after it), then
the page as it is, then the platform's own answers, then the conversion, and at last the seal.
"""

from __future__ import annotations

import getpass
import os
import platform as python_platform
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from evidence_kit.core.canonical_json import dumps, loads
from evidence_kit.core.clock import Clock
from evidence_kit.core.errors import (
    CaptureError,
    EvidenceError,
    ExitCode,
    InputError,
    NetworkError,
    StorageError,
)
from evidence_kit.core.events import Progress
from evidence_kit.core.exchange import Exchange
from evidence_kit.gather.artefacts import Artefacts, make_artefacts
from evidence_kit.gather.artefacts import State as Drawn
from evidence_kit.gather.chromium import BrowserFound, find_browser
from evidence_kit.gather.content_check import ContentCheck, check_content
from evidence_kit.gather.driver import Driver
from evidence_kit.gather.egress import Guard, system_resolve
from evidence_kit.gather.http import RecordingSession
from evidence_kit.gather.page_types import PageOptions, PageRecording
from evidence_kit.gather.recorder import record_page
from evidence_kit.gather.time_sources import (
    ClockCheck,
    HttpDateSource,
    NtpSource,
    TimeSource,
    TsaMoment,
    TsaSource,
    measure_offset,
    system_clock,
)
from evidence_kit.gather.tsa_client import TsaClient
from evidence_kit.gather.tsa_list import known_tsas
from evidence_kit.jobs.bundle import SOFTWARE, Seal, Sealed, Stamp, seal_folder
from evidence_kit.jobs.capture_log import CaptureLog
from evidence_kit.jobs.convert import Converter, with_guard_addresses
from evidence_kit.jobs.main_document import main_document
from evidence_kit.jobs.record import Note, Parts, StartToken, TlsFile, build_record
from evidence_kit.jobs.stamping import stamper
from evidence_kit.jobs.workfolder import FAILED, NOT_APPLICABLE, WorkFolder, new_id
from evidence_kit.platforms.base import ApiFolder, PlatformResult, post_document
from evidence_kit.platforms.registry import fetch_post, page_address
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.cades_check import describe
from evidence_kit.seal.redact import Redactor
from evidence_kit.seal.signer import Signer
from evidence_kit.seal.x509 import load

START_STAMP = "start-token.tst"


@dataclass(frozen=True)
class CaptureRequest:
    """What the user asks for.

    Attributes:
        url: as it was given.
        output: folder for the bundle; made where it is not there.
        tsas: authorities in order; empty for those the program knows.
        second_tsa: authority that stamps the sealed file, empty for none.
        use_tsa: False to seal without any stamp, on purpose.
        allow_private: the URL's own host and port may be on a private network.
        contact: of the organisation; stands in the bundle.
        ntp: time servers.
        browser: path, empty to look for one.
        command: the command line, for the record.
    """

    url: str
    output: Path
    tsas: tuple[str, ...] = ()
    second_tsa: str = ""
    use_tsa: bool = True
    allow_private: bool = False
    reason: str = ""
    case: str = ""
    contact: str = ""
    ntp: tuple[str, ...] = ()
    browser: str = ""
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class CaptureResult:
    """What was sealed, and what is missing from it."""

    bundle: Path
    receipt_path: Path
    sha256: str
    state: str
    content: str
    missing: tuple[Mapping[str, str], ...]
    warnings: tuple[Mapping[str, str], ...]
    stamped: datetime | None

    @property
    def exit_code(self) -> ExitCode:
        """4 beats 3 beats 0."""
        if self.state == "not-there":
            return ExitCode.NOT_THERE
        return ExitCode.GAPS if self.missing else ExitCode.OK

    def to_json(self) -> dict[str, Any]:
        """The result object of ``capture --json``."""
        return {
            "bundle": str(self.bundle),
            "state": self.state,
            "content": self.content,
            "receipt": str(self.receipt_path),
            "sha256": self.sha256,
            "missing": list(self.missing),
            "warnings": list(self.warnings),
        }


def target_of(url: str) -> tuple[str, int]:
    """Host and port that a URL names.

    Raises:
        InputError: not a web address, or one with a password in it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError(f"not a web address: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(
            "not a web address", hint="give the whole address, beginning with https://"
        )
    if parts.username or parts.password:
        raise InputError(
            "the address holds a user name or password",
            hint="leave out what stands before the @; it would end up in the bundle",
        )
    return parts.hostname, port or (443 if parts.scheme == "https" else 80)


def capture(
    request: CaptureRequest,
    signer: Signer,
    *,
    anchors: TrustAnchors,
    home: Path,
    progress: Progress,
    clock: Clock = system_clock,
    random: Callable[[int], bytes] = secrets.token_bytes,
    environ: Mapping[str, str] = os.environ,
    options: PageOptions | None = None,
) -> CaptureResult:
    """Capture ``request.url`` and seal what was found, also when the post was not there.

    Raises:
        InputError: not a usable address.
        BrowserError: no usable browser; nothing was contacted.
        NetworkError: the address is on a private network and that was not allowed.
        CaptureError: the browser gave nothing that can be sealed.
        StorageError: something cannot be written; what was captured stays in the work folder.
    """
    request = replace(request, url=page_address(request.url))
    host, port = target_of(request.url)
    browser = find_browser(request.browser, environ)
    _make_output(request.output)
    work = WorkFolder.create(home, new_id(clock(), random(4)))
    job = _Capture(request, signer, anchors, work, progress, clock, random, environ)
    try:
        sealed, record = job.run(browser, (host, port), options or PageOptions(), home)
    except BaseException as error:
        _keep_or_remove(work, error)
        raise
    work.remove()
    return _result(sealed, record, request)


class _Capture:
    """One run; holds what its steps share."""

    def __init__(
        self,
        request: CaptureRequest,
        signer: Signer,
        anchors: TrustAnchors,
        work: WorkFolder,
        progress: Progress,
        clock: Clock,
        random: Callable[[int], bytes],
        environ: Mapping[str, str],
    ) -> None:
        self.request = request
        self.signer = signer
        self.anchors = anchors
        self.work = work
        self.progress = progress
        self.clock = clock
        self.random = random
        self.environ = environ
        self.started = clock()
        self.moment: TsaMoment | None = None
        self.tsa = TsaClient(clock, anchors=anchors)  # one, since it keeps each authority's pace
        self.info = describe(load(signer.certificate))

    def run(
        self, browser: BrowserFound, target: tuple[str, int], options: PageOptions, home: Path
    ) -> tuple[Sealed, dict[str, Any]]:
        self.work.note("asked", url=self.request.url, started=self.started.isoformat())
        with CaptureLog(self.work.data / "capture.log", self.clock) as log, ExitStack() as stack:
            log.log("capture-started", url=self.request.url, id=self.work.id)
            guard = stack.enter_context(Guard([target] if self.request.allow_private else [], log))
            pool = stack.enter_context(ThreadPoolExecutor(2))
            token = pool.submit(self._start_token, log)
            driver = stack.enter_context(Driver())
            session = stack.enter_context(
                RecordingSession(
                    self.work.wire_api,
                    resolve=guard.resolve_checked,
                    clock=self.clock,
                    environ=self.environ,
                )
            )
            offset = pool.submit(self._clock_check, token, session)
            start_token = token.result()  # before the page: the record is made after that moment
            page = record_page(
                self.request.url,
                browser=browser,
                options=options,
                guard=guard,
                work=self.work.root,
                log=log,
                progress=self.progress,
                visit=lambda visit: make_artefacts(
                    visit, self._web(), log, self.progress, self.clock
                ),
                driver=driver,
                clock=self.clock,
            )
            self._refused(page)
            self.progress.step("asking the platform itself")
            out = ApiFolder(self.work.bag)
            platform = fetch_post(
                self.request.url,
                session,
                out,
                log,
                environ=self.environ,
                page=main_document(page),
            )
            check = offset.result()
            content = check_content(page, _drawn(page), platform)
            log.log("content-checked", state=str(content.state), signals=list(content.signals))
            contacts = guard.contacts
            exchanges = with_guard_addresses(
                (*page.recording.exchanges, *page.recording.failed), guard
            )
        self.progress.step("writing the archives")
        record = self._deliver(
            page, exchanges, session, platform, out, content, check, start_token, contacts
        )
        sealed = self._seal(target[0], home)
        return sealed, record

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
        attempts = client.first_token(sha256(nonce).digest(), self._tsas())
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

    def _tsas(self) -> tuple[str, ...]:
        return self.request.tsas or tuple(known_tsas())

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

    def _refused(self, page: PageRecording[Any]) -> None:
        """Nothing was contacted at all: that is an error of the address, not evidence."""
        failure = page.failure
        if failure is not None and failure.name == "ADDRESS_REFUSED" and not page.redirects:
            raise NetworkError(
                f"the address is on a private network: {failure.detail}",
                hint="--allow-private permits this one host and port",
            )

    def _deliver(
        self,
        page: PageRecording[Artefacts],
        exchanges: list[Exchange],
        session: RecordingSession,
        platform: PlatformResult,
        out: ApiFolder,
        content: ContentCheck,
        check: ClockCheck,
        start_token: StartToken,
        contacts: Any,
    ) -> dict[str, Any]:
        """Redact, convert and register everything; write the record last."""
        redactor = Redactor()
        for exchange in (*exchanges, *session.exchanges):
            redactor.learn(exchange)
        converter = Converter(
            self.work,
            redactor,
            clock=self.clock,
            random=self.random,
            software=SOFTWARE,
            start_token_sha256=start_token.sha256,
        )
        drawn = _drawn(page)
        tls: tuple[TlsFile, ...] = converter.page(
            page, exchanges, page.title or "", drawn.visible_text
        )
        converter.api(session.exchanges, self.started)
        self._register(converter, drawn, platform, out)
        private = self.work.data / "private.json"
        private.write_bytes(dumps(_private(self.info.name)))
        self.work.add("private", private, clock=self.clock)
        converter.file("log", self.work.data / "capture.log")
        ended = self.clock()
        record = build_record(
            Parts(
                id=self.work.id,
                request=self._asked(),
                operator={
                    "organisation": self._organisation(),
                    "staff_code": self.info.fields.get("staff_code"),
                    "certificate_sha256": self.info.fingerprint,
                    "private": "data/private.json",
                },
                started=self.started,
                ended=ended,
                clock=check,
                start_token=start_token,
                contacts=contacts,
                page=page,
                page_problem="",
                platform=platform,
                content=content,
                artefacts=self.work.artefacts(),
                tls=tls,
                api_exchanges=len(session.exchanges),
                redactions=converter.redactions,
                redaction_notes=[Note("redaction.remark", "", text) for text in redactor.notes],
                warnings=_warnings(check, start_token, self.request),
            )
        )
        path = self.work.data / "capture.json"
        data = converter.document(record, "data/capture.json")
        path.write_bytes(data)
        self.work.note("recorded", state=record["state"])
        delivered: dict[str, Any] = loads(data)  # without secrets, so that it may be printed
        return delivered

    def _register(
        self, converter: Converter, drawn: Artefacts, platform: PlatformResult, out: ApiFolder
    ) -> None:
        """Every file of the page and the platform, redacted where it is text."""
        for result in drawn.results:
            path = self.work.data / "web" / result.name
            if result.state is not Drawn.MADE:
                failed = FAILED if result.state is Drawn.FAILED else NOT_APPLICABLE
                name = f"data/web/{result.name}"
                self.work.add_failed(str(result.kind), name, result.why, state=failed)
            elif path.suffix in (".png", ".pdf"):  # pictures are not searched (format, rule 6)
                self.work.add(str(result.kind), path, clock=self.clock)
            else:
                converter.file(str(result.kind), path)
        signed = platform.proof.files if platform.proof is not None else ()
        for stored in out.stored:
            path = self.work.bag / stored.path
            original = stored.original_name or None
            if stored.path in signed:
                # Public by nature, asked for without any credential, and worth nothing once masked.
                self.work.add("api", path, clock=self.clock, original_name=original)
            elif stored.path.startswith("data/media/"):
                self.work.add("media", path, clock=self.clock, original_name=original)
            else:
                converter.file("api", path, original)
        path = self.work.data / "post.json"
        path.write_bytes(dumps(post_document(platform.posts)))
        converter.file("post", path)

    def _seal(self, host: str, home: Path) -> Sealed:
        use = self.request.use_tsa
        second = (self.request.second_tsa,) if self.request.second_tsa else ()
        return seal_folder(
            self.work,
            Seal(
                signer=self.signer,
                organisation=self._organisation(),
                staff_code=self.info.fields.get("staff_code"),
                contact=self.request.contact,
                reason=self.request.reason,
                case=self.request.case,
                host=host,
                captured_until=self.clock(),
            ),
            output=self.request.output,
            receipts=home / "receipts",
            clock=self.clock,
            stamper=stamper(self.tsa, self._tsas(), self.clock) if use else None,
            second=stamper(self.tsa, second, self.clock) if second else None,
            progress=self.progress,
        )

    def _organisation(self) -> str:
        return self.info.fields.get("organisation", self.info.name)

    def _asked(self) -> dict[str, Any]:
        request = self.request
        home = str(Path.home())
        return {
            "url": request.url,
            "reason": request.reason,
            "case": request.case,
            "command": [item.replace(home, "~") for item in request.command],
            "options": {
                "allow_private": request.allow_private,
                "use_tsa": request.use_tsa,
                "tsas": " ".join(request.tsas),
                "second_tsa": request.second_tsa,
                "ntp": " ".join(request.ntp),
            },
        }


def _drawn(page: PageRecording[Artefacts]) -> Artefacts:
    """What was drawn; nothing where the visit was cut short before that."""
    return page.visited if page.visited is not None else Artefacts(())


def _private(name: str) -> dict[str, str]:
    """Names of people and machines: the part of a bundle that a hand-over may withhold."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = ""
    return {
        "schema": "evidence-kit/private/1",
        "sealed_as": name,
        "user_name": user,
        "host_name": python_platform.node(),
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


MAX_OFFSET = 2.0
"""Seconds that a clock may be off without a word; a container's times have steps of two."""


def _make_output(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot make the folder {output}: {error.strerror}", hint="choose another --output"
        ) from error


def _keep_or_remove(work: WorkFolder, error: BaseException) -> None:
    """After a failure keep what was captured; remove a folder in which nothing was."""
    refused = isinstance(error, NetworkError)
    if not refused and any(item.kind != "start-token" for item in work.artefacts()):
        if isinstance(error, EvidenceError):
            kept = f"what was captured is kept in {work.root}"
            error.hint = f"{error.hint}; {kept}" if error.hint else kept
        return
    if isinstance(error, CaptureError | NetworkError | InputError):
        work.remove()


def _result(sealed: Sealed, record: Mapping[str, Any], request: CaptureRequest) -> CaptureResult:
    missing = list(record["missing"])
    warnings = list(record["warnings"])
    stamps = [(sealed.stamp, "time stamp")] if request.use_tsa else []
    if sealed.second is not None:
        stamps.append((sealed.second, "second time stamp"))
    for stamp, what in stamps:
        missing += _stamp_missing(stamp, what)
        if stamp.token is not None and not stamp.trusted:
            warnings.append(
                {
                    "code": "timestamp.untrusted",
                    "subject": what,
                    "detail": "the time-stamping authority is not among those you trust",
                }
            )
    state = record["state"]
    return CaptureResult(
        bundle=sealed.path,
        receipt_path=sealed.receipt_path,
        sha256=sealed.receipt.sha256,
        state="partial" if state == "complete" and missing else state,
        content=record["content_check"]["state"],
        missing=tuple(missing),
        warnings=tuple(warnings),
        stamped=sealed.stamp.time,
    )


def _stamp_missing(stamp: Stamp, what: str) -> list[dict[str, str]]:
    if stamp.token is not None:
        return []
    reasons = "; ".join(f"{item.url}: {item.result}" for item in stamp.contacts)
    return [{"what": what, "why": reasons or "no authority is configured"}]
