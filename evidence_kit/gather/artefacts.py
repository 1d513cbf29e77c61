"""Draw the page while it is open: picture, MHTML, DOM, text, accessibility tree, PDF.

The picture comes first, before anything touches the page, and again after each treatment that
changed it. Each artefact has its own time limit; one that fails is recorded as failed and never
stops the others.
"""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from evidence_kit.core.clock import Clock
from evidence_kit.core.digests import Digests, digest_bytes
from evidence_kit.core.errors import BrowserError, StorageError
from evidence_kit.core.events import EventLog, Progress
from evidence_kit.gather.aria_tree import render_tree
from evidence_kit.gather.behaviour import Treated, Treatment
from evidence_kit.gather.dom_snapshot import COMPUTED_STYLES, Counts, Snapshot
from evidence_kit.gather.session_state import LoggedIn
from evidence_kit.gather.time_sources import system_clock
from evidence_kit.gather.visit import Visit

TILE = 8_000  # device px; one shot was seen silently corrupted at 100,000
MAX_HEIGHT = 60_000  # device px over all tiles; beyond it the record says what was left out
MAX_WIDTH = 8_000  # device px; wider than any real page
PICTURE_SECONDS = 30.0  # per tile; 500,000 nodes were seen to take 8 to 18 s each
PICTURES_SECONDS = 45.0  # all tiles of one picture, so that the rest is not left without time
MHTML_SECONDS = 30.0
DOM_SECONDS = 30.0
ARIA_SECONDS = 20.0
PDF_SECONDS = 30.0
FRAMES_SECONDS = 5.0
MAX_DOTS = 1_000  # addresses of pictures of one dot; pages with much advertising have some 50
MAX_FRAMES = 50  # frames of other origins; pages with advertising have some 20


_STEPS = {"scroll": "scrolling the page", "consent": "refusing consent banners"}
"""What a treatment is called while it is waited for."""


class Kind(StrEnum):
    """What is drawn."""

    SCREENSHOT = "screenshot"
    MHTML = "mhtml"
    DOM = "dom"
    TEXT = "text"
    ARIA = "aria"
    PDF = "pdf"


class State(StrEnum):
    """What became of it."""

    MADE = "made"
    FAILED = "failed"
    NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True)
class ArtefactResult:
    """One artefact.

    Attributes:
        name: file name in the folder.
        why: reason of a failure, or a remark on what was made, such as a cut at the cap.
        digests: of the bytes as they were written; None without a file.
        written: UTC; None without a file.
    """

    kind: Kind
    name: str
    state: State
    why: str = ""
    digests: Digests | None = None
    written: datetime | None = None


@dataclass(frozen=True)
class Artefacts:
    """All results, and what the content check needs from them. The text is unredacted.

    Attributes:
        dots: addresses of pictures to which the page gives one dot of room at most.
    """

    results: tuple[ArtefactResult, ...]
    visible_text: str = ""
    counts: Counts | None = None
    remarks: tuple[str, ...] = field(default=())
    treated: tuple[Treated, ...] = field(default=())
    dots: tuple[str, ...] = field(default=())


class Target(Protocol):
    """A page or frame that DevTools methods can be called on."""

    def send(
        self, method: str, params: Mapping[str, Any] | None = None, *, seconds: float
    ) -> dict[str, Any]:
        """Call a method; raises BrowserError."""


def make_artefacts(
    visit: Visit,
    folder: Path,
    log: EventLog,
    progress: Progress,
    clock: Clock = system_clock,
    treatments: Sequence[tuple[str, Treatment]] = (),
    login: LoggedIn | None = None,
) -> Artefacts:
    """Draw everything into ``folder``, which must exist and be empty of these names.

    Args:
        visit: the open page.
        folder: gets the files.
        log: gets each step.
        progress: gets what is being waited for.
        clock: source of times.
        treatments: by name, what is done to the page after its first picture, in this order.
        login: of a visit that is logged in: no text is written with a secret of its session.

    Raises:
        StorageError: a file cannot be written.
    """
    return _Maker(visit, folder, log, progress, clock, treatments, login).run()


class _Maker:
    def __init__(
        self,
        visit: Visit,
        folder: Path,
        log: EventLog,
        progress: Progress,
        clock: Clock,
        treatments: Sequence[tuple[str, Treatment]],
        login: LoggedIn | None,
    ) -> None:
        self._login = login
        self._visit = visit
        self._folder = folder
        self._log = log
        self._progress = progress
        self._clock = clock
        self._treatments = treatments
        self._treated: list[Treated] = []
        self._results: list[ArtefactResult] = []
        self._snapshots: list[Snapshot] = []
        self._remarks: list[str] = []

    def run(self) -> Artefacts:
        steps: tuple[tuple[Kind, str, Callable[[], None]], ...] = (
            (Kind.SCREENSHOT, "screenshot.png", self._screenshot),
            *(self._after(name, treat) for name, treat in self._treatments),
            (Kind.MHTML, "page.mhtml", self._mhtml),
            (Kind.DOM, "dom.txt", self._dom),
            (Kind.TEXT, "text.txt", self._text),
            (Kind.ARIA, "aria.yaml", self._aria),
            (Kind.PDF, "page.pdf", self._pdf),
        )
        self._progress.step("drawing the page")
        for number, (kind, name, make) in enumerate(steps):
            self._progress.advance(number, len(steps))
            if self._visit.failure is not None:
                if not name.startswith("screenshot-after-"):
                    self._result(kind, name, State.NOT_APPLICABLE, "there was no page to draw")
                continue
            try:
                make()
            except BrowserError as error:
                self._result(kind, name, State.FAILED, error.message)
                if number + 1 < len(steps):
                    self._visit.revive()
            except (KeyError, IndexError, TypeError, ValueError) as error:
                # A page can break the browser's answer, but not the other artefacts.
                self._result(
                    kind, name, State.FAILED, f"unusable answer: {type(error).__name__} {error}"
                )
        self._progress.advance(len(steps), len(steps))
        return Artefacts(
            tuple(self._results),
            self._hidden("".join(item.text() for item in self._snapshots)),
            self._snapshots[0].counts() if self._snapshots else None,
            tuple(self._remarks),
            tuple(self._treated),
            self._dots(),
        )

    def _hidden(self, text: str) -> str:
        """Without the secrets of the session, where there is one."""
        return self._login.text(text) if self._login is not None else text

    def _dots(self) -> tuple[str, ...]:
        found = [item.dots() for item in self._snapshots]
        dots = set[str]().union(*(one for one, _ in found))
        dots.difference_update(*(others for _, others in found))
        return tuple(self._hidden(url) for url in sorted(dots)[:MAX_DOTS])

    def _after(self, name: str, treat: Treatment) -> tuple[Kind, str, Callable[[], None]]:
        """The step that treats the page, and draws it again where that changed it."""
        stem = f"screenshot-after-{name}"

        def make() -> None:
            self._progress.step(_STEPS.get(name, f"treating the page: {name}"))
            try:
                treated = treat(self._visit)
            except BrowserError as error:
                treated = Treated(name, "failed", changed=True, detail={"why": error.message})
            self._treated.append(treated)
            self._log.log("treated", name=name, outcome=treated.outcome, changed=treated.changed)
            if treated.changed:
                self._screenshot(stem)

        return Kind.SCREENSHOT, f"{stem}.png", make

    def _result(self, kind: Kind, name: str, state: State, why: str) -> None:
        self._results.append(ArtefactResult(kind, name, state, why))
        self._log.log("artefact", kind=kind.value, file=name, state=state.value, why=why)

    def _write(self, kind: Kind, name: str, data: bytes, why: str = "") -> None:
        """Digest first, then write: what is recorded is what was drawn."""
        if self._login is not None and kind not in (Kind.SCREENSHOT, Kind.PDF):
            standins = self._login.standins
            data = standins.mhtml(data) if kind is Kind.MHTML else standins.anywhere(data)
        digests, path = digest_bytes(data), self._folder / name
        try:
            with path.open("xb") as stream:
                stream.write(data)
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror}") from error
        result = ArtefactResult(kind, name, State.MADE, why, digests, self._clock())
        self._results.append(result)
        self._log.log(
            "artefact",
            kind=kind.value,
            file=name,
            state="made",
            size=digests.size,
            sha256=digests.sha256,
            why=why,
        )

    def _screenshot(self, stem: str = "screenshot") -> None:
        """Tiles from the top, each a PNG of its own; the first file is enough for most pages."""
        metrics = self._visit.send("Page.getLayoutMetrics", seconds=PICTURE_SECONDS)
        size, scale = metrics["cssContentSize"], self._visit.scale
        width = min(math.ceil(size["width"]), int(MAX_WIDTH / scale))
        height = max(math.ceil(size["height"]), 1)
        drawn = min(height, int(MAX_HEIGHT / scale))
        remark = "" if drawn == height else f"cut at {drawn} of {height} CSS pixels"
        step = int(TILE / scale)
        end = time.monotonic() + PICTURES_SECONDS
        for number, top in enumerate(range(0, drawn, step), 1):
            clip = {
                "x": 0,
                "y": top,
                "width": width,
                "height": min(step, drawn - top),
                "scale": 1,
            }
            name = f"{stem}.png" if number == 1 else f"{stem}-{number:03}.png"
            try:
                answer = self._visit.send(
                    "Page.captureScreenshot",
                    {"format": "png", "clip": clip, "captureBeyondViewport": True},
                    seconds=max(min(PICTURE_SECONDS, end - time.monotonic()), 0.1),
                )
            except BrowserError as error:
                if number == 1:
                    raise
                missing = f"from CSS pixel {top} down: {error.message}"
                self._result(Kind.SCREENSHOT, name, State.FAILED, missing)
                self._visit.revive()
                return
            part = f"from CSS pixel {top} down" if drawn > step else ""
            why = "; ".join(item for item in (part, remark) if item)
            self._write(Kind.SCREENSHOT, name, base64.b64decode(answer["data"]), why)

    def _mhtml(self) -> None:
        answer = self._visit.send(
            "Page.captureSnapshot", {"format": "mhtml"}, seconds=MHTML_SECONDS
        )
        self._write(Kind.MHTML, "page.mhtml", answer["data"].encode("utf-8"))

    def _targets(self) -> Iterator[tuple[str, Target]]:
        yield self._visit.url, self._visit
        frames = self._visit.frame_sessions(seconds=FRAMES_SECONDS)
        if len(frames) > MAX_FRAMES:
            self._remarks.append(f"{len(frames) - MAX_FRAMES} frames were left out of the DOM")
        yield from frames[:MAX_FRAMES]

    def _dom(self) -> None:
        params = {"computedStyles": list(COMPUTED_STYLES), "includeDOMRects": False}
        failed = 0
        for number, (_, target) in enumerate(self._targets()):
            try:
                answer = target.send("DOMSnapshot.captureSnapshot", params, seconds=DOM_SECONDS)
            except BrowserError:
                if number == 0:
                    raise
                failed += 1  # a frame that went away; the page itself is what matters
                continue
            self._snapshots.append(Snapshot(answer))
        text = "".join(item.html() for item in self._snapshots)
        why = f"{failed} frames could not be read" if failed else ""
        self._write(Kind.DOM, "dom.txt", text.encode("utf-8", "replace"), why)

    def _text(self) -> None:
        if not self._snapshots:
            self._result(Kind.TEXT, "text.txt", State.FAILED, "there is no DOM to read it from")
            return
        text = "".join(item.text() for item in self._snapshots)
        self._write(Kind.TEXT, "text.txt", text.encode("utf-8", "replace"))

    def _aria(self) -> None:
        parts, failed = [], 0
        for number, (url, target) in enumerate(self._targets()):
            try:
                answer = target.send("Accessibility.getFullAXTree", seconds=ARIA_SECONDS)
            except BrowserError:
                if number == 0:
                    raise
                failed += 1
                continue
            parts.append(render_tree(answer["nodes"], url))
        why = f"{failed} frames could not be read" if failed else ""
        self._write(Kind.ARIA, "aria.yaml", "".join(parts).encode("utf-8", "replace"), why)

    def _pdf(self) -> None:
        if not self._visit.headless:
            self._result(
                Kind.PDF, "page.pdf", State.NOT_APPLICABLE, "a browser with a window makes no PDF"
            )
            return
        answer = self._visit.send(
            "Page.printToPDF",
            {"printBackground": True, "preferCSSPageSize": True},
            seconds=PDF_SECONDS,
        )
        self._write(Kind.PDF, "page.pdf", base64.b64decode(answer["data"]))
