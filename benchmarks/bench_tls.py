"""Recorded TLS opened with its keys, against the cipher alone on the same records.

What lies between the two is the walk over the records; one AES-128-GCM connection of TLS 1.3.
"""

from __future__ import annotations

import io
import time

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.timing import Pair, paired
from evidence_kit.seal.tls_keys import KeyLog
from evidence_kit.seal.tls_records import open_tls
from tests.tls_made import DATA, Made

LIMIT = 2.5
"""Times the cipher alone, which takes some 5 microseconds for a record."""

MEGABYTES = 300
RECORD = 1 << 14


def measure(megabytes: int = MEGABYTES, runs: int = 5) -> Pair:
    """Both within this process, from memory."""
    made = Made(0x1301)
    _, server = made.begin()
    content = bytes(range(256)) * (RECORD // 256)
    count = megabytes * (1 << 20) // RECORD
    made.received += b"".join(server.seal(DATA, content) for _ in range(count))
    sent, received = io.BytesIO(made.sent), io.BytesIO(made.received)
    keys = KeyLog.parse(made.keys())

    def ours() -> float:
        sent.seek(0)
        received.seek(0)
        started = time.perf_counter()
        total = sum(map(len, open_tls(sent, received, keys).received()))
        seconds = time.perf_counter() - started
        if total != count * RECORD:
            raise SystemExit("not everything came out")
        return seconds

    cipher, nonce, header = AESGCM(bytes(16)), bytes(12), bytes(5)
    sealed = cipher.encrypt(nonce, content, header)
    whole = memoryview(sealed * count)  # as far from the processor as the recording

    def alone() -> float:
        started = time.perf_counter()
        for at in range(0, len(whole), len(sealed)):
            cipher.decrypt(nonce, whole[at : at + len(sealed)], header)
        return time.perf_counter() - started

    return paired(ours, alone, runs=runs)
