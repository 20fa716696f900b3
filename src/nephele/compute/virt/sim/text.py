"""What a simulated guest says on its console of its own parts."""

from pathlib import Path

from nephele.compute.virt.driver import BlankDisk, Disk, ImageDisk, Nic


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
