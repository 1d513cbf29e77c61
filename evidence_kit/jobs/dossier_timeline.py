"""What happened when: the timeline of a dossier, and the pattern that belaging asks about.

Nature, duration, frequency and intensity are counted from what was captured and from what a person
noted; nothing is judged. Times are those of the platform, with their zone; a relative or unreadable
time is shown as it stands and placed nowhere.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from xml.sax.saxutils import escape

from evidence_kit.core.clock import iso, parse_iso
from evidence_kit.core.words import Words
from evidence_kit.jobs.dossier_file import DossierFile
from evidence_kit.jobs.dossier_index import Row

MAX_BARS = 60
"""Bars of the picture; a longer time gets wider steps."""

_FORMULA = re.compile(r"[\s\x00]*[=+\-@\t\r]")


@dataclass(frozen=True)
class Entry:
    """One line of the timeline.

    Attributes:
        when: UTC for posts and captures; None where no moment can be told.
        day: where only a day is known, or the day of ``when`` in UTC.
        shown: the time as it was given.
        what: ``posted``, ``captured``, ``supplied``, ``earlier``, ``knowledge`` or ``complaint``.
        bundle, sha256: where it can be looked up; empty for what a person noted.
        account, text: of the post.
        incident, victim: as a person grouped it.
        behaviours: as a person named them.
        intensity: as a person rated it, None where not.
        permalink: of the post: two captures of one post are one post.
    """

    when: datetime | None
    day: date | None
    shown: str
    what: str
    bundle: str = ""
    sha256: str = ""
    account: str = ""
    text: str = ""
    incident: str = ""
    victim: str = ""
    behaviours: tuple[str, ...] = ()
    intensity: int | None = None
    permalink: str = ""


@dataclass(frozen=True)
class Pattern:
    """Nature, duration, frequency and intensity of the posts of one account, or of all.

    Attributes:
        account: label, empty for all together.
        count: posts that were captured; the same post twice counts once. What was supplied
            counts nowhere: when it was posted is not known.
        undated: of these, how many have no day.
        nature: number per type of behaviour.
        first, last: days of the first and last dated one.
        days: from first to last, both counted.
        per_week: mean number in seven days; None with fewer than two dated ones.
        longest_gap: days between two neighbours; None with fewer than two.
        intensity: lowest and highest rating, None where nobody rated.
        rated: how many were rated.
    """

    account: str
    count: int
    undated: int
    nature: tuple[tuple[str, int], ...]
    first: date | None
    last: date | None
    days: int
    per_week: float | None
    longest_gap: int | None
    intensity: tuple[int, int] | None
    rated: int


def timeline(dossier: DossierFile, rows: Sequence[Row]) -> list[Entry]:
    """Everything with a day in order, then what has none.

    Args:
        dossier: the facts.
        rows: the index of its bundles.
    """
    items = {item.get("bundle", ""): item for item in dossier.lists["item"]}
    entries = [one for row in rows for one in _of_bundle(row, items.get(row.bundle, {}))]
    entries += [
        _noted("earlier", one.get("date"), one.get("what", "")) for one in dossier.lists["earlier"]
    ]
    for table, key, what in (
        ("knowledge", "when", "knowledge"),
        ("complaint", "filed", "complaint"),
    ):
        day = dossier.day(table, key)
        if day is not None:
            entries.append(
                _noted(what, day, dossier.text("knowledge", "how") if key == "when" else "")
            )
    return sorted(entries, key=_order)


def _order(entry: Entry) -> tuple[int, date, datetime, str]:
    late = datetime.max.replace(tzinfo=UTC)
    return (entry.day is None, entry.day or date.max, entry.when or late, entry.bundle)


def _noted(what: str, moment: Any, text: str) -> Entry:
    day = moment.date() if isinstance(moment, datetime) else moment
    return Entry(None, day, day.isoformat() if day else "", what, text=text)


def _of_bundle(row: Row, item: Mapping[str, Any]) -> Iterable[Entry]:
    facts: dict[str, Any] = {
        "bundle": row.bundle,
        "sha256": row.sha256,
        "account": str(item.get("account", "")) or row.author,
        "text": row.text or str(item.get("remark", "")),
        "incident": str(item.get("incident", "")),
        "victim": str(item.get("victim", "")),
        "behaviours": tuple(item.get("behaviours", [])),
        "intensity": item.get("intensity"),
        "permalink": row.permalink,
    }
    if row.state == "captured" and row.posted:
        when, day = _placed(row.posted, row.precision)
        yield Entry(when, day, row.posted, "posted", **facts)
    if row.captured:
        taken = parse_iso(row.captured)
        what = "supplied" if row.state == "supplied" else "captured"
        # Our own clock's fractions say nothing that anybody can check.
        shown = iso(taken.replace(microsecond=0))
        yield Entry(taken, taken.date(), shown, what, **facts)


def _placed(text: str, precision: str) -> tuple[datetime | None, date | None]:
    """A moment only where date, time and zone were given; a day where only that is sure."""
    if precision == "relative-or-unreadable":
        return None, None
    try:
        if precision == "day":
            return None, date.fromisoformat(text)
        if precision.endswith("-no-zone"):
            return None, datetime.fromisoformat(text).date()
        moment = parse_iso(text)
    except ValueError:
        return None, None
    return moment, moment.date()


def patterns(entries: Sequence[Entry]) -> list[Pattern]:
    """The pattern of all posts together, then of each account."""
    posts = distinct_posts(entries)
    accounts = sorted({one.account for one in posts if one.account})
    found = [_pattern("", posts)]
    return found + [_pattern(name, [p for p in posts if p.account == name]) for name in accounts]


def distinct_posts(entries: Sequence[Entry]) -> list[Entry]:
    """Each captured post once, by its permanent address, in the order of the timeline."""
    found: dict[str, Entry] = {}
    for one in entries:
        if one.what == "posted":
            found.setdefault(one.permalink or one.bundle, one)
    return list(found.values())


def _pattern(account: str, posts: Sequence[Entry]) -> Pattern:
    days = sorted(post.day for post in posts if post.day is not None)
    nature = Counter(behaviour for post in posts for behaviour in post.behaviours)
    ratings = [post.intensity for post in posts if post.intensity is not None]
    span = (days[-1] - days[0]).days + 1 if days else 0
    gaps = [(later - sooner).days for sooner, later in pairwise(days)]
    return Pattern(
        account=account,
        count=len(posts),
        undated=len(posts) - len(days),
        nature=tuple(sorted(nature.items(), key=lambda pair: (-pair[1], pair[0]))),
        first=days[0] if days else None,
        last=days[-1] if days else None,
        days=span,
        per_week=round(len(days) * 7 / max(span, 7), 2) if len(days) > 1 else None,
        longest_gap=max(gaps) if gaps else None,
        intensity=(min(ratings), max(ratings)) if ratings else None,
        rated=len(ratings),
    )


def pattern_rows(found: Sequence[Pattern], words: Words) -> list[list[str]]:
    """The table: a row of headings, then one row for each pattern."""
    say = words.say
    heads = ("account", "count", "nature", "duration", "frequency", "intensity")
    rows = [[say("dossier", head) for head in heads]]
    for one in found:
        nature = ", ".join(f"{name} ({count})" for name, count in one.nature)
        params = {
            "days": str(one.days),
            "first": one.first.isoformat() if one.first else "",
            "last": one.last.isoformat() if one.last else "",
            "rate": _number(one.per_week, words),
            "gap": str(one.longest_gap),
            "undated": str(one.undated),
            "rated": str(one.rated),
        }
        if one.intensity is not None:
            params |= {"low": str(one.intensity[0]), "high": str(one.intensity[1])}
        none = say("dossier", "not-recorded")
        undated = f" {say('dossier', 'undated', params)}" if one.undated else ""
        rows.append(
            [
                one.account or say("dossier", "all-accounts"),
                f"{one.count}{undated}",
                nature or none,
                say("dossier", "duration-value", params) if one.first else none,
                say("dossier", "frequency-value", params) if one.per_week is not None else none,
                say("dossier", _intensity(one), params) if one.intensity else none,
            ]
        )
    return rows


def _intensity(pattern: Pattern) -> str:
    """Which sentence: "4 to 4" says nothing more than "4"."""
    low, high = pattern.intensity or (0, 0)
    return "intensity-one" if low == high else "intensity-value"


def _number(value: float | None, words: Words) -> str:
    """A number as the language writes it: 3, 2.5 or 2,5."""
    text = "" if value is None else f"{value:g}"
    return text.replace(".", ",") if words.language == "nl" else text


def pattern_svg(entries: Sequence[Entry], words: Words) -> bytes:
    """A picture: how many posts on each day (or each so many days), with its figures as text.

    Every text is escaped; the picture has no script, link or outside reference.
    """
    days = sorted(one.day for one in distinct_posts(entries) if one.day is not None)
    title = escape(words.say("dossier", "picture-title"))
    if not days:
        return _svg(title, [_text(20, 60, escape(words.say("dossier", "not-recorded")))], 400)
    span = (days[-1] - days[0]).days + 1
    step = max(1, -(-span // MAX_BARS))
    counts = Counter((day - days[0]).days // step for day in days)
    bars = -(-span // step)
    top = max(counts.values())
    width = max(1, 600 // bars)
    parts = []
    for number in range(bars):
        count = counts.get(number, 0)
        height = round(120 * count / top)
        x = 40 + number * width
        start = days[0] + timedelta(days=number * step)
        label = escape(f"{start.isoformat()}: {count}")
        parts.append(
            f'<rect x="{x}" y="{180 - height}" width="{max(1, width - 1)}" height="{height}" '
            f'fill="#1b4b72"><title>{label}</title></rect>'
        )
    parts.append(f'<line x1="40" y1="180" x2="{40 + bars * width}" y2="180" stroke="#333"/>')
    parts += [_text(8, 66, str(top)), _text(8, 184, "0"), _text(40, 200, days[0].isoformat())]
    last = days[-1].isoformat()
    parts.append(
        _text(
            40, 220, escape(words.say("dossier", "picture-step", {"days": str(step), "last": last}))
        )
    )
    return _svg(title, parts, 80 + bars * width)


def _text(x: int, y: int, text: str) -> str:
    return f'<text x="{x}" y="{y}">{text}</text>'


def _svg(title: str, parts: Sequence[str], width: int) -> bytes:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{max(width, 400)}" height="240" '
        f'font-family="sans-serif" font-size="13" role="img"><title>{title}</title>'
        f'<rect width="100%" height="100%" fill="#fff"/>{_text(20, 28, title)}'
    )
    return (head + "".join(parts) + "</svg>\n").encode("utf-8")


def timeline_csv(entries: Sequence[Entry], words: Words) -> bytes:
    """The timeline for a spreadsheet (UTF-8 with byte order mark); no cell can be a formula."""
    heads = (
        *("day", "time", "event", "account", "incident", "victim", "behaviours", "intensity"),
        *("text", "bundle", "sha256"),
    )
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=";")
    writer.writerow([words.say("dossier", f"column-{head}") for head in heads])
    for one in entries:
        cells = [
            one.day.isoformat() if one.day else "",
            one.shown,
            words.say("dossier", f"event-{one.what}"),
            one.account,
            one.incident,
            one.victim,
            ", ".join(one.behaviours),
            "" if one.intensity is None else str(one.intensity),
            one.text,
            one.bundle,
            one.sha256,
        ]
        writer.writerow([safe_cell(cell) for cell in cells])
    return "\ufeff".encode() + stream.getvalue().encode("utf-8", "replace")


def safe_cell(text: str) -> str:
    """The text with an apostrophe before it where a spreadsheet would take it for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text
