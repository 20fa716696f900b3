"""Resize and cold migration, and what decides of them: confirm and revert.

The guest is stopped and its disks are set aside, unchanged, until the user has decided; the new guest gets
copies of them.  So a revert always finds what was there before.
"""

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from nephele.compute.conductor import Conductor
from nephele.compute.messages import moving as mv
from nephele.compute.model import BlockDevice, MoveStatus, Task, Vm
from nephele.compute.operations import moving
from nephele.compute.operations.life import server_operation, try_again
from nephele.compute.operations.moving import Move, migration_of
from nephele.compute.operations.power import STOP_TIMEOUT
from nephele.compute.tables import servers
from nephele.compute.virt.driver import PowerState
from nephele.kernel.clock import seconds
from nephele.kernel.operations import Failure, Keep, Step, Work

TRY_AGAIN_AFTER = seconds(60)
"""When a confirmation that was to happen by itself, and failed, is tried again."""
FORWARD = Keep("it only goes forward: what it removes is wanted by nobody any more")


class Resize(Move, kw_only=True):
    """What a resize carries: the local disks that the new guest is to have, and after how long it confirms itself."""

    disks: tuple[BlockDevice, ...] = ()
    confirm_after: float = 0


# -- there -------------------------------------------------------------------------------------------------------


def choose(conductor: Conductor, work: Work[Resize]) -> None:
    """A host is chosen and claimed.

    What is still set aside at the source from a move that nobody decided on goes first: what is
    brought back, should this one fail, must be what this one has set aside.
    """
    work.data.host = migration_of(conductor, work).source_host
    conductor.command(mv.DROP_ASIDE, mv.DropAside, work, patience=120)
    moving.claim_destination(conductor, work)


def set_aside(conductor: Conductor, work: Work[Resize]) -> None:
    """The source stops the guest and keeps its disks."""
    move = migration_of(conductor, work)
    conductor.migrations.update(move.id, status=MoveStatus.MIGRATING)
    work.data.host = move.source_host
    conductor.command(mv.SET_ASIDE, mv.SetAside, work, patience=STOP_TIMEOUT + 60, timeout=STOP_TIMEOUT)


def go(conductor: Conductor, work: Work[Resize]) -> None:
    """The server is at its destination, with its new size."""
    move = migration_of(conductor, work)
    with conductor.store.write() as db:
        moving.write_disks(db, work.subject, work.data.disks)
        moving.put_at_destination(conductor, work, flavor=move.new_flavor)
        conductor.migrations.update(move.id, status=MoveStatus.POST_MIGRATING)


def come_back(conductor: Conductor, work: Work[Any]) -> None:
    """The server is at its source, with the size that it had."""
    move = migration_of(conductor, work)
    with conductor.store.write() as db:
        moving.write_disks(db, work.subject, move.old_disks)
        moving.put_at_source(conductor, work, flavor=move.old_flavor)


def arrive(conductor: Conductor, work: Work[Resize]) -> None:
    """The destination builds the new guest, with copies of the disks, and its ports and volumes."""
    move = migration_of(conductor, work)
    work.data.host = move.dest_host
    devices = conductor.attached(work)
    what = {"base": None, "origin": move.source_host, "run": work.data.run}
    answer = conductor.command(mv.ARRIVE, mv.Arrive, work, patience=1500, **what, **devices)
    work.data.power_state = answer.power_state


def note_finished(conductor: Conductor, _db: sa.Connection, work: Work[Resize]) -> None:
    """From now on the user decides, or time does."""
    after = work.data.confirm_after
    confirm_at = conductor.clock.now() + seconds(after) if after else None
    conductor.migrations.update(work.data.migration, status=MoveStatus.FINISHED, confirm_at=confirm_at)


def note_failed(conductor: Conductor, db: sa.Connection, work: Work[Any], failure: Failure) -> None:
    """It is as large as it was, for quotas too."""
    moving.note_error(conductor, db, work, failure)
    old = migration_of(conductor, work).old_flavor
    count_as(db, work.subject, old.vcpus, old.ram)


def count_as(db: sa.Connection, server_id: str, vcpus: int, ram: int) -> None:
    """What a server takes of its project's quota."""
    db.execute(servers.update().where(servers.c.id == server_id).values(vcpus=vcpus, ram=ram))


RESIZE = server_operation(
    "resize",
    Resize,
    (
        Step("host", choose, moving.give_claims_back, Task.RESIZE_PREP, "compute_prep_resize"),
        Step("disks", set_aside, moving.bring_back_if_there, Task.RESIZE_MIGRATING, "compute_resize_instance"),
        Step("move", go, come_back, Task.RESIZE_MIGRATED),
        Step("guest", arrive, moving.leave_destination, Task.RESIZE_FINISH, "compute_finish_resize"),
    ),
    on_done=note_finished,
    on_failed=note_failed,
)
MIGRATE = replace(RESIZE, kind="migrate")
"""A cold migration is a resize to the same size."""


# -- decided -----------------------------------------------------------------------------------------------------


def drop_source(conductor: Conductor, work: Work[Move]) -> None:
    """The source removes what it has set aside."""
    work.data.host = migration_of(conductor, work).source_host
    conductor.command(mv.DROP_ASIDE, mv.DropAside, work, patience=120)
    power = PowerState(conductor.server(work.subject).power_state)
    work.data.power_state = power
    work.data.becomes = Vm.STOPPED if power is PowerState.SHUTDOWN else Vm.ACTIVE


def release_source(conductor: Conductor, work: Work[Move]) -> None:
    """Nothing is held at the source any more."""
    move = migration_of(conductor, work)
    conductor.placement.release(move.uuid)


def note_confirmed(conductor: Conductor, db: sa.Connection, work: Work[Move]) -> None:
    """It is what it became."""
    move = migration_of(conductor, work)
    conductor.migrations.update(move.id, status=MoveStatus.CONFIRMED, confirm_at=None)
    count_as(db, work.subject, move.new_flavor.vcpus, move.new_flavor.ram)


def note_unconfirmed(conductor: Conductor, _db: sa.Connection, work: Work[Move], _failure: Failure) -> None:
    """It can be confirmed again."""
    move = migration_of(conductor, work)
    again = conductor.clock.now() + TRY_AGAIN_AFTER if move.confirm_at else None
    conductor.migrations.update(move.id, status=MoveStatus.FINISHED, confirm_at=again)


CONFIRM_RESIZE = server_operation(
    "confirm_resize",
    Move,
    (
        Step("source", drop_source, FORWARD, Task.RESIZE_CONFIRMING, "compute_confirm_resize"),
        Step("claims", release_source, FORWARD, Task.RESIZE_CONFIRMING),
    ),
    on_done=note_confirmed,
    on_failed=note_unconfirmed,
    rewind=try_again,
)


def return_claims(conductor: Conductor, work: Work[Move]) -> None:
    """The server is back at its source, with its old size and its old claim; both or neither."""
    with conductor.store.write():
        come_back(conductor, work)
        moving.give_claims_back(conductor, work)
    work.data.moved = True


def return_guest(conductor: Conductor, work: Work[Move]) -> None:
    """The source puts back what it has set aside; a server that was off stays so."""
    moving.bring_back(conductor, work)
    work.data.becomes = Vm.ACTIVE if work.data.run else Vm.STOPPED


def note_reverted(conductor: Conductor, db: sa.Connection, work: Work[Move]) -> None:
    """It is what it was."""
    move = migration_of(conductor, work)
    conductor.migrations.update(move.id, status=MoveStatus.REVERTED, confirm_at=None)
    count_as(db, work.subject, move.old_flavor.vcpus, move.old_flavor.ram)


def note_not_reverted(conductor: Conductor, db: sa.Connection, work: Work[Move], failure: Failure) -> None:
    """Where the server is at its source again the move is over, with an error; before, it can be decided on again."""
    if work.data.moved:
        note_failed(conductor, db, work, failure)
        conductor.states.fail(db, work.subject, Vm.ERROR, None)
    else:
        conductor.migrations.update(work.data.migration, status=MoveStatus.FINISHED, confirm_at=None)


REVERT_RESIZE = server_operation(
    "revert_resize",
    Move,
    (
        Step("guest", moving.leave_destination, FORWARD, Task.RESIZE_REVERTING, "compute_revert_resize"),
        Step("move", return_claims, FORWARD, Task.RESIZE_REVERTING),
        Step("source", return_guest, FORWARD, Task.RESIZE_REVERTING, "compute_finish_revert_resize"),
    ),
    on_done=note_reverted,
    on_failed=note_not_reverted,
    rewind=try_again,
)
