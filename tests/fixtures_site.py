"""The example site as a fixture; import ``demo_site`` to use it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evidence_kit.demo.site import DemoSite


@pytest.fixture
def demo_site() -> Iterator[DemoSite]:
    """A running example site on a free loopback port that keeps what passed its sockets."""
    with DemoSite(keep_wire=True) as site:
        yield site
