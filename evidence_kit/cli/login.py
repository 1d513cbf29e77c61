"""``evidence-kit login``: a session or a token of a platform for captures, and who is logged in."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from evidence_kit.cli.options import descriptor_option, json_option, key_options
from evidence_kit.cli.output import emit_json, note, say
from evidence_kit.cli.settings import Settings, home, make_home
from evidence_kit.cli.signing import asker, now
from evidence_kit.core.errors import ExitCode
from evidence_kit.core.terminal_text import harmless

if TYPE_CHECKING:
    from evidence_kit.platforms.catalogue import Row
    from evidence_kit.seal.session_file import SessionHead

SCHEMA = "evidence-kit/login/1"


@click.command(name="login")
@click.argument("platform", required=False)
@click.option(
    "--account",
    default="",
    metavar="NAME",
    help="The account you log in with, as the platform shows it; stands in every bundle made so.",
)
@click.option(
    "--token", is_flag=True, help="Keep the platform's token in the keyring; opens no window."
)
@descriptor_option(
    "--token-fd",
    "Read the token from this file descriptor, a line for each value that is asked for.",
)
@key_options
@json_option
def command(
    platform: str | None,
    account: str,
    token: bool,
    token_fd: int | None,
    identity: str | None,
    passphrase_fd: int | None,
    as_json: bool,
) -> int:
    """Log in to a platform for captures, or list who is logged in.

    A window opens; log in there, then close it or press Enter here. The session is kept encrypted
    until 'logout', and a capture uses it only with --login: the platform then knows who looked.
    Use an account of your organisation, never anybody's own. PLATFORM is a name from
    'evidence-kit platforms', a host, or the address of a login page.

    \b
    Examples:
      evidence-kit login
      evidence-kit login linkedin --account "Gemeente X"
      evidence-kit login forum.example --account gemeente_x
      evidence-kit login youtube --token
    """
    settings = Settings(home())
    if platform is None:
        if token or token_fd is not None or account:
            raise click.UsageError("name the platform to log in to")
        return _list(settings, as_json=as_json)
    if token or token_fd is not None:
        if account:
            raise click.UsageError("--account cannot go with --token: a token says whose it is")
        return _token(platform, token_fd, as_json=as_json)
    if not account:
        raise click.UsageError("name the account you log in with: --account NAME")
    head = _window(settings, platform, account, identity, passphrase_fd)
    if as_json:
        emit_json(SCHEMA, ExitCode.OK, {"sessions": [_session(head)], "tokens": []})
        return int(ExitCode.OK)
    say(f"logged in to {harmless(head.name)} as {harmless(head.account)}")
    say(f"  kept     encrypted, {_key_words(head)}")
    say(f"  use      evidence-kit capture URL --login {harmless(head.name)}")
    say(f"  forget   evidence-kit logout {harmless(head.name)}")
    return int(ExitCode.OK)


def _window(
    settings: Settings,
    platform: str,
    account: str,
    identity: str | None,
    passphrase_fd: int | None,
) -> SessionHead:
    """Everything that can be refused is refused before the window opens."""
    import secrets

    from evidence_kit.gather.chromium import find_window_browser
    from evidence_kit.gather.driver import Driver
    from evidence_kit.jobs.login import login
    from evidence_kit.jobs.sessions import site_of

    site = site_of(platform)
    browser = find_window_browser(settings.text("browser"), os.environ)
    make_home(settings.home)
    name = settings.text("identity", identity)
    ask = asker(passphrase_fd)
    with Driver() as driver:
        return login(
            site,
            account,
            home=settings.home,
            browser=browser,
            driver=driver,
            done=_announced(site.name),
            clock=now,
            random=secrets.token_bytes,
            identity=name,
            passphrase=lambda: ask(name),
        )


def _announced(name: str) -> Callable[[], bool]:
    """Tell what to do once the window is about to open; Enter ends it where there is a terminal."""
    pressed = threading.Event()
    told = False

    def done() -> bool:
        nonlocal told
        if not told:
            told = True
            enter = sys.stdin.isatty()
            note(f"log in to {name} in the window, then close it" + " or press Enter" * enter)
            if enter:
                threading.Thread(target=_wait_for_enter, args=(pressed,), daemon=True).start()
        return pressed.is_set()

    return done


def _wait_for_enter(pressed: threading.Event) -> None:
    """Not through ``sys.stdin``: a thread that waits in there cannot be left at the end."""
    os.read(sys.stdin.fileno(), 1024)
    pressed.set()


def _token(platform: str, token_fd: int | None, *, as_json: bool) -> int:
    from evidence_kit.core.errors import InputError
    from evidence_kit.jobs.login import keep_tokens
    from evidence_kit.jobs.sessions import row_of

    row = row_of(platform)
    if row is None or not row.token:
        raise InputError(
            f"there is no token for {harmless(platform)}",
            hint="'evidence-kit platforms' names the tokens of each platform",
        )
    keep_tokens({name: _value(name, token_fd) for name in row.token})
    places = _places(row)
    if as_json:
        kept = {"platform": row.name, "tokens": places}
        emit_json(SCHEMA, ExitCode.OK, {"sessions": [], "tokens": [kept]})
        return int(ExitCode.OK)
    say(f"kept in the keyring: {', '.join(row.token)}")
    for name, place in places.items():
        if place == "environment":
            note(f"the environment variable {name} is set too, and goes first")
    return int(ExitCode.OK)


def _value(name: str, token_fd: int | None) -> str:
    from evidence_kit.cli.passphrase import line_from_descriptor
    from evidence_kit.core.errors import InputError
    from evidence_kit.gather.tokens import SECRETS

    if token_fd is not None:
        try:
            return line_from_descriptor(token_fd, "token").decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"the value of {name} is not text") from error
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("there is no terminal to ask on: use --token-fd N")
    value: str = click.prompt(name, hide_input=name in SECRETS, err=True)
    return value


def _list(settings: Settings, *, as_json: bool) -> int:
    from evidence_kit.jobs.sessions import sessions
    from evidence_kit.platforms.catalogue import ROWS

    heads = sessions(settings.home)
    tokens = [(row, _places(row)) for row in ROWS if row.token]
    held = [(row, places) for row, places in tokens if any(places.values())]
    if as_json:
        listed = [{"platform": row.name, "tokens": places} for row, places in held]
        emit_json(
            SCHEMA, ExitCode.OK, {"sessions": [_session(item) for item in heads], "tokens": listed}
        )
        return int(ExitCode.OK)
    if not heads and not held:
        say("nobody is logged in, and no token is set")
    for head in heads:
        stored = f"{head.stored:%Y-%m-%d %H:%M} UTC"
        say(f"{harmless(head.name)}: {harmless(head.account)}, since {stored}, {_key_words(head)}")
    for row, places in held:
        words = (f"{name} ({place})" for name, place in places.items() if place)
        say(f"{row.name}: token {', '.join(words)}")
    return int(ExitCode.OK)


def _places(row: Row) -> Mapping[str, str]:
    from evidence_kit.jobs.platforms import supported

    return next(item.tokens for item in supported() if item.row == row)


def _session(head: SessionHead) -> dict[str, Any]:
    from evidence_kit.core.clock import iso

    return {
        "name": head.name,
        "site": head.site,
        "account": head.account,
        "stored": iso(head.stored),
        "key": head.key,
        "identity": head.identity or None,
    }


def _key_words(head: SessionHead) -> str:
    if head.key == "keyring":
        return "key in the keyring"
    return f"under the passphrase of the identity {head.identity}"
