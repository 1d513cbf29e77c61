"""What an index of streams claims: judged from the bundle, whoever made it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.core.canonical_json import dumps
from evidence_kit.core.streams import FILE, summary
from evidence_kit.jobs import extract_streams
from evidence_kit.jobs.extract import extract
from tests.bundles import NOW, example, trusted
from tests.stream_tools import add_stream
from tests.vector_tools import judged

Index = dict[str, Any]


def bundle(folder: Path, change: Callable[[Index], None]) -> Path:
    """A bundle whose index was changed before it was sealed; its record says the same."""
    case = example()
    add_stream(case)
    index: Index = json.loads(case.files[FILE])
    change(index)
    case.files[FILE] = dumps(index)
    case.record["streams"] = summary(index)
    return case.write(folder)


def told(path: Path) -> list[str]:
    """What is said of the index."""
    return [
        item.params["detail"] for item in judged(path).findings if item.code == "stream.differs"
    ]


def track_of(index: Index) -> dict[str, Any]:
    found: dict[str, Any] = index["streams"][0]["tracks"][0]
    return found


def test_the_unchanged_index_holds(tmp_path: Path) -> None:
    assert told(bundle(tmp_path, lambda _: None)) == []


@pytest.mark.parametrize("lacking", ["archive", "exchange", "size", "sha256"])
def test_a_part_has_a_whole_place_or_none(tmp_path: Path, lacking: str) -> None:
    def change(index: Index) -> None:
        track_of(index)["parts"][0][lacking] = None

    path = bundle(tmp_path, change)
    assert "the index tells only in part where it stands" in told(path)


def test_a_part_without_an_archive_is_not_joined(tmp_path: Path) -> None:
    def change(index: Index) -> None:
        for part in track_of(index)["parts"]:
            part["archive"] = None

    path = bundle(tmp_path, change)
    done = extract(
        *(path, [], tmp_path / "out"), anchors=trusted(), now=NOW, streams=True, even_if_failed=True
    )
    assert [name.rpartition("/")[2] for name in done.files] == [extract_streams.ABOUT]


@pytest.mark.parametrize(
    "change",
    [
        {"parts_named": 3},
        {"live": True},
        {"problem": "only the first parts are taken in"},
        {"parts_named": 0, "parts": []},
    ],
)
def test_complete_is_said_of_whole_tracks_only(tmp_path: Path, change: dict[str, Any]) -> None:
    path = bundle(tmp_path, lambda index: track_of(index).update(change))
    assert any("is called complete and is not" in detail for detail in told(path))


def test_ranges_that_lie_over_each_other_are_counted_each(tmp_path: Path) -> None:
    def change(index: Index) -> None:
        part = track_of(index)["parts"][0]
        many = [{**part, "offset": at, "size": 1 << 30} for at in range(17)]
        track_of(index).update(parts=many, parts_named=17)

    start = time.process_time()
    assert any("in all parts together" in detail for detail in told(bundle(tmp_path, change)))
    assert time.process_time() - start < 30


def test_what_repeats_itself_without_end_is_not_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(index: Index) -> None:
        track_of(index).update(parts=[track_of(index)["parts"][0]] * 100, parts_named=100)

    monkeypatch.setattr(extract_streams, "MAX_JOINED", 99 * 3000)
    path = bundle(tmp_path, change)
    done = extract(path, [], tmp_path / "out", anchors=trusted(), now=NOW, streams=True)
    (name,) = done.files
    assert done.folder is not None
    assert "not joined, it would have more than" in (done.folder / name).read_text("utf-8")


def test_names_of_tracks_cannot_act_where_they_are_read(tmp_path: Path) -> None:
    def change(index: Index) -> None:
        track_of(index)["name"] = "a\x1b[2J\nDIT IS HET BEWIJS\u202e"

    path = bundle(tmp_path, change)
    done = extract(path, [], tmp_path / "out", anchors=trusted(), now=NOW, streams=True)
    assert done.folder is not None
    text = (done.folder / done.files[-1]).read_text("utf-8")
    assert not {"\x1b", "\u202e"} & set(text)
    assert not any(line.startswith("DIT IS") for line in text.splitlines())
