"""``evidence-kit identity request`` and ``import``: certificates that an authority gave."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from evidence_kit.cli.identity_print import SCHEMA, identity_json, print_identity
from evidence_kit.cli.options import (
    descriptor_option,
    expanded,
    identity_option,
    json_option,
    new_key_options,
    passphrase_option,
)
from evidence_kit.cli.output import emit_json, note, say
from evidence_kit.cli.settings import Settings, home
from evidence_kit.core.errors import ExitCode, InputError
from evidence_kit.core.terminal_text import harmless


@click.command(name="request")
@new_key_options
@json_option
def request(
    organisation: str,
    common_name: str,
    staff_code: str,
    email: str,
    identity: str | None,
    kind: str,
    passphrase_fd: int | None,
    as_json: bool,
) -> None:
    """Make a key and a request for a certificate (CSR) to send to an authority."""
    from evidence_kit.cli.passphrase import get_passphrase
    from evidence_kit.jobs.identity import require_new
    from evidence_kit.jobs.identity_import import request_identity

    settings = Settings(home())
    name = settings.text("identity", identity)
    require_new(settings.home, name)
    made = request_identity(
        settings.home,
        name,
        organisation=organisation,
        passphrase=get_passphrase(name, passphrase_fd, create=True),
        common_name=common_name,
        email=email,
        staff_code=staff_code,
        kind=kind,
    )
    if as_json:
        result = {"name": made.name, "file": str(made.path), "pem": made.pem.decode("ascii")}
        emit_json("evidence-kit/identity-request/1", ExitCode.OK, {"request": result})
        return
    say(made.pem.decode("ascii").rstrip("\n"))
    note(f"the same stands in {made.path}; send it to your authority")
    note("when the certificate comes: evidence-kit identity import CERTIFICATE.pem ISSUERS.pem")


@click.command(name="import")
@click.argument(
    "files", nargs=-1, type=click.Path(path_type=Path, dir_okay=False), callback=expanded
)
@identity_option
@click.option("--pkcs11", "uri", metavar="URI", help="The key stays in this smart card or HSM.")
@passphrase_option
@descriptor_option(
    "--file-passphrase-fd",
    "Read the passphrase of FILES from this file descriptor; default: the same one.",
)
@json_option
def import_(
    files: tuple[Path, ...],
    identity: str | None,
    uri: str | None,
    passphrase_fd: int | None,
    file_passphrase_fd: int | None,
    as_json: bool,
) -> None:
    """Use a key and certificate that you have, or a certificate that was requested.

    FILES are PKCS #12 or PEM: the key, its certificate and every issuer up to the top. Nothing is
    trusted by this: a verifier adds the authority with 'evidence-kit trust'.

    \b
    Examples:
      evidence-kit identity import seal.p12
      evidence-kit identity import certificate.pem issuers.pem
      evidence-kit identity import --pkcs11 'pkcs11:token=Zegel;object=seal' issuers.pem
    """
    from evidence_kit.cli.passphrase import get_passphrase
    from evidence_kit.jobs.identity import require_new
    from evidence_kit.jobs.identity_import import import_hardware, import_identity

    if not files and uri is None:
        raise InputError("nothing to import", hint="give files, or --pkcs11 with a URI")
    settings = Settings(home())
    name = settings.text("identity", identity)
    require_new(settings.home, name)
    now = datetime.now(UTC)
    secret = get_passphrase(name, passphrase_fd)
    if uri is not None:
        try:
            pin = secret.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError("the PIN is not UTF-8") from error
        made = import_hardware(settings.home, name, uri, files, pin=pin, now=now)
    else:
        given = secret
        if file_passphrase_fd is not None:
            given = get_passphrase(name, file_passphrase_fd)
        made = import_identity(
            settings.home, name, files, passphrase=secret, file_passphrase=given, now=now
        )
    if as_json:
        emit_json(SCHEMA, ExitCode.OK, {"identity": identity_json(made), "trusted": False})
        return
    print_identity(made)
    note(f"{harmless(made.name)} can sign; nothing is trusted by this (evidence-kit trust add)")
