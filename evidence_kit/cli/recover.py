"""``evidence-kit recover`` and what it lists: captures that were stopped before their seal."""

from __future__ import annotations

from pathlib import Path

import click

from evidence_kit.cli.capture import tell
from evidence_kit.cli.options import json_option, key_options, output_option
from evidence_kit.cli.output import emit_json, progress, say
from evidence_kit.cli.settings import Settings, home
from evidence_kit.cli.signing import asker, open_key
from evidence_kit.core.errors import ExitCode
from evidence_kit.core.terminal_text import harmless

_STATES = {
    "running": "still running",
    "evidence": "can be recovered",
    "sealed": "sealed, only its end is missing",
    "empty": "nothing had come in",
}


@click.command(name="recover")
@click.argument("capture_id", metavar="[ID]", required=False)
@output_option("Another folder for the bundle than was asked for at first.")
@key_options
@json_option
def command(
    capture_id: str | None,
    output: Path | None,
    identity: str | None,
    passphrase_fd: int | None,
    as_json: bool,
) -> int:
    """Finish a capture that was stopped: seal what had come in.

    Without an ID the unfinished captures are listed. The bundle says that it was recovered, when,
    and what is missing.

    \b
    Examples:
      evidence-kit recover
      evidence-kit recover 20261123T100000Z-01020304
    """
    from evidence_kit.jobs.recover import recover, require_unfinished

    settings = Settings(home())
    if capture_id is None:
        return _list(settings.home, as_json=as_json)
    from evidence_kit.jobs.trust import load_anchors

    require_unfinished(settings.home, capture_id)  # before a passphrase is asked for
    ask = asker(passphrase_fd)
    signer = open_key(settings, identity, passphrase_fd, ask)
    anchors = load_anchors(settings.home)
    with progress(as_json=as_json) as shown:
        result = recover(
            capture_id,
            signer,
            anchors=anchors,
            home=settings.home,
            progress=shown,
            output=output,
            passphrase=ask,
        )
    return tell(result, as_json=as_json)


def _list(folder: Path, *, as_json: bool) -> int:
    from evidence_kit.core.clock import iso
    from evidence_kit.jobs.recover import list_unfinished

    found = list_unfinished(folder)
    if as_json:
        items = [
            {
                "id": item.id,
                "state": item.state,
                "url": item.url,
                "started": iso(item.started) if item.started else None,
            }
            for item in found
        ]
        emit_json("evidence-kit/unfinished/1", ExitCode.OK, {"captures": items})
    elif not found:
        say("no unfinished captures")
    else:
        for item in found:
            say(f"{item.id}  {_STATES[item.state]}  {harmless(item.url)}")
        say("evidence-kit recover ID seals what had come in; evidence-kit discard ID removes it")
        say("until then passwords and cookies of these captures lie unmasked in your own folder")
    return int(ExitCode.OK)
