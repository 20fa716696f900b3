"""A state said by hand while something ran: said once more when that is over."""

from typing import Any

import sqlalchemy as sa

from nephele.compute.conductor import Conductor
from nephele.compute.model import Vm
from nephele.compute.operations.life import ServerData, arrive
from nephele.compute.virt.driver import PowerState
from nephele.kernel.operations import Keep, Operation, Step, Work


class Reset(ServerData, kw_only=True):
    """What a reset carries; `becomes` is the state."""


def read_power(conductor: Conductor, work: Work[Reset]) -> None:
    """What was interrupted may have left another power state."""
    work.data.power_state = PowerState(conductor.server(work.subject).power_state)


def say_again(conductor: Conductor, db: sa.Connection, work: Work[Any]) -> None:
    """The state that was said."""
    arrive(conductor, db, work, Vm(work.data.becomes))


RESET = Operation(
    kind="reset_state",
    data=Reset,
    within=60,
    steps=(Step("power", read_power, Keep("nothing was changed")),),
    on_done=say_again,
)
