"""Live migration: the guest moves while it runs."""

import sqlalchemy as sa

from nephele.compute import messages as m
from nephele.compute.conductor import Conductor
from nephele.compute.errors import MIGRATION_CANCELLED
from nephele.compute.messages import moving as mv
from nephele.compute.model import MoveStatus, Task
from nephele.compute.operations import moving
from nephele.compute.operations.life import server_operation
from nephele.compute.operations.moving import Move, migration_of
from nephele.compute.virt.driver import PowerState
from nephele.compute.virt.errors import SEND_STOPPED
from nephele.kernel.operations import Failure, Keep, Step, Work
from nephele.network.messages import BoundPort

STAYS = Keep("where the guest has moved already, undoing the step before it sees that")


class LiveMigration(Move, kw_only=True):
    """What a live migration carries."""

    ports: tuple[BoundPort, ...] = ()


def choose(conductor: Conductor, work: Work[LiveMigration]) -> None:
    """A host is chosen and claimed, unless somebody wants the migration cancelled already."""
    _advance(conductor, work, MoveStatus.PREPARING)
    moving.claim_destination(conductor, work)


def _advance(conductor: Conductor, work: Work[LiveMigration], status: MoveStatus) -> None:
    if not conductor.migrations.advance(work.data.migration, status, unless=(MoveStatus.CANCELLED,)):
        raise MIGRATION_CANCELLED()


def prepare(conductor: Conductor, work: Work[LiveMigration]) -> None:
    """The destination has the volumes and expects the guest; the ports stay bound to the source until it is there."""
    data, move = work.data, migration_of(conductor, work)
    data.host = move.source_host
    data.ports = conductor.command(m.PLUG, m.Plug, work, patience=60).ports
    data.host = move.dest_host
    volumes = conductor.command(m.CONNECT, m.Connect, work, patience=60).volumes
    conductor.command(mv.RECEIVE, mv.Receive, work, patience=120, base=None, ports=data.ports, volumes=volumes)


def stop_expecting(conductor: Conductor, work: Work[LiveMigration]) -> None:
    """The destination expects nothing any more; the volumes are connected to the source."""
    if work.data.moved:
        return
    moving.leave_destination(conductor, work)
    work.data.host = migration_of(conductor, work).source_host
    conductor.command(m.CONNECT, m.Connect, work, patience=60)


def send(conductor: Conductor, work: Work[LiveMigration]) -> None:
    """The source sends the guest."""
    move = migration_of(conductor, work)
    _advance(conductor, work, MoveStatus.RUNNING)
    work.data.host = move.source_host
    conductor.command(mv.SEND, mv.Send, work, patience=7000, to=move.dest_host)


def see_where_it_is(conductor: Conductor, work: Work[LiveMigration]) -> None:
    """A guest that has moved can't be called back: then everything follows it."""
    move = migration_of(conductor, work)
    if moving.power_at(conductor, work.subject, move.dest_host) in (PowerState.RUNNING, PowerState.PAUSED):
        settle(conductor, work)


def settle(conductor: Conductor, work: Work[LiveMigration]) -> None:
    """The server is at its destination: its rows and its ports say so, and nothing is left at the source."""
    data, move = work.data, migration_of(conductor, work)
    data.moved = True
    moving.put_at_destination(conductor, work)
    conductor.migrations.update(move.id, status=MoveStatus.POST_MIGRATING)
    data.host = move.dest_host
    conductor.command(m.PLUG, m.Plug, work, patience=60)
    data.host = move.source_host
    conductor.command(mv.LEAVE, mv.Leave, work, patience=120)
    conductor.placement.release(move.uuid)
    data.power_state = moving.power_at(conductor, work.subject, move.dest_host)


def note_completed(conductor: Conductor, _db: sa.Connection, work: Work[LiveMigration]) -> None:
    """It is over."""
    conductor.migrations.update(work.data.migration, status=MoveStatus.COMPLETED)


def note_failed(conductor: Conductor, _db: sa.Connection, work: Work[LiveMigration], failure: Failure) -> None:
    """It failed, was cancelled, or had moved when it was interrupted."""
    status = MoveStatus.ERROR
    if work.data.moved:
        status = MoveStatus.COMPLETED
    elif failure.code in (SEND_STOPPED.code, MIGRATION_CANCELLED.code):
        status = MoveStatus.CANCELLED
    elif failure.step == "guest":
        status = MoveStatus.FAILED
    conductor.migrations.update(work.data.migration, status=status)


LIVE_MIGRATE = server_operation(
    "live_migrate",
    LiveMigration,
    (
        Step("host", choose, moving.give_claims_back, Task.MIGRATING, "conductor_live_migrate_instance"),
        Step("prepare", prepare, stop_expecting, Task.MIGRATING, "compute_pre_live_migration"),
        Step("guest", send, see_where_it_is, Task.MIGRATING, "compute_live_migration"),
        Step("settle", settle, STAYS, Task.MIGRATING, "compute_post_live_migration_at_destination"),
    ),
    on_done=note_completed,
    on_failed=note_failed,
)
