"""A guest's disks and network interfaces as libvirt's XML (formatdomain, "Devices")."""

import os
from pathlib import Path

from nephele.compute.virt.driver import Disk, FileDisk, NbdDisk, Nic, RbdDisk, Source
from nephele.compute.virt.libvirt.layout import InstanceDir, disk_format
from nephele.compute.virt.libvirt.xml import Element, add, element

SERIAL_LENGTH = 20
"""virtio-blk shows the guest no more of a serial number (virtio 1.2, 5.2.6)."""


def target_name(disk: Disk) -> str:
    """`vda` of `/dev/vda`."""
    return disk.device_name.removeprefix("/dev/")


def disk_xml(disk: Disk, where: InstanceDir, bus: str) -> Element:
    """One disk on `bus`.

    Local disks go through the host's page cache, so that guests share what they read of their base; the guest's
    flushes still reach the disk.  Volumes go around it, so that no host holds what another should see.
    """
    source = disk.source
    kind = "network" if isinstance(source, NbdDisk | RbdDisk) else "file"
    root = element("disk", type=kind, device=disk.device_type)
    cached = not isinstance(source, FileDisk) or not direct_io(Path(source.path))
    add(root, "driver", name="qemu", type=disk_format(disk), cache="writeback" if cached else "none", discard="unmap")
    _add_source(root, source, where.disk(disk))
    add(root, "target", dev=target_name(disk), bus=bus)
    if disk.volume_id:
        add(root, "serial", disk.volume_id[:SERIAL_LENGTH])
    if disk.device_type == "cdrom":
        add(root, "readonly")
    if disk.boot_index is not None and disk.boot_index >= 0:
        add(root, "boot", order=disk.boot_index + 1)
    if disk.volume_id:
        add(root, "alias", name=f"ua-{disk.volume_id}")
    return root


def config_drive_xml(path: Path, name: str, bus: str) -> Element:
    """The CD with the guest's metadata."""
    root = element("disk", type="file", device="cdrom")
    add(root, "driver", name="qemu", type="raw")
    add(root, "source", file=str(path))
    add(root, "target", dev=name, bus=bus)
    add(root, "readonly")
    return root


def nic_xml(nic: Nic, model: str, queues: int) -> Element:
    """One network interface, plugged into a bridge under the port's tap name."""
    root = element("interface", type="bridge")
    add(root, "mac", address=nic.mac)
    add(root, "source", bridge=nic.bridge)
    add(root, "target", dev=nic.tap)
    add(root, "model", type=model)
    if model == "virtio" and queues > 1:
        add(root, "driver", queues=queues)
    add(root, "mtu", size=nic.mtu)
    add(root, "alias", name=f"ua-{nic.port_id}")
    return root


def direct_io(path: Path) -> bool:
    """Whether a file can be opened without the page cache; on tmpfs and some others it can't."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_DIRECT))
    except OSError:
        return False
    return True


def _add_source(root: Element, source: Source, path: Path | None) -> None:
    if isinstance(source, FileDisk):
        path = Path(source.path)
    if path is not None:
        add(root, "source", file=str(path))
    elif isinstance(source, NbdDisk):
        where = add(root, "source", protocol="nbd", name=source.export, tls="yes" if source.tls else "no")
        add(where, "host", name=source.host, port=source.port)
    elif isinstance(source, RbdDisk):
        where = add(root, "source", protocol="rbd", name=f"{source.pool}/{source.image}")
        for monitor in source.monitors:
            host, _, port = monitor.rpartition(":")
            add(where, "host", name=host.strip("[]") or monitor, **({"port": port} if host else {}))
        auth = add(where, "auth", username=source.user)
        add(auth, "secret", type="ceph", uuid=source.secret_uuid)
