"""Every ``--json`` output of the program conforms to the schema that it names."""

from __future__ import annotations

from typing import Any

from evidence_kit.core.canonical_json import loads
from evidence_kit.core.schemas import schema_fault


def conforming(data: bytes | str) -> Any:
    """The parsed output, once its published schema allows it.

    Raises:
        AssertionError: no such schema, or the output is not what it says.
    """
    document = loads(data if isinstance(data, bytes) else data.encode("utf-8"))
    kind, name, version = document["schema"].split("/")
    fault = schema_fault(document, f"{name}-{version}")
    if (kind, fault) != ("evidence-kit", None):
        raise AssertionError(f"{document['schema']}: {fault}")
    return document
