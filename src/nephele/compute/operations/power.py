"""Start, stop and reboot."""

from nephele.compute import messages as m
from nephele.compute.conductor import Conductor
from nephele.compute.model import Task
from nephele.compute.operations.life import ServerData, server_operation
from nephele.kernel.operations import Keep, Step, Work

STOP_TIMEOUT = 60
"""Seconds that a guest has to shut down before its power is cut."""
AS_IT_IS = Keep("the power state is read from the hypervisor, whatever it is")


class Power(ServerData, kw_only=True):
    """What a change of power carries; `timeout` is how many seconds a guest has to shut down."""

    timeout: int = STOP_TIMEOUT


def stop_guest(conductor: Conductor, work: Work[Power]) -> None:
    """Shut the guest down."""
    timeout = work.data.timeout
    answer = conductor.command(m.STOP, m.Stop, work, patience=timeout + 60, timeout=timeout)
    work.data.power_state = answer.power_state


def start_guest(conductor: Conductor, work: Work[Power]) -> None:
    """Start the guest, with its ports and volumes as they are now."""
    devices = conductor.attached(work)
    answer = conductor.command(m.START, m.Start, work, patience=100, base=None, **devices)
    work.data.power_state = answer.power_state


def reboot_guest(conductor: Conductor, work: Work[Power]) -> None:
    """Restart the guest through its operating system."""
    _reboot(conductor, work, hard=False)


def reset_guest(conductor: Conductor, work: Work[Power]) -> None:
    """Restart the guest by force."""
    _reboot(conductor, work, hard=True)


def _reboot(conductor: Conductor, work: Work[Power], *, hard: bool) -> None:
    devices = conductor.attached(work)
    answer = conductor.command(m.REBOOT, m.Reboot, work, patience=170, base=None, hard=hard, **devices)
    work.data.power_state = answer.power_state


STOP = server_operation(
    "stop", Power, (Step("guest", stop_guest, AS_IT_IS, Task.POWERING_OFF, "compute_stop_instance"),)
)
START = server_operation(
    "start", Power, (Step("guest", start_guest, AS_IT_IS, Task.POWERING_ON, "compute_start_instance"),)
)
REBOOT = server_operation(
    "reboot", Power, (Step("guest", reboot_guest, AS_IT_IS, Task.REBOOTING, "compute_reboot_instance"),)
)
REBOOT_HARD = server_operation(
    "reboot_hard", Power, (Step("guest", reset_guest, AS_IT_IS, Task.REBOOTING_HARD, "compute_reboot_instance"),)
)
