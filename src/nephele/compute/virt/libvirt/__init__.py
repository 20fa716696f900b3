"""The libvirt driver: real guests on QEMU, by KVM or by QEMU's own translation.

    connection.py  libvirtd: open, reconnect, events; states.py translates its words
    happenings.py  what libvirt told, to wait for and to hand on
    layout.py      where a guest's files are
    domain.py      a guest's definition; devices.py its disks and nics; hardware.py its choices
    disks.py       overlays and blank disks; qcow2.py, config_drive.py; tools.py runs programs with limits
    snapshots.py   copies of disks as they are at one moment
    power.py       start, stop, pause; hotplug.py attach and detach; console.py what a guest wrote
    host.py        the inventory; kvm_probe.py whether KVM is worth using
    driver.py      all of it as a `Driver`

Nothing here is imported before a cloud asks for this driver: libvirt-python is an extra.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from nephele.kernel.clock import Clock, SystemClock
from nephele.kernel.paths import cache_folder

if TYPE_CHECKING:
    from nephele.compute.virt.libvirt.driver import LibvirtDriver


def open_driver(
    uri: str,
    instances_dir: Path,
    virt_type: str = "auto",
    *,
    clock: Clock | None = None,
    probe_cache: Path | None = None,
    spare_ports: int = 8,
) -> "LibvirtDriver":
    """Connect to the libvirtd at `uri`; guests' files go to `instances_dir/<server id>/`.

    Args:
        uri: such as `qemu:///system`.
        instances_dir: made where it is missing.
        virt_type: `kvm`, `qemu`, or `auto`: KVM where it is fast.
        clock: dates the power changes.
        probe_cache: where the answer about KVM is kept; by default with this machine's caches, for every cloud on it.
        spare_ports: how many devices can be plugged into a running `q35` guest.

    Raises Refused: HYPERVISOR_DOWN where libvirtd does not answer, SPEC_UNSUPPORTED for an argument that it can't take.
    """
    from nephele.compute.virt.libvirt.driver import LibvirtDriver

    return LibvirtDriver(
        uri,
        instances_dir,
        virt_type,
        clock=clock or SystemClock(),
        probe_cache=probe_cache or cache_folder() / "kvm-probe.json",
        spare_ports=spare_ports,
    )
