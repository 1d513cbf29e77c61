"""A session with an app password, for what the public service does not show to visitors.

Source: lexicons ``com.atproto.server.createSession`` and ``deleteSession``. The session is made at
the account's own server, used for the questions at hand and ended. Password and tokens go into no
file but the exchanges, where they are masked as every credential is.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from evidence_kit.core.canonical_json import JsonError, loads
from evidence_kit.core.errors import InputError, NetworkError
from evidence_kit.core.exchange import Exchange
from evidence_kit.platforms.base import base_of
from evidence_kit.platforms.reading import parse_answer, text_at
from evidence_kit.platforms.visit import Visit
from evidence_kit.seal.http_message import BadMessageError, body_chunks, measure

CREATE = "com.atproto.server.createSession"
SERVICE = "https://bsky.social"
"""Where accounts of Bluesky itself log in; ``BLUESKY_SERVICE`` names another server."""

_TOKEN = re.compile(r"[A-Za-z0-9_.~+/=-]{16,4096}")
"""What goes into a header must not end it."""


@dataclass(frozen=True)
class AppPassword:
    """An account and a password made for this purpose; never part of any output.

    Attributes:
        service: the account's server.
        identifier: handle, DID or address of mail.
    """

    identifier: str
    password: str = field(repr=False)
    service: str = SERVICE


@dataclass(frozen=True)
class Session:
    """A session that is open.

    Attributes:
        did: of the account, which the bundle names.
        base: of its server.
    """

    did: str
    base: str
    access: str = field(repr=False)
    refresh: str = field(repr=False)

    @property
    def bearer(self) -> dict[str, str]:
        """What a question carries."""
        return {"Authorization": f"Bearer {self.access}"}


def open_session(visit: Visit, account: AppPassword) -> Session | None:
    """Log in; None and a gap where that fails."""
    base = base_of(account.service)
    url = f"{base}/xrpc/{CREATE}"
    if base is None or not _is_safe(base):
        detail = "the password is sent over TLS only, to the server that BLUESKY_SERVICE names"
        visit.gap("session.not-opened", account.service, detail)
        return None
    asked = {"identifier": account.identifier, "password": account.password}
    try:
        answer = visit.http.send(
            "POST",
            url,
            headers={"Content-Type": "application/json"},
            body=json.dumps(asked).encode("utf-8"),
        )
    except (NetworkError, InputError) as error:
        visit.gap("session.not-opened", url, error.message)
        return None
    value = parse_answer(answer)
    access, refresh = text_at(value, "/accessJwt"), text_at(value, "/refreshJwt")
    did = text_at(value, "/did")
    if answer.status != 200 or not _TOKEN.fullmatch(access) or not _TOKEN.fullmatch(refresh):
        reason = re.sub(r"[^A-Za-z0-9]", "", text_at(value, "/error"))[:60]
        visit.gap("session.not-opened", url, f"HTTP {answer.status} {reason}".rstrip())
        return None
    return Session(did, base, access, refresh)


def close_session(visit: Visit, session: Session) -> None:
    """Log out, so that the tokens are worth nothing any more; a gap where that fails."""
    url = f"{session.base}/xrpc/com.atproto.server.deleteSession"
    try:
        answer = visit.http.send(
            "POST", url, headers={"Authorization": f"Bearer {session.refresh}"}
        )
    except (NetworkError, InputError) as error:
        visit.gap("session.not-closed", url, error.message)
        return
    if answer.status != 200:
        visit.gap("session.not-closed", url, f"HTTP {answer.status}")


def own_addresses(exchange: Exchange) -> tuple[str, ...]:
    """Addresses of mail of the own account in the exchange that logged in; empty for any other."""
    if not urlsplit(exchange.url).path.endswith(f"/{CREATE}"):
        return ()
    found = []
    for path, member in ((exchange.request, "/identifier"), (exchange.response, "/email")):
        if path is None:
            continue
        try:
            message = measure(path, method=exchange.method if member == "/email" else "")
            value = loads(b"".join(body_chunks(path, message)))
        except (BadMessageError, JsonError):
            continue
        found.append(text_at(value, member))
    return tuple(value for value in found if "@" in value.lstrip("@"))


def _is_safe(base: str) -> bool:
    return base.startswith("https://") or urlsplit(base).hostname in ("localhost", "127.0.0.1")
