"""A state said by hand while something ran: said once more when that is over."""

from nephele.compute.conductor import Conductor
from nephele.compute.model import Vm
from nephele.compute.operations.life import ServerData
from nephele.kernel.operations import Keep, Operation, Step, Work


class Reset(ServerData, kw_only=True):
    """What a reset carries; `becomes` is the state."""


def say_again(conductor: Conductor, work: Work[Reset]) -> None:
    """The state that was said."""
    with conductor.store.write() as db:
        conductor.states.say(db, work.subject, Vm(work.data.becomes))


RESET = Operation(
    kind="reset_state",
    data=Reset,
    within=60,
    steps=(Step("state", say_again, Keep("who said it meant it")),),
)
