"""A real PDS and PLC directory with two accounts, started once per test process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from evidence_kit.demo.pictures import Canvas
from tests.servers.atproto import Servers, running
from tests.servers.atproto.front import POST, Front, ask, serving

PASSWORD = "geheim-wachtwoord-van-de-tests"
WHEN = "2026-11-20T20:14:09.000Z"


@dataclass(frozen=True)
class Account:
    """One account of the PDS."""

    handle: str
    did: str
    token: str


@dataclass(frozen=True)
class Network:
    """The servers and who lives there."""

    front: Front
    servers: Servers
    jan: Account
    piet: Account

    @property
    def environ(self) -> dict[str, str]:
        """What makes the program ask here."""
        return {"BSKY_PUBLIC_API": self.front.address, "ATPROTO_PLC_DIRECTORY": self.front.address}

    def call(self, method: str, token: str, value: Any) -> dict[str, Any]:
        """A procedure of the PDS, by an account; None for one without a body."""
        return _call(self.servers, method, value, token)

    def post(self, who: Account, text: str, **more: Any) -> dict[str, str]:
        """Write a post; gives ``uri`` and ``cid``."""
        record = {"$type": POST, "text": text, "createdAt": WHEN, "langs": ["nl"], **more}
        value = {"repo": who.did, "collection": POST, "record": record}
        return self.call("com.atproto.repo.createRecord", who.token, value)

    def delete(self, who: Account, uri: str) -> None:
        """Remove a post."""
        value = {"repo": who.did, "collection": POST, "rkey": uri.rpartition("/")[2]}
        self.call("com.atproto.repo.deleteRecord", who.token, value)

    def upload(self, who: Account, data: bytes, kind: str) -> dict[str, Any]:
        """Store a file; gives the blob to name in a record."""
        headers = {"Authorization": f"Bearer {who.token}", "Content-Type": kind}
        status, _, body = ask(f"{self.servers.pds}/xrpc/com.atproto.repo.uploadBlob", data, headers)
        assert status == 200, body
        blob: dict[str, Any] = json.loads(body)["blob"]
        return blob

    def page(self, who: Account, uri: str) -> str:
        """Address of a post for people."""
        return f"{self.front.address}/profile/{who.handle}/post/{uri.rpartition('/')[2]}"

    def proof(self, uri: str) -> tuple[bytes, bytes, bytes]:
        """CAR, DID log and DID document for a record, straight from the servers."""
        did, collection, rkey = uri.removeprefix("at://").split("/")
        query = f"did={did}&collection={collection}&rkey={rkey}"
        car = ask(f"{self.servers.pds}/xrpc/com.atproto.sync.getRecord?{query}")
        log = ask(f"{self.servers.plc}/{did}/log/audit")
        document = ask(f"{self.servers.plc}/{did}")
        assert car[0] == log[0] == document[0] == 200
        return car[2], log[2], document[2]


def _call(servers: Servers, method: str, value: Any, token: str = "") -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if value is not None:
        headers["Content-Type"] = "application/json"
    url = f"{servers.pds}/xrpc/{method}"
    status, _, body = ask(url, b"" if value is None else json.dumps(value).encode(), headers)
    assert status == 200, body
    found: dict[str, Any] = json.loads(body) if body else {}
    return found


def _account(servers: Servers, name: str) -> Account:
    value = {"email": f"{name}@example.com", "handle": f"{name}.test", "password": PASSWORD}
    made = _call(servers, "com.atproto.server.createAccount", value)
    return Account(f"{name}.test", made["did"], made["accessJwt"])


@pytest.fixture(scope="session")
def atproto() -> Iterator[Network]:
    """The network; tests add posts of their own."""
    front = Front()
    with serving(front) as address, running(address) as servers:
        front.servers = servers
        jan, piet = _account(servers, "jan"), _account(servers, "piet")
        front.accounts = {jan.handle: jan.did, piet.handle: piet.did}
        yield Network(front, servers, jan, piet)


def with_picture(network: Network, text: str) -> dict[str, str]:
    """A post of Jan with one picture and its description."""
    blob = network.upload(
        network.jan, Canvas(40, 30, (20, 90, 160), (240, 200, 60)).png(), "image/png"
    )
    image = {"image": blob, "alt": "een kleurvlak"}
    embed = {"$type": "app.bsky.embed.images", "images": [image]}
    return network.post(network.jan, text, embed=embed)
