"""Addresses of posts on AT Protocol's services, and which post each of them is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from evidence_kit.platforms.base import base_of

WEB = "https://bsky.app"
"""Where an ``at://`` address is shown to people."""

KNOWN_HOSTS = frozenset(
    {"bsky.app", "staging.bsky.app", "main.bsky.dev", "deer.social", "blacksky.community"}
)
"""Sites that are certainly of this platform; others are asked about by the form of the address."""

_ACTOR = (
    r"(?P<actor>did:[a-z]+:[A-Za-z0-9._:%-]{1,250}|[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+)"
)
_RKEY = r"(?P<rkey>[A-Za-z0-9._:~-]{1,512})"
_PAGE = re.compile(rf"/profile/@?{_ACTOR}/post/{_RKEY}(?:/(?:liked-by|reposted-by|quotes))?/?")
_EMBED = re.compile(rf"/embed/{_ACTOR}/app\.bsky\.feed\.post/{_RKEY}/?")
_AT = re.compile(rf"at://{_ACTOR}/app\.bsky\.feed\.post/{_RKEY}/?")
_TID = re.compile(r"[2-7a-j][2-7a-z]{12}")


@dataclass(frozen=True)
class PostAddress:
    """A post as its address names it: site for people, account, record key."""

    base: str
    actor: str
    rkey: str


def read_address(url: str) -> PostAddress | None:
    """A post's page on any site of this kind, or its ``at://`` address; None for others."""
    found = _AT.fullmatch(url)
    if found is not None:
        return PostAddress(WEB, found["actor"], found["rkey"])
    base = base_of(url)
    if base is None:
        return None
    parts = urlsplit(url)
    if parts.hostname == "embed.bsky.app":
        found = _EMBED.fullmatch(parts.path)
        return PostAddress(WEB, found["actor"], found["rkey"]) if found else None
    found = _PAGE.fullmatch(parts.path)
    if found is None or not (is_known(base) or _TID.fullmatch(found["rkey"])):
        return None
    return PostAddress(base, found["actor"], found["rkey"])


def is_known(base: str) -> bool:
    """Whether a site is certainly of this platform."""
    return urlsplit(base).hostname in KNOWN_HOSTS


def page_address(url: str) -> str:
    """The web page of an ``at://`` address of a post; any other address as it is."""
    found = _AT.fullmatch(url)
    return f"{WEB}/profile/{found['actor']}/post/{found['rkey']}" if found else url
