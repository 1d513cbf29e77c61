"""``openssl s_server`` and ``s_client`` talking through a relay that keeps what passes."""

from __future__ import annotations

import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.processes import kill_group
from tests.tls_peers import NAME, Recording, certificate_file

PATIENCE = 60
"""Seconds for any one step; a slow machine needs a few."""


@dataclass
class Passed:
    """One connection through a relay; ``port`` is the relay's own, towards the target."""

    port: int
    sent: bytearray = field(default_factory=bytearray)
    received: bytearray = field(default_factory=bytearray)


class Relay:
    """A free port of 127.0.0.1 that leads to ``target``; what passes is recorded."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._changed = threading.Condition()
        self.port = int(self._listener.getsockname()[1])
        self.connections: list[Passed] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Relay:
        self._threads[0].start()
        return self

    def join(self) -> None:
        """Until both ends of every connection have closed."""
        for thread in self._threads[1:]:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(PATIENCE)
        self.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._threads.append(
                    threading.Thread(target=self._connect, args=(client,), daemon=True)
                )
                self._threads[-1].start()

    def _connect(self, client: socket.socket) -> None:
        with (
            suppress(OSError),
            client,
            socket.create_connection(("127.0.0.1", self._target)) as server,
        ):
            one = Passed(server.getsockname()[1])
            self.connections.append(one)
            back = threading.Thread(target=self._pump, args=(server, client, one.received))
            back.start()
            self._pump(client, server, one.sent)
            back.join()

    def _pump(self, source: socket.socket, target: socket.socket, kept: bytearray) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                with self._changed:
                    kept += data
                    self._changed.notify_all()
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def wait(self, until: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(until, PATIENCE), "nothing more passed the relay"


class Program:
    """A running ``openssl``: lines go in, all of its output is kept."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            ["openssl", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._changed = threading.Condition()
        self.output = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout
        while data := self._process.stdout.read1(1 << 16):  # type: ignore[attr-defined]
            with self._changed:
                self.output += data
                self._changed.notify_all()

    def type(self, data: bytes) -> None:
        assert self._process.stdin
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def wait(self, text: bytes) -> None:
        """Until this stands in the output."""
        with self._changed:
            found = self._changed.wait_for(lambda: text in self.output, PATIENCE)
        assert found, bytes(self.output).decode("utf-8", "replace")

    def number_after(self, text: bytes) -> int:
        """The number behind this in the output, once its line is whole."""
        pattern = re.compile(re.escape(text) + rb"(\d+)\n")
        with self._changed:
            found = self._changed.wait_for(lambda: pattern.search(self.output), PATIENCE)
        assert found, bytes(self.output).decode("utf-8", "replace")
        return int(found[1])

    def finish(self) -> None:
        """End of input, and the program's own end."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._thread.join(PATIENCE)

    def stop(self) -> None:
        kill_group(self._process)
        self._process.wait(PATIENCE)
        self._thread.join(PATIENCE)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()


class Conversation:
    """A client and a server that run, and the relay between them."""

    def __init__(self, client: Program, server: Program, relay: Relay) -> None:
        self.client, self.server, self._relay = client, server, relay
        self._said, self._answered = b"", b""

    def say(self, data: bytes) -> None:
        """A line that was not said before, until it has come."""
        assert data not in self.server.output
        self.client.type(data)
        self.server.wait(data)
        self._said += data

    def answer(self, data: bytes) -> None:
        assert data not in self.client.output
        self.server.type(data)
        self.client.wait(data)
        self._answered += data

    def command(self, of: str, letter: bytes) -> None:
        """A letter that the program takes as a command; it has passed a record then."""
        (passed,) = self._relay.connections
        kept, program = (
            (passed.sent, self.client) if of == "client" else (passed.received, self.server)
        )
        before = len(kept)
        program.type(letter + b"\n")
        self._relay.wait(lambda: len(kept) > before)

    def early(self, data: bytes) -> None:
        """Early data counts as said."""
        self._said = data + self._said

    def recording(self, keys: Path) -> Recording:
        """The whole, after the client has ended."""
        self.client.finish()
        self.server.stop()
        self._relay.join()
        (passed,) = self._relay.connections
        return Recording(
            bytes(passed.sent),
            bytes(passed.received),
            keys.read_bytes(),
            self._said,
            self._answered,
        )


@contextmanager
def server(folder: Path, *options: str) -> Iterator[tuple[Program, int]]:
    """A server for any number of connections, and its port."""
    pem = str(certificate_file(folder, "rsa"))
    program = Program("s_server", "-accept", "127.0.0.1:0", "-cert", pem, *options)
    try:
        yield program, program.number_after(b"ACCEPT 127.0.0.1:")
    finally:
        program.stop()


@contextmanager
def conversation(
    folder: Path, running: tuple[Program, int], *options: str
) -> Iterator[Conversation]:
    """A connection to that server."""
    with ExitStack() as stack:
        relay = stack.enter_context(Relay(running[1]))
        client = Program(
            "s_client",
            "-connect",
            f"127.0.0.1:{relay.port}",
            "-servername",
            NAME,
            "-keylogfile",
            str(folder / "keys.log"),
            *options,
        )
        stack.callback(client.stop)
        yield Conversation(client, running[0], relay)
