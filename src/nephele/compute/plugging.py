"""Volumes of servers, as users plug them in and out."""

import logging

import sqlalchemy as sa

from nephele.compute import rows
from nephele.compute.devices import next_name, wanted_name
from nephele.compute.errors import (
    INVALID_VOLUME,
    MULTIATTACH_SHELVED,
    NOT_HELD,
    NOT_IDLE,
    NOT_MIGRATING,
    ROOT_VOLUME,
    TAG_SHELVED,
    VOLUME_NOT_ATTACHED,
)
from nephele.compute.model import BlockDevice, Server, Task, Vm
from nephele.compute.operations.plugging import Extend, Plug
from nephele.compute.servers import Servers
from nephele.compute.tables import block_devices, servers
from nephele.kernel.clock import Clock
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.kernel.ids import Ids
from nephele.volume.model import Volume, VolumeStatus
from nephele.volume.service import Volumes

log = logging.getLogger(__name__)
_GONE = Vm.SHELVED_OFFLOADED


class Plugging:
    """Attaches and detaches volumes.

    Args:
        servers: whose volumes they are.
        volumes: Cinder.
        clock: time.
        ids: names block devices.
    """

    def __init__(self, servers: Servers, volumes: Volumes, clock: Clock, ids: Ids) -> None:
        self.servers, self.volumes, self.clock, self.ids = servers, volumes, clock, ids
        self.store = servers.store

    def attach(
        self,
        caller: Context,
        server_id: str,
        volume_id: str,
        *,
        device: str = "",
        tag: str = "",
        delete_on_termination: bool = False,
    ) -> BlockDevice:
        """Accept that a volume is attached; it is reserved, and the server's row is there.

        Args:
            caller: who asks.
            server_id: to which server.
            volume_id: which volume.
            device: `/dev/vdc`; the letter counts, the bus says the rest.  Empty: the next one.
            tag: how the guest's metadata calls it.
            delete_on_termination: whether it goes with the server.

        Raises:
            As `Servers.check`; VOLUME_NOT_FOUND, INVALID_VOLUME where it is attached or its status does not let it,
            DEVICE_TAKEN, BAD_DEVICE, TAG_SHELVED, MULTIATTACH_SHELVED.
        """
        with self.store.write() as db:
            server = self.servers.check(caller, server_id, "attach_volume")
            volume = self.volumes.show(caller, volume_id)
            self._check_not_attached(db, server, volume)
            if server.vm_state == _GONE and tag:
                raise TAG_SHELVED()
            if server.vm_state == _GONE and volume.multiattach:
                raise MULTIATTACH_SHELVED()
            bus = server.image.properties.get("hw_disk_bus", "virtio")
            name = self._free_name(db, server, bus, device)
            new = BlockDevice(
                id=self.ids.uuid(),
                server_id=server.id,
                device_name=name,
                source="volume",
                destination="volume",
                boot_index=None,
                image_id="",
                snapshot_id="",
                volume_id=volume_id,
                attachment_id=self._reserve(caller, server, volume_id),
                volume_type="",
                size_gb=volume.size_gb,
                guest_format="",
                disk_bus=bus,
                device_type="disk",
                delete_on_termination=delete_on_termination,
                tag=tag,
                created_at=self.clock.now(),
            )
            rows.insert_devices(db, [new])
            self.servers.accept(caller, server, "attach_volume", _plug(new))
        return new

    def detach(self, caller: Context, server_id: str, volume_id: str) -> None:
        """Accept that a volume is detached.

        Raises:
            As `Servers.check`; VOLUME_NOT_FOUND, VOLUME_NOT_ATTACHED, ROOT_VOLUME, INVALID_VOLUME by its status.
        """
        with self.store.write() as db:
            self.servers.show(caller, server_id)
            volume = self.volumes.show(caller, volume_id)
            device = self._attached(db, server_id, volume_id)
            if device.boot_index == 0:
                raise ROOT_VOLUME()
            server = self.servers.check(caller, server_id, "detach_volume")
            gone = server.vm_state == _GONE
            if not (gone and volume.status != VolumeStatus.IN_USE):
                self._begin_detach(caller, volume_id)
            plug = _plug(device, discard=gone and device.delete_on_termination)
            self.servers.accept(caller, server, "detach_volume", plug)

    def swap(self, caller: Context, server_id: str, old_id: str, new_id: str) -> None:
        """Put another volume in the place of one that Cinder is moving.

        Raises VOLUME_NOT_FOUND, NOT_MIGRATING: there is one backend, so no volume ever moves to another.
        """
        self.servers.show(caller, server_id)
        old = self.volumes.show(caller, old_id)
        raise NOT_MIGRATING(volume_id=old.id, new_id=new_id)

    def extended(self, context: Context, volume_id: str) -> None:
        """A volume has grown: the guests that have it are told, each by an operation of its own.

        A guest that is off, or on no host, sees it when it starts.
        """
        for server, device in self._holders(volume_id):
            self.tell_extended(context, server, device)

    def tell_extended(self, context: Context, server: Server, device: BlockDevice) -> None:
        """Have one guest told of a volume's size."""
        if not server.host or server.task_state == Task.DELETING:
            return
        with self.store.write() as db:
            size_gb = self.volumes.show(context, device.volume_id).size_gb
            db.execute(block_devices.update().where(block_devices.c.id == device.id).values(size_gb=size_gb))
            plug = _plug(device)
            data = Extend(
                device_id=plug.device_id,
                volume_id=plug.volume_id,
                attachment_id=plug.attachment_id,
                size_gb=size_gb,
            )
            self.servers.accept(context, server, "extend_volume", data)

    def assist_snapshot(self, caller: Context, volume_id: str, snapshot_id: str) -> None:
        """Snapshots that only a hypervisor can make are made by none of ours: Cinder is told, where it knows this one.

        Raises NOT_HELD where no server has the volume, NOT_IDLE while something is being done to the server.
        """
        holders = self._holders(volume_id)
        if not holders:
            raise NOT_HELD(volume_id=volume_id)
        server, _ = holders[0]
        if server.task_state != Task.NONE or not server.host:
            raise NOT_IDLE(server_id=server.id, task=server.task_state or "being on no host")
        try:
            self.volumes.snapshots.reset_status(caller, snapshot_id, "error")
        except Refused as refused:
            log.info("snapshot %s of volume %s: %s", snapshot_id, volume_id, refused.message)

    def _holders(self, volume_id: str) -> list[tuple[Server, BlockDevice]]:
        c = block_devices.c
        with self.store.read() as db:
            held = [
                rows.block_device(row) for row in db.execute(block_devices.select().where(c.volume_id == volume_id))
            ]
            found = [(rows.server_row(db, device.server_id), device) for device in held]
        return [(server, device) for server, device in found if server.deleted_at is None]

    def _check_not_attached(self, db: sa.Connection, server: Server, volume: Volume) -> None:
        c = block_devices.c
        alive = sa.select(c.server_id).join(servers, servers.c.id == c.server_id)
        query = alive.where(c.volume_id == volume.id, servers.c.deleted_at.is_(None))
        holders = list(db.execute(query).scalars())
        if holders and not volume.multiattach:
            reason = f"volume {volume.id} is already attached to instances: {' '.join(holders)}"
            raise INVALID_VOLUME(reason=reason)
        if server.id in holders:
            raise INVALID_VOLUME(reason=f"volume {volume.id} already attached")

    def _free_name(self, db: sa.Connection, server: Server, bus: str, wanted: str) -> str:
        taken = [device.device_name for device in rows.devices_of(db, server.id)]
        if server.config_drive and bus != "virtio":
            taken.append(next_name(taken, bus))  # the drive itself has the first name that no row has
        return wanted_name(wanted, taken, bus) if wanted else next_name(taken, bus)

    def _reserve(self, caller: Context, server: Server, volume_id: str) -> str:
        try:
            return self.volumes.reserve(caller, volume_id, server.id)
        except Refused as refused:
            if refused.status == 404:
                raise
            raise INVALID_VOLUME(reason=refused.message) from None

    def _begin_detach(self, caller: Context, volume_id: str) -> None:
        try:
            self.volumes.begin_detach(caller, volume_id)
        except Refused as refused:
            raise INVALID_VOLUME(reason=refused.message) from None

    def _attached(self, db: sa.Connection, server_id: str, volume_id: str) -> BlockDevice:
        for device in rows.devices_of(db, server_id):
            if device.volume_id == volume_id:
                return device
        raise VOLUME_NOT_ATTACHED(server_id=server_id, volume_id=volume_id)


def _plug(device: BlockDevice, *, discard: bool = False) -> Plug:
    return Plug(device_id=device.id, volume_id=device.volume_id, attachment_id=device.attachment_id, discard=discard)
