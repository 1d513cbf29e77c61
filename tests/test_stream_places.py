"""Entries of the index of streams against the answers that they name: address, range, origin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.core.canonical_json import dumps, loads
from evidence_kit.core.findings import Finding, Status
from evidence_kit.core.streams import FILE, summary
from evidence_kit.jobs import verify_places
from evidence_kit.jobs.verify_places import same_address
from tests.bundles import Case, example
from tests.stream_tools import HLS, StreamSite, add_stream, media_list, piece, stream_site
from tests.vector_tools import judged
from tests.vectors_twice import stream_claims

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def site() -> Iterator[StreamSite]:
    with stream_site() as found:
        yield found


def told(path: Path) -> list[Finding]:
    return [one for one in judged(path).findings if one.code.startswith("stream.")]


def detail(path: Path) -> str:
    return "; ".join(one.params.get("detail", "") for one in told(path))


def ranged(site: StreamSite, change: Change = lambda _: None) -> Case:
    """A bundle of a stream whose sound lies in ranges of one file."""
    case = example()
    site.hls()
    add_stream(case, urls=[site.url("/hls/master.m3u8")])
    index = loads(case.files[FILE])
    (sound,) = (
        one for one in index["streams"][0]["tracks"] if one["kind"] == "audio" and one["chosen"]
    )
    change(sound["parts"][1])
    case.files[FILE] = dumps(index)
    case.record["streams"] = summary(index)
    return case


def test_ranges_hold_as_they_were_served(site: StreamSite, tmp_path: Path) -> None:
    assert [one.code for one in told(ranged(site).write(tmp_path))] == ["stream.ok"]


@pytest.mark.parametrize(
    "claim", [{"range": [0, 199]}, {"range": [150, 350]}, {"range": None}, {"range": [150, 348]}]
)
def test_a_range_that_is_another_one_differs(
    site: StreamSite, tmp_path: Path, claim: dict[str, Any]
) -> None:
    path = ranged(site, lambda part: part.update(claim)).write(tmp_path)
    assert "it is not the range that it names" in detail(path) or "not the whole file" in detail(
        path
    )
    assert judged(path).status is Status.FAILED


def test_a_part_of_a_file_is_not_the_whole_file(site: StreamSite, tmp_path: Path) -> None:
    claim = {"range": None, "offset": None}
    path = ranged(site, lambda part: part.update(claim)).write(tmp_path)
    assert "its answer is not the whole file" in detail(path)


@pytest.mark.parametrize("claim", [{"refetched": False}, {"url": "http://b.example/x.ts"}])
def test_who_asked_and_for_what_is_compared(tmp_path: Path, claim: dict[str, Any]) -> None:
    path = stream_claims(lambda track: track["parts"][0].update(claim)).write(tmp_path)
    assert "notes" in detail(path) or "is of http://127.0.0.1" in detail(path)


def test_two_parts_that_changed_places_differ(tmp_path: Path) -> None:
    """The bytes, sizes and digests are right; each stands under the other's address."""

    def swap(track: dict[str, Any]) -> None:
        one, other = track["parts"]
        one["url"], other["url"] = other["url"], one["url"]

    path = stream_claims(swap).write(tmp_path)
    assert [one.code for one in told(path)] == ["stream.differs"] * 2


def redirected(site: StreamSite) -> Case:
    case = example()
    site.put("/f.m3u8", media_list("/gone/a.ts"), HLS)
    site.moved |= {"/gone/a.ts": "/again/a.ts", "/again/a.ts": "/cdn/a.ts"}
    site.put("/cdn/a.ts", piece("a"))
    add_stream(case, urls=[site.url("/f.m3u8")])
    return case


def test_recorded_redirects_lead_to_the_answer(site: StreamSite, tmp_path: Path) -> None:
    assert [one.code for one in told(redirected(site).write(tmp_path))] == ["stream.ok"]


def test_a_redirect_to_another_place_does_not(site: StreamSite, tmp_path: Path) -> None:
    case = redirected(site)
    index = loads(case.files[FILE])
    index["streams"][0]["tracks"][0]["parts"][0]["url"] = site.url("/f.m3u8")
    case.files[FILE] = dumps(index)
    assert "is of" in detail(case.write(tmp_path))


def test_where_the_way_gets_lost_it_is_said(
    site: StreamSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A redirect that the browser still knew is on record by its address alone."""
    case = redirected(site)
    monkeypatch.setattr(verify_places, "MAX_HOPS", 1)  # as if the second one were not there
    assert "is of" in detail(case.write(tmp_path))
    listed = {"url": site.url("/again/a.ts"), "reason": "cache"}
    case.record["recording"]["cached"] = [listed]
    found = told(case.write(tmp_path))
    assert [one.code for one in found] == ["stream.address-open", "stream.ok"]


@pytest.mark.parametrize(
    ("stated", "recorded", "same"),
    [
        ("https://a.example/\u00e9?x=y z", "https://a.example/%C3%A9?x=y%20z", True),
        ("https://a.example/%2F", "https://a.example//", False),
        ("https://a.example/?t=REDACTED#1", "https://a.example/?t=REDACTED#1-----", True),
        ("https://a.example/?t=REDACTED#1", "https://b.example/?t=REDACTED#1", False),
        ("https://a.example/?t=REDACTED#1", "http://a.example/?t=REDACTED#1x", False),
        ("http://[/REDACTED#1", "http://]/", False),
    ],
)
def test_addresses(stated: str, recorded: str, same: bool) -> None:
    assert same_address(stated, recorded) is same
