"""A server's volumes: made, reserved, attached and let go, together with the server's own rows."""

from typing import Any

from nephele.compute.conductor import Conductor
from nephele.compute.errors import VOLUME_NOT_READY
from nephele.compute.model import BlockDevice
from nephele.kernel.context import Context
from nephele.kernel.operations import Work
from nephele.volume.service import Readiness

PAUSE = 0.02
"""Seconds between two looks at a volume that is being made."""


def make(conductor: Conductor, work: Work[Any]) -> None:
    """Make the volumes that the server's block devices ask for, wait for them, and reserve them."""
    for device in conductor.devices(work.subject):
        if device.destination == "volume" and not device.attachment_id:
            _make_one(conductor, work, device)


def _make_one(conductor: Conductor, work: Work[Any], device: BlockDevice) -> None:
    server = conductor.server(work.subject)
    if not device.volume_id:
        with conductor.store.write():
            volume_id = conductor.volumes.create_for_boot(
                work.context,
                size_gb=device.size_gb or None,
                image_id=device.image_id or None,
                snapshot_id=device.snapshot_id or None,
                volume_type=device.volume_type or None,
            )
            conductor.update_device(device.id, volume_id=volume_id)
    else:
        volume_id = device.volume_id
    wait_until_available(conductor, work, volume_id)
    with conductor.store.write():
        attachment_id = conductor.volumes.reserve(work.context, volume_id, server.id)
        conductor.update_device(device.id, attachment_id=attachment_id)


def wait_until_available(conductor: Conductor, work: Work[Any], volume_id: str) -> None:
    """Return once the volume is there.  Raises VOLUME_NOT_READY with its status and reason if it can't be."""
    while (found := conductor.volumes.readiness(work.context, volume_id)).readiness != Readiness.READY:
        late = conductor.clock.now() > work.deadline
        if found.readiness == Readiness.FAILED or late or work.pause(PAUSE):
            raise VOLUME_NOT_READY(volume_id=volume_id, status=found.status, reason=found.reason)


def drop(conductor: Conductor, context: Context, server_id: str, *, only_made: bool = False) -> None:
    """Detach the server's volumes; delete those that go with it.

    Args:
        conductor: the parts.
        context: who asked.
        server_id: whose volumes.
        only_made: the launch is being undone: volumes that were there before stay reserved for the next try.
    """
    for device in conductor.devices(server_id):
        made = device.source != "volume"
        if device.destination != "volume" or not device.volume_id or (only_made and not made):
            continue
        with conductor.store.write():
            if device.attachment_id:
                conductor.volumes.detach(context, device.attachment_id)
            gone = {"attachment_id": ""} | ({"volume_id": ""} if made and only_made else {})
            conductor.update_device(device.id, **gone)
            if device.delete_on_termination or (made and only_made):
                conductor.volumes.discard(context, device.volume_id, snapshots=only_made)
