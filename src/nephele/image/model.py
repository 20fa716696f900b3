"""What Glance speaks of: images, who they are shared with, and the statuses that they pass through."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from nephele.kernel.clock import Instant


class Status(StrEnum):
    """Where an image stands."""

    QUEUED = "queued"
    """Described, without data."""
    SAVING = "saving"
    """Its data is being uploaded."""
    UPLOADING = "uploading"
    """Its data is staged for an import, or on its way there."""
    IMPORTING = "importing"
    """An import task takes its data over."""
    ACTIVE = "active"
    """Ready: its data never changes again."""
    DEACTIVATED = "deactivated"
    """Ready, but only administrators get its data."""
    KILLED = "killed"
    """Its upload failed for good; kept for clients that know the word, an upload that fails goes back to queued."""
    PENDING_DELETE = "pending_delete"
    """Deleted, its data not yet."""
    DELETED = "deleted"
    """Gone."""


TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.SAVING, Status.UPLOADING, Status.IMPORTING, Status.ACTIVE, Status.DELETED}),
    Status.SAVING: frozenset({Status.ACTIVE, Status.KILLED, Status.DELETED, Status.QUEUED}),
    Status.UPLOADING: frozenset({Status.IMPORTING, Status.QUEUED, Status.DELETED}),
    Status.IMPORTING: frozenset({Status.ACTIVE, Status.QUEUED, Status.DELETED}),
    Status.ACTIVE: frozenset({Status.PENDING_DELETE, Status.DELETED, Status.DEACTIVATED}),
    Status.DEACTIVATED: frozenset({Status.ACTIVE, Status.DELETED}),
    Status.KILLED: frozenset({Status.DELETED}),
    Status.PENDING_DELETE: frozenset({Status.DELETED, Status.ACTIVE}),
    Status.DELETED: frozenset(),
}
"""From each status the ones that may follow."""

ARRIVING = frozenset({Status.SAVING, Status.UPLOADING, Status.IMPORTING})
"""In these some server works on the image's data."""


class Visibility(StrEnum):
    """Who sees an image beside its owner."""

    PUBLIC = "public"
    COMMUNITY = "community"
    SHARED = "shared"
    PRIVATE = "private"


class MemberStatus(StrEnum):
    """What a project said to an image that is shared with it."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


DISK_FORMATS = ("ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop")
CONTAINER_FORMATS = ("ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed")


class Image(Struct, frozen=True, gc=False):
    """One image.

    `size` and `virtual_size` in bytes, `min_disk` in GB, `min_ram` in MB; `checksum` is the md5 of the data,
    `os_hash_value` its hash by `os_hash_algo`.  Fields stand in the order of the table's columns.
    """

    id: str
    name: str | None
    status: Status
    visibility: Visibility
    owner: str | None
    protected: bool
    os_hidden: bool
    disk_format: str | None
    container_format: str | None
    min_disk: int
    min_ram: int
    size: int | None
    virtual_size: int | None
    checksum: str | None
    os_hash_algo: str | None
    os_hash_value: str | None
    stores: str
    """Names of the stores that have its data, between commas; empty: it has none."""
    created_at: Instant
    updated_at: Instant
    tags: list[str]
    properties: dict[str, str]


class NewImage(Struct, frozen=True, kw_only=True):
    """What a caller may say of an image to be made.  An empty `id` or `owner` is chosen for them."""

    id: str = ""
    name: str | None = None
    visibility: Visibility = Visibility.SHARED
    owner: str = ""
    protected: bool = False
    os_hidden: bool = False
    disk_format: str | None = None
    container_format: str | None = None
    min_disk: int = 0
    min_ram: int = 0
    tags: tuple[str, ...] = ()
    properties: dict[str, str] = field(default_factory=dict)


class Written(Struct, frozen=True):
    """What is known of data once it is written: bytes, md5, sha512, and the size of the disk that it describes."""

    size: int
    checksum: str
    sha512: str
    virtual_size: int


class Member(Struct, frozen=True):
    """A project that an image is shared with."""

    image_id: str
    member_id: str
    status: MemberStatus
    created_at: Instant
    updated_at: Instant


class Limits(Struct, frozen=True):
    """How much of anything is accepted.

    Args:
        size: bytes of one image's data (the default is upstream's cap, 1 TiB).
        virtual_size: bytes of the disk that an image describes (16 TiB, the largest file of ext4).
        properties: custom properties of one image.
        tags: tags of one image.
        members: projects that one image is shared with.
        images: images of one project; -1: any number.
        total_size: bytes of all images of one project; -1: any number.
    """

    size: int = 1 << 40
    virtual_size: int = 16 << 40
    properties: int = 128
    tags: int = 128
    members: int = 128
    images: int = -1
    total_size: int = -1


STORE_ID = "local"
"""The one place where data is kept: the image directory."""


class ImportMethod(StrEnum):
    """How data may come in but by a plain upload."""

    GLANCE_DIRECT = "glance-direct"
    """Staged by the client before."""
    WEB_DOWNLOAD = "web-download"
    """Fetched from a web server."""
    GLANCE_DOWNLOAD = "glance-download"
    """Taken from another image, here or in another region."""
    COPY_IMAGE = "copy-image"
    """Copied from the store where it is to others."""


IMPORT_METHODS = tuple(ImportMethod)


class TaskStatus(StrEnum):
    """Where a task stands."""

    PENDING = "pending"
    PROCESSING = "processing"
    SUCCESS = "success"
    FAILURE = "failure"


class Task(Struct, frozen=True):
    """Work on an image that outlives its request."""

    id: str
    type: str
    status: TaskStatus
    owner: str
    image_id: str
    user_id: str
    request_id: str
    input: dict[str, Any]
    result: dict[str, Any] | None
    message: str
    expires_at: Instant | None
    created_at: Instant
    updated_at: Instant


@dataclass(frozen=True)
class Change:
    """One operation (add, remove, replace) on one attribute or property of an image."""

    operation: str
    name: str
    value: Any = None
    old_dialect: bool = False
