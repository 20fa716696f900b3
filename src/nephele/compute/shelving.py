"""Shelving, accepted: servers put away in images, and brought back."""

import sqlalchemy as sa
from msgspec import UNSET, UnsetType, structs

from nephele.compute import errors as e
from nephele.compute.hosts import Hosts
from nephele.compute.model import Task, Vm
from nephele.compute.operations.shelve import (
    BUILD_STEPS,
    IMAGE_STEPS,
    OFFLOAD_STEPS,
    SHELVE,
    SHELVE_OFFLOAD,
    UNSHELVE,
    Shelve,
    Unshelve,
)
from nephele.compute.rows import devices_of
from nephele.compute.servers import Servers
from nephele.compute.snapshots import Snapshots, image_of, is_volume_backed
from nephele.compute.tables import servers
from nephele.kernel.clock import Clock, seconds
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.kernel.ids import Ids
from nephele.kernel.operations import operations
from nephele.kernel.store import Store

AT_ONCE = 0


class Shelving:
    """nova-api's part of shelving.

    Args:
        store: the database.
        clock: time.
        ids: names the requests of offloads that nobody asked for.
        servers: takes the commands.
        snapshots: makes the images.
        hosts: for zones and hosts that are asked for by name.
        offload_after: seconds after which a shelved server leaves its host; AT_ONCE, or negative: never by itself.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: Ids,
        servers: Servers,
        snapshots: Snapshots,
        hosts: Hosts,
        offload_after: int,
    ) -> None:
        self.store, self.clock, self.ids = store, clock, ids
        self.servers, self.snapshots, self.hosts = servers, snapshots, hosts
        self.offload_after = offload_after

    def shelve(self, caller: Context, server_id: str) -> None:
        """Begin to shelve a server.  Raises WRONG_STATE, and what Glance refuses."""
        with self.store.write() as db:
            server = self.servers.check(caller, server_id, SHELVE.kind)
            data = Shelve()
            if is_volume_backed(devices_of(db, server.id)):
                data.volume_backed, data.passes = True, IMAGE_STEPS
            else:
                new = image_of(server, caller, f"{server.name}-shelved", "snapshot", {})
                data.image_id = self.snapshots.create_image(caller, server, new)
                data.passes = () if self.offload_after == AT_ONCE else OFFLOAD_STEPS
            self.servers.accept(caller, server, SHELVE.kind, data)

    def offload(self, caller: Context, server_id: str) -> None:
        """Begin to take a shelved server from its host.  Raises WRONG_STATE."""
        data = Shelve()
        self.servers.command(caller, server_id, SHELVE_OFFLOAD.kind, data, spoken="shelveOffload")

    def unshelve(self, caller: Context, server_id: str, zone: str | UnsetType | None = UNSET, host: str = "") -> None:
        """Begin to bring a server back.

        Args:
            caller: who asks.
            server_id: which server.
            zone: the zone where it is to be from now on; None: any; UNSET: as before.
            host: the host where it is to go.

        Raises WRONG_STATE, NOT_OFFLOADED, BAD_ZONE, BAD_HOST, HOST_NOT_IN_ZONE.
        """
        with self.store.write() as db:
            server = self.servers.check(caller, server_id, UNSHELVE.kind)
            if (zone is not UNSET or host) and server.vm_state != Vm.SHELVED_OFFLOADED:
                raise e.NOT_OFFLOADED(server_id=server.id, state=server.vm_state)
            pinned = server.pinned_zone if zone is UNSET else zone
            self._check_place(zone, pinned, host)
            if pinned != server.pinned_zone:
                db.execute(servers.update().where(servers.c.id == server.id).values(pinned_zone=pinned))
            offloaded = server.vm_state == Vm.SHELVED_OFFLOADED
            data = Unshelve(want_host=host, image_id=server.shelved_image_id)
            data.passes = ("start",) if offloaded else BUILD_STEPS
            self.servers.accept(caller, server, UNSHELVE.kind, data)

    def _check_place(self, zone: str | UnsetType | None, pinned: str | None, host: str) -> None:
        zones = self.hosts.zones()
        if zone and zone not in zones.values():
            raise e.BAD_ZONE(zone=zone)
        if host:
            if not self.hosts.hypervisors(host=host):
                raise e.BAD_HOST(host=host)
            if pinned and zones.get(host) != pinned:
                raise e.HOST_NOT_IN_ZONE(host=host, zone=pinned)

    def offload_old(self) -> None:
        """Offload what was shelved long enough, in the name of who shelved it."""
        if self.offload_after <= 0:
            return
        c = servers.c
        old = c.shelved_at < self.clock.now() - seconds(self.offload_after)
        due = sa.and_(c.vm_state == Vm.SHELVED, c.task_state == Task.NONE, c.deleted_at.is_(None), old)
        with self.store.read() as db:
            found = db.execute(sa.select(c.id).where(due)).scalars().all()
        for server_id in found:
            self._offload_one(server_id)

    def _offload_one(self, server_id: str) -> None:
        o = operations.c
        newest = sa.select(o.context).where(o.subject == server_id, o.kind == SHELVE.kind)
        with self.store.read() as db:
            who = db.execute(newest.order_by(o.created_at.desc()).limit(1)).scalar_one()
        try:
            self.offload(structs.replace(who, request_id=f"req-{self.ids.uuid()}"), server_id)
        except Refused:
            return  # somebody was faster
