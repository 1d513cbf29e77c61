"""The accessibility tree as indented YAML: what a screen reader would say, shadow roots too."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

_SILENT = frozenset({"none", "generic", "InlineTextBox", "LineBreak", "ListMarker"})
"""Roles that only carry others: their children move up, their text is said by a parent."""

_STATES = ("level", "checked", "pressed", "expanded", "selected", "disabled", "required")


def render_tree(nodes: Sequence[Mapping[str, Any]], url: str) -> str:
    """One document per call, in the order of the tree.

    Args:
        nodes: from ``Accessibility.getFullAXTree``.
        url: of the page or frame; stands in a comment above.
    """
    by_id = {str(node["nodeId"]): node for node in nodes}
    lines = [f"# {json.dumps(url, ensure_ascii=False)}"]
    roots = [node for node in nodes if str(node.get("parentId", "")) not in by_id]
    stack = [(str(node["nodeId"]), 0) for node in reversed(roots)]
    done: set[str] = set()
    while stack:
        node_id, depth = stack.pop()
        node = by_id.get(node_id)
        if node is None or node_id in done:
            continue
        done.add(node_id)
        line = "" if node.get("ignored") else _line(node)
        if line:
            lines.append("  " * depth + line)
            depth += 1
        stack.extend((str(child), depth) for child in reversed(node.get("childIds", ())))
    return "\n".join(lines) + "\n"


def _line(node: Mapping[str, Any]) -> str:
    role = str(node.get("role", {}).get("value", ""))
    if not role or role in _SILENT:
        return ""
    name = str(node.get("name", {}).get("value", ""))
    value = node.get("value", {}).get("value")
    text = f"- {'text' if role == 'StaticText' else role}"
    if name:
        text += f" {json.dumps(name, ensure_ascii=False)}"
    states = {
        item["name"]: item.get("value", {}).get("value") for item in node.get("properties", ())
    }
    shown = [
        f"{key}={states[key]}" for key in _STATES if states.get(key) not in (None, False, "false")
    ]
    if shown:
        text += f" [{' '.join(shown)}]"
    if value not in (None, ""):
        text += f": {json.dumps(value, ensure_ascii=False)}"
    return text
