"""What every command prints with: results on stdout, progress and notes on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evidence_kit.core.canonical_json import dumps
from evidence_kit.core.errors import ExitCode
from evidence_kit.core.events import Progress, Silent
from evidence_kit.core.terminal_text import harmless, harmless_json, storable

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


def emit_json(schema: str, exit_code: ExitCode, result: Mapping[str, Any]) -> None:
    """The one JSON object of a ``--json`` run: ``schema``, ``exit_code`` and the result's keys."""
    document = {"schema": schema, "exit_code": int(exit_code), **result}
    click.echo(harmless_json(dumps(storable(document)).decode("utf-8")), nl=False)


def emit_error(code: str, message: str, hint: str, exit_code: ExitCode) -> None:
    """The same for an error: ``error`` holds code, message and hint."""
    emit_json(
        "evidence-kit/error/1",
        exit_code,
        {"error": {"code": code, "message": message, "hint": hint}},
    )


def say(text: str = "") -> None:
    """A line of result on stdout. Captured text must go through ``harmless`` first."""
    click.echo(text)


def confirm(question: str, *, yes: bool, as_json: bool) -> None:
    """Go on only when the user says so: with ``--yes``, or by an answer on standard input.

    Raises:
        UsageError: there is nobody to ask.
        Abort: the answer is no.
    """
    if yes:
        return
    if as_json:
        raise click.UsageError("--json needs --yes: there is nobody to ask")
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort as stopped:
        # Not asked of isatty(): Windows calls its null device a terminal.
        if not isinstance(stopped.__context__, EOFError):
            raise
        click.echo(err=True)  # the question has no end of line
        raise click.UsageError("nobody answered; without a terminal --yes answers") from None
    if not agreed:
        raise click.Abort


def short(path: Path) -> str:
    """A path for a person: from the current folder where it is below it, and harmless."""
    with suppress(ValueError, OSError):  # elsewhere, or a current folder that is gone
        path = path.resolve().relative_to(Path.cwd())
    return harmless(str(path))


def note(text: str) -> None:
    """A remark on stderr: not a result, not an error."""
    click.echo(harmless(text), err=True)


@contextmanager
def progress(*, as_json: bool = False) -> Iterator[Progress]:
    """Progress on stderr: a moving line in a terminal, plain lines elsewhere, nothing with JSON."""
    if as_json:
        yield Silent()
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        with RichProgress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        ) as bar:
            yield _Moving(bar)
    else:
        yield _Plain()


class _Moving:
    """Steps as one line that moves."""

    def __init__(self, bar: RichProgress) -> None:
        self._bar = bar
        self._task: TaskID = bar.add_task("", total=None)

    def step(self, text: str) -> None:
        self._bar.reset(self._task, description=harmless(text), total=None)

    def advance(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total or None)


class _Plain:
    """Steps as lines, for logs and pipes."""

    def step(self, text: str) -> None:
        click.echo(f"- {harmless(text)}", err=True)

    def advance(self, done: int, total: int) -> None:
        """Too much for a log file."""
