"""The scheduler with a real Placement behind it: it claims what it chooses, and never twice."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from nephele.compute.scheduler.decision import Decision
from nephele.compute.scheduler.errors import NO_VALID_HOST
from nephele.compute.scheduler.messages import SELECT_HOST, FlavorWanted, GroupMembership, SelectHost
from nephele.compute.scheduler.model import HostState
from nephele.compute.scheduler.service import Scheduler
from nephele.kernel.bus import LocalBus
from nephele.kernel.clock import FakeClock
from nephele.kernel.errors import Error, Refused
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store
from nephele.placement.model import host_inventory
from nephele.placement.service import Placement

TOGETHER = Error("test.together", 409, "{host} has a member already")


class Hosts:
    """Compute's side, in memory: where each server is, and the rule of one anti-affinity group."""

    def __init__(self, states: list[HostState]) -> None:
        self.states: Sequence[HostState] = states
        self.placed: dict[str, str] = {}
        self.members: dict[str, int] = {}

    def hosts(self) -> Sequence[HostState]:
        return self.states

    def place(self, request: SelectHost, host: HostState) -> None:
        if request.group:
            if self.members.get(host.host):
                raise TOGETHER(host=host.host)
            self.members[host.host] = 1
        self.placed[request.server_id] = host.host


def ask(server: str, memory_mb: int = 100, **more: Any) -> SelectHost:
    flavor = FlavorWanted(vcpus=1, memory_mb=memory_mb, root_gb=1)
    return SelectHost(server_id=server, project_id="p", user_id="u", flavor=flavor, **more)


@pytest.fixture
def placement(store: Store, clock: FakeClock, ids: Ids) -> Placement:
    return Placement(store, clock, ids)


Made = tuple[Scheduler, Hosts]


@pytest.fixture
def make(store: Store, placement: Placement) -> Callable[..., Made]:
    def build(*memory: int) -> Made:
        states = []
        for number, size in enumerate(memory):
            name = f"host{number}"
            placement.set_host(name, name, host_inventory(vcpus=100, memory_mb=size, disk_gb=1000))
            states.append(HostState(host=name, hypervisor_hostname=name, provider_uuid=name))
        hosts = Hosts(states)
        return Scheduler(store, placement, hosts), hosts

    return build


def test_the_best_host_is_chosen_claimed_and_told(
    make: Callable[..., Made], placement: Placement, bus: LocalBus
) -> None:
    scheduler, hosts = make(1000, 3000, 2000)
    scheduler.serve(bus)
    selection = bus.call(SELECT_HOST, ask("one", 900))
    assert (selection.host, selection.hosts, selection.fitting) == ("host1", 3, 3)
    assert selection.weights == {"RAMWeigher": 1.0}
    assert selection.alternates == ("host2", "host0")
    assert placement.allocations("one") == {"host1": {"VCPU": 1, "MEMORY_MB": 900, "DISK_GB": 1}}
    assert hosts.placed == {"one": "host1"}


def test_a_dry_run_claims_nothing_and_says_everything(
    make: Callable[..., Made], placement: Placement, bus: LocalBus
) -> None:
    scheduler, hosts = make(1000, 3000)
    scheduler.serve(bus)
    selection = bus.call(SELECT_HOST, ask("one", 2000, dry_run=True, explain=True))
    assert selection.host == "host1"
    assert selection.decision
    assert [verdict.host for verdict in selection.decision.refused] == ["host0"]
    selection = bus.call(SELECT_HOST, ask("one", 9000, dry_run=True))
    assert (selection.host, selection.fitting) == ("", 0)
    assert selection.decision
    assert selection.decision.summary().startswith("No host fits: 2 of 2 short of memory, need 9000 MB")
    assert placement.allocations("one") == {}
    assert hosts.placed == {}


def test_a_refusal_has_the_reason_and_the_table(make: Callable[..., Made]) -> None:
    scheduler, _ = make(1000, 3000)
    with pytest.raises(Refused) as refused:
        scheduler.select_host(ask("one", 4096))
    assert refused.value.error is NO_VALID_HOST
    assert refused.value.message == "No host fits: 2 of 2 short of memory, need 4096 MB, best has 3000 MB"
    decision = refused.value.facts["decision"]
    assert isinstance(decision, Decision)
    assert len(decision.refused) == 2


def test_what_changes_is_seen_by_the_next_decision(make: Callable[..., Made], placement: Placement) -> None:
    scheduler, hosts = make(1000, 1000)
    assert scheduler.select_host(ask("one", 600)).host == "host0"
    assert scheduler.select_host(ask("two", 600)).host == "host1"
    placement.release("one")
    assert scheduler.select_host(ask("three", 600)).host == "host0"
    placement.release("two")
    hosts.states = [hosts.states[0], msgspec.structs.replace(hosts.states[1], enabled=False)]
    with pytest.raises(Refused, match="1 of 2 short of memory, need 600 MB, best has 400 MB; 1 of 2 disabled"):
        scheduler.select_host(ask("four", 600))
    hosts.states = [hosts.states[1]]
    with pytest.raises(Refused, match="1 of 1 disabled"):
        scheduler.select_host(ask("four", 600))
    placement.remove_host("host1")
    with pytest.raises(Refused, match="1 of 1 without vCPUs"):
        scheduler.select_host(ask("four", 600))


def in_threads(count: int, work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_every_slot_is_given_once_under_eight_threads(make: Callable[..., Made], placement: Placement) -> None:
    scheduler, hosts = make(1000, 1000, 1000)
    failed: list[str] = []

    def boot(thread: int) -> None:
        for number in range(6):
            try:
                scheduler.select_host(ask(f"{thread}-{number}", 90))
            except Refused as refused:
                failed.append(refused.message)

    in_threads(8, boot)
    assert (len(hosts.placed), len(failed)) == (33, 15)
    assert [placement.rooms(f"host{number}")["MEMORY_MB"].used for number in range(3)] == [990] * 3
    assert all("short of memory, need 90 MB, best has 10 MB" in message for message in failed)


def test_what_compute_refuses_is_unclaimed_and_the_next_host_tried(
    make: Callable[..., Made], placement: Placement
) -> None:
    scheduler, hosts = make(1000, 1000, 1000)
    group = GroupMembership(id="g", policy="anti-affinity")
    failed: list[str] = []

    def boot(thread: int) -> None:
        try:
            scheduler.select_host(ask(str(thread), group=group))
        except Refused as refused:
            failed.append(refused.message)

    in_threads(8, boot)
    assert sorted(hosts.placed.values()) == ["host0", "host1", "host2"]
    assert sum(placement.rooms(f"host{number}")["MEMORY_MB"].used for number in range(3)) == 300
    assert len(failed) == 5
    assert all(message.startswith("No host fits: 3 of 3 were lost to others: host") for message in failed)
