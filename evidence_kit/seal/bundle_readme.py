"""README.txt of a bundle: what it is, what it does not prove, and how to check it by hand."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from evidence_kit.seal.bagit import one_line

SOURCE = "bundle-readme.txt"
COMMAND = "    $ "
"""Begins every line that a reader on Linux is told to run, and no other line."""


@dataclass(frozen=True)
class ReadmeParams:
    """What the text names; each value becomes one line without control characters.

    Attributes:
        name: of the bundle, without its ending.
        organisation: who seals it, as in the certificate.
        software: name and version of the program.
    """

    name: str
    organisation: str
    software: str


def bundle_readme(params: ReadmeParams) -> bytes:
    """The text, Dutch then English, in UTF-8; the commands in it are run by the tests."""
    text = (files("evidence_kit") / "text" / SOURCE).read_text("utf-8")
    for key in ("name", "organisation", "software"):
        text = text.replace(f"{{{key}}}", one_line(getattr(params, key)).replace("{", "("))
    return text.encode("utf-8")


def commands(readme: bytes) -> list[str]:
    """The lines to run, in order, as they are printed."""
    lines = readme.decode("utf-8").splitlines()
    return [line.removeprefix(COMMAND) for line in lines if line.startswith(COMMAND)]
