"""``evidence-kit capture``: one page or post into one sealed bundle."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evidence_kit.cli.options import json_option, key_options, output_option, tsa_option
from evidence_kit.cli.output import emit_json, progress, say, short
from evidence_kit.cli.settings import Settings, home
from evidence_kit.cli.signing import asker, now, open_key
from evidence_kit.core.errors import ExitCode
from evidence_kit.core.terminal_text import harmless

if TYPE_CHECKING:
    from evidence_kit.jobs.capture import CaptureResult
    from evidence_kit.seal.session_file import SessionHead


RESULT_SCHEMA = "evidence-kit/capture-result/1"

NOT_THERE = {
    "http-error": "the site answered with an error",
    "login-wall": "the site asks for a login first (see --login)",
    "consent-wall": "the site asks for a choice about cookies first (see --consent)",
    "bot-block": "the site takes this browser for a machine",
    "geo-block": "the site shows it to visitors of other countries only",
    "wrong-post": "the site led to another page",
    "not-available": "the site says that it is not available",
    "empty": "the page is empty",
    "network-error": "the site could not be reached; a proxy or firewall can be the cause",
}
"""What a person is told of each state of the content check; a test compares them."""


@click.command(name="capture")
@click.argument("url")
@output_option("Folder for the bundle and its receipt.")
@tsa_option
@click.option("--second-tsa", metavar="URL", help="Authority that stamps the whole sealed file.")
@click.option("--no-tsa", is_flag=True, help="Seal without time stamp: only your own clock tells.")
@click.option(
    "--allow-private",
    is_flag=True,
    help="Allow the URL's own host and port to be on a private network; nothing else.",
)
@click.option(
    "--consent",
    type=click.Choice(["leave", "reject"]),
    default="leave",
    show_default=True,
    help="Consent banner: leave it alone, or refuse it after the first picture.",
)
@click.option(
    "--scroll/--no-scroll",
    default=True,
    help="Scroll down the post and its replies so that late pictures load (default: scroll).",
)
@click.option(
    "--browser-proxy",
    default="",
    metavar="PROXY",
    help="Let the browser itself speak to the proxy, past the guard: 'system', an address, or "
    "'pac+' and the address of a script.",
)
@click.option(
    "--media-tool",
    is_flag=True,
    help="Also let yt-dlp fetch the films, kept apart as a second source (evidence-kit[media]).",
)
@click.option(
    "--login",
    metavar="NAME",
    help="Use the session that 'evidence-kit login NAME' keeps; without this option nobody is "
    "logged in.",
)
@click.option("--reason", default="", help="Why you capture this; stands in the bundle.")
@click.option("--case", default="", help="Your number for the case; stands in the bundle.")
@key_options
@json_option
def command(
    url: str,
    output: Path | None,
    tsas: tuple[str, ...],
    second_tsa: str | None,
    no_tsa: bool,
    allow_private: bool,
    browser_proxy: str,
    consent: str,
    scroll: bool,
    media_tool: bool,
    login: str | None,
    reason: str,
    case: str,
    identity: str | None,
    passphrase_fd: int | None,
    as_json: bool,
) -> int:
    """Capture a page or post into one signed, time-stamped bundle.

    Capture first, then report the post to the platform: a takedown destroys the evidence.
    Suspected images of child abuse must not be stored: stop, and call the police.

    \b
    Examples:
      evidence-kit capture https://example.social/@name/123 --reason bedreiging --case 2026-017
      evidence-kit capture https://intranet.example/post/9 --allow-private --no-tsa
      evidence-kit capture https://www.linkedin.com/posts/... --login linkedin

    \b
    Exit codes: 0 complete, 3 sealed with gaps, 4 sealed but the post was not there,
    21 and 22 nothing was sealed. docs/exit-codes.md lists the rest.
    """
    from evidence_kit.gather.driver import Driver

    if no_tsa and (tsas or second_tsa):
        raise click.UsageError("--no-tsa cannot go with --tsa or --second-tsa")
    with Driver() as driver:  # starts by itself while everything else is loaded and asked for
        from evidence_kit.jobs.capture import CaptureRequest, capture, target_of
        from evidence_kit.jobs.trust import load_anchors

        settings = Settings(home())
        request = CaptureRequest(
            url=url,
            output=Path(settings.text("output", str(output) if output else None)),
            tsas=() if no_tsa else settings.many("tsa", tsas),
            second_tsa="" if no_tsa else settings.text("second_tsa", second_tsa),
            use_tsa=not no_tsa,
            allow_private=allow_private,
            browser_proxy=browser_proxy,
            consent=consent,
            scroll=scroll,
            media_tool=media_tool,
            reason=reason,
            case=case,
            contact=settings.text("contact"),
            ntp=settings.many("ntp"),
            browser=settings.text("browser"),
            command=("evidence-kit", *sys.argv[1:]),
        )
        target_of(url)
        head = _stored(settings.home, login, url) if login else None
        ask = asker(passphrase_fd)
        signer = open_key(settings, identity, passphrase_fd, ask)
        session = None
        if head is not None:
            from evidence_kit.jobs.sessions import account_of, load_session

            session = load_session(settings.home, head, ask, now())
            request = replace(request, account=account_of(head))
        anchors = load_anchors(settings.home)
        with progress(as_json=as_json) as shown:
            result = capture(
                request,
                signer,
                anchors=anchors,
                home=settings.home,
                progress=shown,
                driver=driver,
                session=session,
            )
    return tell(result, as_json=as_json)


def _stored(folder: Path, name: str, url: str) -> SessionHead:
    """The session that is asked for, before anybody is asked for a passphrase."""
    from evidence_kit.jobs.sessions import find_session

    return find_session(folder, name, url)


def tell(result: CaptureResult, *, as_json: bool) -> int:
    """Print a sealed capture, for a person or as JSON; the exit code."""
    if as_json:
        emit_json(RESULT_SCHEMA, result.exit_code, result.to_json())
    else:
        _print(result)
    return int(result.exit_code)


def _why_not_there(content: str) -> str:
    return f"{NOT_THERE.get(content, 'the post was not found')} ({content})"


def _print(result: CaptureResult) -> None:
    words = {
        ExitCode.OK: "complete: everything asked for is in the bundle",
        ExitCode.GAPS: "partial: sealed, but something is missing",
        ExitCode.NOT_THERE: f"not there: sealed, but {_why_not_there(result.content)}",
    }
    say(words[result.exit_code])
    say(f"  bundle   {short(result.bundle)}")
    say(f"  receipt  {short(result.receipt_path)}")
    say(f"  sha256   {result.sha256}")
    stamped = f"{result.stamped:%Y-%m-%d %H:%M:%S} UTC" if result.stamped else "no time stamp"
    say(f"  sealed   {stamped}")
    for item in result.missing:
        say(f"  missing  {harmless(item['what'])}: {harmless(item['why'])}")
    for item in result.warnings:
        say(f"  warning  {harmless(item['detail'])}")
    say("Keep the receipt somewhere else: it shows later whether the bundle is still the same.")
