"""What is done to servers, step by step, with do and undo; all of it driven by the conductor."""

from nephele.compute.operations.boot import BOOT
from nephele.compute.operations.delete import DELETE
from nephele.compute.operations.evacuate import EVACUATE
from nephele.compute.operations.freezing import PAUSE, RESUME, SUSPEND, UNPAUSE
from nephele.compute.operations.insides import CRASH_DUMP, SET_PASSWORD
from nephele.compute.operations.interfaces import ATTACH_INTERFACE, DETACH_INTERFACE
from nephele.compute.operations.live_migrate import LIVE_MIGRATE
from nephele.compute.operations.plugging import ATTACH_VOLUME, DETACH_VOLUME, EXTEND_VOLUME
from nephele.compute.operations.power import REBOOT, REBOOT_HARD, START, STOP
from nephele.compute.operations.rebuild import REBUILD
from nephele.compute.operations.rescue import RESCUE, UNRESCUE
from nephele.compute.operations.reset import RESET
from nephele.compute.operations.resize import CONFIRM_RESIZE, MIGRATE, RESIZE, REVERT_RESIZE
from nephele.compute.operations.shelve import SHELVE, SHELVE_OFFLOAD, UNSHELVE
from nephele.compute.operations.snapshot import BACKUP, SNAPSHOT
from nephele.compute.operations.soft_delete import RESTORE, SOFT_DELETE

OPERATIONS = (
    *(BOOT, DELETE),
    *(START, STOP, REBOOT, REBOOT_HARD),
    *(PAUSE, UNPAUSE, SUSPEND, RESUME),
    *(RESCUE, UNRESCUE),
    *(SNAPSHOT, BACKUP),
    *(RESIZE, MIGRATE, CONFIRM_RESIZE, REVERT_RESIZE),
    *(LIVE_MIGRATE, EVACUATE),
    *(REBUILD, SHELVE, SHELVE_OFFLOAD, UNSHELVE),
    *(SET_PASSWORD, CRASH_DUMP),
    *(SOFT_DELETE, RESTORE),
    *(ATTACH_VOLUME, DETACH_VOLUME, EXTEND_VOLUME),
    *(ATTACH_INTERFACE, DETACH_INTERFACE),
)
"""Every operation on a server, but `RESET`, which is no command of its life."""

__all__ = [
    "ATTACH_INTERFACE",
    "ATTACH_VOLUME",
    "BACKUP",
    "BOOT",
    "CONFIRM_RESIZE",
    "CRASH_DUMP",
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
    "RESET",
    "RESIZE",
    "RESTORE",
    "RESUME",
    "REVERT_RESIZE",
    "SET_PASSWORD",
    "SHELVE",
    "SHELVE_OFFLOAD",
    "SNAPSHOT",
    "SOFT_DELETE",
    "START",
    "STOP",
    "SUSPEND",
    "UNPAUSE",
    "UNRESCUE",
    "UNSHELVE",
]
