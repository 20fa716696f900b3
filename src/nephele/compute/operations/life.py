"""How an operation moves its server through the table of states; nothing else writes them."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import sqlalchemy as sa
from msgspec import Struct

from nephele.compute.conductor import Conductor
from nephele.compute.lifecycle import LIFE
from nephele.compute.model import Fault, Vm
from nephele.compute.states import Shown
from nephele.compute.virt.driver import PowerState
from nephele.kernel.operations import INTERRUPTED, OVERDUE, Do, Failure, Operation, Step, Work

Data = TypeVar("Data", bound=Struct)
MAX_TRIES = 5
"""How often a step that only goes forward is tried before it is left for `nephele reap`."""


class ServerData(Struct, kw_only=True):
    """What every operation on a server carries."""

    host: str = ""
    power_state: PowerState = PowerState.NOSTATE
    tries: int = 0
    was: str = ""
    """The VM state that the command found."""
    becomes: str = ""
    """The VM state at which it arrives, where its steps found that it isn't the table's."""
    fails: str = ""
    """The VM state that a failure leaves from now on, where that isn't the table's."""
    passes: tuple[str, ...] = ()
    """The steps that this time are passed over: they show nothing and do nothing."""


def server_operation(
    command: str,
    data: type[Data],
    steps: tuple[Step, ...],
    *,
    on_done: Callable[[Conductor, sa.Connection, Work[Any]], None] | None = None,
    on_failed: Callable[[Conductor, sa.Connection, Work[Any], Failure], None] | None = None,
    rewind: Callable[[Conductor, Work[Any], Failure], str] = lambda *_: "",
) -> Operation[Data]:
    """An operation whose states come from the command's row in `LIFE`.

    One that neither shows anything nor arrives anywhere, such as an attachment, leaves the states alone.

    Args:
        command: which row.
        data: what it carries.
        steps: its steps; `shows` is the task state meanwhile.
        on_done: what else to write at its end.
        on_failed: what else to write when it failed.
        rewind: see `Operation`.
    """
    move = LIFE[command]
    quiet = not move.shows and not move.arrives

    def step(conductor: Conductor, db: sa.Connection, work: Work[Any], begun: Step) -> None:
        if not quiet and begun.name not in work.data.passes:
            show(conductor, db, work, begun)

    def done(conductor: Conductor, db: sa.Connection, work: Work[Any]) -> None:
        if on_done is not None:
            on_done(conductor, db, work)
        if not quiet:
            arrive(conductor, db, work, Vm(work.data.becomes or move.arrives or work.data.was))

    def failed(conductor: Conductor, db: sa.Connection, work: Work[Any], failure: Failure) -> None:
        if on_failed is not None:
            on_failed(conductor, db, work, failure)
        if not quiet:
            left = work.data.fails or move.fails
            fail(conductor, db, work, Vm(left) if left else None, failure)

    return Operation(
        kind=command,
        data=data,
        within=move.within,
        steps=tuple(replace(each, do=_unless_passed(each.do)) for each in steps),
        on_step=step,
        on_done=done,
        on_failed=failed,
        rewind=rewind,
    )


def _unless_passed(do: Do) -> Do:
    def do_unless_passed(conductor: Conductor, work: Work[Any]) -> None:
        if work.step not in work.data.passes:
            do(conductor, work)

    return do_unless_passed


def try_again(_conductor: Conductor, work: Work[Any], failure: Failure) -> str:
    """What failed is tried again, a little later each time."""
    work.data.tries += 1
    if work.data.tries > MAX_TRIES:
        return ""
    time.sleep(0.2 * work.data.tries)
    return failure.step


def show(conductor: Conductor, db: sa.Connection, work: Work[Any], step: Step) -> None:
    """The task state while a step runs."""
    _remember(work, conductor.states.show(db, work.subject, step.shows, deleting=work.kind == "delete"))


def arrive(conductor: Conductor, db: sa.Connection, work: Work[Any], vm_state: Vm) -> None:
    """The state that the operation arrives at."""
    deleting = work.kind == "delete"
    _remember(work, conductor.states.arrive(db, work.subject, vm_state, work.data.power_state, deleting=deleting))


def fail(conductor: Conductor, db: sa.Connection, work: Work[Any], vm_state: Vm | None, failure: Failure) -> None:
    """The state that a failure leaves; one that was interrupted leaves all to the interrupter.

    What took too long leaves an error in any case: nobody knows what the guest is like.
    """
    if failure.code == INTERRUPTED.code:
        return
    if failure.code == OVERDUE.code:
        vm_state = Vm.ERROR
    now = conductor.clock.now()
    fault = Fault(code=failure.status, message=failure.message, details=failure.details, created_at=now)
    deleting, power = work.kind == "delete", work.data.power_state
    _remember(work, conductor.states.fail(db, work.subject, vm_state, fault, power, deleting=deleting))


def _remember(work: Work[Any], shown: Shown | None) -> None:
    """What spans of this work show as the server's state from now on."""
    if shown is not None:
        work.state = shown.as_dict()
