"""The error tree, its table and the documented exit codes agree."""

from __future__ import annotations

import inspect
import re

import evidence_kit.core.errors as errors
from evidence_kit.core.errors import EvidenceError, ExitCode


def _classes() -> list[type[EvidenceError]]:
    return [
        item
        for _, item in inspect.getmembers(errors, inspect.isclass)
        if issubclass(item, EvidenceError)
    ]


def test_the_drawn_table_is_the_tree() -> None:
    drawn = {
        match[1]: (match[2], int(match[3]))
        for match in re.finditer(r"(\w+Error)\s+([a-z-]+)\s+(\d+)", errors.__doc__ or "")
    }
    real = {
        item.__name__: (item.code, int(item.exit_code))
        for item in _classes()
        if item is not EvidenceError
    }
    assert drawn == real


def test_codes_are_unique_and_no_error_ends_as_a_verdict() -> None:
    codes = [item.code for item in _classes()]
    assert len(codes) == len(set(codes))
    verdicts = {ExitCode.OK, ExitCode.GAPS, ExitCode.NOT_THERE, ExitCode.FAILED}
    assert not verdicts & {item.exit_code for item in _classes()}
