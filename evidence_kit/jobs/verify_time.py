"""The other end of the time bracket: a stamp over a random number, fetched before the page.

The signature's stamp says "existed before", this one says "was made after": the capture record
holds the token's digest, so the record cannot be older than the token.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evidence_kit.core.clock import iso, parse_iso
from evidence_kit.core.findings import Finding, Status
from evidence_kit.core.limits import MAX_TOKEN
from evidence_kit.seal.anchors import TrustAnchors
from evidence_kit.seal.cades_check import CLOCK_TOLERANCE
from evidence_kit.seal.container_read import Walk, read_entry
from evidence_kit.seal.timestamp import CLOCK_SLACK, check_token


@dataclass(frozen=True)
class StartToken:
    """Findings, and the token's time where its authority is trusted."""

    findings: tuple[Finding, ...]
    gen_time: datetime | None = None


def check_start_token(
    walked: Walk, record: Mapping[str, Any], anchors: TrustAnchors, now: datetime
) -> StartToken:
    """Recompute the token's imprint from the recorded number, and judge who made it.

    Args:
        walked: the container.
        record: a capture record that conforms to its schema.
        anchors: whom the user trusts; ``tsas`` are used.
        now: the verifier's clock.

    Raises:
        UnreadableFileError: the file cannot be read any more.
    """
    stated = record["start_token"]
    name = stated["file"]
    if name is None:
        return StartToken((Finding("start-token.none", "", {"detail": stated["why_missing"]}),))
    try:
        token = read_entry(walked, name, limit=MAX_TOKEN)
    except (KeyError, ValueError) as error:
        return StartToken((Finding("start-token.not-checked", name, {"detail": str(error)}),))
    imprint = hashlib.sha256(bytes.fromhex(stated["nonce"])).digest()
    report = check_token(token, imprint=imprint, anchors=anchors, now=now, algorithm="sha256")
    broken = [f.code for f in report.findings if f.rule.status is Status.FAILED]
    said = stated["time"]
    if broken or report.gen_time is None or said is None or parse_iso(said) != report.gen_time:
        detail = broken[0] if broken else "time"
        return StartToken((Finding("start-token.differs", name, {"detail": detail}),))
    params = {"time": iso(report.gen_time), "tsa": report.tsa_name}
    if not report.trusted:
        return StartToken((Finding("start-token.untrusted", name, params),))
    return StartToken((Finding("start-token.ok", name, params),), report.gen_time)


def check_bracket(
    start: datetime | None, claimed: datetime | None, stamped: datetime | None
) -> Iterator[Finding]:
    """The bracket must not be inside out: start token, then signing, then the stamp.

    Args:
        start: time of the trusted start token.
        claimed: signing time by the signer's own clock.
        stamped: time of the signature's trusted stamp.
    """
    if start is None:
        return
    late = claimed is not None and start > claimed + CLOCK_TOLERANCE
    if late or (stamped is not None and start > stamped + CLOCK_SLACK):
        end = stamped or claimed or start
        yield Finding("start-token.contradicts", "", {"time": iso(start), "sealed": iso(end)})
