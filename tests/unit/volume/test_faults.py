"""A full disk, a store that fails, a backend that hangs: state and reason are seen, no data is lost or mixed."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.volume.conftest import Cinder

from nephele.kernel.clock import seconds
from nephele.kernel.operations import operations
from nephele.volume.backends import copying, file
from nephele.volume.stores.file import FileStore
from nephele.volume.work import CREATE, TAKE_SNAPSHOT

FULL = OSError(28, "No space left on device")
Fail = Callable[[], None]


@pytest.fixture
def volume(cinder: Cinder) -> str:
    """A volume with something on it."""
    made = str(cinder.volume()["id"])
    with (cinder.backend.root / f"volume-{made}").open("r+b") as disk:
        disk.write(b"mine")
    return made


def content(cinder: Cinder, volume_id: str) -> bytes:
    with (cinder.backend.root / f"volume-{volume_id}").open("rb") as disk:
        return disk.read(4)


def reason(cinder: Cinder, id: str) -> str:
    return str(cinder("GET", f"/messages?resource_uuid={id}").json()["messages"][0]["user_message"])


def full(*_: object) -> None:
    raise FULL


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fail]:
    """From then on nothing more can be written to volumes' disks."""

    def fail() -> None:
        for name in ("pwrite", "truncate"):
            monkeypatch.setattr(os, name, full)
        monkeypatch.setattr(copying, "share_blocks", lambda *_: False)
        monkeypatch.setattr(file, "write_blocks", full)

    yield fail
    monkeypatch.undo()


def test_no_room_for_a_snapshot(cinder: Cinder, volume: str, no_room: Fail, monkeypatch: pytest.MonkeyPatch) -> None:
    no_room()
    snapshot = cinder.snapshot(volume)
    assert (snapshot["status"], "GB left" in reason(cinder, snapshot["id"])) == ("error", True)
    monkeypatch.undo()
    assert cinder("DELETE", f"/snapshots/{snapshot['id']}").status_code == 202
    assert cinder.settled(f"/snapshots/{snapshot['id']}") == {}
    assert content(cinder, volume) == b"mine"
    assert cinder.volumes.leftovers() == []


def test_no_room_for_a_restored_backup(
    cinder: Cinder, volume: str, no_room: Fail, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = cinder("POST", "/backups", json={"backup": {"volume_id": volume}}).json()["backup"]["id"]
    assert cinder.settled(f"/backups/{made}")["status"] == "available"
    no_room()
    cinder("POST", f"/backups/{made}/restore", json={"restore": {"volume_id": volume}})
    assert cinder.settled(f"/volumes/{volume}")["status"] == "error_restoring"
    assert ("GB left" in reason(cinder, volume), content(cinder, volume)) == (True, b"mine")
    monkeypatch.undo()
    cinder("POST", f"/backups/{made}/restore", json={"restore": {"volume_id": volume}})
    assert cinder.settled(f"/volumes/{volume}")["status"] == "available"
    assert content(cinder, volume) == b"mine"


def test_no_room_for_a_backup(cinder: Cinder, volume: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put = FileStore.put

    def fill_up(store: FileStore, name: str, data: bytes) -> None:
        put(store, name, data)
        monkeypatch.setattr(os, "fsync", full)

    monkeypatch.setattr(FileStore, "put", fill_up)
    made = cinder("POST", "/backups", json={"backup": {"volume_id": volume}}).json()["backup"]["id"]
    backup = cinder.settled(f"/backups/{made}")
    assert (backup["status"], "No space left" in backup["fail_reason"]) == ("error", True)
    monkeypatch.undo()
    assert cinder("GET", f"/volumes/{volume}").json()["volume"]["status"] == "available"
    assert list(cinder.volumes.parts.backups.names("")) == []
    assert cinder("DELETE", f"/backups/{made}").status_code == 202
    assert cinder.settled(f"/backups/{made}") == {}


@pytest.mark.parametrize("operation", [CREATE, TAKE_SNAPSHOT])
def test_a_backend_that_hangs(cinder: Cinder, volume: str, operation: Any) -> None:
    """Past its deadline the operation is over, says at which step it was, and what it made can be deleted."""
    hangs = iter([True])

    def hang(parts: Any, work: Any) -> None:
        if next(hangs, False):
            with parts.store.write() as db:
                mine = operations.update().where(operations.c.id == work.id)
                db.execute(mine.values(deadline=parts.clock.now() - seconds(1)))
            time.sleep(3)
        disk.do(parts, work)

    disk = operation.steps[-1]
    steps = (*operation.steps[:-1], replace(disk, do=hang))
    cinder.volumes.parts.engine.register(replace(operation, steps=steps), cinder.volumes.parts)
    if operation is CREATE:
        made = cinder.volume()
        path = f"/volumes/{made['id']}"
    else:
        made = cinder.snapshot(volume)
        path = f"/snapshots/{made['id']}"
    assert (made["status"], "step disk" in reason(cinder, made["id"])) == ("error", True)
    assert cinder("DELETE", path).status_code == 202
    assert cinder.settled(path) == {}
    time.sleep(1.5)
    assert content(cinder, volume) == b"mine"
    leftovers = cinder.volumes.leftovers()
    for leftover in leftovers:
        cinder.volumes.remove_leftover(leftover)
    assert cinder.volumes.leftovers() == []


def test_a_directory_that_vanished_is_named(cinder: Cinder, volume: str) -> None:
    Path(cinder.backend.root / f"volume-{volume}").unlink()
    snapshot = cinder.snapshot(volume)
    assert (snapshot["status"], "is missing" in reason(cinder, snapshot["id"])) == ("error", True)
    assert cinder("DELETE", f"/snapshots/{snapshot['id']}").status_code == 202
    assert cinder.settled(f"/snapshots/{snapshot['id']}") == {}
    assert cinder("DELETE", f"/volumes/{volume}").status_code == 202
    assert cinder.settled(f"/volumes/{volume}") == {}
