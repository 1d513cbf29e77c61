"""Options that several commands share: each has one name, one form and one explanation."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from evidence_kit.core.words import LANGUAGES

_Command = TypeVar("_Command", bound=Callable[..., Any])

MAX_DESCRIPTOR = 255
"""The highest file descriptor that is read from; shells hand out far lower ones."""

_SYSTEM = os.name
_FILE = click.Path(dir_okay=False, path_type=Path)
_DESCRIPTOR = click.IntRange(0, MAX_DESCRIPTOR)


def together(*options: Callable[[Any], Any]) -> Callable[[_Command], _Command]:
    """Several options as one decorator, listed in this order by ``--help``."""

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def expanded(
    _context: click.Context, _parameter: click.Parameter, paths: Sequence[Path]
) -> tuple[Path, ...]:
    """The files that ``*`` and ``?`` stand for; the shells of Windows leave that to the program.

    What stands for no file stays as it is, and is told of as the file that is not there.
    """
    if _SYSTEM != "nt":
        return tuple(paths)
    found: list[Path] = []
    for path in paths:
        pattern = str(path).replace("[", "[[]")  # no pattern in these shells
        names = glob.glob(pattern) if glob.has_magic(str(path)) else []  # noqa: PTH207
        found += [Path(name) for name in sorted(names)] or [path]
    return tuple(found)


def output_option(text: str, *, required: bool = False) -> Callable[[_Command], _Command]:
    """``--output``: a folder; ``text`` says for what. The parameter is ``output``."""
    kind = click.Path(file_okay=False, path_type=Path)
    return click.option("--output", type=kind, required=required, help=text)


def descriptor_option(name: str, text: str) -> Callable[[_Command], _Command]:
    """A file descriptor that a secret is read from."""
    return click.option(name, type=_DESCRIPTOR, metavar="N", help=text)


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
"""The parameter is ``as_json``."""

lang_option = click.option(
    "--lang", type=click.Choice(LANGUAGES), help="Language of the verdict and its explanation."
)
"""The parameter is ``lang``, None for the setting."""

tsa_option = click.option(
    "--tsa",
    "tsas",
    multiple=True,
    metavar="URL",
    help="Time-stamping authority; repeat it for others that are tried when one fails.",
)
"""The parameter is ``tsas``, empty for the setting."""

trust_options = together(
    click.option(
        "--trust",
        "signers",
        multiple=True,
        type=_FILE,
        metavar="CERT",
        help="Trust this signer's certificate in this run; get it from outside the bundle.",
    ),
    click.option(
        "--tsa-trust",
        "tsas",
        multiple=True,
        type=_FILE,
        metavar="CERT",
        help="Trust this time-stamping authority's certificate in this run.",
    ),
)
"""The parameters are ``signers`` and ``tsas``: what is trusted beside the store."""


def receipt_option(text: str) -> Callable[[_Command], _Command]:
    """``--receipt``: one that was kept elsewhere. The parameter is ``receipt_file``."""
    return click.option("--receipt", "receipt_file", type=_FILE, metavar="FILE", help=text)


passphrase_option = descriptor_option(
    "--passphrase-fd",
    "Read the passphrase (or the PIN) of the key from this file descriptor, one line.",
)
"""The parameter is ``passphrase_fd``."""

key_options = together(
    click.option("--identity", help="Name of the identity that signs."), passphrase_option
)
"""The parameters are ``identity`` (None for the setting) and ``passphrase_fd``."""

identity_option = click.option(
    "--identity", help="Name on this machine; default: the setting 'identity'."
)
"""For commands about an identity itself; the parameter is ``identity``."""

new_key_options = together(
    click.option(
        "--organisation", required=True, help="Whose seal it is; stands in the certificate."
    ),
    click.option(
        "--name", "common_name", default="", help="Name of the seal; else the organisation."
    ),
    click.option("--staff-code", default="", help="Code of who holds the key; no name is needed."),
    click.option("--email", default="", help="Address for questions about the seal."),
    identity_option,
    click.option("--key", "kind", default="p256", help="Kind of key: p256, p384 or rsa3072."),
    passphrase_option,
)
"""What a new key and its certificate need; see ``jobs.identity.create_identity``."""

yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
"""The parameter is ``yes``; see :func:`evidence_kit.cli.output.confirm`."""
