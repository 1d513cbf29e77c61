"""``evidence-kit discard``: remove what a stopped capture left."""

from __future__ import annotations

import click

from evidence_kit.cli.output import emit_json, say
from evidence_kit.cli.settings import Settings, home
from evidence_kit.core.errors import ExitCode


@click.command(name="discard")
@click.argument("capture_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; needs --yes.")
def command(capture_id: str, yes: bool, as_json: bool) -> int:
    """Remove what a stopped capture left; nothing of it can be sealed afterwards.

    \b
    Example:
      evidence-kit discard 20261123T100000Z-01020304
    """
    from evidence_kit.jobs.recover import discard

    if as_json and not yes:
        raise click.UsageError("--json needs --yes: there is nobody to ask")
    if not yes:
        click.confirm(f"Remove everything that {capture_id} had captured?", abort=True, err=True)
    discard(Settings(home()).home, capture_id)
    if as_json:
        emit_json("evidence-kit/discarded/1", ExitCode.OK, {"id": capture_id})
    else:
        say(f"removed {capture_id}")
    return int(ExitCode.OK)
