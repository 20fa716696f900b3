"""Hosts: the services that run on them, their hypervisors, aggregates of them, and zones."""

from collections.abc import Collection
from typing import Any

import os_resource_classes as rc
import sqlalchemy as sa

from nephele.compute import messages as m
from nephele.compute.model import OPEN_MOVES, Aggregate, Hypervisor, Service
from nephele.compute.rows import load
from nephele.compute.tables import aggregates, hypervisors, migrations, servers, services
from nephele.config import SchedulerSettings
from nephele.kernel.clock import Clock, Instant, seconds
from nephele.kernel.errors import Error
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store
from nephele.placement.model import Inventory
from nephele.placement.service import Placement

COMPUTE = "nova-compute"
DOWN_AFTER = seconds(60)
"""A service that was not heard of for so long is down, as upstream's service_down_time."""
HOST_NOT_FOUND = Error("host.not_found", 404, "Compute host {host} could not be found.")
HOST_HAS_SERVERS = Error(
    "host.has_servers",
    409,
    "Unable to delete compute service that is hosting instances: host {host}.",
    "Migrate or delete the servers first.",
)
HOST_HAS_MOVES = Error(
    "host.has_moves",
    409,
    "Unable to delete compute service that has in-progress migrations: host {host}.",
    "Confirm, revert or abort the migrations first.",
)
SERVICE_NOT_FOUND = Error("service.not_found", 404, "Service {service_id} could not be found.")


class Hosts:
    """What Nova knows of its hosts.

    Args:
        store: where it is kept.
        clock: time.
        ids: names new services.
        placement: gets each host's inventory.
        settings: the first allocation ratios.
        zone: the availability zone of hosts that no aggregate puts elsewhere.
    """

    def __init__(
        self, store: Store, clock: Clock, ids: Ids, placement: Placement, settings: SchedulerSettings, zone: str
    ) -> None:
        self.store, self.clock, self.ids, self.placement = store, clock, ids, placement
        self.settings, self.default_zone = settings, zone
        self._beats: dict[tuple[str, str], Instant] = {}
        self.revision = 0
        """Grows whenever a service, hypervisor, aggregate or group changes."""

    # -- services ----------------------------------------------------------------------------------------------

    def register(self, report: m.HostReport) -> None:
        """A host reported: its service is up, its hypervisor and its inventory are as it says.  Idempotent."""
        with self.store.write() as db:
            self.register_service(report.host, COMPUTE)
            hypervisor_id = self._register_hypervisor(db, report)
            self.placement.set_host(hypervisor_id, report.hostname, self._inventories(report), report.inventory.traits)
        self.changed()

    def register_service(self, host: str, binary: str) -> None:
        """A part runs there."""
        now = self.clock.now()
        mine = sa.and_(services.c.host == host, services.c.binary == binary)
        with self.store.write() as db:
            if db.execute(services.update().where(mine).values(seen_at=now)).rowcount == 0:
                zone = self.default_zone if binary == COMPUTE else "internal"
                fresh = {"disabled": False, "disabled_reason": None, "forced_down": False}
                times = {"seen_at": now, "created_at": now, "updated_at": None}
                row = {"id": self.ids.uuid(), "host": host, "binary": binary, "zone": zone, **fresh, **times}
                db.execute(services.insert(), row)
        self._beats[host, binary] = now

    def beat(self, heartbeat: m.Heartbeat) -> None:
        """These hosts' agents are alive."""
        self.note_alive(heartbeat.hosts, (COMPUTE,))

    def note_alive(self, hosts: Collection[str], binaries: Collection[str]) -> None:
        """These services were heard of now."""
        now = self.clock.now()
        self._beats |= {(host, binary): now for host in hosts for binary in binaries}
        mine = sa.and_(services.c.host.in_(hosts), services.c.binary.in_(binaries))
        with self.store.write() as db:
            db.execute(services.update().where(mine).values(seen_at=now))

    def last_seen(self, service: Service) -> Instant:
        """When a service was heard of last."""
        return max(service.seen_at, self._beats.get((service.host, service.binary), 0))

    def is_up(self, service: Service) -> bool:
        """Whether a service was heard of lately and nobody forced it down."""
        return not service.forced_down and self.clock.now() - self.last_seen(service) < DOWN_AFTER

    def host_is_up(self, host: str) -> bool:
        """Whether a host's compute service is up; one that is unknown is not."""
        return any(self.is_up(service) for service in self.services(host=host, binary=COMPUTE))

    def services(self, *, host: str = "", binary: str = "") -> list[Service]:
        """Services, by binary and host; all, or those of a host or a kind."""
        query = services.select().order_by(services.c.binary, services.c.host)
        if host:
            query = query.where(services.c.host == host)
        if binary:
            query = query.where(services.c.binary == binary)
        with self.store.read() as db:
            return [load(Service, row) for row in db.execute(query)]

    def update_service(self, service_id: str, **values: Any) -> Service:
        """Enable, disable (with a reason), force down.  Raises SERVICE_NOT_FOUND."""
        with self.store.write() as db:
            mine = services.c.id == service_id
            db.execute(services.update().where(mine).values(updated_at=self.clock.now(), **values))
            row = db.execute(services.select().where(mine)).one_or_none()
            if row is None:
                raise SERVICE_NOT_FOUND(service_id=service_id)
            service = load(Service, row)
            if service.binary == COMPUTE and "disabled" in values:
                for hypervisor in self.hypervisors(host=service.host):
                    self.placement.set_disabled(hypervisor.id, disabled=service.disabled)
        self.changed()
        return service

    def delete_service(self, service_id: str) -> None:
        """Forget a service; with a compute host's go its hypervisor, its provider and its place in aggregates.

        Raises SERVICE_NOT_FOUND, HOST_HAS_SERVERS, HOST_HAS_MOVES.  A host whose agent runs on comes back with its
        next report.
        """
        with self.store.write() as db:
            row = db.execute(services.select().where(services.c.id == service_id)).one_or_none()
            if row is None:
                raise SERVICE_NOT_FOUND(service_id=service_id)
            service = load(Service, row)
            if service.binary == COMPUTE:
                self._forget_host(db, service.host)
            db.execute(services.delete().where(services.c.id == service_id))
            self.store.after_commit(self.changed)

    def _forget_host(self, db: sa.Connection, host: str) -> None:
        on_it = sa.and_(servers.c.host == host, servers.c.deleted_at.is_(None))
        if db.execute(sa.select(servers.c.id).where(on_it).limit(1)).first():
            raise HOST_HAS_SERVERS(host=host)
        c = migrations.c
        ends = sa.or_(c.source_host == host, c.dest_host == host)
        if db.execute(sa.select(c.id).where(ends, c.status.in_(sorted(OPEN_MOVES))).limit(1)).first():
            raise HOST_HAS_MOVES(host=host)
        for aggregate in self.aggregates():
            if host in aggregate.hosts:
                left = tuple(one for one in aggregate.hosts if one != host)
                db.execute(aggregates.update().where(aggregates.c.id == aggregate.id).values(hosts=left))
        for hypervisor in self.hypervisors(host=host):
            self.placement.remove_host(hypervisor.id)
            db.execute(hypervisors.delete().where(hypervisors.c.id == hypervisor.id))

    # -- hypervisors -------------------------------------------------------------------------------------------

    def _register_hypervisor(self, db: sa.Connection, report: m.HostReport) -> str:
        found, now = report.inventory, self.clock.now()
        facts = {
            "host": report.host,
            "kind": found.hypervisor_type,
            "version": found.hypervisor_version,
            "vcpus": found.vcpus,
            "memory_mb": found.memory_mb,
            "disk_gb": found.disk_gb,
            "cpu_info": {
                "arch": found.cpu_arch,
                "model": found.cpu_model,
                "vendor": found.cpu_vendor,
                "features": list(found.cpu_features),
            },
            "traits": found.traits,
            "supported": found.supported,
            "host_ip": report.host_ip,
            "updated_at": now,
        }
        mine = hypervisors.c.hostname == report.hostname
        known = db.execute(hypervisors.update().where(mine).values(**facts).returning(hypervisors.c.id)).scalar()
        if known is not None:
            return str(known)
        number = db.execute(sa.select(sa.func.coalesce(sa.func.max(hypervisors.c.number), 0) + 1)).scalar_one()
        fresh = {"id": self.ids.uuid(), "number": number, "hostname": report.hostname, "created_at": now}
        db.execute(hypervisors.insert(), facts | fresh)
        return str(fresh["id"])

    def _inventories(self, report: m.HostReport) -> dict[str, Inventory]:
        found, ratios = report.inventory, self.settings
        return {
            rc.VCPU: Inventory(total=found.vcpus, max_unit=found.vcpus, allocation_ratio=ratios.cpu_allocation_ratio),
            rc.MEMORY_MB: Inventory(
                total=found.memory_mb, max_unit=found.memory_mb, allocation_ratio=ratios.ram_allocation_ratio
            ),
            rc.DISK_GB: Inventory(
                total=found.disk_gb, max_unit=found.disk_gb, allocation_ratio=ratios.disk_allocation_ratio
            ),
        }

    def hypervisors(self, *, host: str = "") -> list[Hypervisor]:
        """Hypervisors in the order in which they came."""
        query = hypervisors.select().order_by(hypervisors.c.number)
        if host:
            query = query.where(hypervisors.c.host == host)
        with self.store.read() as db:
            return [load(Hypervisor, row) for row in db.execute(query)]

    def compute_hosts(self) -> list[str]:
        """The names of all compute hosts."""
        return [service.host for service in self.services(binary=COMPUTE)]

    # -- aggregates, zones, groups -----------------------------------------------------------------------------

    def aggregates(self) -> list[Aggregate]:
        """All host aggregates."""
        with self.store.read() as db:
            return [load(Aggregate, row) for row in db.execute(aggregates.select().order_by(aggregates.c.id))]

    def zones(self) -> dict[str, str]:
        """The availability zone of each compute host: its aggregate's, or the default one."""
        found = {service.host: self.default_zone for service in self.services(binary=COMPUTE)}
        for aggregate in self.aggregates():
            zone = aggregate.metadata.get("availability_zone")
            if zone:
                found |= dict.fromkeys((host for host in aggregate.hosts if host in found), zone)
        return found

    def zone_states(
        self, *, internal: bool
    ) -> list[tuple[str, bool, dict[str, list[tuple[str, bool, bool, Instant]]]]]:
        """Each zone: its name, whether a host of it is up and enabled, and by host its services.

        A service is (binary, enabled, up, last seen); `internal` adds the zone of the control plane.
        """
        zones = self.zones()
        found: dict[str, dict[str, list[tuple[str, bool, bool, Instant]]]] = {}
        for service in self.services():
            zone = zones.get(service.host, "internal") if service.binary == COMPUTE else "internal"
            if zone != "internal" or internal:
                state = (service.binary, not service.disabled, self.is_up(service), self.last_seen(service))
                found.setdefault(zone, {}).setdefault(service.host, []).append(state)
        return [
            (zone, any(enabled and up for states in hosts.values() for _, enabled, up, _ in states), hosts)
            for zone, hosts in sorted(found.items())
        ]

    def changed(self) -> None:
        """What schedulers know of hosts is out of date."""
        self.revision += 1
