"""Is the post there, or a wall, a block, an error, a "not available", another or an empty page?

A pure judgement over facts. It is careful in both directions: an HTTP error is never a complete
capture, and a post that merely talks about logging in is not a login wall. What the server says
(status, headers, the address where the visit ended) comes before words; words count only on short
pages, in the site's own voice, and where nothing looks like a post; text of the post that the
platform itself gave settles the matter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import urlsplit

from evidence_kit.core.page_text import compare_post
from evidence_kit.gather.artefacts import Artefacts
from evidence_kit.gather.page_lines import PageText, first, fold, words
from evidence_kit.gather.page_types import PageRecording

EMPTY_WORDS = 3  # fewer words than this and no picture: nothing was shown
SHELL_WORDS = 60  # of a page that says it needs script, with its footer
LOADING_WORDS = 12  # of a page that only says that it loads, with its name
ENOUGH_SIGNS = 2  # soft signs needed for a login wall
CONSENT_WORDS = 120  # behind a banner on a page with a post there are more words than this
CONSENT_SHARE = 0.55  # of the words of a consent wall that speak of it; measured 0.6 and more
FRAMED_SHARE = 0.35  # the same where a known consent frame, or the address, says so as well
BLOCK_WORDS = 80  # of a page that keeps machines out
POST_DIGITS = 4  # in an address' last part: it is the number of a post, not a name
KNOWN_CHARS = 40  # of the platform's text, compared with the page; shorter texts are compared whole

BLOCK_HEADERS = {"cf-mitigated": ("challenge",), "x-amzn-waf-action": ("challenge", "captcha")}
"""Response headers by which firewalls say that this is their own page, not the site's:
developers.cloudflare.com/cloudflare-challenges/challenge-types/challenge-pages/detect-response,
docs.aws.amazon.com/waf/latest/developerguide/waf-captcha-and-challenge-how-it-works.html"""


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
        headers: of the final document, names in lower case.
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
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def page(self) -> PageText:
        """The visible text, to be searched."""
        return PageText(self.visible_text, self.title)


class PlatformSays(Protocol):
    """The part of a platform's result that is used here."""

    @property
    def state(self) -> Any:
        """What the platform says about the post."""

    @property
    def posts(self) -> Sequence[Any]:
        """The post first."""


def check_content(
    page: PageRecording[Any],
    drawn: Artefacts,
    platform: PlatformSays | None = None,
    headers: Mapping[str, str] | None = None,
) -> ContentCheck:
    """Judge a visit; see :func:`judge`. How page and platform agree is added to the signals.

    Args:
        page: the visit.
        drawn: what was drawn of it.
        platform: what the platform itself said.
        headers: of the main document as it was received, names in lower case.
    """
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
            headers=headers or {},
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
    page = facts.page
    if facts.status is not None and facts.status >= 400:
        return _refused(facts, facts.status, page)
    header = _block_header(facts)
    if header:
        return ContentCheck(ContentState.BOT_BLOCK, (header,))
    if _holds_known_text(facts):
        return ContentCheck(ContentState.PRESENT, ("text:as-the-platform-gave-it",))
    login, gone = _login_signs(facts, page), _gone_signs(page)
    if facts.platform_state in _GONE_STATES:
        said = f"platform:{facts.platform_state}"
        # A platform that says "private" confirms what a single sign on the page suggests.
        needed = 1 if facts.platform_state == "private" else ENOUGH_SIGNS
        if _weight(login) >= needed:
            return ContentCheck(ContentState.LOGIN_WALL, (said, *login))
        return ContentCheck(ContentState.NOT_AVAILABLE, (said, *gone))
    geo = _geo_signs(page)
    if geo:
        return ContentCheck(ContentState.GEO_BLOCK, geo)
    if _weight(login) >= ENOUGH_SIGNS:
        return ContentCheck(ContentState.LOGIN_WALL, login)
    bot, consent = _bot_signs(facts, page), _consent_signs(facts, page)
    if bot:
        return ContentCheck(ContentState.BOT_BLOCK, bot)
    if consent:
        return ContentCheck(ContentState.CONSENT_WALL, consent)
    if gone:
        return ContentCheck(ContentState.NOT_AVAILABLE, (*gone, *login))
    if facts.status is None:
        return ContentCheck(ContentState.UNKNOWN, ("http:no-status", *login))
    if facts.images is None and not facts.visible_text:
        return ContentCheck(ContentState.UNKNOWN, ("page:not-drawn",))
    empty = _empty_signs(facts, page)
    if empty:
        return ContentCheck(ContentState.EMPTY, empty)
    other = _other_page(facts)
    if other and not facts.known_text:
        return ContentCheck(ContentState.WRONG_POST, (*other, *login))
    return ContentCheck(ContentState.PRESENT, login)


_GONE_STATES = frozenset({"gone", "private", "not-there"})

_NAMED_STATUS = {
    401: ContentState.LOGIN_WALL,  # RFC 9110 section 15.5.2
    429: ContentState.BOT_BLOCK,  # RFC 6585 section 4
    451: ContentState.GEO_BLOCK,  # RFC 7725
}
"""Statuses that say the reason themselves."""


def _refused(facts: ContentFacts, status: int, page: PageText) -> ContentCheck:
    """An error status: the post is not there; words only tell why."""
    said = f"http:{status}"
    header, login = _block_header(facts), _login_signs(facts, page)
    if header:
        return ContentCheck(ContentState.BOT_BLOCK, (said, header))
    if status in _NAMED_STATUS:
        return ContentCheck(_NAMED_STATUS[status], (said, *login))
    if status < 500 or status == 503:
        geo, bot = _geo_signs(page), _bot_signs(facts, page)
        consent = _consent_signs(facts, page)
        for state, signs in (
            (ContentState.GEO_BLOCK, geo),
            (ContentState.BOT_BLOCK, bot),
            (ContentState.LOGIN_WALL, login if _weight(login) >= ENOUGH_SIGNS else ()),
            (ContentState.CONSENT_WALL, consent),
        ):
            if signs:
                return ContentCheck(state, (said, *signs))
    return ContentCheck(ContentState.HTTP_ERROR, (said, *login, *_gone_signs(page)))


def _block_header(facts: ContentFacts) -> str:
    for name, values in BLOCK_HEADERS.items():
        if facts.headers.get(name, "").strip().lower() in values:
            return f"header:{name}"
    return ""


def _weight(signs: Sequence[str]) -> int:
    """An address that is a login page is enough by itself."""
    return sum(ENOUGH_SIGNS if sign.startswith("login-address:") else 1 for sign in signs)


def _login_signs(facts: ContentFacts, page: PageText) -> tuple[str, ...]:
    signs = []
    address = _new_address(facts, "login")
    if address:
        signs.append(f"login-address:{address}")
    if page.is_post or not page.short_lines:
        return tuple(signs)
    phrase = page.asks_for("login")
    if phrase:
        signs.append(f"login-words:{phrase}")
    title = page.names("login") or first(words("login")["title_starts"], [fold(facts.title)])
    if title:
        signs.append(f"login-title:{title}")
    if facts.password_fields:
        signs.append("login-field:password")
    if page.has_sentence and not (address or phrase or title):
        return ()  # a form beside something to read
    buttons = page.buttons("login")
    if len(buttons) > 1:
        signs.append(f"login-buttons:{buttons[0]}, {buttons[1]}")
    return tuple(signs)


def _gone_signs(page: PageText) -> tuple[str, ...]:
    strong = page.says("gone", "strong")
    if strong:
        return (f"gone-words:{strong}",)
    if page.is_post or not page.short_lines:
        return ()
    return _signs("gone", page.firm("gone") or page.says("gone"), page.names("gone"))


def _geo_signs(page: PageText) -> tuple[str, ...]:
    if page.is_post:
        return ()
    phrase = page.firm("geo") or page.within("geo") or page.says_about("geo")
    return _signs("geo", phrase, page.names("geo") if page.short_lines else "")


def _bot_signs(facts: ContentFacts, page: PageText) -> tuple[str, ...]:
    """The site takes the visitor for a machine, or wants to find out."""
    if page.is_post:
        return ()
    firm = _signs("bot", page.firm("bot"), page.names("bot") if page.short_lines else "")
    if firm:
        return firm
    found, vendor = page.all_said("bot"), page.says("bot", "vendors")
    said = found[0] if found else ""
    where = _new_address(facts, "bot") or page.framed("bot")
    plain = page.words <= BLOCK_WORDS and not page.marks
    enough = 1 if (facts.status or 0) >= 400 else ENOUGH_SIGNS
    if said and (vendor or where or (plain and len(found) >= enough)):
        return tuple(
            sign
            for sign, value in (
                (f"bot-words:{said}", said),
                (f"bot-vendor:{vendor}", vendor),
                (f"bot-address:{where}", where),
            )
            if value
        )
    if where and plain:
        return (f"bot-address:{where}",)
    return ()


def _consent_signs(facts: ContentFacts, page: PageText) -> tuple[str, ...]:
    """Nothing but a choice about cookies: a post with a banner over it is a post."""
    if page.is_post or facts.known_text or not page.short_lines:
        return ()
    share = page.share("consent")
    where = _new_address(facts, "consent") or page.framed("consent")
    if where and share >= FRAMED_SHARE:
        return (f"consent-address:{where}", f"consent-share:{share:.2f}")
    choices = page.choices("consent")
    if choices and share >= CONSENT_SHARE:
        return (f"consent-buttons:{choices}", f"consent-share:{share:.2f}")
    phrase, buttons = page.begins("consent"), page.buttons("consent")
    if page.words <= CONSENT_WORDS and phrase and buttons and share >= 0.5:
        return (f"consent-words:{phrase}", f"consent-buttons:{', '.join(buttons[:2])}")
    return ()


def _empty_signs(facts: ContentFacts, page: PageText) -> tuple[str, ...]:
    """No words and no picture, or only those of a page that waits for its script."""
    if page.words < EMPTY_WORDS and not facts.images:
        return (f"words:{page.words}",)
    if page.is_post:
        return ()
    script = page.says("empty") if page.words <= SHELL_WORDS else ""
    loading = page.says("empty", "loading") if page.words <= LOADING_WORDS else ""
    return tuple(
        f"{name}:{said}" for name, said in (("script", script), ("loading", loading)) if said
    )


def _signs(kind: str, phrase: str, title: str) -> tuple[str, ...]:
    signs = (f"{kind}-words:{phrase}" if phrase else "", f"{kind}-title:{title}" if title else "")
    return tuple(sign for sign in signs if sign)


def _new_address(facts: ContentFacts, table: str) -> str:
    """What the final address has of a table, and the one that was asked for has not."""
    known = words(table)
    asked, final = _segments(facts.requested_url), _segments(facts.final_url)
    for segment in known["segments"]:
        if segment in final and segment not in asked:
            return segment
    host = _labels(facts.final_url)
    if host != _labels(facts.requested_url):
        for label in host[:-1]:
            if label in known.get("hosts", ()) and label not in _labels(facts.requested_url):
                return label
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


def _holds_known_text(facts: ContentFacts) -> bool:
    known = fold(facts.known_text)[:KNOWN_CHARS].strip()
    return bool(known) and known in fold(facts.visible_text)


def _labels(url: str) -> list[str]:
    try:
        return (urlsplit(url).hostname or "").split(".")
    except ValueError:
        return []


def _segments(url: str) -> list[str]:
    try:
        path = urlsplit(url).path
    except ValueError:  # a host that cannot be read; what stands behind it can
        path = re.split(r"[?#]", url, maxsplit=1)[0].partition("://")[2].partition("/")[2]
    return [part for part in path.lower().split("/") if part]


def _post_text(platform: PlatformSays | None) -> str:
    if platform is None or not platform.posts:
        return ""
    found = platform.posts[0].fields.get("text")
    return str(found.value) if found is not None and found.value else ""
