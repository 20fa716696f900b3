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
from nephele.volume.policy import RULES
from nephele.volume.routes import api
from nephele.volume.service import Volumes
from nephele.volume.work import OPERATIONS

STEPS = [(operation.kind, step.name) for operation in OPERATIONS for step in operation.steps]
BY_KIND = {operation.kind: operation for operation in OPERATIONS}
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
        backend = FileBackend(tmp_path / "volumes")
        volumes = Volumes(store, SystemClock(), ids, engine, glance, [backend])
        for operation in OPERATIONS:
            engine.register(change(operation), volumes.parts)
        volumes.seed()
        engine.start()
        engines.append(engine)
        return Cinder(volumes, http(api(volumes, Policy(RULES))), glance, backend)

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


def force_away(cinder: Cinder) -> None:
    """Whatever state things are in, an administrator gets rid of them."""
    for kind in ("snapshots", "volumes"):
        for thing in cinder("GET", f"/{kind}").json()[kind]:
            path = f"/{kind}/{thing['id']}"
            cinder("POST", f"{path}/action", as_="admin", json={"os-force_delete": {}})
            assert cinder.settled(path) == {}


def assert_clean(cinder: Cinder) -> None:
    assert cinder.backend.disks() == set()
    assert cinder.volumes.leftovers() == []
    assert [path.name for path in cinder.backend.root.rglob("*") if path.is_file()] == [".lock"]


ALL_WELL = {
    "created": "available",
    "extended": "available",
    "snapped": "available",
    "reverted": "available",
    "reimaged": "available",
    "uploaded": "available",
    "dropped": "gone",
    "deleted": "gone",
}


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


def test_every_step_twice(build: Build, data: Path) -> None:
    def change(operation: Operation[Any]) -> Operation[Any]:
        return replace(operation, steps=tuple(twice(step) for step in operation.steps))

    cinder = build(change)
    assert walk(cinder, data) == ALL_WELL
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
    seen = walk(cinder, data)
    where, status = FAILS_TO[kind]
    assert seen[where] == status
    assert any("does not answer" in found["user_message"] for found in cinder("GET", "/messages").json()["messages"])
    cinder = build(lambda operation: operation)
    force_away(cinder)
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
    assert walk(first, data) == ALL_WELL
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
