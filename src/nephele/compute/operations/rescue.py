"""Rescue and unrescue."""

from typing import Any

import sqlalchemy as sa

from nephele.compute import messages as m
from nephele.compute.conductor import Conductor
from nephele.compute.messages import rescue as r
from nephele.compute.model import Task
from nephele.compute.operations.freezing import NOTHING_TO_UNDO
from nephele.compute.operations.life import ServerData, server_operation
from nephele.compute.operations.power import STOP_TIMEOUT
from nephele.kernel.errors import Refused
from nephele.kernel.operations import Failure, Keep, Step, Work


class Rescue(ServerData, kw_only=True):
    """What a rescue carries: the image that is booted from, and whether the guest ran."""

    image_id: str
    properties: dict[str, str]
    admin_pass: str = ""
    """For the guest's config drive; empty once the operation is over."""
    ran: bool = True
    base: m.BaseImage | None = None


def fetch(conductor: Conductor, work: Work[Rescue]) -> None:
    """Bring the rescue image to the host."""
    answer = conductor.command(r.FETCH_IMAGE, r.FetchImage, work, patience=1200, image_id=work.data.image_id)
    work.data.base = answer.base


def rescue(conductor: Conductor, work: Work[Rescue]) -> None:
    """Shut the guest down and boot it from the rescue image."""
    data = work.data
    devices = conductor.attached(work)
    words: dict[str, Any] = {"properties": data.properties, "admin_pass": data.admin_pass, "timeout": STOP_TIMEOUT}
    answer = conductor.command(
        r.RESCUE, r.Rescue, work, patience=STOP_TIMEOUT + 300, base=data.base, **words, **devices
    )
    data.power_state = answer.power_state


def put_back(conductor: Conductor, work: Work[Rescue]) -> None:
    """Give the guest its own disks again; it runs if it ran."""
    if work.interrupted.is_set():
        return  # who interrupts takes the guest as it is
    try:
        _unrescue(conductor, work, run=work.data.ran)
    except Refused as refused:
        if refused.error not in NOTHING_TO_UNDO:
            raise


def unrescue(conductor: Conductor, work: Work[ServerData]) -> None:
    """Boot the guest from its own disks."""
    _unrescue(conductor, work, run=True)


def _unrescue(conductor: Conductor, work: Work[Any], *, run: bool) -> None:
    devices = conductor.attached(work)
    answer = conductor.command(r.UNRESCUE, r.Unrescue, work, patience=250, base=None, run=run, **devices)
    work.data.power_state = answer.power_state


def rescued(conductor: Conductor, db: sa.Connection, work: Work[Rescue]) -> None:
    """A rescued server counts as launched anew, as upstream has it."""
    work.data.admin_pass = ""
    conductor.note_launch(db, work.subject)


def not_rescued(_conductor: Conductor, _db: sa.Connection, work: Work[Rescue], _failure: Failure) -> None:
    """Forget the password."""
    work.data.admin_pass = ""


RESCUE = server_operation(
    "rescue",
    Rescue,
    (
        Step("image", fetch, Keep("the host's image cache is shared"), Task.RESCUING),
        Step("guest", rescue, put_back, Task.RESCUING, "compute_rescue_instance"),
    ),
    on_done=rescued,
    on_failed=not_rescued,
)
UNRESCUE = server_operation(
    "unrescue",
    ServerData,
    (
        Step(
            "guest",
            unrescue,
            Keep("nobody knows what is left of the rescue: the server is in ERROR, and a hard reboot starts it"),
            Task.UNRESCUING,
            "compute_unrescue_instance",
        ),
    ),
)
