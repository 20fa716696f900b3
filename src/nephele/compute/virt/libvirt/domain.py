"""A guest's definition as libvirt's XML (formatdomain)."""

from typing import Final

from nephele import __version__
from nephele.compute.virt.driver import GuestSpec
from nephele.compute.virt.libvirt.devices import config_drive_xml, disk_xml, nic_xml, target_name
from nephele.compute.virt.libvirt.hardware import Hardware, choose_hardware, free_device_name
from nephele.compute.virt.libvirt.layout import InstanceDir
from nephele.compute.virt.libvirt.xml import Element, add, element, text_of

NAMESPACE: Final = "urn:nephele:server:1"
"""Marks the guests that are ours."""
AGENT_CHANNEL: Final = "org.qemu.guest_agent.0"
TB_CACHE_MIB: Final = 32
"""QEMU's translation cache; its default of 1 GiB lets a 128 MiB guest grow to 390 MB, this to 208, no slower."""


def domain_xml(spec: GuestSpec, where: InstanceDir, virt_type: str, *, spare_ports: int = 8) -> str:
    """The definition of the guest `spec` on `kvm` or `qemu`; raises SPEC_UNSUPPORTED."""
    hardware = choose_hardware(spec)
    root = element("domain", type=virt_type)
    add(root, "name", spec.domain_name)
    add(root, "uuid", spec.server_id)
    _add_metadata(root, spec, hardware)
    add(root, "memory", str(spec.memory_mb), unit="MiB")
    add(root, "vcpu", str(spec.vcpus))
    _add_sysinfo(root, spec)
    _add_system(root, hardware)
    _add_cpu(root, hardware, virt_type)
    _add_clock(root, hardware)
    for event, action in (("poweroff", "destroy"), ("reboot", "restart"), ("crash", "destroy")):
        add(root, f"on_{event}", action)
    devices = add(root, "devices")
    _add_disks(devices, spec, where, hardware)
    for nic in spec.nics:
        devices.append(nic_xml(nic, hardware.model(nic), hardware.vif_queues))
    _add_consoles(devices, where, hardware)
    if hardware.is_q35:
        _add_ports(devices, spare_ports)
    return text_of(root)


def _add_metadata(root: Element, spec: GuestSpec, hardware: Hardware) -> None:
    server = add(add(root, "metadata"), f"{{{NAMESPACE}}}server", id=spec.server_id, version=__version__)
    add(server, f"{{{NAMESPACE}}}name", spec.name)
    add(server, f"{{{NAMESPACE}}}flavor", spec.flavor_name, vcpus=spec.vcpus, memory_mb=spec.memory_mb)
    add(server, f"{{{NAMESPACE}}}owner", project=spec.project_id, user=spec.user_id)
    add(
        server,
        f"{{{NAMESPACE}}}defaults",
        disk_bus=hardware.disk_bus,
        vif_model=hardware.vif_model,
        vif_queues=hardware.vif_queues,
    )


def _add_sysinfo(root: Element, spec: GuestSpec) -> None:
    """What the firmware says the machine is: cloud-init looks for these very words before it looks for metadata."""
    facts = {
        "manufacturer": "OpenStack Foundation",
        "product": "OpenStack Nova",
        "version": __version__,
        "serial": spec.server_id,
        "uuid": spec.server_id,
        "family": "Virtual Machine",
    }
    system = add(add(root, "sysinfo", type="smbios"), "system")
    for name, fact in facts.items():
        add(system, "entry", fact, name=name)


def _add_system(root: Element, hardware: Hardware) -> None:
    system = add(root, "os", **({"firmware": "efi"} if hardware.uefi else {}))
    add(system, "type", "hvm", machine=hardware.machine)
    add(system, "smbios", mode="sysinfo")
    features = add(root, "features")
    for feature in ("acpi", "apic", "vmcoreinfo"):
        add(features, feature)
    if root.get("type") == "qemu":
        add(add(features, "tcg"), "tb-cache", str(TB_CACHE_MIB), unit="MiB")


def _add_cpu(root: Element, hardware: Hardware, virt_type: str) -> None:
    if virt_type == "kvm":
        cpu = add(root, "cpu", mode="host-model")
    else:
        cpu = add(root, "cpu", mode="custom", match="exact", check="none")
        add(cpu, "model", "qemu64", fallback="forbid")
    sockets, cores, threads = hardware.topology
    add(cpu, "topology", sockets=sockets, cores=cores, threads=threads)


def _add_clock(root: Element, hardware: Hardware) -> None:
    clock = add(root, "clock", offset="localtime" if hardware.windows else "utc")
    add(clock, "timer", name="pit", tickpolicy="delay")
    add(clock, "timer", name="rtc", tickpolicy="catchup")
    add(clock, "timer", name="hpet", present="no")


def _add_disks(devices: Element, spec: GuestSpec, where: InstanceDir, hardware: Hardware) -> None:
    for disk in spec.disks:
        devices.append(disk_xml(disk, where, hardware.bus(disk)))
    buses = {hardware.bus(disk) for disk in spec.disks}
    if spec.config_drive is not None:
        taken = {target_name(disk) for disk in spec.disks}
        name = free_device_name(hardware.cdrom_bus, taken)
        devices.append(config_drive_xml(where.config_drive, name, hardware.cdrom_bus))
        buses.add(hardware.cdrom_bus)
    if "scsi" in buses or hardware.disk_bus == "scsi":
        add(devices, "controller", type="scsi", model=hardware.scsi_model)
    if "usb" in buses or hardware.pointer == "usbtablet":
        add(devices, "controller", type="usb", model="qemu-xhci")
    else:
        add(devices, "controller", type="usb", model="none")


def _add_ports(devices: Element, spare: int) -> None:
    """PCI Express takes a plugged device only at a port of its own, that was there when the guest started.

    libvirt gives the devices that are there ports first, so the spare ones come on top of theirs.
    """
    taken = sum(_needs_port(device) for device in devices)
    add(devices, "controller", type="pci", model="pcie-root")
    for _ in range(taken + spare):
        add(devices, "controller", type="pci", model="pcie-root-port")


def _needs_port(device: Element) -> bool:
    if device.tag == "controller":
        return device.get("model") != "none"
    target = device.find("target")
    bus = device.get("bus") if target is None else target.get("bus")
    return bus == "virtio" or device.tag in ("interface", "channel", "rng", "memballoon")


def _add_consoles(devices: Element, where: InstanceDir, hardware: Hardware) -> None:
    serial = add(devices, "serial", type="unix")
    add(serial, "source", mode="bind", path=str(where.serial_socket))
    add(serial, "log", file=str(where.console_log), append="on")
    add(serial, "target", port=0)
    add(add(devices, "channel", type="unix"), "target", type="virtio", name=AGENT_CHANNEL)
    if hardware.video != "none":
        graphics = add(devices, "graphics", type="vnc")
        add(graphics, "listen", type="socket", socket=str(where.vnc_socket))
    add(add(devices, "video"), "model", type=hardware.video)
    add(devices, "input", type="tablet", bus="usb" if hardware.pointer == "usbtablet" else "virtio")
    if hardware.rng:
        add(add(devices, "rng", model="virtio"), "backend", "/dev/urandom", model="random")
    add(devices, "memballoon", model="virtio")
