"""``evidence-kit trust``: whose signatures and time stamps are accepted on this machine."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evidence_kit.cli.options import json_option
from evidence_kit.cli.output import emit_json, note, say
from evidence_kit.cli.settings import home
from evidence_kit.core.clock import iso
from evidence_kit.core.errors import ExitCode, InputError
from evidence_kit.core.terminal_text import harmless

if TYPE_CHECKING:
    from evidence_kit.jobs.trust import Entry

SCHEMA = "evidence-kit/trust/1"


@click.group(name="trust")
def command() -> None:
    """Say whose signatures and time stamps you trust.

    Nothing is trusted before it is added here or named with a flag of verify. Compare the
    fingerprint with the owner first, over another way than the one the file came by.

    \b
    Examples:
      evidence-kit trust add gemeente.pem --by "J. Jansen, gemeente" --how "by telephone"
      evidence-kit trust add tsa-root.pem --tsa --by "the TSA's website" --how "https"
      evidence-kit trust list
      evidence-kit trust remove 3F2A91C0
    """


@command.command(name="add")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--tsa", is_flag=True, help="It is of a time-stamping authority, not of a signer.")
@click.option("--by", "vouched_by", required=True, help="Who said whose certificate this is.")
@click.option("--how", required=True, help="How the fingerprint was compared.")
@json_option
def add(file: Path, tsa: bool, vouched_by: str, how: str, as_json: bool) -> None:
    """Trust the one certificate in FILE (PEM or DER) from now on."""
    from evidence_kit.jobs.trust import add_trust, read_certificates

    found = read_certificates(file)
    if len(found) != 1:
        raise InputError(
            f"{file.name} holds {len(found)} certificates",
            hint="add them one by one, so that somebody vouches for each",
        )
    kind = "tsas" if tsa else "signers"
    entry = add_trust(home(), kind, found[0], vouched_by=vouched_by, how=how, now=datetime.now(UTC))
    _print([entry], as_json=as_json)
    if not as_json:
        note("trusted from now on; take it back with evidence-kit trust remove")


@command.command(name="list")
@json_option
def list_(as_json: bool) -> None:
    """List everything that is trusted, and on whose word."""
    from evidence_kit.jobs.trust import list_trust

    entries = list_trust(home())
    _print(entries, as_json=as_json)
    if not entries and not as_json:
        note("nothing is trusted yet")


@command.command(name="remove")
@click.argument("fingerprint")
@json_option
def remove(fingerprint: str, as_json: bool) -> None:
    """Stop trusting the certificate whose FINGERPRINT begins so (8 characters or more)."""
    from evidence_kit.jobs.trust import remove_trust

    entries = remove_trust(home(), fingerprint)
    _print(entries, as_json=as_json)
    if not as_json:
        note("not trusted any more")


def _print(entries: list[Entry], *, as_json: bool) -> None:
    if as_json:
        emit_json(SCHEMA, ExitCode.OK, {"trusted": [_as_json(entry) for entry in entries]})
        return
    from evidence_kit.jobs.identity import in_groups

    for entry in entries:
        kind = "time stamps" if entry.kind == "tsas" else "signatures"
        scope = "and those it vouches for" if entry.authority else "itself"
        say(f"{harmless(entry.info.name)}   ({kind}; {scope})")
        say(f"  fingerprint  {in_groups(entry.info.fingerprint)}")
        say(f"  valid        {iso(entry.info.not_before)} to {iso(entry.info.not_after)}")
        say(f"  vouched by   {harmless(entry.vouched_by)}; {harmless(entry.how)}")
        say(f"  added        {iso(entry.added)}")


def _as_json(entry: Entry) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "name": entry.info.name,
        "fingerprint": entry.info.fingerprint,
        "authority": entry.authority,
        "not_before": iso(entry.info.not_before),
        "not_after": iso(entry.info.not_after),
        "vouched_by": entry.vouched_by,
        "how": entry.how,
        "added": iso(entry.added),
    }
