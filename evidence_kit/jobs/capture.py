"""Capture one page into a sealed bundle: the main job, from URL to receipt.

The order is the evidence's: first a stamp over a random number (the record was made after it), then
the page as it is, then the platform's own answers, then the conversion, and at last the seal.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from evidence_kit.core.clock import Clock
from evidence_kit.core.errors import (
    EvidenceError,
    InterruptedByUserError,
    NetworkError,
    StorageError,
)
from evidence_kit.core.events import Progress
from evidence_kit.gather.chromium import find_browser
from evidence_kit.gather.driver import Driver
from evidence_kit.gather.media_tool import tool_version
from evidence_kit.gather.page_types import PageOptions
from evidence_kit.gather.session_state import logged_in
from evidence_kit.gather.time_sources import system_clock
from evidence_kit.gather.tsa_client import TsaClient
from evidence_kit.jobs.capture_types import (
    Asked,
    CaptureRequest,
    CaptureResult,
    checked_browser_proxy,
    result_of,
    target_of,
)
from evidence_kit.jobs.delivery import deliver, seal_capture
from evidence_kit.jobs.gathering import Gathering
from evidence_kit.jobs.operator import operator_of
from evidence_kit.jobs.sessions import OpenSession, keep_secrets
from evidence_kit.jobs.workfolder import WorkFolder, new_id
from evidence_kit.platforms.registry import page_address
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.signer import Signer

__all__ = ["CaptureRequest", "CaptureResult", "capture", "target_of"]


_DISK = {errno.ENOSPC, errno.EROFS, errno.EIO, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
"""What a disk answers that is full, read-only or broken; other errors would be faults of ours."""


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
    driver: Driver | None = None,
    session: OpenSession | None = None,
) -> CaptureResult:
    """Capture ``request.url`` and seal what was found, also when the post was not there.

    Args:
        request: what is asked.
        signer: the key that seals.
        anchors: whom the user trusts.
        home: the user's folder.
        progress: told the steps.
        clock: source of times.
        random: gives that many random bytes.
        environ: process environment: tokens, proxies, own authorities.
        options: how to look at the page.
        driver: one that was started earlier, to save the second that this takes; it is closed
            once the page was seen.
        session: that the browser begins with, of ``request.account``; it is written nowhere, and
            goes only to the origins that it belongs to.

    Raises:
        InputError: not a usable address.
        ConfigError: yt-dlp is asked for and not installed.
        BrowserError: no usable browser; nothing was contacted.
        NetworkError: the address is on a private network and that was not allowed.
        CaptureError: the browser gave nothing that can be sealed.
        StorageError: something cannot be written; what was captured stays in the work folder.
    """
    request = replace(request, url=page_address(request.url))
    target = target_of(request.url)
    options = replace(options or PageOptions(), proxy=checked_browser_proxy(request.browser_proxy))
    if request.media_tool:
        tool_version()
    browser = find_browser(request.browser, environ)
    _make_output(request.output)
    started = clock()
    request = replace(request, output=request.output.absolute())
    login = logged_in(session.state, random) if session is not None else None
    work = WorkFolder.create(home, new_id(started, random(4)))

    def keep() -> None:
        if session is not None and login is not None:
            keep_secrets(work.secrets, session, login.standins, random)

    try:
        work.save("asked", Asked(request, started, browser, options))
        operator = operator_of(signer)
        tsa = TsaClient(clock, anchors=anchors)
        gathering = Gathering(
            request,
            work,
            tsa,
            cache=home / "cache",
            progress=progress,
            clock=clock,
            random=random,
            environ=environ,
            login=login,
            keep_secrets=keep,
        )
        gathered = gathering.run(browser, target, options, started, driver)
        progress.step("writing the archives")
        record = deliver(work, gathered, request, operator, clock=clock, random=random, login=login)
        sealed = seal_capture(
            work, request, signer, operator, home=home, tsa=tsa, clock=clock, progress=progress
        )
    except OSError as error:
        if error.errno not in _DISK:
            _keep_or_remove(work, error)
            raise
        failure = StorageError(
            f"cannot write what was captured: {(error.strerror or '').lower()}",
            hint="make room on the disk of EVIDENCE_KIT_HOME",
        )
        _keep_or_remove(work, failure)
        raise failure from error
    except KeyboardInterrupt as error:
        stopped = InterruptedByUserError("stopped")
        _keep_or_remove(work, stopped)
        raise stopped from error
    except BaseException as error:
        _keep_or_remove(work, error)
        raise
    work.remove()
    return result_of(sealed, record, request)


def _make_output(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot make the folder {output}: {(error.strerror or 'unknown').lower()}",
            hint="choose another --output",
        ) from error


def _keep_or_remove(work: WorkFolder, error: BaseException) -> None:
    """After a failure keep what was captured; remove a folder in which nothing was."""
    refused = isinstance(error, NetworkError)
    if refused or not work.holds_evidence:
        work.remove()
        return
    work.release()
    kept = f"what was captured is kept: evidence-kit recover {work.id}"
    if not isinstance(error, EvidenceError):
        error.add_note(kept)
    else:
        error.hint = f"{error.hint}; {kept}" if error.hint else kept
