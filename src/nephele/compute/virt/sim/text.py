"""What a simulated guest says of itself: on its console, and in a copy of its disk."""

from pathlib import Path

from nephele.compute.virt.driver import BlankDisk, Disk, DiskFormat, GuestSpec, ImageDisk, Nic
from nephele.kernel import qcow2


def disk_line(disk: Disk) -> str:
    """A disk, as the console lists it."""
    source = disk.source
    if isinstance(source, ImageDisk):
        what = f"{source.size_gb} GB over {Path(source.base).name}"
    elif isinstance(source, BlankDisk):
        what = f"{source.size_mb} MB {source.kind}"
    else:
        what = f"volume {disk.volume_id}"
    return f"{disk.device_name} ({disk.bus or 'virtio'}): {what}"


def nic_line(nic: Nic) -> str:
    """A network interface, as the console lists it."""
    return f"nic {nic.mac} ({nic.model or 'virtio'}) as {nic.tap} in {nic.bridge}, mtu {nic.mtu}"


def snapshot_text(spec: GuestSpec, disk: Disk, at: str) -> bytes:
    """The content of a copy of a guest's disk: whose it is, when it was made, on what it was built."""
    lines = (
        f"disk {disk.device_name} of simulated guest {spec.domain_name}, copied {at}",
        f"server {spec.server_id} of project {spec.project_id}",
        f"flavor {spec.flavor_name}: {spec.vcpus} vcpus, {spec.memory_mb} MB memory",
        *(disk_line(each) for each in spec.disks),
    )
    return "".join(f"{line}\n" for line in lines).encode()[:4096]


def disk_bytes(disk: Disk) -> int:
    """How large a local disk is."""
    source = disk.source
    if isinstance(source, BlankDisk):
        return source.size_mb << 20
    if not isinstance(source, ImageDisk):
        return 0
    return (source.size_gb << 30) or _base_bytes(source)


def _base_bytes(source: ImageDisk) -> int:
    base = Path(source.base)
    if not base.is_file():
        return 1 << 30
    if source.base_format is DiskFormat.RAW:
        return base.stat().st_size
    with base.open("rb") as file:
        return qcow2.virtual_size(file.read(qcow2.HEADER_SIZE))
