"""What a capture is asked for and what it ends in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from evidence_kit.core.errors import ExitCode, InputError
from evidence_kit.gather.chromium import BrowserFound
from evidence_kit.gather.page_session import PAC, SYSTEM_PROXY
from evidence_kit.gather.page_types import PageOptions
from evidence_kit.jobs.bundle import Sealed, Stamp


@dataclass(frozen=True)
class Account:
    """Whose session a capture used; never the session itself.

    Attributes:
        name: as the person who logged in stated it.
        site: what the session is called: a platform's name, or a host.
        stored: when that person logged in.
    """

    name: str
    site: str
    stored: datetime


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
        consent: ``leave`` or ``reject`` consent banners.
        scroll: scroll down, within bounds, so that what loads late is there.
        browser_proxy: where only the browser can speak to the proxy (PAC, Kerberos): ``system``,
            ``pac+URL`` or an address; the guard then steps aside. Empty for the guard.
        media_tool: also let yt-dlp fetch the films, as a second source.
        command: the command line, for the record.
        account: that the browser is logged in with; None for a visitor without account.
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
    consent: str = "leave"
    scroll: bool = True
    browser_proxy: str = ""
    media_tool: bool = False
    command: tuple[str, ...] = ()
    account: Account | None = None


@dataclass(frozen=True)
class Asked:
    """What a work folder knows from the first moment on, to finish a capture that is killed."""

    request: CaptureRequest
    started: datetime
    browser: BrowserFound
    options: PageOptions


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


def checked_browser_proxy(value: str) -> str:
    """A proxy of the browser's own as it may be passed on and recorded.

    Raises:
        InputError: neither ``system`` nor an address, or one with a password in it.
    """
    address = value.removeprefix(PAC)
    if not value or value == SYSTEM_PROXY:
        return value
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise InputError(f"not the address of a proxy: {error}") from error
    kinds = ("http", "https") if value.startswith(PAC) else ("http", "https", "socks5")
    if parts.scheme not in kinds or not parts.hostname:
        raise InputError(
            "--browser-proxy is neither 'system' nor an address",
            hint="as in system, http://proxy.example:3128 or pac+http://proxy.example/proxy.pac",
        )
    if "@" in parts.netloc:
        raise InputError(
            "the address of the proxy holds a user name or password",
            hint="the browser takes none there; use 'system' and sign in to the proxy first",
        )
    return value


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
    # A browser takes a backslash for a slash: the host would be another one than is read here.
    if parts.scheme not in ("http", "https") or not parts.hostname or "\\" in parts.netloc:
        raise InputError(
            "not a web address", hint="give the whole address, beginning with https://"
        )
    if parts.username or parts.password:
        raise InputError(
            "the address holds a user name or password",
            hint="leave out what stands before the @; it would end up in the bundle",
        )
    return parts.hostname, port or (443 if parts.scheme == "https" else 80)


def result_of(sealed: Sealed, record: Mapping[str, Any], request: CaptureRequest) -> CaptureResult:
    """What the user is told: the record, and what the seal itself lacks."""
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
                    "detail": "the time-stamping authority is not among those you trust "
                    "(evidence-kit trust add FILE --tsa)",
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
