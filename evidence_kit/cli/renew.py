"""``evidence-kit renew``: renew a bundle's time stamp before it runs out; no key needed."""

from __future__ import annotations

from pathlib import Path

import click

from evidence_kit.cli.options import json_option, tsa_option
from evidence_kit.cli.stamped import stamp_with
from evidence_kit.jobs.stamp_later import renew_bundle


@click.command(name="renew")
@click.argument("bundle", type=click.Path(path_type=Path))
@tsa_option
@json_option
def command(bundle: Path, tsas: tuple[str, ...], as_json: bool) -> int:
    """Renew a bundle's time stamp before it runs out; no key needed.

    The new stamp covers the sealed file and everything beside it. Do it before the date that
    verify shows as "renew before": a stamp made later proves the later time only.

    \b
    Example:
      evidence-kit renew FILE.asice --tsa https://freetsa.org/tsr
    """
    return stamp_with(renew_bundle, bundle, tsas, as_json=as_json)
