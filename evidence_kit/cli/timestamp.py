"""``evidence-kit timestamp``: add a time stamp to a sealed bundle; no key needed."""

from __future__ import annotations

from pathlib import Path

import click

from evidence_kit.cli.options import json_option, tsa_option
from evidence_kit.cli.stamped import stamp_with
from evidence_kit.jobs.stamp_later import stamp_bundle


@click.command(name="timestamp")
@click.argument("bundle", type=click.Path(path_type=Path))
@tsa_option
@json_option
def command(bundle: Path, tsas: tuple[str, ...], as_json: bool) -> int:
    """Add a time stamp to a sealed bundle; no key needed.

    The stamp is kept beside the bundle; the sealed file stays as it is. Use it for a bundle that
    was sealed without time stamp, or to have a second authority confirm it.

    \b
    Example:
      evidence-kit timestamp FILE.asice
    """
    return stamp_with(stamp_bundle, bundle, tsas, as_json=as_json)
