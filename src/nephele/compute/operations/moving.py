"""What every move of a server begins and ends with: a host chosen and claimed, and the rows that say where it is.

Placement, while a server moves: the server holds what it needs at its destination, and the migration, a
consumer of its own, what the server had at its source, so that there is room for the way back.
"""

from typing import Any

import sqlalchemy as sa

from nephele.compute import messages as m
from nephele.compute.conductor import Conductor
from nephele.compute.messages import moving as mv
from nephele.compute.model import BlockDevice, Migration, MoveStatus
from nephele.compute.operations.life import ServerData
from nephele.compute.rows import insert_devices
from nephele.compute.tables import block_devices
from nephele.compute.virt.driver import PowerState
from nephele.compute.virt.errors import GUEST_NOT_FOUND
from nephele.kernel.bus import UNANSWERED
from nephele.kernel.errors import Refused
from nephele.kernel.operations import Failure, Work

MIGRATION = "MIGRATION"
"""The consumer type of migrations in Placement."""


class Move(ServerData, kw_only=True):
    """What a move carries from step to step.

    `migration` is the number of its record, `run` whether the guest is to run at its end; `moved` is set where it
    turns out that a guest has moved for good although the operation failed.
    """

    migration: int
    want_host: str = ""
    exclude: tuple[str, ...] = ()
    forced: bool = False
    run: bool = True
    moved: bool = False
    base: m.BaseImage | None = None


def migration_of(conductor: Conductor, work: Work[Any]) -> Migration:
    """The operation's migration as it is now."""
    return conductor.migrations.show(work.data.migration)


def claim_destination(conductor: Conductor, work: Work[Any]) -> None:
    """The migration takes over what the server holds; then a host is chosen and claimed for the server."""
    data, move = work.data, migration_of(conductor, work)
    with conductor.store.write():
        if not conductor.placement.allocations(move.uuid):
            conductor.placement.hand_over(work.subject, move.uuid, taker_type=MIGRATION)
    want = {"host": data.want_host, "node": "", "exclude": data.exclude, "forced": data.forced}
    conductor.choose_host(work, flavor=move.new_flavor, migration=move.id, **want)


def give_claims_back(conductor: Conductor, work: Work[Any]) -> None:
    """The server holds what it held before, and nothing else; where it has moved after all, what it holds now."""
    move = migration_of(conductor, work)
    if work.data.moved:
        conductor.placement.release(move.uuid)
        return
    with conductor.store.write():
        conductor.placement.hand_over(move.uuid, work.subject, taker_type="INSTANCE")
        if move.dest_host not in ("", move.source_host):
            there = move.dest_host
            conductor.store.after_commit(lambda: conductor.placing.note(there, work.subject, there=False))


def put_at_destination(conductor: Conductor, work: Work[Any], **values: Any) -> None:
    """The server's row says where it is now."""
    move = migration_of(conductor, work)
    conductor.put_on_host(work.subject, move.dest_host, move.dest_node, move.dest_zone, **values)


def put_at_source(conductor: Conductor, work: Work[Any], **values: Any) -> None:
    """The server's row says that it is where it was."""
    move = migration_of(conductor, work)
    zone = conductor.hosts.zones().get(move.source_host, conductor.hosts.default_zone)
    conductor.put_on_host(work.subject, move.source_host, move.source_node, zone, **values)


def leave_destination(conductor: Conductor, work: Work[Any]) -> None:
    """Remove the guest from its destination; what is set aside there, if that is the source too, stays."""
    work.data.host = migration_of(conductor, work).dest_host
    conductor.command(mv.LEAVE, mv.Leave, work, patience=120)


def bring_back(conductor: Conductor, work: Work[Any]) -> None:
    """The guest is at its source again as it was before, with its ports and volumes; running if it ran."""
    work.data.host = migration_of(conductor, work).source_host
    devices = conductor.attached(work)
    answer = conductor.command(mv.BRING_BACK, mv.BringBack, work, patience=300, base=None, run=work.data.run, **devices)
    work.data.power_state = answer.power_state


def bring_back_if_there(conductor: Conductor, work: Work[Any]) -> None:
    """The same where a step is undone: a guest that was not there before is none that could come back."""
    try:
        bring_back(conductor, work)
    except Refused as refused:
        if refused.error != GUEST_NOT_FOUND:
            raise


def local_disks(devices: list[BlockDevice]) -> tuple[BlockDevice, ...]:
    """Those that are not volumes."""
    return tuple(device for device in devices if device.destination == "local")


def write_disks(db: sa.Connection, server_id: str, disks: tuple[BlockDevice, ...]) -> None:
    """The server's local disks are these now."""
    c = block_devices.c
    db.execute(block_devices.delete().where(c.server_id == server_id, c.destination == "local"))
    insert_devices(db, disks)


def power_at(conductor: Conductor, server_id: str, host: str) -> PowerState:
    """How the guest is on a host: NOSTATE where it is not there, or the host does not answer."""
    try:
        found = conductor.bus.call(m.LIST_GUESTS, m.ListGuests(), at=host).guests
    except Refused as refused:
        if refused.error in UNANSWERED:
            return PowerState.NOSTATE
        raise
    here = [guest.power_state for guest in found if guest.server_id == server_id and not guest.set_aside]
    return here[0] if here else PowerState.NOSTATE


def note_error(conductor: Conductor, _db: sa.Connection, work: Work[Any], _failure: Failure) -> None:
    """The migration failed."""
    conductor.migrations.update(work.data.migration, status=MoveStatus.ERROR)
