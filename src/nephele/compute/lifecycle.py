"""The server's life as one table: code, API, docs and tests all read it."""

from nephele.compute.model import Task, Vm
from nephele.kernel.lifecycle import Lifecycle, moves

ANY = frozenset(Vm) - {Vm.DELETED}
ALWAYS = frozenset(Task)

STEADY = frozenset({Vm.ACTIVE, Vm.STOPPED, Vm.PAUSED, Vm.SUSPENDED})
"""States of a server that is whole and on a host."""
PLUGGABLE = frozenset({Vm.ACTIVE, Vm.STOPPED, Vm.PAUSED})
RESETTABLE = STEADY | {Vm.ERROR}
STOPPABLE = frozenset({Vm.ACTIVE, Vm.ERROR})
RESIZABLE = frozenset({Vm.ACTIVE, Vm.STOPPED})
MOVABLE = frozenset({Vm.ACTIVE, Vm.PAUSED})
SWAPPABLE = MOVABLE | {Vm.RESIZED}
REBUILDABLE = frozenset({Vm.ACTIVE, Vm.STOPPED, Vm.ERROR})
HOLDS_VOLUMES = PLUGGABLE | {Vm.RESIZED, Vm.SOFT_DELETED, Vm.SHELVED, Vm.SHELVED_OFFLOADED}
SHELF = frozenset({Vm.SHELVED, Vm.SHELVED_OFFLOADED})
CRASHABLE = frozenset({Vm.ACTIVE, Vm.PAUSED, Vm.RESCUED, Vm.RESIZED, Vm.ERROR})
REBOOTABLE = frozenset(
    {Task.NONE, Task.REBOOTING, Task.REBOOTING_HARD, Task.RESUMING, Task.UNPAUSING, Task.PAUSING, Task.SUSPENDING}
)
"""During these tasks a hard reboot interrupts them."""

# fmt: off
#   command                 allowed in         shows                     arrives at ("": where it was)
LIFE = Lifecycle((
    moves("create",           set(),             Task.SCHEDULING,          Vm.ACTIVE, within=1800, fails=Vm.ERROR),
    moves("start",            {Vm.STOPPED},      Task.POWERING_ON,         Vm.ACTIVE, within=120),
    moves("stop",             STOPPABLE,         Task.POWERING_OFF,        Vm.STOPPED, within=180),
    moves("reboot",           {Vm.ACTIVE},       Task.REBOOTING,           Vm.ACTIVE, within=240),
    moves("reboot_hard",      RESETTABLE,        Task.REBOOTING_HARD,      Vm.ACTIVE, within=180, during=REBOOTABLE),
    moves("pause",            {Vm.ACTIVE},       Task.PAUSING,             Vm.PAUSED, within=60),
    moves("unpause",          {Vm.PAUSED},       Task.UNPAUSING,           Vm.ACTIVE, within=60),
    moves("suspend",          {Vm.ACTIVE},       Task.SUSPENDING,          Vm.SUSPENDED, within=600),
    moves("resume",           {Vm.SUSPENDED},    Task.RESUMING,            Vm.ACTIVE, within=600),
    moves("rescue",           REBUILDABLE,       Task.RESCUING,            Vm.RESCUED, within=1800),
    moves("unrescue",         {Vm.RESCUED},      Task.UNRESCUING,          Vm.ACTIVE, within=300, fails=Vm.ERROR),
    moves("set_password",     {Vm.ACTIVE},       Task.UPDATING_PASSWORD,   "", within=120),
    moves("crash_dump",       CRASHABLE,         Task.NONE,                "", within=60),
    moves("rebuild",          REBUILDABLE,       Task.REBUILDING,          Vm.ACTIVE, within=1800, fails=Vm.ERROR),
    moves("snapshot",         STEADY,            Task.IMAGE_SNAPSHOT_PENDING, "", within=3600),
    moves("backup",           STEADY,            Task.IMAGE_BACKUP,        "", within=3600),
    moves("resize",           RESIZABLE,         Task.RESIZE_PREP,         Vm.RESIZED, within=3600),
    moves("migrate",          RESIZABLE,         Task.RESIZE_PREP,         Vm.RESIZED, within=3600),
    moves("confirm_resize",   {Vm.RESIZED},      Task.RESIZE_CONFIRMING,   Vm.ACTIVE, within=600),
    moves("revert_resize",    {Vm.RESIZED},      Task.RESIZE_REVERTING,    Vm.ACTIVE, within=1800),
    moves("live_migrate",     MOVABLE,           Task.MIGRATING,           "", within=7200),
    moves("evacuate",         REBUILDABLE,       Task.REBUILDING,          Vm.ACTIVE, within=1800, fails=Vm.ERROR,
          during=ALWAYS - {Task.DELETING, Task.SOFT_DELETING}),
    moves("shelve",           STEADY,            Task.SHELVING,            Vm.SHELVED, within=3600),
    moves("shelve_offload",   {Vm.SHELVED},      Task.SHELVING_OFFLOADING, Vm.SHELVED_OFFLOADED, within=600),
    moves("unshelve",         SHELF,             Task.UNSHELVING,          Vm.ACTIVE, within=1800),
    moves("attach_volume",    HOLDS_VOLUMES,     Task.NONE,                "", within=300),
    moves("detach_volume",    HOLDS_VOLUMES,     Task.NONE,                "", within=300),
    moves("swap_volume",      SWAPPABLE,         Task.NONE,                "", within=3600),
    moves("extend_volume",    ANY,               Task.NONE,                "", within=120),
    moves("attach_interface", PLUGGABLE,         Task.NONE,                "", within=300),
    moves("detach_interface", PLUGGABLE,         Task.NONE,                "", within=300),
    moves("soft_delete",      ANY,               Task.SOFT_DELETING,       Vm.SOFT_DELETED, within=180, during=ALWAYS),
    moves("restore",          {Vm.SOFT_DELETED}, Task.RESTORING,           Vm.ACTIVE, within=180),
    moves("delete",           ANY,               Task.DELETING,            Vm.DELETED, within=600, during=ALWAYS),
))
# fmt: on

STATUS = {
    Vm.BUILDING: "BUILD",
    Vm.ACTIVE: "ACTIVE",
    Vm.PAUSED: "PAUSED",
    Vm.SUSPENDED: "SUSPENDED",
    Vm.STOPPED: "SHUTOFF",
    Vm.RESCUED: "RESCUE",
    Vm.RESIZED: "VERIFY_RESIZE",
    Vm.SOFT_DELETED: "SOFT_DELETED",
    Vm.DELETED: "DELETED",
    Vm.ERROR: "ERROR",
    Vm.SHELVED: "SHELVED",
    Vm.SHELVED_OFFLOADED: "SHELVED_OFFLOADED",
}
"""What the API calls each VM state."""

_RESIZING = (Task.RESIZE_PREP, Task.RESIZE_MIGRATING, Task.RESIZE_MIGRATED, Task.RESIZE_FINISH)
_REBUILDING = (Task.REBUILDING, Task.REBUILD_BLOCK_DEVICE_MAPPING, Task.REBUILD_SPAWNING)
TASK_STATUS = {
    (Vm.ACTIVE, Task.REBOOTING): "REBOOT",
    (Vm.ACTIVE, Task.REBOOTING_HARD): "HARD_REBOOT",
    (Vm.ACTIVE, Task.UPDATING_PASSWORD): "PASSWORD",
    (Vm.ACTIVE, Task.MIGRATING): "MIGRATING",
    (Vm.PAUSED, Task.MIGRATING): "MIGRATING",
    (Vm.RESIZED, Task.RESIZE_REVERTING): "REVERT_RESIZE",
    **{(vm, task): "RESIZE" for vm in (Vm.ACTIVE, Vm.STOPPED) for task in _RESIZING},
    **{(vm, task): "REBUILD" for vm in (Vm.ACTIVE, Vm.STOPPED, Vm.ERROR) for task in _REBUILDING},
}
"""What the API calls a VM state while some tasks last."""


def status(vm_state: Vm, task_state: Task) -> str:
    """The `status` that the API shows."""
    return TASK_STATUS.get((vm_state, task_state)) or STATUS[vm_state]


def states_of(status: str) -> list[tuple[Vm, tuple[Task, ...]]]:
    """The VM states that show as `status`, each with the tasks during which it does (none: any); [] for no status."""
    shown = status.upper()
    vms: list[tuple[Vm, tuple[Task, ...]]] = [(vm, ()) for vm, name in STATUS.items() if name == shown]
    return vms or [(vm, (task,)) for (vm, task), name in TASK_STATUS.items() if name == shown]
