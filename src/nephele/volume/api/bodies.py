"""What clients send, typed and limited as Cinder's API says."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from nephele.kernel.errors import BAD_REQUEST
from nephele.kernel.ids import is_uuid

Text255 = Annotated[str, Meta(max_length=255)]
Name = Annotated[str, Meta(min_length=1, max_length=255)]
MaybeText = Annotated[str, Meta(max_length=255)] | None
_KEY = r"^[a-zA-Z0-9-_:. /]{1,255}$"
Key = Annotated[str, Meta(min_length=1, max_length=255, pattern=_KEY)]
Words = dict[Key, Text255]
MaybeWords = dict[Key, Text255 | None]
Bool = (
    bool
    | Literal["True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes", "y", "t"]
    | Literal["False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no", "n", "f"]
)
Size = Annotated[int, Meta(ge=1, le=2147483647)] | Annotated[str, Meta(pattern=r"^[0-9]+$", max_length=10)]
Limit = Annotated[int, Meta(ge=-1, le=2147483647)] | Annotated[str, Meta(pattern=r"^-?[0-9]+$", max_length=11)]
_TRUE = frozenset({"true", "1", "on", "yes", "y", "t"})


def truth(value: bool | str | None) -> bool:
    """A truth value in any of the spellings that `Bool` lets in."""
    return value is True or str(value).lower() in _TRUE


def number(value: int | str | None) -> int | None:
    """A whole number, as itself or as text."""
    return None if value is None else int(value)


def check_uuid(field: str, value: str | None) -> str | None:
    """The value if it is a UUID or None.  Raises BAD_REQUEST."""
    if value is not None and not is_uuid(value):
        raise BAD_REQUEST(
            reason=f"Invalid input for field/attribute {field}. Value: {value}. {value!r} is not a 'uuid'"
        )
    return value


def stripped(value: str | None) -> str | None:
    """A name or description without blanks around it."""
    return value.strip() if isinstance(value, str) else value


class Lax(Struct, frozen=True, kw_only=True, rename={"scheduler_hints": "OS-SCH-HNT:scheduler_hints"}):
    """Microversions before 3.53 let unknown fields of a new volume pass."""

    volume: "NewVolumeBody"
    scheduler_hints: dict[str, Any] | None = None


class NewVolumeBody(Struct, frozen=True, kw_only=True):
    """A new volume."""

    name: MaybeText = None
    description: MaybeText = None
    display_name: MaybeText = None
    display_description: MaybeText = None
    volume_type: MaybeText = None
    metadata: Words | None = None
    snapshot_id: str | None = None
    source_volid: str | None = None
    consistencygroup_id: str | None = None
    group_id: MaybeText = None
    backup_id: str | None = None
    size: Size | None = None
    availability_zone: Name | None = None
    multiattach: Bool | None = None
    image_id: MaybeText = None
    imageRef: MaybeText = None  # noqa: N815 - the API's name


class StrictNewVolumeBody(NewVolumeBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new volume, with no fields but these."""


class Strict(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"scheduler_hints": "OS-SCH-HNT:scheduler_hints"},
):
    """From microversion 3.53 on unknown fields are refused."""

    volume: StrictNewVolumeBody
    scheduler_hints: dict[str, Any] | None = None


class VolumeUpdate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A volume's new words."""

    name: MaybeText | UnsetType = UNSET
    description: MaybeText | UnsetType = UNSET
    display_name: MaybeText | UnsetType = UNSET
    display_description: MaybeText | UnsetType = UNSET
    metadata: Words | UnsetType = UNSET


class Metadata(Struct, frozen=True, forbid_unknown_fields=True):
    """`{"metadata": {…}}`."""

    metadata: Words


class Meta_(Struct, frozen=True, forbid_unknown_fields=True):  # noqa: N801 - Meta is msgspec's
    """`{"meta": {…}}`."""

    meta: Words


class Extend(Struct, frozen=True, forbid_unknown_fields=True):
    """`os-extend`."""

    new_size: Size


class ExtensionEnd(Struct, frozen=True, forbid_unknown_fields=True):
    """`os-extend_volume_completion`."""

    error: Bool = False


class Reset(Struct, frozen=True, forbid_unknown_fields=True):
    """`os-reset_status` of a volume."""

    status: Text255 | None = None
    attach_status: Text255 | None = None
    migration_status: Text255 | None = None


class ResetSnapshot(Struct, frozen=True, forbid_unknown_fields=True):
    """`os-reset_status` of a snapshot."""

    status: Name


class SnapshotProgress(Struct, frozen=True, forbid_unknown_fields=True):
    """`os-update_snapshot_status`."""

    status: Name
    progress: Annotated[str, Meta(pattern=r"^(?:0|[1-9][0-9]?|100)%$")] | None = None


class Bootable(Struct, frozen=True, forbid_unknown_fields=True):
    """`os-set_bootable`."""

    bootable: Bool


class Readonly(Struct, frozen=True, forbid_unknown_fields=True):
    """`os-update_readonly_flag`."""

    readonly: Bool


class Retype(Struct, frozen=True, forbid_unknown_fields=True):
    """`os-retype`."""

    new_type: str
    migration_policy: Literal["on-demand", "never"] | None = None


class OldMigrate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`os-migrate_volume` before microversion 3.16."""

    host: Name | None = None
    force_host_copy: Bool = False
    lock_volume: Bool = False


class Migrate(OldMigrate, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`os-migrate_volume`."""

    cluster: Name | None = None


class MigrationEnd(Struct, frozen=True, forbid_unknown_fields=True):
    """`os-migrate_volume_completion`."""

    new_volume: str
    error: Bool = False


class Reimage(Struct, frozen=True, forbid_unknown_fields=True):
    """`os-reimage`."""

    image_id: str
    reimage_reserved: Bool = False


class Revert(Struct, frozen=True):
    """`revert`."""

    snapshot_id: str | None = None


class OldUpload(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`os-volume_upload_image` before microversion 3.1."""

    image_name: Name
    force: Bool = False
    disk_format: Literal["raw", "vmdk", "vdi", "qcow2", "vhd", "vhdx", "ploop"] = "raw"
    container_format: MaybeText = "bare"


class Upload(OldUpload, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`os-volume_upload_image`."""

    visibility: Literal["community", "public", "private", "shared"] = "private"
    protected: Bool = False


class Attach(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`os-attach`."""

    mountpoint: Name
    instance_uuid: str | None = None
    host_name: Text255 | None = None
    mode: Literal["rw", "ro"] = "rw"


class Detach(Struct, frozen=True, forbid_unknown_fields=True):
    """`os-detach`."""

    attachment_id: str | None = None


class ForceDetach(Struct, frozen=True, forbid_unknown_fields=True):
    """`os-force_detach`."""

    attachment_id: str | None = None
    connector: dict[str, Any] | None = None


class Connection(Struct, frozen=True, forbid_unknown_fields=True):
    """`os-initialize_connection` and `os-terminate_connection`."""

    connector: dict[str, Any] | str | None


class ImageKey(Struct, frozen=True, forbid_unknown_fields=True):
    """`os-unset_image_metadata`."""

    key: Name


class ImageMetadata(Struct, frozen=True, forbid_unknown_fields=True):
    """`os-set_image_metadata`."""

    metadata: dict[Key, Annotated[str, Meta(max_length=65535)]]


class NewAttachment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new attachment before microversion 3.54."""

    volume_uuid: str
    instance_uuid: str | None = None
    connector: dict[str, Any] | None = None


class NewModeAttachment(NewAttachment, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new attachment."""

    mode: Literal["rw", "ro"] | None = None


class AttachmentUpdate(Struct, frozen=True, forbid_unknown_fields=True):
    """Where an attachment is connected."""

    connector: Annotated[dict[str, Any], Meta(min_length=1)]


class NewSnapshot(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new snapshot."""

    volume_id: str | None
    name: MaybeText = None
    display_name: MaybeText = None
    description: MaybeText = None
    force: Bool | None = None
    metadata: Words | None = None


class SnapshotUpdate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A snapshot's new words."""

    name: MaybeText | UnsetType = UNSET
    description: MaybeText | UnsetType = UNSET
    display_name: MaybeText | UnsetType = UNSET
    display_description: MaybeText | UnsetType = UNSET


class NewType(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"is_public": "os-volume-type-access:is_public"},
):
    """A new volume type."""

    name: Name
    description: MaybeText = None
    extra_specs: MaybeWords = {}
    is_public: Bool = True


class TypeUpdate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A volume type's new words."""

    name: MaybeText = None
    description: MaybeText | UnsetType = UNSET
    is_public: Bool | None = None


class Access(Struct, frozen=True, forbid_unknown_fields=True):
    """`addProjectAccess` and `removeProjectAccess`."""

    project: Name


class ExtraSpecs(Struct, frozen=True, forbid_unknown_fields=True):
    """`{"extra_specs": {…}}`."""

    extra_specs: dict[Annotated[str, Meta(pattern=r"^[a-zA-Z0-9-_:.]{1,255}$")], MaybeText]


class DefaultType(Struct, frozen=True, forbid_unknown_fields=True):
    """A project's default type."""

    volume_type: Name


class NewGroup(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new group."""

    group_type: Name
    volume_types: Annotated[list[Name], Meta(min_length=1)]
    name: MaybeText = None
    description: MaybeText = None
    availability_zone: MaybeText = None


class GroupUpdate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group's new words and volumes; lists are texts with commas."""

    name: MaybeText = None
    description: MaybeText = None
    add_volumes: str | None = None
    remove_volumes: str | None = None


class GroupFromSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`create-from-src`."""

    name: MaybeText = None
    description: MaybeText = None
    group_snapshot_id: str | None = None
    source_group_id: str | None = None


class GroupDelete(Struct, frozen=True, forbid_unknown_fields=True, rename={"delete_volumes": "delete-volumes"}):
    """`delete` of a group."""

    delete_volumes: Bool = False


class Status(Struct, frozen=True, forbid_unknown_fields=True):
    """`reset_status` of a group or a snapshot of one, `os-reset_status` of a backup."""

    status: Annotated[str, Meta(min_length=1, max_length=255)]


class Failover(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`failover_replication`."""

    allow_attached_volume: Bool = False
    secondary_backend_id: Text255 | None = None


class NewGroupSnapshot(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new snapshot of a group."""

    group_id: str
    name: MaybeText = None
    description: MaybeText = None


class NewGroupType(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new group type."""

    name: Name
    description: MaybeText = None
    is_public: Bool = True
    group_specs: MaybeWords = {}


class GroupTypeUpdate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group type's new words."""

    name: MaybeText = None
    description: MaybeText = None
    is_public: Bool | None = None


class GroupSpecs(Struct, frozen=True, forbid_unknown_fields=True):
    """`{"group_specs": {…}}`."""

    group_specs: MaybeWords


class ClusterSwitch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which cluster to enable or disable."""

    name: Name
    binary: Text255 | None = None
    disabled_reason: Text255 | None = None


class Cleanup(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to clean up after which services."""

    cluster_name: MaybeText = None
    host: MaybeText = None
    binary: Literal["cinder-volume", "cinder-scheduler"] | None = None
    service_id: str | int | None = None
    resource_id: str | None = None
    resource_type: Text255 | None = None
    is_up: Bool | None = None
    disabled: Bool | None = None


class NewBackup(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new backup."""

    volume_id: str
    container: Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^/.][^/]*$")] | None = None
    name: MaybeText = None
    description: MaybeText = None
    incremental: Bool = False
    force: Bool = False
    snapshot_id: str | None = None


class NewBackupWithWords(NewBackup, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new backup from microversion 3.43 on."""

    metadata: Words | None = None


class BackupUpdate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A backup's new words."""

    name: MaybeText = None
    description: MaybeText = None


class BackupUpdateWithWords(BackupUpdate, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A backup's new words from microversion 3.43 on."""

    metadata: Words | None = None


class RestoreBackup(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to restore a backup to."""

    name: MaybeText = None
    volume_id: str | None = None


class BackupRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A backup of another cloud."""

    backup_service: Name
    backup_url: Annotated[str, Meta(min_length=1)]


class ImportRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"record": "backup-record"}):
    """`{"backup-record": {…}}`."""

    record: BackupRecord


class NewEncryption(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How volumes of a type are encrypted."""

    provider: Name
    control_location: Literal["front-end", "back-end"]
    cipher: MaybeText = None
    key_size: Annotated[int, Meta(ge=0, le=2147483647)] | None = None


class EncryptionUpdate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same, said anew."""

    provider: Name | UnsetType = UNSET
    control_location: Literal["front-end", "back-end"] | UnsetType = UNSET
    cipher: MaybeText | UnsetType = UNSET
    key_size: Annotated[int, Meta(ge=0, le=2147483647)] | UnsetType | None = UNSET


class ManagedVolume(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A disk that is to be a volume."""

    ref: dict[str, Any] | str
    host: Text255 | None = None
    name: MaybeText = None
    description: MaybeText = None
    volume_type: MaybeText = None
    availability_zone: MaybeText = None
    bootable: Bool = False
    metadata: Words | None = None
    cluster: MaybeText = None


class ManagedSnapshot(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A disk that is to be a snapshot."""

    volume_id: str
    ref: dict[str, Any] | str
    name: MaybeText = None
    description: MaybeText = None
    metadata: Words | None = None


class LogWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which log levels to look at or change."""

    binary: MaybeText = None
    server: MaybeText = None
    prefix: MaybeText = None
    level: MaybeText = None


class HostFailover(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`failover_host` and, from 3.26 on, `failover`."""

    host: MaybeText = None
    backend_id: MaybeText = None
    cluster: MaybeText = None


class NewConsistencyGroup(Struct, frozen=True, kw_only=True):
    """A new consistency group; its volume types are ids or names between commas."""

    volume_types: str
    name: MaybeText = None
    description: MaybeText = None
    availability_zone: MaybeText = None


class ConsistencyGroupSource(Struct, frozen=True, kw_only=True):
    """What a consistency group is made of."""

    name: MaybeText = None
    description: MaybeText = None
    cgsnapshot_id: str | None = None
    source_cgid: str | None = None


class ConsistencyGroupFromSource(Struct, frozen=True, rename={"wish": "consistencygroup-from-src"}):
    """`create_from_src`."""

    wish: ConsistencyGroupSource


class ConsistencyGroupDelete(Struct, frozen=True):
    """Whether what is in it goes too."""

    force: Bool = False


class NewConsistencySnapshot(Struct, frozen=True, kw_only=True):
    """A new snapshot of a consistency group."""

    consistencygroup_id: str
    name: MaybeText = None
    description: MaybeText = None


class NewTransfer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An offer."""

    volume_id: str
    name: MaybeText = None


class NewBareTransfer(NewTransfer, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An offer, without its snapshots if so wanted."""

    no_snapshots: Bool = False


class Accept(Struct, frozen=True, forbid_unknown_fields=True):
    """An offer taken."""

    auth_key: Annotated[str, Meta(min_length=1, max_length=255)]


class ServiceSwitch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which service to enable or disable."""

    host: Name
    binary: Text255 | None = None
    service: Text255 | None = None
    disabled_reason: Text255 | None = None


class HostOnly(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which backend to freeze or thaw."""

    host: Name


Anything = msgspec.Raw
"""A body of which only the key counts: `{"os-reserve": …}`."""
