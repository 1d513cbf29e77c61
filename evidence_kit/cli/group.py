"""A group of commands whose help says whole sentences, and which knows what was nearly typed."""

from __future__ import annotations

import click

WHOLE = 200
"""Characters of a command's first sentence in a list: more than any of ours has."""


class Group(click.Group):
    """What every group here is made of."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List each command with its whole first sentence; click cuts it at the line's end."""
        rows = []
        for name in self.list_commands(ctx):
            found = self.get_command(ctx, name)
            if found is not None and not found.hidden:
                rows.append((name, found.get_short_help_str(limit=WHOLE)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; a name that is not there is answered with those that look like it."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.list_commands(ctx))
            if not near:
                raise
            names = " or ".join(f"'{name}'" for name in near)
            raise click.UsageError(
                f"No such command '{args[0]}'; did you mean {names}?", ctx
            ) from error
