"""Plug devices into a guest and out again, running or not.

A guest has two definitions: the running one (`live`) and the one for its next start (`config`).  Each is
looked at by itself, so a change that was interrupted between the two is completed when asked for again.
"""

import time
from collections.abc import Callable
from typing import Any

import libvirt

from nephele.compute.virt.driver import Disk, Nic
from nephele.compute.virt.errors import DETACH_REFUSED, DEVICE_IN_USE, DISK_MISSING
from nephele.compute.virt.libvirt.connection import Connection, Domain
from nephele.compute.virt.libvirt.devices import disk_xml, nic_xml, target_name
from nephele.compute.virt.libvirt.disks import GIB, check_disk, make_disk
from nephele.compute.virt.libvirt.domain import NAMESPACE
from nephele.compute.virt.libvirt.happenings import Happenings
from nephele.compute.virt.libvirt.layout import InstanceDir
from nephele.compute.virt.libvirt.xml import Element, parse, text_of

LIVE, CONFIG = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG
ASK_AGAIN_SECONDS = 5.0

Find = Callable[[Element], Element | None]
"""Finds a device among a definition's devices."""


class Hotplug:
    """What plugs devices on one hypervisor."""

    def __init__(self, connection: Connection, happenings: Happenings) -> None:
        self._connection = connection
        self._happenings = happenings

    def attach_disk(self, domain: Domain, disk: Disk, where: InstanceDir) -> None:
        """Plug a disk; raises DEVICE_IN_USE where another has its name."""
        server_id = domain.UUIDString()
        check_disk(server_id, disk, where, made=False)
        with self._connection.asking(f"attach {disk.device_name}", server_id):
            wanted = disk_xml(disk, where, disk.bus or _default(domain, "disk_bus"))

            def find(devices: Element) -> Element | None:
                found = _find_by_target(devices, disk)
                if found is not None and not _same_disk(found, wanted):
                    raise DEVICE_IN_USE(device=disk.device_name, server_id=server_id)
                return found

            where.make()
            make_disk(disk, where)
            _attach(domain, wanted, find)

    def detach_disk(self, domain: Domain, disk: Disk, where: InstanceDir, timeout: float) -> None:
        """Unplug a disk; raises DETACH_REFUSED."""
        wanted = disk_xml(disk, where, "")

        def find(devices: Element) -> Element | None:
            found = _find_by_target(devices, disk)
            return found if found is not None and _same_disk(found, wanted) else None

        self._detach(domain, find, disk.device_name, timeout)

    def extend_disk(self, domain: Domain, disk: Disk, size_gb: int) -> None:
        """Let QEMU, and so the guest, see a larger disk; raises DISK_MISSING."""
        server_id, name = domain.UUIDString(), target_name(disk)
        with self._connection.asking(f"extend {disk.device_name}", server_id):
            live = domain.isActive()
            if _find_by_target(_devices(domain, LIVE if live else CONFIG), disk) is None:
                raise DISK_MISSING(path=disk.device_name, server_id=server_id)
            if live and domain.blockInfo(name)[0] <= size_gb * GIB:
                domain.blockResize(name, size_gb * GIB, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)

    def attach_nic(self, domain: Domain, nic: Nic) -> None:
        """Plug a network interface."""
        with self._connection.asking(f"attach {nic.mac}", domain.UUIDString()):
            model = nic.model or _default(domain, "vif_model")
            wanted = nic_xml(nic, model, int(_default(domain, "vif_queues")))
            _attach(domain, wanted, lambda devices: _find_by_mac(devices, nic))

    def detach_nic(self, domain: Domain, nic: Nic, timeout: float) -> None:
        """Unplug a network interface; raises DETACH_REFUSED."""
        self._detach(domain, lambda devices: _find_by_mac(devices, nic), nic.mac, timeout)

    def _detach(self, domain: Domain, find: Find, device: str, timeout: float) -> None:
        server_id = domain.UUIDString()
        with self._connection.asking(f"detach {device}", server_id):
            if domain.isActive():
                self._detach_live(domain, find, device, timeout)
            found = find(_devices(domain, CONFIG))
            if found is not None:
                domain.detachDeviceFlags(text_of(found), CONFIG)

    def _detach_live(self, domain: Domain, find: Find, device: str, timeout: float) -> None:
        """Ask the guest to let go until it does: it may have been asked before its system was up."""
        server_id = domain.UUIDString()
        deadline = time.monotonic() + timeout
        ask_at = time.monotonic()
        while domain.isActive():
            mark = self._happenings.mark(server_id)
            found = find(_devices(domain, LIVE))
            if found is None:
                return
            now = time.monotonic()
            if now >= deadline:
                raise DETACH_REFUSED(server_id=server_id, device=device, timeout=timeout)
            if now >= ask_at:
                _ask_to_let_go(domain, found)
                ask_at = time.monotonic() + ASK_AGAIN_SECONDS
            self._happenings.wait(server_id, mark, min(deadline, ask_at) - time.monotonic())


def _attach(domain: Domain, wanted: Element, find: Find) -> None:
    flags = CONFIG if find(_devices(domain, CONFIG)) is None else 0
    if domain.isActive() and find(_devices(domain, LIVE)) is None:
        flags |= LIVE
    if flags:
        domain.attachDeviceFlags(text_of(wanted), flags)


def _ask_to_let_go(domain: Domain, found: Element) -> None:
    try:
        domain.detachDeviceFlags(text_of(found), LIVE)
    except libvirt.libvirtError as error:
        asked_before = "in the process of unplug" in str(error)
        if not asked_before and error.get_error_code() != libvirt.VIR_ERR_DEVICE_MISSING:
            raise


def _devices(domain: Domain, which: int) -> Element:
    flags = libvirt.VIR_DOMAIN_XML_INACTIVE if which == CONFIG else 0
    devices = parse(domain.XMLDesc(flags)).find("devices")
    assert devices is not None
    return devices


def _default(domain: Domain, name: str) -> str:
    """What the guest's own definition says that devices are like."""
    mark: Any = parse(domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, NAMESPACE))
    return str(mark.find("{*}defaults").get(name))


def _find_by_target(devices: Element, disk: Disk) -> Element | None:
    return devices.find(f"disk/target[@dev='{target_name(disk)}']/..")


def _find_by_mac(devices: Element, nic: Nic) -> Element | None:
    return devices.find(f"interface/mac[@address='{nic.mac.lower()}']/..")


def _same_disk(found: Element, wanted: Element) -> bool:
    """Whether two definitions are of one volume, or of one file."""
    if wanted.find("alias") is not None:
        return _of(found, "alias", "name") == _of(wanted, "alias", "name")
    return _of(found, "source", "file") == _of(wanted, "source", "file")


def _of(device: Element, tag: str, attribute: str) -> str | None:
    part = device.find(tag)
    return None if part is None else part.get(attribute)
