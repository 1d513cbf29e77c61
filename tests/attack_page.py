"""``docs/attacks.md`` lists every attack; ``python -m tests.attack_page`` writes its tables anew.

A test holds the page and the list together.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.attack_list import ATTACK_LIST, NO_CHECK
from tests.takeouts import ROOT

DOCS = ROOT / "docs" / "attacks.md"

_TABLE = re.compile(r"^\| attack \|.*\n(?:\|.*\n)+", re.MULTILINE)


def table(part: str) -> str:
    """The Markdown table of one part."""
    lines = ["| attack | finding | test | red without |", "|---|---|---|---|"]
    for row in ATTACK_LIST[part]:
        finding = f"`{row.code}`" if row.code else "-"
        checks = "; ".join(row.taken_out()) or NO_CHECK.get(row.name, "")
        lines.append(f"| {row.name} | {finding} | `tests/{row.test}` | {checks} |")
    return "\n".join(lines) + "\n"


def page(text: str) -> str:
    """The page with its tables as they must be; everything else stays."""
    for part in ATTACK_LIST:
        head, found, rest = text.partition(f"\n## {part}\n")
        if not found or not _TABLE.search(rest.split("\n## ")[0]):
            raise ValueError(f"no table under '{part}'")
        text = head + found + _TABLE.sub(lambda _, part=part: table(part), rest, count=1)  # type: ignore[misc]
    return text


def write(path: Path = DOCS) -> None:
    """Write the tables into the page."""
    path.write_text(page(path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    write()
