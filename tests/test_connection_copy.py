"""Copies at the relay: everything that passes, before it is passed on, or nothing passes."""

from __future__ import annotations

import gc
import shutil
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from evidence_kit.core.events import Silent
from evidence_kit.gather import connection_copy
from evidence_kit.gather.connection_copy import CopyFolder
from evidence_kit.gather.egress import Guard
from evidence_kit.gather.relay import FILES, STOP_SECONDS
from evidence_kit.jobs.workfolder import WorkFolder
from evidence_kit.seal.connection_copies import RECEIVED, SENT, ConnectionCopies
from tests.test_egress import ask, echo_server

SECONDS = 10.0


@pytest.fixture
def copies(tmp_path: Path) -> CopyFolder:
    found = CopyFolder(tmp_path / "connections")
    found.prepare()
    return found


def everything(client: socket.socket) -> bytes:
    data = b""
    while part := client.recv(65536):
        data += part
    return data


def test_both_directions_from_the_first_byte(copies: CopyFolder) -> None:
    with echo_server() as port, Guard([("localhost", port)], Silent()) as guard:
        guard.copy_to(copies)
        code, client = ask(guard, "localhost", port)
        own = client.getsockname()[1]
        with client:
            assert code == 0
            client.sendall(b"heen")
            assert everything(client) == b"neeh"
        copies.settle(SECONDS)
        guard.copy_to(None)
        ask(guard, "localhost", port)[1].close()
    greeting = b"\x05\x01\x00" + b"\x05\x01\x00\x03\x09localhost" + port.to_bytes(2, "big")
    with ConnectionCopies(copies.folder).streams(own, 0) as streams:
        assert streams is not None
        sent, received = (stream.read() for stream in streams)
    assert sent == greeting + b"heen"
    assert received == b"\x05\x00" + b"\x05\x00\x00\x01" + bytes(6) + b"neeh"
    assert len(list(copies.folder.glob("*-*"))) == 2


def test_what_is_refused_is_a_connection_too(copies: CopyFolder) -> None:
    with Guard([], Silent()) as guard:
        guard.copy_to(copies)
        code, client = ask(guard, "127.0.0.1", 9)
        own = client.getsockname()[1]
        client.close()
        copies.settle(SECONDS)
    assert code == 2
    with ConnectionCopies(copies.folder).streams(own, 0) as streams:
        assert streams is not None
        assert streams[1].read() == b"\x05\x00" + b"\x05\x02\x00\x01" + bytes(6)
    with ConnectionCopies(copies.folder).streams(own, 1) as none:
        assert none is None


def test_it_waits_for_what_the_browser_has_left_but_not_for_ever(copies: CopyFolder) -> None:
    with echo_server() as port, Guard([("localhost", port)], Silent()) as guard:
        guard.copy_to(copies)
        _, client = ask(guard, "localhost", port)
        begin = time.monotonic()
        copies.settle(0.2)  # the browser still has its end
        assert time.monotonic() - begin >= 0.2
        client.sendall(b"laatste woord")
        client.close()
        copies.settle(SECONDS)
    (path,) = copies.folder.glob(f"*{SENT}")
    assert path.read_bytes().endswith(b"laatste woord")


def test_what_cannot_be_copied_does_not_pass(copies: CopyFolder) -> None:
    with echo_server() as port, Guard([("localhost", port)], Silent()) as guard:
        guard.copy_to(copies)
        code, client = ask(guard, "localhost", port)
        assert code == 0
        shutil.rmtree(copies.folder)
        with client:
            client.sendall(b"heen")
            assert everything(client) == b""
        (contact,) = guard.contacts
    assert (contact.sent, contact.received) == (0, 0)
    with pytest.raises(FileNotFoundError):
        copies.settle(SECONDS)


def test_a_connection_whose_copy_cannot_begin_is_closed(copies: CopyFolder) -> None:
    shutil.rmtree(copies.folder)
    with Guard([], Silent()) as guard:
        guard.copy_to(copies)
        client = socket.create_connection(("127.0.0.1", guard.port), SECONDS)
        with client, suppress(ConnectionError):
            assert everything(client) == b""
        with pytest.raises(FileNotFoundError):
            copies.settle(SECONDS)


def test_nobody_else_can_read_them(copies: CopyFolder) -> None:
    if sys.platform != "win32":  # where a user's own folders are closed to others by themselves
        assert copies.folder.stat().st_mode & 0o777 == 0o700
        assert copies.keys.stat().st_mode & 0o777 == 0o600
    copies.remove()
    assert not copies.folder.exists()


def test_large_pieces_are_copied_whole(copies: CopyFolder) -> None:
    copy = copies.begin(1)
    block = bytes(range(256)) * 4096
    copy.received(block)
    copy.received(block)
    copy.end()
    copy.end()
    copies.settle(0)
    assert copy.path.with_suffix(RECEIVED).read_bytes() == block * 2


def test_an_end_that_does_not_read_does_not_hold_up_the_relay(
    copies: CopyFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    """More than all buffers hold is on its way when the relay stops."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        with Guard([("localhost", port)], Silent()) as guard:
            guard.copy_to(copies)
            _, client = ask(guard, "localhost", port)
            client.settimeout(1.0)
            with client, suppress(TimeoutError):
                while True:
                    client.sendall(bytes(1 << 20))
            begin = time.monotonic()
        assert time.monotonic() - begin < STOP_SECONDS
    gc.collect()  # a task that was left behind says so when it goes
    assert capfd.readouterr().err == ""


def test_more_files_may_be_open_than_a_system_allows_at_first() -> None:
    if sys.platform != "win32":
        import resource

        before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, most))
        try:
            with Guard([], Silent()):
                assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(FILES, most)
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES + 1, most), most))
            with Guard([], Silent()):
                assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(FILES + 1, most)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


def held(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Nothing can be removed so many times, as on Windows while another process reads it."""
    left = iter(range(times))
    original = shutil.rmtree

    def remove(path: Path) -> None:
        if next(left, None) is not None:
            raise PermissionError(13, "in use")
        original(path)

    monkeypatch.setattr(shutil, "rmtree", remove)
    monkeypatch.setattr(connection_copy, "REMOVE_SECONDS", 0)


def test_what_a_dying_browser_still_holds_is_removed_a_moment_later(
    copies: CopyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    held(monkeypatch, 3)
    copies.remove()
    assert not copies.folder.exists()
    copies.remove()  # and where it is gone that is all right
    copies.prepare()
    held(monkeypatch, 1000)
    with pytest.raises(PermissionError):
        copies.remove()


def test_no_capture_fails_of_copies_that_cannot_be_removed_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = WorkFolder.create(tmp_path, "20261123T100000Z-01020304")
    CopyFolder(work.connections).prepare()
    with monkeypatch.context() as change:
        held(change, 1000)
        work.visit_saved()
        assert work.connections.exists()
    work.remove()
    assert not work.root.exists()
