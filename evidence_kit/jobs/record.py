"""The capture record, ``data/capture.json``: what was asked, done, seen and missed (C1-C13).

Built from what the other floors gave back; ``schemas/capture-1.schema.json`` is its published form.
"""

from __future__ import annotations

import platform as python_platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from evidence_kit import __version__
from evidence_kit.core.clock import iso
from evidence_kit.gather.artefacts import Artefacts
from evidence_kit.gather.behaviour import LEFT, Treated
from evidence_kit.gather.contacts import Contact
from evidence_kit.gather.content_check import ContentCheck, ContentState
from evidence_kit.gather.page_types import Limit, Method, PageRecording
from evidence_kit.gather.time_sources import ClockCheck
from evidence_kit.jobs.workfolder import FAILED, Artefact
from evidence_kit.platforms.base import PlatformResult

SCHEMA = "evidence-kit/capture/1"
LIBRARIES = (
    "asn1crypto",
    "brotli",
    "cryptography",
    "playwright",
    "pyhanko",
    "requests",
    "urllib3",
)
"""Libraries whose versions can matter to what was captured or how it was sealed."""


@dataclass(frozen=True)
class Note:
    """A remark with a code that does not change and a few words in English."""

    code: str
    subject: str
    detail: str


@dataclass(frozen=True)
class StartToken:
    """The stamp over a random number that was fetched before the page."""

    file: str | None = None
    nonce: bytes = b""
    tsa: str | None = None
    time: datetime | None = None
    sha256: str | None = None
    why_missing: str = ""

    def to_json(self) -> dict[str, Any]:
        """Its part of the record."""
        return {
            "file": self.file,
            "nonce": self.nonce.hex(),
            "tsa": self.tsa,
            "time": iso(self.time) if self.time else None,
            "sha256": self.sha256,
            "why_missing": self.why_missing,
        }


@dataclass(frozen=True)
class TlsFile:
    """A certificate chain as the browser received it, stored as PEM.

    Attributes:
        verdict: ``trusted``, or the browser's own error name.
        public_root: whether the chain leads to a root that browsers ship.
    """

    host: str
    file: str
    version: str
    cipher: str
    verdict: str
    says: str
    public_root: bool


@dataclass(frozen=True)
class Parts:
    """Everything the record is made of.

    Attributes:
        request: ``url``, ``reason``, ``case``, ``command``, ``options``.
        operator: ``organisation``, ``staff_code``, ``certificate_sha256``, ``private``.
        page: the recording; None where the browser gave none.
        page_problem: why there is no recording, empty where there is one.
        limits: bounds of steps other than the visit and the platform.
        answers: files that are answers, each with the number of its exchange.
        account: that the browser was logged in with; None for a visitor.
    """

    id: str
    request: Mapping[str, Any]
    operator: Mapping[str, Any]
    started: datetime
    ended: datetime
    clock: ClockCheck
    start_token: StartToken
    contacts: Sequence[Contact]
    page: PageRecording[Any] | None
    page_problem: str
    platform: PlatformResult | None
    content: ContentCheck
    artefacts: Sequence[Artefact]
    account: Mapping[str, Any] | None = None
    tls: Sequence[TlsFile] = ()
    api_exchanges: int = 0
    streams: Sequence[Mapping[str, Any]] = ()
    answers: Sequence[Mapping[str, Any]] = ()
    limits: Sequence[Limit] = ()
    proxy: str | None = None
    redactions: Sequence[Mapping[str, Any]] = ()
    redaction_notes: Sequence[Note] = ()
    warnings: Sequence[Note] = ()
    missing: Sequence[Mapping[str, str]] = field(default=())


def capture_state(parts: Parts, missing: Sequence[Mapping[str, str]]) -> str:
    """``not-there`` beats ``partial`` beats ``complete``."""
    if not parts.content.there:
        return "not-there"
    return "partial" if missing else "complete"


def build_record(parts: Parts) -> dict[str, Any]:
    """The record as JSON values; URLs and texts in it are not redacted yet."""
    missing = [*parts.missing, *_gaps(parts)]
    return {
        "schema": SCHEMA,
        "id": parts.id,
        "state": capture_state(parts, missing),
        "request": dict(parts.request),
        "page": _page(parts),
        "operator": dict(parts.operator),
        "machine": _machine(),
        "software": _software(),
        "browser": _browser(parts.page),
        "account": dict(parts.account or {"logged_in": False, "name": None}),
        "times": {
            "started": iso(parts.started),
            "page_started": iso(parts.page.started) if parts.page else None,
            "page_ended": iso(parts.page.ended) if parts.page else None,
            "ended": iso(parts.ended),
        },
        "clock": parts.clock.to_json(),
        "start_token": parts.start_token.to_json(),
        "network": {
            "contacts": [_contact(item) for item in parts.contacts],
            "tls": [asdict(item) for item in parts.tls],
            "proxy": parts.proxy,
        },
        "recording": _recording(parts),
        "artefacts": [asdict(item) for item in parts.artefacts],
        "redactions": list(parts.redactions),
        "redaction_notes": [asdict(item) for item in parts.redaction_notes],
        "content_check": {
            "state": str(parts.content.state),
            "signals": list(parts.content.signals),
        },
        "platform": parts.platform.to_json() if parts.platform else None,
        "streams": [dict(item) for item in parts.streams],
        "answers": [dict(item) for item in parts.answers],
        "behaviours": _behaviours(parts.page),
        "events": _events(parts.page),
        "warnings": [asdict(item) for item in parts.warnings],
        "limits": _limits(parts),
        "missing": missing,
    }


def _gaps(parts: Parts) -> list[dict[str, str]]:
    """What a reader must not believe to be there."""
    found = [
        {"what": item.file, "why": item.why} for item in parts.artefacts if item.state == FAILED
    ]
    if parts.content.state is ContentState.UNKNOWN:
        signals = ", ".join(parts.content.signals)
        found.append({"what": "content check", "why": f"could not be judged ({signals})"})
    if parts.page is None:
        found.append({"what": "page", "why": parts.page_problem})
    elif parts.page.method is Method.CDP:
        found.append(
            {
                "what": "exact bytes of the browser's traffic",
                "why": "the network log did not work; recorded through DevTools instead",
            }
        )
    if parts.page is not None:
        found += [{"what": "recording", "why": text} for text in parts.page.problems]
        if parts.page.cross_check.unexplained:
            why = f"requests that DevTools saw and it lacks: {parts.page.cross_check.unexplained}"
            found.append({"what": "network log", "why": why})
        found += [
            {"what": limit.name, "why": f"limit reached: {limit.value}"}
            for limit in parts.page.limits
            if limit.reached
        ]
    return found


def _page(parts: Parts) -> dict[str, Any]:
    page = parts.page
    permalink = parts.platform.permalink if parts.platform else None
    if page is None:
        return {
            "requested_url": parts.request["url"],
            "redirects": [],
            "final_url": None,
            "permalink": permalink,
            "title": None,
            "status": None,
            "failure": {"name": "no-page", "detail": parts.page_problem},
        }
    return {
        "requested_url": page.requested_url,
        "redirects": [asdict(hop) for hop in page.redirects],
        "final_url": page.final_url,
        "permalink": permalink,
        "title": page.title,
        "status": page.status,
        "failure": asdict(page.failure) if page.failure else None,
    }


def _machine() -> dict[str, str]:
    """System and versions; the machine's name stands in the part that can be withheld."""
    return {
        "system": python_platform.system(),
        "release": python_platform.release(),
        "architecture": python_platform.machine(),
        "python": python_platform.python_version(),
    }


def _software() -> dict[str, Any]:
    libraries = {}
    for name in LIBRARIES:
        try:
            libraries[name] = version(name)
        except PackageNotFoundError:
            libraries[name] = "not installed"
    return {"name": "evidence-kit", "version": __version__, "libraries": libraries}


def _browser(page: PageRecording[Any] | None) -> dict[str, Any] | None:
    if page is None:
        return None
    facts, options = page.browser, page.browser.options
    return {
        "product": facts.product,
        "version": facts.version,
        "path": facts.binary or facts.path,
        "sha256": facts.sha256,
        "headless": facts.headless,
        "sandbox": facts.sandbox,
        "flags": list(facts.flags),
        "user_agent": page.user_agent,
        "locale": options.locale,
        "time_zone": options.time_zone,
        "viewport": {"width": options.width, "height": options.height, "scale": options.scale},
        "color_scheme": options.color_scheme,
        "reduced_motion": options.reduced_motion,
        "accept_encoding": facts.accept_encoding,
    }


def _contact(contact: Contact) -> dict[str, Any]:
    return {
        "time": iso(contact.started),
        "purpose": contact.purpose,
        "host": contact.host,
        "port": contact.port,
        "addresses": list(contact.addresses),
        "address": contact.used,
        "says": "proxy" if contact.via else "guard",
        "via": contact.via,
        "refused": contact.refused or contact.error,
    }


def _recording(parts: Parts) -> dict[str, Any]:
    page = parts.page
    if page is None:
        return {
            "method": "none",
            "exchanges": 0,
            "api_exchanges": parts.api_exchanges,
            "without_response": [],
            "cached": [],
            "websockets": 0,
            "background": {"count": 0, "hosts": []},
            "cross_check": {"only_recorded": [], "only_devtools": []},
            "problems": [],
        }
    recording = page.recording
    return {
        "method": str(page.method),
        "exchanges": len(recording.exchanges),
        "api_exchanges": parts.api_exchanges,
        "without_response": [
            {"url": item.url, "error": item.error or ""} for item in recording.failed
        ],
        "cached": [{"url": item.url, "reason": item.reason} for item in recording.cached],
        "websockets": len(recording.websockets),
        "background": {
            "count": recording.background,
            "hosts": list(recording.background_hosts),
        },
        "cross_check": {
            "only_recorded": _sided(page.cross_check.only_netlog),
            "only_devtools": _sided(page.cross_check.only_cdp),
        },
        "problems": list(recording.problems),
    }


def _behaviours(page: PageRecording[Any] | None) -> list[dict[str, Any]]:
    """What was done to the page on purpose, and what was left undone."""
    drawn = page.visited if page is not None else None
    treated: Iterable[Treated] = drawn.treated if isinstance(drawn, Artefacts) else ()
    found = {item.name: item for item in treated}
    return [asdict(found.get(name, Treated(name, LEFT))) for name in ("consent", "scroll")]


def _sided(items: Iterable[Any]) -> list[str]:
    return [
        f"{item.method} {item.url}" + (f" ({item.note})" if item.note else "") for item in items
    ]


def _events(page: PageRecording[Any] | None) -> list[dict[str, str]]:
    if page is None:
        return []
    return [
        {"time": iso(item.at), "event": item.name, "detail": item.detail} for item in page.events
    ]


def _limits(parts: Parts) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if parts.page is not None:
        found += [asdict(item) for item in parts.page.limits]
    found += [asdict(item) for item in parts.limits]
    if parts.platform is not None:
        found += [
            {
                "name": f"{parts.platform.adapter}: {name}",
                "value": str(value),
                "reached": name in parts.platform.reached,
            }
            for name, value in parts.platform.bounds.items()
        ]
    return found
