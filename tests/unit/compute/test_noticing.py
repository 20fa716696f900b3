"""Power states that the hypervisor noticed, and what servers make of them."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.unit.compute.making import a_server, add_servers

from nephele.compute import messages as m
from nephele.compute.agent import agent as agent_module
from nephele.compute.agent.agent import ComputeAgent
from nephele.compute.agent.host import Host
from nephele.compute.messages.moving import REPORT_REMOVED
from nephele.compute.model import Fault, Task, Vm
from nephele.compute.rows import server_row
from nephele.compute.states import Noticed, States
from nephele.compute.virt.driver import GuestSpec, PowerState
from nephele.compute.virt.sim import SimWorld
from nephele.kernel.bus import LocalBus
from nephele.kernel.clock import Clock
from nephele.kernel.store import Store

OFF, ON = PowerState.SHUTDOWN, PowerState.RUNNING


@pytest.mark.parametrize(
    ("vm", "task", "seen", "becomes", "noticed"),
    [
        (Vm.ACTIVE, Task.NONE, OFF, Vm.STOPPED, Noticed.FOLLOWED),
        (Vm.ACTIVE, Task.NONE, PowerState.CRASHED, Vm.STOPPED, Noticed.FOLLOWED),
        (Vm.PAUSED, Task.NONE, OFF, Vm.STOPPED, Noticed.FOLLOWED),
        (Vm.PAUSED, Task.NONE, ON, Vm.ACTIVE, Noticed.FOLLOWED),
        (Vm.ACTIVE, Task.UPDATING_PASSWORD, OFF, Vm.ACTIVE, Noticed.TOO_EARLY),
        (Vm.STOPPED, Task.NONE, ON, Vm.STOPPED, Noticed.UNWANTED),
        (Vm.STOPPED, Task.POWERING_ON, ON, Vm.STOPPED, Noticed.FOLLOWED),
        (Vm.RESCUED, Task.NONE, OFF, Vm.RESCUED, Noticed.FOLLOWED),
        (Vm.SUSPENDED, Task.NONE, OFF, Vm.SUSPENDED, Noticed.FOLLOWED),
        (Vm.ERROR, Task.NONE, ON, Vm.ERROR, Noticed.FOLLOWED),
    ],
)
def test_a_server_follows_its_guest(
    store: Store, clock: Clock, vm: Vm, task: Task, seen: PowerState, becomes: Vm, noticed: Noticed
) -> None:
    server = a_server(host="h", vm_state=vm, task_state=task)
    add_servers(store, server)
    with store.write() as db:
        assert States(clock).notice_power(db, server.id, "another", seen) is Noticed.FOLLOWED
        assert server_row(db, server.id) == server
        assert States(clock).notice_power(db, server.id, "h", seen) is noticed
        found = server_row(db, server.id)
    assert (found.vm_state, found.task_state, found.power_state) == (becomes, task, seen)


def test_a_guest_that_ended_meanwhile_is_seen_at_the_end_of_a_command(store: Store, clock: Clock) -> None:
    done, failed = (a_server(host="h", task_state=Task.UPDATING_PASSWORD) for _ in range(2))
    add_servers(store, done, failed)
    states = States(clock)
    with store.write() as db:
        states.notice_power(db, failed.id, "h", PowerState.CRASHED)
        shown = states.fail(db, failed.id, None, Fault(code=409, message="not set", created_at=1))
        assert shown is not None
        assert shown.vm_state == Vm.STOPPED
        shown = states.arrive(db, done.id, Vm.ACTIVE, OFF)
        assert shown is not None
        assert shown.vm_state == Vm.STOPPED


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def test_what_was_told_too_early_is_told_again(
    tmp_path: Path, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_module, "AGAIN_AFTER", 0.01)
    told: list[PowerState] = []

    def hear(report: m.PowerReport) -> m.PowerHeard:
        told.append(report.power_state)
        return m.PowerHeard(again=len(told) < 3)

    bus, world = LocalBus(), SimWorld(tmp_path / "guests.db")
    driver = world.host("h")
    bus.serve(m.REPORT_POWER, hear)
    bus.serve(m.REPORT_HOST, lambda _: m.HostOrders())
    bus.serve(REPORT_REMOVED, lambda _: None)
    nothing: Any = None
    ComputeAgent(Host("h", driver, nothing, nothing, bus, world.clock)).start(pool)
    spec = GuestSpec(
        server_id="11111111-2222-4333-8444-555555555555",
        name="web",
        domain_name="instance-1",
        project_id="p",
        user_id="u",
        flavor_name="f",
        vcpus=1,
        memory_mb=64,
        disks=(),
        nics=(),
    )
    driver.spawn(spec)
    deadline = time.monotonic() + 5
    while len(told) < 3:
        assert time.monotonic() < deadline, told
        time.sleep(0.01)
    time.sleep(0.1)
    assert told == [ON] * 3
    bus.close()
    world.close()
