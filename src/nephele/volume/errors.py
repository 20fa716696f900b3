"""Every way in which Cinder says no.  Statuses and sentences are those that its clients expect."""

from nephele.kernel.errors import Error

VOLUME_NOT_FOUND = Error("volume.not_found", 404, "Volume {volume_id} could not be found.")
SNAPSHOT_NOT_FOUND = Error("volume.snapshot_not_found", 404, "Snapshot {snapshot_id} could not be found.")
ATTACHMENT_NOT_FOUND = Error(
    "volume.attachment_not_found",
    404,
    "Volume attachment could not be found with filter: attachment_id = {attachment_id}.",
)
TYPE_NOT_FOUND = Error("volume.type_not_found", 404, "Volume type {volume_type_id} could not be found.")
TYPE_NAME_NOT_FOUND = Error("volume.type_name_not_found", 404, "Volume type with name {name} could not be found.")
TYPE_EXISTS = Error("volume.type_exists", 409, "Volume Type {name} already exists.")
TYPE_IN_USE = Error("volume.type_in_use", 400, "Target volume type is still in use.")
TYPE_HAS_VOLUMES = Error("volume.type_has_volumes", 400, "Volume Type is currently in use.")
LAST_TYPE = Error("volume.last_type", 400, "Volume type {volume_type_id} is the default type and cannot be deleted.")
EXTRA_SPEC_NOT_FOUND = Error(
    "volume.extra_spec_not_found", 404, "Volume Type {volume_type_id} has no extra specs with key {key}."
)
ACCESS_NOT_FOUND = Error(
    "volume.type_access_not_found",
    404,
    "Volume type access not found for {volume_type_id} / {project_id} combination.",
)
ACCESS_EXISTS = Error(
    "volume.type_access_exists",
    409,
    "Volume type access for {volume_type_id} / {project_id} combination already exists.",
)
DEFAULT_TYPE_NOT_FOUND = Error("volume.default_type_not_found", 404, "Default type for project {project_id} not found.")
METADATA_NOT_FOUND = Error("volume.metadata_not_found", 404, "{what} {id} has no metadata with key {key}.")
IMAGE_METADATA_NOT_FOUND = Error(
    "volume.image_metadata_not_found", 404, "Glance metadata for volume/snapshot {id} cannot be found."
)
TRANSFER_NOT_FOUND = Error("volume.transfer_not_found", 404, "Transfer {transfer_id} could not be found.")
QOS_NOT_FOUND = Error("volume.qos_not_found", 404, "No such QoS spec {qos_id}.")
QOS_KEY_NOT_FOUND = Error("volume.qos_key_not_found", 404, "QoS spec {qos_id} has no spec with key {key}.")
QOS_EXISTS = Error("volume.qos_exists", 409, "QoS Specs {name} already exists.")
QOS_IN_USE = Error("volume.qos_in_use", 400, "QoS Specs {qos_id} is still associated with entities.")
MESSAGE_NOT_FOUND = Error("volume.message_not_found", 404, "Message {message_id} could not be found.")
SERVICE_NOT_FOUND = Error("volume.service_not_found", 404, "Service {binary} could not be found on host {host}.")
CLUSTER_NOT_FOUND = Error("volume.cluster_not_found", 404, "Cluster {name} could not be found.")
HOST_NOT_FOUND = Error("volume.host_not_found", 404, "Host {host} could not be found.")

GROUP_NOT_FOUND = Error("volume.group_not_found", 404, "Group {group_id} could not be found.")
GROUP_TYPE_NOT_FOUND = Error("volume.group_type_not_found", 404, "Group type {group_type_id} could not be found.")
GROUP_TYPE_NAME_NOT_FOUND = Error(
    "volume.group_type_name_not_found", 404, "Group type with name {name} could not be found."
)
GROUP_TYPE_EXISTS = Error("volume.group_type_exists", 409, "Group Type {name} already exists.")
GROUP_TYPE_IN_USE = Error("volume.group_type_in_use", 400, "Target group type is still in use.")
GROUP_SPEC_NOT_FOUND = Error(
    "volume.group_spec_not_found", 404, "Group Type {group_type_id} has no specs with key {key}."
)
GROUP_SNAPSHOT_NOT_FOUND = Error(
    "volume.group_snapshot_not_found", 404, "GroupSnapshot {group_snapshot_id} could not be found."
)
INVALID_GROUP = Error("volume.invalid_group", 400, "Invalid Group: {reason}")
INVALID_GROUP_TYPE = Error("volume.invalid_group_type", 400, "Invalid group type: {reason}")
INVALID_GROUP_SNAPSHOT = Error("volume.invalid_group_snapshot", 400, "Invalid GroupSnapshot: {reason}")
TOO_MANY_GROUPS = Error(
    "volume.too_many_groups",
    413,
    "GroupLimitExceeded: Maximum number of groups allowed ({allowed}) exceeded.",
    "Raise the project's quota: openstack quota set --volume-groups N PROJECT",
)
BACKUP_NOT_FOUND = Error("volume.backup_not_found", 404, "Backup {backup_id} could not be found.")
INVALID_BACKUP = Error("volume.invalid_backup", 400, "Invalid backup: {reason}")
TOO_MANY_BACKUPS = Error(
    "volume.too_many_backups",
    413,
    "BackupLimitExceeded: Maximum number of backups allowed ({allowed}) exceeded",
    "Raise the project's quota: openstack quota set --backups N PROJECT",
)
TOO_MANY_BACKUP_GIGABYTES = Error(
    "volume.too_many_backup_gigabytes",
    413,
    "VolumeBackupSizeExceedsAvailableQuota: Requested backup exceeds allowed Backup gigabytes quota. "
    "Requested {requested}G, quota is {allowed}G and {used}G has been consumed.",
    "Raise the project's quota: openstack quota set --backup-gigabytes N PROJECT",
)
OBJECT_MISSING = Error("volume.backup_object_missing", 404, "The backup store has no object {name}.")
NO_BACKUP_STORE = Error("volume.no_backup_store", 503, "This cloud keeps no backups.", "Configure [volumes.backups].")
BACKUP_DAMAGED = Error(
    "volume.backup_damaged", 500, "The backup at {backup_id} is damaged: {reason}.", "Restore an older backup instead."
)
BACKUP_STORE_FAILED = Error(
    "volume.backup_store_failed", 503, "The backup store failed: {reason}.", "See whether it is reachable and has room."
)
ENCRYPTION_EXISTS = Error("volume.encryption_exists", 409, "Volume type encryption for type {type_id} already exists.")
ENCRYPTION_NOT_FOUND = Error(
    "volume.encryption_not_found", 404, "Volume type encryption for type {type_id} does not exist."
)
ENCRYPTED = Error(
    "volume.encrypted",
    400,
    "Volume type {name} asks for encrypted volumes, and this cloud has no key store to keep their keys in.",
    "Use a type without encryption, or encrypt inside the guest.",
)
INVALID_INPUT = Error("volume.invalid_input", 400, "Invalid input received: {reason}")
INVALID_VOLUME = Error("volume.invalid", 400, "Invalid volume: {reason}")
INVALID_SNAPSHOT = Error("volume.invalid_snapshot", 400, "Invalid snapshot: {reason}")
INVALID_KEY = Error(
    "volume.invalid_auth_key", 400, "Invalid auth key: Attempt to transfer {transfer_id} with invalid auth key."
)
INVALID_ZONE = Error("volume.invalid_zone", 400, "Availability zone '{zone}' is invalid.")
INVALID_MODE = Error("volume.invalid_mode", 400, "Invalid attaching mode '{mode}' for volume {volume_id}.")
INVALID_IMAGE = Error("volume.invalid_image", 400, "Invalid image identifier or unable to access requested image.")
IMAGE_UNACCEPTABLE = Error("volume.image_unacceptable", 400, "Image {image_id} is unacceptable: {reason}")
CONFLICT = Error("volume.conflict", 409, "Resource conflict: {reason}")
HELD_BY_SERVER = Error(
    "volume.held_by_server",
    409,
    "Detach volume from instance {server_id} using the Compute API",
    "A server's guest would lose its disk while it writes to it.",
)
WRONG_SERVER = Error("volume.wrong_server", 403, "Attachment {attachment_id} belongs to another server.")

TOO_MANY_VOLUMES = Error(
    "volume.too_many_volumes",
    413,
    "VolumeLimitExceeded: Maximum number of volumes allowed ({allowed}) exceeded for quota '{name}'.",
    "Raise the project's quota: openstack quota set --volumes N PROJECT",
)
TOO_MANY_SNAPSHOTS = Error(
    "volume.too_many_snapshots",
    413,
    "SnapshotLimitExceeded: Maximum number of snapshots allowed ({allowed}) exceeded for quota '{name}'.",
    "Raise the project's quota: openstack quota set --snapshots N PROJECT",
)
TOO_MANY_GIGABYTES = Error(
    "volume.too_many_gigabytes",
    413,
    "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed {name} quota. "
    "Requested {requested}G, quota is {allowed}G and {used}G has been consumed.",
    "Raise the project's quota: openstack quota set --gigabytes N PROJECT",
)
VOLUME_TOO_LARGE = Error(
    "volume.too_large",
    413,
    "VolumeSizeExceedsLimit: Requested volume size {requested}G is larger than maximum allowed limit {allowed}G.",
)

NO_SPACE = Error(
    "volume.no_space",
    503,
    "The volume storage has {free_gb:.1f} GB left; {needed_gb:.1f} GB are needed.",
    "Free space on the file system that holds the state directory.",
)
NOT_MANAGEABLE = Error(
    "volume.not_manageable", 404, "Failed to manage existing volume {name}: the storage has no such disk to manage."
)
BACKEND_GONE = Error(
    "volume.backend_gone",
    503,
    "This cloud has no volume backend {host}.",
    "Configure the backend again under its old name: [volumes.backends.NAME].",
)
BACKEND_FAILED = Error(
    "volume.backend_failed", 503, "The volume storage failed: {reason}", "See whether its file system is well."
)
BUSY_SOURCE = Error(
    "volume.busy_source",
    409,
    "Volume {name} is written to faster than it can be copied; stop the writer or try again.",
)
FORMAT_UNSUPPORTED = Error(
    "volume.format_unsupported",
    400,
    "Image format {format} can not be written to a volume here: {reason}",
    "Install qemu-utils, or upload the image as raw or qcow2.",
)
