"""Files that appear whole or not at all, and that never replace another one."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from evidence_kit.core.errors import StorageError
from evidence_kit.core.when_free import when_free

PARTIAL = ".partial"
"""Ending of a file that is not finished; nothing under such a name is evidence."""

MAX_LEFTOVERS = 100
"""Unfinished files of earlier, killed runs beside one name; more means that something is wrong."""

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}
"""What file systems without hard links (FAT and exFAT sticks, some network shares) answer."""

_WINDOWS_PATH = 259 - len(".99" + PARTIAL)
"""Characters of a whole path beyond which Windows may not find it (MAX_PATH: 260, its end too)."""

_HINTS = {
    errno.ENOSPC: "the disk is full: free some space or choose another folder",
    errno.EDQUOT if hasattr(errno, "EDQUOT") else errno.ENOSPC: "your disk quota is used up",
    errno.EFBIG: "the file system cannot hold a file of this size: choose another disk",
    errno.EACCES: "you may not write in this folder: choose another one",
    errno.EPERM: "you may not write in this folder: choose another one",
    errno.EROFS: "this disk is read-only: choose another folder",
    errno.ENOENT: "the folder does not exist: make it first",
    errno.ENOTDIR: "the folder does not exist: make it first",
    errno.EEXIST: "files are never overwritten: choose another name or folder",
    errno.ENAMETOOLONG: "choose a shorter name or folder",
}


def private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, open to their owner only (mode 0700).

    ``Path.mkdir`` gives that mode to the last one alone. On Windows the folder above decides.

    Raises:
        OSError: it cannot be made.
    """
    if not folder.parent.exists():
        private_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def write_once(target: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """A stream whose bytes appear under ``target`` when the block ends without an error.

    Until then they stand beside it as ``NAME.partial``. They reach the disk (fsync) before the
    name does, and an existing ``target`` is never replaced, also not one that appears meanwhile.
    An error in the block removes the unfinished file; a killed process leaves it behind.

    Args:
        target: the final name, in an existing folder.
        private: readable by the owner only (mode 0600; on Windows the folder's rights apply).

    Raises:
        StorageError: it exists, or cannot be written; the hint says what to do.
    """
    if os.path.lexists(target):
        raise _refused(target, FileExistsError(errno.EEXIST, "it exists"))
    partial, stream = _open_partial(target, private=private)
    try:
        with stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        _publish(partial, target)
    except BaseException as error:
        with suppress(OSError):
            partial.unlink()
        if isinstance(error, OSError):
            raise _refused(target, error) from error
        raise
    _sync_folder(target)


def write_bytes_once(target: Path, data: bytes, *, private: bool = False) -> None:
    """Write ``data`` whole under a new name; see :func:`write_once`.

    Raises:
        StorageError: it exists, or cannot be written.
    """
    with write_once(target, private=private) as stream:
        stream.write(data)


def _open_partial(target: Path, *, private: bool) -> tuple[Path, BinaryIO]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    mode = 0o600 if private else 0o666
    for attempt in range(MAX_LEFTOVERS):
        number = f".{attempt + 1}" if attempt else ""
        partial = target.with_name(f"{target.name}{number}{PARTIAL}")
        try:
            return partial, os.fdopen(os.open(partial, flags, mode), "wb")
        except FileExistsError:
            continue
        except OSError as error:
            raise _refused(target, error) from error
    raise StorageError(
        f"{MAX_LEFTOVERS} unfinished files named {target.name}*{PARTIAL} in the way",
        hint="look at them and remove what is not needed",
    )


def _publish(partial: Path, target: Path) -> None:
    """Give the finished file its name; every way refuses a name that exists."""
    if os.name == "nt":
        when_free(lambda: partial.rename(target))  # MoveFile without the replace flag
        return
    try:
        os.link(partial, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _rename_exclusive(partial, target)
        return
    partial.unlink()


def _rename_exclusive(partial: Path, target: Path) -> None:
    """Rename that refuses an existing name, which Python does not offer on POSIX."""
    libc = ctypes.CDLL(None, use_errno=True)
    old, new = os.fsencode(partial), os.fsencode(target)
    if sys.platform == "darwin" and hasattr(libc, "renamex_np"):
        done = libc.renamex_np(old, new, ctypes.c_uint(4))  # RENAME_EXCL
    elif hasattr(libc, "renameat2"):
        here = ctypes.c_int(-100)  # AT_FDCWD
        done = libc.renameat2(here, old, here, new, ctypes.c_uint(1))  # RENAME_NOREPLACE
    else:
        raise OSError(errno.ENOSYS, "no way to rename without overwriting")
    if done != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _sync_folder(target: Path) -> None:
    """Make the name itself durable; Windows does that with the file."""
    if os.name != "posix":
        return
    try:
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        # Some network file systems cannot sync a folder; the file itself is safe by then.
        if error.errno not in {errno.EINVAL, *_NO_LINKS}:
            raise _refused(target, error) from error


def _refused(target: Path, error: OSError) -> StorageError:
    reason = (error.strerror or "unknown error").lower()
    hint = _HINTS.get(error.errno or 0, "choose another folder, or see the reason")
    if (
        error.errno == errno.ENOENT
        and os.name == "nt"
        and len(str(target.absolute())) > _WINDOWS_PATH
    ):
        hint = "Windows allows 260 characters in a whole path: choose a shorter folder"
    return StorageError(f"cannot write {target.name}: {reason}", hint=hint)
