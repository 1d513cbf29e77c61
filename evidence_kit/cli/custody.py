"""``evidence-kit custody``: who had a bundle, when, and what happened to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from evidence_kit.cli.group import Group
from evidence_kit.cli.options import (
    json_option,
    lang_option,
    receipt_option,
    together,
    trust_options,
    yes_option,
)
from evidence_kit.cli.output import confirm, emit_json, progress, say, short
from evidence_kit.cli.settings import Settings, home
from evidence_kit.cli.signing import now, prepare, signing_options
from evidence_kit.core.errors import ExitCode
from evidence_kit.core.terminal_text import harmless

if TYPE_CHECKING:
    from evidence_kit.jobs.custody import Added
    from evidence_kit.seal.custody import EventDetails

KINDS = ("viewed", "copied", "exported", "handed-over", "received", "verified", "note", "destroyed")
"""As in the format; repeated here so that help needs no cryptography. A test compares them."""

_BUNDLE = click.Path(path_type=Path)
_detail_options = together(
    click.option("--reason", default="", help="Why, or what you note."),
    click.option("--recipient", default="", help="Organisation or office it goes to or came from."),
    click.option("--service-number", default="", help="Service number of who receives it."),
    click.option("--pv-number", default="", help="Number of the police report."),
    click.option("--medium", default="", help="How it went, for example: USB stick, by hand."),
)


@click.group(name="custody", cls=Group)
def command() -> None:
    """Record who had a bundle, and show that chain.

    \b
    Examples:
      evidence-kit custody add viewed FILE.asice --reason "voor de aangifte"
      evidence-kit custody add handed-over FILE.asice --recipient "Politie Utrecht" --medium USB
      evidence-kit custody log FILE.asice
    """


@command.command(name="add")
@click.argument("event", type=click.Choice(KINDS[:-1]), metavar="EVENT")
@click.argument("bundle", type=_BUNDLE)
@_detail_options
@signing_options
@json_option
def add(
    event: str,
    bundle: Path,
    reason: str,
    recipient: str,
    service_number: str,
    pv_number: str,
    medium: str,
    identity: str | None,
    passphrase_fd: int | None,
    tsas: tuple[str, ...],
    no_tsa: bool,
    as_json: bool,
) -> int:
    """Record one event beside a bundle; the bundle itself does not change.

    EVENT is viewed, copied, exported, handed-over, received, verified or note. You sign with your
    own identity, also when somebody else made the bundle. Exit code 3 when no time stamp could be
    had though one was asked for.
    """
    from evidence_kit.jobs.custody import add_event
    from evidence_kit.seal.container_read import require_readable
    from evidence_kit.seal.custody import EventDetails

    require_readable(bundle)
    signing = prepare(identity, passphrase_fd, tsas, no_tsa=no_tsa)
    details = EventDetails(reason, recipient, service_number, pv_number, medium)
    with progress(as_json=as_json) as shown:
        added = add_event(
            bundle,
            event,
            details,
            signing.signer,
            anchors=signing.anchors,
            clock=now,
            stamper=signing.stamper,
            receipts=signing.settings.home / "receipts",
            progress=shown,
        )
    return _tell(added, as_json=as_json, asked=signing.stamper is not None)


@command.command(name="destroy")
@click.argument("bundle", type=_BUNDLE)
@yes_option
@_detail_options
@signing_options
@json_option
def destroy_(
    bundle: Path,
    yes: bool,
    reason: str,
    recipient: str,
    service_number: str,
    pv_number: str,
    medium: str,
    identity: str | None,
    passphrase_fd: int | None,
    tsas: tuple[str, ...],
    no_tsa: bool,
    as_json: bool,
) -> int:
    """Remove a bundle and leave a signed record without its content.

    The record holds name, hash values, time, reason and who. Copies elsewhere, backups and what
    a disk keeps of removed files are not reached.
    """
    from evidence_kit.core.errors import InputError
    from evidence_kit.jobs.custody import destroy
    from evidence_kit.jobs.dossier import refuse_if_held
    from evidence_kit.seal.container_read import require_readable
    from evidence_kit.seal.custody import EventDetails

    if not reason.strip():
        raise InputError("no reason for the destruction", hint="say why with --reason")
    refuse_if_held(bundle)
    details: EventDetails = EventDetails(reason, recipient, service_number, pv_number, medium)
    require_readable(bundle)
    confirm(f"Remove {harmless(bundle.name)} for good?", yes=yes, as_json=as_json)
    signing = prepare(identity, passphrase_fd, tsas, no_tsa=no_tsa)
    with progress(as_json=as_json) as shown:
        added = destroy(
            bundle,
            details,
            signing.signer,
            anchors=signing.anchors,
            clock=now,
            stamper=signing.stamper,
            receipts=signing.settings.home / "receipts",
            progress=shown,
        )
    return _tell(added, as_json=as_json, asked=signing.stamper is not None)


def _tell(added: Added, *, as_json: bool, asked: bool) -> int:
    code = ExitCode.GAPS if asked and added.stamp.token is None else ExitCode.OK
    mark = added.receipt.custody
    if as_json:
        result = {
            "event": added.event.event,
            "number": added.event.number,
            "file": str(added.path),
            "receipt": str(added.receipt_path),
            "bundle_sha256": added.event.sha256,
            "bundle_sha512": added.event.sha512,
            "event_sha512": mark.sha512 if mark else None,
            "integrity": added.event.integrity,
            "stamped": added.stamp.token is not None,
        }
        emit_json("evidence-kit/custody-added/1", code, result)
        return int(code)
    say(f"recorded: {added.event.event} (number {added.event.number})")
    say(f"  file       {harmless(str(added.path))}")
    say(f"  receipt    {short(added.receipt_path)}")
    say(f"  sha256     {added.event.sha256}  (sealed file)")
    say(f"  sha512     {mark.sha512 if mark else '-'}  (this event)")
    say(f"  integrity  {added.event.integrity}")
    if code is ExitCode.GAPS:
        say("  no time stamp could be had: the time comes from this computer only")
    say("Keep the receipt somewhere else: it shows later that no event was cut off.")
    return int(code)


@command.command(name="log")
@click.argument("bundle", type=_BUNDLE)
@trust_options
@receipt_option("Compare with the receipt of an event that was kept elsewhere.")
@lang_option
@json_option
def log(
    bundle: Path,
    signers: tuple[Path, ...],
    tsas: tuple[Path, ...],
    receipt_file: Path | None,
    lang: str | None,
    as_json: bool,
) -> int:
    """Show the chain of events beside a bundle, with branches and gaps. Works offline.

    The verdict is that of the chain alone; 'evidence-kit verify' judges the bundle. A bundle
    that was destroyed can still be asked for.

    \b
    Exit codes: 0 PASSED, 10 FAILED, 11 INDETERMINATE (for example: a signer you do not know).
    """
    from evidence_kit.core.receipt import load_receipt
    from evidence_kit.core.words import Words
    from evidence_kit.jobs.custody_log import chain_json, chain_lines, read_log
    from evidence_kit.jobs.trust import load_anchors

    settings = Settings(home())
    words = Words(settings.text("language", lang))
    anchors = load_anchors(settings.home, signers, tsas)
    receipt = load_receipt(receipt_file) if receipt_file is not None else None
    found = read_log(bundle, anchors=anchors, now=now(), receipt=receipt)
    if as_json:
        result = chain_json(found, words)
        emit_json("evidence-kit/custody-log/1", found.exit_code, result)
    else:
        for line in chain_lines(found, words):
            say(line)
    return int(found.exit_code)
