"""``evidence-kit verify``: judge bundles, offline."""

from __future__ import annotations

from pathlib import Path

import click

from evidence_kit.cli.options import (
    expanded,
    json_option,
    lang_option,
    receipt_option,
    trust_options,
)
from evidence_kit.cli.output import emit_json, progress
from evidence_kit.cli.settings import Settings, home

MAX_JOBS = 61
"""Processes; Windows waits for no more (WaitForMultipleObjects)."""

MIN_SHARED = 100
"""Bundles from which on the start of further processes pays: each takes half a second, a small
bundle a fiftieth."""

LARGE = 64 << 20
"""Bytes of a bundle from which on hashing takes longer than loading the libraries for the rest."""


def language(settings: Settings, flag: str | None) -> str:
    """The language of a verdict: the flag, else the setting."""
    return settings.text("language", flag)


@click.command(name="verify")
@click.argument(
    "bundles", nargs=-1, required=True, type=click.Path(path_type=Path), callback=expanded
)
@trust_options
@receipt_option("Compare with the receipt that was kept elsewhere (one bundle only).")
@click.option(
    "--accept",
    metavar="WORDS",
    help="Do not let these count: unknown-signer, no-timestamp; separated by commas.",
)
@click.option(
    "--details",
    is_flag=True,
    help="Also list each check that found nothing wrong, and what examiners look for.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, MAX_JOBS),
    help="Processes that share the work on several bundles; default: one per processor.",
)
@lang_option
@json_option
def command(
    bundles: tuple[Path, ...],
    signers: tuple[Path, ...],
    tsas: tuple[Path, ...],
    receipt_file: Path | None,
    accept: str | None,
    details: bool,
    jobs: int | None,
    lang: str | None,
    as_json: bool,
) -> int:
    """Check bundles: unchanged, by whom, when. Works offline.

    Nothing in a bundle is trusted for being there: signers and time-stamping authorities come
    from 'evidence-kit trust', --trust and --tsa-trust.

    \b
    Examples:
      evidence-kit verify FILE.asice
      evidence-kit verify FILE.asice --trust signer.pem --tsa-trust tsa-root.pem
      evidence-kit verify *.asice --json

    \b
    Exit codes: 0 PASSED, 10 FAILED, 11 INDETERMINATE (for example: signer unknown),
    20 a file cannot be read. Of several, the worst counts: 10, 20, 11, 0.
    """
    from datetime import UTC, datetime

    from evidence_kit.core.receipt import load_receipt
    from evidence_kit.core.verdict import exit_code_of
    from evidence_kit.core.verdict_json import SCHEMA, verdict_json
    from evidence_kit.core.words import Words
    from evidence_kit.jobs.trust import load_anchors
    from evidence_kit.jobs.verify import verify, verify_many

    if receipt_file is not None and len(bundles) != 1:
        raise click.UsageError("--receipt goes with one bundle")
    _load_ahead(bundles)
    settings = Settings(home())
    words = Words(language(settings, lang))
    anchors = load_anchors(settings.home, signers, tsas)
    accepted = frozenset(word.strip() for word in (accept or "").split(",") if word.strip())
    receipt = load_receipt(receipt_file) if receipt_file is not None else None
    now = datetime.now(UTC)
    with progress(as_json=as_json) as shown:
        if len(bundles) == 1:
            verdicts = [
                verify(
                    bundles[0],
                    anchors=anchors,
                    now=now,
                    receipt=receipt,
                    accept=accepted,
                    progress=shown,
                )
            ]
        else:
            found = verify_many(
                bundles,
                anchors=anchors,
                now=now,
                accept=accepted,
                progress=shown,
                workers=_workers(len(bundles), jobs),
            )
            verdicts = list(found)
    code = exit_code_of(verdicts)
    if as_json:
        members = [verdict_json(verdict, words) for verdict in verdicts]
        emit_json(SCHEMA, code, {"bundles": members})
        return int(code)
    from evidence_kit.cli.verdict_print import console, print_summary, print_verdict

    out = console()
    for verdict in verdicts:
        print_verdict(verdict, words, out, details=details)
    if len(verdicts) > 1:
        print_summary(verdicts, words, out)
    return int(code)


def _workers(count: int, jobs: int | None) -> int:
    import os

    if jobs is not None:
        return jobs
    return min(os.cpu_count() or 1, MAX_JOBS) if count >= MIN_SHARED else 1


def _load_ahead(bundles: tuple[Path, ...]) -> None:
    """Load what is needed after hashing while a large file is being hashed.

    Hashing leaves one processor half idle; these libraries take a third of a second.
    """
    import importlib
    import threading

    try:
        if len(bundles) != 1 or bundles[0].stat().st_size < LARGE:
            return
    except OSError:
        return  # the job says why

    def load() -> None:
        for name in ("pyhanko_certvalidator", "jsonschema", "rich.console", "rich.text"):
            importlib.import_module(name)

    threading.Thread(target=load, name="load-ahead", daemon=True).start()
