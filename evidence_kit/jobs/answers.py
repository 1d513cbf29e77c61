"""Which files of a capture are whole answers, and to which of our own requests: for the record.

Only what can be shown from what is delivered is named: file and answer after both were redacted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from evidence_kit.core.exchange import Exchange
from evidence_kit.jobs.workfolder import WorkFolder
from evidence_kit.platforms.base import Stored
from evidence_kit.seal.answer_match import (
    MAX_COMPARED,
    MAX_FILE,
    answer_matches,
    needs_taking_apart,
)
from evidence_kit.seal.http_message import BadMessageError, body_chunks, measure

PART = "api"

Delivered = Callable[[str, int], Exchange | None]
"""Side and number to the exchange as it is delivered."""


def named_answers(
    work: WorkFolder, delivered: Delivered, stored: Iterable[Stored]
) -> list[dict[str, Any]]:
    """File and exchange of each answer that is in the bundle twice.

    Args:
        work: holds the files as they are delivered.
        delivered: gives the exchanges as they are delivered.
        stored: what was kept as a file.

    Raises:
        OSError: a file cannot be read.
    """
    found, room = [], MAX_COMPARED // 2  # a reader counts the heads of records as well
    for item in stored:
        if item.exchange is None:
            continue
        exchange = delivered(PART, item.exchange)
        if exchange is None or exchange.response is None or exchange.truncated is not None:
            continue
        path = work.bag / item.path
        try:
            message = measure(exchange.response, method=exchange.method)
        except BadMessageError:
            continue
        if not message.complete:
            continue
        size = path.stat().st_size
        if not needs_taking_apart(message) and message.size - message.body == size:
            with path.open("rb") as stream:
                same = all(
                    stream.read(len(chunk)) == chunk
                    for chunk in body_chunks(exchange.response, message)
                )
            if same:
                found.append({"file": item.path, "exchange": item.exchange})
                continue
        room -= message.size + size
        if size > MAX_FILE or room < 0:
            continue
        with exchange.response.open("rb") as block:
            if answer_matches(block, message, path.read_bytes(), masked=True):
                found.append({"file": item.path, "exchange": item.exchange})
    return found
