"""What can keep a lab host from starting or stopping."""

from nephele.kernel.errors import Error

NEEDS_ROOT = Error(
    "lab.needs_root", 403, "Making namespaces needs root; this is user {user}.", "Run the command with sudo."
)
BAD_NAME = Error(
    "lab.bad_name", 400, "{name!r} can't name a host: letters, digits and dashes, 40 at most, a letter or digit first."
)
BAD_DIRECTORY = Error("lab.bad_directory", 400, "{directory} can't hold a host: {reason}.")
MISSING_PROGRAM = Error(
    "lab.missing_program", 503, "{program} is not installed.", "`make setup` installs what is missing."
)
NAME_TAKEN = Error(
    "lab.name_taken",
    409,
    "Host {name} already runs from {directory}.",
    "Stop it with `python -m nephele.lab stop {name}`, or choose another name.",
)
DIED = Error("lab.died", 503, "libvirtd of host {name} ended at once: {log}")
SILENT = Error("lab.silent", 504, "libvirtd of host {name} did not answer within {seconds} s: {log}")
SURVIVORS = Error("lab.survivors", 504, "Processes of host {name} outlived SIGKILL: {pids}.")
HOST_NOT_FOUND = Error("lab.host_not_found", 404, "There is no host named {name}.", "`python -m nephele.lab list`")
