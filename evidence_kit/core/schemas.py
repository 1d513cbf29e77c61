"""The published JSON Schemas: documents of unknown origin are judged by them, never repaired."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from evidence_kit.core.canonical_json import loads

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_SHOWN = 160
"""Characters of a fault that are shown; it may repeat what a stranger wrote."""


def schema_fault(document: Any, name: str) -> str | None:
    """The first thing in ``document`` that the schema does not allow; None where it conforms.

    Args:
        document: a parsed JSON value.
        name: a file of ``evidence_kit/schemas`` without its ending, such as ``capture-1``.

    Returns:
        The place as a JSON pointer and the reason, in a few English words, cut where it is long.
    """
    faults: Iterator[Any] = _validator(name).iter_errors(document)
    first = next(faults, None)
    if first is None:
        return None
    place = "/" + "/".join(str(part) for part in first.absolute_path)
    if first.validator in ("anyOf", "oneOf", "enum", "const", "type", "pattern"):
        reason = f"not allowed by '{first.validator}'"
    else:
        reason = first.message
    text = f"{place}: {reason}"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


@cache
def _validator(name: str) -> Validator:
    from jsonschema import Draft202012Validator
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    registry = Registry().with_resource(
        "urn:evidence-kit:verify:1", DRAFT202012.create_resource(_read("verify-1"))
    )  # the form of a verdict, which other outputs hold too
    return Draft202012Validator(_read(name), registry=registry)


def _read(name: str) -> Any:
    return loads((files("evidence_kit") / "schemas" / f"{name}.schema.json").read_bytes())
