"""The one place that writes a server's VM, task and power states."""

from enum import Enum, auto
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from nephele.compute.model import Fault, Task, Vm
from nephele.compute.tables import servers
from nephele.compute.virt.driver import PowerState
from nephele.kernel.clock import Clock
from nephele.kernel.statements import Statement

_c = servers.c
_SHOWN = (_c.vm_state, _c.task_state, _c.power_state)
_THIS = servers.update().where(_c.id == sa.bindparam("server")).returning(*_SHOWN)
_UNLESS_DELETING = _THIS.where(_c.task_state != Task.DELETING)
_SHOW = ("task_state", "updated_at")
_ARRIVE = ("vm_state", "power_state", "task_state", "fault", "progress", "updated_at")
_STATEMENTS: dict[tuple[tuple[str, ...], bool], Statement] = {
    (fields, deleting): Statement(statement, sets=fields)
    for fields in (_SHOW, _ARRIVE)
    for deleting, statement in ((False, _UNLESS_DELETING), (True, _THIS))
}
"""What every operation writes at each of its steps and at its end."""
_MINE = sa.and_(_c.id == sa.bindparam("server"), _c.host == sa.bindparam("on_host"), _c.deleted_at.is_(None))
_NOTICE = Statement(
    servers.update().where(_MINE, _c.power_state != sa.bindparam("seen")), sets=("power_state", "updated_at")
)


RUNS = (Vm.ACTIVE, Vm.PAUSED)
IS_ON = (PowerState.RUNNING, PowerState.PAUSED)
IS_OFF = (PowerState.SHUTDOWN, PowerState.CRASHED)
_BUSY = Statement(sa.select(_c.id).where(_MINE, _c.task_state != Task.NONE))
_STOPPED = Statement(sa.select(_c.id).where(_MINE, _c.task_state == Task.NONE, _c.vm_state == Vm.STOPPED))


class Noticed(Enum):
    """What became of a power state that was noticed."""

    FOLLOWED = auto()
    TOO_EARLY = auto()
    """Something is being done to the server, and may not know of it: it is to be told again."""
    UNWANTED = auto()
    """The server is stopped, and its guest runs."""


class Shown(Struct, frozen=True):
    """A server's three states."""

    vm_state: str
    task_state: str
    power_state: int

    def as_dict(self) -> dict[str, str]:
        """As traces show them."""
        power = PowerState(self.power_state).name
        return {"vm_state": self.vm_state, "task_state": self.task_state, "power_state": power}


class States:
    """Moves servers from state to state, inside the caller's transaction.

    A server that is being deleted stays so: only the delete itself (`deleting=True`) goes past that.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def show(self, db: sa.Connection, server_id: str, task: str, *, deleting: bool = False) -> Shown | None:
        """Say what is being done; None where it was not written."""
        return self._write(db, server_id, deleting, _SHOW, task_state=task)

    def arrive(
        self, db: sa.Connection, server_id: str, vm_state: Vm, power_state: PowerState, *, deleting: bool = False
    ) -> Shown | None:
        """A command has done its work."""
        if power_state in IS_OFF and vm_state in RUNS:
            vm_state = Vm.STOPPED  # it ended by itself since
        values = {"vm_state": vm_state, "power_state": power_state, "task_state": Task.NONE}
        return self._write(db, server_id, deleting, _ARRIVE, fault=None, progress=0, **values)

    def fail(
        self,
        db: sa.Connection,
        server_id: str,
        vm_state: Vm | None,
        fault: Fault | None,
        power_state: PowerState = PowerState.NOSTATE,
        *,
        deleting: bool = False,
    ) -> Shown | None:
        """A command has failed: the state it leaves (None: as it was) and why (None: it was interrupted).

        `power_state` is what the host said last of the guest, NOSTATE where it said nothing.
        """
        values: dict[str, Any] = {"task_state": Task.NONE}
        if power_state is not PowerState.NOSTATE:
            values["power_state"] = power_state
        if vm_state is not None:
            values["vm_state"] = vm_state
        if fault is not None:
            values["fault"] = fault
        shown = self._write(db, server_id, deleting, tuple(values), **values)
        if shown is not None and shown.power_state in IS_OFF and shown.vm_state in RUNS:
            return self._write(db, server_id, deleting, ("vm_state",), vm_state=Vm.STOPPED)
        return shown

    def say(self, db: sa.Connection, server_id: str, vm_state: Vm) -> None:
        """An administrator knows better: the state is what he says, and nothing is being done to the server."""
        self._write(db, server_id, True, ("vm_state", "task_state"), vm_state=vm_state, task_state=Task.NONE)

    def notice_power(self, db: sa.Connection, server_id: str, host: str, power: PowerState) -> Noticed:
        """The hypervisor saw a guest change while nobody commanded it: the server follows, as upstream's does."""
        now = self.clock.now()
        _NOTICE.run(db, server=server_id, on_host=host, seen=power, power_state=power, updated_at=now)
        for seen, follow in _FOLLOWS:
            if power in seen:
                follow.run(db, server=server_id, on_host=host)
        if power in IS_OFF and _BUSY.row(db, server=server_id, on_host=host):
            return Noticed.TOO_EARLY
        if power in IS_ON and _STOPPED.row(db, server=server_id, on_host=host):
            return Noticed.UNWANTED
        return Noticed.FOLLOWED

    def _write(
        self, db: sa.Connection, server_id: str, deleting: bool, fields: tuple[str, ...], **values: Any
    ) -> Shown | None:
        known = _STATEMENTS.get((fields, deleting))
        if known is None:
            known = Statement(_THIS if deleting else _UNLESS_DELETING, sets=(*fields, "updated_at"))
        row = known.row(db, server=server_id, updated_at=self.clock.now(), **values)
        return None if row is None else Shown(*row)


def _follow(was: tuple[Vm, ...], becomes: Vm) -> Statement:
    idle = sa.and_(_MINE, _c.task_state == Task.NONE, _c.vm_state.in_(was))
    return Statement(servers.update().where(idle).values(vm_state=becomes))


_FOLLOWS = (
    (IS_OFF, _follow(RUNS, Vm.STOPPED)),
    ((PowerState.PAUSED,), _follow((Vm.ACTIVE,), Vm.PAUSED)),
    ((PowerState.RUNNING,), _follow((Vm.PAUSED,), Vm.ACTIVE)),
)
"""(power states seen, how the VM state follows)."""
