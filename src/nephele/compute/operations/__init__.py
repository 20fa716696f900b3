"""What is done to servers, step by step, with do and undo; all of it driven by the conductor."""

from nephele.compute.operations.boot import BOOT
from nephele.compute.operations.delete import DELETE
from nephele.compute.operations.freezing import PAUSE, RESUME, SUSPEND, UNPAUSE
from nephele.compute.operations.power import REBOOT, REBOOT_HARD, START, STOP

OPERATIONS = (BOOT, DELETE, START, STOP, REBOOT, REBOOT_HARD, PAUSE, UNPAUSE, SUSPEND, RESUME)
"""Every operation on a server."""

__all__ = [
    "BOOT",
    "DELETE",
    "OPERATIONS",
    "PAUSE",
    "REBOOT",
    "REBOOT_HARD",
    "RESUME",
    "START",
    "STOP",
    "SUSPEND",
    "UNPAUSE",
]
