"""A real Matrix homeserver (Synapse, from PyPI, with SQLite) on loopback."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.outside import Lock
from tests.servers.tools import CACHE, free_port, run, started, wait_for

PACKAGE = "matrix-synapse==1.163.2"
WHAT = "the Synapse that these tests need cannot be installed (PyPI is wanted)"
CONFIG = """
server_name: localhost
pid_file: {folder}/pid
listeners: [{{port: {port}, bind_addresses: [127.0.0.1], type: http, tls: false,
  resources: [{{names: [client, media]}}]}}]
database: {{name: sqlite3, args: {{database: "{folder}/db"}}}}
media_store_path: "{folder}/media"
signing_key_path: "{folder}/key"
report_stats: false
enable_registration: true
enable_registration_without_verification: true
suppress_key_server_warning: true
trusted_key_servers: []
macaroon_secret_key: only-for-tests
registration_shared_secret: only-for-tests
form_secret: only-for-tests
rc_message: {{per_second: 1000, burst_count: 1000}}
rc_registration: {{per_second: 1000, burst_count: 1000}}
rc_joins: {{local: {{per_second: 1000, burst_count: 1000}}}}
"""


@dataclass(frozen=True)
class Matrix:
    """Where it listens, the reader's token, and what is in it."""

    base: str
    token: str
    room: str
    events: dict[str, str]


def installed() -> Path:
    """The program's Python; installed once per version.

    Raises:
        MissingServerError: it cannot be installed; the text says what failed.
    """
    key = hashlib.sha256(f"{PACKAGE} {sys.platform} {sys.version_info[:2]}".encode())
    folder = CACHE / f"synapse-{key.hexdigest()[:16]}"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    with Lock(CACHE / "synapse.lock"):
        if not (folder / "ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            run((sys.executable, "-m", "venv", str(folder)), WHAT)
            run((str(python), "-m", "pip", "install", "--quiet", PACKAGE), WHAT)
            (folder / "ready").touch()
    return python


@contextmanager
def running() -> Iterator[Matrix]:
    """A homeserver with one public room.

    Raises:
        MissingServerError: it cannot be installed or does not start.
    """
    python = installed()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ek-")))
        port = free_port()
        config = folder / "homeserver.yaml"
        config.write_text(CONFIG.format(folder=folder.as_posix(), port=port), "utf-8")
        command = (str(python), "-m", "synapse.app.homeserver", "--config-path", str(config))
        run((*command, "--generate-keys"), WHAT, folder=folder)
        log = folder / "log"
        process = stack.enter_context(started(command, log, folder=folder))
        base = f"http://127.0.0.1:{port}"
        wait_for(f"{base}/_matrix/client/versions", process, "Synapse", log)
        yield _seeded(base)


def _seeded(base: str) -> Matrix:
    jan, piet, lezer = (_register(base, name) for name in ("jan", "piet", "lezer"))
    visible = {
        "type": "m.room.history_visibility",
        "state_key": "",
        "content": {"history_visibility": "world_readable"},
    }
    room = _ask(
        base,
        "POST",
        "createRoom",
        jan,
        {
            "preset": "public_chat",
            "room_alias_name": "buurt",
            "name": "De buurt",
            "initial_state": [visible],
        },
    )["room_id"]
    for token in (piet, lezer):
        _ask(base, "POST", f"join/{room}", token, {})
    events: dict[str, str] = {}

    def send(name: str, token: str, content: dict[str, Any]) -> None:
        path = f"rooms/{room}/send/m.room.message/{name}"
        events[name] = _ask(base, "PUT", path, token, content)["event_id"]

    def text(body: str, **more: Any) -> dict[str, Any]:
        return {"msgtype": "m.text", "body": body, **more}

    send("before", piet, text("ervoor"))
    send("post", jan, text("Zij krijgt nog bezoek 🚲"))
    for number, words in enumerate(("eerste bewerking", "tweede bewerking")):
        relation = {"rel_type": "m.replace", "event_id": events["post"]}
        send(
            f"edit{number}",
            jan,
            text(f"* {words}", **{"m.new_content": text(words), "m.relates_to": relation}),
        )
    thread = {"rel_type": "m.thread", "event_id": events["post"]}
    send("reply", piet, text("doe normaal", **{"m.relates_to": thread}))
    send("gone", piet, text("weg"))
    _ask(base, "PUT", f"rooms/{room}/redact/{events['gone']}/r1", piet, {"reason": "spijt"})
    upload = _ask(base, "POST", "upload?filename=deur.png", jan, b"\x89PNG", "/_matrix/media/v3/")
    picture = {"msgtype": "m.image", "body": "een deur", "url": upload["content_uri"]}
    send("picture", jan, picture)
    return Matrix(base, lezer, room, events)


def _register(base: str, name: str) -> str:
    given = {"username": name, "password": "only-for-tests", "auth": {"type": "m.login.dummy"}}
    token: str = _ask(base, "POST", "register", "", given)["access_token"]
    return token


def _ask(
    base: str,
    method: str,
    path: str,
    token: str,
    body: dict[str, Any] | bytes,
    below: str = "/_matrix/client/v3/",
) -> dict[str, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = "image/png" if isinstance(body, bytes) else "application/json"
    headers = {"Content-Type": kind, **({"Authorization": f"Bearer {token}"} if token else {})}
    address = base + below + urllib.parse.quote(path, safe="/?=")
    request = urllib.request.Request(address, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
    return found
