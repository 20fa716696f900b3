"""What is left over of moves, or stuck in one."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import sqlalchemy as sa

from nephele.compute.findings import Finding, Kind
from nephele.compute.model import MoveStatus, Vm
from nephele.compute.operations.moving import MIGRATION
from nephele.compute.tables import migrations, servers
from nephele.kernel.operations import OPEN, operations

if TYPE_CHECKING:
    from nephele.compute.service import Compute


def moving_ends(compute: "Compute") -> dict[str, tuple[str, str]]:
    """The hosts between which servers move now, or may move back, by server."""
    return {move.server_id: (move.source_host, move.dest_host) for move in compute.migrations.all_open()}


def check_claims(compute: "Compute") -> Iterator[Finding]:
    """What migrations hold in Placement that are over; what begins or ends meanwhile is not wrong.

    What other users of the APIs made for ids of their own is none of our business.
    """
    before = {move.uuid for move in compute.migrations.all_open()}
    held = compute.placement.consumers(MIGRATION)
    after = {move.uuid for move in compute.migrations.all_open()}
    with compute.store.read() as db:
        ours = set(db.execute(sa.select(migrations.c.uuid).where(migrations.c.uuid.in_(held))).scalars())
    for consumer in sorted(ours - before - after):
        detail = "Placement holds resources for a migration that is over"
        yield Finding(kind=Kind.ALLOCATION, subject=consumer, detail=detail)


def check_moves(compute: "Compute") -> Iterator[Finding]:
    """Migrations that are not over although nothing works on their server, and nobody can decide on them."""
    c = servers.c
    waits = {move.id: move for move in compute.migrations.all_open()}
    owned = sa.exists().where(operations.c.subject == c.id, operations.c.state.in_(OPEN))
    idle = sa.select(c.id, c.vm_state).where(c.id.in_([move.server_id for move in waits.values()]), ~owned)
    with compute.store.read() as db:
        states = {row.id: row.vm_state for row in db.execute(idle)}
    still = {move.id: move.status for move in compute.migrations.all_open()}
    for move in waits.values():
        vm_state = states.get(move.server_id)
        decides = move.status == MoveStatus.FINISHED and vm_state == Vm.RESIZED
        if vm_state is not None and not decides and still.get(move.id) == move.status:
            detail = f"{move.type} {move.id} of {move.server_id} is {move.status}, the server {vm_state}"
            settled = move.status == MoveStatus.FINISHED
            yield Finding(kind=Kind.MOVE, subject=move.uuid, detail=detail, host=move.source_host, reaps=settled)


def end_move(compute: "Compute", uuid: str) -> None:
    """Let go of what is held for a migration that can't be decided any more; its server stays as and where it is."""
    with compute.store.write() as db:
        compute.placement.release(uuid)
        mine = migrations.update().where(migrations.c.uuid == uuid)
        db.execute(mine.values(status=MoveStatus.ERROR, confirm_at=None, updated_at=compute.clock.now()))


def check_asides(host: str, aside: set[str], *, dead: set[str]) -> Iterator[Finding]:
    """Disks that no move wants back; those of a server that lives are removed by hand only: they may be its last."""
    for server_id in sorted(aside):
        detail = "no resize of its server is to be confirmed or reverted"
        yield Finding(kind=Kind.ASIDE, subject=server_id, detail=detail, host=host, reaps=server_id in dead)
