"""Digests in parallel are those of the plain functions, however the stream is cut."""

from __future__ import annotations

import hashlib
import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence_kit.core.digests import (
    Digests,
    digest_bytes,
    digest_chunks,
    digest_file,
    read_chunks,
    sha256_file,
)
from evidence_kit.core.limits import CHUNK


def plain(data: bytes) -> Digests:
    return Digests(
        hashlib.sha256(data).hexdigest(),
        hashlib.sha512(data).hexdigest(),
        len(data),
        zlib.crc32(data),
    )


@pytest.mark.parametrize(
    "lengths",
    [
        [],
        [0],
        [5],
        [CHUNK],
        [CHUNK] * 7,
        [CHUNK, 1, CHUNK, CHUNK, 3, 0, 2 * CHUNK],
        [1, CHUNK, CHUNK, CHUNK, 1],
    ],
)
def test_any_cut_gives_the_same(lengths: list[int]) -> None:
    chunks = [os.urandom(length) for length in lengths]
    assert digest_chunks(iter(chunks)) == plain(b"".join(chunks))


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, 3 * CHUNK + 1])
def test_files_and_bytes(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    path = tmp_path / "x"
    path.write_bytes(data)
    assert digest_file(path) == digest_bytes(data) == plain(data)
    assert sha256_file(path) == plain(data).sha256


def test_an_error_of_the_source_comes_through() -> None:
    def broken() -> Iterator[bytes]:
        yield bytes(CHUNK)
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        digest_chunks(broken())


@pytest.mark.parametrize(("length", "expected"), [(None, 10), (0, 0), (4, 4), (99, 10)])
def test_reading_stops_at_the_length(length: int | None, expected: int) -> None:
    stream = io.BytesIO(b"0123456789")
    assert len(b"".join(read_chunks(stream, length))) == expected
    assert stream.tell() == expected
