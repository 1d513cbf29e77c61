"""The time-stamping authorities this program knows by name (``tsa.toml``), and any by URL."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from urllib.parse import urlsplit

from evidence_kit.core.errors import ConfigError, InputError

_KEYS = {"url", "qualified", "checked", "min_seconds", "source"}
_QUALIFIED = ("unknown", "yes", "no")


@dataclass(frozen=True)
class Tsa:
    """One authority.

    Attributes:
        name: short, as a user types it; the URL itself for one that is not in the list.
        url: where requests go.
        qualified: ``unknown``, or ``yes`` / ``no`` by the trusted list of the date in ``checked``.
        checked: date of the information, ISO 8601; empty for one that is not in the list.
        min_seconds: pause that the authority asks for between requests.
        source: where the information comes from.
    """

    name: str
    url: str
    qualified: str = "unknown"
    checked: str = ""
    min_seconds: float = 0.0
    source: str = ""


@cache
def known_tsas() -> Mapping[str, Tsa]:
    """The list in the package, by name.

    Raises:
        ConfigError: the list itself is wrong.
    """
    text = (files("evidence_kit") / "tsa.toml").read_text("utf-8")
    return parse_list(text)


def parse_list(text: str) -> dict[str, Tsa]:
    """Read a list in the form of ``tsa.toml``; unknown keys are errors.

    Raises:
        ConfigError: it has another form.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"the list of time-stamping authorities cannot be read: {error}"
        ) from error
    found = {}
    for name, entry in document.items():
        if (
            not isinstance(entry, dict)
            or entry.keys() - _KEYS
            or not {"url", "source"} <= entry.keys()
        ):
            raise ConfigError(f"the entry {name} in the list of authorities has another form")
        pause = entry.get("min_seconds", 0)
        if entry.get("qualified", "unknown") not in _QUALIFIED or not isinstance(
            pause, int | float
        ):
            raise ConfigError(f"the entry {name} in the list of authorities has another form")
        found[name] = Tsa(
            name=name,
            url=_checked(str(entry["url"])),
            qualified=str(entry.get("qualified", "unknown")),
            checked=str(entry.get("checked", "")),
            min_seconds=float(pause),
            source=str(entry["source"]),
        )
    return found


def find_tsa(name_or_url: str) -> Tsa:
    """The authority with this name or URL; an unlisted URL gives an entry without knowledge.

    Raises:
        InputError: neither a known name nor an http(s) URL.
    """
    known = known_tsas()
    if name_or_url in known:
        return known[name_or_url]
    if "://" not in name_or_url:
        raise InputError(
            f"no time-stamping authority named {name_or_url}",
            hint="give its URL, or one of: " + ", ".join(sorted(known)),
        )
    url = _checked(name_or_url)
    return next((tsa for tsa in known.values() if tsa.url == url), Tsa(url, url))


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        usable = False
    else:
        if parts.username is not None or parts.password is not None:
            raise InputError(
                "a name or password in the address of a time-stamping authority",
                hint="it would end up in the capture log; use an authority that asks for none",
            )
    if not usable:
        raise InputError(
            f"not the address of a time-stamping authority: {url[:80]}",
            hint="it looks like http://timestamp.example.org/tsa",
        )
    return url
