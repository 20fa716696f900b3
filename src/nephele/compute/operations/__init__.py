"""What is done to servers, step by step, with do and undo; all of it driven by the conductor."""

from nephele.compute.operations.boot import BOOT
from nephele.compute.operations.delete import DELETE
from nephele.compute.operations.power import REBOOT, REBOOT_HARD, START, STOP

OPERATIONS = (BOOT, DELETE, START, STOP, REBOOT, REBOOT_HARD)
"""Every operation on a server."""

__all__ = ["BOOT", "DELETE", "OPERATIONS", "REBOOT", "REBOOT_HARD", "START", "STOP"]
