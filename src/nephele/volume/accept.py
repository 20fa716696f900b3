"""What is asked of a new volume, checked and completed before it is accepted."""

from pathlib import Path

from msgspec import Struct

from nephele.image.messages import ImageAnswer
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.volume import rows
from nephele.volume.backends.protocol import ImageFile
from nephele.volume.errors import (
    IMAGE_UNACCEPTABLE,
    INVALID_IMAGE,
    INVALID_INPUT,
    INVALID_SNAPSHOT,
    INVALID_VOLUME,
    INVALID_ZONE,
    SNAPSHOT_NOT_FOUND,
    VOLUME_NOT_FOUND,
)
from nephele.volume.model import Snapshot, SnapshotStatus, Volume, VolumeType
from nephele.volume.model import VolumeStatus as V
from nephele.volume.parts import Parts
from nephele.volume.types import Types

GB = 1 << 30
_SOURCE = "Originating {what} status must be one of '{wanted}' values"


class NewVolume(Struct, frozen=True, kw_only=True):
    """What is asked for."""

    size_gb: int | None = None
    """None: as large as its source."""
    name: str | None = None
    description: str | None = None
    volume_type: str | None = None
    """Its id or name."""
    availability_zone: str | None = None
    image_id: str | None = None
    snapshot_id: str | None = None
    source_volid: str | None = None
    metadata: dict[str, str] = {}
    group_id: str | None = None
    backup_id: str | None = None


class Wish(Struct, frozen=True):
    """What was asked for, with everything it speaks of."""

    new: NewVolume
    size_gb: int
    kind: VolumeType
    zone: str
    image: ImageAnswer | None
    snapshot: Snapshot | None
    source: Volume | None


def complete(parts: Parts, types: Types, ctx: Context, new: NewVolume) -> Wish:
    """Look up what is asked for and refuse what can't be.

    Raises:
        VOLUME_NOT_FOUND, SNAPSHOT_NOT_FOUND, TYPE_NAME_NOT_FOUND, INVALID_IMAGE: what it names is not there.
        INVALID_INPUT, INVALID_VOLUME, INVALID_SNAPSHOT, INVALID_ZONE, IMAGE_UNACCEPTABLE: it does not fit.
    """
    named = [name for name in ("snapshot_id", "image_id", "source_volid") if getattr(new, name)]
    if len(named) > 1:
        raise INVALID_INPUT(reason=f"May specify only one of {', '.join(named)}")
    kind = types.find(ctx, new.volume_type) if new.volume_type else None
    snapshot = _snapshot(parts, ctx, new.snapshot_id) if new.snapshot_id else None
    source = _source(parts, ctx, new.source_volid) if new.source_volid else None
    image = describe_image(parts, ctx, new.image_id) if new.image_id else None
    size = new.size_gb or (snapshot.size_gb if snapshot else source.size_gb if source else 0)
    _check_size(size, snapshot, source)
    if image is not None:
        check_image(image, size)
    return Wish(
        new, size, kind or _type_of(parts, types, ctx, snapshot, source), _zone(parts, new), image, snapshot, source
    )


def _snapshot(parts: Parts, ctx: Context, snapshot_id: str) -> Snapshot:
    with parts.store.read() as db:
        found = rows.snapshot(db, snapshot_id)
    if not parts.sees(ctx, found.project_id):
        raise SNAPSHOT_NOT_FOUND(snapshot_id=snapshot_id)
    if found.status != SnapshotStatus.AVAILABLE:
        raise INVALID_SNAPSHOT(reason=_SOURCE.format(what="snapshot", wanted=SnapshotStatus.AVAILABLE))
    return found


def _source(parts: Parts, ctx: Context, volume_id: str) -> Volume:
    with parts.store.read() as db:
        found = rows.volume(db, volume_id)
    if not parts.sees(ctx, found.project_id):
        raise VOLUME_NOT_FOUND(volume_id=volume_id)
    if found.status not in (V.AVAILABLE, V.IN_USE):
        raise INVALID_VOLUME(reason=_SOURCE.format(what="source volume", wanted=f"{V.AVAILABLE}, {V.IN_USE}"))
    return found


def describe_image(parts: Parts, ctx: Context, image_id: str) -> ImageAnswer:
    """The image that a volume is to be made of.  Raises INVALID_IMAGE where the caller can't see it."""
    try:
        return parts.images.describe(ctx, image_id.rpartition("/")[2])
    except Refused as refused:
        if refused.status in (401, 403, 404):
            raise INVALID_IMAGE() from refused
        raise


def check_image(image: ImageAnswer, size_gb: int) -> None:
    """Raise unless an image is there and fits into a volume of that size."""
    if image.status != "active":
        raise INVALID_INPUT(reason=f"Image {image.id} is not active.")
    content = max(image.size, image.virtual_size)
    if content > size_gb * GB:
        needed = -(-content // GB)
        raise INVALID_INPUT(reason=f"Size of specified image {needed}GB is larger than volume size {size_gb}GB.")
    if image.min_disk > size_gb:
        raise INVALID_INPUT(
            reason=f"Volume size {size_gb}GB cannot be smaller than the image minDisk size {image.min_disk}GB."
        )
    if image.container_format not in ("bare", ""):
        raise IMAGE_UNACCEPTABLE(image_id=image.id, reason=f"container format {image.container_format} is not a disk")


def _check_size(size: int, snapshot: Snapshot | None, source: Volume | None) -> None:
    if size <= 0:
        raise INVALID_INPUT(reason=f"Volume size '{size}' must be an integer and greater than 0")
    if source is not None and size < source.size_gb:
        raise INVALID_INPUT(
            reason=f"Volume size '{size}'GB cannot be smaller than original volume size  {source.size_gb}GB. "
            "They must be >= original volume size."
        )
    if snapshot is not None and size < snapshot.size_gb:
        raise INVALID_INPUT(
            reason=f"Volume size '{size}'GB cannot be smaller than the snapshot size {snapshot.size_gb}GB. "
            "They must be >= original snapshot size."
        )


def _type_of(parts: Parts, types: Types, ctx: Context, snapshot: Snapshot | None, source: Volume | None) -> VolumeType:
    inherited = source.type_id if source else snapshot.type_id if snapshot else ""
    if not inherited:
        return types.default(ctx.project_id)
    with parts.store.read() as db:
        return types.get(db, inherited)


def _zone(parts: Parts, new: NewVolume) -> str:
    if new.availability_zone and new.availability_zone != parts.zone:
        raise INVALID_ZONE(zone=new.availability_zone)
    return parts.zone


def image_file(image: ImageAnswer) -> ImageFile:
    """The image's data, as a backend takes it."""
    return ImageFile(image.id, Path(image.path), image.disk_format)


def image_words(image: ImageAnswer) -> dict[str, str]:
    """What a volume remembers of the image it was made of."""
    return {
        **image.properties,
        "image_id": image.id,
        "image_name": image.name,
        "checksum": image.checksum,
        "container_format": image.container_format,
        "disk_format": image.disk_format,
        "min_disk": str(image.min_disk),
        "min_ram": str(image.min_ram),
        "size": str(image.size),
    }
