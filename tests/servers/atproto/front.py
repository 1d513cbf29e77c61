"""A small public service (AppView) before a real PDS and PLC directory, at one address.

Pages, threads and profiles are of our own making in the documented form, from what the PDS holds;
everything about repositories and accounts is passed on to the real servers byte for byte.
"""

from __future__ import annotations

import base64
import html
import http.server
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.listening import answering
from tests.servers.atproto import Servers

POST = "app.bsky.feed.post"
Answer = tuple[int, str, bytes]


def ask(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """One request to a server on this machine, errors as answers."""
    request = urllib.request.Request(url, data=body, headers=dict(headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers.get("Content-Type", ""), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get("Content-Type", ""), error.read()


class Front:
    """What the public service knows.

    Attributes:
        cookie: what its pages and answers set.
        hidden: addresses of posts that it shows to accounts only.
    """

    def __init__(self) -> None:
        self.address = ""
        self.servers = Servers("", "")
        self.accounts: dict[str, str] = {}
        self.cookie = ""
        self.hidden: set[str] = set()

    def posted(self, target: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer to POST: everything about sessions is the server's."""
        return ask(self.servers.pds + target, body, headers)

    def answer(self, target: str, bearer: str = "") -> Answer:
        """The answer to GET ``target``.

        A token of an account is the server's to judge, which then asks here in that account's
        name with a token of its own (``lxm`` in it names the question).
        """
        own = bool(bearer) and b'"lxm"' in _claims(bearer)
        if bearer and not own:
            return ask(self.servers.pds + target, None, {"Authorization": bearer})
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path.startswith("/did:"):
            return ask(self.servers.plc + target)
        if parts.path == "/xrpc/app.bsky.feed.getPostThread":
            if query["uri"] in self.hidden and not own:
                return _js({"error": "NotFound", "message": "Post not found"}, 400)
            return self._thread(query["uri"])
        if parts.path == "/xrpc/app.bsky.feed.getPosts":
            view = self._view(query["uris"]) if query["uris"] not in self.hidden else None
            return _js({"posts": [view] if view else []})
        if parts.path == "/xrpc/app.bsky.actor.getProfile":
            return _js({"did": query["actor"], **self._author(query["actor"])})
        if parts.path.startswith("/xrpc/"):
            return ask(self.servers.pds + target)
        found = parts.path.split("/")
        if len(found) == 5 and found[1::2] == ["profile", "post"]:
            return self._page(found[2], found[4])
        return 404, "text/html", b"<!doctype html><title>Niet gevonden</title>"

    def _record(self, uri: str) -> dict[str, Any] | None:
        did, collection, rkey = uri.removeprefix("at://").split("/")
        query = urlencode({"repo": did, "collection": collection, "rkey": rkey})
        status, _, body = ask(f"{self.servers.pds}/xrpc/com.atproto.repo.getRecord?{query}")
        found: dict[str, Any] | None = json.loads(body) if status == 200 else None
        return found

    def _author(self, did: str) -> dict[str, Any]:
        handle = next((name for name, known in self.accounts.items() if known == did), "")
        return {"did": did, "handle": handle, "displayName": handle.partition(".")[0].title()}

    def _view(self, uri: str) -> dict[str, Any] | None:
        record = self._record(uri)
        if record is None:
            return None
        view = {
            "uri": uri,
            "cid": record["cid"],
            "author": self._author(uri.split("/")[2]),
            "record": record["value"],
            "replyCount": len(self._below(uri)),
            "repostCount": 0,
            "likeCount": 3,
            "indexedAt": record["value"]["createdAt"],
        }
        quoted = record["value"].get("embed", {}).get("record", {}).get("uri")
        inner = self._record(quoted) if quoted else None
        if inner is not None:
            view["embed"] = {
                "$type": "app.bsky.embed.record#view",
                "record": {**inner, "author": self._author(quoted.split("/")[2])},
            }
        return view

    def _below(self, uri: str) -> list[str]:
        """Addresses of the direct replies, in all accounts."""
        found = []
        for did in self.accounts.values():
            query = urlencode({"repo": did, "collection": POST, "limit": 100})
            address = f"{self.servers.pds}/xrpc/com.atproto.repo.listRecords?{query}"
            for record in json.loads(ask(address)[2]).get("records", []):
                parent = record["value"].get("reply", {}).get("parent", {}).get("uri")
                if parent == uri:
                    found.append(record["uri"])
        return sorted(found)

    def _thread(self, uri: str) -> Answer:
        view = self._view(uri)
        if view is None:
            return _js({"error": "NotFound", "message": f"Post not found: {uri}"}, 400)
        node = self._node(view)
        inner, parent = node, view["record"].get("reply", {}).get("parent", {}).get("uri")
        while parent:
            above = self._view(parent)
            if above is None:
                inner["parent"] = {"$type": "app.bsky.feed.defs#notFoundPost", "uri": parent}
                break
            inner["parent"] = self._node(above, replies=False)
            inner = inner["parent"]
            parent = above["record"].get("reply", {}).get("parent", {}).get("uri")
        return _js({"thread": node})

    def _node(self, view: dict[str, Any], *, replies: bool = True) -> dict[str, Any]:
        node: dict[str, Any] = {"$type": "app.bsky.feed.defs#threadViewPost", "post": view}
        if replies:
            below = [self._view(uri) for uri in self._below(view["uri"])]
            node["replies"] = [self._node(found) for found in below if found is not None]
        return node

    def _page(self, actor: str, rkey: str) -> Answer:
        did = self.accounts.get(actor, actor)
        record = self._record(f"at://{did}/{POST}/{rkey}")
        text = "Bericht niet gevonden" if record is None else record["value"]["text"]
        body = (
            f"<!doctype html><html lang=nl><meta charset=utf-8><title>{html.escape(actor)}</title>"
            f"<main><h1>{html.escape(actor)}</h1><p>{html.escape(text)}</p></main></html>"
        )
        return 200, "text/html; charset=utf-8", body.encode()


@contextmanager
def serving(front: Front) -> Iterator[str]:
    """The service on a port of its own; gives its address, also in ``front.address``."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            names = ("Authorization", "Content-Type")
            headers = {name: self.headers[name] for name in names if name in self.headers}
            self._give(*front.posted(self.path, sent, headers))

        def do_GET(self) -> None:
            self._give(*front.answer(self.path, self.headers.get("Authorization", "")))

        def _give(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if front.cookie:
                self.send_header("Set-Cookie", f"session={front.cookie}; Path=/")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with answering(Handler) as port:
        front.address = f"http://127.0.0.1:{port}"
        yield front.address


def _claims(bearer: str) -> bytes:
    """What a token says, unchecked: enough to tell whose it is in a test."""
    middle = bearer.rpartition(" ")[2].split(".")[1]
    return base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4))


def _js(value: Any, status: int = 200) -> Answer:
    return status, "application/json", json.dumps(value).encode()
