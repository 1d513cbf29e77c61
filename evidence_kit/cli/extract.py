"""``evidence-kit extract``: take files out of a bundle."""

from __future__ import annotations

from pathlib import Path

import click

from evidence_kit.cli.options import json_option, lang_option, output_option, trust_options
from evidence_kit.cli.output import emit_json, note, progress, say
from evidence_kit.cli.settings import Settings, home
from evidence_kit.core.errors import ExitCode
from evidence_kit.core.terminal_text import harmless
from evidence_kit.core.words import Words


@click.command(name="extract")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1)
@output_option("Folder in which a folder with the bundle's name is made.", required=True)
@click.option(
    "--even-if-failed",
    is_flag=True,
    help="Also take files out of a bundle that FAILED, into a folder that is named so.",
)
@click.option(
    "--streams",
    is_flag=True,
    help="Write films and sound with their parts joined, to look at: derived copies, no evidence.",
)
@trust_options
@lang_option
@json_option
def command(
    bundle: Path,
    files: tuple[str, ...],
    output: Path,
    even_if_failed: bool,
    streams: bool,
    signers: tuple[Path, ...],
    tsas: tuple[Path, ...],
    lang: str | None,
    as_json: bool,
) -> int:
    """Take files out of a bundle after checking it.

    Nothing is overwritten, and names are those in the bundle. What could act when opened has a
    harmless name in there and keeps it.

    \b
    Examples:
      evidence-kit extract FILE.asice --output unpacked
      evidence-kit extract FILE.asice data/web/screenshot.png data/media --output unpacked
      evidence-kit extract FILE.asice --streams --output unpacked

    \b
    Exit codes: 0 files were written, 10 the bundle FAILED (nothing is written without
    --even-if-failed), 20 it cannot be read, 25 a file exists already or cannot be written.
    """
    from datetime import UTC, datetime

    from evidence_kit.core.findings import Status
    from evidence_kit.core.verdict_json import verdict_json
    from evidence_kit.core.verdict_words import verdict_lines
    from evidence_kit.jobs.extract import extract
    from evidence_kit.jobs.trust import load_anchors

    settings = Settings(home())
    words = Words(settings.text("language", lang))
    anchors = load_anchors(settings.home, signers, tsas)
    with progress(as_json=as_json) as shown:
        done = extract(
            bundle,
            files,
            output,
            anchors=anchors,
            now=datetime.now(UTC),
            even_if_failed=even_if_failed,
            streams=streams,
            progress=shown,
        )
    failed = done.verdict.status is Status.FAILED
    code = ExitCode.FAILED if failed else ExitCode.OK
    if as_json:
        emit_json(
            "evidence-kit/extract/1",
            code,
            {
                "verdict": verdict_json(done.verdict, words),
                "folder": str(done.folder) if done.folder else None,
                "files": list(done.files),
            },
        )
        return int(code)
    for name, sentence in verdict_lines(done.verdict, words):
        say(f"{name}: {sentence}" if name else sentence)
    if done.folder is None:
        note("nothing was written: the bundle failed; --even-if-failed takes files out anyway")
        return int(code)
    for name in done.files if files or streams else ():
        say(harmless(str(done.folder.joinpath(*name.split("/")))))
    if not files and not streams:
        say(f"{len(done.files)} files in {harmless(str(done.folder))}")
    return int(code)
