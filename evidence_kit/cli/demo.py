"""``evidence-kit demo``: everything once, on example servers on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evidence_kit.cli.output import say

if TYPE_CHECKING:
    from evidence_kit.jobs.demo import Step


@click.command(name="demo")
@click.option(
    "--output",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    default=Path(),
    help="Make the demo's folder in this one.",
)
def command(output: Path) -> None:
    """See everything work once, on an example site on this machine.

    Starts a small social network and a time-stamping authority on this machine, makes a throw-away
    key, captures a post and verifies the bundle: untrusted, trusted, and with one bit changed.
    Nothing outside this machine is contacted. Everything it makes is marked DEMO.

    \b
    Example:
      evidence-kit demo
    """
    from evidence_kit.jobs.demo import run_demo

    count = 0

    def announce(step: Step) -> None:
        nonlocal count
        count += 1
        say(f"\n[{count}] {step.title}")
        say(f"$ {step.command_line}")
        if step.expected:
            say(f"  (must end with exit code {int(step.expected)}: {step.meaning})")
        sys.stdout.flush()

    say("evidence-kit DEMO: example servers, a throw-away key, no real evidence.")
    result = run_demo(output.resolve(), announce=announce)
    folder = result.folder
    say(f"\nAll steps ended as they should. Look in {folder}:")
    for what, path in (
        ("the sealed bundle", result.bundle),
        ("its receipt", result.receipt),
        ("what the page looked like", result.opened / "data" / "web" / "screenshot.png"),
        ("what the platform itself said", result.opened / "data" / "api"),
        ("how to check it by hand", result.opened / "README.txt"),
        ("the copy with one changed bit", result.changed),
    ):
        say(f"  {what:30} {path.relative_to(folder)}")
    say("\nThe bundle is an ordinary ZIP file: any unzip program opens it.")
