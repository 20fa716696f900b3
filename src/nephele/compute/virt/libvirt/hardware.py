"""What virtual hardware a guest gets: the image's `hw_*` properties, the flavor's `hw:*` specs, or our defaults.

The names and values are upstream's: "Useful image properties" in Glance's documentation and "Extra specs"
in Nova's.  What can't be given is refused and not silently left out.
"""

from msgspec import Struct

from nephele.compute.virt.driver import Disk, GuestSpec, Nic
from nephele.compute.virt.errors import SPEC_UNSUPPORTED

DISK_BUSES = ("virtio", "scsi", "sata", "ide", "usb", "fdc")
VIF_MODELS = ("virtio", "e1000", "e1000e", "ne2k_pci", "pcnet", "rtl8139", "vmxnet3")
VIDEO_MODELS = ("vga", "cirrus", "virtio", "qxl", "vmvga", "bochs", "none")
_PREFIX = {"virtio": "vd", "scsi": "sd", "sata": "sd", "usb": "sd", "ide": "hd", "fdc": "fd"}
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Hardware(Struct, frozen=True, kw_only=True):
    """One guest's choices."""

    machine: str
    disk_bus: str
    cdrom_bus: str
    scsi_model: str
    vif_model: str
    vif_queues: int
    video: str
    pointer: str
    """`usbtablet` or `virtio`."""
    uefi: bool
    topology: tuple[int, int, int]
    """Sockets, cores, threads."""
    rng: bool
    windows: bool

    @property
    def is_q35(self) -> bool:
        """Whether the machine has PCI Express, where each plugged device needs a port of its own."""
        return "q35" in self.machine

    def bus(self, disk: Disk) -> str:
        """The bus of a disk: its own, or the guest's for its kind."""
        return disk.bus or (self.cdrom_bus if disk.device_type == "cdrom" else self.disk_bus)

    def model(self, nic: Nic) -> str:
        """The model of a network interface: its own, or the guest's."""
        return nic.model or self.vif_model


def choose_hardware(spec: GuestSpec) -> Hardware:
    """What `spec` asks for; raises SPEC_UNSUPPORTED."""
    asked, extra = spec.image_properties, spec.extra_specs
    _refuse_unsupported(asked | extra)
    uefi = asked.get("hw_firmware_type") == "uefi"
    machine = asked.get("hw_machine_type", "q35" if uefi else "pc")
    q35 = "q35" in machine
    return Hardware(
        machine=machine,
        disk_bus=_one_of("hw_disk_bus", asked.get("hw_disk_bus", "virtio"), DISK_BUSES),
        cdrom_bus=_one_of("hw_cdrom_bus", asked.get("hw_cdrom_bus", "sata" if q35 else "ide"), DISK_BUSES),
        scsi_model=asked.get("hw_scsi_model", "virtio-scsi"),
        vif_model=_one_of("hw_vif_model", asked.get("hw_vif_model", "virtio"), VIF_MODELS),
        vif_queues=spec.vcpus if is_true(asked.get("hw_vif_multiqueue_enabled", "")) else 1,
        video=_one_of("hw_video_model", asked.get("hw_video_model", "vga"), VIDEO_MODELS),
        pointer="usbtablet" if asked.get("hw_pointer_model") == "usbtablet" else "virtio",
        uefi=uefi,
        topology=_topology(spec.vcpus, extra, asked),
        rng=extra.get("hw_rng:allowed", "true").lower() != "false",
        windows=asked.get("os_type") == "windows",
    )


def free_device_name(bus: str, taken: set[str]) -> str:
    """A device name such as `hda` that fits the bus and that no other disk has."""
    return next(name for letter in _LETTERS if (name := _PREFIX[bus] + letter) not in taken)


def is_true(text: str) -> bool:
    """Whether a property says yes."""
    return text.lower() in ("true", "yes", "on", "1")


def _one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise SPEC_UNSUPPORTED(what=f"{name}={value}; it has {', '.join(known)}")
    return value


def _topology(vcpus: int, extra: dict[str, str], asked: dict[str, str]) -> tuple[int, int, int]:
    def number(part: str) -> int:
        text = extra.get(f"hw:cpu_{part}") or asked.get(f"hw_cpu_{part}") or "0"
        if not text.isdecimal():
            raise SPEC_UNSUPPORTED(what=f"hw:cpu_{part}={text}")
        return int(text)

    cores, threads = number("cores") or 1, number("threads") or 1
    sockets = number("sockets") or max(vcpus // (cores * threads), 1)
    if sockets * cores * threads != vcpus:
        raise SPEC_UNSUPPORTED(what=f"{sockets} sockets of {cores} cores of {threads} threads with {vcpus} vcpus")
    return sockets, cores, threads


def _refuse_unsupported(asked: dict[str, str]) -> None:
    """Refuse what needs a host's own processors, memory pages or devices to be dealt out."""
    dealt = {
        "hw:cpu_policy": ("shared",),
        "hw_cpu_policy": ("shared",),
        "hw:mem_page_size": ("any", "small"),
        "hw_mem_page_size": ("any", "small"),
        "hw:numa_nodes": ("1",),
        "hw_numa_nodes": ("1",),
        "pci_passthrough:alias": (),
        "hw:mem_encryption": ("false",),
        "hw_mem_encryption": ("false",),
    }
    for name, harmless in dealt.items():
        value = asked.get(name)
        if value is not None and value.lower() not in harmless:
            raise SPEC_UNSUPPORTED(what=f"{name}={value}")
