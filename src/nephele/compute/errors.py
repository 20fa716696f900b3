"""What Nova refuses, and why."""

from nephele.kernel.errors import Error

SERVER_NOT_FOUND = Error("server.not_found", 404, "Instance {server_id} could not be found.")
FLAVOR_NOT_FOUND = Error("flavor.not_found", 404, "Flavor {flavor_id} could not be found.")
BAD_FLAVOR = Error("server.bad_flavor", 400, "Flavor {flavor_id} could not be found.")
BAD_IMAGE = Error("server.bad_image", 400, "Image {image_id} could not be found.")
IMAGE_NOT_ACTIVE = Error("server.image_not_active", 400, "Image {image_id} is not active: it is {status}.")
IMAGE_MISSING = Error(
    "server.image_missing", 400, "Invalid imageRef provided: name an image, or a bootable volume as block device."
)
FLAVOR_RAM_TOO_SMALL = Error(
    "server.ram_too_small",
    400,
    "Flavor's memory is too small for requested image: it has {have} MB, image {image_id} needs {need} MB.",
)
FLAVOR_DISK_TOO_SMALL = Error(
    "server.disk_too_small",
    400,
    "Flavor's disk is too small for requested image. Flavor disk is {have} bytes, image is {need} bytes.",
)
BAD_KEY = Error("server.bad_key", 400, "Invalid key_name provided: user {user_id} has no key pair {name!r}.")
BAD_ZONE = Error("server.bad_zone", 400, "The requested availability zone {zone!r} is not available.")
BAD_HOST = Error("server.bad_host", 400, "Compute host {host!r} could not be found.")
BAD_BLOCK_DEVICE = Error("server.bad_block_device", 400, "Block Device Mapping is Invalid: {reason}")
NOT_BOOTABLE = Error("server.not_bootable", 400, "Block Device {device_id} is not bootable.")
BAD_NETWORK = Error("server.bad_network", 400, "{reason}")
NETWORK_CONFLICT = Error("server.network_conflict", 409, "{reason}")
PORT_QUOTA = Error("server.port_quota", 403, "{reason}")
BAD_SECURITY_GROUP = Error("server.bad_security_group", 400, "{reason}")
BAD_USER_DATA = Error("server.bad_user_data", 400, "User data needs to be valid base 64.")
BAD_GROUP = Error("server.bad_group", 400, "Instance group {group_id} could not be found.")
BAD_COUNT = Error("server.bad_count", 400, "min_count must be <= max_count")
PORT_WITH_MANY = Error(
    "server.port_with_many",
    400,
    "Unable to launch multiple instances with a single configured port ID. Please launch your instance"
    " one by one with different ports.",
)
HOSTNAME_WITH_MANY = Error(
    "server.hostname_with_many", 400, "Unable to allocate a single hostname to multiple instances"
)
QUOTA_EXCEEDED = Error(
    "quota.exceeded",
    403,
    "Quota exceeded for {resources}: Requested {requested}, but already used {used} of {limit} {resources}",
)
TOO_MANY_ITEMS = Error("quota.items", 403, "Maximum number of {what} exceeded: {limit} are allowed.")
WRONG_STATE = Error(
    "server.wrong_state",
    409,
    "Cannot '{command}' instance {server_id} while it is in {attribute} {value}",
)
NOT_READY = Error("server.not_ready", 409, "Instance {server_id} is not ready: it is on no host.")
NOT_RESCUABLE = Error("server.not_rescuable", 400, "Instance {server_id} cannot be rescued: {reason}")
BAD_RESCUE_IMAGE = Error("server.bad_rescue_image", 400, "Requested rescue image '{image_id}' is not supported")
BAD_RESCUE_DEVICE = Error("server.bad_rescue_device", 400, "Requested rescue device '{device}' is not supported")
NOT_HELD = Error("server.volume_not_held", 400, "No volume Block Device Mapping with id {volume_id}.")
NOT_IDLE = Error("server.not_idle", 400, "Instance {server_id} takes no snapshot of its volumes during {task}.")
VOLUME_NOT_IN_USE = Error(
    "server.volume_not_in_use", 409, "volume '{volume_id}' status must be 'in-use'. Currently in '{status}' status"
)
AGENT_DISABLED = Error("server.agent_disabled", 409, "QEMU guest agent is not enabled")
NO_AGENT = Error("server.no_agent", 501, "Unable to set password on instance: no agent answers in it")
PASSWORD_FAILED = Error("server.password_failed", 409, "Failed to set admin password on {server_id} because {reason}")
REMOVED = Error("server.removed_action", 410, "This action existed for one hypervisor only, and was removed with it.")
LOCKED = Error("server.locked", 409, "Instance {server_id} is locked")
VOLUME_NOT_ATTACHED = Error(
    "server.volume_not_attached", 404, "Instance {server_id} is not attached to volume {volume_id}"
)
INVALID_VOLUME = Error("server.invalid_volume", 400, "Invalid volume: {reason}")
BAD_DEVICE = Error("server.bad_device", 400, "The supplied device path ({path}) is invalid.")
DEVICE_TAKEN = Error("server.device_taken", 409, "The supplied device path ({path}) is in use.")
ROOT_VOLUME = Error("server.root_volume", 400, "Cannot detach a root device volume")
TAG_SHELVED = Error(
    "server.tag_shelved", 400, "Tagged volume attachment is not supported for shelved-offloaded instances."
)
MULTIATTACH_SHELVED = Error(
    "server.multiattach_shelved",
    400,
    "Attaching multiattach volumes is not supported for shelved-offloaded instances.",
)
MULTIATTACH_OLD = Error(
    "server.multiattach_old", 400, "Multiattach volumes are only supported starting with compute API version 2.60."
)
NOT_MIGRATING = Error(
    "server.not_migrating",
    409,
    "Volume {volume_id} is not migrating, so {new_id} can't take its place: only Cinder asks for that.",
)
INTERFACE_NOT_FOUND = Error("server.interface_not_found", 404, "Port {port_id} is not attached to instance {server_id}")
INTERFACE_FAILED = Error(
    "server.interface_failed",
    500,
    "Failed to attach network adapter device to {server_id}: {reason}",
    "The instance action has the step; the port was taken back.",
)
NETWORK_MISSING = Error("server.network_missing", 404, "{reason}")
NO_NETWORK = Error(
    "server.no_network",
    400,
    "No specific network was requested and none are available for project '{project_id}'.",
)
NOT_ON_NETWORK = Error("server.not_on_network", 400, "Instance {server_id} has no port on network {network_id}.")
ADDRESS_NOT_THERE = Error("server.address_not_there", 400, "Instance {server_id} does not have fixed IP '{address}'.")
FLOATING_MISSING = Error("server.floating_missing", 404, "floating IP not found")
POOL_MISSING = Error("server.pool_missing", 404, "Floating IP pool not found.")
CONSOLE_TYPE = Error("console.unavailable", 400, "Unavailable console type {kind}.")
CONSOLE_TOKEN = Error("console.no_such_token", 404, "Token not found")
KEY_EXISTS = Error("key_pair.exists", 409, "Key pair '{name}' already exists.")
KEY_NOT_FOUND = Error("key_pair.not_found", 404, "Keypair {name} not found for user {user_id}")
BAD_PUBLIC_KEY = Error("key_pair.bad_key", 400, "Keypair data is invalid: {reason}")
FLAVOR_EXISTS = Error("flavor.exists", 409, "Flavor with {what} {value} already exists.")

BAD_REBUILD_IMAGE = Error("server.bad_rebuild_image", 400, "Cannot find image for rebuild")
IMAGE_UNACCEPTABLE = Error("server.image_unacceptable", 400, "Image {image_id} is unacceptable: {reason}")
VOLUME_TOO_SMALL = Error(
    "server.volume_too_small",
    400,
    "Volume is smaller than the minimum size specified in image metadata. Volume size is {have} bytes,"
    " minimum size is {need} bytes.",
)
NO_HOST_FOR_REBUILD = Error(
    "server.no_host_for_rebuild", 409, "No valid host was found. Host {host} can't run image {image_id}: {reason}"
)
NOT_OFFLOADED = Error(
    "server.not_offloaded",
    409,
    "Specifying an availability zone or a host when unshelving server {server_id} with status {state} is not"
    " supported: it must be shelved_offloaded.",
)
HOST_NOT_IN_ZONE = Error("server.host_not_in_zone", 409, "Host {host!r} is not in the availability zone {zone!r}.")
SHELVED_IMAGE_GONE = Error(
    "server.shelved_image_gone", 404, "Unshelve attempted but the image {image_id} cannot be found."
)
SHELVING_IMAGE_GONE = Error(
    "server.shelving_image_gone", 409, "Image {image_id} was deleted while the server was put into it."
)
NO_BACKUP_OF_VOLUMES = Error("server.no_backup_of_volumes", 400, "Backup is not supported for volume-backed instances.")
SNAPSHOT_QUOTA = Error("server.snapshot_quota", 403, "{reason}")
NO_ROOT_DISK = Error("server.no_root_disk", 500, "Instance {server_id} has no disk that it boots from.")
NOT_YOUR_SERVER = Error(
    "conductor.not_yours",
    403,
    "Host {host} asked for server {server_id}, which is not placed on it.",
    "A host may ask only for what it runs; look at that host's agent.",
)
IMAGE_CORRUPT = Error(
    "agent.image_corrupt",
    500,
    "The data of image {image_id} does not match its checksum on host {host}.",
    "The store or the way to the host is damaged; the image was not used.",
)
VOLUME_NOT_READY = Error(
    "server.volume_not_ready", 500, "Volume {volume_id} did not become ready: it is {status}. {reason}"
)
INTERRUPTED = Error("agent.interrupted", 409, "What was done to instance {server_id} was interrupted.")
CANNOT_PIN = Error(
    "server.cannot_pin",
    409,
    "Instance {server_id} cannot be pinned to availability zone {zone}: it is pinned to {now} and is in {here}.",
    "A pinned server is unpinned first (null); then it can be pinned to the zone where it is.",
)
TOO_LATE = Error(
    "agent.too_late", 503, "{command} for instance {server_id} came after nobody waited for it: it was not carried out."
)
HOST_LOST = Error("server.host_lost", 500, "The server is on no host.")

RESIZE_TO_ZERO_DISK = Error(
    "resize.zero_disk", 400, "Server disk was unable to be resized because: Resize to zero disk flavor is not allowed."
)
SAME_FLAVOR = Error("resize.same_flavor", 400, "When resizing, instances must change flavor!")
CANNOT_RESIZE_DISK = Error("resize.disk", 400, "Server disk was unable to be resized because: {reason}")
NOT_RESIZED = Error("resize.none", 400, "Instance has not been resized.")
RESIZE_FLAVOR_NOT_FOUND = Error("resize.bad_flavor", 400, "Flavor {flavor_id} could not be found.")
NO_HOST_FOR_MOVE = Error(
    "move.no_valid_host",
    400,
    "No valid host was found. {reason}",
    "`nephele explain SERVER` shows every check of every host.",
    "NoValidHost",
)
SAME_HOST = Error("move.same_host", 400, "Cannot migrate to the host where the server exists.")
LIVE_TO_ITSELF = Error("move.to_itself", 400, "Unable to migrate instance ({server_id}) to current host ({host}).")
MOVE_HOST_NOT_FOUND = Error("move.host_not_found", 400, "Compute host {host} could not be found.")
HOST_UNAVAILABLE = Error("move.host_unavailable", 400, "Compute service of {host} is unavailable at this time.")
SOURCE_UNAVAILABLE = Error(
    "move.source_unavailable", 409, "Service is unavailable at this time: the compute service of {host} is down."
)
HOST_STILL_UP = Error("move.host_up", 400, "Compute service of {host} is still in use.")
EVACUATE_HOST_NOT_FOUND = Error("move.evacuate_host_not_found", 404, "Compute host {host} not found.")
EVACUATE_SAME_HOST = Error("move.evacuate_same_host", 400, "The target host can't be the same one.")
FORCE_NEEDS_HOST = Error("move.force_needs_host", 400, "Can't force to a non-provided destination")
PASSWORD_ON_KEPT_DISK = Error("move.password", 400, "admin password can't be changed on existing disk")
MIGRATION_NOT_FOUND = Error("migration.not_found", 404, "Migration {migration_id} not found for instance {server_id}")
MIGRATION_NOT_LIVE = Error(
    "migration.not_live", 404, "Migration {migration_id} for server {server_id} is not live-migration."
)
MIGRATION_NOT_IN_PROGRESS = Error(
    "migration.over", 404, "Live migration {migration_id} for server {server_id} is not in progress."
)
MIGRATION_WRONG_STATE = Error(
    "migration.wrong_state",
    400,
    "Migration {migration_id} state of instance {server_id} is {state}. Cannot {method} while the migration is in"
    " this state.",
)
MIGRATION_CANCELLED = Error("migration.cancelled", 409, "The live migration was cancelled.")
