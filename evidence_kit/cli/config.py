"""``evidence-kit config``: settings and where they come from."""

from __future__ import annotations

import click

from evidence_kit.cli.group import Group
from evidence_kit.cli.options import json_option
from evidence_kit.cli.output import emit_json, note, say
from evidence_kit.cli.settings import KEYS, Settings, home, make_home, template
from evidence_kit.core.errors import ExitCode
from evidence_kit.core.terminal_text import harmless
from evidence_kit.core.write_once import write_bytes_once


@click.group(name="config", cls=Group)
def command() -> None:
    """Show the settings and where each one comes from.

    A flag on the command line wins over the environment (EVIDENCE_KIT_...), that over
    config.toml in the home folder, and that over the default.
    """


@command.command(name="show")
@json_option
def show(as_json: bool) -> None:
    """Print each setting, its value and its origin."""
    settings = Settings(home())
    if as_json:
        values = {
            name: {
                "value": list(found.value) if isinstance(found.value, tuple) else found.value,
                "origin": found.origin,
            }
            for name, found in settings.values.items()
        }
        emit_json(
            "evidence-kit/config/1",
            ExitCode.OK,
            {"home": str(settings.home), "settings": values},
        )
        return
    say(f"home = {harmless(str(settings.home))}")
    for key in KEYS:
        found = settings.values[key.name]
        shown = " ".join(found.value) if isinstance(found.value, tuple) else found.value
        say(f"{key.name} = {harmless(shown) or f'({key.empty})'}   [{harmless(found.origin)}]")


@command.command(name="path")
def path() -> None:
    """Print where config.toml is looked for."""
    say(str(Settings(home()).path))


@command.command(name="init")
def init() -> None:
    """Write a config.toml in which every setting is explained; never replaces one."""
    settings = Settings(home())
    make_home(settings.home)
    write_bytes_once(settings.path, template().encode("utf-8"))
    note(f"written: {settings.path}")
