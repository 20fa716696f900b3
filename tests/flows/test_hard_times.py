"""A database that is held by somebody else, and a disk that is full: what was accepted is done once they are over."""

import os
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.flows.conftest import connect
from tests.flows.test_durability import assert_clean, create, settle
from tests.running import RunningCloud, running_cloud

HELD = 10.0


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    with running_cloud(Path(tmp_path_factory.mktemp("held")) / "state") as running:
        yield running


def hold(database: Path, until: threading.Event) -> None:
    """Keep every writer out of the database."""
    db = sqlite3.connect(database, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    until.wait(HELD)
    db.execute("ROLLBACK")
    db.close()


def test_a_database_that_is_locked_for_ten_seconds_loses_nothing(cloud: RunningCloud) -> None:
    demo = connect(cloud, "nephele")
    running = create(demo)
    assert settle(demo, running) == "ACTIVE"
    building = create(demo)  # its launch is under way when the lock comes
    begun, over = time.monotonic(), threading.Event()
    holder = threading.Thread(target=hold, args=(cloud.state_dir / "nephele.db", over))
    holder.start()
    try:
        time.sleep(0.2)
        assert demo.compute.delete(f"/servers/{running}").status_code == 204
        assert time.monotonic() - begun > HELD - 1, "it was not held"
    finally:
        over.set()
        holder.join()
    assert settle(demo, building) == "ACTIVE"
    assert settle(demo, running) == "GONE"
    demo.compute.delete(f"/servers/{building}")
    assert settle(demo, building) == "GONE"
    assert_clean(cloud)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts file systems")
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> Path:
    """Take all that is left of a file system."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            pass
        try:
            while True:
                file.write(b"x" * 512)
        except OSError:
            pass
    return filler


def test_a_full_disk_refuses_what_it_cannot_keep_and_forgets_nothing(small_disk: Path) -> None:
    with running_cloud(small_disk / "state") as cloud:
        demo = connect(cloud, "nephele")
        kept = create(demo)
        assert settle(demo, kept) == "ACTIVE"
        filler = fill(small_disk)
        answers = [demo.compute.post(f"/servers/{kept}/action", json={"os-stop": None})]
        answers += [demo.network.post("/networks", json={"network": {"name": "n" * 200}}) for _ in range(40)]
        refused = [answer for answer in answers if answer.status_code >= 500]
        assert refused, "the disk was not full"
        assert {answer.status_code for answer in refused} == {503}, [answer.text for answer in refused][:2]
        assert "No space left" in refused[0].text or "full" in refused[0].text
        assert demo.compute.get(f"/servers/{kept}").status_code == 200, "looking needs no disk"
        filler.unlink()
        assert settle(demo, kept) in ("ACTIVE", "SHUTOFF")
        demo.compute.delete(f"/servers/{kept}")
        assert settle(demo, kept, seconds=60) == "GONE"
        assert_clean(cloud)
