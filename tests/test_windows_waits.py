"""Waits on Windows: the keyboard is heard, files that others hold get free, what is left ends."""

from __future__ import annotations

import _thread
import asyncio
import errno
import os
import sys
import threading
import time
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evidence_kit.core import when_free as freeing
from evidence_kit.core import write_once
from evidence_kit.core.errors import StorageError
from evidence_kit.core.events import Silent
from evidence_kit.core.when_free import when_free
from evidence_kit.gather.contacts import ContactList
from evidence_kit.gather.driver import Driver
from evidence_kit.gather.egress_policy import EgressPolicy
from evidence_kit.gather.http_door import HttpDoor
from evidence_kit.gather.install import _run_all
from evidence_kit.gather.proxy import Proxies, proxies_from
from evidence_kit.gather.single_request import in_time
from evidence_kit.gather.waiting import result_in_time
from evidence_kit.seal.anchors import at_once

LONG = 20.0
"""Seconds that a wait would take if the keyboard were not heard."""


def test_what_a_stopped_installation_leaves_behind_is_not_waited_for() -> None:
    """On Windows it would keep the pipe of its output open, and the reading of that waits."""
    lasting = "import time; time.sleep(25)"
    starts = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {lasting!r}]).wait()"
    begun = time.monotonic()
    why = _run_all([[sys.executable, "-c", starts]], 1.0, os.environ)
    assert why == "not done within 1 seconds"
    assert time.monotonic() - begun < LONG


def test_why_an_installation_failed_is_told_from_the_end_of_its_words() -> None:
    says = "import sys; print('x' * 100000); sys.exit('Error: no space')"
    why = _run_all([[sys.executable, "-c", says]], LONG, os.environ)
    assert why == "ended with code 1: Error: no space"
    says = "print('x' * 100000); print('no space'); raise SystemExit(3)"
    why = _run_all([[sys.executable, "-c", says]], LONG, os.environ)
    assert why == "ended with code 3: no space"


def interrupt_soon() -> threading.Timer:
    """As Windows gives Ctrl-C: a note for the main thread, which does not wake it."""
    timer = threading.Timer(0.3, _thread.interrupt_main)
    timer.start()
    return timer


@pytest.mark.parametrize("bound", [(LONG,), ()], ids=["bounded", "the work is"])
def test_the_keyboard_is_heard_during_a_wait(bound: tuple[float, ...]) -> None:
    timer, begun = interrupt_soon(), time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        result_in_time(Future(), *bound)
    timer.join()
    assert time.monotonic() - begun < LONG / 2


def test_the_keyboard_is_heard_while_an_authority_is_asked() -> None:
    answered, begun = threading.Event(), time.monotonic()
    timer = interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        in_time(lambda: answered.wait(LONG), LONG)
    answered.set()
    timer.join()
    assert time.monotonic() - begun < LONG / 2


def test_the_keyboard_is_heard_while_the_browser_works(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ready(_: Driver) -> None:
        return

    monkeypatch.setattr(Driver, "_start", ready)
    driver = Driver()
    begun = time.monotonic()
    try:
        timer = interrupt_soon()
        with pytest.raises(KeyboardInterrupt):
            driver.call(asyncio.sleep(LONG), seconds=LONG)
        timer.join()
        with pytest.raises(TimeoutError, match=r"no answer within 0\.1 seconds"):
            driver.call(asyncio.sleep(LONG), seconds=0.1)
        assert driver.call(asyncio.sleep(0, "done"), seconds=LONG) == "done"
    finally:
        driver._loop.call_soon_threadsafe(driver._loop.stop)
        driver._thread.join(LONG)
        driver._loop.close()
    assert time.monotonic() - begun < LONG / 2


def test_a_wait_gives_what_the_work_gives() -> None:
    good: Future[int] = Future()
    bad: Future[int] = Future()
    threading.Timer(0.05, good.set_result, (7,)).start()
    threading.Timer(0.05, bad.set_exception, (KeyError("x"),)).start()
    assert result_in_time(good, LONG) == 7
    with pytest.raises(KeyError):
        result_in_time(bad, LONG)
    with pytest.raises(TimeoutError):
        result_in_time(Future(), 0)


@pytest.mark.parametrize("times", [0, 1, 3])
def test_a_name_is_free_after_a_moment(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As while a virus scanner reads a new file."""
    monkeypatch.setattr(freeing, "_SYSTEM", "nt")
    monkeypatch.setattr(freeing, "WAIT_SECONDS", 0.0)
    asked: list[None] = []

    def rename() -> str:
        asked.append(None)
        if len(asked) <= times:
            raise PermissionError(errno.EACCES, "in use")
        return "renamed"

    assert when_free(rename) == "renamed"
    assert len(asked) == times + 1


def test_a_name_that_is_never_free_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freeing, "WAIT_SECONDS", 0.0)
    asked: list[None] = []

    def held() -> None:
        asked.append(None)
        raise PermissionError(errno.EACCES, "in use")

    for system, tries in (("posix", 1), ("nt", freeing.TRIES)):
        monkeypatch.setattr(freeing, "_SYSTEM", system)
        asked.clear()
        with pytest.raises(PermissionError):
            when_free(held)
        assert len(asked) == tries

    def taken() -> None:
        asked.append(None)
        raise FileExistsError(errno.EEXIST, "it exists")

    asked.clear()
    with pytest.raises(FileExistsError):
        when_free(taken)
    assert len(asked) == 1, "a name that is taken stays taken"


def test_a_connection_that_the_guard_cuts_twice_is_told_whole() -> None:
    """The guard cancels what is open when it ends, also what is ending by itself just then."""

    async def scene() -> tuple[bool, bool]:
        contacts = ContactList(Silent())
        policy = EgressPolicy([], lambda host, port: [], Proxies())

        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            held.append(writer)
            await reader.read()  # until the other side is closed
            gone.set()
            writer.close()

        held: list[asyncio.StreamWriter] = []
        gone = asyncio.Event()
        far = await asyncio.start_server(hold, "127.0.0.1", 0)
        port = far.sockets[0].getsockname()[1]
        policy = EgressPolicy(
            [], lambda host, port: [], proxies_from({"HTTP_PROXY": f"http://127.0.0.1:{port}"})
        )
        door = HttpDoor(policy, contacts, lambda: datetime.now(UTC))
        serving: list[asyncio.Task[None]] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(door.serve(reader, writer))
            serving.append(task)
            await asyncio.wait({task})
            writer.close()

        near = await asyncio.start_server(serve, "127.0.0.1", 0)
        _, client = await asyncio.open_connection(*near.sockets[0].getsockname()[:2])
        client.write(b"GET http://site.example/ HTTP/1.1\r\nHost: site.example\r\n\r\n")
        async with asyncio.timeout(LONG):
            while not held:
                await asyncio.sleep(0.01)
            serving[0].cancel()
            await asyncio.sleep(0)  # it waits for its two halves now
            serving[0].cancel()
            await asyncio.wait(serving)
            (contact,) = contacts.all
            with_end = contact.ended is not None
            try:
                await asyncio.wait_for(gone.wait(), 5)
            except TimeoutError:
                held[0].close()
        client.close()
        for server in (near, far):
            server.close()
        return with_end, gone.is_set()

    assert asyncio.run(scene()) == (True, True)


def test_verifying_computes_without_an_event_loop() -> None:
    """A loop of Windows begins with a connection over loopback; tests/test_verify.py forbids it."""

    async def gives() -> int:
        return 7

    async def inside() -> int:
        return at_once(gives())

    async def waits() -> None:
        await asyncio.sleep(0)

    assert at_once(gives()) == 7
    assert asyncio.run(inside()) == 7
    with pytest.raises(RuntimeError, match="from outside"):
        at_once(waits())


def test_a_file_of_windows_that_cannot_be_renamed_is_a_storage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freeing, "_SYSTEM", "nt")
    monkeypatch.setattr(freeing, "WAIT_SECONDS", 0.0)

    asked: list[None] = []

    def held(_old: Path, _new: Path) -> Path:
        asked.append(None)
        raise PermissionError(errno.EACCES, "in use by another process")

    monkeypatch.setattr(Path, "rename", held)
    with monkeypatch.context() as patched:
        patched.setattr(os, "name", "nt")
        with pytest.raises(StorageError, match="in use by another process"):
            write_once.write_bytes_once(tmp_path / "x", b"data")
    assert len(asked) == freeing.TRIES
    assert list(tmp_path.iterdir()) == []
