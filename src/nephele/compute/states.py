"""The one place that writes a server's VM, task and power states."""

from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from nephele.compute.model import Fault, Task, Vm
from nephele.compute.tables import servers
from nephele.compute.virt.driver import PowerState
from nephele.kernel.clock import Clock


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
        return self._write(db, server_id, deleting, task_state=task)

    def arrive(
        self, db: sa.Connection, server_id: str, vm_state: Vm, power_state: PowerState, *, deleting: bool = False
    ) -> Shown | None:
        """A command has done its work."""
        values = {"vm_state": vm_state, "power_state": power_state, "task_state": Task.NONE}
        return self._write(db, server_id, deleting, fault=None, progress=0, **values)

    def fail(
        self, db: sa.Connection, server_id: str, vm_state: Vm | None, fault: Fault | None, *, deleting: bool = False
    ) -> Shown | None:
        """A command has failed: the state it leaves (None: as it was) and why (None: it was interrupted)."""
        values: dict[str, Any] = {"task_state": Task.NONE}
        if vm_state is not None:
            values["vm_state"] = vm_state
        if fault is not None:
            values["fault"] = fault
        return self._write(db, server_id, deleting, **values)

    def notice_power(self, db: sa.Connection, server_id: str, host: str, power: PowerState) -> None:
        """The hypervisor saw a guest change while nobody commanded it: the server follows."""
        c = servers.c
        mine = sa.and_(c.id == server_id, c.host == host, c.deleted_at.is_(None))
        change = servers.update().where(mine, c.power_state != power).values(power_state=power)
        db.execute(change.values(updated_at=self.clock.now()))
        idle = sa.and_(mine, c.task_state == Task.NONE)
        for seen, was, becomes in _FOLLOWS:
            if power in seen:
                db.execute(servers.update().where(idle, c.vm_state.in_(was)).values(vm_state=becomes))

    def _write(self, db: sa.Connection, server_id: str, deleting: bool, **values: Any) -> Shown | None:
        mine = servers.c.id == server_id
        if not deleting:
            mine &= servers.c.task_state != Task.DELETING
        change = servers.update().where(mine).values(updated_at=self.clock.now(), **values)
        row = db.execute(
            change.returning(servers.c.vm_state, servers.c.task_state, servers.c.power_state)
        ).one_or_none()
        return None if row is None else Shown(*row)


_FOLLOWS = (
    ((PowerState.SHUTDOWN, PowerState.CRASHED), (Vm.ACTIVE, Vm.PAUSED), Vm.STOPPED),
    ((PowerState.PAUSED,), (Vm.ACTIVE,), Vm.PAUSED),
    ((PowerState.RUNNING,), (Vm.PAUSED,), Vm.ACTIVE),
)
"""(power states seen, VM states that follow, what they become)."""
