"""State that is kept as JSON comes back as it was, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_kit.core.canonical_json import dumps, loads
from evidence_kit.core.exchange import Exchange, Representation, Source, TlsSeen
from evidence_kit.gather.artefacts import ArtefactResult, Artefacts, Kind, State
from evidence_kit.gather.behaviour import Treated
from evidence_kit.jobs.plain import PlainError, decode, encode
from evidence_kit.jobs.record import StartToken

NOW = datetime(2026, 11, 23, 10, 0, 0, 5, tzinfo=UTC)
EXCHANGE = Exchange(
    number=1,
    url="https://example.org/",
    method="GET",
    started=NOW,
    request=Path("/tmp/0001.request"),
    response=None,
    representation=Representation.WIRE,
    source=Source.NETLOG,
    tls=TlsSeen("TLS 1.3", "0x1301", (b"\0\xff", b"")),
    error="ERR_FAILED",
    notes=("one", "two"),
)


@pytest.mark.parametrize(
    "value",
    [
        EXCHANGE,
        StartToken("data/start-token.tst", b"\1\2", "http://tsa/", NOW, "00" * 32),
        Treated("scroll", "quiet", changed=True, detail={"pixels": 5, "seconds": 0.5, "why": "x"}),
        Artefacts((ArtefactResult(Kind.TEXT, "text.txt", State.MADE, written=NOW),), "tekst"),
    ],
)
def test_what_was_kept_comes_back(value: Any) -> None:
    assert decode(type(value), loads(dumps(encode(value)))) == value


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=10,
    )
)
def test_other_json_never_becomes_a_value(data: Any) -> None:
    with pytest.raises(PlainError):
        decode(Exchange, data)


def test_a_field_of_another_type_is_refused() -> None:
    kept = encode(EXCHANGE)
    with pytest.raises(PlainError):
        decode(Exchange, {**kept, "number": "1"})
    with pytest.raises(PlainError):
        decode(Exchange, {**kept, "unknown": 1})
    with pytest.raises(PlainError):
        encode(object())
