"""What conductor and compute agents say of copies of guests' disks."""

from nephele.compute.messages import Command, Done
from nephele.kernel.bus import Method


class TakeSnapshot(Command, frozen=True, kw_only=True):
    """Copy a local disk as it is at one moment; the host keeps the copy under the image's id.

    `must_freeze`: refuse where the guest's agent does not freeze its file systems meanwhile.
    """

    image_id: str
    device_name: str
    must_freeze: bool


class SnapshotTaken(Done, frozen=True, kw_only=True):
    """The copy's format, as Glance calls it."""

    disk_format: str


class UploadSnapshot(Command, frozen=True, kw_only=True):
    """Send a copy to Glance, as the image's data."""

    image_id: str


class DropSnapshot(Command, frozen=True, kw_only=True):
    """Forget a copy, whole or not."""

    image_id: str


class Quiesce(Command, frozen=True, kw_only=True):
    """Have the guest hold its writes, or let it write again."""

    freeze: bool


class Quiesced(Done, frozen=True, kw_only=True):
    """Whether the guest is frozen now."""

    frozen: bool


TAKE_SNAPSHOT = Method("compute_agent.take_snapshot", TakeSnapshot, SnapshotTaken)
UPLOAD_SNAPSHOT = Method("compute_agent.upload_snapshot", UploadSnapshot, Done)
DROP_SNAPSHOT = Method("compute_agent.drop_snapshot", DropSnapshot, Done)
QUIESCE = Method("compute_agent.quiesce", Quiesce, Quiesced)
