"""A page's visible text as the content check reads it: lines, and the marks of a post.

Words alone cannot tell a wall from a post that talks about walls. What can: walls are short, they
speak in the site's voice, and nothing around them looks like a post: no author, no date, no counts,
no paragraph of anything else.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

SHORT_WORDS = 250  # walls and error pages seen in the field hold 20-150 words
LINE_WORDS = 14  # a sentence of a wall or error page; longer lines are somebody's text
LONG_WORDS = 45  # a wall that explains itself; looked at with firm patterns only
SENTENCE_WORDS = 8  # of a line that is more than a slogan, a button or a name
PROSE_WORDS = 40  # of running text about something else: then there is an article or a post
MIN_PHRASE = 4  # words; shorter phrases occur inside ordinary sentences
MAX_PLAIN_LINES = 6  # of a page that says one thing only
MAX_LINE = 600  # characters of a line that are looked at: 45 long words; keeps the search linear
SHOWN = 60  # characters of what was found, for the record
POST_MARKS = 2  # kinds of marks (author, date, counts) that make a post

_QUOTED = re.compile(
    r"\"[^\"]*\"|“[^”]*”|„[^”“]*[”“]|«[^»]*»|(?<!\w)'[^']*'(?!\w)|(?<!\w)‘[^’]*’(?!\w)"
)
_FRAME = re.compile(r"^\[frame (\S+)\]$")


@dataclass(frozen=True)
class PageText:
    """The visible text of one page.

    Attributes:
        text: one block a line, as :meth:`~evidence_kit.gather.dom_snapshot.Snapshot.text` gives.
        title: of the document.
    """

    text: str
    title: str

    @cached_property
    def frames(self) -> tuple[str, ...]:
        """Addresses of the frames whose text is part of it."""
        found = (_FRAME.match(line.strip()) for line in self.text.splitlines())
        return tuple(match[1] for match in found if match)

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """All lines in lower case with single spaces, without those that name a frame."""
        folded = (fold(line) for line in self.text.splitlines() if not _FRAME.match(line.strip()))
        return tuple(line for line in folded if line)

    @cached_property
    def _cut(self) -> tuple[str, ...]:
        """The lines of a page that can be a wall, none longer than is looked at."""
        return tuple(line[:MAX_LINE] for line in self.lines) if self.words <= SHORT_WORDS else ()

    @cached_property
    def words(self) -> int:
        """How many there are."""
        return sum(len(line.split()) for line in self.lines)

    @cached_property
    def prose(self) -> int:
        """Words of long lines that are about something else than walls and errors."""
        topics = _regex("topics", "words")
        long = (line for line in self._cut if len(line.split()) > LINE_WORDS)
        return sum(len(line.split()) for line in long if not topics.search(_unquoted(line)))

    @cached_property
    def marks(self) -> tuple[str, ...]:
        """Kinds of marks that posts have and walls have not: ``author``, ``date``, ``counts``."""
        return tuple(
            kind
            for kind in ("author", "date", "counts")
            if any(_regex("post", kind).search(line) for line in self._cut)
        )

    @property
    def is_post(self) -> bool:
        """Whether it looks like a post or an article, whatever words stand in it."""
        long = self.words > SHORT_WORDS or self.prose >= PROSE_WORDS
        return long or len(self.marks) >= POST_MARKS

    @cached_property
    def short_lines(self) -> tuple[str, ...]:
        """Lines that can belong to a wall or an error page; none where the page is long."""
        if self.prose >= PROSE_WORDS:
            return ()
        return tuple(line for line in self._impersonal if len(line.split()) <= LINE_WORDS)

    @cached_property
    def spoken(self) -> tuple[str, ...]:
        """Lines in the site's voice, without what they quote; none where the page is long."""
        if self.prose >= PROSE_WORDS:
            return ()
        lines = (line for line in self._impersonal if len(line.split()) <= LONG_WORDS)
        return tuple(_unquoted(line) for line in lines)

    @cached_property
    def _impersonal(self) -> tuple[str, ...]:
        """Lines in which nobody speaks of himself."""
        personal = _regex("topics", "personal")
        return tuple(line for line in self._cut if not personal.search(line))

    @cached_property
    def has_sentence(self) -> bool:
        """Whether a line of some length is about something else than walls and errors."""
        topics = _regex("topics", "words")
        return any(
            len(line.split()) >= SENTENCE_WORDS and not topics.search(line) for line in self._cut
        )

    def begins(self, table: str) -> str:
        """The first of a table's phrases that a short line begins with, as whole words."""
        return first(words(table)["lines"], self.short_lines)

    def says(self, table: str, name: str = "patterns") -> str:
        """What one of a table's patterns finds in a line of the site's own."""
        return next(iter(self.all_said(table, name)), "")

    def all_said(self, table: str, name: str = "patterns") -> list[str]:
        """The same for every such line."""
        pattern = _regex(table, name)
        found = (pattern.search(line) for line in self.spoken)
        return [match[0].strip()[:SHOWN] for match in found if match]

    def says_about(self, table: str) -> str:
        """As :meth:`says`, in a line that is about a table's subject."""
        about, pattern = _regex(table, "about"), _regex(table, "patterns")
        found = (pattern.search(line) for line in self.spoken if about.search(line))
        return next((match[0].strip()[:SHOWN] for match in found if match), "")

    def asks_for(self, table: str) -> str:
        """As :meth:`begins` and :meth:`says`, but not where the line asks it for something beside.

        "Log in to reply" stands under posts that everybody can read.
        """
        about, acts = _regex(table, "beside"), _regex(table, "acts")

        def beside(line: str) -> bool:
            return bool(about.search(line) and acts.search(line))

        pattern = _regex(table, "patterns")
        found = (pattern.search(line) for line in self.spoken if not beside(line))
        said = next((match[0].strip()[:SHOWN] for match in found if match), "")
        short = [line for line in self.short_lines if not beside(line)]
        return said or first(words(table)["lines"], short)

    def framed(self, table: str) -> str:
        """A part of a frame's address that a table names."""
        return next((p for p in words(table)["frames"] if any(p in f for f in self.frames)), "")

    def choices(self, table: str) -> str:
        """A short line that is one of the buttons of a table's choice."""
        pattern = _regex(table, "choices")
        return next((line[:SHOWN] for line in self.short_lines if pattern.search(line)), "")

    def names(self, table: str) -> str:
        """A phrase of a table that is the whole title, or all of it before the site's name."""
        parts = [part.strip(" .!…") for part in re.split(r"[|•·–—/:]| - ", fold(self.title))]
        return next((phrase for phrase in words(table)["titles"] if phrase in parts), "")

    def firm(self, table: str) -> str:
        """As :meth:`begins`, but a short phrase must be the whole line: people write such too."""
        whole = {line.strip(" .!…") for line in self.short_lines}
        for phrase in words(table)["lines"]:
            long = len(phrase.split()) >= MIN_PHRASE
            if first([phrase], self.short_lines) if long else phrase in whole:
                return phrase
        return ""

    def within(self, table: str) -> str:
        """A phrase of four words or more inside a line of a page that says little else."""
        if len(self.short_lines) > MAX_PLAIN_LINES:
            return ""
        for phrase in words(table)["lines"]:
            if len(phrase.split()) >= MIN_PHRASE and any(phrase in line for line in self._cut):
                return phrase
        return ""

    def buttons(self, table: str) -> list[str]:
        """A table's buttons, each a line of its own."""
        return [item for item in words(table)["buttons"] if item in self.short_lines]

    def share(self, table: str) -> float:
        """How much of the text, in words, stands in lines that speak of a table's subject."""
        about = _regex(table, "about")
        counted = sum(len(line.split()) for line in self._cut if about.search(line))
        return counted / self.words if self.words else 0.0


def first(phrases: Iterable[str], lines: Sequence[str]) -> str:
    """The first phrase that a line begins with, as whole words."""
    for phrase in phrases:
        for line in lines:
            if line.startswith(phrase) and not line[len(phrase) : len(phrase) + 1].isalnum():
                return phrase
    return ""


def fold(text: str) -> str:
    """In lower case, with single spaces and straight apostrophes."""
    return " ".join(text.lower().replace("’", "'").split())


@cache
def _tables() -> dict[str, Any]:
    source = files("evidence_kit") / "text" / "content_signals.toml"
    return tomllib.loads(source.read_text("utf-8"))


@cache
def words(table: str) -> dict[str, list[str]]:
    """One table of ``text/content_signals.toml``, its phrases folded."""
    found: dict[str, list[str]] = _tables()[table]
    return {name: [item.replace("’", "'") for item in values] for name, values in found.items()}


@cache
def _regex(table: str, name: str) -> re.Pattern[str]:
    every = "|".join(f"(?:{item})" for item in words(table)[name])
    return re.compile(re.sub(r"\{([A-Z_]+)\}", lambda part: _parts()[part[1]], every))


@cache
def _parts() -> dict[str, str]:
    found: dict[str, str] = _tables()["parts"]
    return found


def _unquoted(line: str) -> str:
    return " ".join(_QUOTED.sub(" ", line).split())
