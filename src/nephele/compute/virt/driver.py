"""What the compute agent asks of a hypervisor: one protocol, two peers (`libvirt`, `sim`).

Every method is idempotent and may be called from any thread: asked twice, it does the work once and
answers the same.  The agent never runs two methods for one server at the same time.  A method
that can't do its work raises `Refused` with an error of `virt/errors.py`; nothing else.
"""

from collections.abc import Callable, Iterator
from enum import IntEnum, StrEnum
from typing import Protocol

from msgspec import Struct

from nephele.kernel.clock import Instant


class PowerState(IntEnum):
    """What the hypervisor says of a guest, by Nova's numbers."""

    NOSTATE = 0
    RUNNING = 1
    PAUSED = 3
    SHUTDOWN = 4
    CRASHED = 6
    SUSPENDED = 7


class DiskFormat(StrEnum):
    """How a disk's bytes are laid out."""

    RAW = "raw"
    QCOW2 = "qcow2"


class ImageDisk(Struct, frozen=True, kw_only=True, tag="image"):
    """A copy-on-write overlay on a base image that is already in the host's cache."""

    base: str
    """Its path; text, as all of a spec can travel over the bus."""
    base_format: DiskFormat
    size_gb: int
    """Size of the overlay; 0: as large as the base."""


class BlankDisk(Struct, frozen=True, kw_only=True, tag="blank"):
    """An empty local disk: ephemeral (with a file system) or swap."""

    size_mb: int
    kind: str = "ephemeral"
    """`ephemeral` or `swap`."""


class FileDisk(Struct, frozen=True, kw_only=True, tag="file"):
    """A volume that is a file on this host."""

    path: str
    format: DiskFormat


class NbdDisk(Struct, frozen=True, kw_only=True, tag="nbd"):
    """A volume that an NBD server exports."""

    host: str
    port: int
    export: str
    format: DiskFormat = DiskFormat.RAW
    tls: bool = False


class RbdDisk(Struct, frozen=True, kw_only=True, tag="rbd"):
    """A volume in a Ceph pool."""

    pool: str
    image: str
    monitors: tuple[str, ...]
    user: str
    secret_uuid: str


Source = ImageDisk | BlankDisk | FileDisk | NbdDisk | RbdDisk


class Disk(Struct, frozen=True, kw_only=True):
    """One disk of a guest."""

    device_name: str
    """As the API shows it: `/dev/vda`."""
    source: Source
    bus: str = ""
    """`virtio`, `scsi`, `sata`, `ide` or `usb`; empty: as the image's `hw_disk_bus` says, else virtio."""
    device_type: str = "disk"
    """`disk` or `cdrom`."""
    boot_index: int | None = None
    """0 boots first; None: never."""
    volume_id: str = ""
    """Set for volumes; the guest sees its start as the disk's serial number."""
    tag: str = ""
    file: str = ""
    """The name of its file, for a local disk; empty: as `device_name` has it."""


RESCUE_DISK = "rescue"
"""The `file` of the disk that a rescued guest boots from."""


class Nic(Struct, frozen=True, kw_only=True):
    """One network interface of a guest, plugged into a bridge that the network agent keeps."""

    port_id: str
    mac: str
    bridge: str
    tap: str
    mtu: int
    model: str = ""
    """`virtio`, `e1000`, …; empty: as the image's `hw_vif_model` says, else virtio."""
    tag: str = ""


class GuestSpec(Struct, frozen=True, kw_only=True):
    """All that a driver needs to build a guest.

    `image_properties` are the image's `hw_*` and `os_*` properties, `extra_specs` the flavor's.
    """

    server_id: str
    name: str
    domain_name: str
    """The hypervisor's own name for the guest: `instance-0000002a`."""
    project_id: str
    user_id: str
    flavor_name: str
    vcpus: int
    memory_mb: int
    disks: tuple[Disk, ...]
    nics: tuple[Nic, ...]
    image_properties: dict[str, str] = {}
    extra_specs: dict[str, str] = {}
    config_drive: dict[str, bytes] | None = None
    """File contents by their path on the drive; None: no config drive."""


class Guest(Struct, frozen=True, kw_only=True):
    """A guest that exists on the host, as the hypervisor sees it.

    Where only files are left of it, as after an interrupted spawn, `domain_name` is empty and its state NOSTATE.
    """

    server_id: str
    domain_name: str
    power_state: PowerState
    set_aside: bool = False
    """These are only the disks of a guest that moved or changed its size, kept for a way back."""


class Sent(Struct, frozen=True, kw_only=True):
    """How far the move of a running guest is, in bytes; a disk that is not copied has none."""

    memory_total: int = 0
    memory_left: int = 0
    disk_total: int = 0
    disk_left: int = 0


class HostInventory(Struct, frozen=True, kw_only=True):
    """What a host has, for Placement and the hypervisor API."""

    hypervisor_type: str
    hypervisor_version: int
    vcpus: int
    memory_mb: int
    disk_gb: int
    cpu_arch: str
    cpu_model: str
    cpu_vendor: str
    cpu_features: tuple[str, ...]
    traits: tuple[str, ...]
    """Standard trait names (os-traits)."""
    supported: tuple[tuple[str, str, str], ...]
    """What can run here: (architecture, hypervisor type, VM mode)."""
    virt_type: str = ""
    """`kvm`, `qemu` or `sim`."""


class PowerChange(Struct, frozen=True, kw_only=True):
    """The hypervisor saw a guest change by itself or by our hand.

    It may have changed again since: who acts on it asks `power_state` first.
    """

    server_id: str
    power_state: PowerState
    at: Instant


class ConsoleKind(StrEnum):
    """How one can be in front of a guest."""

    SERIAL = "serial"
    SCREEN = "vnc"


class CpuCounts(Struct, frozen=True, kw_only=True):
    """A virtual processor, and how many nanoseconds it ran."""

    id: int
    time_ns: int | None = None


class DiskCounts(Struct, frozen=True, kw_only=True):
    """A disk, by its name without `/dev/`, and what went through it."""

    name: str
    read_bytes: int | None = None
    read_requests: int | None = None
    write_bytes: int | None = None
    write_requests: int | None = None
    errors: int | None = None


class NicCounts(Struct, frozen=True, kw_only=True):
    """A network interface, and what went through it as the guest sees it."""

    tap: str
    mac: str
    rx_octets: int | None = None
    rx_packets: int | None = None
    rx_errors: int | None = None
    rx_drop: int | None = None
    tx_octets: int | None = None
    tx_packets: int | None = None
    tx_errors: int | None = None
    tx_drop: int | None = None


class Diagnostics(Struct, frozen=True, kw_only=True):
    """What a hypervisor counts of a guest; None: it does not count that, or not while the guest is off.

    `memory` are figures in KiB by the hypervisor's own names.
    """

    cpus: tuple[CpuCounts, ...]
    disks: tuple[DiskCounts, ...]
    nics: tuple[NicCounts, ...]
    memory_max_kib: int
    memory_used_kib: int | None = None
    memory: dict[str, int] = {}


class Driver(Protocol):
    """A hypervisor."""

    @property
    def virt_type(self) -> str:
        """How guests run: `kvm`, `qemu` or `sim`."""
        ...

    def inventory(self) -> HostInventory:
        """What this host has."""
        ...

    def guests(self) -> list[Guest]:
        """All guests that Nephele made here, running or not, whole or half made; and what is set aside."""
        ...

    def power_state(self, server_id: str) -> PowerState:
        """NOSTATE where there is no such guest."""
        ...

    def spawn(self, spec: GuestSpec) -> None:
        """Make the disks, define the guest and start it.

        Asked again after an interruption or a refusal, it goes on from what is there; `destroy` clears that away.
        """
        ...

    def destroy(self, server_id: str, *, keep: tuple[str, ...] = (), keep_aside: bool = False) -> None:
        """Stop and forget the guest and remove its local disks and files.  Nothing there: nothing done.

        The local disks with the device names `keep` stay, for a guest that is to be spawned with them; with
        `keep_aside` so does what is set aside.
        """
        ...

    def start(self, spec: GuestSpec) -> None:
        """Start a guest that is off, defining it anew from `spec`; its disks stay.

        Raises GUEST_NOT_FOUND, or DISK_MISSING where a local disk is gone: an empty one would hide the loss.
        """
        ...

    def stop(self, server_id: str, timeout: int) -> None:
        """Ask the guest to shut down; after `timeout` seconds (0: at once) pull the plug."""
        ...

    def reboot(self, spec: GuestSpec, *, hard: bool, timeout: int) -> None:
        """Restart the guest: softly through its system, and hard where that fails within `timeout` seconds."""
        ...

    def pause(self, server_id: str) -> None:
        """Freeze the guest's processors; its memory stays."""
        ...

    def unpause(self, server_id: str) -> None:
        """Let a paused guest run on."""
        ...

    def suspend(self, server_id: str) -> None:
        """Write the guest's memory to disk and turn it off; what is written outlives everything but `destroy`.

        Raises GUEST_NOT_RUNNING for a guest that is off and was not suspended.
        """
        ...

    def resume(self, spec: GuestSpec) -> None:
        """Let a suspended guest run on from its memory; one whose memory is gone starts from its disks.

        Any other start of a suspended guest, `start` or a hard reboot, throws the memory away.
        """
        ...

    def rescue(self, spec: GuestSpec, timeout: int) -> None:
        """Boot the guest from another disk: `spec` is how it is meanwhile, with one disk whose file is RESCUE_DISK.

        One that runs is asked to shut down first, as in `stop`.  That disk is made; all others are as they were.
        Raises BASE_MISSING, or DISK_MISSING for another local disk, and leaves the guest alone then.
        """
        ...

    def unrescue(self, spec: GuestSpec, *, run: bool) -> None:
        """Give a rescued guest its own disks back, start it if `run`, and remove the disk it was rescued from.

        One that is not rescued is left alone, or started.
        """
        ...

    def set_password(self, server_id: str, user: str, password: str) -> None:
        """Have the guest's agent set a user's password.

        Raises GUEST_NOT_RUNNING, AGENT_SILENT where none answers, or PASSWORD_REFUSED with what it said.
        """
        ...

    def inject_nmi(self, server_id: str) -> None:
        """Interrupt a running guest as a machine's own NMI button would: its system may dump its memory and stop.

        Raises GUEST_NOT_RUNNING.
        """
        ...

    def attach_disk(self, server_id: str, disk: Disk) -> None:
        """Plug a disk into a guest, running or not."""
        ...

    def detach_disk(self, server_id: str, disk: Disk, timeout: int) -> None:
        """Unplug a disk; raises DETACH_REFUSED where the guest does not let go within `timeout` seconds."""
        ...

    def extend_disk(self, server_id: str, disk: Disk, size_gb: int) -> None:
        """Let a running guest see that a disk has `size_gb`; where the hypervisor holds its file, it grows there.

        A guest that is off sees it when it starts.  Never shrinks.  Raises GUEST_NOT_FOUND, DISK_MISSING where the
        guest has no such disk.
        """
        ...

    def attach_nic(self, server_id: str, nic: Nic) -> None:
        """Plug a network interface into a guest, running or not."""
        ...

    def detach_nic(self, server_id: str, nic: Nic, timeout: int) -> None:
        """Unplug a network interface."""
        ...

    def freeze(self, server_id: str) -> bool:
        """Have the guest's agent write what is cached to its disks and hold further writes; whether it did.

        A guest whose agent does not answer, or that has none, goes on as before.
        """
        ...

    def thaw(self, server_id: str) -> None:
        """Let a frozen guest write again; one that is not frozen, or not there, is left as it is."""
        ...

    def take_snapshot(
        self, server_id: str, name: str, device_name: str, *, must_freeze: bool, check: Callable[[], None]
    ) -> DiskFormat:
        """Copy a local disk as it is at one moment, with what it builds on, and keep the copy under `name`.

        A guest that runs is frozen for that moment, where its agent answers, and goes on while the copy is made.
        `check` is called now and then and may raise to give up.  A copy that is whole is not made again.

        Raises GUEST_NOT_FOUND, DISK_MISSING where the guest has no such local disk, or NOT_FROZEN.
        """
        ...

    def read_snapshot(self, server_id: str, name: str) -> Iterator[bytes]:
        """The bytes of a copy; raises SNAPSHOT_MISSING."""
        ...

    def drop_snapshot(self, server_id: str, name: str) -> None:
        """Remove a copy, whole or not; end its making.  Nothing there: nothing done."""
        ...

    def set_aside(self, server_id: str, timeout: int) -> None:
        """Stop the guest as `stop` does, forget its definition, and keep its local disks aside, unchanged.

        What is aside is for `arrive` (there may be a new guest of the same id on this host meanwhile), and
        for `bring_back`.  Raises GUEST_NOT_FOUND where there is neither the guest nor something aside.
        """
        ...

    def arrive(self, spec: GuestSpec, origin: str, *, run: bool, check: Callable[[], None]) -> None:
        """Make the guest of what host `origin` (perhaps this one) has set aside, and start it if it is to `run`.

        Local disks are copied and grown to what `spec` says; one that was not there is made anew, and so is swap.
        What is aside stays as it is.  With no `origin` all disks are made anew, as by `spawn`.
        `check` is called now and then and may raise to give up.
        Raises NOT_SET_ASIDE, DISK_SHRINKS.
        """
        ...

    def bring_back(self, spec: GuestSpec, *, run: bool) -> None:
        """Put the guest that is set aside back in place of the one here, as `spec` says; start it if it is to `run`.

        Where nothing is aside the guest that is here is meant.  Raises GUEST_NOT_FOUND, DISK_MISSING.
        """
        ...

    def drop_aside(self, server_id: str) -> None:
        """Remove what is set aside of the guest.  Nothing there: nothing done."""
        ...

    def receive(self, spec: GuestSpec) -> None:
        """Be ready for a running guest that another host will `send`; `destroy` ends that."""
        ...

    def send(self, server_id: str, host: str) -> None:
        """Move the guest, as it runs or is paused, to a host that is ready to receive it; return once it is there.

        Raises GUEST_NOT_RUNNING; NOT_EXPECTED; SEND_STOPPED after `stop_sending`: then the guest runs on here.
        """
        ...

    def sent(self, server_id: str) -> Sent | None:
        """How far a `send` that is under way is; None where none is."""
        ...

    def stop_sending(self, server_id: str) -> None:
        """Give up a `send` that is under way.  Raises NOTHING_SENT."""
        ...

    def finish_sending(self, server_id: str) -> None:
        """Bring a `send` that is under way to its end at any cost to the guest.  Raises NOTHING_SENT."""
        ...

    def console_output(self, server_id: str, max_bytes: int) -> bytes:
        """The end of what the guest wrote to its serial console."""
        ...

    def console_socket(self, server_id: str, kind: ConsoleKind) -> str:
        """The path of the socket where a running guest's console is served.

        A serial console has room for one at a time; a screen, by the RFB protocol, for several.
        Raises GUEST_NOT_FOUND, GUEST_NOT_RUNNING, CONSOLE_UNAVAILABLE where the guest has no such console.
        """
        ...

    def diagnostics(self, server_id: str) -> Diagnostics:
        """What is counted of a guest.  Raises GUEST_NOT_FOUND."""
        ...

    def on_power_change(self, listener: Callable[[PowerChange], None]) -> None:
        """Call `listener`, from any thread, whenever a guest's power state changed."""
        ...

    def close(self) -> None:
        """Let go of the hypervisor; guests run on."""
        ...
