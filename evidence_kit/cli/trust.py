"""``evidence-kit trust``: whose signatures and time stamps are accepted on this machine."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evidence_kit.cli.group import Group
from evidence_kit.cli.options import json_option
from evidence_kit.cli.output import emit_json, note, say
from evidence_kit.cli.settings import home
from evidence_kit.core.clock import iso
from evidence_kit.core.errors import ExitCode, InputError
from evidence_kit.core.terminal_text import harmless
from evidence_kit.core.verdict_words import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evidence_kit.jobs.trust import Entry
    from evidence_kit.jobs.trust_lists import ListEntry

SCHEMA = "evidence-kit/trust-result/1"

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(name="trust", cls=Group)
def command() -> None:
    """Say whose signatures and time stamps you trust.

    Nothing is trusted before it is added here or named with a flag of verify. Compare the
    fingerprint with the owner first, over another way than the one the file came by.

    \b
    Examples:
      evidence-kit trust add gemeente.pem --by "J. Jansen, gemeente" --how "by telephone"
      evidence-kit trust add tsa-root.pem --tsa --by "the TSA's website" --how "https"
      evidence-kit trust add --trusted-list NL.xml --operator tlso.pem --by "…" --how "…"
      evidence-kit trust list
      evidence-kit trust remove 3F2A91C0
    """


@command.command(name="add")
@click.argument("file", type=_FILE)
@click.option("--tsa", is_flag=True, help="It is of a time-stamping authority, not of a signer.")
@click.option(
    "--trusted-list",
    is_flag=True,
    help="FILE is a country's trusted list (XML): it says which time stamps are qualified.",
)
@click.option(
    "--operator",
    "operators",
    multiple=True,
    type=_FILE,
    metavar="CERT",
    help="With --trusted-list: certificate of who signs the list, or the list of lists.",
)
@click.option(
    "--lotl",
    type=_FILE,
    metavar="XML",
    help="With --trusted-list: the list of lists, which names who signs this one.",
)
@click.option("--by", "vouched_by", required=True, help="Who said whose certificate this is.")
@click.option("--how", required=True, help="How the fingerprint was compared.")
@json_option
def add(
    file: Path,
    tsa: bool,
    trusted_list: bool,
    operators: tuple[Path, ...],
    lotl: Path | None,
    vouched_by: str,
    how: str,
    as_json: bool,
) -> None:
    """Trust the one certificate in FILE (PEM or DER) from now on.

    With --trusted-list FILE is a list of qualified services instead. It makes nobody trusted.
    """
    from evidence_kit.jobs.trust import add_trust, add_trusted_list, read_certificates

    if trusted_list:
        if tsa or not operators:
            raise click.UsageError("--trusted-list goes with --operator, and not with --tsa")
        signers = [one for path in operators for one in read_certificates(path)]
        taken = add_trusted_list(
            home(),
            file,
            operators=signers,
            lotl=lotl,
            vouched_by=vouched_by,
            how=how,
            now=datetime.now(UTC),
        )
        _print([taken], as_json=as_json)
        if not as_json:
            note("verify now says which time stamps are qualified by this list")
        return
    if operators or lotl is not None:
        raise click.UsageError("--operator and --lotl go with --trusted-list")
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
    from evidence_kit.jobs.trust_lists import trusted_lists

    entries: list[Entry | ListEntry] = [*list_trust(home()), *trusted_lists(home())]
    _print(entries, as_json=as_json)
    if not entries and not as_json:
        note("nothing is trusted yet")


@command.command(name="remove")
@click.argument("fingerprint")
@json_option
def remove(fingerprint: str, as_json: bool) -> None:
    """Stop trusting the certificate whose FINGERPRINT begins so (8 characters or more).

    A trusted list goes by the SHA-256 of its file.
    """
    from evidence_kit.jobs.trust import remove_trust

    entries = remove_trust(home(), fingerprint)
    _print(entries, as_json=as_json)
    if not as_json:
        note("not trusted any more")


def _print(entries: Sequence[Entry | ListEntry], *, as_json: bool) -> None:
    from evidence_kit.jobs.trust_lists import ListEntry

    lists = [entry for entry in entries if isinstance(entry, ListEntry)]
    certificates = [entry for entry in entries if not isinstance(entry, ListEntry)]
    now = datetime.now(UTC)
    if as_json:
        members = {
            "trusted": [_as_json(entry) for entry in certificates],
            "lists": [_list_json(entry, now) for entry in lists],
        }
        emit_json(SCHEMA, ExitCode.OK, members)
        return
    _print_certificates(certificates)
    for one in lists:
        _print_list(one, now)


def _print_list(one: ListEntry, now: datetime) -> None:
    from evidence_kit.jobs.identity import in_groups

    content = one.content
    late = content.next_update is not None and content.next_update < now
    due = moment(content.next_update) if content.next_update else "none, the list was closed"
    by = " (named by the list of lists)" if one.lotl_sha256 else ""
    say(f"trusted list of {content.territory}, number {content.sequence}")
    say(f"  publisher    {harmless(content.operator)}")
    say(f"  issued       {moment(content.issued)}, {content.age(now)} d ago")
    say(f"  next one due {due}{': get the new one' if late else ''}")
    say(f"  services     {len(content.services)} qualified for time stamps")
    if one.unreadable:
        say(f"  unreadable   {one.unreadable} certificates of services")
    say(f"  SHA-256      {content.sha256}")
    say(f"  signed by    {harmless(one.signer_name)}{by}")
    say(f"  fingerprint  {in_groups(one.signed_by)}")
    say(f"  vouched by   {harmless(one.vouched_by)}; {harmless(one.how)}")
    say(f"  added        {moment(one.added)}")


def _list_json(one: ListEntry, now: datetime) -> dict[str, Any]:
    content = one.content
    return {
        "territory": content.territory,
        "operator": content.operator,
        "sequence": content.sequence,
        "issued": iso(content.issued),
        "next_update": iso(content.next_update) if content.next_update else None,
        "age_days": content.age(now),
        "services": len(content.services),
        "unreadable": one.unreadable,
        "sha256": content.sha256,
        "signed_by": one.signed_by,
        "signer_name": one.signer_name,
        "lotl_sha256": one.lotl_sha256 or None,
        "vouched_by": one.vouched_by,
        "how": one.how,
        "added": iso(one.added),
    }


def _print_certificates(entries: Sequence[Entry]) -> None:
    from evidence_kit.jobs.identity import in_groups

    for entry in entries:
        kind = "time stamps" if entry.kind == "tsas" else "signatures"
        scope = "and those it vouches for" if entry.authority else "itself"
        say(f"{harmless(entry.info.name)}   ({kind}; {scope})")
        say(f"  fingerprint  {in_groups(entry.info.fingerprint)}")
        say(f"  valid        {moment(entry.info.not_before)} to {moment(entry.info.not_after)}")
        say(f"  vouched by   {harmless(entry.vouched_by)}; {harmless(entry.how)}")
        say(f"  added        {moment(entry.added)}")


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
