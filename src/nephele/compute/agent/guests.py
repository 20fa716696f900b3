"""From what the services answered to what the hypervisor driver needs."""

import msgspec

from nephele.compute.messages import BaseImage, ConnectedDevice, ServerForHost
from nephele.compute.model import BlockDevice
from nephele.compute.virt.driver import (
    BlankDisk,
    Disk,
    DiskFormat,
    FileDisk,
    GuestSpec,
    ImageDisk,
    NbdDisk,
    Nic,
    RbdDisk,
    Source,
)
from nephele.network.messages import BoundPort
from nephele.volume.messages import Connection, FileConnection, NbdConnection

MADE = BaseImage(path="", format=DiskFormat.QCOW2, size=0, virtual_size=0)
"""Stands for the base of a root disk that was made already and is only to be started again."""


def guest_spec(
    server: ServerForHost,
    base: BaseImage | None,
    ports: tuple[BoundPort, ...],
    volumes: tuple[ConnectedDevice, ...],
) -> GuestSpec:
    """The guest that the server should be."""
    disks = [_local_disk(device, server, base) for device in server.devices if device.destination == "local"]
    disks += [volume_disk(volume.device, volume.connection) for volume in volumes]
    return GuestSpec(
        server_id=server.id,
        name=server.name,
        domain_name=server.domain_name,
        project_id=server.project_id,
        user_id=server.user_id,
        flavor_name=server.flavor.name,
        vcpus=server.flavor.vcpus,
        memory_mb=server.flavor.ram,
        disks=tuple(sorted(disks, key=lambda disk: disk.device_name)),
        nics=tuple(nic(port, server.image_properties) for port in ports),
        image_properties=server.image_properties,
        extra_specs=server.flavor.extra_specs,
        config_drive=server.config_drive,
    )


def with_password(spec: GuestSpec, password: str) -> GuestSpec:
    """The guest, told on its config drive, if it has one, which password its administrator is to have."""
    path = "openstack/latest/meta_data.json"
    if spec.config_drive is None or not password:
        return spec
    told = msgspec.json.decode(spec.config_drive[path]) | {"admin_pass": password}
    return msgspec.structs.replace(spec, config_drive=spec.config_drive | {path: msgspec.json.encode(told)})


def nic(port: BoundPort, image_properties: dict[str, str]) -> Nic:
    """A port as the guest's network interface."""
    return Nic(
        port_id=port.port_id,
        mac=port.mac,
        bridge=port.bridge,
        tap=port.tap,
        mtu=port.mtu,
        model=image_properties.get("hw_vif_model", "virtio"),
        tag=port.tag,
    )


def volume_disk(device: BlockDevice, connection: Connection) -> Disk:
    """A connected volume as the guest's disk."""
    return _disk(device, _source(connection))


def _local_disk(device: BlockDevice, server: ServerForHost, base: BaseImage | None) -> Disk:
    if device.source == "image":
        base = base or MADE
        return _disk(device, ImageDisk(base=base.path, base_format=base.format, size_gb=device.size_gb))
    kind = "swap" if device.guest_format == "swap" else "ephemeral"
    size_mb = server.flavor.swap if kind == "swap" else device.size_gb * 1024
    return _disk(device, BlankDisk(size_mb=size_mb, kind=kind))


def _disk(device: BlockDevice, source: Source) -> Disk:
    return Disk(
        device_name=device.device_name,
        source=source,
        bus=device.disk_bus,
        device_type=device.device_type,
        boot_index=device.boot_index,
        volume_id=device.volume_id,
        tag=device.tag,
    )


def _source(connection: Connection) -> Source:
    if isinstance(connection, FileConnection):
        return FileDisk(path=connection.path, format=DiskFormat(connection.format))
    if isinstance(connection, NbdConnection):
        return NbdDisk(host=connection.host, port=connection.port, export=connection.export, tls=connection.tls)
    return RbdDisk(
        pool=connection.pool,
        image=connection.image,
        monitors=connection.monitors,
        user=connection.user,
        secret_uuid=connection.secret_uuid,
    )
