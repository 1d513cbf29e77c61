"""How often the content check is right, on 140 page texts that its authors did not write.

Written by somebody who had not seen the check. The ``dev`` texts were then used to improve it; the
``held`` ones were judged once, when that was done, and their first figure is the floor here
(docs/content-check.md).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.gather.content_check import ContentCheck, ContentFacts, judge

DATA = Path(__file__).parent / "data"

NAMED = {"dev": 70, "held": 55}
"""Of 70 each: named as the author of the texts did."""
RIGHT = {"dev": 70, "held": 62}
"""Of 70 each: judged right whether the post is there."""
FALSE_ALARMS = {"dev": 0, "held": 2}
"""Posts that were taken for a wall, a block, an error or gone."""


def pages(kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number in (1, 2):
        found += json.loads((DATA / f"page_texts_{kind}-{number}.json").read_text("utf-8"))
    return found


def judged(page: dict[str, Any]) -> ContentCheck:
    return judge(
        ContentFacts(
            requested_url=page["url"],
            final_url=page["final_url"],
            status=page["status"],
            redirects=int(page["url"] != page["final_url"]),
            title=page["title"],
            visible_text=page["text"],
        )
    )


@pytest.mark.parametrize("kind", ["dev", "held"])
def test_how_often_it_is_right(kind: str) -> None:
    found = [(page["expected"], judged(page)) for page in pages(kind)]
    assert len(found) == 70
    named = sum(str(check.state) == expected for expected, check in found)
    right = sum(check.there == (expected == "present") for expected, check in found)
    alarms = sum(expected == "present" and not check.there for expected, check in found)
    assert named >= NAMED[kind]
    assert right >= RIGHT[kind]
    assert alarms <= FALSE_ALARMS[kind]


@pytest.mark.parametrize("kind", ["dev", "held"])
def test_an_error_status_is_never_called_present(kind: str) -> None:
    for page in pages(kind):
        if page["status"] >= 400:
            assert not judged(page).there, page["id"]


def test_the_texts_are_no_copies_of_each_other() -> None:
    texts = [page["text"] for kind in ("dev", "held") for page in pages(kind)]
    assert len(set(texts)) == len(texts) == 140
    hosts = {kind: {page["url"].split("/")[2] for page in pages(kind)} for kind in NAMED}
    assert not hosts["dev"] & hosts["held"]
