"""Evacuation: a server whose host is down is built anew on another.

The old host can't be asked.  What it still has of the server it removes when it reports again.
"""

import sqlalchemy as sa

from nephele.compute import messages as m
from nephele.compute.conductor import Conductor
from nephele.compute.messages import moving as mv
from nephele.compute.model import MoveStatus, Task, Vm
from nephele.compute.operations import moving
from nephele.compute.operations.life import server_operation
from nephele.compute.operations.moving import Move, migration_of
from nephele.kernel.operations import Failure, Keep, Step, Work


class Evacuation(Move, kw_only=True):
    """What an evacuation carries."""


def choose(conductor: Conductor, work: Work[Evacuation]) -> None:
    """Another host is chosen and claimed."""
    conductor.migrations.update(work.data.migration, status=MoveStatus.PRE_MIGRATING)
    moving.claim_destination(conductor, work)


def go(conductor: Conductor, work: Work[Evacuation]) -> None:
    """The server is at its destination."""
    moving.put_at_destination(conductor, work)


def come_back(conductor: Conductor, work: Work[Evacuation]) -> None:
    """The server is where it was, on the host that is down."""
    moving.put_at_source(conductor, work)


def prepare(conductor: Conductor, work: Work[Evacuation]) -> None:
    """The destination fetches the image."""
    work.data.host = migration_of(conductor, work).dest_host
    work.data.base = conductor.command(m.PREPARE, m.Prepare, work, patience=1500).base


def build(conductor: Conductor, work: Work[Evacuation]) -> None:
    """The destination builds the guest anew, with the server's ports and volumes."""
    work.data.host = migration_of(conductor, work).dest_host
    devices = conductor.attached(work)
    what = {"base": work.data.base, "origin": "", "run": work.data.run}
    answer = conductor.command(mv.ARRIVE, mv.Arrive, work, patience=300, **what, **devices)
    work.data.power_state = answer.power_state
    work.data.becomes = Vm.ACTIVE if work.data.run else Vm.STOPPED


def note_done(conductor: Conductor, _db: sa.Connection, work: Work[Evacuation]) -> None:
    """Nothing is held any more at a host that is down: it takes no servers before it has reported and cleaned up.

    One that answers after all is told at once to do that; another does so when it returns.
    """
    move = migration_of(conductor, work)
    conductor.placement.release(move.uuid)
    conductor.migrations.update(move.id, status=MoveStatus.DONE)
    conductor.store.after_commit(lambda: conductor.bus.cast(mv.REPORT_AGAIN, mv.ReportAgain(), at=move.source_host))


def note_failed(conductor: Conductor, _db: sa.Connection, work: Work[Evacuation], failure: Failure) -> None:
    """It failed: for want of a host, or at one."""
    status = MoveStatus.ERROR if failure.step == "host" else MoveStatus.FAILED
    conductor.migrations.update(work.data.migration, status=status)


IMAGE_STAYS = Keep("the host's image cache is shared")
EVACUATE = server_operation(
    "evacuate",
    Evacuation,
    (
        Step("host", choose, moving.give_claims_back, Task.REBUILDING, "conductor_rebuild_server"),
        Step("move", go, come_back, Task.REBUILDING),
        Step("image", prepare, IMAGE_STAYS, Task.REBUILD_BLOCK_DEVICE_MAPPING),
        Step("guest", build, moving.leave_destination, Task.REBUILD_SPAWNING, "compute_rebuild_instance"),
    ),
    on_done=note_done,
    on_failed=note_failed,
)
