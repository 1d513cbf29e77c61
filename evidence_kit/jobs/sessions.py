"""Stored sessions of logged-in people: where they lie, who may open them, which site they are for.

A session lies in ``HOME/sessions/``, encrypted under a key of its own. The key lies in the system's
keyring; where there is none, it is derived from the passphrase of an identity. Keyrings hold little
(Windows: 2,560 bytes), so the session itself never goes there.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from evidence_kit.core.canonical_json import dumps, loads
from evidence_kit.core.clock import Clock
from evidence_kit.core.errors import InputError, KeyUnavailableError, LoginError, StorageError
from evidence_kit.core.when_free import when_free
from evidence_kit.core.write_once import private_folder, write_bytes_once
from evidence_kit.gather.addresses import ascii_name
from evidence_kit.gather.session_state import LoggedIn, SessionState, from_bytes, of_site
from evidence_kit.gather.tokens import ask_keyring, drop_from_keyring, keep_in_keyring
from evidence_kit.jobs.capture_types import Account, target_of
from evidence_kit.jobs.identity import KEY, load_identity, show_identity
from evidence_kit.platforms.catalogue import ROWS, Row
from evidence_kit.seal.session_file import (
    ID_BYTES,
    KEY_BYTES,
    NONCE_BYTES,
    SALT_BYTES,
    BadSessionError,
    SessionHead,
    open_session,
    passphrase_key,
    read_head,
    seal_session,
)
from evidence_kit.seal.standins import StandIns

FOLDER = "sessions"

MAX_FILE = 64 << 20
"""Bytes of a stored session; real ones are under 1 MiB."""

KEYRING, PASSPHRASE = "keyring", "passphrase"

_HOST = re.compile(
    r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?(?::[0-9]{1,5})?|\[[0-9a-f:.]+\](?::[0-9]{1,5})?"
)


@dataclass(frozen=True)
class Site:
    """Where a person logs in.

    Attributes:
        name: what the session is called: the platform's name, or the host.
        platform: of the catalogue; empty for any other site.
        url: page where the login begins.
    """

    name: str
    platform: str
    url: str


@dataclass(frozen=True)
class SessionKey:
    """The key of one session and how it is found again."""

    id: str
    kind: str
    key: bytes = field(repr=False)
    identity: str = ""
    salt: bytes = b""

    def forget(self) -> None:
        """Take it out of the keyring; one from a passphrase lies nowhere."""
        if self.kind == KEYRING:
            drop_from_keyring(_entry(self.id))


def row_of(name: str) -> Row | None:
    """The platform of this name."""
    return next((row for row in ROWS if row.name == name.lower()), None)


def site_of(text: str) -> Site:
    """What a user means by a platform's name, a host, or the address of a login page.

    Raises:
        InputError: a platform that is many sites or has no login here, or no address.
    """
    row = row_of(text)
    if row is not None:
        if not row.login:
            raise InputError(
                f"{row.title} has no login page of its own",
                hint="give the host of the site, as in: evidence-kit login forum.example",
            )
        return Site(row.name, row.name, row.login)
    try:
        given = urlsplit(text).netloc if "://" in text else text
    except ValueError:
        given = ""
    host, colon, port = given.lower().partition(":")
    name = ascii_name(host) + colon + port  # the form in which browsers and cookies have it
    if not _HOST.fullmatch(name):
        raise InputError(
            f"'{text}' is neither a platform nor a host",
            hint="'evidence-kit platforms' lists the platforms; a host is as in forum.example",
        )
    url = text if "://" in text else f"https://{name}/"
    if not given.isascii():
        url = url.replace(given, name, 1)
    target_of(url)
    return Site(name, "", url)


def keep_session(
    home: Path,
    site: Site,
    account: str,
    state: SessionState,
    key: SessionKey,
    *,
    clock: Clock,
    random: Callable[[int], bytes],
) -> SessionHead:
    """Write a session, encrypted; the one that was there under its name is forgotten.

    Raises:
        StorageError: it cannot be written.
    """
    head = SessionHead(
        id=key.id,
        name=site.name,
        platform=site.platform,
        site=site.url,
        account=account,
        stored=clock().replace(microsecond=0),
        key=key.kind,
        identity=key.identity,
        salt=key.salt,
        nonce=random(NONCE_BYTES),
    )
    data = seal_session(head, state.to_bytes(), key.key)
    path = _path(home, site.name)
    fresh = path.with_name(f"{path.name}.{key.id}")
    before = _head_at(path) if path.exists() else None
    try:
        private_folder(path.parent)
        write_bytes_once(fresh, data, private=True)
        when_free(lambda: fresh.replace(path))
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise StorageError(
            f"cannot keep the session: {(error.strerror or 'unknown error').lower()}",
            hint="check the space on the disk and the rights on EVIDENCE_KIT_HOME",
        ) from error
    if before is not None and before.key == KEYRING:
        drop_from_keyring(_entry(before.id))
    return head


def sessions(home: Path) -> list[SessionHead]:
    """What is kept, by name; what cannot be read as a session is left out."""
    folder = home / FOLDER
    found = [_head_at(path) for path in folder.glob("*.json")] if folder.is_dir() else []
    return sorted((head for head in found if head is not None), key=lambda head: head.name)


def find_session(home: Path, name: str, url: str) -> SessionHead:
    """The session of this name, before anybody is asked for a passphrase.

    Args:
        home: the user's folder.
        name: as ``--login`` names it.
        url: that is to be captured; the session must be this site's, since cookies set for another
            would tell that one who looks.

    Raises:
        InputError: there is none, it is another site's, or it would go over the network in plain.
    """
    site = site_of(name)
    head = _head_at(_path(home, site.name))
    if head is None:
        raise InputError(
            f"nobody is logged in to {site.name}",
            hint=f"log in first: evidence-kit login {site.name} --account NAME",
        )
    host, own = target_of(url)[0], urlsplit(head.site).hostname or ""
    if not of_site(host, own):
        raise InputError(
            f"the session of {site.name} is for {own.removeprefix('www.')}, not for {host}",
            hint="for a short link give the address that it leads to",
        )
    if _over_tls(head) and not url.lower().startswith("https:"):
        raise InputError(
            f"the session of {site.name} is not sent over plain http",
            hint="give the address with https://",
        )
    return head


def _over_tls(head: SessionHead) -> bool:
    return head.site.startswith("https:")


def account_of(head: SessionHead) -> Account:
    """What a capture record says of the session it used."""
    return Account(head.account, head.name, head.stored)


@dataclass(frozen=True)
class OpenSession:
    """A stored session that was opened, and the key that opened it."""

    head: SessionHead
    state: SessionState
    key: bytes = field(repr=False)


def load_session(
    home: Path, head: SessionHead, passphrase: Callable[[str], bytes], now: datetime
) -> OpenSession:
    """Open a stored session.

    Args:
        home: the user's folder.
        head: from :func:`find_session`.
        passphrase: asks for that of an identity; called only where the key is not in the keyring.
        now: cookies that ran out by then are left out.

    Returns:
        It, with cookies for TLS only where the login was over TLS: any page of the site could
        otherwise have the browser send them in plain.

    Raises:
        KeyUnavailableError: the keyring does not have the key, a wrong passphrase, a changed file.
        LoginError: it has run out.
    """
    key = _key_of(head, passphrase)
    hint = f"log in again: evidence-kit login {head.name} --account NAME"
    try:
        state = from_bytes(open_session(_path(home, head.name).read_bytes(), key))
    except (BadSessionError, ValueError, OSError) as error:
        raise KeyUnavailableError(
            f"the session of {head.name} cannot be opened: another key, or it was changed",
            hint=hint,
        ) from error
    live = state.live(now)
    if not live:
        raise LoginError(f"the session of {head.name} has run out", hint=hint)
    return OpenSession(head, live.tls_only() if _over_tls(head) else live, key)


def keep_secrets(
    path: Path, session: OpenSession, standins: StandIns, random: Callable[[int], bytes]
) -> None:
    """Keep what stands for what in a capture that may be killed, under the session's own key.

    Args:
        path: in the work folder; replaced where it is there.
        session: that the capture uses.
        standins: of its visit.
        random: gives that many random bytes.

    Raises:
        OSError: it cannot be written.
    """
    content = dumps([[item.hex() for item in pair] for pair in standins.made.items()])
    head = replace(session.head, nonce=random(NONCE_BYTES))
    part = path.with_suffix(".part")
    part.write_bytes(seal_session(head, content, session.key))
    when_free(lambda: part.replace(path))


def secrets_kept(path: Path, passphrase: Callable[[str], bytes]) -> LoggedIn | None:
    """The inverse of :func:`keep_secrets`: what a recovery must mask; None where nothing was kept.

    Raises:
        KeyUnavailableError: its key is gone, or it was changed.
    """
    if not path.exists():
        return None
    standins = StandIns(bytes)
    try:
        data = path.read_bytes()
        pairs = loads(open_session(data, _key_of(read_head(data), passphrase)))
        standins.restore({bytes.fromhex(a): bytes.fromhex(b) for a, b in pairs})
    except (BadSessionError, ValueError, TypeError) as error:
        raise KeyUnavailableError(
            "the secrets of the login that this capture used cannot be opened",
            hint="without them they cannot be masked; discard the capture and make it again",
        ) from error
    return LoggedIn(SessionState(), standins)


def drop_session(home: Path, name: str) -> bool:
    """Remove a session and its key; whether there was one.

    Raises:
        StorageError: the file cannot be removed.
    """
    path = _path(home, name)
    head = _head_at(path)
    if head is not None and head.key == KEYRING:
        drop_from_keyring(_entry(head.id))
    try:
        there = path.exists()
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot remove {path}: {error.strerror}") from error
    return there


def new_key(
    home: Path, identity: str, passphrase: Callable[[], bytes], random: Callable[[int], bytes]
) -> SessionKey:
    """A key in the keyring, or one from the passphrase, which must be the identity's."""
    ident, key = random(ID_BYTES).hex(), random(KEY_BYTES)
    if keep_in_keyring(_entry(ident), base64.b64encode(key).decode("ascii")):
        return SessionKey(ident, KEYRING, key)
    if not (show_identity(home, identity).folder / KEY).is_file():
        raise KeyUnavailableError(
            f"no keyring, and the key of {identity} is in hardware: a PIN protects no file",
            hint="use the system's keyring, or --identity with one that has a passphrase",
        )
    secret = passphrase()
    load_identity(home, identity, secret)  # a mistyped one would lock the session for good
    salt = random(SALT_BYTES)
    return SessionKey(ident, PASSPHRASE, passphrase_key(secret, salt), identity, salt)


def _key_of(head: SessionHead, passphrase: Callable[[str], bytes]) -> bytes:
    if head.key == KEYRING:
        return _ring_key(head)
    return passphrase_key(passphrase(head.identity), head.salt)


def _ring_key(head: SessionHead) -> bytes:
    kept = ask_keyring(_entry(head.id))
    try:
        key = base64.b64decode(kept or "", validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyUnavailableError(
            f"the keyring does not give the key of the session of {head.name}",
            hint="unlock the keyring, or log in again",
        )
    return key


def _head_at(path: Path) -> SessionHead | None:
    try:
        if path.stat().st_size > MAX_FILE:
            return None
        return read_head(path.read_bytes())
    except (OSError, BadSessionError):
        return None


def _path(home: Path, name: str) -> Path:
    """The name's own characters where files may have them; ``session-`` keeps off device names."""
    plain = re.sub(r"[^a-z0-9._-]", "+", name)
    return home / FOLDER / f"session-{plain}.json"


def _entry(ident: str) -> str:
    """In the keyring; no identity and no variable can have a colon in its name."""
    return f"session:{ident}"
