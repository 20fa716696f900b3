"""What can keep the guest from being built."""

from nephele.kernel.errors import Error

MISSING_PROGRAM = Error(
    "guest.missing_program", 503, "{program} is not installed.", "`make setup` installs what is missing."
)
COMMAND_FAILED = Error("guest.command_failed", 500, "{command} failed: {output}")
NO_KERNEL = Error(
    "guest.no_kernel",
    503,
    "apt knows no {package} for amd64.",
    "Run `apt-get update`; the guest is built from the Debian archive that apt is configured with.",
)
NO_MODULE = Error("guest.no_module", 500, "The kernel has no module {module}.")
NO_LIBRARY = Error("guest.no_library", 500, "{program} needs {library}, which no downloaded package has.")
