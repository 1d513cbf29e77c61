"""The index of streams in a bundle: its name, and what the capture record repeats of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SCHEMA = "evidence-kit/streams/1"
FILE = "data/media/streams.json"


def summary(index: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For the capture record: each stream in one entry, the parts of its best quality counted."""
    found = []
    for stream in index["streams"]:
        tracks = [track for track in stream["tracks"] if track["chosen"]]
        found.append(
            {
                "url": stream["list"]["url"],
                "kind": stream["kind"],
                "file": FILE,
                "parts": sum(track["parts_named"] for track in tracks),
                "kept": sum(kept_parts(track["parts"]) for track in tracks),
                "live": any(track["live"] for track in tracks),
                "encryption": next((one["encryption"] for one in tracks if one["encryption"]), ""),
                "complete": bool(tracks) and all(track["complete"] for track in tracks),
            }
        )
    return found


def kept_parts(parts: Sequence[Mapping[str, Any]]) -> int:
    """How many of them stand in the bundle."""
    return sum(part["sha256"] is not None for part in parts)


def is_whole(track: Mapping[str, Any]) -> bool:
    """Whether a track of the index may be called complete: every part is there, and one plays."""
    parts = track["parts"]
    return (
        kept_parts(parts) == track["parts_named"]
        and any(part["role"] == "segment" and part["sha256"] is not None for part in parts)
        and not track["live"]
        and not track["problem"]
    )
