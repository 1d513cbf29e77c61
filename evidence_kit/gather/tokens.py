"""Tokens for the platforms: from the environment, else from the system's keyring."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

KEYRING_SERVICE = "evidence-kit"
"""The service under which the keyring is asked; the variable's name is the user."""

SECRETS = frozenset(
    {"X_BEARER_TOKEN", "MASTODON_ACCESS_TOKEN", "YOUTUBE_API_KEY", "REDDIT_CLIENT_SECRET"}
    | {"META_ACCESS_TOKEN", "THREADS_ACCESS_TOKEN", "MATRIX_ACCESS_TOKEN", "BLUESKY_APP_PASSWORD"}
)
"""Variables whose value is never shown and may lie in the keyring."""
KEPT = SECRETS | {
    *("REDDIT_CLIENT_ID", "MASTODON_INSTANCE", "MATRIX_HOMESERVER", "BLUESKY_IDENTIFIER"),
}
"""These and what belongs to them, which may lie there too."""


def ask_keyring(name: str) -> str | None:
    """What the keyring holds under a name; None where it is locked or there is none."""
    import keyring
    from keyring.errors import KeyringError

    with contextlib.suppress(KeyringError, OSError):
        return keyring.get_password(KEYRING_SERVICE, name)
    return None


def find_keyring() -> None:
    """Find the system's keyring, which takes a tenth of a second once; nothing is asked of it."""
    import keyring
    from keyring.errors import KeyringError

    with contextlib.suppress(KeyringError, OSError):
        keyring.get_keyring()


def keep_in_keyring(name: str, value: str) -> bool:
    """Put a value into the keyring; False where there is none that gives it back."""
    import keyring
    from keyring.errors import KeyringError

    with contextlib.suppress(KeyringError, OSError):
        keyring.set_password(KEYRING_SERVICE, name, value)
        return keyring.get_password(KEYRING_SERVICE, name) == value
    return False


def drop_from_keyring(name: str) -> bool:
    """Take a value out of the keyring; whether there was one."""
    import keyring
    from keyring.errors import KeyringError

    with contextlib.suppress(KeyringError, OSError):
        if keyring.get_password(KEYRING_SERVICE, name) is not None:
            keyring.delete_password(KEYRING_SERVICE, name)
            return True
    return False


class Tokens(Mapping[str, str]):
    """The environment, with what it lacks of :data:`KEPT` taken from the keyring when asked for.

    Args:
        environ: of the process; wins where it has a value.
        stored: asks the keyring.
    """

    def __init__(
        self, environ: Mapping[str, str], stored: Callable[[str], str | None] = ask_keyring
    ) -> None:
        self._environ = environ
        self._stored = stored
        self._known: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        """The value without white space around it, which no token has.

        Raises:
            KeyError: neither has it.
        """
        value = self._environ.get(name, "").strip()
        if not value and name in KEPT:
            if name not in self._known:
                self._known[name] = (self._stored(name) or "").strip()
            value = self._known[name]
        if not value:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return (name for name in {*self._environ, *KEPT} if name in self)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def where(self, name: str) -> str:
        """``environment``, ``keyring``, or empty where it is not set."""
        if self._environ.get(name, "").strip():
            return "environment"
        return "keyring" if name in self else ""
