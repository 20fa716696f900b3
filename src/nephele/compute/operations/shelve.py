"""Shelve, offload and unshelve.

A shelved server is off, and its root disk is an image of Glance; offloaded, it is on no host and holds nothing there.
Its ports and volumes stay its own all the time.  From the moment its guest is removed an offload only goes forward.
"""

import time
from typing import Any

import sqlalchemy as sa

from nephele.compute import messages as m
from nephele.compute.conductor import Conductor
from nephele.compute.errors import SHELVED_IMAGE_GONE, SHELVING_IMAGE_GONE
from nephele.compute.model import Task, Vm
from nephele.compute.operations import snapshot
from nephele.compute.operations.life import MAX_TRIES, ServerData, server_operation
from nephele.compute.operations.power import STOP_TIMEOUT
from nephele.compute.tables import servers
from nephele.compute.virt.driver import PowerState
from nephele.image.errors import IMAGE_NOT_FOUND
from nephele.kernel.bus import UNANSWERED
from nephele.kernel.errors import Refused
from nephele.kernel.operations import Failure, Keep, Step, Work

FORWARD = Keep("an offload only goes forward once the guest is removed; until then the server is on its host")


class Shelve(snapshot.Snapshot, kw_only=True):
    """What shelving carries: `image_id` is empty where the root disk is a volume."""

    offloaded: bool = False
    """Whether the guest may have been removed already."""


class Unshelve(ServerData, kw_only=True):
    """What unshelving carries: where the server is to go, if anybody asked."""

    want_host: str = ""
    image_id: str = ""
    base: m.BaseImage | None = None


# -- shelve --------------------------------------------------------------------------------------------------------


def stop(conductor: Conductor, work: Work[Shelve]) -> None:
    """Shut the guest down; one that is paused can't hear."""
    data = work.data
    timeout = STOP_TIMEOUT if data.was == Vm.ACTIVE else 0
    data.power_state = conductor.command(m.STOP, m.Stop, work, patience=timeout + 60, timeout=timeout).power_state


def start_again(conductor: Conductor, work: Work[Shelve]) -> None:
    """The shelving failed: a guest that ran runs again."""
    data = work.data
    if data.offloaded or work.interrupted.is_set() or data.was not in (Vm.ACTIVE, Vm.PAUSED):
        return
    answer = conductor.command(m.START, m.Start, work, patience=100, base=None, **conductor.attached(work))
    data.power_state, data.fails = answer.power_state, Vm.ACTIVE


def discard(conductor: Conductor, work: Work[Shelve]) -> None:
    """No image, and no copy on the host."""
    if not work.data.offloaded and work.data.image_id:
        snapshot.discard(conductor, work)


def upload(conductor: Conductor, work: Work[Shelve]) -> None:
    """Have the host send the copy; without its image the server could not come back."""
    snapshot.upload(conductor, work)
    if work.data.gone:
        raise SHELVING_IMAGE_GONE(image_id=work.data.image_id)


def put_away(conductor: Conductor, work: Work[Shelve]) -> None:
    """The server is shelved; where it is offloaded at once, that shows in the same moment."""
    data = work.data
    snapshot.drop_copy(conductor, work)
    values = {"shelved_image_id": data.image_id, "shelved_at": conductor.clock.now()}
    with conductor.store.write() as db:
        db.execute(servers.update().where(servers.c.id == work.subject).values(**values))
        if "guest" not in data.passes:
            conductor.states.arrive(db, work.subject, Vm.SHELVED, data.power_state)
            conductor.states.show(db, work.subject, Task.SHELVING_OFFLOADING)
            data.fails = data.was


def take_out(conductor: Conductor, work: Work[Shelve]) -> None:
    """The shelving failed after all."""
    if not work.data.offloaded:
        _forget(conductor, work.subject)


def _forget(conductor: Conductor, server_id: str) -> None:
    with conductor.store.write() as db:
        gone = {"shelved_image_id": "", "shelved_at": None}
        db.execute(servers.update().where(servers.c.id == server_id).values(**gone))


# -- offload -------------------------------------------------------------------------------------------------------


def unbind(conductor: Conductor, work: Work[Shelve]) -> None:
    """Take the ports from the host."""
    conductor.networks.unbind(work.subject)


def bind_again(conductor: Conductor, work: Work[Shelve]) -> None:
    """The guest is still there: so are its ports."""
    if not work.data.offloaded:
        conductor.command(m.PLUG, m.Plug, work, patience=60)


def remove_guest(conductor: Conductor, work: Work[Shelve]) -> None:
    """Have the host remove the guest with its disks; a host that is gone removes it when it comes back."""
    data = work.data
    data.offloaded, data.power_state = True, data.power_state or PowerState.SHUTDOWN
    try:
        conductor.command(m.DESTROY, m.Destroy, work, patience=120)
    except Refused as refused:
        if refused.error not in UNANSWERED:
            raise


def let_volumes_go(conductor: Conductor, work: Work[Any]) -> None:
    """Take the volumes from the host; they stay reserved for the server."""
    for device in conductor.devices(work.subject):
        if device.attachment_id:
            with conductor.store.write():
                attachment_id = conductor.volumes.renew_attachment(work.context, device.attachment_id)
                conductor.update_device(device.id, attachment_id=attachment_id)


def leave_host(conductor: Conductor, work: Work[Shelve]) -> None:
    """Give back what the server holds there."""
    conductor.leave_host(work.subject)
    work.data.becomes = Vm.SHELVED_OFFLOADED


def try_again(_conductor: Conductor, work: Work[Shelve], failure: Failure) -> str:
    """What fails once the guest is removed is tried again, a little later each time."""
    data = work.data
    if not data.offloaded:
        return ""
    data.tries += 1
    if data.tries > MAX_TRIES:
        data.fails = Vm.ERROR
        return ""
    time.sleep(0.2 * data.tries)
    return failure.step


# -- unshelve ------------------------------------------------------------------------------------------------------


def choose_host(conductor: Conductor, work: Work[Unshelve]) -> None:
    """See that the image is there, and have a host chosen and claimed."""
    data = work.data
    if data.image_id:
        try:
            conductor.images.show(work.context, data.image_id)
        except Refused as refused:
            if refused.error is not IMAGE_NOT_FOUND:
                raise
            data.fails = Vm.ERROR
            raise SHELVED_IMAGE_GONE(image_id=data.image_id) from None
    data.host = conductor.choose_host(work, host=data.want_host, node="", exclude=()).host


def give_host_back(conductor: Conductor, work: Work[Unshelve]) -> None:
    """Release the claim; the server is on no host."""
    if work.data.was == Vm.SHELVED_OFFLOADED:
        conductor.leave_host(work.subject)
        work.data.host = ""


def prepare(conductor: Conductor, work: Work[Unshelve]) -> None:
    """Bring the image to the host."""
    work.data.base = conductor.command(m.PREPARE, m.Prepare, work, patience=1200).base


def connect(conductor: Conductor, work: Work[Unshelve]) -> None:
    """Bind the ports and connect the volumes there."""
    conductor.attached(work)


def disconnect(conductor: Conductor, work: Work[Unshelve]) -> None:
    """Take both from the host again."""
    if work.data.was == Vm.SHELVED_OFFLOADED:
        conductor.networks.unbind(work.subject)
        let_volumes_go(conductor, work)


def spawn(conductor: Conductor, work: Work[Unshelve]) -> None:
    """Build the guest from the image and start it."""
    data = work.data
    answer = conductor.command(m.SPAWN, m.Build, work, patience=300, base=data.base, **conductor.attached(work))
    data.power_state = answer.power_state


def destroy(conductor: Conductor, work: Work[Unshelve]) -> None:
    """Remove the guest, as far as it was built."""
    if work.data.was == Vm.SHELVED_OFFLOADED and work.data.host:
        conductor.command(m.DESTROY, m.Destroy, work, patience=120)


def start(conductor: Conductor, work: Work[Unshelve]) -> None:
    """Start the guest, which is still on its host."""
    answer = conductor.command(m.START, m.Start, work, patience=100, base=None, **conductor.attached(work))
    work.data.power_state = answer.power_state


def stop_again(conductor: Conductor, work: Work[Unshelve]) -> None:
    """A server that stays shelved is off."""
    if work.data.was == Vm.SHELVED:
        conductor.command(m.STOP, m.Stop, work, patience=60, timeout=0)


def drop_image(conductor: Conductor, work: Work[Unshelve]) -> None:
    """The server is back; what it was kept in is no longer needed, and no reason to fail."""
    if work.data.image_id:
        try:
            conductor.delete_image(work.context, work.data.image_id)
        except Refused as refused:
            work.trace.spans[-1].detail["image"] = f"{work.data.image_id} stays: {refused.message}"


def back(conductor: Conductor, db: sa.Connection, work: Work[Unshelve]) -> None:
    """A server that came back counts as launched anew, as upstream has it."""
    _forget(conductor, work.subject)
    conductor.note_launch(db, work.subject)
    work.data.power_state = work.data.power_state or PowerState.RUNNING


DESCRIBED = Keep("the image goes with the undo of the copy")
_OFFLOAD = (
    Step("ports", unbind, bind_again, Task.SHELVING_OFFLOADING),
    Step("guest", remove_guest, FORWARD, Task.SHELVING_OFFLOADING, "compute_shelve_offload_instance"),
    Step("volumes", let_volumes_go, FORWARD, Task.SHELVING_OFFLOADING),
    Step("resources", leave_host, FORWARD, Task.SHELVING_OFFLOADING),
)
OFFLOAD_STEPS = tuple(step.name for step in _OFFLOAD)
IMAGE_STEPS = ("copy", "describe", "upload")
SHELVE = server_operation(
    "shelve",
    Shelve,
    (
        Step("stop", stop, start_again, Task.SHELVING, "compute_shelve_instance"),
        Step("copy", snapshot.copy_root, discard, Task.SHELVING),
        Step("describe", snapshot.describe, DESCRIBED, Task.SHELVING_IMAGE_PENDING_UPLOAD),
        Step("upload", upload, DESCRIBED, Task.SHELVING_IMAGE_UPLOADING),
        Step("shelved", put_away, take_out, Task.SHELVING),
        *_OFFLOAD,
    ),
    rewind=try_again,
)
SHELVE_OFFLOAD = server_operation("shelve_offload", Shelve, _OFFLOAD, rewind=try_again)
BUILD_STEPS = ("host", "image", "devices", "guest")
UNSHELVE = server_operation(
    "unshelve",
    Unshelve,
    (
        Step("host", choose_host, give_host_back, Task.UNSHELVING, "conductor_schedule_instances"),
        Step("image", prepare, Keep("the host's image cache is shared"), Task.UNSHELVING),
        Step("devices", connect, disconnect, Task.SPAWNING),
        Step("guest", spawn, destroy, Task.SPAWNING, "compute_unshelve_instance"),
        Step("start", start, stop_again, Task.POWERING_ON, "compute_start_instance"),
        Step("forget", drop_image, Keep("the server is back"), Task.SPAWNING),
    ),
    on_done=back,
)
