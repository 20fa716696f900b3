"""What a hypervisor driver may refuse, and why."""

from nephele.kernel.errors import Error

GUEST_NOT_FOUND = Error(
    "virt.guest_not_found",
    404,
    "There is no guest {server_id} on this host.",
    "`nephele doctor` shows servers without guests; a hard reboot defines a guest anew where its disks remain.",
)
GUEST_NOT_RUNNING = Error("virt.guest_not_running", 409, "Guest {server_id} is not running: it is {power_state}.")
AGENT_SILENT = Error(
    "virt.agent_silent",
    501,
    "No agent answers in guest {server_id}.",
    "The guest's system must run qemu-guest-agent; it may still be starting.",
)
PASSWORD_REFUSED = Error("virt.password_refused", 409, "Guest {server_id} did not set the password: {reason}")
DOMAIN_NAME_TAKEN = Error(
    "virt.domain_name_taken",
    409,
    "The name {domain_name} belongs to another guest on this host.",
    "Look with `virsh list --all` who has it: two clouds that share a hypervisor need different name templates.",
)
BASE_MISSING = Error(
    "virt.base_missing",
    409,
    "The base image {path} is not on this host.",
    "The next launch fetches the image again; look who removed it from the cache.",
)
BASE_UNSAFE = Error(
    "virt.base_unsafe",
    400,
    "The base image {path} refers to other files, which a guest could read through it.",
    "Flatten it with `qemu-img convert`, and look who brought it past the image service.",
)
DISK_MISSING = Error(
    "virt.disk_missing",
    409,
    "Disk {path} of guest {server_id} is not on this host.",
    "Restore the file, or rebuild the server.",
)
DISK_TOO_SMALL = Error(
    "virt.disk_too_small", 400, "A disk of {size_gb} GB is smaller than its image, which has {image_bytes} bytes."
)
DISK_TOOL_FAILED = Error(
    "virt.disk_tool_failed",
    500,
    "{tool} failed on {path}: {reason}",
    "See whether the disk is full or the image is damaged.",
)
SNAPSHOT_MISSING = Error("virt.snapshot_missing", 409, "Guest {server_id} has no snapshot {name} on this host.")
NOT_FROZEN = Error(
    "virt.not_frozen",
    409,
    "Guest {server_id} must be frozen for a snapshot, as its image says, and its agent does not answer.",
    "Run qemu-guest-agent in the guest, or take os_require_quiesce from its image.",
)
NOT_SET_ASIDE = Error(
    "virt.not_set_aside",
    409,
    "Nothing of guest {server_id} is set aside on host {host}.",
    "Look on that host for its disks; `nephele doctor` says what is set aside where.",
)
DISK_SHRINKS = Error("virt.disk_shrinks", 400, "Disk {device} of guest {server_id} can't shrink to {size_gb} GB.")
NOT_EXPECTED = Error("virt.not_expected", 409, "Host {host} is not ready to receive guest {server_id}.")
LIVE_UNSUPPORTED = Error("virt.live_unsupported", 400, "This host can't send or receive running guests.")
SEND_STOPPED = Error("virt.send_stopped", 409, "The live migration of guest {server_id} was stopped.")
NOTHING_SENT = Error("virt.nothing_sent", 409, "Guest {server_id} is not being sent anywhere.")
DEVICE_IN_USE = Error("virt.device_in_use", 409, "Device {device} of guest {server_id} is in use.")
DETACH_REFUSED = Error(
    "virt.detach_refused",
    409,
    "Guest {server_id} did not let go of {device} within {timeout} s.",
    "Unmount it in the guest and ask again.",
)
CONSOLE_UNAVAILABLE = Error("virt.console_unavailable", 400, "Guest {server_id} has no {kind} console.")
SPEC_UNSUPPORTED = Error("virt.spec_unsupported", 400, "This hypervisor can't give a guest {what}.")
HYPERVISOR_REFUSED = Error(
    "virt.hypervisor_refused", 500, "The hypervisor refused to {action}: {reason}", "Its log on the host says more."
)
HYPERVISOR_DOWN = Error(
    "virt.hypervisor_down",
    503,
    "The hypervisor at {uri} does not answer: {reason}",
    "Start libvirtd; running guests are not touched by its absence.",
)
CONFIG_DRIVE_FAILED = Error("virt.config_drive_failed", 500, "The config drive {path} can't be written: {reason}")
