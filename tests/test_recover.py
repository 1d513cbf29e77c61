"""A capture that is stopped: nothing lost, nothing half, no false "complete"."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from evidence_kit.core.errors import CaptureError, EvidenceError, InputError
from evidence_kit.core.events import Silent
from evidence_kit.core.findings import Section, Status
from evidence_kit.demo.site import DemoSite
from evidence_kit.demo.tsa import DemoTsa
from evidence_kit.jobs.identity import load_identity
from evidence_kit.jobs.recover import discard, list_unfinished, recover
from evidence_kit.jobs.trust import load_anchors
from evidence_kit.jobs.verify import examine
from evidence_kit.jobs.workfolder import WorkFolder
from tests.fixtures_capture import PASSPHRASE, evidence_kit, new_home
from tests.processes import kill_group

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("recover")]

POINTS = 50
SEED = 20261123
WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Place:
    """Where captures are made: one home for all, so that each kill leaves its own work folder."""

    folder: Path
    home: Path
    site: DemoSite
    tsa: DemoTsa

    def start(self, output: Path, *more: str) -> subprocess.Popen[bytes]:
        """A capture as a process group of its own."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("EVIDENCE_KIT_")}
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "evidence_kit", "capture", self.site.address("threat")),
                *("--allow-private", "--tsa", self.tsa.url, "--output", str(output)),
                *("--passphrase-fd", "0", *more),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**environment, "EVIDENCE_KIT_HOME": str(self.home)},
            start_new_session=True,
        )
        assert process.stdin is not None
        process.stdin.write(f"{PASSPHRASE}\n".encode())
        process.stdin.close()
        return process

    def recover(self, capture_id: str, output: Path | None = None) -> Any:
        return recover(
            capture_id,
            load_identity(self.home, "default", PASSPHRASE.encode()),
            anchors=load_anchors(self.home, (), ()),
            home=self.home,
            progress=Silent(),
            output=output,
        )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("recover")
    with DemoSite() as site, DemoTsa() as tsa:
        yield Place(folder, new_home(folder), site, tsa)


def kill(process: subprocess.Popen[bytes]) -> None:
    """The whole group at once, as when the machine takes the terminal away."""
    kill_group(process)
    process.wait()


def ids(home: Path) -> set[str]:
    return {item.id for item in list_unfinished(home)}


def opened(bundle: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    with zipfile.ZipFile(bundle) as archive:
        record = json.loads(archive.read("data/capture.json"))
        return record, json.loads(archive.read("custody/0001-captured.json"))


def sound(bundle: Path) -> None:
    """Whole, unchanged and in agreement with itself."""
    verdict = examine(
        bundle, anchors=load_anchors(bundle.parent, (), ()), now=datetime.now(UTC)
    ).verdict
    assert verdict.section(Section.INTEGRITY) is Status.PASSED, verdict
    assert verdict.section(Section.CONTENT) is not Status.FAILED, verdict


def work_of(home: Path, output: Path) -> str | None:
    """The id of the work folder whose capture was to end in ``output``."""
    for folder in (home / "work").glob("[0-9]*/state/asked.json"):
        if json.loads(folder.read_bytes())["request"]["output"] == str(output):
            return folder.parent.parent.name
    return None


def left_behind(folder: Path) -> set[str]:
    """What stands in a removed work folder: a dying browser can make its profile once more."""
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def killed_at(place: Place, number: int, seconds: float) -> str:
    """Kill one capture, recover it, and say what became of it."""
    output = place.folder / f"out-{number}"
    process = place.start(output)
    time.sleep(seconds)
    kill(process)
    bundles = list(output.glob("*.asice")) if output.exists() else []
    for bundle in bundles:
        sound(bundle)  # what stands under a final name is whole, whenever the kill came
    left = work_of(place.home, output)
    if left is None:
        return "finished" if bundles else "not begun"
    try:
        result = place.recover(left)
    except CaptureError as error:
        assert "nothing had come in" in error.message
        assert not bundles
        assert left_behind(place.home / "work" / left) <= {"profile"}
        return "nothing yet"
    assert left_behind(place.home / "work" / left) <= {"profile"}
    assert [*output.glob("*.asice")] == [result.bundle]
    assert not list(output.glob("*.partial"))
    sound(result.bundle)
    assert result.receipt_path.exists()
    assert (place.home / "receipts" / result.receipt_path.name).exists()
    record, custody = opened(result.bundle)
    if bundles:
        return "sealed before"
    assert custody["recovered"] is True
    assert custody["seconds_until_sealing"] >= 0
    assert "capture.recovered" in [item["code"] for item in record["warnings"]]
    made = {item["file"] for item in record["artefacts"] if item["state"] == "made"}
    if record["state"] == "complete":
        assert made >= {
            *(f"data/web/{name}" for name in ("screenshot.png", "page.mhtml", "dom.txt")),
            *("data/web/text.txt", "data/web/aria.yaml", "data/web/page.pdf"),
            *("data/web/page.wacz", "data/api/exchanges.warc", "data/post.json"),
        }
        assert record["recording"]["exchanges"] > 5
        return "recovered whole"
    assert record["missing"]
    return "recovered in part"


def test_fifty_random_moments(place: Place) -> None:
    begin = time.monotonic()
    whole = place.start(place.folder / "whole")
    assert whole.wait(WAIT_SECONDS * 2) == 0
    length = time.monotonic() - begin
    moments = random.Random(SEED)
    # Imports come first and leave nothing; the interesting part is what comes after them.
    points = [moments.uniform(0.15, 1.25) * length for _ in range(POINTS)]
    with ThreadPoolExecutor(2) as pool:
        found = Counter(pool.map(lambda item: killed_at(place, *item), enumerate(points)))
    assert found.total() == POINTS
    for left in ids(place.home):  # killed before it was even written down what was asked
        with pytest.raises(CaptureError, match="nothing had come in"):
            place.recover(left)
    assert not ids(place.home)
    # Not a test of chance: with fifty points each of these has always been hit.
    assert found["recovered in part"] + found["recovered whole"] >= POINTS // 8, found


def stopped_when(place: Place, output: Path, name: str) -> str:
    """Kill a capture as soon as this file of its work folder is there; gives the id."""
    process = place.start(output)
    deadline = time.monotonic() + WAIT_SECONDS
    try:
        while time.monotonic() < deadline:
            left = work_of(place.home, output)
            if left is not None and (place.home / "work" / left / name).exists():
                return left
            time.sleep(0.002)
        raise AssertionError(f"{name} never came")
    finally:
        kill(process)


def test_what_the_browser_received_survives_the_middle_of_a_visit(
    place: Place, tmp_path: Path
) -> None:
    left = stopped_when(place, tmp_path / "out", "bag/data/web/dom.txt")
    unfinished = place.home / "work" / left / "unfinished.netlog"
    if not unfinished.exists():
        pytest.fail("the visit was over before the program could be stopped")
    result = place.recover(left)
    assert result.exit_code == 3
    record, custody = opened(result.bundle)
    assert record["state"] == "partial"
    assert record["page"]["final_url"] == place.site.address("threat")
    assert record["page"]["status"] == 200
    assert record["recording"]["exchanges"] > 3
    assert "the rest of the visit" in [item["what"] for item in record["missing"]]
    assert custody["recovered"] is True
    with zipfile.ZipFile(result.bundle) as archive:
        assert "data/web/screenshot.png" in archive.namelist()


def test_a_seal_that_was_interrupted_is_made_whole(place: Place, tmp_path: Path) -> None:
    left = stopped_when(place, tmp_path / "out", "bag/data/capture.json")
    result = place.recover(left)
    record, custody = opened(result.bundle)
    assert record["state"] in ("complete", "partial")
    if not custody["recovered"]:
        pytest.fail("the kill came too late to test anything")
    assert record["state"] == "complete"
    assert record["missing"] == []
    assert record["redactions"], "what was masked before the kill is still listed"


def test_recover_and_discard_on_the_command_line(place: Place, tmp_path: Path) -> None:
    left = stopped_when(place, tmp_path / "out", "state/page.json")
    listed = evidence_kit("recover", home=place.home)
    assert f"{left}  can be recovered" in listed.stdout
    assert "unmasked" in listed.stdout
    ended = evidence_kit("recover", left, "--passphrase-fd", "0", "--json", home=place.home)
    assert ended.returncode == 3, ended.stderr
    assert json.loads(ended.stdout)["state"] == "partial"
    assert "no unfinished captures" in evidence_kit("recover", home=place.home).stdout

    left = stopped_when(place, tmp_path / "again", "state/page.json")
    asked = evidence_kit("discard", left, home=place.home, passphrase="n")
    assert asked.returncode == 130
    assert left in ids(place.home)
    assert evidence_kit("discard", left, "--yes", home=place.home).returncode == 0
    assert left not in ids(place.home)
    gone = evidence_kit("discard", left, "--yes", "--json", home=place.home)
    assert gone.returncode == 2
    assert "no unfinished capture" in json.loads(gone.stdout)["error"]["message"]


def test_a_running_capture_is_left_alone(place: Place, tmp_path: Path) -> None:
    process = place.start(tmp_path / "out")
    try:
        deadline = time.monotonic() + WAIT_SECONDS
        while (left := work_of(place.home, tmp_path / "out")) is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with pytest.raises(InputError, match="still running"):
            discard(place.home, left)
        assert [item.state for item in list_unfinished(place.home) if item.id == left] == [
            "running"
        ]
        assert process.wait(WAIT_SECONDS) == 0
    finally:
        kill(process)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB: tmpfs where this user may mount one, else a quota by hand."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or getattr(os, "geteuid", lambda: 1)() != 0:
        pytest.fail("mounting a small file system needs root; run the tests in a container")
    subprocess.run([mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_for_the_bundle_loses_nothing(
    place: Place, tmp_path: Path, small_disk: Path
) -> None:
    (small_disk / "ballast").write_bytes(bytes(1_900_000))
    process = place.start(small_disk)
    assert process.wait(WAIT_SECONDS) == 25
    assert not list(small_disk.glob("*.asice"))
    assert not list(small_disk.glob("*.partial"))
    left = work_of(place.home, small_disk)
    assert left is not None
    with pytest.raises(EvidenceError) as still:
        place.recover(left)
    assert still.value.code == "storage-failed"
    result = place.recover(left, tmp_path / "elsewhere")
    assert result.state == "complete"
    sound(result.bundle)


def test_a_full_disk_for_the_work_folder_is_said_and_can_be_finished(
    place: Place, tmp_path: Path, small_disk: Path
) -> None:
    home = small_disk / "home"
    shutil.copytree(place.home, home, ignore=shutil.ignore_patterns("work", "receipts"))
    (home / "ballast").write_bytes(bytes(1_400_000))
    full = Place(place.folder, home, place.site, place.tsa)
    process = full.start(tmp_path / "out")
    assert process.wait(WAIT_SECONDS * 2) in (1, 21, 25)
    assert process.returncode != 1, "a full disk is no bug"
    assert not list((tmp_path / "out").glob("*.asice"))
    (home / "ballast").unlink()
    for item in list_unfinished(home):
        try:
            result = full.recover(item.id)
        except CaptureError:
            continue
        assert result.state == "partial"
        sound(result.bundle)
    assert not ids(home)


def test_a_network_that_goes_away_in_the_middle_is_a_gap(place: Place, tmp_path: Path) -> None:
    output = tmp_path / "out"
    with DemoSite() as site:
        process = Place(place.folder, place.home, site, place.tsa).start(output)
        deadline = time.monotonic() + WAIT_SECONDS
        while not any((place.home / "work").glob("*/bag/data/web/screenshot.png")):
            assert time.monotonic() < deadline
            time.sleep(0.005)
    code = process.wait(WAIT_SECONDS * 2)
    (bundle,) = output.glob("*.asice")
    sound(bundle)
    record, custody = opened(bundle)
    assert code in (3, 4), record["content_check"]  # 4 where the text had not been drawn yet
    assert record["state"] != "complete"
    assert record["missing"]
    assert custody["recovered"] is False


def test_a_state_that_cannot_be_read_changes_nothing(place: Place, tmp_path: Path) -> None:
    left = stopped_when(place, tmp_path / "out", "state/gathered.json")
    state = place.home / "work" / left / "state/gathered.json"
    kept = state.read_bytes()
    state.write_bytes(kept.replace(b'"started"', b'"begun"', 1))
    before = sorted((place.home / "work" / left).rglob("*"))
    with pytest.raises(EvidenceError, match="cannot be read"):
        place.recover(left)
    after = sorted((place.home / "work" / left).rglob("*"))
    made_again = {"page.wacz", "post.json", "private.json", "capture.json", "exchanges.warc"}
    assert not {path.name for path in set(before) - set(after)} - made_again
    state.write_bytes(kept)
    sound(place.recover(left).bundle)


def test_a_removal_that_was_cut_short_is_finished(tmp_path: Path) -> None:
    work = WorkFolder.create(tmp_path, "20261123T100000Z-01020304")
    work.release()
    gone = work.root.rename(work.root.with_name(f"removed-{work.id}"))
    assert list_unfinished(tmp_path) == []
    assert not gone.exists()


def test_a_folder_of_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no unfinished capture"):
        WorkFolder.open(tmp_path, "../../etc")
