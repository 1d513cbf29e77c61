"""The one error tree.

::

    EvidenceError                 code                 exit
    ├── InputError                input-invalid           2
    ├── UnreadableFileError       file-unreadable        20
    ├── CaptureError              capture-failed         21
    │   ├── BrowserError          browser-unusable       21
    │   └── LoginError            login-failed           21
    ├── NetworkError              network-failed         22
    │   └── RateLimitedError      network-rate-limited   22
    ├── KeyUnavailableError       key-unavailable        23
    ├── TimestampError            timestamp-refused      24
    ├── StorageError              storage-failed         25
    ├── ConfigError               config-invalid         26
    └── InterruptedByUserError    interrupted           130

Only the command line turns an error into words or JSON. An exit code that is not
listed in :class:`ExitCode` must be read as failure.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Every exit code of the program; ``docs/exit-codes.md`` explains them."""

    OK = 0
    BUG = 1
    USAGE = 2
    GAPS = 3
    NOT_THERE = 4
    FAILED = 10
    INDETERMINATE = 11
    UNREADABLE = 20
    CAPTURE = 21
    NETWORK = 22
    KEY = 23
    TIMESTAMP = 24
    STORAGE = 25
    CONFIG = 26
    INTERRUPTED = 130


class EvidenceError(Exception):
    """Base of every error that this program raises on purpose.

    Args:
        message: one calm line, no capital, no period.
        hint: what the user can do about it, in the same form; may be empty.
    """

    code = "error"
    exit_code: ExitCode = ExitCode.BUG

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(EvidenceError):
    """What the user typed cannot be used."""

    code = "input-invalid"
    exit_code = ExitCode.USAGE


class UnreadableFileError(EvidenceError):
    """A file that was to be read is not there, not a file, or cannot be read."""

    code = "file-unreadable"
    exit_code = ExitCode.UNREADABLE


class CaptureError(EvidenceError):
    """The capture failed before anything could be sealed."""

    code = "capture-failed"
    exit_code = ExitCode.CAPTURE


class BrowserError(CaptureError):
    """No usable browser, or it could not be started."""

    code = "browser-unusable"


class LoginError(CaptureError):
    """Nobody logged in, or the session cannot be used; nothing was kept or captured."""

    code = "login-failed"


class NetworkError(EvidenceError):
    """A contact over the network failed; nothing was sealed."""

    code = "network-failed"
    exit_code = ExitCode.NETWORK


class RateLimitedError(NetworkError):
    """A server wants fewer requests; the hint says when to come back."""

    code = "network-rate-limited"


class KeyUnavailableError(EvidenceError):
    """The signing key is missing, locked or unusable."""

    code = "key-unavailable"
    exit_code = ExitCode.KEY


class TimestampError(EvidenceError):
    """No valid token from a time-stamping authority."""

    code = "timestamp-refused"
    exit_code = ExitCode.TIMESTAMP


class StorageError(EvidenceError):
    """A file could not be written, or writing it would replace something that exists."""

    code = "storage-failed"
    exit_code = ExitCode.STORAGE


class ConfigError(EvidenceError):
    """The configuration holds something unknown or unusable."""

    code = "config-invalid"
    exit_code = ExitCode.CONFIG


class InterruptedByUserError(EvidenceError):
    """The user stopped the program."""

    code = "interrupted"
    exit_code = ExitCode.INTERRUPTED
