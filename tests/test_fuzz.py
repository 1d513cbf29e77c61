"""The kept corpus of the fuzzer, and mutations of it, in every ordinary run.

``make fuzz`` looks further, guided by coverage.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "fuzz" / "corpus"

MUTATIONS = 40
"""Of each kept input."""

SECONDS = 2.0
"""Processor time of one input of some KiB; the slowest take hundredths of a second."""


def kept(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Bits turned, a piece cut out, repeated or exchanged."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) + 1)
        kind = chance.randrange(4)
        if kind == 0 and at < len(changed):
            changed[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del changed[at : at + chance.randint(1, 64)]
        elif kind == 2:
            changed[at:at] = changed[at : at + chance.randint(1, 64)]
        else:
            changed[at : at + 4] = chance.choice((b"\xff" * 4, bytes(4), b"\x80\0\0\0"))
    return bytes(changed)


def test_every_target_has_a_corpus_and_no_corpus_is_left_over() -> None:
    assert {path.name for path in CORPUS.iterdir()} == TARGETS.keys()
    assert all(kept(name) for name in TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_corpus_and_mutations(name: str) -> None:
    chance = random.Random(name)
    for data in kept(name):
        for one in (data, *(mutated(data, chance) for _ in range(MUTATIONS))):
            started = time.process_time()
            TARGETS[name](one)
            assert time.process_time() - started < SECONDS


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.binary(max_size=300))
def test_any_bytes(name: str, data: bytes) -> None:
    TARGETS[name](data)
