"""A real WordPress with its database, from Debian's packages, on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.outside import Lock
from tests.servers.tools import CACHE, MissingServerError, free_port, run, started, wait_for

HERE = Path(__file__).parent
PACKAGES = (
    "wordpress",
    "wordpress-theme-twentytwentyone",
    "mariadb-server",
    "php-cli",
    "php-mysql",
)
SOURCE = Path("/usr/share/wordpress")
WHAT = "the WordPress that these tests need cannot be installed (Debian's packages are wanted)"


@dataclass(frozen=True)
class WordPress:
    """Where it listens, and what is in it (see ``seed.php``)."""

    base: str
    seed: dict[str, Any]


def installed() -> Path:
    """A folder with the program, a filled database and ``seed.json``; made once per versions.

    Raises:
        MissingServerError: it cannot be installed; the text says what failed.
    """
    with Lock(CACHE / "wordpress.lock"):
        key = hashlib.sha256(_versions().encode())
        for name in ("seed.php", "wp-config.php", "__init__.py"):
            key.update((HERE / name).read_bytes())
        folder = CACHE / f"wordpress-{key.hexdigest()[:16]}"
        if not (folder / "seed.json").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            _fill(folder)
    return folder


def _versions() -> str:
    """Versions of the packages, which are installed where they are missing."""
    ask = ("dpkg-query", "-W", "-f", "${Package} ${Version} ${Status}\n", *PACKAGES)
    try:
        found = run(ask, WHAT)
        if found.count("install ok installed") == len(PACKAGES):
            return found
    except MissingServerError:
        pass  # dpkg-query fails where a package is not known at all
    become = () if not hasattr(os, "geteuid") or os.geteuid() == 0 else ("sudo", "-n")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run((*become, "apt-get", "update", "-q"), WHAT, environment=quiet)
    install = ("apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES)
    run((*become, *install), WHAT, environment=quiet)
    return run(ask, WHAT)


def _fill(folder: Path) -> None:
    shutil.copytree(SOURCE, folder / "wp", ignore_dangling_symlinks=True)
    shutil.copyfile(HERE / "wp-config.php", folder / "wp" / "wp-config.php")
    (folder / "wp" / "wp-content" / "uploads").mkdir(exist_ok=True)
    make = ("mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal")
    run((*make, f"--datadir={folder / 'db'}", "--skip-test-db", *_as_root()), WHAT)
    with _database(folder / "db") as socket:
        sql = "CREATE DATABASE wordpress CHARACTER SET utf8mb4"
        run(("mariadb", "--no-defaults", f"--socket={socket}", "-uroot", "-e", sql), WHAT)
        said = run(
            ("php", str(HERE / "seed.php")),
            WHAT,
            folder=folder / "wp",
            environment={"TEST_DB_SOCKET": socket},
        )
    made = json.loads(said.splitlines()[-1])
    (folder / "seed.json").write_text(json.dumps(made), "utf-8")


def _as_root() -> tuple[str, ...]:
    return ("--user=root",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()


@contextmanager
def _database(data: Path) -> Iterator[str]:
    """The database server on a folder; gives its socket, whose path has to be short."""
    with tempfile.TemporaryDirectory(prefix="ek-") as short:
        socket, log = f"{short}/s", Path(short) / "log"
        command = ("mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={socket}")
        small = ("--skip-networking", "--innodb-buffer-pool-size=32M", f"--pid-file={short}/pid")
        with started((*command, *small, *_as_root()), log) as process:
            ask = ("mariadb-admin", "--no-defaults", f"--socket={socket}", "-uroot", "--wait=60")
            if process.poll() is None:
                run((*ask, "ping"), "the database that these tests need does not start")
            yield socket


@contextmanager
def running() -> Iterator[WordPress]:
    """A WordPress of its own, filled by ``seed.php``.

    Raises:
        MissingServerError: it cannot be installed or does not start.
    """
    folder = installed()
    with ExitStack() as stack:
        own = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ek-")))
        shutil.copytree(folder / "db", own / "db")
        socket = stack.enter_context(_database(own / "db"))
        port = free_port()
        log = own / "php.log"
        serve = (
            "php",
            "-S",
            f"127.0.0.1:{port}",
            "-t",
            str(folder / "wp"),
            str(HERE / "router.php"),
        )
        process = stack.enter_context(started(serve, log, environment={"TEST_DB_SOCKET": socket}))
        base = f"http://127.0.0.1:{port}"
        wait_for(f"{base}/wp-json/", process, "the WordPress that these tests need", log)
        yield WordPress(base, json.loads((folder / "seed.json").read_text("utf-8")))
