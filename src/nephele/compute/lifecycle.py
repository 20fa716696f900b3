"""The server's life as one table: code, API, docs and tests all read it."""

from nephele.compute.model import Task, Vm
from nephele.kernel.lifecycle import Lifecycle, moves

ANY = frozenset(Vm) - {Vm.DELETED}
ANYTHING = frozenset(Task)

STOPPABLE = {Vm.ACTIVE, Vm.RESCUED, Vm.ERROR}
HARD = {Vm.ACTIVE, Vm.STOPPED, Vm.PAUSED, Vm.SUSPENDED, Vm.ERROR}

# fmt: off
#          command        allowed in                shows                arrives at
LIFE = Lifecycle((
    moves("create",       set(),                    Task.SCHEDULING,     Vm.ACTIVE,  within=1800, fails=Vm.ERROR),
    moves("start",        {Vm.STOPPED},             Task.POWERING_ON,    Vm.ACTIVE,  within=120),
    moves("stop",         STOPPABLE,                Task.POWERING_OFF,   Vm.STOPPED, within=180),
    moves("reboot",       {Vm.ACTIVE},              Task.REBOOTING,      Vm.ACTIVE,  within=240),
    moves("reboot_hard",  HARD,                     Task.REBOOTING_HARD, Vm.ACTIVE,  within=180),
    moves("delete",       ANY,                      Task.DELETING,       Vm.DELETED, within=600, during=ANYTHING),
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

TASK_STATUS = {Task.REBOOTING: "REBOOT", Task.REBOOTING_HARD: "HARD_REBOOT"}
"""Task states that show in the status of an active server while they last."""


def status(vm_state: Vm, task_state: Task) -> str:
    """The `status` that the API shows."""
    return (TASK_STATUS.get(task_state) if vm_state == Vm.ACTIVE else None) or STATUS[vm_state]


def states_of(status: str) -> list[Vm]:
    """The VM states that show as `status`; none for a word that is no status."""
    return [vm for vm, shown in STATUS.items() if shown == status.upper()] or [
        Vm.ACTIVE for shown in TASK_STATUS.values() if shown == status.upper()
    ]
