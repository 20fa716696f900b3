"""Cinder's operations: every step twice, a fault at every step, a crash at every step; nothing is left behind."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import CALLERS, Http
from tests.unit.volume.conftest import Cinder, FakeGlance

from nephele.kernel.bus import LocalBus
from nephele.kernel.clock import SystemClock
from nephele.kernel.engine import Engine
from nephele.kernel.errors import UNAVAILABLE
from nephele.kernel.ids import Ids
from nephele.kernel.operations import Keep, Operation, Step
from nephele.kernel.policy import Policy
from nephele.kernel.store import Store
from nephele.volume.backends.file import FileBackend
from nephele.volume.operations import ALL
from nephele.volume.policy import RULES
from nephele.volume.routes import api
from nephele.volume.service import Volumes
from nephele.volume.stores.file import FileStore

STEPS = [(operation.kind, step.name) for operation in ALL for step in operation.steps]
Build = Callable[[Callable[[Operation[Any]], Operation[Any]]], Cinder]


@pytest.fixture
def build(store: Store, bus: LocalBus, ids: Ids, http: Callable[..., Http], tmp_path: Path) -> Iterator[Build]:
    """Cinder with operations changed by the test; built again on the same database and disks it is the next process."""
    engines: list[Engine] = []
    glance = FakeGlance()

    def make(change: Callable[[Operation[Any]], Operation[Any]]) -> Cinder:
        for engine in engines:
            engine.stop()
        engine = Engine(store, bus, SystemClock(), ids, threads=4)
        backends = [FileBackend(tmp_path / "volumes"), FileBackend(tmp_path / "other", "other")]
        kept = FileStore(tmp_path / "backups")
        volumes = Volumes(store, SystemClock(), ids, engine, glance, backends, backup_store=kept)
        for operation in ALL:
            engine.register(change(operation), volumes.parts)
        volumes.seed()
        engine.start()
        engines.append(engine)
        return Cinder(volumes, http(api(volumes, Policy(RULES))), glance, backends[0])

    yield make
    engines[-1].stop()


def changed(kind: str, name: str, do: Callable[[Step], Step]) -> Callable[[Operation[Any]], Operation[Any]]:
    """Change one step of one kind of operation."""

    def change(operation: Operation[Any]) -> Operation[Any]:
        steps = tuple(do(step) if (operation.kind, step.name) == (kind, name) else step for step in operation.steps)
        return replace(operation, steps=steps)

    return change


def walk(cinder: Cinder, data: Path) -> dict[str, str]:
    """Use every operation once, as far as each gets; the statuses that things arrived at."""
    seen: dict[str, str] = {}

    def note(name: str, path: str) -> dict[str, Any]:
        found = cinder.settled(path)
        seen[name] = found.get("status", "gone")
        return found

    image = next(iter(cinder.glance.images.values()), None) or cinder.glance.add(data)
    body = {"volume": {"size": 1, "imageRef": image.id}}
    volume = cinder("POST", "/volumes", json=body).json()["volume"]["id"]
    path = f"/volumes/{volume}"
    note("created", path)
    cinder.act(volume, "os-extend", {"new_size": 2})
    note("extended", path)
    cinder.act(volume, "os-reset_status", {"status": "available"}, as_="admin")
    answer = cinder("POST", "/snapshots", json={"snapshot": {"volume_id": volume}})
    snapshot = answer.json()["snapshot"]["id"]
    note("snapped", f"/snapshots/{snapshot}")
    cinder.act(volume, "revert", {"snapshot_id": snapshot})
    note("reverted", path)
    cinder.act(volume, "os-reset_status", {"status": "available"}, as_="admin")
    cinder.act(volume, "os-reimage", {"image_id": image.id})
    note("reimaged", path)
    cinder.act(volume, "os-reset_status", {"status": "available"}, as_="admin")
    cinder.act(volume, "os-volume_upload_image", {"image_name": "i"})
    note("uploaded", path)
    cinder("DELETE", f"/snapshots/{snapshot}")
    note("dropped", f"/snapshots/{snapshot}")
    cinder("DELETE", path)
    note("deleted", path)
    return seen


def look(cinder: Cinder, seen: dict[str, str], name: str, path: str) -> None:
    """Note the status at which what is at the path arrives."""
    seen[name] = cinder.settled(path, as_="admin").get("status", "gone")


def walk_backups(cinder: Cinder, _data: Path) -> dict[str, str]:
    """The same, for the operations of backups."""
    seen: dict[str, str] = {}
    volume = cinder("POST", "/volumes", json={"volume": {"size": 1}}).json()["volume"]["id"]
    look(cinder, seen, "volume", f"/volumes/{volume}")
    with (cinder.backend.root / f"volume-{volume}").open("r+b") as file:
        file.write(b"mine")
    attach = {"instance_uuid": "c" * 8 + "-cccc-cccc-cccc-" + "c" * 12, "mountpoint": "/dev/vdb"}
    cinder.act(volume, "os-attach", attach)
    made = cinder("POST", "/backups", json={"backup": {"volume_id": volume, "force": True}})
    backup = f"/backups/{made.json()['backup']['id']}"
    look(cinder, seen, "backed up", backup)
    look(cinder, seen, "in use", f"/volumes/{volume}")
    cinder.act(volume, "os-detach", {})
    record = cinder("GET", f"{backup}/export_record", as_="admin").json()
    if seen["backed up"] == "available":
        with cinder.volumes.parts.store.write() as db:
            db.exec_driver_sql("DELETE FROM volume_backups")
        cinder("POST", "/backups/import_record", as_="admin", json=record)
        look(cinder, seen, "imported", backup)
        cinder("POST", f"{backup}/action", as_="admin", json={"os-reset_status": {"status": "available"}})
        cinder("POST", f"{backup}/restore", as_="admin", json={"restore": {"volume_id": volume}})
        look(cinder, seen, "restored", f"/volumes/{volume}")
        look(cinder, seen, "still there", backup)
    cinder("DELETE", backup, as_="admin")
    look(cinder, seen, "forgotten", backup)
    cinder("DELETE", f"/volumes/{volume}")
    look(cinder, seen, "deleted", f"/volumes/{volume}")
    return seen


def walk_groups(cinder: Cinder, _data: Path) -> dict[str, str]:
    """The same, for the operations of groups."""
    seen: dict[str, str] = {}
    kind = {"group_type": {"name": "together"}}
    cinder("POST", "/group_types", as_="admin", json=kind)
    words = {"group": {"group_type": "together", "volume_types": ["__DEFAULT__"]}}
    group = cinder("POST", "/groups", json=words).json()["group"]["id"]
    volume = cinder("POST", "/volumes", json={"volume": {"size": 1, "group_id": group}}).json()["volume"]["id"]
    look(cinder, seen, "volume", f"/volumes/{volume}")
    taken = cinder("POST", "/group_snapshots", json={"group_snapshot": {"group_id": group}}).json()
    snapshot = f"/group_snapshots/{taken['group_snapshot']['id']}"
    look(cinder, seen, "snapped", snapshot)
    copy = cinder("POST", "/groups/action", json={"create-from-src": {"source_group_id": group}}).json()["group"]["id"]
    look(cinder, seen, "cloned", f"/groups/{copy}")
    cinder("DELETE", snapshot)
    look(cinder, seen, "dropped", snapshot)
    for name, one in (("deleted", group), ("clone deleted", copy)):
        cinder("POST", f"/groups/{one}/action", json={"delete": {"delete-volumes": True}})
        look(cinder, seen, name, f"/groups/{one}")
    return seen


def walk_moving(cinder: Cinder, _data: Path) -> dict[str, str]:
    """The same, for what goes from one backend to another, or comes from outside and leaves again."""
    seen: dict[str, str] = {}
    volume = cinder("POST", "/volumes", json={"volume": {"size": 1}}).json()["volume"]["id"]
    path = f"/volumes/{volume}"
    look(cinder, seen, "volume", path)
    cinder.act(volume, "os-migrate_volume", {"host": "nephele@other#other"}, as_="admin")
    look(cinder, seen, "moved", path)
    found = cinder("GET", path, as_="admin").json()["volume"]
    seen["migration"] = f"{found['migration_status']} to {found['os-vol-host-attr:host']}"
    cinder.act(volume, "os-unmanage", as_="admin")
    look(cinder, seen, "given up", path)
    wish = {"host": "nephele@other", "ref": {"source-name": f"volume-{volume}"}}
    answer = cinder("POST", "/manageable_volumes", as_="admin", json={"volume": wish})
    if answer.status_code == 202:
        path = f"/volumes/{answer.json()['volume']['id']}"
    look(cinder, seen, "taken in", path)
    cinder("DELETE", path, as_="admin")
    look(cinder, seen, "deleted", path)
    return seen


def force_away(cinder: Cinder) -> None:
    """Whatever state things are in, an administrator gets rid of them."""
    for group in cinder("GET", "/group_snapshots").json()["group_snapshots"]:
        path = f"/group_snapshots/{group['id']}"
        cinder("POST", f"{path}/action", as_="admin", json={"reset_status": {"status": "error"}})
        assert cinder("DELETE", path).status_code == 202
        assert cinder.settled(path) == {}
    for kind in ("backups", "snapshots", "volumes"):
        for thing in cinder("GET", f"/{kind}?all_tenants=1", as_="admin").json()[kind]:
            path = f"/{kind}/{thing['id']}"
            cinder("POST", f"{path}/action", as_="admin", json={"os-force_delete": {}})
            assert cinder.settled(path, as_="admin") == {}
    for group in cinder("GET", "/groups").json()["groups"]:
        path = f"/groups/{group['id']}"
        cinder("POST", f"{path}/action", as_="admin", json={"reset_status": {"status": "error"}})
        assert cinder("POST", f"{path}/action", json={"delete": {}}).status_code == 202
        assert cinder.settled(path) == {}


def assert_clean(cinder: Cinder) -> None:
    for backend in cinder.volumes.parts.backends:
        for found in backend.manageable():
            backend.adopt(found.name, "volume-found")
            backend.delete("volume-found")
        assert backend.disks() == set()
    assert cinder.volumes.leftovers() == []
    assert [path.name for path in cinder.backend.root.rglob("*") if path.is_file()] in ([".lock"], [])
    assert list(cinder.volumes.parts.backups.names("")) == []


VOLUMES_WELL = {
    "created": "available",
    "extended": "available",
    "snapped": "available",
    "reverted": "available",
    "reimaged": "available",
    "uploaded": "available",
    "dropped": "gone",
    "deleted": "gone",
}
BACKUPS_WELL = {
    "volume": "available",
    "backed up": "available",
    "in use": "in-use",
    "imported": "available",
    "restored": "available",
    "still there": "available",
    "forgotten": "gone",
    "deleted": "gone",
}
GROUPS_WELL = {
    "volume": "available",
    "snapped": "available",
    "cloned": "available",
    "dropped": "gone",
    "deleted": "gone",
    "clone deleted": "gone",
}
MOVING_WELL = {
    "volume": "available",
    "moved": "available",
    "migration": "success to nephele@other#other",
    "given up": "gone",
    "taken in": "available",
    "deleted": "gone",
}
WALKS = {
    "volume": (walk, VOLUMES_WELL),
    "backup": (walk_backups, BACKUPS_WELL),
    "group": (walk_groups, GROUPS_WELL),
    "moving": (walk_moving, MOVING_WELL),
}


def of_kind(kind: str) -> str:
    """Which walk uses a kind of operation."""
    if kind in ("volume.migrate", "volume.manage", "volume.unmanage"):
        return "moving"
    return {"snapshot": "volume", "group_snapshot": "group"}.get(kind.partition(".")[0], kind.partition(".")[0])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(b"boot")
    return path


def twice(step: Step) -> Step:
    def do(parts: Any, work: Any) -> None:
        step.do(parts, work)
        step.do(parts, work)

    return replace(step, do=do)


@pytest.mark.parametrize("name", WALKS)
def test_every_step_twice(build: Build, data: Path, name: str) -> None:
    def change(operation: Operation[Any]) -> Operation[Any]:
        return replace(operation, steps=tuple(twice(step) for step in operation.steps))

    cinder = build(change)
    use, well = WALKS[name]
    assert use(cinder, data) == well
    assert_clean(cinder)


FAILS_TO = {
    "volume.create": ("created", "error"),
    "volume.delete": ("deleted", "error_deleting"),
    "volume.extend": ("extended", "error_extending"),
    "snapshot.create": ("snapped", "error"),
    "snapshot.delete": ("dropped", "error_deleting"),
    "volume.upload": ("uploaded", "available"),
    "volume.revert": ("reverted", "error"),
    "volume.reimage": ("reimaged", "error"),
    "volume.migrate": ("moved", "available"),
    "volume.manage": ("taken in", "error_managing"),
    "volume.unmanage": ("given up", "error"),
    "backup.create": ("backed up", "error"),
    "backup.import": ("imported", "error"),
    "backup.restore": ("restored", "error_restoring"),
    "backup.delete": ("forgotten", "error_deleting"),
    "group.create": ("cloned", "error"),
    "group.delete": ("deleted", "error_deleting"),
    "group_snapshot.create": ("snapped", "error"),
    "group_snapshot.delete": ("dropped", "error_deleting"),
}


@pytest.mark.parametrize(("kind", "name"), STEPS)
def test_a_fault_at_every_step(build: Build, data: Path, kind: str, name: str) -> None:
    def fail_after(step: Step) -> Step:
        def do(parts: Any, work: Any) -> None:
            step.do(parts, work)
            raise UNAVAILABLE(what="The storage")

        def undo(parts: Any, work: Any) -> None:
            if not isinstance(step.undo, Keep):
                step.undo(parts, work)
                step.undo(parts, work)

        return replace(step, do=do, undo=step.undo if isinstance(step.undo, Keep) else undo)

    cinder = build(changed(kind, name, fail_after))
    seen = WALKS[of_kind(kind)][0](cinder, data)
    where, status = FAILS_TO[kind]
    assert seen[where] == status
    told = cinder("GET", "/messages?all_tenants=1", as_="admin").json()["messages"]
    moved = kind == "volume.migrate" and name != "copy"
    assert moved or any("does not answer" in found["user_message"] for found in told)
    cinder = build(lambda operation: operation)
    force_away(cinder)
    if moved:
        for old_disk in cinder.volumes.leftovers():
            cinder.volumes.remove_leftover(old_disk)
    assert_clean(cinder)


@pytest.mark.parametrize(("kind", "name"), STEPS)
def test_a_crash_at_every_step(build: Build, data: Path, kind: str, name: str) -> None:
    """The process dies after the step was done and before that was noted; the next one goes on."""
    died: list[bool] = []

    class Death(BaseException):
        pass

    def die_after(step: Step) -> Step:
        def do(parts: Any, work: Any) -> None:
            step.do(parts, work)
            if not died:
                died.append(True)
                raise Death

        return replace(step, do=do)

    first = build(changed(kind, name, die_after))
    ask = first.http

    def ask_whoever_lives(*words: Any, **options: Any) -> Any:
        if died == [True]:
            died.append(True)
            build(lambda operation: operation)
        return ask(*words, **options)

    first.http = ask_whoever_lives  # type: ignore[assignment]
    use, well = WALKS[of_kind(kind)]
    assert use(first, data) == well
    assert died == [True, True]
    assert_clean(first)


def test_a_full_disk(build: Build, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cinder = build(lambda operation: operation)

    def full(_fd: int, _size: int) -> None:
        raise OSError(28, "No space left on device")

    volume = cinder.volume()["id"]
    monkeypatch.setattr("nephele.volume.backends.file.os.truncate", full)
    cinder.act(volume, "os-extend", {"new_size": 2})
    found = cinder.settled(f"/volumes/{volume}")
    assert (found["status"], found["size"]) == ("error_extending", 1)
    assert "GB left" in cinder("GET", "/messages").json()["messages"][0]["user_message"]
    assert cinder.volumes.quotas.usages(CALLERS["member"].project_id)["gigabytes"].in_use == 1
    assert cinder("DELETE", f"/volumes/{volume}").status_code == 202
    assert cinder.settled(f"/volumes/{volume}") == {}


def test_a_source_that_is_deleted_is_first_read_to_its_end(build: Build, data: Path) -> None:
    import threading

    go = threading.Event()

    def slow(step: Step) -> Step:
        def do(parts: Any, work: Any) -> None:
            if work.data.source:
                assert go.wait(10)
            step.do(parts, work)

        return replace(step, do=do)

    cinder = build(changed("volume.create", "disk", slow))
    first = cinder.volume()["id"]
    clone = cinder("POST", "/volumes", json={"volume": {"source_volid": first}}).json()["volume"]["id"]
    assert cinder("DELETE", f"/volumes/{first}").status_code == 202
    go.set()
    assert cinder.settled(f"/volumes/{clone}")["status"] == "available"
    assert cinder.settled(f"/volumes/{first}") == {}
