"""JSON as this project writes it (one form) and as it dares to read it (strictly)."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from evidence_kit.core.limits import (
    MAX_JSON_BYTES,
    MAX_JSON_DEPTH,
    MAX_JSON_DIGITS,
    MAX_JSON_VALUES,
)

_TOKEN = re.compile(
    rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{]|[\]}]|[0-9]{%d,}' % (MAX_JSON_DIGITS + 1), re.DOTALL
)
"""A whole string, or what counts. A string's end is optional: no input makes the search go back."""


class JsonError(ValueError):
    """Not JSON as this project accepts it; the text says why in a few words."""


def dumps(value: Any) -> bytes:
    """The one written form: UTF-8, keys sorted, two spaces, a final newline.

    The same value always gives the same bytes, so a file can be rebuilt and compared.

    Raises:
        JsonError: NaN, infinity, a lone surrogate or a type that JSON does not have.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False)
        return (text + "\n").encode("utf-8")
    except (TypeError, ValueError) as error:
        raise JsonError(str(error)) from error


def dumps_line(value: Any) -> bytes:
    """The same on one line, for logs in JSON lines form."""
    try:
        text = json.dumps(
            value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
        )
        return (text + "\n").encode("utf-8")
    except (TypeError, ValueError) as error:
        raise JsonError(str(error)) from error


def loads(data: bytes, *, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """Parse JSON of unknown origin (RFC 8259), refusing what two readers could read differently.

    Refused are: more than ``max_bytes`` bytes, nesting deeper than ``MAX_JSON_DEPTH``, more than
    ``MAX_JSON_VALUES`` strings, arrays and objects, duplicate keys, NaN and infinity, numbers of
    absurd length or beyond what a double holds, lone surrogates, a byte order mark.

    Raises:
        JsonError: refused, with the reason.
    """
    if len(data) > max_bytes:
        raise JsonError(f"larger than {max_bytes} bytes")
    _check_shape(data)
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except JsonError:
        raise
    except (ValueError, RecursionError) as error:
        raise JsonError(str(error)) from error
    _check_strings(value)
    return value


def same_json(one: Any, other: Any) -> bool:
    """Whether two parsed values are written the same: 1, 1.0 and true are three things.

    It ends at the first difference, so that it costs no more than the smaller value.
    """
    pairs = [(one, other)]
    while pairs:
        left, right = pairs.pop()
        if type(left) is not type(right):
            return False
        if isinstance(left, dict):
            if left.keys() != right.keys():
                return False
            pairs += [(value, right[key]) for key, value in left.items()]
        elif isinstance(left, list):
            if len(left) != len(right):
                return False
            pairs += zip(left, right, strict=True)
        elif left != right or (isinstance(left, float) and repr(left) != repr(right)):
            return False
    return True


def _check_shape(data: bytes) -> None:
    """Bound depth, values and length of numbers before the parser, whose limits are not ours."""
    depth = values = 0
    for match in _TOKEN.finditer(data):
        first = data[match.start()]
        values += first not in b"]}"
        if values > MAX_JSON_VALUES:
            raise JsonError(f"more than {MAX_JSON_VALUES} values")
        if first in b"[{":
            depth += 1
            if depth > MAX_JSON_DEPTH:
                raise JsonError(f"nested deeper than {MAX_JSON_DEPTH}")
        elif first in b"]}":
            depth -= 1
        elif first != 0x22:
            raise JsonError(f"a number of more than {MAX_JSON_DIGITS} digits")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise JsonError(f"key {key[:40]!r} twice")
        result[key] = value
    return result


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):  # 1e999 is JSON, but there is no such number and no way to write it
        raise JsonError(f"the number {text[:40]} is too large")
    return value


def _no_constant(name: str) -> Any:
    raise JsonError(f"{name} is not JSON")


def _check_strings(value: Any) -> None:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            if not item.isascii() and any("\ud800" <= c <= "\udfff" for c in item):
                raise JsonError("a lone surrogate")
        elif isinstance(item, dict):
            stack.extend(item.keys())
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
