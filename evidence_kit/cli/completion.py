"""``evidence-kit completion``: the shell's completion script."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from evidence_kit.cli.output import say


@click.command(name="completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that completes commands in your shell.

    \b
    Example:
      evidence-kit completion bash > ~/.local/share/bash-completion/completions/evidence-kit
    """
    from evidence_kit.cli.main import cli

    kind = get_completion_class(shell)
    if kind is None:  # click knows these three; a newer click might not
        raise click.UsageError(f"no completion for {shell}")
    say(kind(cli, {}, "evidence-kit", "_EVIDENCE_KIT_COMPLETE").source())
