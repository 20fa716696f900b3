"""Images of servers: a copy of the root disk, or snapshots of the volumes, becomes an image of Glance."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import field

from nephele.compute.conductor import Conductor
from nephele.compute.errors import NO_ROOT_DISK, VOLUME_NOT_READY
from nephele.compute.messages import snapshots as m
from nephele.compute.model import BlockDevice, Server, Task, Vm
from nephele.compute.operations.life import ServerData, server_operation
from nephele.compute.virt.driver import PowerState
from nephele.image.errors import IMAGE_GONE, IMAGE_NOT_FOUND
from nephele.image.model import Change
from nephele.kernel.bus import UNANSWERED
from nephele.kernel.errors import Refused
from nephele.kernel.operations import Keep, Step, Work
from nephele.volume.service import Readiness

COPYING = 3500
"""Seconds that a copy, or its upload, may take."""
PAUSE = 0.02
DESCRIBED = Keep("the image goes with its undo")


class Snapshot(ServerData, kw_only=True):
    """What the making of an image carries."""

    image_id: str = ""
    volume_backed: bool = False
    snapshots: dict[str, str] = field(default_factory=dict)
    """The volume snapshots' ids by block device."""
    disk_format: str = "raw"
    gone: bool = False
    """Whether the image was deleted meanwhile: nothing is left to be done then."""
    backup_type: str = ""
    rotation: int = -1


def take(conductor: Conductor, work: Work[Any]) -> None:
    """Copy the root disk on the host, or take snapshots of the volumes."""
    if work.data.volume_backed:
        _snapshot_volumes(conductor, work)
    else:
        copy_root(conductor, work)


def copy_root(conductor: Conductor, work: Work[Any]) -> None:
    """Copy the root disk on the host."""
    data, server = work.data, conductor.server(work.subject)
    root = next((device for device in conductor.devices(server.id) if device.boot_index == 0), None)
    if root is None:
        raise NO_ROOT_DISK(server_id=server.id)
    answer = conductor.command(
        m.TAKE_SNAPSHOT,
        m.TakeSnapshot,
        work,
        patience=COPYING,
        image_id=data.image_id,
        device_name=root.device_name,
        must_freeze=server.image.properties.get("os_require_quiesce", "").lower() in ("true", "yes", "1"),
    )
    data.disk_format, data.power_state = answer.disk_format, answer.power_state


def _snapshot_volumes(conductor: Conductor, work: Work[Any]) -> None:
    """Snapshots of all volumes, of one moment: the guest's agent, where it answers, holds the writes meanwhile."""
    data = work.data
    _quiesce(conductor, work, freeze=True)
    try:
        devices = {device.id: device for device in conductor.devices(work.subject)}
        for device_id, snapshot_id in data.snapshots.items():
            name = f"snapshot for {conductor.images.show(work.context, data.image_id).name}"
            conductor.volumes.take_snapshot(work.context, devices[device_id].volume_id, snapshot_id, name)
        for snapshot_id in data.snapshots.values():
            _await_snapshot(conductor, work, snapshot_id)
    finally:
        data.power_state = _quiesce(conductor, work, freeze=False)


def _quiesce(conductor: Conductor, work: Work[Any], *, freeze: bool) -> PowerState:
    if work.data.was != Vm.ACTIVE:
        freeze = False
    return conductor.command(m.QUIESCE, m.Quiesce, work, patience=60, freeze=freeze).power_state


def _await_snapshot(conductor: Conductor, work: Work[Any], snapshot_id: str) -> None:
    while (found := conductor.volumes.snapshot_readiness(work.context, snapshot_id)).readiness != Readiness.READY:
        late = conductor.clock.now() > work.deadline
        if found.readiness == Readiness.FAILED or late or work.pause(PAUSE):
            raise VOLUME_NOT_READY(volume_id=snapshot_id, status=found.status, reason=found.reason)


def discard(conductor: Conductor, work: Work[Any]) -> None:
    """Nothing of it stays: no copy on the host, no snapshot, no image."""
    drop_copy(conductor, work)
    for snapshot_id in work.data.snapshots.values():
        conductor.volumes.discard_snapshot(work.context, snapshot_id)
    conductor.delete_image(work.context, work.data.image_id)


def drop_copy(conductor: Conductor, work: Work[Any]) -> None:
    """Remove the copy from the host; one that is on a host that is gone goes with the guest."""
    data = work.data
    if data.volume_backed or not data.host:
        return
    try:
        answer = conductor.command(m.DROP_SNAPSHOT, m.DropSnapshot, work, patience=60, image_id=data.image_id)
    except Refused as refused:
        if refused.error not in UNANSWERED:
            raise
    else:
        data.power_state = answer.power_state


def describe(conductor: Conductor, work: Work[Any]) -> None:
    """Say in Glance what the data will be."""
    data, server = work.data, conductor.server(work.subject)
    if data.volume_backed:
        said = _mapping(conductor, server, data.snapshots)
    else:
        said = {"image_location": "snapshot", "image_state": "available", "owner_id": server.project_id}
    said |= {"disk_format": data.disk_format, "container_format": "bare"}
    changes = [Change("add", name, value) for name, value in said.items()]
    _unless_gone(work, lambda: conductor.images.update(work.context, data.image_id, changes))


def _mapping(conductor: Conductor, server: Server, snapshots: dict[str, str]) -> dict[str, str]:
    """The devices of a server that is made of the image, as properties of it (block_device_mapping)."""
    devices = [_mapped(device, snapshots.get(device.id, "")) for device in conductor.devices(server.id)]
    mapping = msgspec.json.encode(devices).decode()
    return {"block_device_mapping": mapping, "bdm_v2": "True", "root_device_name": server.root_device_name}


def _mapped(device: BlockDevice, snapshot_id: str) -> dict[str, str | int | bool | None]:
    return {
        "source_type": "snapshot" if snapshot_id else device.source,
        "destination_type": device.destination,
        "snapshot_id": snapshot_id or None,
        "image_id": None,
        "volume_id": None,
        "device_name": device.device_name,
        "boot_index": device.boot_index,
        "disk_bus": device.disk_bus,
        "device_type": device.device_type,
        "volume_size": device.size_gb or None,
        "guest_format": device.guest_format or None,
        "delete_on_termination": device.delete_on_termination,
        "no_device": None,
        "tag": None,
        "volume_type": None,
    }


def upload(conductor: Conductor, work: Work[Any]) -> None:
    """Have the host send the copy; an image of volumes has no data of its own."""
    data = work.data
    if data.gone:
        return
    if data.volume_backed:
        _unless_gone(work, lambda: conductor.images.receive(work.context, data.image_id, ()))
    else:
        send = m.UPLOAD_SNAPSHOT, m.UploadSnapshot
        _unless_gone(work, lambda: conductor.command(*send, work, patience=COPYING, image_id=data.image_id))


def _unless_gone(work: Work[Any], do: Callable[[], object]) -> None:
    """An image that its owner deletes meanwhile ends its making; the server is as it was, and that is no failure."""
    try:
        do()
    except Refused as refused:
        if refused.error not in (IMAGE_NOT_FOUND, IMAGE_GONE):
            raise
        work.data.gone = True


def finish(conductor: Conductor, work: Work[Any]) -> None:
    """The copy on the host is no longer needed; snapshots of an image that is gone neither."""
    data = work.data
    drop_copy(conductor, work)
    if data.gone:
        for snapshot_id in data.snapshots.values():
            conductor.volumes.discard_snapshot(work.context, snapshot_id)
    if data.was == Vm.ACTIVE and data.power_state in (PowerState.SHUTDOWN, PowerState.CRASHED):
        data.becomes = Vm.STOPPED  # it went off by itself meanwhile


def rotate(conductor: Conductor, work: Work[Any]) -> None:
    """Delete the oldest backups of this server and kind, above the number that is kept."""
    data = work.data
    alike = {"image_type": "backup", "backup_type": data.backup_type, "instance_uuid": work.subject}
    for image in conductor.images.alike(work.context, alike)[data.rotation :]:
        if not image.protected:
            conductor.delete_image(work.context, image.id)


def _steps(begins: Task, event: str) -> tuple[Step, ...]:
    return (
        Step("copy", take, discard, begins, event),
        Step("describe", describe, DESCRIBED, Task.IMAGE_PENDING_UPLOAD),
        Step("upload", upload, DESCRIBED, Task.IMAGE_UPLOADING),
        Step("finish", finish, DESCRIBED, Task.IMAGE_UPLOADING),
    )


SNAPSHOT = server_operation("snapshot", Snapshot, _steps(Task.IMAGE_SNAPSHOT, "compute_snapshot_instance"))
BACKUP = server_operation(
    "backup",
    Snapshot,
    (
        *_steps(Task.IMAGE_BACKUP, "compute_backup_instance"),
        Step("rotate", rotate, Keep("a backup that is deleted is gone"), Task.IMAGE_UPLOADING),
    ),
)
