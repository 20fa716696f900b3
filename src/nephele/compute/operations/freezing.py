"""Pause, unpause, suspend and resume.

Each is the other's undo: where the host did the work and its answer was lost, the guest goes back to what the
server still shows.
"""

from collections.abc import Callable
from typing import TypeVar

from nephele.compute.conductor import Conductor
from nephele.compute.messages import Command, Done
from nephele.compute.messages import freezing as f
from nephele.compute.model import Task
from nephele.compute.operations.life import ServerData, server_operation
from nephele.compute.virt.errors import GUEST_NOT_FOUND, GUEST_NOT_RUNNING
from nephele.kernel.bus import UNANSWERED, Method
from nephele.kernel.errors import Refused
from nephele.kernel.operations import Step, Work

Order = TypeVar("Order", bound=Command)
SHORT, LONG = 50, 500
"""Seconds that a host has for a guest's processors, and for its memory."""
NOTHING_TO_UNDO = (GUEST_NOT_FOUND, GUEST_NOT_RUNNING, *UNANSWERED)
"""The guest is off or gone, or its host is; that host tells its guests' power states when it is back."""


def pause(conductor: Conductor, work: Work[ServerData]) -> None:
    """Freeze the guest's processors."""
    _tell(conductor, work, f.PAUSE, f.Pause, SHORT)


def unpause(conductor: Conductor, work: Work[ServerData]) -> None:
    """Let the guest run on."""
    _tell(conductor, work, f.UNPAUSE, f.Unpause, SHORT)


def suspend(conductor: Conductor, work: Work[ServerData]) -> None:
    """Write the guest's memory to disk and turn it off."""
    _tell(conductor, work, f.SUSPEND, f.Suspend, LONG)


def resume(conductor: Conductor, work: Work[ServerData]) -> None:
    """Bring the guest back from disk, with its ports and volumes."""
    devices = conductor.attached(work)
    answer = conductor.command(f.RESUME, f.Resume, work, patience=LONG, base=None, **devices)
    work.data.power_state = answer.power_state


def keep_running(conductor: Conductor, work: Work[ServerData]) -> None:
    """The pause failed."""
    _take_back(work, lambda: unpause(conductor, work))


def keep_paused(conductor: Conductor, work: Work[ServerData]) -> None:
    """The unpause failed."""
    _take_back(work, lambda: pause(conductor, work))


def bring_back(conductor: Conductor, work: Work[ServerData]) -> None:
    """The suspend failed."""
    _take_back(work, lambda: resume(conductor, work))


def keep_suspended(conductor: Conductor, work: Work[ServerData]) -> None:
    """The resume failed."""
    _take_back(work, lambda: suspend(conductor, work))


def _tell(
    conductor: Conductor, work: Work[ServerData], method: Method[Order, Done], kind: type[Order], patience: float
) -> None:
    work.data.power_state = conductor.command(method, kind, work, patience=patience).power_state


def _take_back(work: Work[ServerData], act: Callable[[], None]) -> None:
    if work.interrupted.is_set():
        return  # who interrupts takes the guest as it is
    try:
        act()
    except Refused as refused:
        if refused.error not in NOTHING_TO_UNDO:
            raise


PAUSE = server_operation(
    "pause", ServerData, (Step("guest", pause, keep_running, Task.PAUSING, "compute_pause_instance"),)
)
UNPAUSE = server_operation(
    "unpause", ServerData, (Step("guest", unpause, keep_paused, Task.UNPAUSING, "compute_unpause_instance"),)
)
SUSPEND = server_operation(
    "suspend", ServerData, (Step("guest", suspend, bring_back, Task.SUSPENDING, "compute_suspend_instance"),)
)
RESUME = server_operation(
    "resume", ServerData, (Step("guest", resume, keep_suspended, Task.RESUMING, "compute_resume_instance"),)
)
