"""``evidence-kit dossier``: what belongs to one case, kept together in a folder."""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evidence_kit.cli.group import Group
from evidence_kit.cli.options import (
    expanded,
    json_option,
    lang_option,
    output_option,
    trust_options,
)
from evidence_kit.cli.output import emit_json, note, progress, say, short
from evidence_kit.cli.settings import Settings, home
from evidence_kit.cli.signing import now, prepare, signing_options
from evidence_kit.core.clock import iso
from evidence_kit.core.errors import ExitCode
from evidence_kit.core.terminal_text import harmless
from evidence_kit.core.words import Words

if TYPE_CHECKING:
    from evidence_kit.jobs.dossier_file import DossierFile
    from evidence_kit.jobs.dossier_index import Row
    from evidence_kit.jobs.dossier_terms import Term

KINDS = ("screenshot", "mail", "chat", "download", "other")
"""As in the format; a test compares them."""

MAX_SHOWN = 60
"""Characters of a post in a list; the timeline and JSON have more."""

_OURS = frozenset({"captured", "supplied"})
"""Events whose time is this program's own; a platform's is shown as it was given."""

_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILES = click.Path(dir_okay=False, path_type=Path)


@click.group(name="dossier", cls=Group)
def command() -> None:
    """Keep together what belongs to one case: bundles, facts, terms.

    \b
    Examples:
      evidence-kit dossier new zaak-17 --title "Bedreiging afdeling B"
      evidence-kit dossier add zaak-17 FILE.asice --incident "bericht 20 november"
      evidence-kit dossier import zaak-17 mail.eml --kind mail --supplier "de medewerker" ...
      evidence-kit dossier check zaak-17
    """


def _words(lang: str | None) -> Words:
    return Words(Settings(home()).text("language", lang))


def _cut(text: str) -> str:
    """On one line, and marked where it goes on."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_SHOWN else line[:MAX_SHOWN].rstrip() + "…"


def _who() -> str:
    """The account on this computer; without one the numeric user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return str(os.getpid())


def _opened(folder: Path, what: str) -> DossierFile:
    """Read the facts and put the look on record before anything is shown."""
    from evidence_kit.jobs.dossier import log_access
    from evidence_kit.jobs.dossier_file import read_dossier

    dossier = read_dossier(folder)
    log_access(folder, when=now(), who=_who(), what=what)
    return dossier


def _rows(folder: Path, *, as_json: bool) -> list[Row]:
    from evidence_kit.jobs.dossier_index import list_bundles

    with progress(as_json=as_json) as shown:
        return list_bundles(folder, shown)


@command.command(name="new")
@click.argument("folder", type=_FOLDER)
@click.option("--title", required=True, help="A few words; no names of persons.")
@click.option("--case", default="", help="Your own number for the case.")
def new(folder: Path, title: str, case: str) -> int:
    """Make a folder for one case, with a file in which you write down the facts."""
    from evidence_kit.jobs.dossier import new_dossier

    new_dossier(folder, title=title, case=case, today=now().astimezone().date())
    say(f"made: {harmless(str(folder))}")
    say("  dossier.toml  the facts: fill in what is known, leave out what is not")
    say("  bundles/      captures")
    say("  supplied/     what somebody handed in")
    say("  out/          what you make for others")
    return int(ExitCode.OK)


@command.command(name="add")
@click.argument("folder", type=_FOLDER)
@click.argument("bundles", nargs=-1, required=True, type=_FILES, callback=expanded)
@click.option("--incident", default="", help="Which incident these belong to.")
@click.option("--victim", default="", help="Role of the person it is about; no name.")
@click.option("--account", default="", help="Label of the account it came from.")
def add(folder: Path, bundles: Sequence[Path], incident: str, victim: str, account: str) -> int:
    """Copy bundles into the dossier, with receipts and events, and name them in dossier.toml."""
    from evidence_kit.jobs.dossier import add_bundle

    _opened(folder, "add")
    for bundle in bundles:
        copy = add_bundle(folder, bundle, incident=incident, victim=victim, account=account)
        say(f"added: {harmless(copy.relative_to(folder).as_posix())}")
    return int(ExitCode.OK)


@command.command(name="import")
@click.argument("folder", type=_FOLDER)
@click.argument("files", nargs=-1, required=True, type=_FILES, callback=expanded)
@click.option("--kind", type=click.Choice(KINDS), required=True, help="What kind of thing it is.")
@click.option("--supplier", required=True, help="Who handed it in, as a role; no name.")
@click.option("--supplier-name", default="", help="Their name; kept in the part that is withheld.")
@click.option("--source", required=True, help="Where the supplier says to have it from.")
@click.option(
    "--received", type=click.DateTime(["%Y-%m-%d"]), help="Day it was handed in; default today."
)
@click.option("--reason", default="", help="Why it is kept; stands in the bundle.")
@click.option("--incident", default="", help="Which incident it belongs to.")
@click.option("--victim", default="", help="Role of the person it is about; no name.")
@click.option("--account", default="", help="Label of the account it came from.")
@click.option("--no-dns", is_flag=True, help="Do not fetch the keys of mails' signatures.")
@click.option(
    "--mail-key",
    type=_FILES,
    metavar="FILE",
    help="Keys that you have already: lines with DNS name, space, TXT record.",
)
@signing_options
@json_option
def import_(
    folder: Path,
    files: Sequence[Path],
    kind: str,
    supplier: str,
    supplier_name: str,
    source: str,
    received: datetime | None,
    reason: str,
    incident: str,
    victim: str,
    account: str,
    no_dns: bool,
    mail_key: Path | None,
    identity: str | None,
    passphrase_fd: int | None,
    tsas: tuple[str, ...],
    no_tsa: bool,
    as_json: bool,
) -> int:
    """Seal files that somebody handed in: "supplied, not captured".

    The files stay as they are, byte for byte. Of a mail (.eml) the signature of the platform's
    mail server is checked, with a key that is asked for once in DNS and kept in the bundle.
    """
    import secrets

    from evidence_kit.gather.dns_txt import lookup_txt
    from evidence_kit.jobs.dossier import note_item
    from evidence_kit.jobs.supplied import Supply, import_supplied, read_keys, require_files

    keys = read_keys(mail_key) if mail_key is not None else {}
    dossier = _opened(folder, "import")
    require_files(files)
    signing = prepare(identity, passphrase_fd, tsas, no_tsa=no_tsa)
    supply = Supply(
        files=tuple(files),
        kind=kind,
        supplier=supplier,
        source=source,
        received=received.date() if received else now().date(),
        supplier_name=supplier_name,
        reason=reason,
        case=dossier.text("dossier", "case"),
    )
    with progress(as_json=as_json) as shown:
        done = import_supplied(
            supply,
            signing.signer,
            output=folder / "supplied",
            home=signing.settings.home,
            clock=now,
            random=secrets.token_bytes(4),
            stamper=signing.stamper,
            lookup=None if no_dns else lookup_txt,
            keys=keys,
            progress=shown,
        )
    note_item(folder, done.sealed.path, incident=incident, victim=victim, account=account)
    stamped = done.sealed.stamp.token is not None
    code = ExitCode.OK if stamped or no_tsa else ExitCode.GAPS
    if as_json:
        result = {
            "bundle": str(done.sealed.path),
            "receipt": str(done.sealed.receipt_path),
            "sha256": done.sealed.receipt.sha256,
            "stamped": stamped,
            "dkim": list(done.dkim),
        }
        emit_json("evidence-kit/dossier-import/1", code, result)
        return int(code)
    say("sealed: supplied, not captured")
    say(f"  bundle   {short(done.sealed.path)}")
    say(f"  receipt  {short(done.sealed.receipt_path)}")
    say(f"  sha256   {done.sealed.receipt.sha256}")
    for one in done.dkim:
        why = f" ({harmless(one['why'])})" if one["why"] else ""
        say(f"  mail     signature of {harmless(one['domain'])}: {one['state']}{why}")
    if code is ExitCode.GAPS:
        note("no time stamp could be had: the time comes from this computer only")
    return int(code)


@command.command(name="list")
@click.argument("folder", type=_FOLDER)
@lang_option
@json_option
def list_(folder: Path, lang: str | None, as_json: bool) -> int:
    """List the bundles of the dossier with post, account and time."""
    from evidence_kit.core.verdict_words import readable

    words = _words(lang)
    _opened(folder, "list")
    rows = _rows(folder, as_json=as_json)
    if as_json:
        emit_json(
            "evidence-kit/dossier-list/1", ExitCode.OK, {"bundles": [vars(row) for row in rows]}
        )
        return int(ExitCode.OK)
    for row in rows:
        when = row.posted or readable(row.captured or "-")
        state = words.say("dossier", f"state-{row.state}")
        line = f"{when}  {row.author or row.kind or '-'}  [{state}]  {row.bundle}"
        say(harmless(f"{line}  {_cut(row.text)}".rstrip()))
    say(words.say("dossier", "nothing-verified"))
    return int(ExitCode.OK)


@command.command(name="timeline")
@click.argument("folder", type=_FOLDER)
@output_option("Also write tijdlijn.csv and patroon.svg here.")
@lang_option
@json_option
def timeline_(folder: Path, output: Path | None, lang: str | None, as_json: bool) -> int:
    """Show what happened when, and the pattern: nature, duration, frequency, intensity."""
    from evidence_kit.core.verdict_words import readable
    from evidence_kit.core.write_once import write_bytes_once
    from evidence_kit.jobs import dossier_timeline as times

    words = _words(lang)
    dossier = _opened(folder, "timeline")
    entries = times.timeline(dossier, _rows(folder, as_json=as_json))
    table = times.pattern_rows(times.patterns(entries), words)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True, mode=0o700)
        data = times.timeline_csv(entries, words)
        write_bytes_once(output / "tijdlijn.csv", data, private=True)
        picture = times.pattern_svg(entries, words)
        write_bytes_once(output / "patroon.svg", picture, private=True)
    if as_json:
        lines = [
            {
                **vars(one),
                "when": iso(one.when) if one.when else None,
                "day": one.day.isoformat() if one.day else None,
                "behaviours": list(one.behaviours),
            }
            for one in entries
        ]
        result = {"entries": lines, "pattern": table}
        emit_json("evidence-kit/dossier-timeline/1", ExitCode.OK, result)
        return int(ExitCode.OK)
    for one in entries:
        what = words.say("dossier", f"event-{one.what}")
        parts = (one.account, _cut(one.text), ", ".join(one.behaviours))
        about = "; ".join(part for part in parts if part) or one.incident or one.bundle
        say(
            harmless(
                f"{readable(one.shown) if one.what in _OURS else one.shown or '-'}  {what}  {about}"
            )
        )
    say()
    for row in table[1:]:
        for head, cell in zip(table[0], row, strict=True):
            say(harmless(f"  {head}: {cell}"))
        say()
    return int(ExitCode.OK)


@command.command(name="terms")
@click.argument("folder", type=_FOLDER)
@lang_option
@json_option
def terms(folder: Path, lang: str | None, as_json: bool) -> int:
    """Show the last day for a complaint, and articles that may be of importance. No advice."""
    from evidence_kit.jobs.dossier_terms import complaint_term, load_offences, offences_of

    words = _words(lang)
    dossier = _opened(folder, "terms")
    today = now().astimezone().date()
    known, filed = dossier.day("knowledge", "when"), dossier.day("complaint", "filed")
    term = complaint_term(known, today, filed)
    offences, data = offences_of(dossier), load_offences()
    if as_json:
        days = (term.known, term.last_day, term.filed)
        shown = [day.isoformat() if day else None for day in days]
        result = {
            "complaint": {
                "known": shown[0],
                "last_day": shown[1],
                "filed": shown[2],
                "days_left": term.days_left,
                "state": term.state,
            },
            "reference_date": data.reference_date.isoformat(),
            "source": data.source,
            "possibly_of_importance": [vars(one) for one in offences],
            "advice": words.say("dossier", "advice"),
        }
        emit_json("evidence-kit/dossier-terms/1", ExitCode.OK, result)
        return int(ExitCode.OK)
    say(_term_sentence(term, words))
    params = {"date": data.reference_date.isoformat(), "source": data.source}
    say(words.say("dossier", "offences-head", params))
    for one in offences:
        complaint = words.say("dossier", f"offence-complaint-{one.complaint}")
        say(f"  art. {one.article} Sr  {one.name} ({complaint})")
        say(f"      {one.elements}")
        if one.note:
            say(f"      {one.note}")
    if not offences:
        say(f"  {words.say('dossier', 'no-offences')}")
    say(words.say("dossier", "advice"))
    return int(ExitCode.OK)


def _term_sentence(term: Term, words: Words) -> str:
    key = "open" if term.state.startswith("warn-") else term.state
    params = {
        "last": term.last_day.isoformat() if term.last_day else "",
        "days": str(term.days_left),
        "filed": term.filed.isoformat() if term.filed else "",
    }
    return words.say("dossier", f"term-{key}", params)


@command.command(name="check")
@click.argument("folder", type=_FOLDER)
@trust_options
@lang_option
@json_option
def check(
    folder: Path,
    signers: tuple[Path, ...],
    tsas: tuple[Path, ...],
    lang: str | None,
    as_json: bool,
) -> int:
    """Verify every bundle, and say what is missing, due or not consistent.

    \b
    Exit codes: as 'evidence-kit verify' over all bundles; points of attention change nothing.
    """
    from evidence_kit.core.verdict import exit_code_of
    from evidence_kit.jobs.dossier import bundle_names, warnings
    from evidence_kit.jobs.trust import load_anchors
    from evidence_kit.jobs.verify import verify_many

    words = _words(lang)
    dossier = _opened(folder, "check")
    rows = _rows(folder, as_json=as_json)
    anchors = load_anchors(home(), signers, tsas)
    names = bundle_names(folder)
    paths = [folder / name for name in names]
    with progress(as_json=as_json) as shown:
        found = list(verify_many(paths, anchors=anchors, now=datetime.now(UTC), progress=shown))
    verdicts = dict(zip(names, found, strict=True))
    code = exit_code_of(found) if found else ExitCode.OK
    warned = warnings(dossier, rows, verdicts, now().astimezone().date())
    said = [words.say("dossier-warning", one.code, one.params) for one in warned]
    if as_json:
        result = {
            "bundles": [
                {"bundle": name, "status": verdict.status.value}
                for name, verdict in verdicts.items()
            ],
            "warnings": [
                {"code": one.code, "params": dict(one.params), "text": text}
                for one, text in zip(warned, said, strict=True)
            ],
        }
        emit_json("evidence-kit/dossier-check/1", code, result)
        return int(code)
    for name, verdict in verdicts.items():
        headline = words.say("state-name", verdict.states[0])
        say(harmless(f"{verdict.status.value}  {headline}  {name}"))
    told = [text for one, text in zip(warned, said, strict=True) if one.code != "empty-field"]
    empty = ", ".join(one.params["field"] for one in warned if one.code == "empty-field")
    if empty:  # one line, last: they must not hide a term that runs out
        told.append(words.say("dossier-warning", "empty-field", {"field": empty}))
    for text in told or [words.say("dossier", "no-warnings")]:
        say(harmless(f"- {text}"))
    return int(code)


@command.command(name="copy")
@click.argument("folder", type=_FOLDER)
@output_option("New folder for the copy.", required=True)
@lang_option
def copy(folder: Path, output: Path, lang: str | None) -> int:
    """Make a pseudonymised working copy, for example for HR: no names, no bundles.

    Read it before you give it away: a text can name a person in words that no program knows.
    """
    from evidence_kit.jobs.dossier_copy import working_copy

    dossier = _opened(folder, "copy")
    rows = _rows(folder, as_json=False)
    for path in working_copy(dossier, rows, output, _words(lang)):
        say(f"made: {harmless(str(path))}")
    return int(ExitCode.OK)
