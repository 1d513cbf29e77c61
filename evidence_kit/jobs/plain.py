"""Frozen dataclasses as JSON and back, for the state that a work folder keeps of its capture.

Only what the declared types name can come back: a state file cannot make anything else exist.
"""

from __future__ import annotations

import base64
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from evidence_kit.core.clock import iso, parse_iso


class PlainError(ValueError):
    """The JSON is not what the type says."""


def encode(value: Any) -> Any:
    """A value made of dataclasses, sequences, mappings and plain values, as JSON values."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: encode(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise PlainError(f"a {type(value).__name__} cannot be kept")


def decode(kind: Any, value: Any) -> Any:
    """The inverse of :func:`encode`.

    Args:
        kind: the type to make, for example ``Exchange`` or ``PageRecording[Artefacts]``.
        value: JSON values.

    Raises:
        PlainError: the value is not of that type.
    """
    try:
        return _decode(kind, value, {})
    except (KeyError, TypeError, AttributeError) as error:
        raise PlainError(f"not a {kind}: {error}") from error


def _decode(kind: Any, value: Any, names: Mapping[Any, Any]) -> Any:
    if isinstance(kind, TypeVar):
        kind = names[kind]
    if kind is Any:
        return value
    origin, given = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _union(given, value, names)
    if origin is tuple:
        return _tuple(given, value, names)
    if origin is not None and issubclass(origin, Mapping):
        return {key: _decode(given[1], item, names) for key, item in value.items()}
    if origin is not None and issubclass(origin, Sequence):
        return [_decode(given[0], item, names) for item in value]
    made = origin or kind
    if is_dataclass(made):
        make: Any = made
        inner = dict(zip(getattr(made, "__parameters__", ()), given, strict=True))
        hints = get_type_hints(made)
        return make(**{name: _decode(hints[name], item, inner) for name, item in value.items()})
    return _leaf(kind, value)


def _union(kinds: Sequence[Any], value: Any, names: Mapping[Any, Any]) -> Any:
    if value is None and type(None) in kinds:
        return None
    wanted = [kind for kind in kinds if kind is not type(None)]
    if type(value) in wanted and type(value) in (str, int, float, bool):
        return value
    if len(wanted) != 1:
        raise PlainError(f"more than one type is possible: {wanted}")
    return _decode(wanted[0], value, names)


def _tuple(kinds: Sequence[Any], value: Any, names: Mapping[Any, Any]) -> tuple[Any, ...]:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_decode(kinds[0], item, names) for item in value)
    return tuple(_decode(kind, item, names) for kind, item in zip(kinds, value, strict=True))


def _leaf(kind: Any, value: Any) -> Any:
    if kind is datetime:
        return parse_iso(value)
    if kind is bytes:
        return base64.b64decode(value, validate=True)
    if kind is float and isinstance(value, int | float):
        return float(value)
    if issubclass(kind, Enum) or kind is Path:
        return kind(value)
    if not isinstance(value, kind):
        raise PlainError(f"{value!r} is no {kind.__name__}")
    return value
