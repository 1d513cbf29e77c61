"""``python -m tests.outside``: install what the tests need and a fresh machine lacks."""

from __future__ import annotations

from tests.outside import DEBIAN_PACKAGES, python_tool, system_tool

for command in DEBIAN_PACKAGES:
    system_tool(command)
python_tool("bagit.py")
