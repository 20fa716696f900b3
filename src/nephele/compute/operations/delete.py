"""The end of a server.  A delete only goes forward: every step may find its work done already."""

from typing import Any

from nephele.compute import messages as m
from nephele.compute import reclaim_rows, sealing
from nephele.compute.conductor import Conductor
from nephele.compute.model import MoveStatus, Task
from nephele.compute.operations import volumes
from nephele.compute.operations.life import ServerData, server_operation, try_again
from nephele.kernel.bus import UNANSWERED
from nephele.kernel.errors import Refused
from nephele.kernel.operations import Keep, Step, Work

FORWARD = Keep("a delete only goes forward")


class Delete(ServerData, kw_only=True):
    """What a delete carries."""


def remove_guest(conductor: Conductor, work: Work[Delete]) -> None:
    """Have its hosts remove the guest; a host that is gone removes it when it comes back."""
    for host in conductor.hosts_of(work.subject):
        work.data.host = host
        _remove_from_host(conductor, work)


def _remove_from_host(conductor: Conductor, work: Work[Delete]) -> None:
    try:
        conductor.command(m.DESTROY, m.Destroy, work, patience=120)
    except Refused as refused:
        if refused.error not in UNANSWERED:
            raise
        work.trace.spans[-1].detail["host"] = f"{work.data.host} does not answer: it cleans up when it returns"


def drop_volumes(conductor: Conductor, work: Work[Delete]) -> None:
    """Let go of the volumes."""
    volumes.drop(conductor, work.context, work.subject)


def release_ports(conductor: Conductor, work: Work[Delete]) -> None:
    """Let go of the ports."""
    conductor.release_ports(work.subject)


def release_resources(conductor: Conductor, work: Work[Delete]) -> None:
    """Let go of what Placement holds for it."""
    with conductor.store.write():
        conductor.end_move(work.subject, MoveStatus.CONFIRMED)
        conductor.placement.release(work.subject)


def forget_shelved(conductor: Conductor, work: Work[Delete]) -> None:
    """The image that a shelved server would have come back from goes with it."""
    image_id = conductor.server(work.subject).shelved_image_id
    if image_id:
        try:
            conductor.delete_image(work.context, image_id)
        except Refused as refused:
            work.trace.spans[-1].detail["image"] = f"{image_id} stays: {refused.message}"


def bury(conductor: Conductor, db: Any, work: Work[Delete]) -> None:
    """The row stays, as deleted; what was kept beside it goes."""
    reclaim_rows.forget(db, work.subject)
    sealing.forget(db, work.subject)
    conductor.note_end(db, work.subject)


DELETE = server_operation(
    "delete",
    Delete,
    (
        Step("guest", remove_guest, FORWARD, Task.DELETING, "compute_terminate_instance"),
        Step("volumes", drop_volumes, FORWARD, Task.DELETING),
        Step("ports", release_ports, FORWARD, Task.DELETING),
        Step("resources", release_resources, FORWARD, Task.DELETING),
        Step("image", forget_shelved, FORWARD, Task.DELETING),
    ),
    on_done=bury,
    rewind=try_again,
)
