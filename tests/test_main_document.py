"""The main document among the exchanges, whatever its address looks like."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from evidence_kit.gather.page_types import PageRecording
from evidence_kit.jobs.main_document import main_document, main_headers
from tests.test_redact import exchange

BODY = b"<p>Ik weet waar je woont."
ANSWER = b"HTTP/1.1 200 OK\r\nX-Own: 1\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


@pytest.mark.parametrize(
    ("final", "asked"),
    [
        ("https://a.example/p#deel", "https://a.example/p"),
        ("https://a.example/p?#deel", "https://a.example/p?"),
        ("https://a.example/p#een#twee", "https://a.example/p"),
        ("https://[half/p#deel", "https://[half/p"),
    ],
)
def test_it_is_found_without_the_fragment(tmp_path: Path, final: str, asked: str) -> None:
    made = exchange(tmp_path / "in", response=ANSWER, url=asked)
    page = cast(
        PageRecording[Any],
        SimpleNamespace(
            final_url=final,
            requested_url=final,
            status=200,
            recording=SimpleNamespace(exchanges=(replace(made, status=200, kind="document"),)),
        ),
    )
    found = main_document(page)
    assert found is not None
    assert (found.url, found.html) == (final, BODY)
    assert main_headers(page)["x-own"] == "1"
