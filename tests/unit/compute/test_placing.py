"""What the scheduler is told of hosts, and that a group's rule holds in a race."""

import threading
from collections.abc import Iterator

import pytest
from msgspec.structs import replace
from tests.unit.compute.making import a_server, add_servers

from nephele.compute.hosts import COMPUTE, DOWN_AFTER, Hosts
from nephele.compute.messages import Heartbeat, HostReport
from nephele.compute.migrations import Migrations
from nephele.compute.model import MoveStatus, MoveType, Service, Task, Vm
from nephele.compute.placing import GROUP_APART, GROUP_RULE, LOOK_EVERY, Placing, host_request
from nephele.compute.rows import server_row
from nephele.compute.scheduler.messages import GroupMembership, SelectHost
from nephele.compute.scheduler.model import HostState
from nephele.compute.tables import aggregates
from nephele.compute.virt.driver import HostInventory
from nephele.compute.virt.sim import SimWorld
from nephele.config import SchedulerSettings
from nephele.kernel.clock import FakeClock
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store
from nephele.placement.service import Placement

HOSTS = ("h1", "h2", "h3")


@pytest.fixture
def inventory(tmp_path_factory: pytest.TempPathFactory, clock: FakeClock) -> Iterator[HostInventory]:
    world = SimWorld(tmp_path_factory.mktemp("sim") / "sim.db", clock=clock)
    driver = world.host("any", vcpus=4, memory_mb=1024, disk_gb=10)
    yield driver.inventory()
    driver.close()


@pytest.fixture
def hosts(store: Store, clock: FakeClock, ids: Ids, inventory: HostInventory) -> Hosts:
    made = Hosts(store, clock, ids, Placement(store, clock, ids), SchedulerSettings(), "nova")
    for name in HOSTS:
        made.register(HostReport(host=name, hostname=name, host_ip="", inventory=inventory, guests=()))
    return made


@pytest.fixture
def placing(store: Store, hosts: Hosts) -> Placing:
    return Placing(store, hosts)


def state(placing: Placing, name: str) -> HostState:
    return next(found for found in placing.hosts() if found.host == name)


def request(server_id: str, policy: str = "", most: int = 1) -> SelectHost:
    group = GroupMembership(id="g", policy=policy, on_hosts={}, max_server_per_host=most) if policy else None
    return host_request(a_server(id=server_id), [], group)


def test_hosts_are_as_they_reported(placing: Placing) -> None:
    assert [found.host for found in placing.hosts()] == list(HOSTS)
    first = state(placing, "h1")
    assert (first.zone, first.up, first.enabled, first.num_instances) == ("nova", True, True, 0)


def test_a_silent_host_goes_down_and_comes_back(placing: Placing, hosts: Hosts, clock: FakeClock) -> None:
    assert state(placing, "h1").up
    clock.advance(DOWN_AFTER / 1e6 + 1)
    hosts.beat(Heartbeat(("h2", "h3")))
    assert (state(placing, "h1").up, state(placing, "h2").up) == (False, True)
    hosts.beat(Heartbeat(("h1",)))
    clock.advance(LOOK_EVERY / 1e6 + 1)
    assert state(placing, "h1").up


def test_an_agents_heartbeat_is_not_its_conductors(hosts: Hosts, clock: FakeClock) -> None:
    hosts.register_service("h1", "nova-conductor")
    clock.advance(DOWN_AFTER / 1e6 + 1)
    hosts.beat(Heartbeat(("h1",)))
    up = {service.binary: hosts.is_up(service) for service in hosts.services(host="h1")}
    assert up == {COMPUTE: True, "nova-conductor": False}
    hosts.note_alive(("h1",), ("nova-conductor",))
    assert all(hosts.is_up(service) for service in hosts.services(host="h1"))


def test_an_aggregates_zone_is_its_hosts(placing: Placing, hosts: Hosts, store: Store) -> None:
    assert state(placing, "h2").zone == "nova"
    with store.write() as db:
        values = {"id": 1, "uuid": "u", "name": "a", "hosts": ("h2",), "metadata": {"availability_zone": "east"}}
        db.execute(aggregates.insert(), values | {"created_at": 1})
    hosts.changed()
    assert [found.zone for found in placing.hosts()] == ["nova", "east", "nova"]
    assert state(placing, "h2").aggregates[0].metadata == {"availability_zone": "east"}
    assert {zone: up for zone, up, _ in hosts.zone_states(internal=False)} == {"east": True, "nova": True}


def test_a_disabled_host_says_why(placing: Placing, hosts: Hosts) -> None:
    service = hosts.services(host="h3", binary=COMPUTE)[0]
    hosts.update_service(service.id, disabled=True, disabled_reason="a new disk")
    assert (state(placing, "h3").enabled, state(placing, "h3").disabled_reason) == (False, "a new disk")


def test_a_change_while_hosts_are_read_is_read_the_next_time(
    placing: Placing, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The picture is as old as the number that was read before it."""
    service = hosts.services(host="h3", binary=COMPUTE)[0]
    read = hosts.services

    def read_before_a_change(**asked: str) -> list[Service]:
        found = read(**asked)
        monkeypatch.setattr(hosts, "services", read)
        hosts.update_service(service.id, disabled=True, disabled_reason="")
        return found

    monkeypatch.setattr(hosts, "services", read_before_a_change)
    assert state(placing, "h3").enabled
    assert not state(placing, "h3").enabled


def test_a_placed_server_is_on_its_host(placing: Placing, store: Store) -> None:
    server = a_server(availability_zone="")
    add_servers(store, server)
    placing.place(request(server.id), state(placing, "h2"))
    with store.read() as db:
        found = server_row(db, server.id)
    assert (found.host, found.node, found.availability_zone) == ("h2", "h2", "nova")
    assert state(placing, "h2").servers == {server.id}
    placing.note("h2", server.id, there=False)
    assert state(placing, "h2").num_instances == 0


def test_who_rolls_back_has_placed_nothing(placing: Placing, store: Store) -> None:
    server = a_server()
    add_servers(store, server)
    host = state(placing, "h2")

    def place_and_fail() -> None:
        with store.write():
            placing.place(request(server.id), host)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        place_and_fail()
    assert state(placing, "h2").servers == frozenset()


def test_busy_hosts_and_failed_launches_are_counted(placing: Placing, store: Store) -> None:
    add_servers(
        store,
        a_server(host="h1", vm_state=Vm.BUILDING),
        a_server(host="h1", task_state=Task.REBOOTING),
        a_server(host="h1"),
    )
    assert state(placing, "h1").io_ops == 2
    placing.note_build("h1", worked=False)
    placing.note_build("h1", worked=False)
    assert state(placing, "h1").failed_builds == 2
    placing.note_build("h1", worked=True)
    assert state(placing, "h1").failed_builds == 0


def test_a_group_is_kept_apart_in_a_race(placing: Placing, store: Store) -> None:
    """All chose the same host before any of them was there: one gets it."""
    members = [a_server(group_id="g") for _ in range(6)]
    add_servers(store, *members)
    host, refused = state(placing, "h1"), []

    def place(server_id: str) -> None:
        try:
            placing.place(request(server_id, "anti-affinity"), host)
        except Refused as error:
            refused.append(error.error)

    threads = [threading.Thread(target=place, args=(member.id,)) for member in members]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == [GROUP_RULE] * 5
    assert placing.group_members("g", "") == {"h1": 1}


def test_a_group_may_allow_some_on_a_host(placing: Placing, store: Store) -> None:
    members = [a_server(group_id="g") for _ in range(3)]
    add_servers(store, *members)
    for member in members[:2]:
        placing.place(request(member.id, "anti-affinity", most=2), state(placing, "h1"))
    with pytest.raises(Refused) as refused:
        placing.place(request(members[2].id, "anti-affinity", most=2), state(placing, "h1"))
    assert refused.value.error is GROUP_RULE


def test_a_group_is_kept_together(placing: Placing, store: Store) -> None:
    first, second = a_server(group_id="g"), a_server(group_id="g")
    add_servers(store, first, second)
    placing.place(request(first.id, "affinity"), state(placing, "h1"))
    with pytest.raises(Refused) as refused:
        placing.place(request(second.id, "affinity"), state(placing, "h2"))
    assert refused.value.error is GROUP_APART
    placing.place(request(second.id, "soft-affinity"), state(placing, "h2"))
    assert placing.group_members("g", first.id) == {"h2": 1}


def test_a_server_on_its_way_counts_at_both_ends(placing: Placing, store: Store) -> None:
    mover, other = a_server(group_id="g", host="h1", node="h1"), a_server(group_id="g")
    add_servers(store, mover, other)
    migrations = Migrations(store, FakeClock(), Ids())
    move = migrations.begin(Context(request_id="r"), mover, MoveType.LIVE, MoveStatus.PREPARING)
    placing.place(replace(request(mover.id, "anti-affinity"), migration=move.id), state(placing, "h2"))
    moving = migrations.show(move.id)
    assert (moving.source_host, moving.dest_host) == ("h1", "h2")
    assert placing.group_members("g", other.id) == {"h1": 1, "h2": 1}
    for host in ("h1", "h2"):
        with pytest.raises(Refused) as refused:
            placing.place(request(other.id, "anti-affinity"), state(placing, host))
        assert refused.value.error is GROUP_RULE
    migrations.update(move.id, status=MoveStatus.ERROR)
    placing.place(request(other.id, "anti-affinity"), state(placing, "h2"))
