"""Log in once and be remembered; log out and be forgotten: sessions and tokens of platforms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evidence_kit.core.clock import Clock
from evidence_kit.core.errors import InputError, LoginError, StorageError
from evidence_kit.gather.tokens import drop_from_keyring, keep_in_keyring
from evidence_kit.jobs.sessions import (
    Site,
    drop_session,
    keep_session,
    new_key,
    row_of,
    site_of,
)
from evidence_kit.seal.session_file import SessionHead

if TYPE_CHECKING:
    from evidence_kit.gather.chromium import BrowserFound
    from evidence_kit.gather.driver import Driver

MAX_ACCOUNT = 200
"""Characters of an account's name; it stands in every bundle made with it."""

MAX_TOKEN = 2_000
"""Characters of a token: what Windows' keyring holds; real ones are under 500."""


@dataclass(frozen=True)
class Forgotten:
    """What a logout removed: the session, and variables whose token was in the keyring."""

    session: bool
    tokens: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether there was anything."""
        return self.session or bool(self.tokens)


def checked_account(account: str) -> str:
    """The account's name as it will stand in bundles.

    Raises:
        InputError: empty, too long, or with control characters.
    """
    name = account.strip()
    if not name or len(name) > MAX_ACCOUNT or not name.isprintable():
        raise InputError(
            f"the account's name needs 1 to {MAX_ACCOUNT} printable characters",
            hint="as the platform shows it, for example --account @gemeente_x",
        )
    return name


def login(
    site: Site,
    account: str,
    *,
    home: Path,
    browser: BrowserFound,
    driver: Driver,
    done: Callable[[], bool],
    clock: Clock,
    random: Callable[[int], bytes],
    identity: str,
    passphrase: Callable[[], bytes],
) -> SessionHead:
    """Let a person log in in a window, and keep the session; one from before is replaced.

    Args:
        site: where.
        account: as that person states it; see :func:`checked_account`.
        home: the user's folder.
        browser: one that can open a window.
        driver: started or starting.
        done: asked often; whether the person says to be logged in.
        clock: for the time that is kept with it.
        random: gives that many random bytes.
        identity: whose passphrase protects it where there is no keyring.
        passphrase: asks for that; called before the window opens, and only where it is needed.

    Raises:
        KeyUnavailableError: no keyring and no passphrase that opens the identity.
        BrowserError: no window, or it stayed open too long.
        LoginError: the site set nothing.
        StorageError: it cannot be written.
    """
    from evidence_kit.gather.login_window import log_in  # loads the browser's driver

    account = checked_account(account)
    key = new_key(home, identity, passphrase, random)
    try:
        state = log_in(browser, site.url, driver=driver, done=done)
        if not state.live(clock()):
            raise LoginError(
                "the site had set no cookie and stored nothing when the window was closed",
                hint="log in, wait until the site shows that you are, then close the window",
            )
        return keep_session(home, site, account, state, key, clock=clock, random=random)
    except BaseException:
        key.forget()
        raise


def keep_tokens(values: Mapping[str, str]) -> None:
    """Put tokens into the keyring, where captures look them up.

    Args:
        values: by the name of their variable.

    Raises:
        InputError: one is empty or too long.
        StorageError: there is no keyring that keeps them; none was kept.
    """
    clean = {name: value.strip() for name, value in values.items()}
    for name, value in clean.items():
        if not value or len(value) > MAX_TOKEN or not value.isprintable():
            raise InputError(f"no usable value for {name}", hint=f"1 to {MAX_TOKEN} characters")
    kept: list[str] = []
    for name, value in clean.items():
        if not keep_in_keyring(name, value):
            for other in kept:
                drop_from_keyring(other)
            raise StorageError(
                "this system has no keyring that keeps a token",
                hint=f"set the environment variable {name} for the captures that need it",
            )
        kept.append(name)


def forget(home: Path, text: str) -> Forgotten:
    """Remove the session and the tokens of a platform or site from this machine.

    Tokens that several platforms share go as well.

    Raises:
        InputError: no platform and no host.
        StorageError: the session's file cannot be removed.
    """
    row = row_of(text)
    name = row.name if row is not None else site_of(text).name
    held = row.token if row is not None else ()
    return Forgotten(
        drop_session(home, name), tuple(item for item in held if drop_from_keyring(item))
    )
