"""Is the post there, or a wall, a block, an error, a "not available", another or an empty page?

A pure judgement over facts. It is careful in both directions: an HTTP error is never a complete
capture, and a post that merely talks about logging in is not a login wall. Soft signs count only
on short pages and only two at a time; text that the platform itself gave settles the matter.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, Protocol
from urllib.parse import urlsplit

from evidence_kit.core.page_text import compare_post
from evidence_kit.gather.artefacts import Artefacts
from evidence_kit.gather.page_types import PageRecording

SHORT_WORDS = 250  # walls and error pages seen in the field hold 20-150 words
LINE_WORDS = 14  # a sentence of a wall or error page; longer lines are somebody's text
EMPTY_WORDS = 3  # fewer words than this and no picture: nothing was shown
ENOUGH_SIGNS = 2  # soft signs needed for a login wall
CONSENT_WORDS = 120  # behind a banner on a page with a post there are more words than this
MAX_PLAIN_LINES = 6  # of a page that says one thing only
MIN_PHRASE = 4  # words; shorter phrases occur inside ordinary sentences
POST_DIGITS = 4  # in an address' last part: it is the number of a post, not a name
KNOWN_CHARS = 40  # of the platform's text, compared with the page; shorter texts are compared whole


class ContentState(StrEnum):
    """What was found."""

    PRESENT = "present"
    HTTP_ERROR = "http-error"
    LOGIN_WALL = "login-wall"
    CONSENT_WALL = "consent-wall"
    BOT_BLOCK = "bot-block"
    GEO_BLOCK = "geo-block"
    WRONG_POST = "wrong-post"
    NOT_AVAILABLE = "not-available"
    EMPTY = "empty"
    NETWORK_ERROR = "network-error"
    UNKNOWN = "unknown"


_THERE = frozenset({ContentState.PRESENT, ContentState.UNKNOWN})


@dataclass(frozen=True)
class ContentCheck:
    """The judgement; ``signals`` name what it rests on, as ``what:value``."""

    state: ContentState
    signals: tuple[str, ...] = ()

    @property
    def there(self) -> bool:
        """False where the post is known not to be there; unknown is not that."""
        return self.state in _THERE


@dataclass(frozen=True)
class ContentFacts:
    """What the judgement is made from.

    Attributes:
        status: of the final document; None when there was none or nobody knows.
        failure: name of the network failure of the main document, empty for none.
        visible_text: one block a line.
        images: shown on the page; ``password_fields`` likewise; None where not counted.
        known_text: of the post, as the platform gave it; empty where it gave none.
        platform_state: what the platform itself answered about the post, empty for nothing.
    """

    requested_url: str
    final_url: str = ""
    status: int | None = None
    failure: str = ""
    redirects: int = 0
    title: str = ""
    visible_text: str = ""
    images: int | None = None
    password_fields: int | None = None
    known_text: str = ""
    platform_state: str = ""


class PlatformSays(Protocol):
    """The part of a platform's result that is used here."""

    @property
    def state(self) -> Any:
        """What the platform says about the post."""

    @property
    def posts(self) -> Sequence[Any]:
        """The post first."""


def check_content(
    page: PageRecording[Any], drawn: Artefacts, platform: PlatformSays | None = None
) -> ContentCheck:
    """Judge a visit; see :func:`judge`. How page and platform agree is added to the signals."""
    counts = drawn.counts
    judged = judge(
        ContentFacts(
            requested_url=page.requested_url,
            final_url=page.final_url or "",
            status=page.status,
            failure=page.failure.name if page.failure else "",
            redirects=len(page.redirects),
            title=page.title or "",
            visible_text=drawn.visible_text,
            images=counts.images if counts else None,
            password_fields=counts.password_fields if counts else None,
            known_text=_post_text(platform),
            platform_state=str(platform.state) if platform is not None else "",
        )
    )
    if platform is None or not platform.posts:
        return judged
    shown = drawn.visible_text or None
    found = compare_post(platform.posts[0].to_json(), shown, page.final_url)
    return replace(judged, signals=(*judged.signals, *(item.code for item in found)))


def judge(facts: ContentFacts) -> ContentCheck:
    """Name what the page is. The hard facts come first, then the platform's, then the words."""
    if facts.failure:
        return ContentCheck(ContentState.NETWORK_ERROR, (f"failure:{facts.failure}",))
    if facts.status is not None and facts.status >= 400:
        block = _block(facts)
        if block is not None:
            return replace(block, signals=(f"http:{facts.status}", *block.signals))
        signals = (f"http:{facts.status}", *_login_signs(facts), *_gone_signs(facts))
        return ContentCheck(ContentState.HTTP_ERROR, signals)
    if _holds_known_text(facts):
        return ContentCheck(ContentState.PRESENT, ("text:as-the-platform-gave-it",))
    login, gone = _login_signs(facts), _gone_signs(facts)
    if facts.platform_state in _GONE_STATES:
        said = f"platform:{facts.platform_state}"
        # A platform that says "private" confirms what a single sign on the page suggests.
        needed = 1 if facts.platform_state == "private" else ENOUGH_SIGNS
        if _weight(login) >= needed:
            return ContentCheck(ContentState.LOGIN_WALL, (said, *login))
        return ContentCheck(ContentState.NOT_AVAILABLE, (said, *gone))
    block = _block(facts)
    if block is not None and block.state is ContentState.GEO_BLOCK:
        return block
    if _weight(login) >= ENOUGH_SIGNS:
        return ContentCheck(ContentState.LOGIN_WALL, login)
    if block is not None:
        return block
    if gone:
        return ContentCheck(ContentState.NOT_AVAILABLE, (*gone, *login))
    if facts.status is None:
        return ContentCheck(ContentState.UNKNOWN, ("http:no-status", *login))
    if facts.images is None and not facts.visible_text:
        return ContentCheck(ContentState.UNKNOWN, ("page:not-drawn",))
    words = len(facts.visible_text.split())
    if words < EMPTY_WORDS and not facts.images:
        return ContentCheck(ContentState.EMPTY, (f"words:{words}",))
    other = _other_page(facts)
    if other and not facts.known_text:
        return ContentCheck(ContentState.WRONG_POST, (*other, *login))
    return ContentCheck(ContentState.PRESENT, login)


_GONE_STATES = frozenset({"gone", "private", "not-there"})


def _weight(signs: Sequence[str]) -> int:
    """An address that is a login page is enough by itself."""
    return sum(ENOUGH_SIGNS if sign.startswith("login-address:") else 1 for sign in signs)


def _login_signs(facts: ContentFacts) -> tuple[str, ...]:
    words = _words("login")
    signs = []
    final, asked = _segments(facts.final_url), _segments(facts.requested_url)
    for segment in words["segments"]:
        if segment in final and segment not in asked:
            signs.append(f"login-address:{segment}")
            break
    lines = _short_lines(facts)
    if not lines:
        return tuple(signs)
    phrase = _first(words["lines"], lines)
    if phrase:
        signs.append(f"login-words:{phrase}")
    title = _first(words["titles"], [_fold(facts.title)])
    if title:
        signs.append(f"login-title:{title}")
    if facts.password_fields:
        signs.append("login-field:password")
    buttons = [item for item in words["buttons"] if item in lines]
    if len(buttons) > 1:
        signs.append(f"login-buttons:{buttons[0]}, {buttons[1]}")
    return tuple(signs)


def _gone_signs(facts: ContentFacts) -> tuple[str, ...]:
    words = _words("gone")
    lines = _short_lines(facts)
    signs = []
    phrase = _first(words["lines"], lines)
    if phrase:
        signs.append(f"gone-words:{phrase}")
    title = _title(words["titles"], facts.title) if lines else ""
    if title:
        signs.append(f"gone-title:{title}")
    return tuple(signs)


def _block(facts: ContentFacts) -> ContentCheck | None:
    """A page that is kept from this visitor: by country, as a machine, or until cookies are taken.

    The most particular words come first: "not available in your country" also begins like "not
    available".
    """
    lines = _short_lines(facts)
    if not lines:
        return None
    geo = _words("geo")
    phrase = _firm(geo["lines"], lines) or _within(geo["lines"], lines)
    title = _title(geo["titles"], facts.title)
    if phrase or title:
        return ContentCheck(ContentState.GEO_BLOCK, _signs("geo", phrase, title))
    bot = _words("bot")
    phrase, title = _firm(bot["lines"], lines), _title(bot["titles"], facts.title)
    if phrase or title:
        return ContentCheck(ContentState.BOT_BLOCK, _signs("bot", phrase, title))
    if len(facts.visible_text.split()) > CONSENT_WORDS or facts.known_text:
        return None
    consent = _words("consent")
    phrase = _first(consent["lines"], lines)
    buttons = [item for item in consent["buttons"] if item in lines]
    if phrase and buttons and _mostly_consent(lines):
        found = (f"consent-words:{phrase}", f"consent-buttons:{', '.join(buttons[:2])}")
        return ContentCheck(ContentState.CONSENT_WALL, found)
    return None


def _signs(kind: str, phrase: str, title: str) -> tuple[str, ...]:
    signs = (f"{kind}-words:{phrase}" if phrase else "", f"{kind}-title:{title}" if title else "")
    return tuple(sign for sign in signs if sign)


def _mostly_consent(lines: Sequence[str]) -> bool:
    """Whether little else is shown: a post with a banner over it is a post."""
    words = (
        "cookie",
        "privacy",
        "consent",
        "partner",
        "toestemming",
        "akkoord",
        "gegevens",
        "data",
    )
    buttons = _words("consent")["buttons"]
    about = sum(1 for line in lines if line in buttons or any(word in line for word in words))
    return 2 * about > len(lines)


def _within(phrases: Sequence[str], lines: Sequence[str]) -> str:
    """A phrase of four words or more inside a line of a page that says little else."""
    if len(lines) > MAX_PLAIN_LINES:
        return ""
    for phrase in phrases:
        if len(phrase.split()) >= MIN_PHRASE and any(phrase in line for line in lines):
            return phrase
    return ""


def _other_page(facts: ContentFacts) -> tuple[str, ...]:
    """Signs that the site shows something else than what was asked for.

    The text of the post, where the platform gave it, is looked for elsewhere; here it is the
    address that tells: the visitor was sent to a page above the post, or to another one.
    """
    asked, final = _segments(facts.requested_url), _segments(facts.final_url)
    wanted = asked[-1] if asked else ""
    if not facts.final_url or final == asked or not wanted or wanted in facts.final_url.lower():
        return ()
    if not final or asked[: len(final)] == final:
        return ("address:less-than-was-asked-for",)
    if sum(char.isdigit() for char in wanted) >= POST_DIGITS:
        return ("address:without-the-post-asked-for",)
    return ()


def _short_lines(facts: ContentFacts) -> list[str]:
    """Lines that can belong to a wall or an error page; none where the page is long."""
    if len(facts.visible_text.split()) > SHORT_WORDS:
        return []
    lines = [_fold(line) for line in facts.visible_text.splitlines()]
    return [line for line in lines if line and len(line.split()) <= LINE_WORDS]


def _first(phrases: Sequence[str], lines: Sequence[str]) -> str:
    """The first phrase that a line begins with, as whole words."""
    for phrase in phrases:
        for line in lines:
            if line.startswith(phrase) and not line[len(phrase) : len(phrase) + 1].isalnum():
                return phrase
    return ""


def _firm(phrases: Sequence[str], lines: Sequence[str]) -> str:
    """As :func:`_first`, but a short phrase must be the whole line: people write such words too."""
    whole = {line.strip(" .!…") for line in lines}
    for phrase in phrases:
        long = len(phrase.split()) >= MIN_PHRASE
        if _first([phrase], lines) if long else phrase in whole:
            return phrase
    return ""


def _title(phrases: Sequence[str], title: str) -> str:
    """A phrase that is the whole title, or the whole of what stands before the site's name."""
    parts = [part.strip(" .!…") for part in re.split(r"[|•·–—/:]| - ", _fold(title))]
    return next((phrase for phrase in phrases if phrase in parts), "")


def _holds_known_text(facts: ContentFacts) -> bool:
    known = _fold(facts.known_text)[:KNOWN_CHARS].strip()
    return bool(known) and known in _fold(facts.visible_text)


def _fold(text: str) -> str:
    return " ".join(text.lower().split())


def _segments(url: str) -> list[str]:
    return [part for part in urlsplit(url).path.lower().split("/") if part]


def _post_text(platform: PlatformSays | None) -> str:
    if platform is None or not platform.posts:
        return ""
    found = platform.posts[0].fields.get("text")
    return str(found.value) if found is not None and found.value else ""


@cache
def _words(table: str) -> dict[str, list[str]]:
    source = files("evidence_kit") / "text" / "content_signals.toml"
    found: dict[str, list[str]] = tomllib.loads(source.read_text("utf-8"))[table]
    return found
