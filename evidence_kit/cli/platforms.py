"""``evidence-kit platforms``: what is supported, with and without a token."""

from __future__ import annotations

import click

from evidence_kit.cli.options import json_option
from evidence_kit.cli.output import emit_json, say
from evidence_kit.core.errors import ExitCode

SCHEMA = "evidence-kit/platforms/1"


@click.command(name="platforms")
@json_option
def command(as_json: bool) -> None:
    """Show which platforms are supported, and which tokens are set.

    A token is read from the environment variable of that name or from the system's keyring
    (service evidence-kit, the variable's name as user). Values are never shown, and nobody is
    contacted.

    \b
    Examples:
      evidence-kit platforms
      evidence-kit platforms --json
    """
    from evidence_kit.jobs.platforms import supported

    rows = supported()
    if as_json:
        listed = [
            {
                "name": item.row.name,
                "title": item.row.title,
                "without_token": item.row.without,
                "with_token": item.row.adds,
                "tokens": dict(item.tokens),
                "token_usable": item.usable,
            }
            for item in rows
        ]
        emit_json(SCHEMA, ExitCode.OK, {"platforms": listed})
        return
    say("Every page is captured as it is shown. Beside that, from the platform itself:")
    for item in rows:
        say()
        say(f"{item.row.title}: {item.row.without}")
        if item.row.token:
            named = " and ".join(
                f"{name} ({'set in the ' + place if place else 'not set'})"
                for name, place in item.tokens.items()
            )
            say(f"  with {named}: {item.row.adds}")
