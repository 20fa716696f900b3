"""What Nova knows, as types."""

from enum import StrEnum

from msgspec import Struct

from nephele.kernel.clock import Instant
from nephele.network.messages import NicRequest


class Vm(StrEnum):
    """VM states: where a server is in its life."""

    BUILDING = "building"
    ACTIVE = "active"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    STOPPED = "stopped"
    RESCUED = "rescued"
    RESIZED = "resized"
    SOFT_DELETED = "soft-delete"
    DELETED = "deleted"
    ERROR = "error"
    SHELVED = "shelved"
    SHELVED_OFFLOADED = "shelved_offloaded"


class Task(StrEnum):
    """Task states: what is being done to a server; NONE is nothing."""

    NONE = ""
    SCHEDULING = "scheduling"
    NETWORKING = "networking"
    BLOCK_DEVICE_MAPPING = "block_device_mapping"
    SPAWNING = "spawning"
    POWERING_OFF = "powering-off"
    POWERING_ON = "powering-on"
    REBOOTING = "rebooting"
    REBOOTING_HARD = "rebooting_hard"
    PAUSING = "pausing"
    UNPAUSING = "unpausing"
    SUSPENDING = "suspending"
    RESUMING = "resuming"
    RESCUING = "rescuing"
    UNRESCUING = "unrescuing"
    UPDATING_PASSWORD = "updating_password"  # noqa: S105 - a task's name
    REBUILDING = "rebuilding"
    REBUILD_BLOCK_DEVICE_MAPPING = "rebuild_block_device_mapping"
    REBUILD_SPAWNING = "rebuild_spawning"
    IMAGE_SNAPSHOT_PENDING = "image_snapshot_pending"
    IMAGE_SNAPSHOT = "image_snapshot"
    IMAGE_PENDING_UPLOAD = "image_pending_upload"
    IMAGE_UPLOADING = "image_uploading"
    IMAGE_BACKUP = "image_backup"
    RESIZE_PREP = "resize_prep"
    RESIZE_MIGRATING = "resize_migrating"
    RESIZE_MIGRATED = "resize_migrated"
    RESIZE_FINISH = "resize_finish"
    RESIZE_REVERTING = "resize_reverting"
    RESIZE_CONFIRMING = "resize_confirming"
    MIGRATING = "migrating"
    SHELVING = "shelving"
    SHELVING_IMAGE_PENDING_UPLOAD = "shelving_image_pending_upload"
    SHELVING_IMAGE_UPLOADING = "shelving_image_uploading"
    SHELVING_OFFLOADING = "shelving_offloading"
    UNSHELVING = "unshelving"
    SOFT_DELETING = "soft-deleting"
    RESTORING = "restoring"
    DELETING = "deleting"


class FlavorInfo(Struct, frozen=True, kw_only=True):
    """A flavor as a server remembers it: later changes of the flavor do not touch it.

    `ram` and `swap` in MB, `disk` and `ephemeral` in GB.
    """

    id: str
    name: str
    vcpus: int
    ram: int
    disk: int
    ephemeral: int = 0
    swap: int = 0
    rxtx_factor: float = 1.0
    extra_specs: dict[str, str] = {}


class Flavor(Struct, frozen=True, kw_only=True):
    """A flavor."""

    id: str
    name: str
    vcpus: int
    ram: int
    disk: int
    ephemeral: int
    swap: int
    rxtx_factor: float
    is_public: bool
    disabled: bool
    description: str | None
    extra_specs: dict[str, str]
    created_at: Instant
    updated_at: Instant | None

    def info(self) -> FlavorInfo:
        """What a server remembers of it."""
        names = FlavorInfo.__struct_fields__
        return FlavorInfo(**{name: getattr(self, name) for name in names})


class ImageInfo(Struct, frozen=True, kw_only=True):
    """An image as a server remembers it."""

    id: str = ""
    name: str = ""
    size: int = 0
    min_ram: int = 0
    min_disk: int = 0
    disk_format: str = ""
    container_format: str = ""
    properties: dict[str, str] = {}


class Fault(Struct, frozen=True, kw_only=True):
    """Why a server is in ERROR: what the user sees, and for administrators the details."""

    code: int
    message: str
    details: str = ""
    created_at: Instant


class Server(Struct, frozen=True):
    """A server, as its row holds it; the fields are the columns, in order.

    `number` counts up in a cloud and names the guest at the hypervisor; `node` is the hypervisor's host name.
    A server that is shelved comes back from `shelved_image_id`, if its root disk is no volume.
    `power_state` is one of the driver's PowerState numbers.
    """

    id: str
    number: int
    project_id: str
    user_id: str
    name: str
    hostname: str
    description: str | None
    vm_state: Vm
    task_state: Task
    power_state: int
    progress: int
    host: str
    node: str
    availability_zone: str
    pinned_zone: str | None
    flavor: FlavorInfo
    vcpus: int
    ram: int
    image_id: str
    image: ImageInfo
    key_name: str | None
    key_data: str | None
    key_type: str
    config_drive: bool
    user_data: str | None
    access_ip_v4: str
    access_ip_v6: str
    metadata: dict[str, str]
    tags: tuple[str, ...]
    locked: bool
    locked_by: str
    locked_reason: str | None
    fault: Fault | None
    nics: tuple[NicRequest, ...]
    security_groups: tuple[str, ...]
    group_id: str
    hints: dict[str, list[str]]
    disk_config: str
    reservation_id: str
    launch_index: int
    root_device_name: str
    created_at: Instant
    updated_at: Instant
    launched_at: Instant | None
    terminated_at: Instant | None
    deleted_at: Instant | None
    shelved_image_id: str = ""
    shelved_at: Instant | None = None

    @property
    def domain_name(self) -> str:
        """How the hypervisor calls it: `instance-0000002a`."""
        return domain_name(self.number)


def domain_name(number: int) -> str:
    """How the hypervisor calls the server of that number."""
    return f"instance-{number:08x}"


class BlockDevice(Struct, frozen=True):
    """One disk of a server; the fields are the columns, in order.

    `source` is image, volume, snapshot or blank; `destination` local or volume.
    """

    id: str
    server_id: str
    device_name: str
    source: str
    destination: str
    boot_index: int | None
    image_id: str
    snapshot_id: str
    volume_id: str
    attachment_id: str
    volume_type: str
    size_gb: int
    guest_format: str
    disk_bus: str
    device_type: str
    delete_on_termination: bool
    tag: str
    created_at: Instant


class KeyPair(Struct, frozen=True, kw_only=True):
    """A user's key; the fields are the columns, in order."""

    id: int
    user_id: str
    name: str
    type: str
    fingerprint: str
    public_key: str
    created_at: Instant


class Service(Struct, frozen=True, kw_only=True):
    """A part that runs somewhere: nova-compute on a host, a conductor, a scheduler; the fields are the columns."""

    id: str
    host: str
    binary: str
    zone: str
    disabled: bool
    disabled_reason: str | None
    forced_down: bool
    seen_at: Instant
    created_at: Instant
    updated_at: Instant | None


class Hypervisor(Struct, frozen=True, kw_only=True):
    """A compute node; the fields are the columns, in order.  `id` is its Placement provider too."""

    id: str
    number: int
    host: str
    hostname: str
    kind: str
    version: int
    vcpus: int
    memory_mb: int
    disk_gb: int
    cpu_info: dict[str, str | list[str]]
    traits: tuple[str, ...]
    supported: tuple[tuple[str, str, str], ...]
    host_ip: str
    created_at: Instant
    updated_at: Instant


class Aggregate(Struct, frozen=True, kw_only=True):
    """A host aggregate; the fields are the columns, in order."""

    id: int
    uuid: str
    name: str
    hosts: tuple[str, ...]
    metadata: dict[str, str]
    created_at: Instant
    updated_at: Instant | None


class ServerGroup(Struct, frozen=True, kw_only=True):
    """Servers that are to be placed together or apart; the fields are the columns, in order."""

    id: str
    name: str
    project_id: str
    user_id: str
    policy: str
    rules: dict[str, int]
    created_at: Instant


class MoveType(StrEnum):
    """Why a server moves, or is built anew beside itself; the values are the API's `migration_type`."""

    RESIZE = "resize"
    MIGRATION = "migration"
    LIVE = "live-migration"
    EVACUATION = "evacuation"


class MoveStatus(StrEnum):
    """How far a migration is, in the API's words.

    A resize or cold migration goes pre-migrating → migrating → post-migrating → finished, and then confirming →
    confirmed or reverting → reverted; a live one accepted → preparing → running → completed (or cancelled); an
    evacuation accepted → pre-migrating → done, and completed once the old host has removed what it had.
    """

    ACCEPTED = "accepted"
    QUEUED = "queued"
    PREPARING = "preparing"
    PRE_MIGRATING = "pre-migrating"
    RUNNING = "running"
    MIGRATING = "migrating"
    POST_MIGRATING = "post-migrating"
    FINISHED = "finished"
    CONFIRMING = "confirming"
    CONFIRMED = "confirmed"
    REVERTING = "reverting"
    REVERTED = "reverted"
    DONE = "done"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    ERROR = "error"


OPEN_MOVES = frozenset(
    {
        MoveStatus.ACCEPTED,
        MoveStatus.QUEUED,
        MoveStatus.PREPARING,
        MoveStatus.PRE_MIGRATING,
        MoveStatus.RUNNING,
        MoveStatus.MIGRATING,
        MoveStatus.POST_MIGRATING,
        MoveStatus.FINISHED,
        MoveStatus.CONFIRMING,
        MoveStatus.REVERTING,
    }
)
"""Statuses of migrations that are not over: both hosts may have something of the server, and keep it."""


class Migration(Struct, frozen=True, kw_only=True):
    """A server's way from host to host, or to another size; the fields are the columns, in order.

    `uuid` is the consumer that holds, in Placement, what the server had at its source.  `old_disks` are the local
    disks as they were; `old_vm_state` is where a revert leads back to; `confirm_at` None: it waits for its user.
    """

    id: int
    uuid: str
    server_id: str
    type: str
    status: str
    source_host: str
    source_node: str
    dest_host: str
    dest_node: str
    dest_zone: str
    dest_ip: str
    old_flavor: FlavorInfo
    new_flavor: FlavorInfo
    old_vm_state: str
    old_disks: tuple[BlockDevice, ...]
    project_id: str
    user_id: str
    confirm_at: Instant | None
    created_at: Instant
    updated_at: Instant
