"""How Glance says no."""

from nephele.kernel.errors import Error

IMAGE_NOT_FOUND = Error("image.not_found", 404, "No image found with ID {image_id}")
IMAGE_EXISTS = Error("image.exists", 409, "Image ID {image_id} already exists!")
NOT_YOUR_IMAGE = Error("image.not_yours", 403, "You are not permitted to create images owned by '{owner}'.")
IMAGE_PROTECTED = Error(
    "image.protected",
    403,
    "Image {image_id} is protected and cannot be deleted.",
    "Set its attribute `protected` to false first.",
)
OWNER_FIXED = Error("image.owner_fixed", 403, "Owner can't be updated by non admin.")
READ_ONLY = Error("image.read_only", 403, "Attribute '{name}' is read-only.")
RESERVED = Error("image.reserved", 403, "Attribute '{name}' is reserved.")
FORMAT_FIXED = Error("image.format_fixed", 403, "Attribute {name} can be only replaced for a queued image.")
NOT_REMOVABLE = Error("image.not_removable", 403, "Property {name} may not be removed.")
NO_SUCH_PROPERTY = Error("image.no_such_property", 409, "Property {name} does not exist.")
PROPERTY_EXISTS = Error("image.property_exists", 409, "Property {name} already present.")
LOCATIONS_HIDDEN = Error(
    "image.locations_hidden", 403, "It's not allowed to update locations if locations are invisible."
)
BAD_PATCH_TYPE = Error("image.bad_patch_type", 415, "Image PATCH expects Content-Type one of: {allowed}")
TOO_MANY = Error(
    "image.too_many", 413, "The limit has been exceeded on the number of {what}: {have} of at most {limit}."
)
QUOTA_FULL = Error(
    "image.quota_full",
    413,
    "Project {project_id} is over its limit of {limit} for {what} (it has {have}).",
    "Delete images, or have the limit raised.",
)

FORMATS_MISSING = Error("image.formats_missing", 400, "Properties {names} must be set prior to saving data.")
WRONG_STATUS = Error("image.wrong_status", 409, "Image status transition from {have} to {wanted} is not allowed")
NOT_ACTIVE = Error("image.not_active", 400, "Image {image_id} is not active: it is {status}.")
STATUS_REFUSES = Error("image.status_refuses", 403, "Not allowed to {verb} image in status '{status}'")
DATA_DEACTIVATED = Error(
    "image.data_deactivated",
    403,
    "The requested image has been deactivated. Image data download is forbidden.",
)
BAD_SIZE_HEADER = Error("image.bad_size_header", 400, "Invalid or missing image size in request headers.")
SIZE_MISMATCH = Error(
    "image.size_mismatch",
    400,
    "The image was announced with {announced} bytes, but {received} arrived.",
    "Send it again.",
)
UPLOAD_CUT = Error("image.upload_cut", 400, "The client went away after {received} bytes.", "Send it again.")
IMAGE_GONE = Error(
    "image.gone",
    410,
    "Image {image_id} could not be found after upload. The image may have been deleted during the upload.",
)
DATA_TOO_LARGE = Error(
    "image.data_too_large", 413, "The incoming image is too large: at most {limit} bytes are accepted."
)
DISK_TOO_LARGE = Error(
    "image.disk_too_large", 413, "The image describes a disk of {size} bytes: at most {limit} are accepted."
)
DISK_FULL = Error(
    "image.disk_full",
    413,
    "Image storage media is full: {reason}",
    "Make room in the image directory and upload again.",
)
WRONG_FORMAT = Error(
    "image.wrong_format",
    415,
    "Image disk_format {claimed} does not match stream data {found}",
    "Create the image with the format that the file has, or convert the file.",
)
UNSAFE = Error(
    "image.unsafe",
    415,
    "Image failed safety checks: {reasons}",
    "Flatten the file (qemu-img convert) so that it refers to no other file.",
)
NOT_A_DISK = Error("image.not_a_disk", 415, "Image content could not be inspected: {reason}")
NEEDS_OCTETS = Error("image.needs_octets", 415, "Invalid content type {got}: send application/octet-stream.")
BAD_RANGE = Error("image.bad_range", 416, "The range {asked} is not within the image's {size} bytes.")
NOT_SHARED = Error("image.not_shared", 403, "Only shared images have members.")
MEMBER_EXISTS = Error("image.member_exists", 409, "Member {member_id} is duplicated for image {image_id}")
MEMBER_NOT_FOUND = Error(
    "image.member_not_found", 404, "{member_id} not found in the member list of the image {image_id}."
)

BAD_IMPORT = Error("image.bad_import", 400, "{reason}")
IMPORT_CONFLICT = Error("image.import_conflict", 409, "{reason}")
BAD_URI = Error(
    "image.bad_uri",
    400,
    "URI for web-download does not pass filtering: {uri}",
    "Only http and https, on their own ports, to public addresses; an operator may trust further hosts.",
)
FETCH_FAILED = Error("image.fetch_failed", 400, "Could not fetch {uri}: {reason}")
STORE_UNKNOWN = Error("image.store_unknown", 409, "The selected store {store} is not available on this node.")
NO_SUCH_STORE = Error("image.no_such_store", 400, "Unknown store identifier {store}.")
NOT_IN_STORE = Error("image.not_in_store", 404, "Image {image_id} is not in the store {store}.")
LAST_STORE = Error(
    "image.last_store",
    403,
    "Cannot delete image data from the only store containing it. Consider deleting the image instead.",
)
NOT_ACTIVE_IN_STORE = Error(
    "image.not_active_in_store",
    409,
    "It's not allowed to remove image data from store if image status is not 'active'",
)
TASK_NOT_FOUND = Error("image.task_not_found", 404, "Could not find task {task_id}")
