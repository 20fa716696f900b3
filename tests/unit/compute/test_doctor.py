"""What doctor says of guests: what begins or ends while it looks is not wrong."""

from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from tests.unit.compute.making import a_server, add_servers

from nephele.compute.doctor import _guests
from nephele.compute.findings import Kind
from nephele.compute.messages import LIST_GUESTS, Guests, ListGuests
from nephele.compute.migrations import Migrations
from nephele.compute.model import MoveStatus, MoveType, Server, Vm
from nephele.compute.tables import servers
from nephele.compute.virt.driver import Guest, PowerState
from nephele.kernel.bus import LocalBus
from nephele.kernel.clock import FakeClock
from nephele.kernel.context import Context
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store


class OneHost:
    """A cloud of one host, `h1`, whose guests are told by `guests`; `meanwhile` happens while it is asked."""

    def __init__(self, store: Store, bus: LocalBus) -> None:
        self.store, self.guests, self.asides = store, set[str](), set[str]()
        self.migrations = Migrations(store, FakeClock(), Ids())
        self.meanwhile: Any = lambda: None
        self.compute: Any = SimpleNamespace(
            store=store,
            bus=bus,
            migrations=self.migrations,
            hosts=SimpleNamespace(compute_hosts=lambda: ["h1", *self.silent]),
        )
        self.silent: list[str] = []
        bus.serve(LIST_GUESTS, self._list, at="h1")

    def _list(self, _ask: ListGuests) -> Guests:
        self.meanwhile()
        power = PowerState.RUNNING
        found = [Guest(server_id=id, domain_name="", power_state=power) for id in sorted(self.guests)]
        off = PowerState.NOSTATE
        kept = [Guest(server_id=id, domain_name="", power_state=off, set_aside=True) for id in sorted(self.asides)]
        return Guests((*found, *kept))

    def add(self, *new: Server, running: bool = True) -> None:
        add_servers(self.store, *new)
        if running:
            self.guests |= {server.id for server in new}

    def look(self) -> list[tuple[Kind, str]]:
        return [(finding.kind, finding.subject) for finding in _guests(self.compute)]


@pytest.fixture
def cloud(store: Store, bus: LocalBus) -> OneHost:
    return OneHost(store, bus)


def test_a_guest_on_its_host_is_well(cloud: OneHost) -> None:
    cloud.add(a_server(host="h1"))
    assert cloud.look() == []


def test_a_guest_whose_server_is_gone_or_elsewhere(cloud: OneHost) -> None:
    gone, moved = a_server(deleted_at=5, vm_state=Vm.DELETED), a_server(host="h2")
    cloud.add(gone, moved)
    assert sorted(cloud.look()) == sorted([(Kind.GUEST, gone.id), (Kind.GUEST, moved.id)])


def test_a_guest_that_we_know_nothing_of_is_none_of_our_business(cloud: OneHost) -> None:
    cloud.guests.add("another cloud's")
    assert cloud.look() == []


def test_a_server_that_should_run_and_does_not(cloud: OneHost) -> None:
    lost = a_server(host="h1")
    cloud.add(lost, a_server(host="h1", vm_state=Vm.STOPPED, power_state=4), running=False)
    assert cloud.look() == [(Kind.GUEST_GONE, lost.id)]


def test_a_server_that_begins_meanwhile_is_well(cloud: OneHost) -> None:
    cloud.meanwhile = lambda: cloud.add(a_server(host="h1"))
    assert cloud.look() == []


def test_a_server_that_begins_after_its_host_answered_is_well(cloud: OneHost) -> None:
    cloud.meanwhile = lambda: cloud.add(a_server(host="h1"), running=False)
    assert cloud.look() == []


def test_a_server_that_ends_meanwhile_is_well(cloud: OneHost, store: Store) -> None:
    server = a_server(host="h1")
    cloud.add(server)

    def end() -> None:
        cloud.guests.clear()
        with store.write() as db:
            change = sa.update(servers).where(servers.c.id == server.id)
            db.execute(change.values(deleted_at=5, host="", vm_state=Vm.DELETED))

    cloud.meanwhile = end
    assert cloud.look() == []


def test_a_host_that_does_not_answer(cloud: OneHost) -> None:
    cloud.silent = ["h9"]
    assert cloud.look() == [(Kind.HOST_SILENT, "h9")]


def test_disks_that_are_set_aside_for_nothing(cloud: OneHost) -> None:
    alive, dead = a_server(host="h1"), a_server(deleted_at=5, vm_state=Vm.DELETED)
    cloud.add(alive, dead)
    cloud.guests.remove(dead.id)
    cloud.asides |= {alive.id, dead.id, "another cloud's"}
    found = {finding.subject: finding for finding in _guests(cloud.compute)}
    assert {finding.kind for finding in found.values()} == {Kind.ASIDE}
    assert {subject: finding.reaps for subject, finding in found.items()} == {alive.id: False, dead.id: True}


def test_what_a_resize_may_come_back_to_is_well(cloud: OneHost) -> None:
    resized = a_server(host="h1")
    cloud.add(resized, running=False)
    move = cloud.migrations.begin(Context(request_id="r"), resized, MoveType.RESIZE, MoveStatus.FINISHED)
    with cloud.store.write() as db:
        db.execute(servers.update().values(host="h2", vm_state=Vm.RESIZED))
    cloud.asides.add(resized.id)
    assert cloud.look() == []
    cloud.migrations.update(move.id, status=MoveStatus.CONFIRMED)
    assert cloud.look() == [(Kind.ASIDE, resized.id)]
