"""Volumes that come to a server and leave it: the guest, the server's row and the volume's move together.

A server that is on no host (shelved and offloaded) only has its rows changed: its guest gets what they say when it
is made again.
"""

from typing import Any

import sqlalchemy as sa

from nephele.compute import messages as m
from nephele.compute.conductor import Conductor
from nephele.compute.messages import plugging as p
from nephele.compute.operations.life import ServerData, server_operation
from nephele.kernel.operations import Failure, Keep, Step, Work

LET_GO_WITHIN = 60
"""Seconds that a guest has to let go of a device."""
LOOK = Keep("how a host reaches a volume is only read; the attachment goes with the server's row")


class Plug(ServerData, kw_only=True):
    """One volume on its way in or out."""

    device_id: str
    volume_id: str
    attachment_id: str
    volume: m.ConnectedDevice | None = None
    discard: bool = False
    """Whether the volume goes, too."""


class Extend(Plug, kw_only=True):
    """A volume that has grown to `size_gb`."""

    size_gb: int


def connect(conductor: Conductor, work: Work[Plug]) -> None:
    """Have the volume connected to the server's host."""
    if work.data.host:
        answer = conductor.command(m.CONNECT, m.Connect, work, patience=60, device_id=work.data.device_id)
        work.data.volume = next(iter(answer.volumes), None)


def plug(conductor: Conductor, work: Work[Plug]) -> None:
    """Give it to the guest."""
    if work.data.volume is not None:
        answer = conductor.command(p.ATTACH_VOLUME, p.AttachVolume, work, patience=120, volume=work.data.volume)
        work.data.power_state = answer.power_state


def unplug(conductor: Conductor, work: Work[Plug]) -> None:
    """Take it from the guest, which may refuse."""
    if work.data.volume is not None:
        fields = {"volume": work.data.volume, "timeout": LET_GO_WITHIN}
        conductor.command(p.DETACH_VOLUME, p.DetachVolume, work, patience=LET_GO_WITHIN + 60, **fields)


def tell_guest(conductor: Conductor, work: Work[Extend]) -> None:
    """Let the guest see the new size."""
    if work.data.volume is not None:
        fields = {"volume": work.data.volume, "size_gb": work.data.size_gb}
        conductor.command(p.EXTEND_VOLUME, p.ExtendVolume, work, patience=90, **fields)


def _attached(conductor: Conductor, _db: sa.Connection, work: Work[Plug]) -> None:
    conductor.volumes.complete(work.context, work.data.attachment_id)


def _not_attached(conductor: Conductor, db: sa.Connection, work: Work[Plug], failure: Failure) -> None:
    conductor.forget_device(db, work.data.device_id)
    conductor.volumes.detach(work.context, work.data.attachment_id)
    conductor.volumes.tell(work.context, work.data.volume_id, "attach volume", failure.message)


def _detached(conductor: Conductor, db: sa.Connection, work: Work[Plug]) -> None:
    conductor.forget_device(db, work.data.device_id)
    conductor.volumes.detach(work.context, work.data.attachment_id)
    if work.data.discard:
        conductor.volumes.discard(work.context, work.data.volume_id)


def _not_detached(conductor: Conductor, _db: sa.Connection, work: Work[Plug], failure: Failure) -> None:
    conductor.volumes.roll_detach(work.context, work.data.volume_id)
    conductor.volumes.tell(work.context, work.data.volume_id, "detach volume", failure.message)


def _not_told(conductor: Conductor, _db: sa.Connection, work: Work[Any], failure: Failure) -> None:
    conductor.volumes.tell(work.context, work.data.volume_id, "extend volume", failure.message)


ATTACH_VOLUME = server_operation(
    "attach_volume",
    Plug,
    (Step("connection", connect, LOOK), Step("guest", plug, unplug, event="compute_attach_volume")),
    on_done=_attached,
    on_failed=_not_attached,
)
DETACH_VOLUME = server_operation(
    "detach_volume",
    Plug,
    (Step("connection", connect, LOOK), Step("guest", unplug, plug, event="compute_detach_volume")),
    on_done=_detached,
    on_failed=_not_detached,
)
EXTEND_VOLUME = server_operation(
    "extend_volume",
    Extend,
    (
        Step("connection", connect, LOOK),
        Step("guest", tell_guest, Keep("a disk never shrinks"), event="compute_extend_volume"),
    ),
    on_failed=_not_told,
)
