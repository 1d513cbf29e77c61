"""Put a stored session into a fresh browser, before anything is asked of the outside."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from typing import Any

from playwright.async_api import BrowserContext, CDPSession

from evidence_kit.gather.session_state import SessionState

_EMPTY = base64.b64encode(b'<!doctype html><link rel="icon" href="data:,">').decode("ascii")
"""The document of an origin while its storage is filled; the icon keeps it from asking for one."""


async def set_session(context: BrowserContext, page: CDPSession, state: SessionState) -> None:
    """Set the cookies, and the local storage of each origin; the page ends as an empty one.

    Local storage belongs to an origin that a document is of, so an empty one is shown in its
    place: the request for it never leaves the browser, and no script of the site runs.

    Args:
        context: of a browser that was not used yet.
        page: DevTools session of its page.
        state: what to set.

    Raises:
        playwright.async_api.Error: the browser does not take it.
    """
    await context.add_cookies(state.to_set())
    if not state.storage:
        return
    tasks: set[asyncio.Task[Any]] = set()

    def answer(event: Mapping[str, Any]) -> None:
        task = asyncio.ensure_future(
            page.send(
                "Fetch.fulfillRequest",
                {
                    "requestId": event["requestId"],
                    "responseCode": 200,
                    "responseHeaders": [{"name": "Content-Type", "value": "text/html"}],
                    "body": _EMPTY,
                },
            )
        )
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    page.on("Fetch.requestPaused", answer)
    await page.send("Fetch.enable", {"patterns": [{"urlPattern": "*"}]})
    for origin, items in state.storage.items():
        await page.send("Page.navigate", {"url": f"{origin}/"})
        place = {"securityOrigin": origin, "isLocalStorage": True}
        for key, value in items.items():
            item = {"storageId": place, "key": key, "value": value}
            await page.send("DOMStorage.setDOMStorageItem", item)
    await page.send("Page.navigate", {"url": "about:blank"})
    page.remove_listener("Fetch.requestPaused", answer)
    await page.send("Fetch.disable")
