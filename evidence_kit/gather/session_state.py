"""What makes a browser logged in: a site's cookies and what its pages keep in local storage.

The values are secrets: no representation of these objects shows them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from evidence_kit.core.canonical_json import JsonError, dumps, loads
from evidence_kit.gather.addresses import ascii_name
from evidence_kit.gather.netlog_pipe import LineReader
from evidence_kit.seal.redact_fields import in_json
from evidence_kit.seal.redact_looks import looks_random
from evidence_kit.seal.standins import StandIns

MAX_COOKIES = 500
"""A browser keeps 180 for a site; more are not one site's."""

_NAMES = ("name", "value", "domain", "path", "expires", "httpOnly", "secure", "sameSite")
_PIECE = re.compile(rb"[A-Za-z0-9_.~+/=-]+")
_JWT = re.compile(rb"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")


@dataclass(frozen=True)
class SessionState:
    """Cookies as the browser gave them, and local storage by origin.

    Attributes:
        cookies: each with name, value, domain, path, expires (Unix time, -1 for as long as the
            browser runs), httpOnly, secure, sameSite, and partitionKey where it has one.
        storage: origin → key → value.
    """

    cookies: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    storage: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.cookies) or any(self.storage.values())

    def of_site(self, host: str) -> SessionState:
        """Only what a browser would use on pages of this site; what others set is left out.

        Args:
            host: of the page where the login began; ``www.`` before it makes no difference.
        """
        cookies = (item for item in self.cookies if _covers(str(item["domain"]), host))
        return SessionState(
            tuple(cookies)[:MAX_COOKIES],
            {
                origin: items
                for origin, items in self.storage.items()
                if items and of_site(urlsplit(origin).hostname or "", host)
            },
        )

    def live(self, now: datetime) -> SessionState:
        """Without the cookies that have run out."""
        at = now.timestamp()
        kept = (item for item in self.cookies if item["expires"] < 0 or item["expires"] > at)
        return SessionState(tuple(kept), self.storage)

    def tls_only(self) -> SessionState:
        """With every cookie kept from plain http (RFC 6265 section 5.4), whatever the site said."""
        return SessionState(
            tuple({**cookie, "secure": True} for cookie in self.cookies), self.storage
        )

    def secrets(self) -> Iterator[tuple[str, bytes]]:
        """Name and value of everything in it that may open the account.

        In local storage that is a value which looks drawn by a machine, and the credential fields
        and tokens within it; the rest are settings and copies of what the site shows.
        """
        for cookie in self.cookies:
            value = str(cookie["value"]).encode("utf-8", "surrogateescape")
            label = f"session cookie {cookie['name']}"
            if value:
                yield label, value
            # Pages and headers repeat it decoded, without its quotes, or the drawn part alone.
            for piece in _PIECE.findall(unquote_to_bytes(value)):
                if piece != value and looks_random(piece):
                    yield label, piece
        for items in self.storage.values():
            for name, text in items.items():
                value = text.encode("utf-8", "replace")
                label = f"session storage {name}"
                if looks_random(value.strip(b'"')):
                    yield label, value.strip(b'"')
                for named in in_json(value):
                    yield label, named.value
                for token in _JWT.finditer(value):
                    yield label, token[0]

    def to_set(self) -> list[Any]:
        """The cookies in the form that the driver takes."""
        return [dict(item) for item in self.cookies]

    def to_bytes(self) -> bytes:
        """The form in which it is encrypted."""
        return dumps(
            {
                "cookies": [dict(item) for item in self.cookies],
                "storage": {origin: dict(items) for origin, items in self.storage.items()},
            }
        )


@dataclass(frozen=True)
class LoggedIn:
    """A visit's session, and what stands for its secrets in everything that is written."""

    state: SessionState
    standins: StandIns

    def text(self, text: str) -> str:
        """A text without the session's secrets."""
        raw = text.encode("utf-8", "surrogatepass")
        return self.standins.anywhere(raw).decode("utf-8", "surrogatepass")


class MaskedLines:
    """A reader of the browser's log before which the session's secrets are exchanged."""

    def __init__(self, reader: LineReader, login: LoggedIn) -> None:
        self._reader = reader
        self._standins = login.standins

    def feed(self, line: bytes) -> None:
        """Take the next line."""
        self._reader.feed(self._standins.line(line))


def logged_in(state: SessionState, random: Callable[[int], bytes]) -> LoggedIn:
    """Ready for one visit: every secret of the session has its stand-in.

    Args:
        state: the session.
        random: gives that many random bytes.
    """
    standins = StandIns(random)
    for _, value in state.secrets():
        standins.learn(value)
    return LoggedIn(state, standins)


def from_bytes(data: bytes) -> SessionState:
    """The inverse of :meth:`SessionState.to_bytes`.

    Raises:
        ValueError: another form.
    """
    try:
        found = loads(data)
        return SessionState(tuple(map(_cookie, found["cookies"])), found["storage"])
    except (JsonError, KeyError, TypeError) as error:
        raise ValueError("no session state") from error


def from_browser(cookies: Iterable[Any], storage: Mapping[str, Mapping[str, str]]) -> SessionState:
    """What the driver gave, reduced to the fields that are kept."""
    # Half a character pair (UTF-16) is possible there, and is no part of a session.
    clean = {
        origin: {_whole(key): _whole(value) for key, value in items.items()}
        for origin, items in storage.items()
    }
    return SessionState(tuple(map(_cookie, cookies)), clean)


def of_site(host: str, site: str) -> bool:
    """Whether a host is the site's own or below it, however each is written (IDNA)."""
    name, base = _name(host), _name(site).removeprefix("www.")
    return name.removeprefix("www.") == base or name.endswith(f".{base}")


def _covers(domain: str, site: str) -> bool:
    """Whether a cookie of this domain is sent to the site, or is of a host below it (RFC 6265)."""
    name, host = domain.lower().lstrip("."), site.lower()
    above = domain.startswith(".") and host.endswith(f".{name}")
    return above or of_site(name, host)


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _name(host: str) -> str:
    return ascii_name(host.lower())


def _cookie(item: Mapping[str, Any]) -> Mapping[str, Any]:
    found = {name: item[name] for name in _NAMES}
    found["expires"] = float(found["expires"])
    if item.get("partitionKey"):
        found["partitionKey"] = item["partitionKey"]
    return found
