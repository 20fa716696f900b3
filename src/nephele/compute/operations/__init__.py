"""What is done to servers, step by step, with do and undo; all of it driven by the conductor."""

from nephele.compute.operations.boot import BOOT
from nephele.compute.operations.delete import DELETE
from nephele.compute.operations.evacuate import EVACUATE
from nephele.compute.operations.freezing import PAUSE, RESUME, SUSPEND, UNPAUSE
from nephele.compute.operations.interfaces import ATTACH_INTERFACE, DETACH_INTERFACE
from nephele.compute.operations.live_migrate import LIVE_MIGRATE
from nephele.compute.operations.plugging import ATTACH_VOLUME, DETACH_VOLUME, EXTEND_VOLUME
from nephele.compute.operations.power import REBOOT, REBOOT_HARD, START, STOP
from nephele.compute.operations.rebuild import REBUILD
from nephele.compute.operations.rescue import RESCUE, UNRESCUE
from nephele.compute.operations.resize import CONFIRM_RESIZE, MIGRATE, RESIZE, REVERT_RESIZE
from nephele.compute.operations.shelve import SHELVE, SHELVE_OFFLOAD, UNSHELVE
from nephele.compute.operations.snapshot import BACKUP, SNAPSHOT

OPERATIONS = (
    *(BOOT, DELETE),
    *(START, STOP, REBOOT, REBOOT_HARD),
    *(PAUSE, UNPAUSE, SUSPEND, RESUME),
    *(RESCUE, UNRESCUE),
    *(SNAPSHOT, BACKUP),
    *(RESIZE, MIGRATE, CONFIRM_RESIZE, REVERT_RESIZE),
    *(LIVE_MIGRATE, EVACUATE),
    *(REBUILD, SHELVE, SHELVE_OFFLOAD, UNSHELVE),
    *(ATTACH_VOLUME, DETACH_VOLUME, EXTEND_VOLUME),
    *(ATTACH_INTERFACE, DETACH_INTERFACE),
)
"""Every operation on a server."""

__all__ = [
    "ATTACH_INTERFACE",
    "ATTACH_VOLUME",
    "BACKUP",
    "BOOT",
    "CONFIRM_RESIZE",
    "DELETE",
    "DETACH_INTERFACE",
    "DETACH_VOLUME",
    "EVACUATE",
    "LIVE_MIGRATE",
    "MIGRATE",
    "OPERATIONS",
    "PAUSE",
    "REBOOT",
    "REBOOT_HARD",
    "REBUILD",
    "RESCUE",
    "RESIZE",
    "RESUME",
    "REVERT_RESIZE",
    "SHELVE",
    "SHELVE_OFFLOAD",
    "SNAPSHOT",
    "START",
    "STOP",
    "SUSPEND",
    "UNPAUSE",
    "UNRESCUE",
    "UNSHELVE",
]
