"""Scroll down so that what a page loads late is loaded, within bounds, and go back to the top.

Nothing is clicked, and the page must stay at its address: the aim is the post and its replies, not
the feed behind them. Script of ours runs in an isolated world, where the page's own functions
cannot stand in for the browser's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from evidence_kit.core.errors import BrowserError
from evidence_kit.gather.behaviour import Treated
from evidence_kit.gather.visit import Visit

STEP_SECONDS = 3.0  # one step answers within milliseconds; a page this slow is not scrolled on
PAUSE_SECONDS = 0.1  # between steps: time for observers of the page to ask for pictures
STEP_SHARE = 0.8  # of the window's height: every part of the page is in view once


@dataclass(frozen=True)
class ScrollLimits:
    """Bounds of one scroll.

    Attributes:
        seconds: in all, waiting included.
        pixels: CSS pixels down; some 20 screens, which a post with its first replies fits in.
        quiet_seconds: at the bottom, nothing may have been loading this long.
    """

    seconds: float = 15.0
    pixels: int = 20_000
    quiet_seconds: float = 0.5


@dataclass(frozen=True)
class _Place:
    """Where the page is scrolled to: CSS pixels, and whether the window itself scrolls."""

    top: int
    height: int
    window: int
    address: str
    whole: bool


def scroll_page(visit: Visit, limits: ScrollLimits | None = None) -> Treated:
    """Scroll to the end or a bound.

    Returns:
        Outcome ``bottom``, ``pixels``, ``time``, ``address-changed`` or ``no-answer``, with the
        pixels, steps and seconds it took, and whether the page or an element in it was scrolled.

    Raises:
        BrowserError: the page did not answer at all.
    """
    limits = limits or ScrollLimits()
    world = _world(visit)
    start = time.monotonic()
    first = place = _step(visit, world, 0)
    steps, furthest, outcome = 0, 0, "bottom"
    while True:
        left = limits.seconds - (time.monotonic() - start)
        if left <= 0:
            outcome = "time"
            break
        if place.top >= limits.pixels:
            outcome = "pixels"
            break
        try:
            if place.top + place.window >= place.height - 1:
                visit.wait_quiet(limits.quiet_seconds, min(left, 5 * limits.quiet_seconds))
                place = _step(visit, world, 0)
                if place.top + place.window >= place.height - 1:
                    break
            step = max(int(place.window * STEP_SHARE), 1)
            before, place = place, _step(visit, world, min(step, limits.pixels - place.top))
        except BrowserError:
            outcome = "no-answer"
            break
        if place.address != first.address:
            outcome = "address-changed"
            break
        if place.top <= before.top:
            break  # the page does not let itself be scrolled further
        steps, furthest = steps + 1, max(furthest, place.top)
        time.sleep(PAUSE_SECONDS)
    if outcome != "no-answer":
        _step(visit, world, -1)
        visit.wait_quiet(limits.quiet_seconds, 5 * limits.quiet_seconds)
    return Treated(
        "scroll",
        outcome,
        changed=steps > 0,
        detail={
            "pixels": furthest,
            "steps": steps,
            "seconds": round(time.monotonic() - start, 1),
            "scrolled": "page" if first.whole else "element",
            "max_pixels": limits.pixels,
            "max_seconds": limits.seconds,
        },
    )


def _world(visit: Visit) -> int:
    tree = visit.send("Page.getFrameTree", seconds=STEP_SECONDS)
    answer = visit.send(
        "Page.createIsolatedWorld",
        {"frameId": tree["frameTree"]["frame"]["id"], "worldName": "scroll"},
        seconds=STEP_SECONDS,
    )
    return int(answer["executionContextId"])


def _step(visit: Visit, world: int, pixels: int) -> _Place:
    """Move by ``pixels`` (negative: back to the top) and say where the page is now."""
    answer = visit.send(
        "Runtime.evaluate",
        {"expression": f"({_SCRIPT})({pixels})", "contextId": world, "returnByValue": True},
        seconds=STEP_SECONDS,
    )
    value: Any = answer.get("result", {}).get("value")
    if not isinstance(value, list) or len(value) != 5:
        raise BrowserError("scrolling: the page gave no answer")
    top, height, window, address, whole = value
    return _Place(int(top), int(height), max(int(window), 1), str(address), bool(whole))


_SCRIPT = """pixels => {
  const root = document.scrollingElement || document.documentElement;
  let found = root;
  const range = root.scrollHeight - innerHeight;
  if (range < innerHeight / 2) {
    let best = 0;
    for (const item of [...document.querySelectorAll('main, div, section, article')]
         .slice(0, 5000)) {
      if (item.scrollHeight - item.clientHeight <= Math.max(range, 10)) continue;
      if (!/auto|scroll/.test(getComputedStyle(item).overflowY)) continue;
      const area = item.clientWidth * item.clientHeight;
      if (area > best) { best = area; found = item; }
    }
  }
  const to = pixels < 0 ? 0 : found.scrollTop + pixels;
  if (pixels) found.scrollTo({top: to, behavior: 'instant'});
  const window_ = found === root ? innerHeight : found.clientHeight;
  return [Math.ceil(found.scrollTop), found.scrollHeight, window_,
          location.href.split('#')[0], found === root];
}"""
