"""``evidence-kit logout``: what this machine kept of a login is gone."""

from __future__ import annotations

import os

import click

from evidence_kit.cli.options import json_option
from evidence_kit.cli.output import emit_json, note, say
from evidence_kit.cli.settings import Settings, home
from evidence_kit.core.errors import ExitCode, InputError
from evidence_kit.core.terminal_text import harmless

SCHEMA = "evidence-kit/logout/1"


@click.command(name="logout")
@click.argument("platform")
@json_option
def command(platform: str, as_json: bool) -> int:
    """Forget a platform's session and tokens on this machine.

    The platform is not told: to end the session there, log out on its own site, or end the session
    in the account's settings. Tokens in environment variables stay.

    \b
    Example:
      evidence-kit logout linkedin
    """
    from evidence_kit.jobs.login import forget
    from evidence_kit.jobs.sessions import row_of

    found = forget(Settings(home()).home, platform)
    row = row_of(platform)
    left = [name for name in (row.token if row else ()) if os.environ.get(name, "").strip()]
    if not found:
        raise InputError(
            f"nothing is kept of {harmless(platform)}",
            hint=f"set in the environment: {', '.join(left)}"
            if left
            else "'evidence-kit login' lists what is kept",
        )
    removed = [*(["session"] if found.session else []), *found.tokens]
    if as_json:
        emit_json(
            SCHEMA,
            ExitCode.OK,
            {"name": platform.lower(), "removed": removed, "environment": left},
        )
        return int(ExitCode.OK)
    say(f"removed: {', '.join(removed)}")
    if found.session:
        note("the platform still knows that session: log out there too, or end it in the settings")
    if left:
        note(f"still set in the environment: {', '.join(left)}")
    return int(ExitCode.OK)
