"""``evidence-kit discard``: remove what a stopped capture left."""

from __future__ import annotations

import click

from evidence_kit.cli.options import json_option, yes_option
from evidence_kit.cli.output import confirm, emit_json, say
from evidence_kit.cli.settings import Settings, home
from evidence_kit.core.errors import ExitCode


@click.command(name="discard")
@click.argument("capture_id", metavar="ID")
@yes_option
@json_option
def command(capture_id: str, yes: bool, as_json: bool) -> int:
    """Remove what a stopped capture left; nothing of it can be sealed afterwards.

    \b
    Example:
      evidence-kit discard 20261123T100000Z-01020304
    """
    from evidence_kit.jobs.recover import discard, require_unfinished

    folder = Settings(home()).home
    require_unfinished(folder, capture_id)
    confirm(f"Remove everything that {capture_id} had captured?", yes=yes, as_json=as_json)
    discard(folder, capture_id)
    if as_json:
        emit_json("evidence-kit/discarded/1", ExitCode.OK, {"id": capture_id})
    else:
        say(f"removed {capture_id}")
    return int(ExitCode.OK)
