"""Reject a consent banner with the vendored autoconsent, when asked to; say what it did.

The script (MPL-2.0, ``vendor/``) runs in the page and in frames of other origins, after the first
picture. It carries its rules and asks nothing of the network. What it reports comes from within the
page and is a remark; the pictures before and after are what a reader should look at.
"""

from __future__ import annotations

import json
import time
from functools import cache
from importlib.resources import files
from typing import Any

from evidence_kit.core.errors import BrowserError
from evidence_kit.gather.artefacts import FRAMES_SECONDS, MAX_FRAMES, Target
from evidence_kit.gather.behaviour import Treated
from evidence_kit.gather.visit import Visit

CALL_SECONDS = 5.0  # reading half a megabyte of script takes some 20 ms
DETECT_SECONDS = 3.0  # its own search for a banner gives up after some 2 s
TOTAL_SECONDS = 12.0  # two or three screens of a slow banner
POLL_SECONDS = 0.2
QUIET_SECONDS = 0.5
MAX_MESSAGES = 60  # a rejection takes five; a page may forge any number
MAX_NAME = 80  # characters of a banner's name

_READ = f"""JSON.stringify((globalThis.autoconsentStandalone?.messages || [])
  .slice(0, {MAX_MESSAGES}).map(item => ({{type: String(item.type), cmp: String(item.cmp || ''),
  result: item.result === true, clicks: Number(item.totalClicks) || 0}})))"""


def reject_consent(visit: Visit) -> Treated:
    """Look for a consent banner and refuse what can be refused.

    Returns:
        Outcome ``rejected``, ``found-not-rejected``, ``not-found``, with the banner's name.

    Raises:
        BrowserError: the page did not answer.
    """
    targets = _targets(visit)
    for number, target in enumerate(targets):
        try:
            target.send("Runtime.evaluate", {"expression": _script()}, seconds=CALL_SECONDS)
        except BrowserError:
            if number == 0:
                raise
    start = time.monotonic()
    messages: list[dict[str, Any]] = []
    while time.monotonic() - start < TOTAL_SECONDS:
        time.sleep(POLL_SECONDS)
        messages = [item for target in targets for item in _messages(target)]
        types = {item["type"] for item in messages}
        if "autoconsentDone" in types or any(
            item["type"] == "optOutResult" and not item["result"] for item in messages
        ):
            break
        if "cmpDetected" not in types and time.monotonic() - start > DETECT_SECONDS:
            break
    visit.wait_quiet(QUIET_SECONDS, 5 * QUIET_SECONDS)
    return _outcome(messages, time.monotonic() - start)


def _outcome(messages: list[dict[str, Any]], seconds: float) -> Treated:
    done = next((item for item in messages if item["type"] == "autoconsentDone"), None)
    found = next((item for item in messages if item["type"] == "popupFound"), None)
    named = done or found
    outcome = "rejected" if done else "found-not-rejected" if found else "not-found"
    return Treated(
        "consent",
        outcome,
        changed=named is not None,
        detail={
            "banner": str(named["cmp"])[:MAX_NAME] if named else "",
            "clicks": int(done["clicks"]) if done else 0,
            "seconds": round(seconds, 1),
            "script": script_name(),
        },
    )


def _targets(visit: Visit) -> list[Target]:
    frames = visit.frame_sessions(seconds=FRAMES_SECONDS)
    return [visit, *(session for _, session in frames[:MAX_FRAMES])]


def _messages(target: Target) -> list[dict[str, Any]]:
    try:
        answer = target.send(
            "Runtime.evaluate", {"expression": _READ, "returnByValue": True}, seconds=CALL_SECONDS
        )
        found = json.loads(answer["result"]["value"])
    except (BrowserError, KeyError, TypeError, ValueError):
        return []  # a frame that went away with its banner, or a page that forges the answer
    if not isinstance(found, list):
        return []
    return [item for item in found if isinstance(item, dict) and _sound(item)]


def _sound(item: dict[str, Any]) -> bool:
    kinds = {"type": str, "cmp": str, "result": bool, "clicks": int}
    return all(isinstance(item.get(name), kind) for name, kind in kinds.items())


@cache
def _script() -> str:
    return (files("evidence_kit") / "vendor" / "autoconsent.standalone.js").read_text("utf-8")


def script_name() -> str:
    """Name and version of the vendored script, for the record."""
    return "autoconsent 16.23.0"
