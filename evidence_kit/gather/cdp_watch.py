"""Passive DevTools events of the page and everything it starts: a second witness.

The watch asks for Network events of pages, frames and workers, attached through the browser
itself, and changes nothing but the accepted content codings. It serves progress and idle
detection, the cross-check against the NetLog, and the fallback recording.
Protocol: https://chromedevtools.github.io/devtools-protocol/ (domains Network and Target).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import CDPSession
from playwright.async_api import Error as PlaywrightError

PAUSE_SECONDS = 3.0  # a worker answers within milliseconds, on a busy machine in a second
CALL_SECONDS = 10.0  # a healthy target answers within milliseconds
MAX_REQUESTS = 20_000  # followed one by one; the NetLog goes on recording beyond that
MAX_HOPS = 60  # redirects of one request; the browser itself stops at 20
MAX_DEPTH = 4  # page → frame → worker → worker started by it
LASTING = frozenset({"WebSocket", "EventSource", "Ping", "CSPViolationReport"})
"""Resource types that never end or that nobody waits for: they do not keep a page busy."""

_EXTRA = ("requestWillBeSentExtraInfo", "responseReceivedExtraInfo")
_NETWORK_TARGETS = frozenset(
    {"page", "iframe", "worker", "service_worker", "shared_worker", "webview"}
)

Sessions = tuple[str, ...]
"""Way from the browser's session down to a target's: one session id per level."""


@dataclass
class Seen:
    """One request hop as DevTools reported it; filled in as events arrive."""

    request_id: str
    url: str
    method: str
    started: float
    kind: str = ""
    initiator: str = ""
    top_navigation: bool = False
    sessions: Sessions = ()
    request_headers: dict[str, str] = field(default_factory=dict)
    status: int | None = None
    status_text: str = ""
    response_headers: dict[str, str] = field(default_factory=dict)
    protocol: str = ""
    remote_address: str | None = None
    remote_port: int | None = None
    error: str | None = None
    blocked: str = ""
    from_cache: bool = False
    from_service_worker: bool = False
    redirected: bool = False
    ended: bool = False


@dataclass(frozen=True)
class Navigation:
    """The main frame showed another document."""

    url: str
    at: float


class CdpWatch:
    """Follow all targets of one browser.

    Args:
        session: DevTools session of the browser itself.
        accept_encoding: sent with every request instead of the browser's own list.
        on_finished: called with each hop whose body is complete, while it can still be fetched.
        buffer: bytes of bodies that the browser keeps for ``Network.getResponseBody``.
    """

    def __init__(
        self,
        session: CDPSession,
        *,
        accept_encoding: str,
        on_finished: Callable[[Seen], None] | None = None,
        buffer: int = 0,
    ) -> None:
        self._session = session
        self._accept_encoding = accept_encoding
        self._on_finished = on_finished
        self._buffer = buffer
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._targets: set[str] = set()
        self._active: dict[str, Seen] = {}
        self._hops: dict[str, list[Seen]] = {}
        self._extra: dict[tuple[str, str], list[Mapping[str, Any] | None]] = {}
        self._main_frame = ""
        self.seen: list[Seen] = []
        self.dropped = 0
        self.navigations: list[Navigation] = []
        self.on_navigation: Callable[[], None] = lambda: None
        self.on_window: Callable[[str], None] = lambda _: None
        self.last_activity = time.monotonic()

    async def start(self, main_frame: str) -> None:
        """Attach to what is there and to whatever comes.

        Raises:
            playwright.async_api.Error: the browser refuses.
        """
        self._main_frame = main_frame
        self._session.on("Target.attachedToTarget", lambda event: self._attached((), event))
        self._session.on("Target.receivedMessageFromTarget", lambda event: self._message((), event))
        self._session.on("Target.targetCreated", self._created)
        await self._session.send("Target.setDiscoverTargets", {"discover": True})
        await self.settle()
        await self.settle()  # attaching first, then asking

    async def settle(self) -> None:
        """Wait until targets that were just attached have been told what to report."""
        tasks = list(self._tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=CALL_SECONDS)

    async def send(self, sessions: Sessions, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of a target, through all levels above it.

        Raises:
            TimeoutError: no answer.
            ValueError: the target answered with an error.
            playwright.async_api.Error: the browser is gone.
        """
        number = next(self._numbers)
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        message = {"id": number, "method": method, "params": params}
        try:
            for session in reversed(sessions[1:]):
                message = {
                    "id": next(self._numbers),
                    "method": "Target.sendMessageToTarget",
                    "params": {"sessionId": session, "message": json.dumps(message)},
                }
            async with asyncio.timeout(CALL_SECONDS):
                await self._session.send(
                    "Target.sendMessageToTarget",
                    {"sessionId": sessions[0], "message": json.dumps(message)},
                )
                answer = await future
        finally:
            self._waiting.pop(number, None)
        if "error" in answer:
            raise ValueError(str(answer["error"].get("message", answer["error"])))
        result: dict[str, Any] = answer.get("result", {})
        return result

    def busy(self) -> int:
        """How many requests are on their way, lasting ones left out."""
        return sum(1 for item in self._active.values() if item.kind not in LASTING)

    def documents(self) -> list[Seen]:
        """Hops of the main frame's own documents, in order."""
        return [item for item in self.seen if item.top_navigation]

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _created(self, event: Mapping[str, Any]) -> None:
        """Pages and shared workers belong to the browser; all others are told by their page.

        The browser offers no pause before these start (automatic attachment at its own level
        works only for the driver's kind of sessions), so a shared worker's very first request
        may be missed here; the NetLog has it.
        """
        target = event["targetInfo"]
        if target["type"] in ("page", "shared_worker"):
            params = {"targetId": target["targetId"], "flatten": False}
            self._spawn(self._attach(params))

    async def _attach(self, params: dict[str, Any]) -> None:
        with contextlib.suppress(PlaywrightError):  # gone before we came
            await self._session.send("Target.attachToTarget", params)

    def _attached(self, above: Sessions, event: Mapping[str, Any]) -> None:
        sessions = (*above, str(event["sessionId"]))
        target = event["targetInfo"]
        if str(target["type"]).endswith("worker"):
            self._script_of_worker(str(target["url"]))
        new = target["targetId"] not in self._targets and len(sessions) <= MAX_DEPTH
        self._targets.add(target["targetId"])
        self._spawn(self._follow(sessions, str(target["type"]), new=new))

    async def _follow(self, sessions: Sessions, kind: str, *, new: bool) -> None:
        """Ask a new target for its events, then let it run; a dead target is no fault."""
        calls = []
        if new and kind in _NETWORK_TARGETS:
            headers = {"Accept-Encoding": self._accept_encoding}
            attach = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": False}
            calls = [
                self.send(sessions, "Network.enable", maxTotalBufferSize=self._buffer),
                self.send(sessions, "Network.setExtraHTTPHeaders", headers=headers),
                self.send(sessions, "Target.setAutoAttach", **attach),
            ]
            if kind == "page":
                calls.append(self.send(sessions, "Page.enable"))
        tasks = [asyncio.ensure_future(self._tolerant(call)) for call in calls]
        if tasks:  # a paused frame answers some calls only after it runs
            await asyncio.wait(tasks, timeout=PAUSE_SECONDS)
        await self._tolerant(self.send(sessions, "Runtime.runIfWaitingForDebugger"))

    @staticmethod
    async def _tolerant(call: Coroutine[Any, Any, Any]) -> None:
        """Not every kind of target knows every method, and any of them may be gone."""
        with contextlib.suppress(PlaywrightError, TimeoutError, ValueError):
            await call

    def _message(self, above: Sessions, event: Mapping[str, Any]) -> None:
        sessions = (*above, str(event["sessionId"]))
        message = json.loads(event["message"])
        if "id" in message:
            future = self._waiting.get(message["id"])
            if future is not None and not future.done():
                future.set_result(message)
            return
        method, params = message.get("method", ""), message.get("params", {})
        if method == "Target.receivedMessageFromTarget":
            self._message(sessions, params)
        elif method == "Target.attachedToTarget":
            self._attached(sessions, params)
        elif method == "Page.frameNavigated":
            frame = params["frame"]
            if frame["id"] == self._main_frame and frame["url"] != "about:blank":
                self.navigations.append(Navigation(str(frame["url"]), time.time()))
                self.on_navigation()
        elif method == "Page.windowOpen":
            self.on_window(str(params.get("url", "")))
        elif method == "Target.detachedFromTarget":
            self._gone((*sessions, str(params["sessionId"])))
        elif method.startswith("Network."):
            self._network(sessions, method.removeprefix("Network."), params)

    def _script_of_worker(self, url: str) -> None:
        """A worker's own script begins in its page and ends elsewhere, or is never told to end."""
        for key in [key for key, item in self._active.items() if item.url == url]:
            self._active.pop(key).kind = "Script"

    def _gone(self, sessions: Sessions) -> None:
        for key in [key for key, item in self._active.items() if item.sessions == sessions]:
            del self._active[key]

    def _network(self, sessions: Sessions, name: str, params: Mapping[str, Any]) -> None:
        self.last_activity = time.monotonic()
        if name == "requestWillBeSent":
            self._request(sessions, params)
        elif name == "webSocketCreated":
            self._add(
                Seen(params["requestId"], params["url"], "GET", time.time(), kind="WebSocket")
            )
        elif name in _EXTRA:
            self._extra_info(name, params)
        else:
            hop = self._active.get(str(params.get("requestId", "")))
            if hop is not None:
                self._progress(hop, name, params)

    def _request(self, sessions: Sessions, params: Mapping[str, Any]) -> None:
        key, request = str(params["requestId"]), params["request"]
        before = self._active.get(key)
        redirect = params.get("redirectResponse")
        if before is not None:
            if redirect is None:
                return  # the same request, told by a second session
            self._answer(before, redirect)
            if not params.get("redirectHasExtraInfo", True):
                self._without_extra(key)
            before.redirected = before.ended = True
        hop = Seen(
            key,
            str(request["url"]),
            str(request["method"]),
            float(params.get("wallTime", time.time())),
            kind=str(params.get("type", "")),
            initiator=str(params.get("documentURL", "")),
            top_navigation=params.get("type") == "Document"
            and params.get("frameId") == self._main_frame,
            sessions=sessions,
            request_headers={str(k): str(v) for k, v in request.get("headers", {}).items()},
        )
        self._add(hop)

    def _add(self, hop: Seen) -> None:
        if len(self.seen) >= MAX_REQUESTS:
            self.dropped += 1
            return
        self.seen.append(hop)
        self._active[hop.request_id] = hop
        hops = self._hops.setdefault(hop.request_id, [])
        hops.append(hop)
        self._early(hop, len(hops) - 1)

    def _extra_info(self, name: str, params: Mapping[str, Any]) -> None:
        """Headers as really sent and received.

        They may come before or long after the plain event, and hops of one redirect chain share
        their id: the n-th of a kind belongs to the n-th hop.
        """
        key = str(params["requestId"])
        if len(self._extra) >= 2 * MAX_REQUESTS:
            return
        side = self._extra.setdefault((key, name), [])
        if len(side) < MAX_HOPS:
            side.append(params)
            hops = self._hops.get(key, [])
            if len(side) <= len(hops):
                self._apply(hops[len(side) - 1], name, params)

    def _early(self, hop: Seen, place: int) -> None:
        """What came before the hop itself was told."""
        for name in _EXTRA:
            side = self._extra.get((hop.request_id, name), [])
            found = side[place] if place < len(side) else None
            if found is not None:
                self._apply(hop, name, found)

    def _without_extra(self, key: str) -> None:
        """A redirect of the browser's own: it passed no wire and gets no extra events."""
        place = len(self._hops.get(key, [])) - 1
        for name in _EXTRA:
            side = self._extra.setdefault((key, name), [])
            if len(side) == place:
                side.append(None)

    @staticmethod
    def _apply(hop: Seen, name: str, params: Mapping[str, Any]) -> None:
        headers = {str(k): str(v) for k, v in params.get("headers", {}).items()}
        if name == "requestWillBeSentExtraInfo":
            hop.request_headers = headers
        else:
            hop.response_headers = headers
            hop.status = hop.status or int(params.get("statusCode", 0)) or None

    def _progress(self, hop: Seen, name: str, params: Mapping[str, Any]) -> None:
        if name == "responseReceived":
            self._answer(hop, params["response"])
            hop.kind = hop.kind or str(params.get("type", ""))
        elif name == "requestServedFromCache":
            hop.from_cache = True
        elif name == "loadingFinished":
            hop.ended = True
            self._active.pop(hop.request_id, None)
            if self._on_finished is not None:
                self._on_finished(hop)
        elif name == "loadingFailed":
            hop.ended = True
            hop.error = str(params.get("errorText", "")) or None
            hop.blocked = str(params.get("blockedReason", ""))
            if not hop.blocked and params.get("corsErrorStatus"):
                hop.blocked = "cors"
            self._active.pop(hop.request_id, None)
        elif name == "webSocketHandshakeResponseReceived":
            hop.status = int(params["response"].get("status", 0)) or None
        elif name == "webSocketClosed":
            hop.ended = True
            self._active.pop(hop.request_id, None)

    @staticmethod
    def _answer(hop: Seen, response: Mapping[str, Any]) -> None:
        hop.status = int(response.get("status", 0)) or None
        hop.status_text = str(response.get("statusText", ""))
        if not hop.response_headers:
            hop.response_headers = {str(k): str(v) for k, v in response["headers"].items()}
        hop.protocol = str(response.get("protocol", ""))
        hop.remote_address = str(response.get("remoteIPAddress", "")).strip("[]") or None
        hop.remote_port = int(response["remotePort"]) if "remotePort" in response else None
        hop.from_cache = hop.from_cache or bool(response.get("fromDiskCache"))
        hop.from_service_worker = bool(response.get("fromServiceWorker"))
