"""Where the passphrase of a key comes from: a file descriptor, the keyring, or the terminal."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys

import click

from evidence_kit.core.errors import InputError, KeyUnavailableError

KEYRING_SERVICE = "evidence-kit"
"""The service under which the system's keyring is asked; the identity's name is the user."""

MAX_PASSPHRASE = 1024
"""Bytes of one line; OpenSSL reads no more either."""

_EXAMPLES = (
    "evidence-kit ... --{}-fd 3 3<FILE",
    "Get-Content FILE | evidence-kit ... --{}-fd 0",  # PowerShell opens no descriptor but 0 to 2
)
_SYSTEM = os.name

_HINT = "use --passphrase-fd N, the system's keyring, or a terminal"


def get_passphrase(identity: str, fd: int | None, *, create: bool = False) -> bytes:
    """The passphrase of an identity, asked for before anything else is done.

    Args:
        identity: its name.
        fd: number of an open file descriptor whose first line is the passphrase; None to look
            in the keyring, then to ask on the terminal.
        create: it is a new one: asked twice.

    Raises:
        KeyUnavailableError: there is no way to get one.
        InputError: twice, but not the same.
    """
    if fd is not None:
        return line_from_descriptor(fd, "passphrase")
    stored = _from_keyring(identity)
    if stored:
        return stored.encode("utf-8")
    return _from_terminal(identity, create=create)


def line_from_descriptor(fd: int, what: str) -> bytes:
    """One line, read byte by byte: what follows belongs to somebody else.

    Args:
        fd: number of an open file descriptor.
        what: is read, for the message.

    Raises:
        KeyUnavailableError: there is none, or it is empty or too long.
    """
    line = b""
    try:
        while len(line) <= MAX_PASSPHRASE:
            byte = os.read(fd, 1)
            if byte in (b"", b"\n"):
                break
            line += byte
    except OSError as error:
        raise KeyUnavailableError(
            f"no {what} could be read from file descriptor {fd}",
            hint=f"open it in the shell, for example: {_EXAMPLES[_SYSTEM == 'nt'].format(what)}",
        ) from error
    line = line.removeprefix(codecs.BOM_UTF8).removesuffix(b"\r")  # as PowerShell pipes a line
    if not line or len(line) > MAX_PASSPHRASE:
        raise KeyUnavailableError(
            f"no {what} of 1 to {MAX_PASSPHRASE} bytes on file descriptor {fd}",
            hint="it is a line of its own",
        )
    return line


def _from_keyring(identity: str) -> str | None:
    """None where the system has no keyring, or a locked one: then the terminal is asked."""
    import keyring
    from keyring.errors import KeyringError

    with contextlib.suppress(KeyringError, OSError):
        return keyring.get_password(KEYRING_SERVICE, identity)
    return None


def _from_terminal(identity: str, *, create: bool) -> bytes:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise KeyUnavailableError(f"no passphrase for the identity {identity}", hint=_HINT)
    words = "Passphrase of the new identity" if create else "Passphrase of the identity"
    first = _ask(f"{words} {identity}")
    if create and _ask("The same once more") != first:
        raise InputError("the two passphrases differ", hint="try again")
    if not first:
        raise KeyUnavailableError("an empty passphrase", hint=_HINT)
    return first.encode("utf-8")


def _ask(prompt: str) -> str:
    value: str = click.prompt(prompt, hide_input=True, default="", show_default=False, err=True)
    return value
