"""``evidence-kit identity``: make and show the key that signs."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from evidence_kit.cli.group import Group
from evidence_kit.cli.identity_print import SCHEMA, identity_json, print_identity
from evidence_kit.cli.options import identity_option, json_option, new_key_options
from evidence_kit.cli.output import emit_json, note, say
from evidence_kit.cli.settings import Settings, home
from evidence_kit.core.errors import ExitCode
from evidence_kit.core.terminal_text import harmless

if TYPE_CHECKING:
    from evidence_kit.jobs.identity import Identity


class _Group(Group):
    """The commands here, and those of a module that is loaded when one of them is used."""

    _ELSEWHERE = {"request": "request", "import": "import_"}  # noqa: RUF012  (never changed)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *self._ELSEWHERE]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self._ELSEWHERE:
            from evidence_kit.cli import identity_import

            found: click.Command = getattr(identity_import, self._ELSEWHERE[cmd_name])
            return found
        return super().get_command(ctx, cmd_name)


@click.group(name="identity", cls=_Group)
def command() -> None:
    """Make and show the key that signs your bundles.

    \b
    Examples:
      evidence-kit identity create --organisation "Gemeente Voorbeeld"
      evidence-kit identity show
      evidence-kit identity show --pem > gemeente-voorbeeld.pem
      evidence-kit identity request --organisation "Gemeente Voorbeeld" > request.pem
      evidence-kit identity import seal.p12
    """


@command.command(name="create")
@new_key_options
@click.option("--years", type=int, help="Validity of the certificate; 5 by default.")
@click.option(
    "--trust/--no-trust",
    default=None,
    help="Trust your own bundles on this machine; asked on a terminal, else no.",
)
@json_option
def create(
    organisation: str,
    common_name: str,
    staff_code: str,
    email: str,
    identity: str | None,
    years: int | None,
    kind: str,
    trust: bool | None,
    passphrase_fd: int | None,
    as_json: bool,
) -> None:
    """Make a signing key with a certificate; an existing one is never replaced."""
    from evidence_kit.cli.passphrase import get_passphrase
    from evidence_kit.jobs.identity import DEFAULT_YEARS, create_identity, require_new

    settings = Settings(home())
    name = settings.text("identity", identity)
    require_new(settings.home, name)
    made = create_identity(
        settings.home,
        name,
        organisation=organisation,
        passphrase=get_passphrase(name, passphrase_fd, create=True),
        now=datetime.now(UTC),
        common_name=common_name,
        email=email,
        staff_code=staff_code,
        years=DEFAULT_YEARS if years is None else years,
        kind=kind,
    )
    if trust is None:
        trust = not as_json and sys.stdin.isatty() and _ask_trust()
    if trust:
        _trust_own(made)
    if as_json:
        emit_json(SCHEMA, ExitCode.OK, {"identity": identity_json(made), "trusted": trust})
        return
    print_identity(made)
    if trust:
        note("bundles of this identity are trusted on this machine (evidence-kit trust list)")
    else:
        note("trusted by nobody yet, nor on this machine (evidence-kit trust add)")
    note("keep the passphrase: without it this key cannot sign any more")


def _ask_trust() -> bool:
    return click.confirm("Trust bundles of this identity on this machine?", default=True, err=True)


def _trust_own(identity: Identity) -> None:
    from evidence_kit.jobs.trust import add_trust

    add_trust(
        home(),
        "signers",
        identity.info.certificate,
        vouched_by="own identity",
        how=f"made on this machine as {identity.name}",
        now=datetime.now(UTC),
    )


@command.command(name="show")
@identity_option
@click.option("--pem", is_flag=True, help="Print the certificate, to be given to others.")
@json_option
def show(identity: str | None, pem: bool, as_json: bool) -> None:
    """Show the certificate and its fingerprint, to be told by telephone."""
    from evidence_kit.jobs.identity import show_identity

    if pem and as_json:
        raise click.UsageError("choose one of --pem and --json")
    settings = Settings(home())
    found = show_identity(settings.home, settings.text("identity", identity))
    if as_json:
        emit_json(SCHEMA, ExitCode.OK, {"identity": identity_json(found)})
    elif pem:
        click.echo(found.pem.decode("ascii"), nl=False)
    else:
        print_identity(found)


@command.command(name="list")
@json_option
def list_(as_json: bool) -> None:
    """List the identities on this machine."""
    from evidence_kit.core.verdict_words import moment
    from evidence_kit.jobs.identity import list_identities

    found = list_identities(home())
    if as_json:
        emit_json(
            "evidence-kit/identities/1", ExitCode.OK, {"identities": [*map(identity_json, found)]}
        )
        return
    for one in found:
        say(f"{one.name}   {harmless(one.info.name)}   until {moment(one.info.not_after)}")
    if not found:
        note("there is no identity yet; make one with evidence-kit identity create")
