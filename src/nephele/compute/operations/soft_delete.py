"""Soft delete and restore: a server that is off and hidden until its time is over, or its user wants it back."""

import sqlalchemy as sa

from nephele.compute import messages as m
from nephele.compute.conductor import Conductor
from nephele.compute.lifecycle import SHELF
from nephele.compute.messages import moving as mv
from nephele.compute.model import MoveStatus, Task, Vm
from nephele.compute.operations.life import ServerData, server_operation
from nephele.compute.operations.resize import count_as
from nephele.compute.reclaim_rows import forget, remember
from nephele.compute.virt.driver import PowerState
from nephele.compute.virt.errors import GUEST_NOT_FOUND
from nephele.kernel.bus import UNANSWERED
from nephele.kernel.clock import Instant
from nephele.kernel.errors import Refused
from nephele.kernel.operations import Keep, Step, Work


class SoftDelete(ServerData, kw_only=True):
    """What a soft delete carries: when it becomes a real one."""

    due_at: Instant


class Restore(ServerData, kw_only=True):
    """What a restore carries: the VM state that the soft delete found."""

    before: str


def confirm_move(conductor: Conductor, work: Work[SoftDelete]) -> None:
    """A resize that nobody decided on is confirmed first, as upstream does."""
    move = conductor.migrations.open_of(work.subject)
    if work.data.was != Vm.RESIZED or move is None:
        return
    host, work.data.host = work.data.host, move.source_host
    try:
        conductor.command(mv.DROP_ASIDE, mv.DropAside, work, patience=120)
    except Refused as refused:
        if refused.error not in UNANSWERED:
            raise
    finally:
        work.data.host = host
    with conductor.store.write() as db:
        conductor.end_move(work.subject, MoveStatus.CONFIRMED)
        count_as(db, work.subject, move.new_flavor.vcpus, move.new_flavor.ram)


def turn_off(conductor: Conductor, work: Work[SoftDelete]) -> None:
    """Turn the guest off at once; one that is not there, or whose host is gone, is off."""
    if not work.data.host or work.data.was in SHELF:
        return
    try:
        work.data.power_state = conductor.command(m.STOP, m.Stop, work, patience=100, timeout=0).power_state
    except Refused as refused:
        if refused.error not in (GUEST_NOT_FOUND, *UNANSWERED):
            raise
        work.data.power_state = PowerState.SHUTDOWN


def await_reclaim(_conductor: Conductor, db: sa.Connection, work: Work[SoftDelete]) -> None:
    """Note until when it can be restored."""
    remember(db, work.subject, work.data.was, work.data.due_at, work.context)


def turn_on(conductor: Conductor, work: Work[Restore]) -> None:
    """Start the guest; one that was on a shelf goes back there."""
    if work.data.before in SHELF:
        work.data.becomes = work.data.before
        return
    devices = conductor.attached(work)
    answer = conductor.command(m.START, m.Start, work, patience=100, base=None, **devices)
    work.data.power_state = answer.power_state


def turn_off_again(conductor: Conductor, work: Work[Restore]) -> None:
    """The restore failed: the server stays deleted, softly."""
    if work.data.before not in SHELF and not work.interrupted.is_set():
        try:
            conductor.command(m.STOP, m.Stop, work, patience=100, timeout=0)
        except Refused as refused:
            if refused.error not in (GUEST_NOT_FOUND, *UNANSWERED):
                raise


def keep_for_good(_conductor: Conductor, db: sa.Connection, work: Work[Restore]) -> None:
    """Nobody reclaims it any more."""
    forget(db, work.subject)


SOFT_DELETE = server_operation(
    "soft_delete",
    SoftDelete,
    (
        Step(
            "move",
            confirm_move,
            Keep("what a confirmation removed does not come back"),
            Task.SOFT_DELETING,
        ),
        Step(
            "guest",
            turn_off,
            Keep("a guest that is off shows as that, and can be started"),
            Task.SOFT_DELETING,
            "compute_soft_delete_instance",
        ),
    ),
    on_done=await_reclaim,
)
RESTORE = server_operation(
    "restore",
    Restore,
    (Step("guest", turn_on, turn_off_again, Task.RESTORING, "compute_restore_instance"),),
    on_done=keep_for_good,
)
