"""What the scheduler knows of hosts, and how a server is put on the one that it chose."""

import threading
from collections import Counter
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from msgspec.structs import replace

from nephele.compute.hosts import COMPUTE, Hosts
from nephele.compute.model import OPEN_MOVES, BlockDevice, FlavorInfo, Hypervisor, Server, Service, Task, Vm
from nephele.compute.scheduler.messages import FlavorWanted, GroupMembership, SelectHost
from nephele.compute.scheduler.model import Aggregate, HostState
from nephele.compute.tables import migrations, servers
from nephele.kernel.clock import seconds
from nephele.kernel.errors import Error
from nephele.kernel.statements import Statement
from nephele.kernel.store import Store

_MOVING = migrations.c.status.in_(sorted(OPEN_MOVES))
LOOK_EVERY = seconds(1)
"""How often it is looked which hosts are up."""
GROUP_RULE = Error(
    "scheduler.group_rule", 409, "Host {host} already has {count} servers of anti-affinity group {group_id}."
)
GROUP_APART = Error("scheduler.group_apart", 409, "The servers of affinity group {group_id} are on {host}.")


_c = servers.c
_PLACE = Statement(servers.update().where(_c.id == sa.bindparam("server")), sets=("host", "node", "availability_zone"))
_HEAD_FOR = Statement(
    migrations.update().where(migrations.c.id == sa.bindparam("migration")),
    sets=("dest_host", "dest_node", "dest_zone", "dest_ip"),
)
_BUSY = Statement(
    sa.select(_c.host, sa.func.count())
    .where(_c.deleted_at.is_(None), sa.or_(_c.vm_state == Vm.BUILDING, _c.task_state != Task.NONE))
    .group_by(_c.host)
)


class Placing:
    """The scheduler's source of hosts (`HostSource`): the tables of compute, kept as values between decisions.

    Which servers each host has is kept up to date by those that place and remove them in this process; what
    another process did is seen at the latest when `place` checks the truth.
    """

    def __init__(self, store: Store, hosts: Hosts) -> None:
        self.store = store
        self._hosts = hosts
        self._lock = threading.Lock()
        self._revision = -1
        self._states: list[HostState] = []
        self._index: dict[str, int] = {}
        self._busy: Counter[str] = Counter()
        self._services: dict[str, Service] = {}
        self._looked_at = 0
        self._failed: Counter[str] = Counter()

    def hosts(self) -> Sequence[HostState]:
        """Every compute host."""
        with self._lock:
            revision = self._hosts.revision
            if self._revision != revision:
                self._build(self._hosts.services(binary=COMPUTE))
                self._revision = revision
            self._refresh()
            return self._states

    def place(self, request: SelectHost, host: HostState) -> None:
        """Write the server's host, or its migration's, unless its group's rule forbids that now.

        Raises GROUP_RULE, GROUP_APART.
        """
        group = request.group
        with self.store.write() as db:
            if group is not None and group.policy in ("affinity", "anti-affinity"):
                self._check_group(db, request.server_id, group, host.host)
            node, zone = host.hypervisor_hostname, host.zone
            if request.migration:
                dest = {"dest_host": host.host, "dest_node": node, "dest_zone": zone, "dest_ip": host.ip_address}
                _HEAD_FOR.run(db, migration=request.migration, **dest)
            else:
                _PLACE.run(db, server=request.server_id, host=host.host, node=node, availability_zone=zone)
        self.store.after_commit(lambda: self.note(host.host, request.server_id, there=True))

    def note(self, host: str, server_id: str, *, there: bool) -> None:
        """A server came to a host, or left it."""
        with self._lock:
            place = self._index.get(host)
            if place is None:
                return
            state = self._states[place]
            now = state.servers | {server_id} if there else state.servers - {server_id}
            self._put({place: replace(state, servers=now, num_instances=len(now))})

    def note_gone(self, hosts: Iterable[str], server_id: str) -> None:
        """A server is on none of these hosts."""
        for host in hosts:
            self.note(host, server_id, there=False)

    def note_build(self, host: str, *, worked: bool) -> None:
        """A launch worked or failed on a host; failures count until the next that works."""
        with self._lock:
            self._failed[host] = 0 if worked else self._failed[host] + 1

    def group_members(self, group_id: str, server_id: str) -> dict[str, int]:
        """How many other servers of the group each host has; one that is on its way counts at both of its ends."""
        c, move = servers.c, migrations.c
        others = sa.and_(c.group_id == group_id, c.deleted_at.is_(None), c.id != server_id)
        ends = [
            sa.select(move.server_id, end).join(servers, c.id == move.server_id).where(others, end != "", _MOVING)
            for end in (move.source_host, move.dest_host)
        ]
        places = sa.union(sa.select(c.id, c.host).where(others, c.host != ""), *ends).subquery()
        with self.store.read() as db:
            rows = db.execute(sa.select(places.c.host, sa.func.count().label("members")).group_by(places.c.host))
            return {row.host: row.members for row in rows}

    def _check_group(self, db: sa.Connection, server_id: str, group: GroupMembership, host: str) -> None:
        self.store.lock(f"group:{group.id}")
        members = self.group_members(group.id, server_id)
        if group.policy == "anti-affinity" and members.get(host, 0) >= group.max_server_per_host:
            raise GROUP_RULE(host=host, count=members[host], group_id=group.id)
        if group.policy == "affinity" and members and host not in members:
            raise GROUP_APART(host=", ".join(members), group_id=group.id)

    def _build(self, services: list[Service]) -> None:
        by_host: dict[str, set[str]] = {}
        c = servers.c
        with self.store.read() as db:
            for server_id, host in db.execute(sa.select(c.id, c.host).where(c.deleted_at.is_(None), c.host != "")):
                by_host.setdefault(host, set()).add(server_id)
        zones, found = self._hosts.zones(), self._hosts.aggregates()
        hypervisors = {hypervisor.host: hypervisor for hypervisor in self._hosts.hypervisors()}
        self._looked_at = 0
        self._states = [
            _state(
                service,
                hypervisors[service.host],
                zones[service.host],
                tuple(Aggregate(id=a.id, name=a.name, metadata=a.metadata) for a in found if service.host in a.hosts),
                frozenset(by_host.get(service.host, ())),
            )
            for service in services
            if service.host in hypervisors
        ]
        self._services = {service.host: service for service in services}
        self._index = {state.host: place for place, state in enumerate(self._states)}
        self._busy = Counter()

    def _refresh(self) -> None:
        """What changes all the time: who is up, how busy hosts are, where launches failed."""
        with self.store.read() as db:
            busy = Counter({host: count for host, count in _BUSY.rows(db) if host in self._index})
        changed: dict[int, HostState] = {}
        for host in busy.keys() | self._busy.keys() | self._failed.keys():
            place = self._index.get(host)
            if place is not None:
                state = self._states[place]
                if (state.io_ops, state.failed_builds) != (busy[host], self._failed[host]):
                    changed[place] = replace(state, io_ops=busy[host], failed_builds=self._failed[host])
        now = self._hosts.clock.now()
        if now - self._looked_at > LOOK_EVERY:
            self._looked_at = now
            for place, state in enumerate(self._states):
                up = self._hosts.is_up(self._services[state.host])
                if up != state.up:
                    changed[place] = replace(changed.get(place, state), up=up)
        self._busy = busy
        self._put(changed)

    def _put(self, changed: dict[int, HostState]) -> None:
        if changed:
            states = list(self._states)
            for place, state in changed.items():
                states[place] = state
            self._states = states


def _state(
    service: Service, hypervisor: Hypervisor, zone: str, aggregates: tuple[Aggregate, ...], there: frozenset[str]
) -> HostState:
    cpu = {f"cpu_info:{name}": value for name, value in hypervisor.cpu_info.items() if isinstance(value, str)}
    return HostState(
        host=service.host,
        hypervisor_hostname=hypervisor.hostname,
        provider_uuid=hypervisor.id,
        zone=zone,
        aggregates=aggregates,
        enabled=not service.disabled,
        disabled_reason=service.disabled_reason or "",
        num_instances=len(there),
        servers=there,
        ip_address=hypervisor.host_ip,
        supported=hypervisor.supported,
        hypervisor_type=hypervisor.kind,
        hypervisor_version=hypervisor.version,
        capabilities=cpu,
    )


def host_request(
    server: Server,
    devices: list[BlockDevice],
    group: GroupMembership | None,
    *,
    host: str = "",
    node: str = "",
    exclude: tuple[str, ...] = (),
    flavor: FlavorInfo | None = None,
    migration: int = 0,
    forced: bool = False,
) -> SelectHost:
    """What the scheduler is asked for a server; `host` and `node` where it must be a certain one.

    `flavor` where it is to have another, `migration` the number of the one that takes it there;
    `forced` where its `host` is not to be checked.
    """
    flavor = flavor or server.flavor
    root = next((device for device in devices if device.boot_index == 0), None)
    return SelectHost(
        server_id=server.id,
        project_id=server.project_id,
        user_id=server.user_id,
        flavor=FlavorWanted(
            name=flavor.name,
            vcpus=flavor.vcpus,
            memory_mb=flavor.ram,
            root_gb=flavor.disk,
            ephemeral_gb=flavor.ephemeral,
            swap_mb=flavor.swap,
            extra_specs=flavor.extra_specs,
        ),
        volume_backed=root is not None and root.destination == "volume",
        image_id=server.image_id,
        image_properties=server.image.properties,
        availability_zone=server.pinned_zone or "",
        host=host,
        hypervisor_hostname=node,
        exclude_hosts=frozenset(exclude),
        hints={name: tuple(values) for name, values in server.hints.items()},
        group=group,
        migration=migration,
        forced=forced,
    )
