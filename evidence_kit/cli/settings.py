"""Settings: flag > environment (``EVIDENCE_KIT_*``) > ``config.toml`` > default."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from evidence_kit.core.errors import ConfigError, StorageError
from evidence_kit.core.user_text import without_mark
from evidence_kit.core.words import LANGUAGES
from evidence_kit.core.write_once import private_folder

HOME_VARIABLE = "EVIDENCE_KIT_HOME"
PREFIX = "EVIDENCE_KIT_"


@dataclass(frozen=True)
class Key:
    """One setting: its default, whether it is a list, what it means, and what nothing means."""

    name: str
    default: str | tuple[str, ...]
    meaning: str
    choices: tuple[str, ...] = ()
    empty: str = "none"

    @property
    def variable(self) -> str:
        """The environment variable; list values are separated by spaces there."""
        return PREFIX + self.name.upper()


KEYS = (
    Key("output", ".", "folder that new bundles are written to"),
    Key("identity", "default", "name of the identity that signs"),
    Key("language", "nl", "language of reports and verdicts", choices=LANGUAGES),
    Key(
        "tsa",
        (),
        "time-stamping authorities in the order they are tried; URLs or names; empty for those "
        "that the program knows",
        empty="those that the program knows",
    ),
    Key("second_tsa", "", "another authority that stamps the whole sealed file"),
    Key(
        "ntp",
        ("ntp.time.nl", "pool.ntp.org"),
        "time servers that the clock is compared with; empty for none",
    ),
    Key("browser", "", "path of the browser; empty to look for one", empty="looked for"),
    Key("contact", "", "e-mail address or telephone number that stands in the bundle"),
)


@dataclass(frozen=True)
class Value:
    """A setting's value and where it came from."""

    value: str | tuple[str, ...]
    origin: str


def home(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder with everything of this user; see ``docs/architecture.md``, Places."""
    given = environment.get(HOME_VARIABLE)
    if given:
        return Path(given).expanduser().absolute()
    import platformdirs

    return platformdirs.user_data_path("evidence-kit", appauthor=False)


def make_home(folder: Path) -> None:
    """Make the home folder, open to its owner only (on Windows the folder above decides).

    Raises:
        StorageError: it cannot be made.
    """
    try:
        private_folder(folder)
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise StorageError(
            f"cannot make the folder {folder}: {reason}", hint=f"set {HOME_VARIABLE} to another"
        ) from error


class Settings:
    """All settings of one run.

    Args:
        folder: the home folder, where ``config.toml`` may stand.
        environment: the process environment.

    Raises:
        ConfigError: on first use, for an unknown key or a value of the wrong form.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] = os.environ) -> None:
        self.home = folder
        self.path = folder / "config.toml"
        self._environment = environment

    @cached_property
    def values(self) -> dict[str, Value]:
        """Every key with its value and origin."""
        found = self._read_file()
        result = {}
        for key in KEYS:
            text = self._environment.get(key.variable)
            if text is not None:
                value: str | tuple[str, ...] = (
                    tuple(text.split()) if isinstance(key.default, tuple) else text
                )
                result[key.name] = Value(_checked(key, value, key.variable), key.variable)
            elif key.name in found:
                value = _from_toml(key, found[key.name], self.path)
                result[key.name] = Value(_checked(key, value, str(self.path)), str(self.path))
            else:
                result[key.name] = Value(key.default, "default")
        return result

    def text(self, name: str, flag: str | None = None) -> str:
        """A single value; ``flag`` wins where it was given."""
        if flag is not None:
            return flag
        value = self.values[name].value
        return value if isinstance(value, str) else " ".join(value)

    def many(self, name: str, flags: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A list value; flags win where any was given."""
        if flags:
            return flags
        value = self.values[name].value
        return value if isinstance(value, tuple) else tuple(value.split())

    def _read_file(self) -> dict[str, Any]:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            reason = (error.strerror or "unknown error").lower()
            raise ConfigError(
                f"cannot read {self.path}: {reason}",
                hint=f"check your rights to it, or set {HOME_VARIABLE} to another folder",
            ) from error
        try:
            found = tomllib.loads(without_mark(data.decode("utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            hint = "correct the line, or move the file away"
            if b"\\" in data:  # TOML reads "C:\new" as a C, a colon and a new line
                hint += r"; a path of Windows goes between single quotes: 'C:\folder\file'"
            raise ConfigError(f"{self.path} is not TOML: {error}", hint=hint) from error
        known = {key.name for key in KEYS}
        for name in found:
            if name not in known:
                raise ConfigError(
                    f"unknown setting '{name}' in {self.path}",
                    hint=f"known settings: {', '.join(sorted(known))}",
                )
        return found


def _from_toml(key: Key, value: Any, path: Path) -> str | tuple[str, ...]:
    if isinstance(key.default, tuple):
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise ConfigError(
            f"'{key.name}' in {path} must be a list of texts",
            hint=f'for example: {key.name} = ["first", "second"]',
        )
    if isinstance(value, str):
        return value
    raise ConfigError(
        f"'{key.name}' in {path} must be a text in quotes",
        hint=f'for example: {key.name} = "{key.default}"',
    )


def _checked(key: Key, value: str | tuple[str, ...], origin: str) -> str | tuple[str, ...]:
    if key.choices and value not in key.choices:
        raise ConfigError(
            f"'{key.name}' from {origin} is '{value}'", hint=f"use one of: {', '.join(key.choices)}"
        )
    return value


def template() -> str:
    """A ``config.toml`` in which every setting is explained and left at its default."""
    lines = ["# Settings of evidence-kit. Remove the # before a line to change it.", ""]
    for key in KEYS:
        lines.append(f"# {key.meaning}")
        if key.choices:
            lines.append(f"# one of: {', '.join(key.choices)}")
        if isinstance(key.default, tuple):
            shown = ", ".join(f'"{item}"' for item in key.default)
            lines.append(f"# {key.name} = [{shown}]")
        else:
            lines.append(f'# {key.name} = "{key.default}"')
        lines.append("")
    return "\n".join(lines)
