"""What Cinder keeps: volumes, attachments, snapshots, types, and the words for their states."""

from enum import StrEnum

from msgspec import Struct

from nephele.kernel.clock import Instant
from nephele.volume.messages import Connection


class VolumeStatus(StrEnum):
    """Where a volume is in its life; `life.py` says which request may come when."""

    CREATING = "creating"
    DOWNLOADING = "downloading"
    AVAILABLE = "available"
    RESERVED = "reserved"
    ATTACHING = "attaching"
    IN_USE = "in-use"
    DETACHING = "detaching"
    EXTENDING = "extending"
    UPLOADING = "uploading"
    RETYPING = "retyping"
    REVERTING = "reverting"
    BACKING_UP = "backing-up"
    RESTORING = "restoring-backup"
    AWAITING_TRANSFER = "awaiting-transfer"
    MAINTENANCE = "maintenance"
    DELETING = "deleting"
    ERROR = "error"
    ERROR_DELETING = "error_deleting"
    ERROR_EXTENDING = "error_extending"
    ERROR_RESTORING = "error_restoring"
    ERROR_BACKING_UP = "error_backing-up"
    MANAGING = "managing"
    UNMANAGING = "unmanaging"
    ERROR_MANAGING = "error_managing"


class AttachStatus(StrEnum):
    """Where an attachment is."""

    RESERVED = "reserved"
    ATTACHING = "attaching"
    ATTACHED = "attached"
    DETACHED = "detached"
    ERROR_ATTACHING = "error_attaching"
    ERROR_DETACHING = "error_detaching"


class SnapshotStatus(StrEnum):
    """Where a snapshot is in its life."""

    CREATING = "creating"
    AVAILABLE = "available"
    DELETING = "deleting"
    ERROR = "error"
    ERROR_DELETING = "error_deleting"
    RESTORING = "restoring"
    BACKING_UP = "backing-up"
    UNMANAGING = "unmanaging"


class Layout(Struct, frozen=True):
    """How a disk is laid out on its backend."""

    format: str
    """`raw` or `qcow2`."""
    base: str = ""
    """The name of the shared base that it is a copy-on-write overlay of; empty: it stands alone."""


class Volume(Struct, frozen=True):
    """One volume; the fields are in the order of the table's columns."""

    id: str
    project_id: str
    user_id: str
    name: str | None
    description: str | None
    size_gb: int
    status: str
    previous_status: str | None
    type_id: str
    availability_zone: str
    bootable: bool
    multiattach: bool
    readonly: bool | None
    """None: never said."""
    snapshot_id: str | None
    source_volid: str | None
    image_id: str | None
    host: str | None
    """`host@backend#pool`; None: not placed yet."""
    migration_status: str | None
    metadata: dict[str, str]
    image_metadata: dict[str, str]
    format: str
    base: str
    group_id: str | None
    created_at: Instant
    updated_at: Instant | None
    type_name: str = ""

    @property
    def layout(self) -> Layout:
        """How its data is laid out."""
        return Layout(self.format, self.base)


class Attachment(Struct, frozen=True):
    """A volume promised or connected to a server or a host."""

    id: str
    volume_id: str
    project_id: str
    server_id: str | None
    host: str | None
    device: str | None
    mode: str
    status: str
    connector: dict[str, object] | None
    connection: Connection | None
    created_at: Instant
    attached_at: Instant | None


class Snapshot(Struct, frozen=True):
    """A volume's content at one moment."""

    id: str
    volume_id: str
    project_id: str
    user_id: str
    name: str | None
    description: str | None
    size_gb: int
    status: str
    progress: str
    metadata: dict[str, str]
    type_id: str
    format: str
    base: str
    group_snapshot_id: str | None
    created_at: Instant
    updated_at: Instant | None
    host: str | None = None
    """Where its volume is."""

    @property
    def layout(self) -> Layout:
        """How its data is laid out."""
        return Layout(self.format, self.base)


class VolumeType(Struct, frozen=True):
    """A kind of volume, as administrators offer them."""

    id: str
    name: str
    description: str | None
    is_public: bool
    extra_specs: dict[str, str]
    qos_specs_id: str | None
    created_at: Instant
    updated_at: Instant | None

    @property
    def multiattach(self) -> bool:
        """Whether volumes of it may be attached to several servers."""
        return self.extra_specs.get("multiattach", "").lower() == "<is> true"


class QosSpecs(Struct, frozen=True):
    """Promises about speed, associated with volume types."""

    id: str
    name: str
    consumer: str
    """Who keeps them: `front-end`, `back-end` or `both`."""
    specs: dict[str, str]


class Transfer(Struct, frozen=True):
    """A volume offered to whoever knows the key."""

    id: str
    volume_id: str
    name: str | None
    no_snapshots: bool
    source_project_id: str
    destination_project_id: str | None
    accepted: bool
    created_at: Instant


class UserMessage(Struct, frozen=True):
    """Why something went wrong, for the user whose resource it is."""

    id: str
    project_id: str
    request_id: str
    resource_type: str
    resource_id: str
    event_id: str
    text: str
    level: str
    created_at: Instant
    expires_at: Instant


class ServiceRow(Struct, frozen=True):
    """One of Cinder's services as administrators see it."""

    binary: str
    host: str
    zone: str
    disabled: bool
    disabled_reason: str | None
    frozen: bool
    uuid: str
    updated_at: Instant
    cluster: str
    """The cluster that it is part of; empty: none."""


class Cluster(Struct, frozen=True):
    """Services of one kind that stand for each other."""

    name: str
    binary: str
    disabled: bool
    disabled_reason: str | None
    created_at: Instant
    updated_at: Instant | None


class Encryption(Struct, frozen=True):
    """How volumes of a type are to be encrypted."""

    type_id: str
    encryption_id: str
    provider: str
    control_location: str
    cipher: str | None
    key_size: int | None
    created_at: Instant
    updated_at: Instant | None


class GroupStatus(StrEnum):
    """Where a group, or a snapshot of one, is in its life."""

    CREATING = "creating"
    AVAILABLE = "available"
    UPDATING = "updating"
    DELETING = "deleting"
    ERROR = "error"
    ERROR_DELETING = "error_deleting"


class GroupType(Struct, frozen=True):
    """A kind of group, as administrators offer them."""

    id: str
    name: str
    description: str | None
    is_public: bool
    specs: dict[str, str]
    created_at: Instant
    updated_at: Instant | None

    @property
    def consistent(self) -> bool:
        """Whether snapshots of such a group show all its volumes at one moment."""
        return self.specs.get("consistent_group_snapshot_enabled", "").lower() == "<is> true"


class Group(Struct, frozen=True):
    """Volumes that are snapshotted, cloned and deleted together."""

    id: str
    project_id: str
    user_id: str
    name: str | None
    description: str | None
    status: str
    type_id: str
    volume_types: list[str]
    """Ids of the types that its volumes may have."""
    availability_zone: str
    host: str | None
    group_snapshot_id: str | None
    source_group_id: str | None
    created_at: Instant
    updated_at: Instant | None


class GroupSnapshot(Struct, frozen=True):
    """Snapshots of all volumes of a group."""

    id: str
    group_id: str
    project_id: str
    user_id: str
    name: str | None
    description: str | None
    status: str
    type_id: str
    created_at: Instant
    updated_at: Instant | None


class BackupStatus(StrEnum):
    """Where a backup is in its life."""

    CREATING = "creating"
    AVAILABLE = "available"
    RESTORING = "restoring"
    DELETING = "deleting"
    ERROR = "error"
    ERROR_DELETING = "error_deleting"


class Backup(Struct, frozen=True):
    """A volume's content in a backup store."""

    id: str
    project_id: str
    user_id: str
    name: str | None
    description: str | None
    volume_id: str
    snapshot_id: str | None
    parent_id: str | None
    """The backup that it adds to; None: it is a full one."""
    status: str
    size_gb: int
    objects: int
    """How many objects of its own it has in the store."""
    container: str
    prefix: str
    """What the names of its objects in the store begin with."""
    availability_zone: str
    fail_reason: str | None
    metadata: dict[str, str]
    place: str
    """The name of the backup store."""
    volume_words: dict[str, object]
    """What the volume was called, and whether one could boot from it."""
    data_at: Instant
    """When the content was as it is in the backup."""
    restored_to: str | None
    created_at: Instant
    updated_at: Instant | None
    has_children: bool = False


class LeftoverKind(StrEnum):
    """What can be wrong."""

    DISK = "disk of no volume"
    BASE = "image base of no volume"
    STUCK = "volume without an owner of its status"
    BACKUP = "backup objects of no backup"
    BACKUP_STORE = "backup store that does not answer"


class Leftover(Struct, frozen=True):
    """One thing that is wrong: what it is, its name or id, and a sentence on it."""

    kind: LeftoverKind
    subject: str
    detail: str

    @property
    def removable(self) -> bool:
        """Whether it can be removed; what is stuck or silent is for an administrator to judge."""
        return self.kind not in (LeftoverKind.STUCK, LeftoverKind.BACKUP_STORE)
