"""What every command that signs something beside a bundle needs: key, trust and time stamps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

import click

from evidence_kit.cli.options import key_options, together, tsa_option
from evidence_kit.cli.settings import Settings, home

if TYPE_CHECKING:
    from evidence_kit.jobs.bundle import Stamper
    from evidence_kit.seal.anchors import TrustAnchors
    from evidence_kit.seal.signer import Signer

signing_options = together(
    key_options,
    tsa_option,
    click.option("--no-tsa", is_flag=True, help="No time stamp: only your own clock tells."),
)
"""The options that :func:`prepare` takes."""


@dataclass(frozen=True)
class Signing:
    """Ready to sign: settings, key, trust, and how to ask for a stamp (None for none)."""

    settings: Settings
    signer: Signer
    anchors: TrustAnchors
    stamper: Stamper | None


def now() -> datetime:
    """The clock of this computer, UTC."""
    return datetime.now(UTC)


def asker(passphrase_fd: int | None) -> Callable[[str], bytes]:
    """Asks for the passphrase of an identity, each once however often it is needed."""
    from evidence_kit.cli.passphrase import get_passphrase

    return cache(lambda name: get_passphrase(name, passphrase_fd))


def open_key(
    settings: Settings,
    identity: str | None,
    passphrase_fd: int | None,
    ask: Callable[[str], bytes] | None = None,
) -> Signer:
    """The key that signs; a passphrase is asked for only once it is known to be there.

    Args:
        settings: name the identity where ``identity`` is None.
        identity: its name.
        passphrase_fd: file descriptor to read from, None for the keyring and the terminal.
        ask: :func:`asker`, where the passphrase opens something else as well.

    Raises:
        KeyUnavailableError, InputError, ConfigError: as the parts do.
    """
    from evidence_kit.jobs.identity import load_identity

    name, asked = settings.text("identity", identity), ask or asker(passphrase_fd)
    return load_identity(settings.home, name, lambda: asked(name))


def prepare(
    identity: str | None, passphrase_fd: int | None, tsas: tuple[str, ...], *, no_tsa: bool
) -> Signing:
    """Open the key before anything else happens.

    Raises:
        UsageError: ``--tsa`` together with ``--no-tsa``.
        KeyUnavailableError, ConfigError, InputError: as the parts do.
    """
    from evidence_kit.gather.tsa_client import TsaClient
    from evidence_kit.gather.tsa_list import known_tsas
    from evidence_kit.jobs.stamping import stamper
    from evidence_kit.jobs.trust import load_anchors

    if no_tsa and tsas:
        raise click.UsageError("--no-tsa cannot go with --tsa")
    settings = Settings(home())
    signer = open_key(settings, identity, passphrase_fd)
    anchors = load_anchors(settings.home)
    ask = None
    if not no_tsa:
        names = settings.many("tsa", tsas) or tuple(known_tsas())
        ask = stamper(TsaClient(clock=now, anchors=anchors), names, now)
    return Signing(settings, signer, anchors, ask)
