"""What forums have in common: a topic's answer shows the posts around the one asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from evidence_kit.core.errors import EvidenceError
from evidence_kit.core.events import EventLog
from evidence_kit.core.post import Post
from evidence_kit.gather.http_answer import Answer
from evidence_kit.platforms.base import Http, NotThisPlatformError, PlatformResult, State, base_of
from evidence_kit.platforms.html_tree import Node, parse_tree
from evidence_kit.platforms.reading import Raw, Texts, at, derive_texts
from evidence_kit.platforms.visit import Visit

MAX_TEXT = 1 << 20
"""Characters of one post's HTML that are searched for pictures."""

MakePost = Callable[[str, Raw, str, Texts], Post]
"""Role, answer, place of the post in it, and texts made from its HTML."""


@dataclass(frozen=True)
class Topic:
    """A topic as it was answered.

    Attributes:
        places: pointers of its posts by their numbers, in the order of the answer.
        number: of the post that was asked for; it is among them.
    """

    raw: Raw
    places: dict[Any, str]
    number: int

    @property
    def value(self) -> Any:
        """The post that was asked for."""
        return self.raw.get(self.places[self.number])

    def posts(self, visit: Visit, html: str, make: MakePost) -> list[Post]:
        """The post itself, then those above and below it.

        Args:
            visit: gets the extraction of the texts.
            html: name of the member with a post's HTML.
            make: reads one post.
        """
        texts = derive_texts(visit.out, [(self.raw, place) for place in self.places.values()], html)
        return [
            make("post", self.raw, self.places[self.number], texts),
            *(make(role, self.raw, place, texts) for role, place in self._others()),
        ]

    def _others(self) -> Iterator[tuple[str, str]]:
        for number, place in self.places.items():
            if number != self.number:
                earlier = isinstance(number, int) and number < self.number
                yield "ancestor" if earlier else "reply", place


def confirm(name: str, url: str, http: Http, log: EventLog) -> Answer:
    """What a site says it is; an error means that it is another kind.

    Raises:
        NotThisPlatformError: it cannot be asked.
    """
    try:
        return http.get(url)
    except EvidenceError as error:
        log.log("platform.not-confirmed", adapter=name, reason=error.message)
        raise NotThisPlatformError from error


def open_topic(
    visit: Visit,
    url: str,
    *,
    ident: tuple[str, str],
    listed: str,
    numbered: str,
    number: int,
    shown: int,
    total: str,
) -> Topic | PlatformResult:
    """Ask for a topic; a result where it does not show the post.

    Args:
        visit: asks.
        url: of the answer.
        ident: pointer of the topic's id, and the id that it must have.
        listed: pointer of its posts.
        numbered: pointer of a post's number in the post.
        number: that is wanted, as the answer counts.
        shown: the same as people see it.
        total: pointer of how many posts the topic has.
    """
    raw = visit.main("topic", url)
    if isinstance(raw, PlatformResult):
        return raw
    if not raw.usable or str(raw.get(ident[0])) != ident[1]:
        return visit.result(visit.absent("topic", raw))
    posts = raw.listed(listed)
    places = {at(item, numbered): f"{listed}/{place}" for place, item in enumerate(posts)}
    if number not in places:
        visit.gap("post.not-there", raw.path, f"the topic shows no post {shown} (any more)")
        return visit.result(State.NOT_THERE)
    count = raw.get(total)
    if isinstance(count, int) and count > len(places):
        detail = f"{len(places)} of the topic's {count} posts, those around the one asked for"
        visit.gap("topic.bound", raw.path, detail)
    return Topic(raw, places, number)


def pictures(
    base: str, html: str, source: Callable[[Node], str]
) -> dict[str, tuple[str | None, str]]:
    """Addresses of a post's pictures with their alternative texts.

    Args:
        base: of the forum.
        html: of the post.
        source: the address that an element names as a picture's, else empty.
    """
    wanted: dict[str, tuple[str | None, str]] = {}
    for node in parse_tree(html[:MAX_TEXT]).walk():
        named = source(node)
        try:
            url = urljoin(f"{base}/", named) if named else ""
        except ValueError:
            continue
        if base_of(url) is not None:
            wanted.setdefault(url, (node.attrs.get("alt") or None, "image"))
    return wanted
