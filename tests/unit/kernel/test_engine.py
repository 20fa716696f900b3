"""Operations: whatever happens, all of it is done or none."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa
from msgspec import Struct

from nephele.kernel import drive
from nephele.kernel.bus import LocalBus
from nephele.kernel.clock import FakeClock
from nephele.kernel.context import Context
from nephele.kernel.engine import Engine
from nephele.kernel.errors import CONFLICT
from nephele.kernel.ids import Ids
from nephele.kernel.operations import Failure, Keep, Operation, Step, Work, operations
from nephele.kernel.store import Store
from nephele.kernel.trace import read_spans


class Plan(Struct):
    made: list[str] = []
    tries: int = 0


@dataclass
class World:
    """What the steps of the test's operation act on."""

    things: list[str] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    fail_at: str = ""
    block_at: str = ""
    reached: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    ended: Failure | str | None = None

    def do(self, name: str, work: Work[Plan]) -> None:
        self.history.append(name)
        if self.block_at == name:
            self.reached.set()
            self.release.wait(10)
        if self.fail_at == name:
            work.data.tries += 1
            raise CONFLICT(reason=f"{name} does not work")
        if name not in self.things:
            self.things.append(name)
        work.data.made.append(name)

    def undo(self, name: str) -> None:
        self.history.append("-" + name)
        if name in self.things:
            self.things.remove(name)


def step(name: str) -> Step:
    return Step(name, lambda world, work: world.do(name, work), lambda world, _work: world.undo(name), event=name)


def failed(world: World, _db: sa.Connection, _work: Work[Plan], failure: Failure) -> None:
    world.ended = failure


def done(world: World, _db: sa.Connection, _work: Work[Plan]) -> None:
    world.ended = "done"


def rewind(world: World, work: Work[Plan], _failure: Failure) -> str:
    if work.data.tries >= 3 or world.block_at == "never again":
        return ""
    return "two"


STEPS = (step("one"), step("two"), Step("note", lambda *_: None, Keep("nothing is changed")), step("three"))
BUILD = Operation("build", Plan, 60, STEPS, on_done=done, on_failed=failed)
RETRY = Operation("retry", Plan, 60, STEPS, on_done=done, on_failed=failed, rewind=rewind)
CALLER = Context(request_id="req-1", user_id="u", project_id="p", token="secret")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def start(store: Store, bus: LocalBus, clock: FakeClock, ids: Ids, world: World) -> Iterator[Callable[[], Engine]]:
    engines: list[Engine] = []

    def make() -> Engine:
        engine = Engine(store, bus, clock, ids, threads=4)
        engine.register(BUILD, world)
        engine.register(RETRY, world)
        engine.start()
        engines.append(engine)
        return engine

    yield make
    world.release.set()
    for engine in engines:
        engine.stop()


def state_of(store: Store, id: str) -> str:
    with store.read() as db:
        return str(db.execute(sa.select(operations.c.state).where(operations.c.id == id)).scalar_one())


def wait_for(store: Store, id: str, *states: str) -> str:
    deadline = time.monotonic() + 10
    while (state := state_of(store, id)) not in states:
        assert time.monotonic() < deadline, f"still {state}"
        time.sleep(0.002)
    return state


def test_steps_run_in_order_and_are_recorded(start: Callable[[], Engine], store: Store, world: World) -> None:
    id = start().begin("build", Plan(), CALLER, "thing")
    assert wait_for(store, id, "done")
    assert world.things == ["one", "two", "three"]
    assert world.ended == "done"
    with store.read() as db:
        spans = read_spans(db, id)
        stored = db.execute(sa.text("SELECT context FROM operations")).scalar_one()
    assert [span.title for span in spans] == ["one", "two", "note", "three"]
    assert all(span.result == "Success" for span in spans)
    assert "secret" not in stored


@pytest.mark.parametrize("place", ["one", "two", "three"])
def test_a_failure_undoes_in_reverse(start: Callable[[], Engine], store: Store, world: World, place: str) -> None:
    world.fail_at = place
    id = start().begin("build", Plan(), CALLER, "thing")
    wait_for(store, id, "failed")
    assert world.things == []
    names = ["one", "two", "three"]
    done_before = names[: names.index(place) + 1]
    assert world.history == [*done_before, *("-" + name for name in reversed(done_before))]
    assert isinstance(world.ended, Failure)
    assert world.ended.message == f"{place} does not work"
    assert world.ended.step == place


def test_rewind_tries_again_from_an_earlier_step(start: Callable[[], Engine], store: Store, world: World) -> None:
    world.fail_at = "three"
    id = start().begin("retry", Plan(), CALLER, "thing")
    wait_for(store, id, "failed")
    again = ["two", "three", "-three", "-two"]
    assert world.history == ["one", *again, *again, "two", "three", "-three", "-two", "-one"]


@pytest.mark.parametrize("place", ["one", "two", "three"])
def test_an_interrupt_undoes_and_its_follower_waits(
    start: Callable[[], Engine], store: Store, world: World, place: str
) -> None:
    engine = start()
    world.block_at = place
    id = engine.begin("build", Plan(), CALLER, "thing")
    assert world.reached.wait(5)
    world.block_at = ""
    with store.write():
        first = engine.interrupt("thing", "delete")
        follower = engine.begin("retry", Plan(), CALLER, "thing", after=first)
    assert first == id
    time.sleep(0.05)
    assert state_of(store, follower) == "pending"
    world.release.set()
    assert wait_for(store, id, "interrupted", "done") == "interrupted"
    wait_for(store, follower, "done")
    assert world.things == ["one", "two", "three"]


@pytest.mark.parametrize("place", ["one", "two", "three"])
def test_a_new_engine_resumes_what_a_dead_one_left(
    start: Callable[[], Engine], store: Store, world: World, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = start()
    world.block_at = place
    id = dead.begin("build", Plan(), CALLER, "thing")
    assert world.reached.wait(5)
    world.block_at = ""
    start()
    wait_for(store, id, "done")
    world.release.set()
    assert world.things == ["one", "two", "three"]
    assert world.history.count(place) == 2


def test_a_lost_message_only_delays(start: Callable[[], Engine], store: Store, world: World, clock: FakeClock) -> None:
    engine = start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.bus, "cast", lambda *_args, **_more: None)
        id = engine.begin("build", Plan(), CALLER, "thing")
    time.sleep(0.05)
    assert state_of(store, id) == "pending"
    clock.advance(6)
    engine.tick()
    wait_for(store, id, "done")


def test_an_overdue_operation_fails_naming_its_step(
    start: Callable[[], Engine], store: Store, world: World, clock: FakeClock
) -> None:
    engine = start()
    world.block_at = "two"
    id = engine.begin("build", Plan(), CALLER, "thing")
    assert world.reached.wait(5)
    clock.advance(61)
    engine.tick()
    wait_for(store, id, "failed")
    assert isinstance(world.ended, Failure)
    assert "step two" in world.ended.message
    world.release.set()


def test_an_undo_that_fails_is_tried_again(
    start: Callable[[], Engine], store: Store, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drive, "UNDO_PAUSES", (0.01, 0.01))
    tries = []

    def shaky(name: str) -> None:
        tries.append(name)
        if len(tries) < 3:
            raise OSError("disk on fire")
        world.things.clear()

    monkeypatch.setattr(world, "undo", shaky)
    world.fail_at = "two"
    id = start().begin("build", Plan(), CALLER, "thing")
    wait_for(store, id, "failed")
    assert world.things == []


def test_running_names_what_is_under_way(start: Callable[[], Engine], store: Store, world: World) -> None:
    engine = start()
    world.block_at = "one"
    id = engine.begin("build", Plan(), CALLER, "thing")
    assert world.reached.wait(5)
    assert engine.running("thing") == ["build"]
    world.release.set()
    wait_for(store, id, "done")
    assert engine.running("thing") == []


def test_an_engine_that_looks_at_nothing_any_more_does_not_count_as_running(
    start: Callable[[], Engine], clock: FakeClock
) -> None:
    engine = start()
    assert engine.is_running()
    clock.advance(31)
    assert not engine.is_running()
    engine.tick()
    assert engine.is_running()


def test_ends_are_counted(start: Callable[[], Engine], store: Store, world: World) -> None:
    engine = start()
    world.fail_at = "two"
    engine.begin("build", Plan(), CALLER, "thing")
    deadline = time.monotonic() + 10
    while not engine.ended and time.monotonic() < deadline:
        time.sleep(0.002)
    assert engine.ended == {("build", "failed"): 1}


def test_who_waits_for_another_operation_lets_it_run(store: Store, bus: LocalBus, clock: FakeClock, ids: Ids) -> None:
    running, most, arrived = [0], [0], threading.Event()

    def first(_parts: object, work: Work[Plan]) -> None:
        while not arrived.is_set():
            assert not work.pause(0.001)
            running[0] += 1
            most[0] = max(most[0], running[0])
            running[0] -= 1

    def second(_parts: object, _work: Work[Plan]) -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        time.sleep(0.02)
        running[0] -= 1
        arrived.set()

    engine = Engine(store, bus, clock, ids, threads=4, at_once=1)
    for kind, do in (("first", first), ("second", second)):
        engine.register(Operation(kind, Plan, 60, (Step(kind, do, Keep("nothing is changed")),)), None)
    engine.start()
    try:
        ids_of = [engine.begin(kind, Plan(), CALLER, kind) for kind in ("first", "first", "second")]
        for id in ids_of:
            assert wait_for(store, id, "done", "failed") == "done"
    finally:
        engine.stop()
    assert most == [1]
