"""What ``timestamp`` and ``renew`` share: settings in, one job, a result out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from evidence_kit.cli.output import emit_json, note, progress, say, short
from evidence_kit.cli.settings import Settings, home
from evidence_kit.core.clock import iso
from evidence_kit.core.errors import ExitCode
from evidence_kit.core.terminal_text import harmless
from evidence_kit.core.verdict_words import moment
from evidence_kit.gather.time_sources import system_clock
from evidence_kit.gather.tsa_client import TsaClient
from evidence_kit.jobs.stamp_later import Stamped
from evidence_kit.jobs.stamping import stamper
from evidence_kit.jobs.trust import load_anchors


def stamp_with(
    job: Callable[..., Stamped], bundle: Path, tsas: tuple[str, ...], *, as_json: bool
) -> int:
    """Run one of the jobs of :mod:`evidence_kit.jobs.stamp_later` and print its result."""
    settings = Settings(home())
    anchors = load_anchors(settings.home)
    client = TsaClient(system_clock, anchors=anchors)
    with progress(as_json=as_json) as shown:
        done = job(
            bundle,
            stamper=stamper(client, settings.many("tsa", tsas), system_clock),
            anchors=anchors,
            receipts=settings.home / "receipts",
            clock=system_clock,
            progress=shown,
        )
    if as_json:
        result = {
            "stamp": str(done.path),
            "time": iso(done.time),
            "trusted": done.trusted,
            "covers": list(done.covers),
            "receipt": str(done.receipt_path),
            "sha512": done.receipt.sha512,
        }
        emit_json("evidence-kit/stamped/1", ExitCode.OK, result)
        return int(ExitCode.OK)
    say(f"stamped  {moment(done.time)}")
    say(f"  file     {harmless(str(done.path))}")
    for name in done.covers:
        say(f"  covers   {harmless(name)}")
    say(f"  sha512   {done.receipt.sha512}")
    say(f"  receipt  {short(done.receipt_path)}")
    if not done.trusted:
        note("you do not trust this authority yet, so the stamp does not count when you verify")
    return int(ExitCode.OK)
