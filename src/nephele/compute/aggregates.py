"""Host aggregates: which hosts belong together, what is said of them, and the zone that they make."""

from collections.abc import Sequence

import sqlalchemy as sa

from nephele.compute.hosts import HOST_NOT_FOUND, Hosts
from nephele.compute.model import Aggregate
from nephele.compute.rows import load
from nephele.compute.tables import aggregates, servers
from nephele.kernel.clock import Clock
from nephele.kernel.errors import Error
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store
from nephele.placement.service import Placement

ZONE = "availability_zone"
"""The metadata item that makes an aggregate an availability zone."""
AGGREGATE_NOT_FOUND = Error("aggregate.not_found", 404, "Aggregate {aggregate_id} could not be found.")
NAME_TAKEN = Error("aggregate.exists", 409, "Aggregate {name} already exists.")
HAS_HOST = Error("aggregate.has_host", 409, "Aggregate {aggregate_id} already has host {host}.")
HOST_NOT_IN = Error("aggregate.host_not_in", 404, "Aggregate {aggregate_id} has no host {host}.")
NOT_EMPTY = Error("aggregate.not_empty", 400, "Cannot remove aggregate {aggregate_id}: it still has hosts.")
IN_OTHER_ZONE = Error(
    "aggregate.in_other_zone",
    409,
    "Host {host} is in availability zone {zone} already: a host can be in one only.",
    "Take it out of the aggregate that makes that zone first.",
)
ZONE_IN_USE = Error(
    "aggregate.zone_in_use",
    409,
    "Host {host} has servers: its availability zone cannot change from {zone} to {wanted}.",
    "Move or delete the servers of the host first.",
)


class Aggregates:
    """All host aggregates.

    Args:
        store: where they are.
        clock: time.
        ids: names them.
        hosts: which hosts there are; told of changes.
        placement: hears which providers belong to which aggregates.
    """

    def __init__(self, store: Store, clock: Clock, ids: Ids, hosts: Hosts, placement: Placement) -> None:
        self.store, self.clock, self.ids, self.hosts, self.placement = store, clock, ids, hosts, placement

    def show(self, aggregate_id: int) -> Aggregate:
        """One of them.  Raises AGGREGATE_NOT_FOUND."""
        with self.store.read() as db:
            row = db.execute(aggregates.select().where(aggregates.c.id == aggregate_id)).one_or_none()
        if row is None:
            raise AGGREGATE_NOT_FOUND(aggregate_id=aggregate_id)
        return load(Aggregate, row)

    def create(self, name: str, zone: str | None) -> Aggregate:
        """A new one without hosts.  Raises NAME_TAKEN."""
        with self.store.write() as db:
            self._check_name(db, name)
            times = {"created_at": self.clock.now(), "updated_at": None}
            values = {"uuid": self.ids.uuid(), "name": name, "hosts": (), "metadata": {ZONE: zone} if zone else {}}
            made = db.execute(aggregates.insert().values(**values, **times).returning(aggregates.c.id)).scalar_one()
            self.store.after_commit(self.hosts.changed)
            return self.show(made)

    def update(self, aggregate_id: int, name: str | None, zone: str | None) -> Aggregate:
        """Another name, another zone; None: as it is.  Raises NAME_TAKEN, IN_OTHER_ZONE, ZONE_IN_USE."""
        with self.store.write() as db:
            old = self.show(aggregate_id)
            metadata = old.metadata
            if zone is not None:
                self._check_zone(db, old, old.hosts, zone)
                metadata = metadata | {ZONE: zone}
            if name is not None and name != old.name:
                self._check_name(db, name)
            return self._write(db, old, name=name or old.name, metadata=metadata)

    def set_metadata(self, aggregate_id: int, changes: dict[str, str | None]) -> Aggregate:
        """Set items; those that are None are removed.  Raises IN_OTHER_ZONE, ZONE_IN_USE."""
        with self.store.write() as db:
            old = self.show(aggregate_id)
            if ZONE in changes:
                self._check_zone(db, old, old.hosts, changes[ZONE] or self.hosts.default_zone)
            merged = {**old.metadata, **changes}
            return self._write(db, old, metadata={key: value for key, value in merged.items() if value is not None})

    def add_host(self, aggregate_id: int, host: str) -> Aggregate:
        """Let a host belong to it.  Raises HOST_NOT_FOUND, HAS_HOST, IN_OTHER_ZONE, ZONE_IN_USE."""
        with self.store.write() as db:
            old = self.show(aggregate_id)
            if host not in self.hosts.compute_hosts():
                raise HOST_NOT_FOUND(host=host)
            if host in old.hosts:
                raise HAS_HOST(aggregate_id=aggregate_id, host=host)
            if old.metadata.get(ZONE):
                self._check_zone(db, old, [host], old.metadata[ZONE])
            changed = self._write(db, old, hosts=(*old.hosts, host))
            self._tell_placement(changed, host, belongs=True)
            return changed

    def remove_host(self, aggregate_id: int, host: str) -> Aggregate:
        """Let a host belong to it no more.  Raises HOST_NOT_IN, ZONE_IN_USE."""
        with self.store.write() as db:
            old = self.show(aggregate_id)
            if host not in old.hosts:
                raise HOST_NOT_IN(aggregate_id=aggregate_id, host=host)
            if old.metadata.get(ZONE):
                self._check_zone(db, old, [host], self.hosts.default_zone)
            changed = self._write(db, old, hosts=tuple(one for one in old.hosts if one != host))
            self._tell_placement(changed, host, belongs=False)
            return changed

    def delete(self, aggregate_id: int) -> None:
        """Remove one that has no hosts.  Raises NOT_EMPTY."""
        with self.store.write() as db:
            if self.show(aggregate_id).hosts:
                raise NOT_EMPTY(aggregate_id=aggregate_id)
            db.execute(aggregates.delete().where(aggregates.c.id == aggregate_id))
            self.store.after_commit(self.hosts.changed)

    def _check_name(self, db: sa.Connection, name: str) -> None:
        if db.execute(sa.select(aggregates.c.id).where(aggregates.c.name == name)).first():
            raise NAME_TAKEN(name=name)

    def _check_zone(self, db: sa.Connection, aggregate: Aggregate, hosts: Sequence[str], wanted: str) -> None:
        """No host may be in two zones, and none with servers may change its zone."""
        zones = self.hosts.zones()
        for other in self.hosts.aggregates():
            zone = other.metadata.get(ZONE)
            if zone and zone != wanted and other.id != aggregate.id:
                for host in set(hosts) & set(other.hosts):
                    raise IN_OTHER_ZONE(host=host, zone=zone)
        moving = [host for host in hosts if zones.get(host, wanted) != wanted]
        used = sa.select(servers.c.host).where(servers.c.host.in_(moving), servers.c.deleted_at.is_(None)).limit(1)
        busy = db.execute(used).scalar()
        if busy is not None:
            raise ZONE_IN_USE(host=busy, zone=zones[busy], wanted=wanted)

    def _write(self, db: sa.Connection, old: Aggregate, **values: object) -> Aggregate:
        change = aggregates.update().where(aggregates.c.id == old.id).values(updated_at=self.clock.now(), **values)
        db.execute(change)
        self.store.after_commit(self.hosts.changed)
        return self.show(old.id)

    def _tell_placement(self, aggregate: Aggregate, host: str, *, belongs: bool) -> None:
        """The providers of a host get the aggregate, or lose it; what an operator set besides stays."""
        for hypervisor in self.hosts.hypervisors(host=host):
            had = self.placement.aggregates(hypervisor.id)
            wanted = had | {aggregate.uuid} if belongs else had - {aggregate.uuid}
            self.placement.set_aggregates(hypervisor.id, wanted)
