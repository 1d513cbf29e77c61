"""What is asked of one page visit and what comes back: plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from evidence_kit.gather.cross_check import CrossCheck
from evidence_kit.gather.visit import Failure, Quiet
from evidence_kit.seal.netlog import Recording

T = TypeVar("T")


class Method(StrEnum):
    """How exchanges are recorded."""

    RELAY = "evidence-kit-relay"
    """The network log says what was exchanged; the bytes are copied on their way, at the relay."""

    NETLOG = "chromium-netlog"
    """The network log holds the bytes too: where the browser goes past the relay, or is logged in
    and no byte may be written before its secrets were exchanged."""

    CDP = "chromium-cdp"
    """DevTools: what is left where the log cannot be used."""


@dataclass(frozen=True)
class PageOptions:
    """How a page is looked at; all of it stands in the capture record.

    Attributes:
        width: CSS pixels; ``height`` likewise.
        scale: device pixels per CSS pixel.
        quiet_seconds: nothing may have been loading this long before the page counts as loaded.
        load_seconds: longest wait for that; a page that polls for ever never becomes quiet.
        max_seconds: longest visit, artefacts included; then the browser is stopped.
        max_navigations: documents in the main frame; real sign-in chains stay under ten.
        user_agent: replaces the browser's own name where set.
        proxy: empty for the guard; else the guard steps aside and the browser itself speaks to
            ``system`` (its settings), ``pac+URL`` or the proxy at this address.
    """

    locale: str = "nl-NL"
    time_zone: str = "Europe/Amsterdam"
    width: int = 1280
    height: int = 1024
    scale: float = 1.0
    color_scheme: str = "light"
    reduced_motion: bool = True
    headless: bool = True
    user_agent: str = ""
    proxy: str = ""
    quiet_seconds: float = 0.5
    load_seconds: float = 30.0
    max_seconds: float = 240.0
    max_navigations: int = 20


@dataclass(frozen=True)
class BrowserFacts:
    """The browser as it ran. ``flags`` without the private paths of this machine."""

    product: str
    version: str
    revision: str
    path: str
    binary: str
    sha256: str
    driver: str
    flags: tuple[str, ...]
    headless: bool
    sandbox: bool
    user_agent: str
    accept_encoding: str
    options: PageOptions


@dataclass(frozen=True)
class Redirect:
    """One hop before the final document."""

    url: str
    status: int | None
    location: str


@dataclass(frozen=True)
class PageEvent:
    """Something that happened and was answered: a dialog, a pop-up, a download, a crash."""

    at: datetime
    name: str
    detail: str


@dataclass(frozen=True)
class Limit:
    """A bound that was set, and whether it was reached."""

    name: str
    value: str
    reached: bool


@dataclass(frozen=True)
class PageRecording(Generic[T]):
    """All that one visit gave. URLs and texts are unredacted.

    Attributes:
        recording: exchanges and what belongs to them.
        method: how they were recorded; CDP is the fallback and a gap to be told.
        cross_check: network log against DevTools; empty for the fallback.
        status: HTTP status of the final document, None when there was none.
        failure: why there is no main document; None when there is one.
        user_agent: as it was sent.
        quiet: how the wait for loading ended; None when it never began.
        visited: what the caller's own ``visit`` gave back; None when it could not run.
        problems: what was wrong with the recording itself, in plain words.
        navigations: URLs of all documents that the main frame showed, in order.
    """

    recording: Recording
    method: Method
    cross_check: CrossCheck
    requested_url: str
    redirects: tuple[Redirect, ...]
    final_url: str | None
    status: int | None
    title: str | None
    failure: Failure | None
    user_agent: str
    browser: BrowserFacts
    events: tuple[PageEvent, ...]
    navigations: tuple[str, ...]
    limits: tuple[Limit, ...]
    quiet: Quiet | None
    started: datetime
    ended: datetime
    visited: T | None
    problems: tuple[str, ...] = field(default=())
